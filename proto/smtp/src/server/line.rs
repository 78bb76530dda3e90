//! Command lines: RFC 5321 2.3.8, CRLF and nothing else ends one.

use bytes::BytesMut;
use memchr::memchr;

use crate::Refusal;
use crate::command::is_bdat;

/// Takes lines off the input. A line over the limit is passed over without being kept.
#[derive(Debug, Default)]
pub(super) struct LineReader {
    /// The line that is passed over, if one is.
    skipping: Option<BadLine>,
}

/// A line without its CRLF, or what is wrong with it.
pub(super) type Line = Result<BytesMut, BadLine>;

/// A line that is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadLine {
    pub(super) fault: LineFault,
    /// It begins as a BDAT does, so that content may follow.
    pub(super) is_bdat: bool,
}

impl BadLine {
    fn new(fault: LineFault, line: &[u8]) -> Self {
        Self { fault, is_bdat: is_bdat(line) }
    }
}

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
                Some(match self.skipping.take() {
                    Some(bad) => Err(bad),
                    None if line.len() > bytes_max => Err(BadLine::new(LineFault::TooLong, &line)),
                    None => ended(line),
                })
            }
            None => {
                if self.skipping.is_some() || input.len() >= bytes_max {
                    self.skipping.get_or_insert_with(|| BadLine::new(LineFault::TooLong, input));
                    input.clear();
                }
                None
            }
        }
    }
}

fn ended(mut line: BytesMut) -> Line {
    if !line.ends_with(b"\r\n") {
        return Err(BadLine::new(LineFault::BareLf, &line));
    }
    line.truncate(line.len() - 2);
    match memchr(b'\r', &line) {
        Some(_) => Err(BadLine::new(LineFault::BareCr, &line)),
        None => Ok(line),
    }
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
        found
            .into_iter()
            .map(|line| line.map(|l| String::from_utf8(l.to_vec()).unwrap()).map_err(|bad| bad.fault))
            .collect()
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
