//! The fields of a header section.

/// One field as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderField<'h> {
    /// The name without colon and without blanks around it.
    pub name: &'h [u8],
    /// What follows the colon, folds and last line end included.
    pub value: &'h [u8],
    /// The whole field: name, colon, value.
    pub raw: &'h [u8],
}

/// Iterates over the fields of a header section and stops at its blank line. Lines that are no fields are
/// left out.
#[derive(Debug, Clone)]
pub struct HeaderIter<'h> {
    #[expect(dead_code)]
    rest: &'h [u8],
}

impl<'h> HeaderIter<'h> {
    /// Over this header section.
    pub fn new(header: &'h [u8]) -> HeaderIter<'h> {
        HeaderIter { rest: header }
    }
}

impl<'h> Iterator for HeaderIter<'h> {
    type Item = HeaderField<'h>;

    fn next(&mut self) -> Option<HeaderField<'h>> {
        unimplemented!("HeaderIter::next")
    }
}
