//! STORE (RFC 3501 6.4.6), on condition too (RFC 7162 3.1.3).

use std::sync::Arc;

use imap::{FetchWriter, Flag, Numbering, Store, StoreOp};
use mailstore::{
    FlagChange, Flags, Keyword, MailboxSnapshot, Mailstore, MessageRow, ModSeq, StoreOutcome, SystemFlag, Uid,
};

use crate::channel::Channel;
use crate::refusal::{Done, DoneCode, Outcome};
use crate::report::{flags_shown, report_keywords};
use crate::selected::{Selected, uid_set};
use crate::uids::Numbered;

pub(crate) async fn run(
    out: &mut Channel,
    store: &Mailstore,
    selected: &mut Selected,
    asked: &Store,
) -> Outcome {
    selected.writable()?;
    let messages = selected.resolve(asked.by, &asked.set)?;
    let change = flag_change(asked.op, &asked.flags)?;
    let before = selected.mailbox.snapshot().await?;
    let unchanged_since = asked.unchanged_since.map(ModSeq::new);
    let outcome = store.store(selected.id(), uid_set(&messages), change.clone(), unchanged_since).await?;
    let after = selected.mailbox.snapshot().await?;
    let stored = Stored { asked, change, before, after, outcome };
    stored.tell(out, selected, &messages).await?;
    Ok(stored.done(&messages))
}

/// A STORE that the store has done, and the mailbox before and after it.
struct Stored<'s> {
    asked: &'s Store,
    change: FlagChange,
    before: Arc<MailboxSnapshot>,
    after: Arc<MailboxSnapshot>,
    outcome: StoreOutcome,
}

/// What a FETCH response tells of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telling {
    /// The client knows it all.
    Nothing,
    /// The client knows the flags.
    ModSeq,
    /// The flags; and the modseq, for who knows of these.
    Flags,
}

impl Stored<'_> {
    async fn tell(&self, out: &mut Channel, selected: &mut Selected, messages: &[Numbered]) -> Outcome<()> {
        for message in messages {
            let Some(row) = Uid::new(message.uid).and_then(|uid| self.after.find(uid)) else { continue };
            match self.telling(selected, &row) {
                Telling::Nothing => {}
                telling => self.write(out, selected, message, &row, telling),
            }
            selected.told.add(&row);
            out.relieve().await?;
        }
        Ok(())
    }

    /// Without `.SILENT` each message is shown, changed or not. With it, the client knows what it did, but not the
    /// modseq that came of it (RFC 7162 3.1.3).
    fn telling(&self, selected: &Selected, row: &MessageRow<'_>) -> Telling {
        let refused = self.outcome.modified.contains(row.uid);
        if !self.asked.silent || refused || !self.foreseen(selected, row) {
            return Telling::Flags;
        }
        let asks = self.asked.unchanged_since.is_some() || self.outcome.changed.contains(row.uid);
        if selected.condstore && asks { Telling::ModSeq } else { Telling::Nothing }
    }

    /// The flags are what this command made of those that the client knew; otherwise somebody else was at work too.
    fn foreseen(&self, selected: &Selected, row: &MessageRow<'_>) -> bool {
        self.before.find(row.uid).is_some_and(|old| {
            old.modseq <= selected.reported
                && old.flags.changed(&self.change).is_ok_and(|it| it == *row.flags)
        })
    }

    fn write(
        &self,
        out: &mut Channel,
        selected: &mut Selected,
        message: &Numbered,
        row: &MessageRow<'_>,
        telling: Telling,
    ) {
        report_keywords(out, selected, &[row]);
        let mut fetch = FetchWriter::begin(out.pieces(), message.seq);
        if self.asked.by == Numbering::Uid {
            fetch.uid(message.uid);
        }
        if telling == Telling::Flags {
            fetch.flags(flags_shown(row, &selected.recent));
        }
        if selected.condstore {
            fetch.modseq(row.modseq.number());
        }
        fetch.end();
    }

    /// NO where sequence numbers named messages that are gone (RFC 2180 4.2); MODIFIED lists, in the command's own
    /// numbers, those that had changed meanwhile (RFC 7162 3.1.3).
    fn done(&self, messages: &[Numbered]) -> Done {
        let modified = self.modified(messages);
        let missing = self.asked.by == Numbering::Sequence && !self.outcome.missing.is_empty();
        match (missing, modified.is_empty()) {
            (false, true) => Done::plain("STORE completed"),
            (false, false) => Done::with(DoneCode::Modified(modified), "Conditional STORE failed"),
            (true, true) => Done::in_part(DoneCode::ExpungeIssued, "Some of the messages no longer exist"),
            (true, false) => {
                Done::in_part(DoneCode::Modified(modified), "Some of the messages no longer exist")
            }
        }
    }

    fn modified(&self, messages: &[Numbered]) -> Vec<u32> {
        let refused = |message: &&Numbered| {
            Uid::new(message.uid).is_some_and(|uid| self.outcome.modified.contains(uid))
        };
        let number = |message: &Numbered| match self.asked.by {
            Numbering::Uid => message.uid,
            Numbering::Sequence => message.seq,
        };
        messages.iter().filter(refused).map(number).collect()
    }
}

fn flag_change(op: StoreOp, flags: &[Flag]) -> Outcome<FlagChange> {
    let flags = store_flags(flags)?;
    Ok(match op {
        StoreOp::Replace => FlagChange::Replace(flags),
        StoreOp::Add => FlagChange::Add(flags),
        StoreOp::Remove => FlagChange::Remove(flags),
    })
}

/// Flags of the wire as flags of the store.
pub(crate) fn store_flags(flags: &[Flag]) -> Outcome<Flags> {
    let keywords: Result<Vec<Keyword>, _> = flags
        .iter()
        .filter(|flag| matches!(flag, Flag::Keyword(_)))
        .map(|flag| Keyword::parse(flag.as_str()))
        .collect();
    let system = flags.iter().filter_map(|flag| SystemFlag::parse(flag.as_str()));
    Ok(Flags::new(system, keywords?)?)
}
