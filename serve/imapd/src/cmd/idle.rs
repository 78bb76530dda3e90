//! IDLE (RFC 2177 3).

use imap::response;
use net::Instant;

use crate::channel::{Channel, ReadError};
use crate::refusal::{Done, Outcome, Refusal, Stop};
use crate::report::{Unasked, report};
use crate::selected::Selected;

/// Reports changes as they come until the client says DONE. Without a selected mailbox there is nothing to
/// report.
pub(crate) async fn run(
    out: &mut Channel,
    mut selected: Option<&mut Selected>,
    deadline: Instant,
) -> Outcome {
    response::continuation(out.text(), "idling");
    let mut changed = selected.as_ref().map(|selected| selected.mailbox.changed());
    loop {
        if let Some(selected) = selected.as_deref_mut() {
            report(out, selected, Unasked::All).await?;
        }
        out.send().await?;
        tokio::select! {
            line = out.raw_line(deadline) => return ended(line),
            () = next_change(changed.as_mut()) => {}
        }
    }
}

/// Never, where nothing can change.
async fn next_change<T>(changed: Option<&mut tokio::sync::watch::Receiver<T>>) {
    let Some(receiver) = changed else { return std::future::pending().await };
    if receiver.changed().await.is_err() {
        std::future::pending().await
    }
}

fn ended(line: Result<bytes::Bytes, ReadError>) -> Outcome {
    match line {
        Ok(line) if line.eq_ignore_ascii_case(b"DONE") => Ok(Done::plain("IDLE completed")),
        Ok(_) | Err(ReadError::Frame(_)) => Err(Refusal::bad("Expected DONE").into()),
        Err(ReadError::Net(error)) => Err(Stop::Broken(error)),
    }
}
