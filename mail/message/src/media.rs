//! Values with parameters: media types (RFC 2045 5.1) and dispositions (RFC 2183 2).

/// A value and its parameters, unquoted but otherwise as they stand: RFC 2231's pieces are not put together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parameterized {
    /// What stands before the first `;`.
    pub(crate) value: Vec<u8>,
    /// Names and values in order.
    pub(crate) params: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Parameterized {
    /// Reads a field's value, folded or not.
    pub(crate) fn parse(text: &[u8]) -> Parameterized {
        let mut lexer = Lexer { rest: text };
        let value = lexer.token(b";");
        let mut params = Vec::new();
        while lexer.skip_to(b';') {
            params.extend(lexer.param());
        }
        Parameterized { value, params }
    }

    /// The value of a parameter.
    pub(crate) fn param(&self, name: &[u8]) -> Option<&[u8]> {
        let mut params = self.params.iter();
        params.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| &value[..])
    }
}

/// A media type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MediaType {
    pub(crate) main: Vec<u8>,
    pub(crate) sub: Vec<u8>,
    pub(crate) params: Parameterized,
}

impl MediaType {
    /// What RFC 2045 5.2 says of a part without a type.
    pub(crate) fn plain_text() -> MediaType {
        MediaType { main: b"text".to_vec(), sub: b"plain".to_vec(), params: Parameterized::default() }
    }

    /// What RFC 2046 5.1.5 says of a part of a digest without a type.
    pub(crate) fn digest_default() -> MediaType {
        MediaType { main: b"message".to_vec(), sub: b"rfc822".to_vec(), params: Parameterized::default() }
    }

    /// Reads a Content-Type's value; `None` where it is not a type and a subtype.
    pub(crate) fn parse(text: &[u8]) -> Option<MediaType> {
        let params = Parameterized::parse(text);
        let slash = memchr::memchr(b'/', &params.value)?;
        let (main, sub) = (params.value[..slash].to_vec(), params.value[slash + 1..].to_vec());
        (is_token(&main) && is_token(&sub)).then_some(MediaType { main, sub, params })
    }

    pub(crate) fn is_main(&self, main: &str) -> bool {
        self.main.eq_ignore_ascii_case(main.as_bytes())
    }

    pub(crate) fn is(&self, main: &str, sub: &str) -> bool {
        self.is_main(main) && self.sub.eq_ignore_ascii_case(sub.as_bytes())
    }
}

/// RFC 2045 5.1: `token = 1*<any CHAR except SPACE, CTLs, tspecials>`
fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|b| b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(b))
}

struct Lexer<'h> {
    rest: &'h [u8],
}

impl Lexer<'_> {
    fn take(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn skip_blanks(&mut self) {
        while let Some(byte) = self.rest.first() {
            match byte {
                b'(' => self.skip_comment(),
                b' ' | b'\t' | b'\r' | b'\n' | 0 => self.rest = &self.rest[1..],
                _ => break,
            }
        }
    }

    fn skip_comment(&mut self) {
        let mut depth = 0;
        while let Some(byte) = self.take() {
            match byte {
                b'\\' => drop(self.take()),
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }

    /// What stands before a blank, a comment or one of `ends`; blanks before a `/` and after it do not end it.
    fn token(&mut self, ends: &[u8]) -> Vec<u8> {
        let mut token = Vec::new();
        self.skip_blanks();
        loop {
            let stop = |b: &u8| ends.contains(b) || matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b'(' | 0);
            let end = self.rest.iter().position(stop).unwrap_or(self.rest.len());
            token.extend_from_slice(&self.rest[..end]);
            self.rest = &self.rest[end..];
            self.skip_blanks();
            let goes_on = self.rest.first() == Some(&b'/') || (token.ends_with(b"/") && end > 0);
            if self.rest.is_empty() || !goes_on {
                return token;
            }
        }
    }

    /// Up to a byte outside quotes and past it.
    fn skip_to(&mut self, wanted: u8) -> bool {
        while let Some(byte) = self.take() {
            match byte {
                b'"' => drop(self.quoted_rest()),
                _ if byte == wanted => return true,
                _ => {}
            }
        }
        false
    }

    /// `parameter = attribute "=" value`
    fn param(&mut self) -> Option<(Vec<u8>, Vec<u8>)> {
        let name = self.token(b"=;");
        if name.is_empty() || self.rest.first() != Some(&b'=') {
            return None;
        }
        self.take();
        self.skip_blanks();
        if self.rest.first() == Some(&b'"') {
            self.take();
            return Some((name, self.quoted_rest()));
        }
        Some((name, self.plain_value()))
    }

    /// A value without quotes: anything up to a blank, a comment or `;`, since boundaries with `=` and the
    /// like are often left unquoted.
    fn plain_value(&mut self) -> Vec<u8> {
        let stop = |b: &u8| matches!(b, b';' | b' ' | b'\t' | b'\r' | b'\n' | b'(' | 0);
        let end = self.rest.iter().position(stop).unwrap_or(self.rest.len());
        let (value, rest) = self.rest.split_at(end);
        self.rest = rest;
        value.to_vec()
    }

    /// The rest of a quoted string, its quoting removed.
    fn quoted_rest(&mut self) -> Vec<u8> {
        let mut value = Vec::new();
        while let Some(byte) = self.take() {
            match byte {
                b'"' => break,
                b'\\' => value.extend(self.take()),
                b'\r' | b'\n' => {}
                _ => value.push(byte),
            }
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(text: &str) -> Vec<(String, String)> {
        let string = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let parsed = Parameterized::parse(text.as_bytes()).params;
        parsed.into_iter().map(|(name, value)| (string(name), string(value))).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn quoting_is_removed_and_case_kept() {
        let found = params("text/plain; Charset=\"UTF-8\"; name=\"a \\\"b\\\"; c\"\r\n ; x=y");
        assert_eq!(found, [pair("Charset", "UTF-8"), pair("name", "a \"b\"; c"), pair("x", "y")]);
    }

    #[test]
    fn unquoted_boundaries_with_odd_characters_are_taken() {
        assert_eq!(params("multipart/mixed; boundary=----=_Part/1:2"), [pair("boundary", "----=_Part/1:2")]);
    }

    #[test]
    fn comments_and_junk_are_skipped() {
        let found = params("text/plain (a; b=c) ; charset=us-ascii (Plain text); ; junk; =x; format=flowed");
        assert_eq!(found, [pair("charset", "us-ascii"), pair("format", "flowed")]);
    }

    #[test]
    fn pieces_of_long_parameters_stay_apart() {
        let found = params("a/b; name*0*=utf-8''%e2; name*1=x");
        assert_eq!(found, [pair("name*0*", "utf-8''%e2"), pair("name*1", "x")]);
    }

    #[test]
    fn a_type_needs_a_subtype() {
        assert_eq!(MediaType::parse(b"text"), None);
        assert_eq!(MediaType::parse(b"text/"), None);
        assert_eq!(MediaType::parse(b"\"text/plain\""), None);
        assert!(MediaType::parse(b" Text / HTML;a=b").unwrap().is("text", "html"));
    }
}
