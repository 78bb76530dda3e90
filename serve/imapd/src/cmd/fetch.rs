//! FETCH (RFC 3501 6.4.5, RFC 7162 3.1.4).
//!
//! Items are written straight to the channel and leave it as soon as enough have gathered; a large section is
//! sent from its file. What can fail is fetched before a response is begun, so that a damaged message costs
//! its own response and the OK, not the session.

use imap::{Code, DateTime, Fetch, FetchItem, FetchWriter, Numbering};
use jiff::Timestamp;
use mailstore::{
    FlagChange, Flags, MailboxSnapshot, Mailstore, MailstoreError, MessageRow, ModSeq, SystemFlag, Uid,
    UidSet,
};

use crate::channel::Channel;
use crate::material::{Material, Needs, together};
use crate::pace::Pace;
use crate::refusal::{Done, Outcome, Refusal};
use crate::report::{flags_shown, report_keywords};
use crate::selected::Selected;
use crate::uids::Numbered;

/// Messages whose material is asked of the store at once.
const BATCH_MESSAGES: usize = 32;

pub(crate) async fn run(
    out: &mut Channel,
    store: &Mailstore,
    selected: &mut Selected,
    asked: &Fetch,
) -> Outcome {
    let mut messages = selected.resolve(asked.by, &asked.set)?;
    if let Some(modseq) = asked.changed_since {
        keep_changed(selected, &mut messages, ModSeq::new(modseq)).await?;
    }
    let seen = mark_seen(store, selected, &messages, asked).await?;
    let snapshot = selected.mailbox.snapshot().await?;
    let plan = Plan::new(asked, seen, selected.condstore);
    let mut tally = Tally::default();
    for batch in messages.chunks(BATCH_MESSAGES) {
        write_batch(out, store, selected, &snapshot, &plan, batch, &mut tally).await?;
    }
    tally.outcome(asked.by)
}

/// CHANGEDSINCE (RFC 7162 3.1.4.1): only messages that changed after `since`, and those that are gone.
async fn keep_changed(selected: &Selected, messages: &mut Vec<Numbered>, since: ModSeq) -> Outcome<()> {
    let snapshot = selected.mailbox.snapshot().await?;
    messages.retain(|message| row_of(&snapshot, message).is_none_or(|row| row.modseq > since));
    Ok(())
}

/// What each response has.
struct Plan<'f> {
    items: &'f [FetchItem],
    needs: Needs,
    /// UID is shown though it was not asked for (RFC 3501 6.4.8).
    uid_first: bool,
    /// Messages whose flags are shown though they were not asked for, because this FETCH has set `\Seen`.
    seen: UidSet,
    /// Flags that the client does not know yet come with their modseq, though it was not asked for: they are not
    /// told again.
    new_flags_have_modseq: bool,
}

impl<'f> Plan<'f> {
    fn new(asked: &'f Fetch, seen: UidSet, condstore: bool) -> Self {
        let has = |item| asked.items.contains(&item);
        Self {
            items: &asked.items,
            needs: Needs::of(&asked.items),
            uid_first: asked.by == Numbering::Uid && !has(FetchItem::Uid),
            seen: if has(FetchItem::Flags) { UidSet::new() } else { seen },
            new_flags_have_modseq: condstore && !has(FetchItem::ModSeq),
        }
    }

    /// This response tells the message's flags.
    fn tells_flags(&self, row: &MessageRow<'_>) -> bool {
        self.seen.contains(row.uid) || self.items.contains(&FetchItem::Flags)
    }
}

/// What went wrong with single messages.
#[derive(Default)]
struct Tally {
    missing: bool,
    damaged: bool,
}

impl Tally {
    /// RFC 2180 4.1.2: what is there has been sent, and a NO says that something was not. A UID FETCH passes
    /// over uids without a message (RFC 3501 6.4.8).
    fn outcome(self, by: Numbering) -> Outcome {
        match self {
            Self { damaged: true, .. } => {
                Err(Refusal::no(Code::Corruption, "Some of the messages cannot be read").into())
            }
            Self { missing: true, .. } if by == Numbering::Sequence => {
                Err(Refusal::no(Code::ExpungeIssued, "Some of the messages no longer exist").into())
            }
            _ => Ok(Done::plain("FETCH completed")),
        }
    }
}

/// Sets `\Seen` where the items ask for it (RFC 3501 6.4.5); the messages that did not have it.
async fn mark_seen(
    store: &Mailstore,
    selected: &Selected,
    messages: &[Numbered],
    asked: &Fetch,
) -> Outcome<UidSet> {
    if selected.read_only || !asked.items.iter().any(FetchItem::sets_seen) {
        return Ok(UidSet::new());
    }
    let snapshot = selected.mailbox.snapshot().await?;
    let unseen = |uid: &Uid| snapshot.find(*uid).is_some_and(|row| !row.flags.has(SystemFlag::Seen));
    let uids: UidSet = messages.iter().filter_map(|message| Uid::new(message.uid)).filter(unseen).collect();
    if uids.is_empty() {
        return Ok(uids);
    }
    let change = FlagChange::Add(Flags::from_iter([SystemFlag::Seen]));
    Ok(store.store(selected.id(), uids, change, None).await?.changed)
}

async fn write_batch(
    out: &mut Channel,
    store: &Mailstore,
    selected: &mut Selected,
    snapshot: &MailboxSnapshot,
    plan: &Plan<'_>,
    batch: &[Numbered],
    tally: &mut Tally,
) -> Outcome<()> {
    let rows: Vec<(u32, MessageRow<'_>)> =
        batch.iter().filter_map(|message| Some((message.seq, row_of(snapshot, message)?))).collect();
    tally.missing |= rows.len() < batch.len();
    let mut rest = rows.as_slice();
    while !rest.is_empty() {
        let (group, later) = rest.split_at(together(rest.iter().map(|(_, row)| plan.needs.weight(row.size))));
        rest = later;
        let bodies: Vec<_> = group.iter().map(|(_, row)| row.body).collect();
        let loaded = Material::load_many(store, &bodies, plan.needs).await;
        for ((seq, row), material) in group.iter().zip(loaded) {
            match material {
                Ok(material) => write_message(out, selected, plan, *seq, row, &material).await?,
                Err(error) => tally.damaged |= is_damage(&error)?,
            }
        }
    }
    Ok(())
}

fn row_of<'s>(snapshot: &'s MailboxSnapshot, message: &Numbered) -> Option<MessageRow<'s>> {
    snapshot.find(Uid::new(message.uid)?)
}

/// Damage of one message is logged, and true; any other failure would hit the next message too.
pub(crate) fn is_damage(error: &MailstoreError) -> Result<bool, MailstoreError> {
    match error {
        MailstoreError::BodyUnknown | MailstoreError::Damaged(_) => {
            error.fault().log("message cannot be read", error);
            Ok(true)
        }
        other => Err(other.clone()),
    }
}

async fn write_message(
    out: &mut Channel,
    selected: &mut Selected,
    plan: &Plan<'_>,
    seq: u32,
    row: &MessageRow<'_>,
    material: &Material,
) -> Outcome<()> {
    if plan.tells_flags(row) {
        report_keywords(out, selected, &[row]);
        selected.told.add(row);
    }
    let mut fetch = FetchWriter::begin(out.pieces(), seq);
    if plan.uid_first {
        fetch.uid(row.uid.number());
    }
    if plan.seen.contains(row.uid) {
        fetch.flags(flags_shown(row, &selected.recent));
    }
    if plan.new_flags_have_modseq && plan.tells_flags(row) && row.modseq > selected.reported {
        fetch.modseq(row.modseq.number());
    }
    let mut pace = Pace::default();
    let (first, rest) = plan.items.split_at(1);
    first.iter().for_each(|item| write_item(&mut fetch, selected, row, material, item));
    for item in rest {
        out.relieve().await?;
        pace.spend(material.steps(item)).await;
        write_item(&mut FetchWriter::resume(out.pieces()), selected, row, material, item);
    }
    FetchWriter::resume(out.pieces()).end();
    Ok(out.relieve().await?)
}

fn write_item(
    fetch: &mut FetchWriter<'_, disk::Body>,
    selected: &Selected,
    row: &MessageRow<'_>,
    material: &Material,
    item: &FetchItem,
) {
    match item {
        FetchItem::Uid => fetch.uid(row.uid.number()),
        FetchItem::Flags => fetch.flags(flags_shown(row, &selected.recent)),
        FetchItem::ModSeq => fetch.modseq(row.modseq.number()),
        FetchItem::InternalDate => fetch.internal_date(&internal_date(row)),
        FetchItem::Rfc822Size => fetch.size(row.size),
        FetchItem::Envelope => fetch.envelope(&material.rendered().envelope),
        FetchItem::Body => fetch.body(&material.rendered().body),
        FetchItem::BodyStructure => fetch.body_structure(&material.rendered().body_structure),
        FetchItem::Rfc822 => fetch.rfc822("RFC822", material.whole()),
        FetchItem::Rfc822Header => fetch.rfc822("RFC822.HEADER", material.header()),
        FetchItem::Rfc822Text => fetch.rfc822("RFC822.TEXT", material.text()),
        FetchItem::Section { section, partial, .. } => {
            fetch.section(section, partial.map(|window| window.origin), material.section(section, *partial));
        }
    }
}

/// The internal date is kept as a point in time; it is shown in UTC.
pub(crate) fn internal_date(row: &MessageRow<'_>) -> DateTime {
    DateTime::utc(Timestamp::from_second(row.internal_date).unwrap_or(Timestamp::UNIX_EPOCH))
}
