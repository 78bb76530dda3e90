//! What the hops before the spool have to say for the audit.

use filter::{Filtered, Verdict};
use spool::{AuditEvent, AuditNote, NextHop, Route};

/// The notes of receiving, filtering and routing, in their order.
pub(crate) fn notes(filtered: &Filtered, routes: &[Route]) -> Vec<AuditNote> {
    let role = filtered.transaction.session.role;
    let mut notes = vec![
        note(filtered, role, AuditEvent::Received, received(filtered)),
        note(filtered, "filter", AuditEvent::Filtered, seen(filtered)),
    ];
    notes.extend(routes.iter().map(|route| note(filtered, "route", AuditEvent::Routed, routed(route))));
    notes
}

fn note(filtered: &Filtered, role: &str, event: AuditEvent, text: String) -> AuditNote {
    let transaction = &filtered.transaction;
    let session = Some(transaction.session.id.to_string().into());
    AuditNote { time: transaction.arrival, role: role.into(), session, event, text }
}

fn received(filtered: &Filtered) -> String {
    let transaction = &filtered.transaction;
    let session = &transaction.session;
    let account = session.account.as_ref().map(|account| format!(", signed in as {account}"));
    format!(
        "from {} by {} ({}{}{}), {} bytes for {} recipients",
        transaction.envelope.reverse_path,
        session.peer,
        session.hello_name(),
        if session.tls.is_some() { ", TLS" } else { "" },
        account.unwrap_or_default(),
        transaction.body.len(),
        transaction.envelope.recipients.len(),
    )
}

fn seen(filtered: &Filtered) -> String {
    let verdict = match &filtered.verdict {
        Verdict::Accept => "accepted".to_owned(),
        Verdict::Hold(reason) => format!("to be held: {reason}"),
    };
    std::iter::once(&verdict).chain(&filtered.auth_results).cloned().collect::<Vec<_>>().join("; ")
}

fn routed(route: &Route) -> String {
    let recipient = &route.recipient.address;
    let by = match &route.next_hop {
        NextHop::Local { account } => format!("to the mailbox of {account}"),
        NextHop::Mx { domain } => format!("to the MX of {domain}"),
        NextHop::Host { host, port } => format!("to {host}:{port}"),
        NextHop::Unrouted => "not known yet".to_owned(),
    };
    match &route.rewritten {
        Some(rewritten) => format!("{recipient} as {rewritten}: {by}"),
        None => format!("{recipient}: {by}"),
    }
}
