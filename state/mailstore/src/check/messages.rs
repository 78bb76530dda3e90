//! Whether each message can be read and is the one that was stored, and whether each mailbox has counted its own.

use std::collections::HashMap;

use disk::Body;
use journal::{KeyRange, Order, Row, ViewRead};

use super::Pace;
use super::report::{CheckReport, Finding, FindingKind};
use crate::codec::decoded;
use crate::counters::Counters;
use crate::entry::MailboxRow;
use crate::load;
use crate::mailstore::Inner;
use crate::presentation::Presented;
use crate::rows::{self, BodyRow, FixedRow};
use crate::{BodyId, MailboxId, MailboxPath, MailstoreError, Uid};

/// Looks at all mailboxes and bodies of a view.
pub(super) fn check(
    inner: &Inner,
    view: &dyn ViewRead,
    rendered: bool,
    pace: &Pace,
    report: &mut CheckReport,
) -> Result<(), MailstoreError> {
    let mut checking = Checking { inner, view, rendered, pace, report, paths: HashMap::new() };
    for row in view.scan(rows::MAILBOXES, KeyRange::all(), Order::Forward)? {
        checking.mailbox(row?)?;
    }
    for row in view.scan(rows::MESSAGES, KeyRange::all(), Order::Forward)? {
        checking.message(row?)?;
    }
    for row in view.scan(rows::BODIES, KeyRange::all(), Order::Forward)? {
        checking.body(row?)?;
    }
    Ok(())
}

struct Checking<'a> {
    inner: &'a Inner,
    view: &'a dyn ViewRead,
    rendered: bool,
    pace: &'a Pace,
    report: &'a mut CheckReport,
    paths: HashMap<MailboxId, Option<MailboxPath>>,
}

impl Checking<'_> {
    /// Of a mailbox that has been deleted, nobody asks for the numbers.
    fn mailbox(&mut self, (_, row): Row) -> Result<(), MailstoreError> {
        self.report.mailboxes += 1;
        let row: MailboxRow = decoded(&row)?;
        if row.deleted.is_some() {
            return Ok(());
        }
        let counters = self.view.get(rows::COUNTERS, &rows::mailbox_key(row.id))?;
        let counters: Option<Counters> = counters.map(|row| decoded(&row)).transpose()?;
        let counted = load::counted(self.view, row.id);
        let what = match (counters, counted) {
            (Some(counters), Ok(counted)) if counted.same_numbers(&counters) => return Ok(()),
            (Some(counters), Ok(counted)) => format!("has {counters:?}, its messages make {counted:?}"),
            (None, _) => "has no counters".into(),
            (_, Err(error)) => error.to_string(),
        };
        let finding = Finding::new(FindingKind::Counters, what);
        let path = self.path(row.id)?;
        self.report.add(finding.of_mailbox(path.as_ref()));
        Ok(())
    }

    /// A message must have a body, which must know of it.
    fn message(&mut self, (key, row): Row) -> Result<(), MailstoreError> {
        self.report.messages += 1;
        let (mailbox, uid) = (MailboxId(rows::key_number(&key)?), rows::message_key_uid(&key)?);
        let body = match decoded::<FixedRow>(&row) {
            Ok(fixed) => fixed.body,
            Err(error) => return self.message_add(mailbox, uid, &error.to_string()),
        };
        if self.view.get(rows::BODIES, &rows::body_key(body))?.is_none() {
            return self.message_add(mailbox, uid, "has no body");
        }
        if self.view.get(rows::REFERENCES, &rows::reference_key(body, mailbox, uid))?.is_none() {
            return self.message_add(mailbox, uid, "is not known to its body");
        }
        Ok(())
    }

    fn message_add(&mut self, mailbox: MailboxId, uid: Uid, what: &str) -> Result<(), MailstoreError> {
        let path = self.path(mailbox)?;
        self.report.add(Finding::new(FindingKind::View, what).of_message(path.as_ref(), uid));
        Ok(())
    }

    fn body(&mut self, (key, row): Row) -> Result<(), MailstoreError> {
        self.report.bodies += 1;
        let body = BodyId(rows::key_number(&key)?);
        let row: BodyRow = decoded(&row)?;
        if let Err(error) = self.body_read(body, &row) {
            self.body_add(body, FindingKind::Body, &error.to_string())?;
            return Ok(());
        }
        if let Err(error) = self.presentation(body) {
            self.body_add(body, FindingKind::Presentation, &error.to_string())?;
        }
        Ok(())
    }

    /// Reads a body and compares it with its hash.
    fn body_read(&self, body: BodyId, row: &BodyRow) -> Result<(), MailstoreError> {
        let message = match self.inner.bodies.body(body) {
            // It was purged since the view was taken.
            Err(MailstoreError::BodyUnknown) => return Ok(()),
            message => message?,
        };
        let mut hasher = blake3::Hasher::new();
        for chunk in message.chunks(limits::BODY_CHUNK_BYTES) {
            let chunk = chunk?;
            hasher.update(&chunk);
            self.pace.read(chunk.len());
        }
        match message.len() == row.size && *hasher.finalize().as_bytes() == row.hash {
            true => Ok(()),
            false => Err(MailstoreError::Damaged("the bytes are not those that were stored")),
        }
    }

    fn presentation(&self, body: BodyId) -> Result<(), MailstoreError> {
        let row = self.view.get(rows::PRESENTATIONS, &rows::body_key(body))?;
        let presented = Presented::decode(&row.ok_or(MailstoreError::Damaged("there is none"))?)?;
        if !self.rendered {
            return Ok(());
        }
        let again = rendered(&self.inner.bodies.body(body)?)?;
        match again.rendered == presented.rendered && again.structure == presented.structure {
            true => Ok(()),
            false => Err(MailstoreError::Damaged("it is not what the message gives when it is scanned now")),
        }
    }

    /// A body is damaged: so are all messages that use it, each in its mailbox.
    fn body_add(&mut self, body: BodyId, kind: FindingKind, what: &str) -> Result<(), MailstoreError> {
        let mut found = false;
        let range = KeyRange::prefix(&rows::body_key(body));
        for row in self.view.scan(rows::REFERENCES, range, Order::Forward)? {
            let (mailbox, uid) = rows::reference_key_place(&row?.0)?;
            let path = self.path(mailbox)?;
            self.report.add(Finding::new(kind, what).of_body(body).of_message(path.as_ref(), uid));
            found = true;
        }
        if !found {
            self.report.add(Finding::new(kind, what).of_body(body));
        }
        Ok(())
    }

    /// The name of a mailbox now, or the one that it had.
    fn path(&mut self, mailbox: MailboxId) -> Result<Option<MailboxPath>, MailstoreError> {
        if let Some(path) = self.paths.get(&mailbox) {
            return Ok(path.clone());
        }
        let (path, _) = self.inner.mailbox_path(self.view, mailbox)?;
        self.paths.insert(mailbox, path.clone());
        Ok(path)
    }
}

fn rendered(body: &Body) -> Result<Presented, MailstoreError> {
    let mut scanner = message::Scanner::new(message::ScanLimits::default());
    for chunk in body.chunks(limits::BODY_CHUNK_BYTES) {
        scanner.push(&chunk?);
    }
    Ok(Presented::new(scanner.finish()))
}
