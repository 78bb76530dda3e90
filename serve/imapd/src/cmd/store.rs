//! STORE (RFC 3501 6.4.6).

use std::sync::Arc;

use imap::{Code, FetchWriter, Flag, Numbering, Store, StoreOp};
use mailstore::{FlagChange, Flags, Keyword, MailboxSnapshot, Mailstore, SystemFlag, Uid};

use crate::channel::Channel;
use crate::refusal::{Done, Outcome, Refusal};
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
    let outcome = store.store(selected.id(), uid_set(&messages), change.clone(), None).await?;
    let after = selected.mailbox.snapshot().await?;
    match asked.silent {
        true => keep_silent(selected, &messages, &change, &before, &after),
        false => tell(out, selected, &messages, asked.by, &after).await?,
    }
    match asked.by {
        Numbering::Sequence if !outcome.missing.is_empty() => {
            Err(Refusal::no(Code::ExpungeIssued, "Some of the messages no longer exist").into())
        }
        _ => Ok(Done::plain("STORE completed")),
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

/// Each message of the set is shown with its flags, changed or not.
async fn tell(
    out: &mut Channel,
    selected: &mut Selected,
    messages: &[Numbered],
    by: Numbering,
    after: &Arc<MailboxSnapshot>,
) -> Outcome<()> {
    for message in messages {
        let Some(row) = Uid::new(message.uid).and_then(|uid| after.find(uid)) else { continue };
        report_keywords(out, selected, &[&row]);
        let mut fetch = FetchWriter::begin(out.pieces(), message.seq);
        if by == Numbering::Uid {
            fetch.uid(message.uid);
        }
        fetch.flags(flags_shown(&row, &selected.recent));
        fetch.end();
        selected.told.add(&row);
        out.relieve().await?;
    }
    Ok(())
}

/// `.SILENT`: the client knows what it did. Where the flags are others than that makes them, somebody else
/// was at work too, and the end of the command tells.
fn keep_silent(
    selected: &mut Selected,
    messages: &[Numbered],
    change: &FlagChange,
    before: &MailboxSnapshot,
    after: &MailboxSnapshot,
) {
    for uid in messages.iter().filter_map(|message| Uid::new(message.uid)) {
        let (Some(old), Some(new)) = (before.find(uid), after.find(uid)) else { continue };
        let foreseen =
            old.modseq <= selected.reported && old.flags.changed(change).is_ok_and(|it| it == *new.flags);
        if foreseen {
            selected.told.add(&new);
        }
    }
}
