//! `tartan spool` and `tartan trace`.

use super::owner::refused;
use crate::cli::SpoolCommand;
use crate::error::CliError;
use crate::print::{Printer, table};
use admin::{AdminClient, AdminError, Trace, TraceStep};
use jiff::Timestamp;
use spool::{Diagnostic, NextHop, QueueId, RecipientShown, Shown, StateShown};

pub async fn run(command: SpoolCommand, client: &AdminClient, printer: &Printer) -> Result<(), CliError> {
    match command {
        SpoolCommand::List => {
            printer.print(&client.spool_list().await.map_err(refused)?, |all| list_shown(all))
        }
        SpoolCommand::Show { queue_id } => {
            printer.print(&client.spool_show(parse(&queue_id)?).await.map_err(refused)?, message_shown)
        }
        SpoolCommand::Retry { queue_ids } => {
            each(&queue_ids, "is tried now", printer, async |queue_id| client.spool_retry(queue_id).await)
                .await
        }
        SpoolCommand::Hold { queue_ids, reason } => {
            each(&queue_ids, "is held", printer, async |queue_id| client.spool_hold(queue_id, &reason).await)
                .await
        }
        SpoolCommand::Delete { queue_ids } => {
            each(&queue_ids, "is deleted", printer, async |queue_id| client.spool_delete(queue_id).await)
                .await
        }
    }
}

/// Does the same to each message, goes on after a failure, and fails if any did.
async fn each(
    queue_ids: &[String],
    what: &str,
    printer: &Printer,
    act: impl AsyncFn(QueueId) -> Result<(), AdminError>,
) -> Result<(), CliError> {
    let queue_ids = queue_ids.iter().map(|queue_id| parse(queue_id)).collect::<Result<Vec<_>, _>>()?;
    let mut failures = Vec::new();
    for queue_id in queue_ids {
        match act(queue_id).await {
            Ok(()) => printer.done(&format!("{queue_id} {what}"))?,
            Err(AdminError::Refused(reason)) => failures.push(reason),
            Err(error) => return Err(refused(error)),
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(CliError::Failed(failures.join("\n"))) }
}

fn parse(queue_id: &str) -> Result<QueueId, CliError> {
    queue_id.parse().map_err(|error| CliError::Usage(format!("{queue_id:?}: {error}")))
}

/// `tartan trace`.
pub async fn trace(message: &str, client: &AdminClient, printer: &Printer) -> Result<(), CliError> {
    printer.print(&client.trace(message).await.map_err(refused)?, trace_shown)
}

fn list_shown(messages: &[Shown]) -> String {
    if messages.is_empty() {
        return "the queue is empty\n".to_owned();
    }
    let row = |message: &Shown| {
        let mut recipients: Vec<String> =
            message.recipients.iter().map(|one| one.address.to_string()).collect();
        // An alias stands there once for each of its targets.
        recipients.dedup();
        vec![
            message.queue_id.to_string(),
            message.origin.arrival.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            message.bytes.to_string(),
            state(message).to_owned(),
            message.reverse_path.to_string(),
            recipients.join(", "),
            reason(message),
        ]
    };
    let rows: Vec<_> = messages.iter().map(row).collect();
    table(&["QUEUE ID", "ARRIVAL (UTC)", "BYTES", "STATE", "FROM", "TO", "WHY"], &rows)
}

fn state(message: &Shown) -> &'static str {
    match message {
        Shown { held: Some(_), .. } => "held",
        message if waiting(message).next().is_some() => "deferred",
        _ => "queued",
    }
}

/// Recipients that were tried and wait.
fn waiting(message: &Shown) -> impl Iterator<Item = &RecipientShown> {
    message.recipients.iter().filter(|one| one.state == StateShown::Deferred)
}

/// Why a message is still there: why it is held, or what its first recipient that waits has heard.
fn reason(message: &Shown) -> String {
    let heard = || waiting(message).find_map(|one| one.last.as_ref()).map(heard);
    message.held.clone().or_else(heard).unwrap_or_default()
}

fn message_shown(message: &Shown) -> String {
    let origin = &message.origin;
    let mut text = format!(
        "queue id    {}\nmessage id  {}\nfrom        {}\nsize        {} bytes\narrival     {} UTC by {} from {} ({})\n",
        message.queue_id,
        message.message_id.as_deref().unwrap_or("-"),
        message.reverse_path,
        message.bytes,
        time_shown(origin.arrival),
        origin.role,
        origin.peer,
        origin.helo,
    );
    if let Some(reason) = &message.held {
        text += &format!("held        {reason}\n");
    }
    if message.strikes > 0 {
        text += &format!("strikes     {}\n", message.strikes);
    }
    text.extend(message.recipients.iter().map(|one| recipient_shown(one, message.held.is_some())));
    text
}

/// What is held has no next attempt.
fn recipient_shown(recipient: &RecipientShown, held: bool) -> String {
    let rewritten = recipient.rewritten.as_ref().map(|address| format!(" as {address}")).unwrap_or_default();
    let next = recipient.next.filter(|_| !held);
    let next = next.map(|time| format!(", next {} UTC", time_shown(time))).unwrap_or_default();
    let last = recipient.last.as_ref().map(|last| format!("\n            {}", heard(last)));
    let last = last.unwrap_or_default();
    format!(
        "to          {}{rewritten}: {}, {}, {} {}{next}{last}\n",
        recipient.address,
        state_shown(recipient.state),
        hop_shown(&recipient.next_hop),
        recipient.attempts,
        if recipient.attempts == 1 { "attempt" } else { "attempts" },
    )
}

/// `host: code status text`, as far as there was a host and a reply.
fn heard(last: &Diagnostic) -> String {
    let remote = last.remote.as_ref().map(|remote| format!("{remote}: ")).unwrap_or_default();
    let code = last.code.map(|code| format!("{code} ")).unwrap_or_default();
    format!("{remote}{code}{} {}", last.status, last.text)
}

fn state_shown(state: StateShown) -> &'static str {
    match state {
        StateShown::Queued => "queued",
        StateShown::Deferred => "deferred",
        StateShown::Delivered => "delivered",
        StateShown::Failed => "failed",
        StateShown::Expanded => "expanded",
    }
}

fn hop_shown(hop: &NextHop) -> String {
    match hop {
        NextHop::Local { account } => format!("for the mailbox of {account}"),
        NextHop::Mx { domain } => format!("for the MX of {domain}"),
        NextHop::Host { host, port } => format!("for {host}:{port}"),
        NextHop::Unrouted => "to be routed".to_owned(),
    }
}

fn trace_shown(trace: &Trace) -> String {
    let row = |step: &TraceStep| {
        vec![
            time_shown(step.time),
            step.queue_id.map(|queue_id| queue_id.to_string()).unwrap_or_default(),
            step.role.clone(),
            step.session.clone().unwrap_or_default(),
            step.event.clone(),
            step.source.clone(),
            step.text.clone(),
        ]
    };
    let rows: Vec<_> = trace.events.iter().map(row).collect();
    table(&["TIME (UTC)", "QUEUE ID", "ROLE", "SESSION", "EVENT", "SOURCE", "WHAT"], &rows)
}

/// To the millisecond, where it is known: the mail store keeps seconds.
fn time_shown(time: Timestamp) -> String {
    let format = if time.subsec_nanosecond() == 0 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S%.3f" };
    time.strftime(format).to_string()
}
