//! What the hops before the spool have to say for the audit.

use filter::{Filtered, Verdict};
use spool::{AuditEvent, AuditNote, NextHop, Route};

/// The notes of filtering and routing, in their order. The spool itself notes what it is told of the session.
pub(crate) fn notes(filtered: &Filtered, routes: &[Route]) -> Vec<AuditNote> {
    let seen = note(filtered, "filter", AuditEvent::Filtered, seen(filtered));
    let routed = routes.iter().map(|route| note(filtered, "route", AuditEvent::Routed, routed(route)));
    std::iter::once(seen).chain(routed).collect()
}

fn note(filtered: &Filtered, role: &str, event: AuditEvent, text: String) -> AuditNote {
    let transaction = &filtered.transaction;
    let session = Some(transaction.session.id.to_string().into());
    AuditNote { time: transaction.arrival, role: role.into(), session, event, text }
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
