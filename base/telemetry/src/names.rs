//! Every metric of the system, named and described once.
//!
//! The name is `tartan_<role>_<thing>`, with `_total` for counters and the unit last. A crate that
//! records a metric appends it here; `/metrics` takes its help texts from this list.

/// What kind of metric a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name on `/metrics`.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: MetricKind,
    /// Its help text.
    pub help: &'static str,
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Counter, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Gauge, help }
}

const fn histogram(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Histogram, help }
}

/// Every metric, grouped by role.
pub const METRICS: &[Metric] = &[
    counter("tartan_net_connections_total", "Connections taken, by listener."),
    counter("tartan_net_connections_refused_total", "Connections refused by a limit, by listener and limit."),
    counter("tartan_net_tls_failures_total", "TLS handshakes that failed, by listener."),
    counter("tartan_net_sessions_panicked_total", "Sessions ended by a bug, by listener."),
    gauge("tartan_net_connections", "Connections open now, by listener."),
    counter("tartan_net_certificate_reloads_total", "Certificate reloads, by result."),
    counter("tartan_admin_requests_total", "Requests on the admin socket, by status."),
    counter("tartan_journal_syncs_total", "Syncs of a journal, by store."),
    counter("tartan_journal_records_total", "Records appended to a journal, by store."),
    counter("tartan_journal_bytes_total", "Bytes appended to a journal, by store."),
    histogram("tartan_journal_sync_seconds", "Time that a sync of a journal took, by store."),
    gauge("tartan_store_failed", "1 for a store that has failed or is damaged and takes nothing, by store."),
    counter("tartan_sequencer_commands_total", "Commands that a store has answered, by store."),
    counter("tartan_sequencer_no_space_total", "Commands refused because space is low, by store."),
    gauge("tartan_journal_free_bytes", "Free bytes on the disk of a journal, as last asked, by store."),
    gauge("tartan_journal_space_low", "1 while what grows is refused for want of space, by store."),
    counter("tartan_compaction_segments_total", "Segments that were compacted, by store."),
    counter("tartan_compaction_written_bytes_total", "Bytes written again by compaction, by store."),
    counter("tartan_compaction_freed_bytes_total", "Bytes of segments that were compacted, by store."),
    gauge("tartan_compaction_stuck_segments", "Segments that cannot be compacted, by store."),
    counter("tartan_relay_connections_total", "TCP connections tried to other hosts."),
    counter("tartan_relay_recipients_total", "Recipients attempted, by result."),
    counter("tartan_relay_tls_failures_total", "TLS handshakes that failed and were followed by plain text."),
    counter("tartan_relay_workers_panicked_total", "Relay workers ended by a bug."),
    counter("tartan_spool_accepted_total", "Messages that the spool took responsibility for."),
    counter("tartan_spool_recipients_total", "Attempts that the spool recorded, by result."),
    counter("tartan_spool_reports_total", "Reports to senders that were queued."),
    gauge("tartan_spool_messages", "Messages in the queue."),
    gauge("tartan_spool_held", "Messages in the queue that are held."),
    counter("tartan_spool_reports_lost_total", "Reports to senders that could not be written."),
    counter(
        "tartan_intake_panicked_total",
        "Messages put off because a filter, the router or the spool crashed on them.",
    ),
    gauge("tartan_process_start_seconds", "When the process started, in seconds since 1970."),
    counter("tartan_receive_sessions_total", "SMTP and LMTP sessions, by role."),
    counter("tartan_receive_mistakes_total", "Commands that broke the protocol, by role."),
    counter(
        "tartan_receive_late_total",
        "SMTP and LMTP sessions closed because the client was too slow, by the limit.",
    ),
    counter(
        "tartan_receive_proxy_headers_refused_total",
        "Connections with a PROXY header from a host that may not send one.",
    ),
    counter(
        "tartan_net_proxy_headers_missed_total",
        "Connections of a host that must send a PROXY header and did not.",
    ),
    counter(
        "tartan_receive_answers_total",
        "Answers to senders, recipients and contents, by role and result.",
    ),
    counter("tartan_receive_sign_ins_total", "AUTH commands, by role and result."),
    counter("tartan_imapd_commands_total", "IMAP commands."),
    counter("tartan_imapd_bad_commands_total", "IMAP commands answered BAD."),
    counter("tartan_imapd_late_total", "IMAP sessions ended because the client was silent or slow."),
    counter("tartan_imapd_logins_total", "IMAP logins, by result."),
    counter("tartan_mailstore_appends_total", "Messages appended and durable."),
    counter("tartan_mailstore_snapshot_loads_total", "Mailboxes read from the view into memory."),
    counter(
        "tartan_mailstore_presentation_reads_total",
        "Rendered messages read from the view, not found in memory.",
    ),
    counter(
        "tartan_mailstore_purged_messages_total",
        "Messages taken away for good, their retention being over.",
    ),
    counter("tartan_mailstore_purged_bodies_total", "Bodies that no message used any more."),
    counter("tartan_mailstore_files_swept_total", "Body files removed at start that no record named."),
    gauge("tartan_mailstore_snapshot_bytes", "Memory that open mailboxes take, in bytes."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_well_formed_and_described() {
        let mut seen = HashSet::new();
        for metric in METRICS {
            assert!(seen.insert(metric.name), "{} twice", metric.name);
            assert!(metric.name.starts_with("tartan_"), "{}", metric.name);
            let is_total = metric.name.ends_with("_total");
            assert_eq!(is_total, metric.kind == MetricKind::Counter, "{}", metric.name);
            assert!(metric.help.ends_with('.'), "{}", metric.name);
        }
    }
}
