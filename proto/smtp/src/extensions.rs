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
    /// `LIMITS`, RFC 9422.
    pub limits: SessionLimits,
    /// `XCLIENT` with its attributes in upper case; empty where it is not offered. Postfix's XCLIENT_README defines it.
    pub xclient: Vec<String>,
}

/// What a server takes in one session, as `LIMITS` says it (RFC 9422 4). None: no limit is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionLimits {
    /// `RCPTMAX`: recipients of one transaction.
    pub recipients: Option<usize>,
    /// `MAILMAX`: transactions of the session, those that come to nothing included.
    pub messages: Option<usize>,
    /// `RCPTDOMAINMAX`: domains of the recipients of the session.
    pub domains: Option<usize>,
}

/// The greatest number that `LIMITS` can name: six digits (RFC 9422 4).
const NAMED_MAX: usize = 999_999;

impl SessionLimits {
    // RFC 9422 3: "LIMITS" 1*(SP limit-name "=" limit-value). A limit that is greater than a value can be is not named.
    fn line(self) -> Option<String> {
        let all = [("RCPTMAX", self.recipients), ("MAILMAX", self.messages), ("RCPTDOMAINMAX", self.domains)];
        let named = |(name, limit): (&str, Option<usize>)| {
            let number = limit.filter(|number| (1..=NAMED_MAX).contains(number))?;
            Some(format!(" {name}={number}"))
        };
        let values: String = all.into_iter().filter_map(named).collect();
        (!values.is_empty()).then(|| format!("LIMITS{values}"))
    }

    /// Unknown names and malformed values say nothing (RFC 9422 3).
    fn read<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let mut limits = Self::default();
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            let number = value.parse().ok().filter(|number| (1..=NAMED_MAX).contains(number));
            match name {
                "RCPTMAX" => limits.recipients = number,
                "MAILMAX" => limits.messages = number,
                "RCPTDOMAINMAX" => limits.domains = number,
                _ => {}
            }
        }
        limits
    }
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
        lines.extend(self.limits.line());
        if !self.xclient.is_empty() {
            lines.push(format!("XCLIENT {}", self.xclient.join(" ")));
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
            Some("XCLIENT") => self.xclient = words.collect(),
            Some("LIMITS") => {
                let words: Vec<String> = words.collect();
                self.limits = SessionLimits::read(words.iter().map(String::as_str));
            }
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
        offered.limits = SessionLimits { recipients: Some(100), messages: Some(999_999), domains: Some(1) };
        offered.xclient = vec!["NAME".into(), "ADDR".into()];
        assert_eq!(Extensions::from_lines(offered.lines()), offered);
    }

    #[test]
    fn keywords_are_read_in_any_case_and_unknown_ones_passed_over() {
        let read = Extensions::from_lines(["size", "8BitMime", "XVERP", ""]);
        assert_eq!(read, Extensions { size: Some(0), eight_bit_mime: true, ..Extensions::default() });
    }

    #[test]
    fn a_limit_that_cannot_be_named_is_not() {
        let limits = SessionLimits { recipients: Some(1_000_000), messages: Some(0), domains: None };
        assert_eq!(limits.line(), None);
        let read =
            Extensions::from_lines(["LIMITS RCPTMAX=20 MAILMAX=1000000 OTHER=1 RCPTDOMAINMAX=x"]).limits;
        assert_eq!(read, SessionLimits { recipients: Some(20), ..SessionLimits::default() });
    }
}
