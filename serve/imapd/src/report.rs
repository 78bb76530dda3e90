//! What the client has not been told yet about the selected mailbox.

use imap::{FetchWriter, Flag, response};
use mailstore::{Changes, MailboxSnapshot, MessageRow, UidSet};

use crate::channel::Channel;
use crate::refusal::{Outcome, Stop};
use crate::selected::{RecentUids, Selected};

/// What may be told at the end of a command besides its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unasked {
    All,
    /// RFC 3501 7.4.1: no EXPUNGE while FETCH, STORE or SEARCH by sequence number runs, since the client could not
    /// tell which message a number means.
    NoExpunges,
    /// The client would not understand it ([`imap::Quirk::DelayNewMail`]).
    Nothing,
}

/// Writes the difference between what the client knows and what is: expunges, then arrivals, then flags.
pub(crate) async fn report(out: &mut Channel, selected: &mut Selected, unasked: Unasked) -> Outcome<()> {
    if selected.mailbox.is_deleted() {
        return Err(Stop::Bye("The selected mailbox has been deleted"));
    }
    if unasked == Unasked::Nothing {
        selected.told.clear();
        return Ok(());
    }
    let snapshot = selected.mailbox.snapshot().await?;
    let known = selected.uids.last_uid().unwrap_or(0);
    if unasked == Unasked::All {
        report_expunged(out, selected, &snapshot);
    }
    if snapshot.modseq() > selected.reported {
        let Changes { changed, .. } = snapshot.changes_since(selected.reported);
        let (arrived, flagged): (Vec<_>, Vec<_>) = changed.iter().partition(|row| row.uid.number() > known);
        report_arrived(out, selected, &arrived);
        report_flags(out, selected, &flagged).await?;
        selected.reported = snapshot.modseq();
    }
    selected.told.clear();
    Ok(())
}

/// RFC 3501 7.4.1: each EXPUNGE renumbers what comes after it.
fn report_expunged(out: &mut Channel, selected: &mut Selected, snapshot: &MailboxSnapshot) {
    if snapshot.modseq() <= selected.expunged {
        return;
    }
    let removed = match snapshot.changes_since(selected.expunged).vanished {
        Some(vanished) if vanished.is_empty() => Vec::new(),
        Some(vanished) => selected.uids.remove_where(|uid| holds(&vanished, uid)),
        None => {
            let present = snapshot.uids();
            selected.uids.remove_where(|uid| !holds(&present, uid))
        }
    };
    for (already, seq) in (0..).zip(&removed) {
        response::expunge(out.text(), seq - already);
    }
    selected.expunged = snapshot.modseq();
}

fn holds(set: &UidSet, uid: u32) -> bool {
    mailstore::Uid::new(uid).is_some_and(|uid| set.contains(uid))
}

/// RFC 3501 7.3.1, 7.3.2: EXISTS and RECENT.
fn report_arrived(out: &mut Channel, selected: &mut Selected, arrived: &[&MessageRow<'_>]) {
    if arrived.is_empty() {
        return;
    }
    arrived.iter().for_each(|row| selected.uids.push(row.uid.number()));
    match (selected.read_only, arrived) {
        (true, [first, .., last] | [first @ last]) => {
            selected.recent.add_range(first.uid.number(), last.uid.number().saturating_add(1));
        }
        _ => selected.recent.add(selected.mailbox.recent_claim()),
    }
    response::exists(out.text(), selected.uids.len());
    response::recent(out.text(), selected.recent_count());
    report_keywords(out, selected, arrived);
}

/// RFC 3501 7.4.2: flags that changed, by whomever, but for what the command has told itself; with their modseqs for
/// who knows of these (RFC 7162 3.1.4.2).
async fn report_flags(
    out: &mut Channel,
    selected: &mut Selected,
    flagged: &[&MessageRow<'_>],
) -> Outcome<()> {
    report_keywords(out, selected, flagged);
    for row in flagged.iter().filter(|row| !selected.told.covers(row)) {
        if let Some(seq) = selected.uids.seq_of(row.uid.number()) {
            let mut fetch = FetchWriter::begin(out.pieces(), seq);
            fetch.flags(flags_shown(row, &selected.recent));
            if selected.condstore {
                fetch.modseq(row.modseq.number());
            }
            fetch.end();
            out.relieve().await?;
        }
    }
    Ok(())
}

/// Announces keywords that the mailbox did not have before (RFC 3501 7.2.6).
pub(crate) fn report_keywords(out: &mut Channel, selected: &mut Selected, rows: &[&MessageRow<'_>]) {
    let mut new = false;
    for row in rows {
        new |= selected.keywords.add(row);
    }
    if new {
        write_flags(out, selected);
    }
}

/// FLAGS and PERMANENTFLAGS (RFC 3501 7.2.6, 7.1): every flag can be changed and keywords made, except in an
/// examined mailbox.
pub(crate) fn write_flags(out: &mut Channel, selected: &Selected) {
    let system = [Flag::Answered, Flag::Flagged, Flag::Deleted, Flag::Seen, Flag::Draft];
    let keywords = selected.keywords.shown().filter_map(|keyword| imap::Keyword::new(keyword.as_bytes()));
    let flags: Vec<Flag> = system.into_iter().chain(keywords.map(Flag::Keyword)).collect();
    response::flags(out.text(), &flags);
    let code = match selected.read_only {
        true => imap::Code::PermanentFlags(&[], false),
        false => imap::Code::PermanentFlags(&flags, true),
    };
    response::untagged(out.text(), imap::Status::Ok, Some(code), "Flags that can be changed");
}

/// The flags of a message as this session shows them, `\Recent` included.
pub(crate) fn flags_shown<'r>(
    row: &'r MessageRow<'_>,
    recent: &RecentUids,
) -> impl Iterator<Item = &'r str> + use<'r> {
    let recent = recent.contains(row.uid.number()).then_some("\\Recent");
    let keywords = row.flags.keywords().iter().map(|keyword| keyword.as_str());
    row.flags.system().map(|flag| flag.as_str()).chain(recent).chain(keywords)
}
