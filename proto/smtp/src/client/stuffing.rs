//! Message data as DATA carries it (RFC 5321 4.5.2), chunk by chunk.

use memchr::memchr3_iter;

/// Doubles the dots that begin a line and ends the data, over chunks cut anywhere.
///
/// Nothing but CRLF ends a line on the wire: a bare CR or LF is sent as CRLF, so that no peer
/// can take it for a line end of its own kind and see another message behind it.
#[derive(Debug)]
pub(super) struct DotStuffer {
    last: Last,
}

/// What the data ended in so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    LineEnd,
    /// A CR whose LF may come with the next chunk; it is not sent yet.
    Cr,
    Other,
}

impl DotStuffer {
    pub(super) fn new() -> Self {
        Self { last: Last::LineEnd }
    }

    /// Appends a chunk's wire form to `out`.
    pub(super) fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        out.reserve(chunk.len() + 16);
        let mut plain_from = 0;
        for at in memchr3_iter(b'\r', b'\n', b'.', chunk) {
            self.plain(&chunk[plain_from..at], out);
            self.special(chunk[at], out);
            plain_from = at + 1;
        }
        self.plain(&chunk[plain_from..], out);
    }

    /// Appends what ends the data.
    pub(super) fn finish(mut self, out: &mut Vec<u8>) {
        self.cr_settle(out);
        if self.last != Last::LineEnd {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
    }

    fn plain(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if !bytes.is_empty() {
            self.cr_settle(out);
            out.extend_from_slice(bytes);
            self.last = Last::Other;
        }
    }

    fn special(&mut self, byte: u8, out: &mut Vec<u8>) {
        match byte {
            b'\n' => self.line_end(out),
            b'\r' => {
                self.cr_settle(out);
                self.last = Last::Cr;
            }
            _ => self.dot(out),
        }
    }

    fn line_end(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
        self.last = Last::LineEnd;
    }

    fn dot(&mut self, out: &mut Vec<u8>) {
        self.cr_settle(out);
        let stuffed: &[u8] = if self.last == Last::LineEnd { b".." } else { b"." };
        out.extend_from_slice(stuffed);
        self.last = Last::Other;
    }

    /// A CR that no LF followed becomes a line end.
    fn cr_settle(&mut self, out: &mut Vec<u8>) {
        if self.last == Last::Cr {
            self.line_end(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stuffed<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let mut stuffer = DotStuffer::new();
        let mut out = Vec::new();
        chunks.into_iter().for_each(|chunk| stuffer.push(chunk, &mut out));
        stuffer.finish(&mut out);
        out
    }

    #[test]
    fn dots_that_begin_a_line_are_doubled_and_no_others() {
        let wire = stuffed([&b".a.\r\n..\r\nb.c\r\n.\r\n"[..]]);
        assert_eq!(wire, b"..a.\r\n...\r\nb.c\r\n..\r\n.\r\n");
    }

    #[test]
    fn data_without_a_last_line_end_is_given_one() {
        assert_eq!(stuffed([&b"abc"[..]]), b"abc\r\n.\r\n");
        assert_eq!(stuffed([&b"abc\r"[..]]), b"abc\r\n.\r\n");
        assert_eq!(stuffed([]), b".\r\n");
    }

    #[test]
    fn bare_line_ends_cannot_smuggle_an_end_of_data() {
        assert_eq!(stuffed([&b"a\n.\nb"[..]]), b"a\r\n..\r\nb\r\n.\r\n");
        assert_eq!(stuffed([&b"a\r.\rb"[..]]), b"a\r\n..\r\nb\r\n.\r\n");
    }

    /// The reference: line by line over the whole.
    fn model(data: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(data).replace("\r\n", "\n").replace('\r', "\n");
        let mut out = String::new();
        for line in text.split_inclusive('\n') {
            let dot = if line.starts_with('.') { "." } else { "" };
            out.push_str(&format!("{dot}{}\r\n", line.trim_end_matches('\n')));
        }
        out.push_str(".\r\n");
        out.into_bytes()
    }

    proptest! {
        #[test]
        fn stuffing_does_not_depend_on_where_the_chunks_are_cut(
            data in "[a.\r\n]{0,40}", cut in 1_usize..8,
        ) {
            prop_assert_eq!(stuffed(data.as_bytes().chunks(cut)), model(data.as_bytes()));
        }
    }
}
