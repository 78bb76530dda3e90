//! Replies as they come in.
//!
//! Read here and not with `smtp-proto`, which keeps an enhanced code in three bytes: the three digits
//! that RFC 3463 2 allows a detail (`5.7.509`) do not fit.

use bytes::{Buf, BytesMut};

use super::ClientError;
use crate::{EnhancedCode, Reply};

/// Collects replies out of the bytes that come in, in whatever pieces.
#[derive(Default)]
pub(super) struct ReplyReader {
    lines: Vec<ReplyLine>,
    bytes: usize,
}

struct ReplyLine {
    code: u16,
    is_last: bool,
    enhanced: Option<EnhancedCode>,
    text: String,
}

impl ReplyReader {
    /// Takes one reply off the front of `input`; none when it is not whole yet.
    pub(super) fn read(&mut self, input: &mut BytesMut) -> Result<Option<Reply>, ClientError> {
        while let Some(end) = memchr::memchr(b'\n', input) {
            self.bytes += end + 1;
            self.check_length(0)?;
            let line = ReplyLine::parse(&input[..end])?;
            input.advance(end + 1);
            let is_last = line.is_last;
            self.lines.push(line);
            if is_last {
                return self.whole().map(Some);
            }
        }
        self.check_length(input.len())?;
        Ok(None)
    }

    fn check_length(&self, waiting_bytes: usize) -> Result<(), ClientError> {
        let fits = self.bytes + waiting_bytes <= limits::SMTP_REPLY_BYTES_MAX;
        if fits { Ok(()) } else { Err(ClientError::ReplyTooLong) }
    }

    /// RFC 5321 4.2.1: the code must be the same on each line.
    fn whole(&mut self) -> Result<Reply, ClientError> {
        self.bytes = 0;
        let lines = std::mem::take(&mut self.lines);
        let first = lines.first().ok_or(ClientError::ReplyMalformed)?;
        if lines.iter().any(|line| line.code != first.code) {
            return Err(ClientError::ReplyMalformed);
        }
        Ok(Reply::of_lines(first.code, first.enhanced, lines.iter().map(|line| &line.text)))
    }
}

impl ReplyLine {
    // Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF (RFC 5321 4.2);
    // a lone LF ends a line too: nothing is at stake in a reply
    fn parse(line: &[u8]) -> Result<Self, ClientError> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (digits, rest) = line.split_at_checked(3).ok_or(ClientError::ReplyMalformed)?;
        let (is_last, text) = match rest {
            [] => (true, rest),
            [b' ', text @ ..] => (true, text),
            [b'-', text @ ..] => (false, text),
            _ => return Err(ClientError::ReplyMalformed),
        };
        let code = reply_code(digits)?;
        let (enhanced, text) = enhanced_split(code, &String::from_utf8_lossy(text));
        Ok(Self { code, is_last, enhanced, text })
    }
}

// Reply-code = %x32-35 %x30-35 %x30-39 (RFC 5321 4.2); a second digit above 5 is let pass
fn reply_code(digits: &[u8]) -> Result<u16, ClientError> {
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let code = text.and_then(|text| text.parse().ok()).filter(|code| (200..600).contains(code));
    code.ok_or(ClientError::ReplyMalformed)
}

/// An enhanced code counts only where its class is that of the reply (RFC 2034 4).
fn enhanced_split(code: u16, text: &str) -> (Option<EnhancedCode>, String) {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let enhanced = word.parse().ok().filter(|found: &EnhancedCode| u16::from(found.class()) == code / 100);
    let text = if enhanced.is_some() { rest } else { text };
    (enhanced, text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_bytewise(bytes: &[u8]) -> Vec<Reply> {
        let mut reader = ReplyReader::default();
        let mut input = BytesMut::new();
        let mut replies = Vec::new();
        for byte in bytes {
            input.extend_from_slice(&[*byte]);
            replies.extend(reader.read(&mut input).unwrap());
        }
        assert!(input.is_empty());
        replies
    }

    #[test]
    fn replies_are_read_whatever_the_pieces_they_come_in() {
        let replies = read_bytewise(b"250-one\r\n250 two\r\n550 5.7.509 no such luck\r\n354\r\n");
        assert_eq!(replies[0].lines(), ["one", "two"]);
        assert_eq!(replies[1], Reply::new(550, EnhancedCode::new(5, 7, 509), "no such luck"));
        assert_eq!(replies[2].code(), 354);
    }

    #[test]
    fn several_replies_in_one_piece_are_taken_one_at_a_time() {
        let mut reader = ReplyReader::default();
        let mut input = BytesMut::from(&b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n"[..]);
        let codes: Vec<u16> =
            std::iter::from_fn(|| reader.read(&mut input).unwrap()).map(|reply| reply.code()).collect();
        assert_eq!(codes, [250, 250, 354]);
    }

    #[test]
    fn an_enhanced_code_on_every_line_is_not_part_of_the_text() {
        let replies = read_bytewise(b"550-5.1.1 no\r\n550 5.1.1 really\r\n");
        assert_eq!(replies[0], Reply::of_lines(550, EnhancedCode::new(5, 1, 1), ["no", "really"]));
    }

    #[test]
    fn an_enhanced_code_of_another_class_is_text() {
        assert_eq!(read_bytewise(b"250 5.1.1 ok\r\n")[0], Reply::new(250, None, "5.1.1 ok"));
    }

    #[test]
    fn a_reply_without_end_is_refused() {
        let mut lines = BytesMut::from(b"250-blah blah blah\r\n".repeat(10_000).as_slice());
        assert_eq!(ReplyReader::default().read(&mut lines), Err(ClientError::ReplyTooLong));
        let mut line = BytesMut::from(b"250 blah".repeat(10_000).as_slice());
        assert_eq!(ReplyReader::default().read(&mut line), Err(ClientError::ReplyTooLong));
    }

    #[test]
    fn what_is_not_a_reply_is_refused() {
        for bytes in [&b"HTTP/1.1 400 Bad Request\r\n"[..], b"999 a\r\n", b"100 a\r\n", b"250-a\r\n550 b\r\n"]
        {
            let read = ReplyReader::default().read(&mut BytesMut::from(bytes));
            assert_eq!(read, Err(ClientError::ReplyMalformed));
        }
    }
}
