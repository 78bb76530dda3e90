//! SEARCH (RFC 3501 6.4.4).

use imap::{Numbering, Search, response};
use mailstore::Mailstore;

use crate::channel::Channel;
use crate::refusal::{Done, DoneCode, Outcome, Stop};
use crate::search::{Program, SearchPool, Searched};
use crate::selected::Selected;
use crate::uids::Numbered;

/// A search that takes long ends when nobody waits for it any more.
pub(crate) async fn run(
    out: &mut Channel,
    store: &Mailstore,
    pool: &SearchPool,
    selected: &Selected,
    asked: &Search,
) -> Outcome {
    let program = Program::new(&asked.key, selected);
    let searched = Searched::new(program, selected.mailbox.snapshot().await?, selected);
    let hits = tokio::select! {
        biased;
        hits = searched.run(store, pool, selected.uids.iter()) => hits?,
        stop = abandoned(out) => return Err(stop),
    };
    response::search(out.text(), hits.messages.iter().map(|message| number(asked.by, message)));
    Ok(match hits.missing {
        true => Done::with(DoneCode::ExpungeIssued, "SEARCH completed"),
        false => Done::plain("SEARCH completed"),
    })
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
