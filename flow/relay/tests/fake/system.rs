//! A spool and a relay that serves it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use address::{AccountName, Address, Envelope, MailParams, Recipient, ReversePath};
use disk::{Body, Disk, RealDisk};
use jiff::Timestamp;
use net::{Pipes, RoleName, Shutdown};
use relay::{Endpoint, Relay, RelaySettings, RelayTimes, ResolverSettings};
use route::{RouteSettings, Router};
use spool::{NextHop, Origin, QueueId, Route, Routed, Shown, Spool, SpoolError, SpoolSettings};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::directory::FakeDirectory;
use super::dns::Zone;
use super::server::{Behaviour, FakeServer};

/// Time in which whatever a test waits for must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// The running system, with a fake lmtpd behind a pipe.
pub struct System {
    pub spool: Spool,
    pub lmtpd: FakeServer,
    shutdown: Shutdown,
    relay: JoinHandle<Result<(), SpoolError>>,
    dir: TempDir,
}

/// What a test submits.
pub struct Submission {
    pub params: MailParams,
    pub routes: Vec<Route>,
    pub body: Body,
}

impl Submission {
    /// A short message to these addresses, each by the MX records of its domain.
    pub fn by_mx(addresses: &[&str]) -> Self {
        Self::by(addresses, |address| NextHop::Mx { domain: address.domain().expect("a domain").clone() })
    }

    /// A short message to accounts.
    pub fn local(addresses: &[&str]) -> Self {
        let account = |address: &Address| AccountName::parse(&address.to_string()).expect("an account");
        Self::by(addresses, |address| NextHop::Local { account: account(address) })
    }

    pub fn by(addresses: &[&str], next_hop: impl Fn(&Address) -> NextHop) -> Self {
        let route = |address: &&str| {
            let address: Address = address.parse().expect("an address");
            let next_hop = next_hop(&address);
            Route::new(Recipient::new(address), next_hop)
        };
        let body = Body::from_bytes("Subject: hi\r\n\r\nhello\r\n");
        Self { params: MailParams::default(), routes: addresses.iter().map(route).collect(), body }
    }

    pub fn body(self, body: impl Into<bytes::Bytes>) -> Self {
        Self { body: Body::from_bytes(body), ..self }
    }
}

/// Settings for a small internet on loopback: its name server, and the port of its mail servers.
pub fn settings(name_server: SocketAddr, smtp_port: u16) -> RelaySettings {
    let second = Duration::from_secs(1);
    RelaySettings {
        hello_name: "me.example".into(),
        smtp_port,
        near_hosts: true,
        resolver: ResolverSettings {
            servers: vec![name_server],
            answer_time_max: second,
            retries: 0,
            ipv6: false,
        },
        times: RelayTimes {
            connect: 2 * second,
            greeting: 5 * second,
            handshake: second,
            command: 5 * second,
            data_initiation: 5 * second,
            data_block: 5 * second,
            data_termination: 10 * second,
            transaction: 60 * second,
        },
        idle_time: Duration::from_millis(300),
        ..RelaySettings::default()
    }
}

impl System {
    /// A system on an internet of `zone`, whose mail servers listen on `smtp_port`.
    pub async fn start(zone: Zone, smtp_port: u16) -> Self {
        let settings = settings(zone.serve().await, smtp_port);
        Self::start_with(settings).await
    }

    pub async fn start_with(settings: RelaySettings) -> Self {
        Self::start_on(Arc::new(RealDisk), Duration::from_secs(60), settings).await
    }

    /// A system whose spool is on `disk` and tries again after `back_off`.
    pub async fn start_on(disk: Arc<dyn Disk>, back_off: Duration, settings: RelaySettings) -> Self {
        let dir = TempDir::new().expect("a directory");
        let spool_settings = SpoolSettings {
            dir: dir.path().join("spool"),
            hostname: "me.example".into(),
            back_off: vec![back_off],
            ..SpoolSettings::default()
        };
        let spool = Spool::open(spool_settings, disk).expect("a new spool");
        Self::serve(spool, dir, settings)
    }

    /// Another relay for the same spool.
    pub async fn served_anew(self, settings: RelaySettings) -> Self {
        self.shutdown.ask();
        self.relay.await.expect("the relay does not crash").expect("the spool works");
        Self::serve(self.spool, self.dir, settings)
    }

    fn serve(spool: Spool, dir: TempDir, settings: RelaySettings) -> Self {
        let pipes = Pipes::new();
        let shutdown = Shutdown::new();
        let lmtpd = lmtpd_start(&pipes, &shutdown);
        let router = Router::new(Arc::new(FakeDirectory::new()), RouteSettings::default());
        let relay = Relay::new(spool.clone(), router, pipes, settings).expect("name servers are given");
        let stop = shutdown.clone();
        let relay = tokio::spawn(async move { relay.run(stop).await });
        Self { spool, lmtpd, shutdown, relay, dir }
    }

    /// Puts a message from alice into the spool.
    pub async fn submit(&self, submission: Submission) -> QueueId {
        let queue_id = self.spool.queue_id_next(Timestamp::now());
        let sender: Address = "alice@here.example".parse().expect("an address");
        let recipients = submission.routes.iter().map(|route| route.recipient.clone()).collect();
        let envelope =
            Envelope { reverse_path: ReversePath::Address(sender), recipients, params: submission.params };
        let routed = Routed {
            queue_id,
            origin: origin(),
            envelope,
            body: submission.body,
            routes: submission.routes,
            notes: Vec::new(),
            hold: None,
        };
        self.spool.accept(routed).await.expect("the spool takes it").queue_id()
    }

    /// Waits until nothing is left to do for the message.
    pub async fn finished(&self, queue_id: QueueId) {
        self.until(|| self.spool.show(queue_id).is_none().then_some(())).await;
    }

    /// Waits until the message is in the queue in the wanted way.
    pub async fn queued(&self, queue_id: QueueId, wanted: impl Fn(&Shown) -> bool) -> Shown {
        self.until(|| self.spool.show(queue_id).filter(|shown| wanted(shown))).await
    }

    /// Waits until alice has got a report, and gives its text.
    pub async fn report(&self) -> String {
        let report = || {
            let messages = self.lmtpd.seen().messages;
            messages.into_iter().find(|message| message.mail.starts_with("MAIL FROM:<>"))
        };
        let report = self.until(report).await;
        assert_eq!(report.recipients, ["RCPT TO:<alice@here.example>"]);
        report.data
    }

    /// Polls until there is something.
    pub async fn until<T>(&self, mut found: impl FnMut() -> Option<T>) -> T {
        let poll = async {
            loop {
                if let Some(found) = found() {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, poll).await.expect("it happens in time")
    }

    /// Waits until the relay ends by itself.
    pub async fn ended(self) -> Result<(), SpoolError> {
        tokio::time::timeout(PATIENCE, self.relay).await.expect("in time").expect("the relay does not crash")
    }

    /// Stops the relay and waits for it.
    pub async fn stop(self) -> Spool {
        self.shutdown.ask();
        self.relay.await.expect("the relay does not crash").expect("the spool works");
        self.spool
    }
}

fn origin() -> Origin {
    Origin {
        role: "submission".into(),
        session: None,
        peer: "127.0.0.1:40000".into(),
        helo: "client".into(),
        account: None,
        tls: true,
        arrival: Timestamp::now(),
    }
}

fn lmtpd_start(pipes: &Pipes, shutdown: &Shutdown) -> FakeServer {
    let behaviour =
        Behaviour { extensions: vec!["PIPELINING", "CHUNKING", "8BITMIME"], ..Behaviour::default() };
    let lmtpd = FakeServer::unbound("127.0.0.1:24".parse().expect("an address"), behaviour);
    let listener = pipes.listen(RoleName::new("lmtpd"));
    let session = lmtpd.clone();
    tokio::spawn(listener.serve(shutdown.clone(), move |connection| session.clone().serve(connection)));
    lmtpd
}

/// An lmtpd on TCP instead.
pub fn lmtp_over_tcp(settings: RelaySettings, address: SocketAddr) -> RelaySettings {
    RelaySettings { lmtp: Endpoint::Tcp(address), ..settings }
}
