//! Text without regard to case.

use memchr::memmem::Finder;

/// A string to look for, in lower case.
#[derive(Debug)]
pub(crate) struct Needle(Finder<'static>);

impl Needle {
    pub(crate) fn new(text: &str) -> Self {
        Self(Finder::new(text.to_lowercase().as_bytes()).into_owned())
    }

    /// Whether `text` contains it. RFC 3501 6.4.4: matching is by substring and without case.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.0.find(text.to_lowercase().as_bytes()).is_some()
    }

    /// The same of text that is in lower case already.
    pub(crate) fn is_in_folded(&self, folded: &str) -> bool {
        self.0.find(folded.as_bytes()).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::Needle;

    #[test]
    fn case_does_not_matter_in_any_script() {
        assert!(Needle::new("GRÜSSE").is_in("viele grüsse"));
        assert!(Needle::new("привет").is_in("ПРИВЕТ, мир"));
        assert!(!Needle::new("grusse").is_in("grüsse"));
    }

    #[test]
    fn the_empty_string_is_everywhere() {
        assert!(Needle::new("").is_in(""));
    }
}
