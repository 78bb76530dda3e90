//! Service extensions: RFC 5321 2.2, one field for each keyword that either of our ends knows.

/// What a server offers in its answer to EHLO or LHLO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// `PIPELINING`, RFC 2920.
    pub pipelining: bool,
    /// `SIZE`, RFC 1870: the most bytes of a message; 0 where the server names no limit.
    pub size: Option<u64>,
    /// `8BITMIME`, RFC 6152.
    pub eight_bit_mime: bool,
    /// `SMTPUTF8`, RFC 6531.
    pub smtp_utf8: bool,
    /// `ENHANCEDSTATUSCODES`, RFC 2034.
    pub enhanced_status_codes: bool,
    /// `STARTTLS`, RFC 3207.
    pub starttls: bool,
    /// `DSN`, RFC 3461.
    pub dsn: bool,
    /// `CHUNKING`, RFC 3030.
    pub chunking: bool,
    /// `BINARYMIME`, RFC 3030. Our server never offers it.
    pub binary_mime: bool,
    /// `AUTH` with its mechanisms in upper case, RFC 4954; empty where it is not offered.
    pub auth: Vec<String>,
}

impl Extensions {
    /// What our server can do, for messages up to `size` bytes; STARTTLS and AUTH are the driver's to add.
    pub fn ours(size: u64) -> Self {
        Self {
            pipelining: true,
            size: Some(size),
            eight_bit_mime: true,
            smtp_utf8: true,
            enhanced_status_codes: true,
            dsn: true,
            chunking: true,
            ..Self::default()
        }
    }

    /// The lines of an answer to EHLO after the first, without codes.
    pub fn lines(&self) -> Vec<String> {
        let plain = [
            (self.pipelining, "PIPELINING"),
            (self.eight_bit_mime, "8BITMIME"),
            (self.smtp_utf8, "SMTPUTF8"),
            (self.enhanced_status_codes, "ENHANCEDSTATUSCODES"),
            (self.starttls, "STARTTLS"),
            (self.dsn, "DSN"),
            (self.chunking, "CHUNKING"),
            (self.binary_mime, "BINARYMIME"),
        ];
        let mut lines: Vec<String> =
            plain.iter().filter(|(offered, _)| *offered).map(|(_, keyword)| keyword.to_string()).collect();
        lines.extend(self.size.map(|size| format!("SIZE {size}")));
        if !self.auth.is_empty() {
            lines.push(format!("AUTH {}", self.auth.join(" ")));
        }
        lines
    }

    /// Reads the lines of an answer to EHLO after the first, without codes. Unknown keywords are passed over.
    pub fn from_lines<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) -> Self {
        let mut extensions = Self::default();
        for line in lines {
            extensions.read_line(line.as_ref());
        }
        extensions
    }

    // ehlo-line = ehlo-keyword *( SP ehlo-param ), keywords in any case (RFC 5321 4.1.1.1)
    fn read_line(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace().map(str::to_ascii_uppercase);
        match words.next().as_deref() {
            Some("PIPELINING") => self.pipelining = true,
            Some("SIZE") => self.size = Some(words.next().and_then(|size| size.parse().ok()).unwrap_or(0)),
            Some("8BITMIME") => self.eight_bit_mime = true,
            Some("SMTPUTF8") => self.smtp_utf8 = true,
            Some("ENHANCEDSTATUSCODES") => self.enhanced_status_codes = true,
            Some("STARTTLS") => self.starttls = true,
            Some("DSN") => self.dsn = true,
            Some("CHUNKING") => self.chunking = true,
            Some("BINARYMIME") => self.binary_mime = true,
            Some("AUTH") => self.auth = words.collect(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_offered_is_read_back() {
        let mut offered = Extensions::ours(1000);
        offered.starttls = true;
        offered.auth = vec!["PLAIN".into(), "SCRAM-SHA-256".into()];
        assert_eq!(Extensions::from_lines(offered.lines()), offered);
    }

    #[test]
    fn keywords_are_read_in_any_case_and_unknown_ones_passed_over() {
        let read = Extensions::from_lines(["size", "8BitMime", "XVERP", ""]);
        assert_eq!(read, Extensions { size: Some(0), eight_bit_mime: true, ..Extensions::default() });
    }
}
