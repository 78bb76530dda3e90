//! Plays the transcripts of `proto/smtp` to a receiver of each dialect, over TCP and TLS: the listener, the driver, the
//! machine and the directory together. What a server decides is what the transcripts' README says.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use address::{AccountName, Address, Domain, Envelope, Recipient};
use directory::{Directory, Embedded, PasswordSettings};
use disk::{FaultDisk, RealDisk};
use jiff::Timestamp;
use net::{Listener, ListenerSettings, Shutdown, TlsStore};
use receive::{Proof, Receiver, ReceiverSettings, Role, SessionInfo, Transaction};
use sasl::Password;
use smtp::command::Mail;
use smtp::{EnhancedCode, Flavour, Refusal, Reply};
use testkit::transcript::{Server, Transcript};

/// What every role of the test decides.
struct Rules {
    turns_away: bool,
}

struct Taken;

impl Proof for Taken {
    fn reply(&self) -> Reply {
        Reply::new(250, EnhancedCode::new(2, 0, 0), "taken")
    }
}

impl Rules {
    fn connect(&self) -> Result<(), Refusal> {
        if self.turns_away { Err(Refusal::new(554, (5, 7, 1), "Go away")) } else { Ok(()) }
    }

    fn sender(mail: &Mail) -> Result<(), Refusal> {
        let evil = mail.reverse_path.address().is_some_and(|from| from.local().content() == "evil");
        if evil { Err(Refusal::new(550, (5, 7, 1), "Not you")) } else { Ok(()) }
    }

    fn recipient(to: &Address) -> Result<Address, Refusal> {
        match (to.local().content(), to.domain().map(Domain::as_str)) {
            (_, domain) if domain != Some("example.org") => Err(Refusal::new(550, (5, 7, 1), "No relaying")),
            ("unknown", _) => Err(Refusal::new(550, (5, 1, 1), "No such user")),
            ("later", _) => Err(Refusal::new(451, (4, 4, 3), "Directory is away")),
            _ => Ok(to.clone()),
        }
    }

    fn delivered(target: &Address) -> Result<Taken, Refusal> {
        match target.local().content() {
            "full" => Err(Refusal::new(452, (4, 2, 2), "Mailbox full")),
            _ => Ok(Taken),
        }
    }
}

/// A role for each dialect, because the dialect is a constant of a role.
macro_rules! role {
    ($Role:ident, $flavour:expr) => {
        struct $Role(Rules);

        impl Role for $Role {
            type Proof = Taken;
            type Id = &'static str;
            type Target = Address;

            const FLAVOUR: Flavour = $flavour;

            fn name(&self) -> &'static str {
                "test"
            }

            fn transaction_id(&self, _session: &SessionInfo, _now: Timestamp) -> &'static str {
                "Q1"
            }

            async fn on_connect(&self, _session: &SessionInfo) -> Result<(), Refusal> {
                self.0.connect()
            }

            async fn on_mail(&self, _session: &SessionInfo, mail: &Mail) -> Result<(), Refusal> {
                Rules::sender(mail)
            }

            async fn on_rcpt(
                &self,
                _session: &SessionInfo,
                _envelope: &Envelope,
                recipient: &Recipient,
            ) -> Result<Address, Refusal> {
                Rules::recipient(&recipient.address)
            }

            async fn on_body(
                &self,
                _id: &'static str,
                _transaction: Transaction,
                targets: Vec<Address>,
            ) -> Vec<Result<Taken, Refusal>> {
                match $flavour {
                    Flavour::Lmtp => targets.iter().map(Rules::delivered).collect(),
                    _ => vec![Ok(Taken)],
                }
            }
        }
    };
}

role!(SmtpRole, Flavour::Smtp);
role!(SubmissionRole, Flavour::Submission);
role!(LmtpRole, Flavour::Lmtp);

/// Who can log in: `user`, by `secret`.
async fn directory() -> Arc<dyn Directory> {
    let cheap = PasswordSettings {
        argon2_memory_kib: 64,
        argon2_passes: 1,
        scram_iterations: 4096,
        ..PasswordSettings::default()
    };
    let domain = Domain::parse("example.org").unwrap();
    let disk = Arc::new(FaultDisk::new());
    let directory = Embedded::open(disk, Path::new("/directory"), domain.clone(), cheap).unwrap();
    directory.domain_add(domain.clone()).await.unwrap();
    let password = Password::new("secret").unwrap();
    directory.account_add(AccountName::new("user", domain).unwrap(), Some(&password), false).await.unwrap();
    Arc::new(directory)
}

fn settings(scene: &Transcript, dir: &Path) -> ReceiverSettings {
    let number = |key: &str, default: usize| scene.value(key).map_or(default, |n| n.parse().unwrap());
    let usual = ReceiverSettings::default();
    ReceiverSettings {
        hostname: "mx.example.org".into(),
        domain: Domain::parse("example.org").unwrap(),
        body_dir: dir.to_owned(),
        message_bytes_max: number("size", 1000) as u64,
        recipients_max: number("recipients", 100),
        messages_max: number("messages", usize::MAX),
        domains_max: number("domains", usize::MAX),
        errors_max: number("errors", 20) as u32,
        refusals_max: number("refusals", 100) as u32,
        idle_commands_max: number("idle", 100) as u32,
        xclient: if scene.value("xclient").is_some() { vec!["127.0.0.1".parse().unwrap()] } else { vec![] },
        ..usual
    }
}

/// Serves the scene of a transcript on a port of its own.
async fn serve(scene: &Transcript, dir: &Path, tls: &TlsStore) -> SocketAddr {
    let implicit = scene.value("secure").is_some();
    let settings = settings(scene, dir);
    let listener =
        ListenerSettings { tls: implicit.then(|| tls.acceptor()), ..ListenerSettings::new("test") };
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), listener).await.unwrap();
    let address = listener.local_addr();
    let starttls = scene.value("starttls").map(|_| tls.acceptor());
    let rules = Rules { turns_away: scene.value("greeting") == Some("refused") };
    let disk = Arc::new(RealDisk);
    macro_rules! serve_as {
        ($role:expr, $directory:expr) => {{
            let receiver = Receiver::new($role, disk, starttls, $directory, settings);
            tokio::spawn(listener.serve(Shutdown::new(), move |connection| {
                let receiver = receiver.clone();
                async move { receiver.serve(connection).await }
            }));
        }};
    }
    match scene.value("flavour") {
        Some("lmtp") => serve_as!(LmtpRole(rules), None),
        Some("submission") => serve_as!(SubmissionRole(rules), Some(directory().await)),
        _ => serve_as!(SmtpRole(rules), None),
    }
    address
}

#[test]
fn every_transcript_is_followed_over_tcp() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let tls = TlsStore::self_signed(dir.path(), &["mx.example.org".to_owned()]).unwrap();
    let transcripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/smtp/transcripts");
    let mut failures = Vec::new();
    for transcript in Transcript::read_all(&transcripts) {
        let server = Server {
            address: runtime.block_on(serve(&transcript, dir.path(), &tls)),
            certificate: Some(dir.path().join("certificate.pem")),
            implicit_tls: transcript.value("secure").is_some(),
            foreign: false,
            patience: Duration::from_secs(20),
        };
        failures.extend(transcript.play(&server).err());
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
