//! Delivery status notifications.

use std::fmt::Write;

use address::{Address, Envid, Orcpt};
use jiff::Timestamp;

use crate::field::{clean, date, field};

/// Characters of a line in the words of others; each may take four octets.
const SHOWN_CHARS_MAX: usize = 240;

/// What has become of a recipient (RFC 3464 2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DsnAction {
    /// It will not be delivered.
    Failed,
    /// It waits, and is tried again.
    Delayed,
    /// It is in its mailbox.
    Delivered,
    /// A host that knows no such reports has taken it.
    Relayed,
    /// It went to several others.
    Expanded,
}

impl DsnAction {
    fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
        }
    }

    fn subject(self) -> &'static str {
        match self {
            Self::Failed => "Undelivered mail returned to sender",
            Self::Delayed => "Mail delayed, still being tried",
            Self::Delivered | Self::Relayed | Self::Expanded => "Mail delivered",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Failed => "Your message could not be delivered to these recipients. It is not tried again.",
            Self::Delayed => {
                "Your message could not yet be delivered to these recipients. It is still being tried; you need not \
                 send it again."
            }
            Self::Delivered => "Your message was delivered to these recipients.",
            Self::Relayed => {
                "Your message was handed to these recipients' mail systems, which send no further reports."
            }
            Self::Expanded => "Your message was sent on to the recipients that these addresses stand for.",
        }
    }
}

/// A recipient of the message that is reported about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DsnRecipient {
    /// The recipient as the sender first named it.
    pub orcpt: Option<Orcpt>,
    /// The address that was tried last.
    pub final_recipient: Address,
    /// What has become of it.
    pub action: DsnAction,
    /// The enhanced status code (RFC 3463 2): `5.1.1`.
    pub status: String,
    /// The host that was asked, by its name, behind which its address may stand in brackets.
    pub remote_mta: Option<String>,
    /// What it said, code and text; or the reason in our words.
    pub diagnostic: Option<String>,
    /// Whether the diagnostic is that host's reply.
    pub is_reply: bool,
    /// When it was last tried.
    pub last_attempt: Option<Timestamp>,
    /// Until when it is tried again, if it is.
    pub will_retry_until: Option<Timestamp>,
}

/// What is given back of the message that is reported about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Original<'a> {
    /// Its header alone.
    Header(&'a [u8]),
    /// All of it.
    Whole(&'a [u8]),
}

/// The facts of a report. All recipients in it have the same action.
#[derive(Debug, Clone)]
pub struct Dsn<'a> {
    /// What has become of the recipients.
    pub action: DsnAction,
    /// Who reports: our host name.
    pub reporting_mta: &'a str,
    /// What the host called itself that gave us the message.
    pub received_from: Option<&'a str>,
    /// When the message came.
    pub arrival: Timestamp,
    /// The sender's name for the transaction.
    pub envid: Option<&'a Envid>,
    /// The sender, who gets the report.
    pub to: &'a Address,
    /// When the report is made.
    pub now: Timestamp,
    /// What makes the report's `Message-ID` unique on this host: its queue id.
    pub id: &'a str,
    /// The recipients.
    pub recipients: &'a [DsnRecipient],
    /// What is given back.
    pub original: Original<'a>,
}

impl Dsn<'_> {
    /// Writes the report as a message. Its envelope must have the null reverse path (RFC 3464 2).
    pub fn build(&self) -> Vec<u8> {
        let (text, status) = (self.text(), self.status());
        let boundary = self.boundary(&[text.as_bytes(), status.as_bytes(), self.original_bytes()]);
        let mut head = self.header(&boundary);
        part(&mut head, &boundary, self.text_type(), &text);
        part(&mut head, &boundary, self.status_type(), &status);
        let _ = write!(head, "--{boundary}\r\nContent-Type: {}\r\n", self.original_type());
        if !self.original_bytes().is_ascii() {
            head.push_str("Content-Transfer-Encoding: 8bit\r\n");
        }
        head.push_str("\r\n");
        let mut out = head.into_bytes();
        out.extend_from_slice(self.original_bytes());
        out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        out
    }

    /// Whether an address in it has characters beyond ASCII, which calls for the types of RFC 6533.
    fn utf8(&self) -> bool {
        let recipients = self.recipients.iter().map(|recipient| &recipient.final_recipient);
        recipients.chain([self.to]).any(Address::needs_smtputf8)
    }

    fn header(&self, boundary: &str) -> String {
        let (mut out, utf8, host) = (String::new(), self.utf8(), self.reporting_mta);
        field(&mut out, "From", &format!("Mail Delivery System <MAILER-DAEMON@{host}>"), utf8);
        field(&mut out, "To", &format!("<{}>", self.to), utf8);
        field(&mut out, "Subject", self.action.subject(), utf8);
        field(&mut out, "Date", &date(self.now), utf8);
        field(&mut out, "Message-ID", &format!("<{}@{host}>", self.id), utf8);
        // RFC 3834 5: so that nobody answers by machine.
        field(&mut out, "Auto-Submitted", "auto-replied", utf8);
        field(&mut out, "MIME-Version", "1.0", utf8);
        let kind = format!("multipart/report; report-type=delivery-status; boundary=\"{boundary}\"");
        field(&mut out, "Content-Type", &kind, utf8);
        if utf8 || !self.original_bytes().is_ascii() {
            field(&mut out, "Content-Transfer-Encoding", "8bit", utf8);
        }
        out.push_str("\r\n");
        out
    }

    fn text_type(&self) -> &'static str {
        if self.utf8() { "text/plain; charset=utf-8" } else { "text/plain; charset=us-ascii" }
    }

    fn status_type(&self) -> &'static str {
        if self.utf8() { "message/global-delivery-status" } else { "message/delivery-status" }
    }

    fn original_type(&self) -> &'static str {
        match (self.original, self.utf8()) {
            (Original::Header(_), false) => "text/rfc822-headers",
            (Original::Header(_), true) => "message/global-headers",
            (Original::Whole(_), false) => "message/rfc822",
            (Original::Whole(_), true) => "message/global",
        }
    }

    fn original_bytes(&self) -> &[u8] {
        match self.original {
            Original::Header(bytes) | Original::Whole(bytes) => bytes,
        }
    }

    /// A boundary that occurs in none of the parts (RFC 2046 5.1.1).
    fn boundary(&self, parts: &[&[u8]]) -> String {
        let occurs = |boundary: &str| {
            parts.iter().any(|part| memchr::memmem::find(part, boundary.as_bytes()).is_some())
        };
        let id = clean(self.id, false);
        let mut boundaries = (0u32..).map(|number| format!("=_{id}_{number}"));
        boundaries.find(|boundary| !occurs(boundary)).expect("there are more numbers than places")
    }

    /// The report in words.
    fn text(&self) -> String {
        let (mut out, utf8) = (String::new(), self.utf8());
        let _ = write!(out, "This is the mail system at {}.\r\n\r\n", clean(self.reporting_mta, utf8));
        let _ = write!(out, "{}\r\n\r\n", self.action.words());
        for recipient in self.recipients {
            let _ = write!(out, "<{}>:\r\n", clean(&recipient.final_recipient.to_string(), utf8));
            recipient.text(&mut out, utf8);
        }
        out
    }

    /// The report as fields (RFC 3464 2.2 and 2.3).
    fn status(&self) -> String {
        let (mut out, utf8) = (String::new(), self.utf8());
        if let Some(envid) = self.envid {
            // RFC 3461 6.3 (b): decoded.
            field(&mut out, "Original-Envelope-Id", envid.as_str(), utf8);
        }
        field(&mut out, "Reporting-MTA", &format!("dns; {}", self.reporting_mta), utf8);
        if let Some(name) = self.received_from.filter(|name| !name.is_empty()) {
            field(&mut out, "Received-From-MTA", &format!("dns; {name}"), utf8);
        }
        field(&mut out, "Arrival-Date", &date(self.arrival), utf8);
        for recipient in self.recipients {
            out.push_str("\r\n");
            recipient.status(&mut out, utf8);
        }
        out
    }
}

fn part(out: &mut String, boundary: &str, kind: &str, content: &str) {
    let _ = write!(out, "--{boundary}\r\nContent-Type: {kind}\r\n");
    if !content.is_ascii() {
        out.push_str("Content-Transfer-Encoding: 8bit\r\n");
    }
    let _ = write!(out, "\r\n{content}\r\n");
}

/// As much of what others have said as a line may hold (RFC 5322 2.1.1).
fn shown(said: &str, utf8: bool) -> String {
    clean(said, utf8).chars().take(SHOWN_CHARS_MAX).collect()
}

impl DsnRecipient {
    fn text(&self, out: &mut String, utf8: bool) {
        if let Some(host) = &self.remote_mta {
            let verb = if self.is_reply { " said" } else { "" };
            let _ = write!(out, "    {}{verb}:\r\n", shown(host, utf8));
        }
        if let Some(diagnostic) = &self.diagnostic {
            let _ = write!(out, "    {}\r\n", shown(diagnostic, utf8));
        }
        if let Some(until) = self.will_retry_until {
            let _ = write!(out, "    It is tried until {}.\r\n", date(until));
        }
        out.push_str("\r\n");
    }

    fn status(&self, out: &mut String, utf8: bool) {
        if let Some(orcpt) = &self.orcpt {
            let value = format!("{}; {}", orcpt.addr_type(), orcpt.address());
            field(out, "Original-Recipient", &value, utf8);
        }
        // RFC 6533 4: addresses beyond ASCII have a type of their own.
        let kind = if self.final_recipient.needs_smtputf8() { "utf-8" } else { "rfc822" };
        field(out, "Final-Recipient", &format!("{kind}; {}", self.final_recipient), utf8);
        field(out, "Action", self.action.name(), utf8);
        field(out, "Status", &self.status, utf8);
        if let Some(host) = &self.remote_mta {
            field(out, "Remote-MTA", &format!("dns; {}", mta_name(host)), utf8);
        }
        if let Some(diagnostic) = &self.diagnostic {
            // A diagnostic of the type smtp is a reply with its code (RFC 3464 2.3.6); our own words have a type of ours.
            let kind = if self.is_reply { "smtp" } else { "x-tartan" };
            field(out, "Diagnostic-Code", &format!("{kind}; {diagnostic}"), utf8);
        }
        if let Some(time) = self.last_attempt {
            field(out, "Last-Attempt-Date", &date(time), utf8);
        }
        if let Some(time) = self.will_retry_until {
            field(out, "Will-Retry-Until", &date(time), utf8);
        }
    }
}

/// A host as RFC 3464 2.1.2 has it: its name, or in brackets its address where it has none.
fn mta_name(host: &str) -> String {
    let name = host.split('[').next().filter(|name| !name.is_empty()).unwrap_or(host);
    if name.parse::<std::net::IpAddr>().is_ok() { format!("[{name}]") } else { name.to_owned() }
}
