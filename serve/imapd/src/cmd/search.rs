//! SEARCH (RFC 3501 6.4.4), with the results of RFC 4731 3.1 and the modseqs of RFC 7162 3.1.5.

use imap::response::{self, Found};
use imap::{Numbering, Search, SearchReturns, Tag};
use mailstore::{MailboxSnapshot, Mailstore, ModSeq, Uid};

use crate::channel::Channel;
use crate::refusal::{Done, DoneCode, Outcome, Stop};
use crate::search::{Program, SearchPool, Searched};
use crate::selected::Selected;
use crate::uids::Numbered;

/// A search that takes long ends when nobody waits for it any more.
pub(crate) async fn run(
    out: &mut Channel,
    tag: &Tag,
    store: &Mailstore,
    pool: &SearchPool,
    selected: &Selected,
    asked: &Search,
    by_words: bool,
) -> Outcome {
    let program = Program::new(&asked.key, selected, by_words);
    let snapshot = selected.mailbox.snapshot().await?;
    let searched = Searched::new(program, snapshot.clone(), selected);
    let hits = tokio::select! {
        biased;
        hits = searched.run(store, pool, selected.uids.iter()) => hits?,
        stop = abandoned(out) => return Err(stop),
    };
    write(out, tag, asked, &hits.messages, &snapshot);
    Ok(match hits.missing {
        true => Done::with(DoneCode::ExpungeIssued, "SEARCH completed"),
        false => Done::plain("SEARCH completed"),
    })
}

fn write(out: &mut Channel, tag: &Tag, asked: &Search, hits: &[Numbered], snapshot: &MailboxSnapshot) {
    let numbers: Vec<u32> = hits.iter().map(|message| number(asked.by, message)).collect();
    let modseq = match asked.key.asks_modseq() {
        true => highest_modseq(snapshot, told(asked.returns, hits)),
        false => None,
    };
    let found = Found { numbers: &numbers, modseq: modseq.map(ModSeq::number) };
    match asked.returns {
        None => response::search(out.text(), found),
        Some(returns) => response::esearch(out.text(), tag, asked.by, returns, found),
    }
}

/// The messages whose modseqs count (RFC 4731 3.2): the ends, if no more is asked for than these, else all.
fn told(returns: Option<SearchReturns>, hits: &[Numbered]) -> Vec<Numbered> {
    let ends = |min: bool, max: bool| {
        let (min, max) = (hits.first().filter(|_| min), hits.last().filter(|_| max));
        min.into_iter().chain(max).copied().collect()
    };
    match returns {
        Some(SearchReturns { min, max, all: false, count: false }) => ends(min, max),
        _ => hits.to_vec(),
    }
}

fn highest_modseq(snapshot: &MailboxSnapshot, messages: Vec<Numbered>) -> Option<ModSeq> {
    let rows = messages.iter().filter_map(|message| snapshot.find(Uid::new(message.uid)?));
    rows.map(|row| row.modseq).max()
}

fn number(by: Numbering, message: &Numbered) -> u32 {
    match by {
        Numbering::Uid => message.uid,
        Numbering::Sequence => message.seq,
    }
}

/// A client that sends its commands and closes its half of the connection still gets its answers, if it need not
/// wait for them long.
async fn abandoned(out: &mut Channel) -> Stop {
    tokio::time::sleep(limits::IMAP_SEARCH_UNWATCHED_TIME).await;
    Stop::Broken(out.abandoned().await)
}
