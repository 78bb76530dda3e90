//! Address fields (RFC 5322 3.4 and its obsolete forms in 4.4), as loosely as they are found.

/// One item of an address list. Strings are raw, their RFC 5322 quoting removed, not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressItem {
    /// An address.
    Mailbox {
        /// The phrase or, failing that, the comment.
        name: Option<Vec<u8>>,
        /// An obsolete source route, `@a,@b`.
        route: Option<Vec<u8>>,
        /// The local part; empty if there is none.
        local: Vec<u8>,
        /// The domain; `None` if the address has none.
        domain: Option<Vec<u8>>,
    },
    /// A group begins.
    GroupBegin(Vec<u8>),
    /// A group ends.
    GroupEnd,
}

/// The items of a field's value (unfolded or not). A group that is not closed is closed at the end.
pub fn address_items(value: &[u8]) -> Vec<AddressItem> {
    let mut lexer = Lexer { rest: value, comment: None };
    let mut items = Vec::new();
    let mut in_group = false;
    while let Some(byte) = lexer.peek() {
        match byte {
            b',' => lexer.bump(),
            b';' => {
                lexer.bump();
                items.extend(std::mem::take(&mut in_group).then_some(AddressItem::GroupEnd));
            }
            _ => items.extend(item(&mut lexer, &mut in_group)),
        }
    }
    items.extend(in_group.then_some(AddressItem::GroupEnd));
    items
}

/// `address = mailbox / group`: reads a phrase and sees what it was.
fn item(lexer: &mut Lexer, in_group: &mut bool) -> Option<AddressItem> {
    lexer.comment = None;
    let words = lexer.words();
    match lexer.peek() {
        Some(b'<') => Some(angle_address(lexer, words.phrase())),
        Some(b':') if !*in_group => {
            lexer.bump();
            *in_group = true;
            Some(AddressItem::GroupBegin(words.phrase()))
        }
        Some(b'@') => Some(bare_address(lexer, words.joined())),
        Some(b',' | b';') | None => no_domain(lexer, words),
        Some(_) => {
            lexer.bump();
            no_domain(lexer, words)
        }
    }
}

/// `name-addr = [phrase] "<" [route ":"] addr-spec ">"`
fn angle_address(lexer: &mut Lexer, phrase: Vec<u8>) -> AddressItem {
    lexer.bump();
    let route = lexer.route();
    let local = lexer.words().joined();
    let domain = lexer.domain();
    lexer.skip_past_angle();
    lexer.peek();
    let name = Some(phrase).filter(|phrase| !phrase.is_empty()).or_else(|| lexer.comment.take());
    AddressItem::Mailbox { name, route, local, domain }
}

/// `addr-spec`, the local part read: its name can only be a comment.
fn bare_address(lexer: &mut Lexer, local: Vec<u8>) -> AddressItem {
    let domain = lexer.domain();
    lexer.peek();
    AddressItem::Mailbox { name: lexer.comment.take(), route: None, local, domain }
}

fn no_domain(lexer: &mut Lexer, words: Words) -> Option<AddressItem> {
    let name = lexer.comment.take();
    let local = words.phrase();
    (!local.is_empty() || name.is_some()).then_some(AddressItem::Mailbox {
        name,
        route: None,
        local,
        domain: None,
    })
}

/// Words as they follow each other; `true` where a blank or comment stood before.
struct Words(Vec<(bool, Vec<u8>)>);

impl Words {
    /// Joined as a phrase: one blank where there were any.
    fn phrase(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (blank, word) in &self.0 {
            if *blank && !out.is_empty() {
                out.push(b' ');
            }
            out.extend_from_slice(word);
        }
        out
    }

    /// Joined as a local part or domain: blanks do not count.
    fn joined(&self) -> Vec<u8> {
        self.0.iter().flat_map(|(_, word)| word).copied().collect()
    }
}

struct Lexer<'h> {
    rest: &'h [u8],
    /// The last comment skipped.
    comment: Option<Vec<u8>>,
}

impl Lexer<'_> {
    fn bump(&mut self) {
        self.rest = &self.rest[1..];
    }

    /// The next byte after blanks and comments.
    fn peek(&mut self) -> Option<u8> {
        self.skip_blanks();
        self.rest.first().copied()
    }

    /// `CFWS`: blanks and comments; says whether there were any.
    fn skip_blanks(&mut self) -> bool {
        let before = self.rest.len();
        while let Some(byte) = self.rest.first() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.bump(),
                b'(' => self.skip_comment(),
                _ => break,
            }
        }
        self.rest.len() < before
    }

    /// `comment = "(" *([FWS] ccontent) [FWS] ")"`, nested.
    fn skip_comment(&mut self) {
        let mut text = Vec::new();
        let mut depth = 0;
        while let Some(&byte) = self.rest.first() {
            self.bump();
            match byte {
                b'\\' => text.extend(self.take_escaped()),
                b'(' => depth += 1,
                b')' => depth -= 1,
                b'\r' | b'\n' => {}
                _ => text.push(byte),
            }
            if depth == 0 {
                break;
            }
        }
        self.comment = Some(text.trim_ascii().to_vec()).filter(|text| !text.is_empty());
    }

    fn take_escaped(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    /// Atoms, dots and quoted strings up to a special character.
    fn words(&mut self) -> Words {
        let mut words = Vec::new();
        loop {
            let blank = self.skip_blanks();
            match self.rest.first() {
                Some(b'"') => words.push((blank, self.quoted())),
                Some(&byte) if !is_special(byte) => words.push((blank, self.atom())),
                _ => return Words(words),
            }
        }
    }

    /// `quoted-string`, its quoting removed.
    fn quoted(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        self.bump();
        while let Some(byte) = self.take_escaped() {
            match byte {
                b'"' => break,
                b'\\' => text.extend(self.take_escaped()),
                b'\r' | b'\n' => {}
                _ => text.push(byte),
            }
        }
        text
    }

    /// `atom` and dots together, 8-bit bytes included.
    fn atom(&mut self) -> Vec<u8> {
        let ends = |&byte: &u8| is_special(byte) || matches!(byte, b'"' | b' ' | b'\t' | b'\r' | b'\n');
        let end = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        let (atom, rest) = self.rest.split_at(end);
        self.rest = rest;
        atom.to_vec()
    }

    /// `obs-route = "@" domain *("," ["@" domain]) ":"`, without the colon.
    fn route(&mut self) -> Option<Vec<u8>> {
        let mut route = Vec::new();
        while let Some(byte @ (b'@' | b',')) = self.peek() {
            self.bump();
            route.push(byte);
            route.extend(self.words().joined());
        }
        if self.peek() == Some(b':') {
            self.bump();
        }
        Some(route).filter(|route| !route.is_empty())
    }

    /// `"@" domain`, where a domain may be a literal in brackets.
    fn domain(&mut self) -> Option<Vec<u8>> {
        if self.peek() != Some(b'@') {
            return None;
        }
        self.bump();
        let domain = match self.peek() {
            Some(b'[') => self.domain_literal(),
            _ => self.words().joined(),
        };
        Some(domain).filter(|domain| !domain.is_empty())
    }

    fn domain_literal(&mut self) -> Vec<u8> {
        let end = memchr::memchr(b']', self.rest).map_or(self.rest.len(), |at| at + 1);
        let (literal, rest) = self.rest.split_at(end);
        self.rest = rest;
        literal.to_vec()
    }

    /// Up to the `>` that closes an angle address, or to where the next address must begin.
    fn skip_past_angle(&mut self) {
        let end = self.rest.iter().position(|b| matches!(b, b'>' | b',' | b';'));
        self.rest = &self.rest[end.unwrap_or(self.rest.len())..];
        if self.rest.first() == Some(&b'>') {
            self.bump();
        }
    }
}

/// RFC 5322 3.2.3: `specials`, without the dot and the quote.
fn is_special(byte: u8) -> bool {
    matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b':' | b';' | b'@' | b'\\' | b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox(name: Option<&str>, local: &str, domain: Option<&str>) -> AddressItem {
        let bytes = |text: &str| text.as_bytes().to_vec();
        AddressItem::Mailbox {
            name: name.map(bytes),
            route: None,
            local: bytes(local),
            domain: domain.map(bytes),
        }
    }

    #[test]
    fn names_come_from_phrase_or_comment() {
        let items = address_items(
            b"Joe Q. Public <john@example.com>, mary@x.test (Mary Smith), \"A \\\"B\\\"\"<c@d>",
        );
        let expected = [
            mailbox(Some("Joe Q. Public"), "john", Some("example.com")),
            mailbox(Some("Mary Smith"), "mary", Some("x.test")),
            mailbox(Some("A \"B\""), "c", Some("d")),
        ];
        assert_eq!(items, expected);
    }

    #[test]
    fn groups_open_and_close() {
        let items = address_items(b"A Group:Ed <e@x>,joe@y;, undisclosed:;");
        let expected = [
            AddressItem::GroupBegin(b"A Group".to_vec()),
            mailbox(Some("Ed"), "e", Some("x")),
            mailbox(None, "joe", Some("y")),
            AddressItem::GroupEnd,
            AddressItem::GroupBegin(b"undisclosed".to_vec()),
            AddressItem::GroupEnd,
        ];
        assert_eq!(items, expected);
    }

    #[test]
    fn quoting_is_removed_from_local_parts() {
        assert_eq!(address_items(b"\"john doe\"@x"), [mailbox(None, "john doe", Some("x"))]);
        assert_eq!(address_items(b"<john . doe @ x.y>"), [mailbox(None, "john.doe", Some("x.y"))]);
    }

    #[test]
    fn nul_does_not_vanish_and_make_another_address() {
        assert_eq!(address_items(b"<a\0b@x>"), [mailbox(None, "a\0b", Some("x"))]);
    }

    #[test]
    fn routes_are_kept_apart() {
        let AddressItem::Mailbox { route, local, .. } = &address_items(b"<@a,@b.c:d@e>")[0] else { panic!() };
        assert_eq!((route.as_deref(), &local[..]), (Some(&b"@a,@b.c"[..]), &b"d"[..]));
    }

    #[test]
    fn broken_lists_lose_no_good_address() {
        let items = address_items(b"root, <>, a@, ]], <b@c, d@e>, f@[1.2.3.4]");
        let expected = [
            mailbox(None, "root", None),
            mailbox(None, "", None),
            mailbox(None, "a", None),
            mailbox(None, "b", Some("c")),
            mailbox(None, "d", Some("e")),
            mailbox(None, "f", Some("[1.2.3.4]")),
        ];
        assert_eq!(items, expected);
    }
}
