//! What a check found.

use std::fmt;

use serde::Serialize;

use super::Difference;
use crate::{BodyId, MailboxPath, Uid};

/// Findings that are kept one by one; further ones are counted.
const FINDINGS_MAX: usize = 10_000;

/// What a check found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CheckReport {
    /// Mailboxes looked at.
    pub mailboxes: u64,
    /// Messages looked at, those that are kept out of sight included.
    pub messages: u64,
    /// Bodies read and compared with their hash.
    pub bodies: u64,
    /// What is not as it should be, the first ones in full.
    pub findings: Vec<Finding>,
    /// How many there are beyond those.
    pub findings_more: u64,
    /// Whether the view was made again and is sound now.
    pub repaired: bool,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where.
    pub kind: FindingKind,
    /// The account that it concerns.
    pub account: Option<String>,
    /// The name of the mailbox below the account.
    pub mailbox: Option<String>,
    /// The message.
    pub uid: Option<u32>,
    /// The body.
    pub body: Option<String>,
    /// What is wrong.
    pub what: String,
}

/// Where something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingKind {
    /// In the journal: it cannot be mended here.
    Journal,
    /// In the view: it can be made again.
    View,
    /// In the numbers of a mailbox.
    Counters,
    /// In the bytes of a message.
    Body,
    /// In what IMAP is shown of a message.
    Presentation,
}

impl CheckReport {
    /// Nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether making the view again would help.
    pub(super) fn is_view_unsound(&self) -> bool {
        let of_view = |finding: &Finding| matches!(finding.kind, FindingKind::View | FindingKind::Counters);
        self.findings.iter().any(of_view)
    }

    pub(super) fn add(&mut self, finding: Finding) {
        match self.findings.len() < FINDINGS_MAX {
            true => self.findings.push(finding),
            false => self.findings_more += 1,
        }
    }

    pub(super) fn difference(&mut self, difference: &Difference) {
        self.add(Finding::new(FindingKind::View, difference.to_string()));
    }
}

impl Finding {
    pub(super) fn new(kind: FindingKind, what: impl Into<String>) -> Self {
        Self { kind, account: None, mailbox: None, uid: None, body: None, what: what.into() }
    }

    pub(super) fn of_mailbox(self, path: Option<&MailboxPath>) -> Self {
        let Some(path) = path else { return self };
        let account = path.owner().map(|owner| format!("{owner}@{}", path.domain()));
        Self { account, mailbox: Some(path.components().join("/")), ..self }
    }

    pub(super) fn of_message(self, path: Option<&MailboxPath>, uid: Uid) -> Self {
        Self { uid: Some(uid.number()), ..self.of_mailbox(path) }
    }

    pub(super) fn of_body(self, body: BodyId) -> Self {
        Self { body: Some(body.to_string()), ..self }
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mailboxes, messages, bodies, findings, findings_more, repaired } = self;
        findings.iter().try_for_each(|finding| writeln!(f, "{finding}"))?;
        if *findings_more > 0 {
            writeln!(f, "and {findings_more} more")?;
        }
        let found = findings.len() as u64 + findings_more;
        write!(f, "{mailboxes} mailboxes, {messages} messages, {bodies} bodies checked: ")?;
        match found {
            0 => write!(f, "all is well"),
            found => write!(f, "{found} things are wrong"),
        }?;
        if *repaired { write!(f, "; the view was made again and is sound") } else { Ok(()) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, account, mailbox, uid, body, what } = self;
        write!(f, "{kind}:")?;
        account.iter().try_for_each(|account| write!(f, " account {account}"))?;
        mailbox.iter().try_for_each(|mailbox| write!(f, " mailbox {mailbox}"))?;
        uid.iter().try_for_each(|uid| write!(f, " uid {uid}"))?;
        body.iter().try_for_each(|body| write!(f, " body {body}"))?;
        write!(f, " {what}")
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Journal => "journal",
            Self::View => "view",
            Self::Counters => "counters",
            Self::Body => "body",
            Self::Presentation => "presentation",
        })
    }
}
