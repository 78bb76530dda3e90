//! When the sender hears something, and what (RFC 3461 5 and 6).

use address::{Address, BodyKind, MailParams, Notify, Recipient, Ret, ReversePath};
use bytes::Bytes;
use disk::Body;
use jiff::Timestamp;
use report::{Dsn, DsnAction, DsnRecipient, Original};

use crate::accept::header;
use crate::audit::{AuditEvent, AuditNote};
use crate::bodies::BodyDir;
use crate::due::{Due, DueRecipient};
use crate::entry::{Copy, Entry};
use crate::error::SpoolError;
use crate::outcome::{Delivery, Diagnostic};
use crate::queue_id::QueueId;
use crate::routed::{NextHop, Origin, Route};
use crate::store::{Incoming, spool_note};

/// What stands in a report for a message that cannot be read.
pub(crate) const UNREADABLE: &[u8] = b"\r\n";

/// A recipient that something may be reported about.
#[derive(Debug, Clone)]
pub(crate) struct Reported {
    pub wanted: bool,
    pub dsn: DsnRecipient,
}

impl Reported {
    fn new(recipient: &DueRecipient, action: DsnAction, said: &Diagnostic, now: Timestamp) -> Self {
        let notify = recipient.recipient.notify;
        let wanted = match action {
            DsnAction::Failed => notify.on_failure(),
            DsnAction::Delayed => notify.on_delay(),
            DsnAction::Delivered | DsnAction::Relayed | DsnAction::Expanded => notify.on_success(),
        };
        let dsn = DsnRecipient {
            orcpt: recipient.recipient.orcpt.clone(),
            final_recipient: recipient.address.clone(),
            action,
            status: said.status.to_string(),
            // A role of this process is no host.
            remote_mta: said
                .remote
                .as_ref()
                .filter(|remote| !remote.starts_with("pipe:"))
                .map(ToString::to_string),
            diagnostic: Some(said.line()),
            is_reply: said.remote.is_some() && said.code.is_some(),
            last_attempt: Some(now),
            will_retry_until: (action == DsnAction::Delayed).then_some(recipient.expires),
        };
        Self { wanted, dsn }
    }

    pub fn failed(recipient: &DueRecipient, said: &Diagnostic, now: Timestamp) -> Self {
        Self::new(recipient, DsnAction::Failed, said, now)
    }

    pub fn delayed(recipient: &DueRecipient, said: &Diagnostic, now: Timestamp) -> Self {
        Self::new(recipient, DsnAction::Delayed, said, now)
    }

    /// Several others have taken a recipient's place (RFC 3461 5.2.7.3).
    pub fn expanded(recipient: &DueRecipient, count: usize, now: Timestamp) -> Self {
        let text = format!("sent on to {count} recipients");
        let said = Diagnostic { remote: None, code: None, status: "2.0.0".into(), text };
        Self::new(recipient, DsnAction::Expanded, &said, now)
    }

    /// A relay that knows DSN reports by itself (RFC 3461 5.2.1); of one that does not, we say that it took the message
    /// (RFC 3461 5.2.2).
    pub fn delivered(recipient: &DueRecipient, how: Delivery, said: &Diagnostic, now: Timestamp) -> Self {
        let is_final = how == Delivery::Final;
        let action = if is_final { DsnAction::Delivered } else { DsnAction::Relayed };
        let mut reported = Self::new(recipient, action, said, now);
        reported.wanted &= how != Delivery::Relayed;
        if is_final {
            // Which mailbox it is in, and on which host of ours, is not the sender's business.
            (reported.dsn.diagnostic, reported.dsn.remote_mta) = (None, None);
        }
        reported
    }
}

/// Whether the sender hears of it: there is one, and it wants to. A message without a sender is a report itself, or wants
/// no answer (RFC 5321 6.1).
pub(crate) fn report_due(reverse_path: &ReversePath, reported: &Reported) -> bool {
    !reverse_path.is_null() && reported.wanted
}

/// A report to be written: the recipients of one action.
pub(crate) struct Writer<'a> {
    pub due: &'a Due,
    pub hostname: &'a str,
    pub now: Timestamp,
    /// The message that is reported about.
    pub body: &'a Body,
    pub bodies: &'a BodyDir,
}

/// Recipients that one report is about, of one action; at least one.
#[derive(Debug)]
pub(crate) struct Group {
    /// Their numbers in the message.
    pub indexes: Vec<u32>,
    pub recipients: Vec<DsnRecipient>,
}

impl Group {
    pub fn action(&self) -> DsnAction {
        self.recipients[0].action
    }
}

/// Sorts what is reported by action: a report is about one.
pub(crate) fn by_action(reported: impl Iterator<Item = (u32, Reported)>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (index, Reported { dsn, .. }) in reported {
        match groups.iter_mut().find(|group| group.action() == dsn.action) {
            Some(group) => {
                group.indexes.push(index);
                group.recipients.push(dsn);
            }
            None => groups.push(Group { indexes: vec![index], recipients: vec![dsn] }),
        }
    }
    groups
}

/// A report, written.
pub(crate) struct Report {
    action: DsnAction,
    pub incoming: Incoming,
}

impl Report {
    /// What the audit of the message that it is about says of it.
    pub fn note(&self, due: &Due, now: Timestamp) -> AuditNote {
        let (action, queue_id) = (self.action, self.incoming.entry.queue_id);
        metrics::counter!("tartan_spool_reports_total").increment(1);
        let text = format!("{action:?} report={queue_id} to={}", due.reverse_path);
        spool_note(now, AuditEvent::Reported, text)
    }
}

impl Writer<'_> {
    /// Writes the report as a message of the queue, named `queue_id`. Blocks.
    pub fn write(&self, queue_id: QueueId, recipients: &[DsnRecipient]) -> Result<Report, SpoolError> {
        let failed = |error| SpoolError::Body { queue_id, error: std::sync::Arc::new(error) };
        let action = recipients[0].action;
        let whole =
            action == DsnAction::Failed && self.due.params.ret == Some(Ret::Full) && !self.body.is_file();
        let original = self.original(whole);
        let to = self.due.reverse_path.address().expect("no report is due to a null reverse path");
        let dsn = Dsn {
            action,
            reporting_mta: self.hostname,
            received_from: Some(&self.due.origin.helo),
            arrival: self.due.origin.arrival,
            envid: self.due.params.envid.as_ref(),
            to,
            now: self.now,
            id: &queue_id.to_string(),
            recipients,
            original: if whole { Original::Whole(&original) } else { Original::Header(&original) },
        };
        let written = dsn.build();
        let smtputf8 = recipients.iter().any(|recipient| recipient.final_recipient.needs_smtputf8());
        let params = MailParams {
            smtputf8: smtputf8 || to.needs_smtputf8(),
            body: if written.is_ascii() { BodyKind::SevenBit } else { BodyKind::EightBitMime },
            ..MailParams::default()
        };
        let body = Body::from_bytes(written);
        let packed = self.bodies.pack(&body, queue_id).map_err(failed)?;
        let entry = Entry {
            queue_id,
            origin: self.origin(),
            reverse_path: ReversePath::Null,
            params,
            bytes: body.len(),
            message_id: Some(format!("{queue_id}@{}", self.hostname).into()),
            body: packed.stored(),
            recipients: vec![Copy::new(route(to), self.now).into()],
            held: None,
            strikes: 0,
        };
        let text = format!("{action:?} report about {} to=<{to}>", self.due.queue_id);
        let notes = vec![spool_note(self.now, AuditEvent::Accepted, text)];
        Ok(Report { action, incoming: Incoming { entry, body: packed, notes } })
    }

    /// The message or its header; nothing if it cannot be read, so that its sender is told all the same.
    fn original(&self, whole: bool) -> Bytes {
        let read = if whole { self.body.read_all() } else { header(self.body) };
        read.unwrap_or_else(|error| {
            tracing::error!(queue_id = %self.due.queue_id, %error, "a report goes without the message that it is about");
            Bytes::from_static(UNREADABLE)
        })
    }

    fn origin(&self) -> Origin {
        Origin {
            role: "spool".into(),
            session: None,
            peer: "".into(),
            helo: self.hostname.into(),
            account: None,
            tls: false,
            arrival: self.now,
        }
    }
}

/// A report goes to the sender, by the way that the router will find, and is not reported about (RFC 3461 6.1).
fn route(to: &Address) -> Route {
    let recipient = Recipient { address: to.clone(), notify: Notify::NEVER, orcpt: None };
    Route::new(recipient, NextHop::Unrouted)
}
