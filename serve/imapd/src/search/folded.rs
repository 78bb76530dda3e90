//! Text without regard to case.

use memchr::memmem::Finder;

/// A string to look for, in lower case.
#[derive(Debug)]
pub(crate) struct Needle(Finder<'static>);

impl Needle {
    pub(crate) fn new(text: &str) -> Self {
        Self(Finder::new(folded(text).as_bytes()).into_owned())
    }

    /// Whether a text that is in lower case contains it. RFC 3501 6.4.4: matching is by substring and without case.
    pub(crate) fn is_in(&self, folded: &str) -> bool {
        self.0.find(folded.as_bytes()).is_some()
    }

    /// What it looks for.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.needle()
    }
}

/// A text in lower case. It costs as much as reading the text, so it is done once for all needles.
pub(crate) fn folded(text: &str) -> String {
    text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{Needle, folded};

    #[test]
    fn case_does_not_matter_in_any_script() {
        assert!(Needle::new("GRÜSSE").is_in(&folded("viele grüsse")));
        assert!(Needle::new("привет").is_in(&folded("ПРИВЕТ, мир")));
        assert!(!Needle::new("grusse").is_in(&folded("grüsse")));
    }

    #[test]
    fn the_empty_string_is_everywhere() {
        assert!(Needle::new("").is_in(""));
    }
}
