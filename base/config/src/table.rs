//! The options. Everything that is known of one stands here, once.

use crate::define::sections;
use crate::value::{AddressRange, ByteSize, DomainName, HostPort, ImapQuirk, LmtpEndpoint, LogStyle, Role};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn count(number: usize) -> NonZeroU32 {
    u32::try_from(number).ok().and_then(NonZeroU32::new).expect("defaults are small and not zero")
}

/// Every interface, by IPv6 and IPv4.
fn everywhere(port: u16) -> Vec<SocketAddr> {
    vec![SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))]
}

/// This host alone.
fn loopback() -> Vec<AddressRange> {
    let v4 = AddressRange { address: Ipv4Addr::new(127, 0, 0, 0).into(), prefix: 8 };
    vec![v4, AddressRange { address: Ipv6Addr::LOCALHOST.into(), prefix: 128 }]
}

sections! {
    /// The system and the part of it that this process runs.
    system: System {
        /// The name of this host: in greetings, EHLO, `Received` fields and reports.
        hostname: DomainName, restart;
        /// The default domain. It may be left out at login, and its postmaster answers for the host.
        domain: DomainName, restart;
        /// The roles that this process runs.
        roles: Vec<Role> = Role::ALL.to_vec(), restart;
        /// The directory of everything durable. One process owns it. A relative path, here as
        /// everywhere, is taken from the directory of this file.
        data: PathBuf = PathBuf::from("/var/lib/tartan"), restart;
    }

    /// Logs, on standard error.
    log: Log {
        /// A readable line or a JSON object for each event.
        format: LogStyle = LogStyle::Text, restart;
        /// What is logged: `LEVEL` or `CRATE=LEVEL,...`, with the levels error, warn, info, debug, trace.
        filter: String = "info,fjall=warn,lsm_tree=warn".to_owned(), live;
    }

    /// Prometheus metrics, health and readiness by HTTP.
    metrics: Metrics {
        /// Where `/metrics`, `/healthz` and `/readyz` are served; anybody who reaches it can read them.
        listen: Vec<SocketAddr> = vec![SocketAddr::from(([127, 0, 0, 1], 9_725))], restart;
    }

    /// Certificates.
    tls: Tls {
        /// Directories with a certificate each, the default first.
        ///
        /// A directory holds `certificate.pem` and `key.pem`, or `fullchain.pem` and `privkey.pem`. A
        /// client gets the first certificate that is valid for the name it asks for. Changed files are
        /// used by the next handshake. Where the list is empty, a self-signed certificate is made and
        /// kept in the data directory.
        certificates: Vec<PathBuf> = Vec::new(), live;
    }

    /// Limits that hold for every listener.
    limits: Limits {
        /// Connections that one role holds at once.
        connections: NonZeroU32 = count(limits::CONNECTIONS_MAX), restart;
        /// Connections from one address that one role holds at once (an IPv6 /64 is one address).
        connections_per_address: NonZeroU32 = count(limits::CONNECTIONS_PER_ADDRESS_MAX), restart;
        /// The largest message that is taken, by SMTP, LMTP and IMAP.
        message_size: ByteSize = ByteSize(limits::MESSAGE_BYTES_MAX), restart;
        /// A message larger than this is kept in a file of its own on its way.
        message_memory: ByteSize = ByteSize(limits::BODY_MEMORY_BYTES_MAX as u64), restart;
    }

    /// Mail from other hosts.
    mx: Mx {
        /// Where SMTP is served.
        listen: Vec<SocketAddr> = everywhere(25), restart;
        /// Recipients of one message; EHLO tells clients (RCPTMAX of LIMITS). Holds in submission and lmtpd, too.
        recipients: NonZeroU32 = count(limits::SMTP_RECIPIENTS_MAX), restart;
        /// Messages of one session, those that come to nothing included; EHLO tells clients (MAILMAX). Holds in
        /// submission, too.
        messages: NonZeroU32 = count(limits::SMTP_MESSAGES_MAX), restart;
        /// Domains of all recipients of one session; EHLO tells clients (RCPTDOMAINMAX).
        recipient_domains: Option<NonZeroU32> = None, restart;
        /// Protocol errors after which a session is closed.
        errors: NonZeroU32 = count(limits::SMTP_ERRORS_MAX as usize), restart;
        /// Time without a command after which a session is closed.
        command_time: Duration = limits::SMTP_COMMAND_TIME_MAX, restart;
        /// Time without a byte of message data after which a session is closed.
        data_time: Duration = limits::SMTP_DATA_TIME_MAX, restart;
        /// Bytes of message data a second, on average over a minute, below which a session is closed.
        data_rate: ByteSize = ByteSize(limits::SMTP_DATA_RATE_BYTES_MIN), restart;
        /// Time after which a session is closed where no message is coming in.
        session_time: Duration = limits::SMTP_SESSION_TIME_MAX, restart;
        /// `Received` fields after which a message is taken for looping.
        hops: NonZeroU32 = count(limits::HOPS_MAX), restart;
        /// Hosts in front of this listener that begin each connection with a PROXY header of version 1 or 2: whom they
        /// name takes their place in limits, logs and `Received` fields. They must send one, and no other host may.
        proxies: Vec<AddressRange> = Vec::new(), restart;
        /// Hosts that may say by XCLIENT whom they speak for. No other is offered it.
        xclient: Vec<AddressRange> = Vec::new(), restart;
    }

    /// Mail from users, with a login.
    submission: Submission {
        /// Where SMTP with STARTTLS is served.
        listen: Vec<SocketAddr> = everywhere(587), restart;
        /// Where SMTP inside TLS is served.
        listen_tls: Vec<SocketAddr> = everywhere(465), restart;
        /// Whether a user may send as any address, not only those of the account.
        any_sender: bool = false, restart;
        /// Hosts in front of these listeners that begin each connection with a PROXY header of version 1 or 2: whom they
        /// name takes their place in limits, logs and `Received` fields. They must send one, and no other host may.
        proxies: Vec<AddressRange> = Vec::new(), restart;
        /// Hosts that may say by XCLIENT whom they speak for, and who has signed in with them. No other is offered it.
        xclient: Vec<AddressRange> = Vec::new(), restart;
    }

    /// Mail into mailboxes, by LMTP.
    lmtpd: Lmtpd {
        /// Where LMTP is served to other hosts. Roles of this process reach it without a listener.
        listen: Vec<SocketAddr> = Vec::new(), restart;
        /// Hosts that may hand mail in there; LMTP itself knows no login.
        trusted: Vec<AddressRange> = loopback(), restart;
        /// Hosts in front of this listener that begin each connection with a PROXY header of version 1 or 2: whom they
        /// name takes their place in limits and logs, and among the trusted. They must send one, and no other host may.
        proxies: Vec<AddressRange> = Vec::new(), restart;
    }

    /// Mailboxes for users, by IMAP.
    imapd: Imapd {
        /// Where IMAP with STARTTLS is served.
        listen: Vec<SocketAddr> = everywhere(143), restart;
        /// Where IMAP inside TLS is served.
        listen_tls: Vec<SocketAddr> = everywhere(993), restart;
        /// Time without a command before login after which a session is closed.
        login_time: Duration = limits::IMAP_LOGIN_TIME_MAX, restart;
        /// Time without a command after login after which a session is closed.
        idle_time: Duration = limits::IMAP_IDLE_TIME_MAX, restart;
        /// What is done otherwise for clients with bugs or habits of their own (docs/imap.md). `by-client`: what is known
        /// of the client, once it has said by ID who it is. Any other: in every session, for clients that do not say.
        quirks: Vec<ImapQuirk> = vec![ImapQuirk::ByClient], restart;
        /// Hosts in front of these listeners that begin each connection with a PROXY header of version 1 or 2: whom they
        /// name takes their place in limits and logs. They must send one, and no other host may.
        proxies: Vec<AddressRange> = Vec::new(), restart;
    }

    /// The queue on disk.
    spool: Spool {
        /// Pauses after the first, second, ... failed attempt; the last one repeats.
        retries: Vec<Duration> = [1, 5, 15, 30, 60, 120, 240].map(|minutes| minutes * MINUTE).to_vec(), restart;
        /// Time in the queue after which the sender is told that a message is late.
        delay_notice: Duration = 4 * HOUR, restart;
        /// Time in the queue after which a message is returned.
        expiry: Duration = 5 * DAY, restart;
        /// How long it is known what became of a message (`tartan trace`), from the last that happened to it.
        audit_retention: Duration = 30 * DAY, restart;
        /// Size of a journal segment before the next is begun.
        segment_size: ByteSize = ByteSize(limits::SEGMENT_BYTES), restart;
    }

    /// The journals of queue and mailboxes, in which everything durable is written first.
    journal: Journal {
        /// Disk space that each keeps aside, so that with a full disk mail still leaves, and what is not needed is removed.
        reserve: ByteSize = ByteSize(limits::RESERVE_BYTES), restart;
        /// Free disk space below which no mail is taken: 452 in SMTP and LMTP, NO in IMAP.
        space_low: ByteSize = ByteSize(limits::SPACE_LOW_BYTES), restart;
        /// Bytes that compaction of one journal reads and writes in a second, so that mail goes first.
        compaction_rate: ByteSize = ByteSize(limits::COMPACTION_BYTES_PER_SECOND), restart;
        /// Time after which it is looked again for what is no longer needed: in segments of a journal, and among expunged
        /// messages.
        upkeep_interval: Duration = HOUR, restart;
    }

    /// Mail to other hosts and to lmtpd.
    relay: Relay {
        /// Whether mail may leave for other hosts. Where not, it waits in the queue with that reason,
        /// unless `relay.routes` names a host for its domain.
        remote: bool = true, restart;
        /// Where mail for local mailboxes goes: `"pipe"`, the lmtpd of this process, or its address.
        lmtp: LmtpEndpoint = LmtpEndpoint::Pipe, restart;
        /// Hosts that take the mail for a domain instead of its MX; with a dot in front of the domain,
        /// for those below it too; `"*"` for every other domain.
        routes: BTreeMap<String, HostPort> = BTreeMap::new(), restart;
        /// Other names of this host, as in MX records: mail that would go to one of them loops.
        own_names: Vec<DomainName> = Vec::new(), restart;
        /// The port of other hosts.
        port: u16 = 25, restart;
        /// Name servers to ask instead of the system's.
        resolvers: Vec<SocketAddr> = Vec::new(), restart;
        /// Deliveries to other hosts under way at once.
        deliveries: NonZeroU32 = count(100), restart;
        /// Connections to one destination elsewhere at once.
        connections_per_destination: NonZeroU32 = count(10), restart;
        /// Connections to lmtpd at once, each with one message under way: as many may be delivered once more after a crash.
        lmtp_connections: NonZeroU32 = count(16), restart;
        /// Time to reach another host.
        connect_time: Duration = 30 * SECOND, restart;
    }

    /// Mailboxes on disk.
    mailstore: Mailstore {
        /// Size of a journal segment before the next is begun.
        segment_size: ByteSize = ByteSize(limits::SEGMENT_BYTES), restart;
        /// How long expunged messages and deleted mailboxes are kept, out of sight.
        retention: Duration = limits::RETENTION, restart;
    }
}
