//! The client's side: responses into tokens, for tests and for a proxy.

use bytes::Bytes;
use compact_str::CompactString;

use crate::cursor::decimal;
use crate::{Line, Status, Tag};

/// Parentheses within parentheses that are read; a body structure has up to four for each level of MIME.
const DEPTH_MAX: usize = 4 * limits::MIME_DEPTH_MAX + 8;

/// A response (RFC 3501 7).
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// `+ text`.
    Continue(Bytes),
    /// `TAG OK [code] text`, or untagged when `tag` is `None`.
    Status {
        /// The tag; `None` for `*`.
        tag: Option<Tag>,
        /// OK, NO, BAD, PREAUTH or BYE.
        status: Status,
        /// What stood in brackets.
        code: Option<Vec<Value>>,
        /// The text after it.
        text: Bytes,
    },
    /// `* [number] NAME values`.
    Data {
        /// The number before the name, as in `* 3 EXISTS`.
        number: Option<u32>,
        /// The name in upper case.
        name: CompactString,
        /// What follows.
        values: Vec<Value>,
    },
}

/// A token of a response.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `NIL`.
    Nil,
    /// An atom, flag or number; with its section, as in `BODY[HEADER.FIELDS (To)]<0>`.
    Atom(Bytes),
    /// A quoted string or a literal.
    String(Bytes),
    /// What stood in parentheses.
    List(Vec<Value>),
}

impl Reply {
    /// Reads a framed response line; `None` where it is malformed.
    pub fn parse(line: &Line) -> Option<Reply> {
        let mut reader = Reader { text: &line.text, at: 0, in_code: false };
        if reader.eat("+") {
            reader.eat(" ");
            return Some(Reply::Continue(reader.rest()));
        }
        let tag = if reader.eat("*") { None } else { Some(Tag::new(reader.until(b" "))?) };
        reader.eat(" ").then_some(())?;
        let word = reader.until(b" ").to_ascii_uppercase();
        match status(&word) {
            Some(status) => reader.condition(tag, status),
            None if tag.is_none() => reader.data(&word),
            None => None,
        }
    }
}

fn status(word: &[u8]) -> Option<Status> {
    let all = [Status::Ok, Status::No, Status::Bad, Status::PreAuth, Status::Bye];
    all.into_iter().find(|status| status.as_str().as_bytes() == word)
}

struct Reader<'l> {
    text: &'l Bytes,
    at: usize,
    /// In a response code `]` ends an atom; elsewhere it is part of one.
    in_code: bool,
}

impl<'l> Reader<'l> {
    fn ahead(&self) -> &'l [u8] {
        &self.text[self.at..]
    }

    fn rest(&mut self) -> Bytes {
        let rest = self.text.slice(self.at..);
        self.at = self.text.len();
        rest
    }

    fn eat(&mut self, wanted: &str) -> bool {
        let there = self.ahead().starts_with(wanted.as_bytes());
        self.at += if there { wanted.len() } else { 0 };
        there
    }

    fn until(&mut self, ends: &[u8]) -> &'l [u8] {
        let ahead = self.ahead();
        let end = ahead.iter().position(|b| ends.contains(b)).unwrap_or(ahead.len());
        self.at += end;
        &ahead[..end]
    }

    /// RFC 3501 9: `resp-text = ["[" resp-text-code "]" SP] text`
    fn condition(&mut self, tag: Option<Tag>, status: Status) -> Option<Reply> {
        let mut code = None;
        self.eat(" ");
        if self.eat("[") {
            self.in_code = true;
            code = Some(self.values(b']', 0)?);
            self.eat(" ");
        }
        Some(Reply::Status { tag, status, code, text: self.rest() })
    }

    /// RFC 3501 9: `mailbox-data / message-data / capability-data`, a number before the name or not
    fn data(&mut self, word: &[u8]) -> Option<Reply> {
        let number = std::str::from_utf8(word).ok()?.parse().ok();
        let mut name = word.to_vec();
        if number.is_some() {
            self.eat(" ").then_some(())?;
            name = self.until(b" ").to_ascii_uppercase();
        }
        let name = CompactString::from_utf8(name).ok().filter(|name| !name.is_empty())?;
        let mut values = Vec::new();
        while self.eat(" ") {
            values.push(self.value(0)?);
        }
        self.ahead().is_empty().then_some(Reply::Data { number, name, values })
    }

    /// Values up to and with a closing byte.
    fn values(&mut self, close: u8, depth: usize) -> Option<Vec<Value>> {
        let mut values = Vec::new();
        loop {
            match *self.ahead().first()? {
                byte if byte == close => break,
                b' ' => self.at += 1,
                _ => values.push(self.value(depth)?),
            }
        }
        self.at += 1;
        Some(values)
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        match self.ahead().first()? {
            _ if depth > DEPTH_MAX => None,
            b'(' => {
                self.at += 1;
                self.values(b')', depth + 1).map(Value::List)
            }
            b'"' => self.quoted(),
            b'{' => self.literal(),
            _ => self.atom(),
        }
    }

    fn quoted(&mut self) -> Option<Value> {
        let mut text = Vec::new();
        self.at += 1;
        loop {
            text.extend_from_slice(self.until(b"\"\\"));
            if self.eat("\"") {
                return Some(Value::String(text.into()));
            }
            self.eat("\\").then_some(())?;
            text.push(*self.ahead().first()?);
            self.at += 1;
        }
    }

    fn literal(&mut self) -> Option<Value> {
        self.at += 1;
        let octets = usize::try_from(decimal(self.until(b"+}"))?).ok()?;
        self.eat("+");
        (self.eat("}") && (self.eat("\r\n") || self.eat("\n"))).then_some(())?;
        let end = self.at.checked_add(octets).filter(|end| *end <= self.text.len())?;
        let literal = self.text.slice(self.at..end);
        self.at = end;
        Some(Value::String(literal))
    }

    /// An atom, up to a blank or a bracket of a list. The section of `BODY[...]` belongs to it, with the
    /// blanks, lists and strings in it.
    fn atom(&mut self) -> Option<Value> {
        let start = self.at;
        self.until(b" ()]\"[");
        if self.text[start..self.at].eq_ignore_ascii_case(b"BODY") && self.eat("[") {
            while !self.eat("]") {
                match self.ahead().first()? {
                    b'"' => drop(self.quoted()?),
                    _ => self.at += 1,
                }
            }
        }
        self.until(if self.in_code { &b" ()\"]"[..] } else { b" ()\"" });
        let atom = self.text.slice(start..self.at);
        match &atom[..] {
            b"" => None,
            atom if atom.eq_ignore_ascii_case(b"NIL") => Some(Value::Nil),
            _ => Some(Value::Atom(atom)),
        }
    }
}
