//! SEARCH (RFC 3501 6.4.4).

use std::sync::Arc;

use imap::{Numbering, Search, response};
use mailstore::{Mailstore, MailstoreError, MessageRow, Uid};

use super::fetch::is_damage;
use crate::channel::Channel;
use crate::refusal::{Done, DoneCode, Outcome};
use crate::search::{Candidate, Found, Program};
use crate::selected::Selected;

/// Messages looked at before other tasks get their turn.
const YIELD_MESSAGES: u32 = 1_000;

pub(crate) async fn run(
    out: &mut Channel,
    store: &Mailstore,
    selected: &Selected,
    asked: &Search,
) -> Outcome {
    let program = Arc::new(Program::new(&asked.key, selected)?);
    let snapshot = selected.mailbox.snapshot().await?;
    let mut hits = Vec::new();
    let mut missing = false;
    for message in selected.uids.iter() {
        let Some(row) = Uid::new(message.uid).and_then(|uid| snapshot.find(uid)) else {
            missing = true;
            continue;
        };
        if matches_or_damaged(store, selected, &program, message.seq, &row).await? {
            hits.push(if asked.by == Numbering::Uid { message.uid } else { message.seq });
        }
        if message.seq % YIELD_MESSAGES == 0 {
            tokio::task::yield_now().await;
        }
    }
    response::search(out.text(), hits);
    Ok(match missing {
        true => Done::with(DoneCode::ExpungeIssued, "SEARCH completed"),
        false => Done::plain("SEARCH completed"),
    })
}

/// A message that cannot be read matches nothing, and does not keep others from being found.
async fn matches_or_damaged(
    store: &Mailstore,
    selected: &Selected,
    program: &Arc<Program>,
    seq: u32,
    row: &MessageRow<'_>,
) -> Outcome<bool> {
    match matches(store, selected, program, seq, row).await {
        Ok(holds) => Ok(holds),
        Err(error) => Ok(!is_damage(&error)?),
    }
}

/// Reads no more of the message than the program needs.
async fn matches(
    store: &Mailstore,
    selected: &Selected,
    program: &Arc<Program>,
    seq: u32,
    row: &MessageRow<'_>,
) -> Result<bool, MailstoreError> {
    let by_row = Candidate { seq, row, recent: &selected.recent, header: None, found: None };
    if let Some(holds) = program.holds(&by_row) {
        return Ok(holds);
    }
    let rendered = store.rendered(row.body).await?;
    let by_header = Candidate { header: Some(&rendered.header), ..by_row };
    if let Some(holds) = program.holds(&by_header) {
        return Ok(holds);
    }
    let found = found_in_body(store, program.clone(), row).await?;
    Ok(program.holds(&Candidate { found: Some(&found), ..by_header }).unwrap_or(false))
}

/// Decodes the message's text on a thread for that.
async fn found_in_body(
    store: &Mailstore,
    program: Arc<Program>,
    row: &MessageRow<'_>,
) -> Result<Found, MailstoreError> {
    let structure = store.structure(row.body).await?;
    let body = store.body(row.body).await?;
    let looking = tokio::task::spawn_blocking(move || Found::in_body(program.needles(), &body, &structure));
    let found = looking.await.map_err(|_| MailstoreError::TaskDied)?;
    found.map_err(MailstoreError::from)
}
