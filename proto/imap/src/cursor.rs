//! Character classes and the cursor over a framed line: the rules that all commands share.
//!
//! The framer has put whole literals into the line, so that a rule here is a plain step forward.

use std::borrow::Cow;

use compact_str::CompactString;

use crate::{Complaint, Line};

/// RFC 3501 9: `ATOM-CHAR = <any CHAR except atom-specials>`
pub(crate) fn is_atom_char(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e) && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

/// RFC 3501 9: `ASTRING-CHAR = ATOM-CHAR / resp-specials`
pub(crate) fn is_astring_char(byte: u8) -> bool {
    is_atom_char(byte) || byte == b']'
}

/// RFC 3501 9: `list-char = ATOM-CHAR / list-wildcards / resp-specials`
pub(crate) fn is_list_char(byte: u8) -> bool {
    is_astring_char(byte) || byte == b'%' || byte == b'*'
}

/// What a rule gives, or what is wrong.
pub(crate) type Parsed<T> = Result<T, Complaint>;

/// A place in a line. Cloning it remembers the place.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'l> {
    line: &'l Line,
    at: usize,
}

impl<'l> Cursor<'l> {
    pub(crate) fn new(line: &'l Line) -> Cursor<'l> {
        Cursor { line, at: 0 }
    }

    fn rest(&self) -> &'l [u8] {
        &self.line.text[self.at..]
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    /// The complaint that something else stands here.
    pub(crate) fn expected<T>(&self, expected: &'static str) -> Parsed<T> {
        Err(Complaint::Expected { expected, at: self.at })
    }

    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    pub(crate) fn expect(&mut self, byte: u8, name: &'static str) -> Parsed<()> {
        if self.eat(byte) { Ok(()) } else { self.expected(name) }
    }

    /// RFC 3501 9: `SP`
    pub(crate) fn space(&mut self) -> Parsed<()> {
        self.expect(b' ', "a space")
    }

    /// The line ends here; blanks before its end, which some clients send, do not count.
    pub(crate) fn end(&self) -> Parsed<()> {
        let done = self.rest().iter().all(|&b| b == b' ');
        if done { Ok(()) } else { self.expected("the end of the line") }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.end().is_ok()
    }

    pub(crate) fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'l [u8] {
        let rest = self.rest();
        let end = rest.iter().position(|&b| !wanted(b)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn take_some(&mut self, wanted: impl Fn(u8) -> bool, name: &'static str) -> Parsed<&'l [u8]> {
        match self.take_while(wanted) {
            [] => self.expected(name),
            some => Ok(some),
        }
    }

    /// RFC 3501 9: `atom = 1*ATOM-CHAR`
    pub(crate) fn atom(&mut self) -> Parsed<&'l [u8]> {
        self.take_some(is_atom_char, "an atom")
    }

    /// An atom that names something, in upper case.
    pub(crate) fn word(&mut self) -> Parsed<CompactString> {
        let atom = self.atom()?;
        Ok(atom.iter().map(|&b| char::from(b.to_ascii_uppercase())).collect())
    }

    /// The word, if it stands here, whatever its case; nothing is taken otherwise.
    pub(crate) fn eat_word(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let there = rest.get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word.as_bytes()));
        let ends = rest.get(word.len()).is_none_or(|&b| !is_atom_char(b));
        self.at += if there && ends { word.len() } else { 0 };
        there && ends
    }

    pub(crate) fn expect_word(&mut self, word: &'static str) -> Parsed<()> {
        if self.eat_word(word) { Ok(()) } else { self.expected(word) }
    }

    /// RFC 3501 9: `number = 1*DIGIT`, which fits 32 bits
    pub(crate) fn number(&mut self) -> Parsed<u32> {
        let start = self.clone();
        let number = self.number64()?;
        u32::try_from(number).or_else(|_| start.expected("a number of 32 bits"))
    }

    /// A number of up to 63 bits, as later extensions have it.
    pub(crate) fn number64(&mut self) -> Parsed<u64> {
        let start = self.clone();
        let digits = self.take_some(|b| b.is_ascii_digit(), "a number")?;
        decimal(digits).map_or_else(|| start.expected("a number of 63 bits"), Ok)
    }

    /// RFC 3501 9: `nz-number = digit-nz *DIGIT`
    pub(crate) fn nz_number(&mut self) -> Parsed<u32> {
        let start = self.clone();
        match self.number()? {
            0 => start.expected("a number above 0"),
            number => Ok(number),
        }
    }

    /// RFC 3501 9: `astring = 1*ASTRING-CHAR / string`
    pub(crate) fn astring(&mut self) -> Parsed<Cow<'l, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => self.take_some(is_astring_char, "a string or an atom").map(Cow::Borrowed),
        }
    }

    /// RFC 3501 9: `list-mailbox = 1*list-char / string`
    pub(crate) fn list_mailbox(&mut self) -> Parsed<Cow<'l, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => self.take_some(is_list_char, "a mailbox pattern").map(Cow::Borrowed),
        }
    }

    /// RFC 3501 9: `string = quoted / literal`
    pub(crate) fn string(&mut self) -> Parsed<Cow<'l, [u8]>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => self.expected("a string"),
        }
    }

    /// RFC 3501 9: `nstring = string / nil`
    pub(crate) fn nstring(&mut self) -> Parsed<Option<Cow<'l, [u8]>>> {
        if self.eat_word("NIL") { Ok(None) } else { self.string().map(Some) }
    }

    /// RFC 3501 9: `quoted = DQUOTE *QUOTED-CHAR DQUOTE`; bytes above 127 are let through.
    fn quoted(&mut self) -> Parsed<Cow<'l, [u8]>> {
        self.expect(b'"', "a quoted string")?;
        let plain = self.take_while(is_plain_quoted);
        if self.eat(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_vec();
        while self.eat(b'\\') {
            match self.peek() {
                Some(byte @ (b'"' | b'\\')) => text.push(byte),
                _ => return self.expected("a quote or a backslash"),
            }
            self.at += 1;
            text.extend_from_slice(self.take_while(is_plain_quoted));
        }
        self.expect(b'"', "a closing quote")?;
        Ok(Cow::Owned(text))
    }

    /// RFC 3501 9: `literal = "{" number "}" CRLF *CHAR8`, or RFC 7888's with `+`, which was buffered.
    fn literal(&mut self) -> Parsed<&'l [u8]> {
        let octets = self.literal_header()?;
        let end = usize::try_from(octets).ok().and_then(|octets| self.at.checked_add(octets));
        let Some(literal) = end.and_then(|end| self.line.text.get(self.at..end)) else {
            return self.expected("a literal");
        };
        if self.is_streamed() || literal.contains(&0) {
            return self.expected("a string without NUL");
        }
        self.at += literal.len();
        Ok(literal)
    }

    /// `"{" number ["+"] "}" CRLF`
    fn literal_header(&mut self) -> Parsed<u64> {
        self.expect(b'{', "a literal")?;
        let octets = self.number64()?;
        self.eat(b'+');
        self.expect(b'}', "the end of a literal header")?;
        self.eat(b'\r');
        self.expect(b'\n', "a line end")?;
        Ok(octets)
    }

    /// The message of an APPEND: a literal that was streamed past, or whose header ends the line so far.
    pub(crate) fn streamed_literal(&mut self) -> Parsed<u64> {
        let octets = self.literal_header()?;
        if self.is_streamed() || self.rest().is_empty() {
            return Ok(octets);
        }
        self.expected("a literal that was streamed")
    }

    fn is_streamed(&self) -> bool {
        self.line.streamed.contains(&self.at)
    }

    /// `"(" [item *(SP item)] ")"`
    pub(crate) fn list<T>(
        &mut self,
        name: &'static str,
        mut item: impl FnMut(&mut Cursor<'l>) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        self.expect(b'(', name)?;
        let mut items = Vec::new();
        if self.eat(b')') {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.eat(b')') {
                return Ok(items);
            }
            self.space()?;
        }
    }

    /// The same with at least one item.
    pub(crate) fn list1<T>(
        &mut self,
        name: &'static str,
        item: impl FnMut(&mut Cursor<'l>) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        let start = self.clone();
        match self.list(name, item)? {
            items if items.is_empty() => start.expected(name),
            items => Ok(items),
        }
    }
}

/// RFC 3501 9: `TEXT-CHAR` without `quoted-specials`, or a byte above 127.
fn is_plain_quoted(byte: u8) -> bool {
    !matches!(byte, b'"' | b'\\' | b'\r' | b'\n' | 0)
}

/// A decimal number of at most 63 bits.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (digits[0] != b'+' && number <= i64::MAX as u64).then_some(number)
}
