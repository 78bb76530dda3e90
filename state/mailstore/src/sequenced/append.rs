//! APPEND and delivery.

use journal::{Record, Staged};

use crate::codec::decoded;
use crate::command::Append;
use crate::counters::Counters;
use crate::entry::{BODY_DATA, Entry, MessageAppended, ThreadKeys};
use crate::id::NameId;
use crate::message_row::Message;
use crate::outcome::Allocated;
use crate::prepare::Prepared;
use crate::rows::{self, ThreadRow};
use crate::snapshot::Change;
use crate::{BodyId, EmailId, MailboxId, MailstoreError, ThreadId, Uid};

use super::Sequenced;

impl Sequenced {
    pub(super) fn append(
        &mut self,
        append: Append,
        staged: &mut Staged,
    ) -> Result<Allocated, MailstoreError> {
        let mailbox = append.mailbox;
        let (owner, uid_validity) = self.placed(mailbox)?;
        self.keywords_fit(mailbox, [&append.flags].into_iter())?;
        let (uid, counters) = self.uids_take(mailbox, 1)?;
        let email_id = append.email_id.unwrap_or_else(|| EmailId(self.fresh.number()));
        let thread_id = self.thread(owner, &append.prepared.thread_keys, email_id)?;
        let modseq = self.modseq_next();
        let size = append.prepared.stored.size;
        let (body, thread_keys) = self.body_stage(append.prepared, staged);
        let message = Message {
            uid,
            modseq,
            flags: append.flags,
            internal_date: append.internal_date,
            save_date: append.now,
            size,
            body,
            email_id,
            thread_id,
        };
        let counters = Counters { modseq, ..counters.with(&message) };
        let changes = vec![(mailbox, Change::Append(vec![message.clone()]), counters)];
        let appended = MessageAppended { mailbox, counters, message, owner, thread_keys };
        self.commit_changing(Entry::from(appended), changes, staged);
        Ok(Allocated { body, mailbox, uid_validity, uid, modseq, email_id, thread_id })
    }

    /// Whose a mailbox is, and its generation of uids.
    fn placed(&self, mailbox: MailboxId) -> Result<(NameId, crate::UidValidity), MailstoreError> {
        let row = self.names.mailbox(mailbox).ok_or(MailstoreError::MailboxUnknown)?;
        let name = self.names.name_of(mailbox).ok_or(MailstoreError::MailboxUnknown)?;
        let owner = self.names.owner_of(name).ok_or(MailstoreError::MailboxUnknown)?;
        Ok((owner, row.uid_validity))
    }

    /// The next `count` uids of a mailbox: the first of them, and the counters without them.
    pub(super) fn uids_take(
        &self,
        mailbox: MailboxId,
        count: usize,
    ) -> Result<(Uid, Counters), MailstoreError> {
        let counters = self.counters(mailbox)?;
        let first = counters.uid_next;
        let count = u32::try_from(count).map_err(|_| MailstoreError::UidsExhausted)?;
        let next = first.number().checked_add(count).and_then(Uid::new);
        let uid_next = next.ok_or(MailstoreError::UidsExhausted)?;
        Ok((first, Counters { uid_next, ..counters }))
    }

    /// Stages the body's bytes, if they are not in a file, and what is known of it.
    fn body_stage(&mut self, prepared: Prepared, staged: &mut Staged) -> (BodyId, ThreadKeys) {
        let body = BodyId(self.marks.body + 1);
        let Prepared { data, file, mut stored, thread_keys } = prepared;
        stored.body = body;
        if let Some(data) = data {
            staged.push(Record::body(BODY_DATA, data.for_body(body)));
        }
        if let Some(file) = file {
            self.frame.file_add(file.claim());
        }
        self.commit(stored, staged);
        (body, thread_keys)
    }

    /// The conversation of the first known message among those that a message refers to, or a new one.
    fn thread(&self, owner: NameId, keys: &ThreadKeys, email: EmailId) -> Result<ThreadId, MailstoreError> {
        for key in rows::thread_keys(owner, keys) {
            if let Some(thread) = self.frame.thread(&key) {
                return Ok(thread);
            }
            if let Some(row) = self.shared.view.get(rows::THREADS, &rows::thread_row_key(&key))? {
                return Ok(decoded::<ThreadRow>(&row)?.thread);
            }
        }
        Ok(ThreadId(email.0))
    }
}
