//! Replies: RFC 5321 4.2, with the enhanced status codes of RFC 2034 and RFC 3463.

use std::fmt;
use std::str::FromStr;

/// Bytes of text in one reply line; RFC 5321 4.5.3.1.5 allows 512 with code, enhanced code and CRLF.
const TEXT_BYTES_MAX: usize = 480;

/// An enhanced status code: `class "." subject "." detail`, RFC 3463 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnhancedCode {
    class: u8,
    subject: u16,
    detail: u16,
}

impl EnhancedCode {
    /// The code `class.subject.detail`.
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        Self { class, subject, detail }
    }

    /// 2 success, 4 persistent transient failure, 5 permanent failure.
    pub const fn class(self) -> u8 {
        self.class
    }

    /// What the code is about: 1 addressing, 2 mailbox, 3 system, 4 network, 5 protocol, 6 content, 7 policy.
    pub const fn subject(self) -> u16 {
        self.subject
    }

    /// The detail within the subject.
    pub const fn detail(self) -> u16 {
        self.detail
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// The text is not an enhanced status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an enhanced status code")]
pub struct NotAnEnhancedCode;

impl FromStr for EnhancedCode {
    type Err = NotAnEnhancedCode;

    // status-code = class "." subject "." detail; subject and detail of one to three digits (RFC 3463 2)
    fn from_str(text: &str) -> Result<Self, NotAnEnhancedCode> {
        let mut parts = text.split('.');
        let mut part = |digits_max| number(parts.next().ok_or(NotAnEnhancedCode)?, digits_max);
        let (class, subject, detail) = (part(1)?, part(3)?, part(3)?);
        match (class, parts.next()) {
            (2 | 4 | 5, None) => Ok(Self::new(class as u8, subject, detail)),
            _ => Err(NotAnEnhancedCode),
        }
    }
}

fn number(text: &str, digits_max: usize) -> Result<u16, NotAnEnhancedCode> {
    let fits = (1..=digits_max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if fits { text.parse().map_err(|_| NotAnEnhancedCode) } else { Err(NotAnEnhancedCode) }
}

impl From<(u8, u16, u16)> for EnhancedCode {
    fn from((class, subject, detail): (u8, u16, u16)) -> Self {
        Self::new(class, subject, detail)
    }
}

/// A reply: a code of three digits, an enhanced code where one belongs, and one or more lines of text.
///
/// The text is clean by construction: no control characters, no line over the limit of the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Option<EnhancedCode>,
    lines: Vec<String>,
}

impl Reply {
    /// A reply of one line (or more, where `text` is too long for one).
    pub fn new(code: u16, enhanced: impl Into<Option<EnhancedCode>>, text: impl AsRef<str>) -> Self {
        Self::of_lines(code, enhanced, [text])
    }

    /// A reply of several lines.
    pub fn of_lines<T: AsRef<str>>(
        code: u16,
        enhanced: impl Into<Option<EnhancedCode>>,
        lines: impl IntoIterator<Item = T>,
    ) -> Self {
        let mut clean: Vec<String> = lines.into_iter().flat_map(|l| clean_lines(l.as_ref())).collect();
        if clean.is_empty() {
            clean.push(String::new());
        }
        Self { code: code.clamp(200, 599), enhanced: enhanced.into(), lines: clean }
    }

    /// The three-digit code.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced code, where the reply has one.
    pub fn enhanced(&self) -> Option<EnhancedCode> {
        self.enhanced
    }

    /// The text, a line each, without codes.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// All the text as one line.
    pub fn text(&self) -> String {
        self.lines.join(" ")
    }

    /// 2xx: done.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 3xx: go on.
    pub fn is_intermediate(&self) -> bool {
        self.code / 100 == 3
    }

    /// 4xx: try again later.
    pub fn is_temporary(&self) -> bool {
        self.code / 100 == 4
    }

    /// 5xx: never.
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }

    /// Appends the reply as it goes on the wire.
    // Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF (RFC 5321 4.2);
    // the enhanced code starts the text of each line (RFC 2034 4).
    pub fn encode(&self, out: &mut Vec<u8>) {
        let last = self.lines.len() - 1;
        for (number, line) in self.lines.iter().enumerate() {
            let separator = if number == last { ' ' } else { '-' };
            out.extend_from_slice(format!("{}{separator}", self.code).as_bytes());
            if let Some(enhanced) = self.enhanced {
                out.extend_from_slice(format!("{enhanced} ").as_bytes());
            }
            out.extend_from_slice(line.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// One line, as logs and delivery reports quote it: `550 5.1.1 no such user`.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, "{enhanced} ")?;
        }
        f.write_str(&self.text())
    }
}

/// Splits at line ends and at the limit of the wire; other control characters become `?`.
fn clean_lines(text: &str) -> Vec<String> {
    let mut lines = vec![];
    for line in text.split(['\r', '\n']).filter(|l| !l.is_empty()) {
        let mut current = String::new();
        for c in line.chars().map(|c| if c.is_control() { '?' } else { c }) {
            if current.len() + c.len_utf8() > TEXT_BYTES_MAX {
                lines.push(std::mem::take(&mut current));
            }
            current.push(c);
        }
        lines.push(current);
    }
    lines
}

/// A reply that refuses: 4xx or 5xx. Nothing positive can be hidden in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(Reply);

impl Refusal {
    /// `code` below 400 is a mistake of the caller and is sent as 451.
    pub fn new(code: u16, enhanced: impl Into<EnhancedCode>, text: impl AsRef<str>) -> Self {
        let code = if code < 400 { 451 } else { code };
        Self(Reply::new(code, enhanced.into(), text))
    }

    /// The reply that is sent.
    pub fn reply(&self) -> &Reply {
        &self.0
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Reply {
        refusal.0
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(reply: &Reply) -> String {
        let mut out = vec![];
        reply.encode(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_line_carries_both_codes() {
        let reply = Reply::of_lines(550, EnhancedCode::new(5, 1, 1), ["no such user", "here"]);
        assert_eq!(wire(&reply), "550-5.1.1 no such user\r\n550 5.1.1 here\r\n");
    }

    #[test]
    fn line_ends_in_the_text_cannot_forge_a_reply() {
        let reply = Reply::new(550, None, "no\r\n250 ok\tyes");
        assert_eq!(wire(&reply), "550-no\r\n550 250 ok?yes\r\n");
    }

    #[test]
    fn a_long_text_is_cut_into_lines_that_the_wire_allows() {
        let reply = Reply::new(250, None, "ü".repeat(600));
        assert!(wire(&reply).split_inclusive("\r\n").all(|line| line.len() <= 512));
        assert_eq!(reply.lines().concat().chars().count(), 600);
    }

    #[test]
    fn an_empty_text_is_still_a_reply() {
        assert_eq!(wire(&Reply::new(250, None, "")), "250 \r\n");
    }

    #[test]
    fn a_refusal_is_never_positive() {
        assert_eq!(Refusal::new(250, (2, 0, 0), "ok").reply().code(), 451);
    }

    #[test]
    fn enhanced_codes_are_read_strictly() {
        assert_eq!("5.7.11".parse(), Ok(EnhancedCode::new(5, 7, 11)));
        for bad in ["3.1.1", "5.1", "5.1.1.1", "5..1", "5.1.1000", "55.1.1", "5.+1.1", ""] {
            assert_eq!(bad.parse::<EnhancedCode>(), Err(NotAnEnhancedCode), "{bad}");
        }
    }
}
