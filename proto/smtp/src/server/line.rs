//! Command lines: RFC 5321 2.3.8, CRLF and nothing else ends one.

use bytes::BytesMut;
use memchr::memchr;

use crate::Refusal;

/// Takes lines off the input. A line over the limit is passed over without being kept.
#[derive(Debug, Default)]
pub(super) struct LineReader {
    skipping: bool,
}

/// A line without its CRLF, or what is wrong with it.
pub(super) type Line = Result<BytesMut, LineFault>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineFault {
    TooLong,
    BareCr,
    BareLf,
}

impl LineFault {
    pub(super) fn refusal(self) -> Refusal {
        Refusal::new(500, (5, 5, 2), self.text())
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::TooLong => "Line too long",
            Self::BareCr => "Bare CR in a command",
            Self::BareLf => "Bare LF at the end of a command",
        }
    }
}

impl LineReader {
    /// The next line, of at most `bytes_max` bytes with its CRLF; `None` where it is not all there.
    pub(super) fn take(&mut self, input: &mut BytesMut, bytes_max: usize) -> Option<Line> {
        match memchr(b'\n', input) {
            Some(end) => {
                let line = input.split_to(end + 1);
                let too_long = std::mem::take(&mut self.skipping) || line.len() > bytes_max;
                Some(if too_long { Err(LineFault::TooLong) } else { ended(line) })
            }
            None => {
                if self.skipping || input.len() >= bytes_max {
                    self.skipping = true;
                    input.clear();
                }
                None
            }
        }
    }
}

fn ended(mut line: BytesMut) -> Line {
    if !line.ends_with(b"\r\n") {
        return Err(LineFault::BareLf);
    }
    line.truncate(line.len() - 2);
    if memchr(b'\r', &line).is_some() { Err(LineFault::BareCr) } else { Ok(line) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &str, bytes_max: usize) -> Vec<Result<String, LineFault>> {
        let (mut reader, mut found) = (LineReader::default(), vec![]);
        let mut waiting = BytesMut::new();
        for byte in input.bytes() {
            waiting.extend_from_slice(&[byte]);
            found.extend(reader.take(&mut waiting, bytes_max));
        }
        found.into_iter().map(|line| line.map(|l| String::from_utf8(l.to_vec()).unwrap())).collect()
    }

    #[test]
    fn only_crlf_ends_a_line() {
        assert_eq!(
            lines("NOOP\r\nNO\nNO\rOP\r\n", 100),
            [Ok("NOOP".into()), Err(LineFault::BareLf), Err(LineFault::BareCr)]
        );
    }

    #[test]
    fn a_long_line_is_dropped_to_its_end_and_the_next_is_read() {
        let input = format!("{}\r\nNOOP\r\n", "x".repeat(50));
        assert_eq!(lines(&input, 20), [Err(LineFault::TooLong), Ok("NOOP".into())]);
    }

    #[test]
    fn a_line_of_just_the_limit_is_read() {
        assert_eq!(lines("1234\r\n12345\r\n", 6), [Ok("1234".into()), Err(LineFault::TooLong)]);
    }
}
