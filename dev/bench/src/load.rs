//! Connections that hand messages over at once, and what each server needs before that.

use crate::letters::{self, Letter, Payload};
use crate::server::Server;
use crate::session::{Session, Wire};
use std::io::Result;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::task::{JoinSet, LocalSet};

/// Mailboxes that each connection appends to in turn: with 64 connections, a thousand in all.
const MAILBOXES: usize = 16;

/// How far apart the first messages of two sessions are.
const APART: usize = 389;

/// Connections that prepare a server.
const PREPARING: usize = 16;

/// Messages after which an SMTP session is opened anew, because servers take no more than some in one.
const SMTP_MESSAGES: usize = 500;

/// Serial numbers are never used twice, whatever the server.
static SERIAL: AtomicU64 = AtomicU64::new(1);

/// Sessions that are open and wait for a measurement to begin.
pub struct Sessions<'a> {
    server: &'a Server,
    wire: Wire,
    open: Vec<Session>,
}

/// Opens as many connections as wanted, each with an account of its own where that means something.
pub async fn open(server: &Server, wire: Wire, connections: usize) -> Sessions<'_> {
    let mut open = Vec::with_capacity(connections);
    for number in 0..connections {
        let session = session(server, wire, number).await;
        open.push(session.unwrap_or_else(|error| panic!("{}: {error}", server.kind.name())));
    }
    Sessions { server, wire, open }
}

async fn session(server: &Server, wire: Wire, number: usize) -> Result<Session> {
    let address = server.address(wire);
    match wire {
        Wire::Append => Session::imap(address, server.tls(), account(server, number)).await,
        Wire::Lmtp | Wire::Smtp => Session::smtp(address, wire == Wire::Lmtp).await,
    }
}

fn account(server: &Server, number: usize) -> &testkit::trial::Account {
    &server.accounts[number % server.accounts.len()]
}

impl Sessions<'_> {
    /// Hands messages over until `end`; how many were acknowledged.
    pub async fn run(self, letters: &Rc<Vec<Letter>>, end: Instant) -> u64 {
        let go_on = move |_| Instant::now() < end;
        self.turns(letters, APART, Rc::new(go_on)).await
    }

    /// Each session hands over messages while `go_on` says so; the places of the first ones are `apart`.
    async fn turns(self, letters: &Rc<Vec<Letter>>, apart: usize, go_on: Rc<dyn Fn(Turn) -> bool>) -> u64 {
        let local = LocalSet::new();
        let mut tasks = JoinSet::new();
        let recipients = self.server.accounts.iter().map(|to| to.address.clone());
        let recipients: Rc<[String]> = recipients.collect();
        for (number, session) in self.open.into_iter().enumerate() {
            let (letters, recipients) = (letters.clone(), recipients.clone());
            let address = self.server.address(self.wire);
            let turns =
                Turns { session, wire: self.wire, address, letters, recipients, first: number * apart };
            tasks.spawn_local_on(turns.run(go_on.clone()), &local);
        }
        let all = async { tasks.join_all().await };
        let name = self.server.kind.name();
        let counts = local.run_until(all).await.into_iter();
        counts.map(|count| count.unwrap_or_else(|error| panic!("{name}: {error}"))).sum()
    }
}

/// Which message of a session, and which place it is for: a number that tells the mailbox.
#[derive(Clone, Copy)]
struct Turn {
    turn: usize,
    place: usize,
}

/// One session's part.
struct Turns {
    session: Session,
    wire: Wire,
    address: SocketAddr,
    letters: Rc<Vec<Letter>>,
    recipients: Rc<[String]>,
    /// The place of the first message.
    first: usize,
}

impl Turns {
    async fn run(mut self, go_on: Rc<dyn Fn(Turn) -> bool>) -> Result<u64> {
        let mut count = 0;
        let first = self.first;
        let turns = (0..).map(|turn| Turn { turn, place: first + turn });
        for Turn { turn, place } in turns.take_while(|turn| go_on(*turn)) {
            if self.wire == Wire::Smtp && turn % SMTP_MESSAGES == SMTP_MESSAGES - 1 {
                self.session = Session::smtp(self.address, false).await?;
            }
            self.one(place).await?;
            count += 1;
        }
        Ok(count)
    }

    async fn one(&mut self, place: usize) -> Result<()> {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let letter = &self.letters[place % self.letters.len()];
        match self.wire {
            Wire::Append => self.session.append(&mailbox(place % MAILBOXES), letter, serial).await,
            Wire::Lmtp | Wire::Smtp => {
                // A step that is prime to any usual number of accounts goes through all of them.
                let to = &self.recipients[place * 61 % self.recipients.len()];
                self.session.send(to, letter, serial).await
            }
        }
    }
}

fn mailbox(number: usize) -> String {
    if number == 0 { "INBOX".to_owned() } else { format!("INBOX/Box{number:02}") }
}

/// Makes the mailboxes that will be appended to, and puts a first message into each inbox, which some servers make only
/// then.
pub async fn prepare(server: &Server, wires: &[Wire]) {
    eprintln!("filling {}", server.kind.name());
    let letters = Rc::new(letters::made(Payload::Text, 1_024));
    if wires.contains(&Wire::Lmtp) && server.kind.speaks(Wire::Lmtp) {
        let all = server.accounts.len();
        let each = all.div_ceil(PREPARING);
        let go_on = move |Turn { turn, place }| turn < each && place < all;
        open(server, Wire::Lmtp, PREPARING).await.turns(&letters, each, Rc::new(go_on)).await;
    }
    if wires.contains(&Wire::Append) && server.kind.speaks(Wire::Append) {
        for number in 0..64.min(server.accounts.len()) {
            mailboxes(server, number).await.unwrap_or_else(|error| panic!("{}: {error}", server.kind.name()));
        }
    }
}

async fn mailboxes(server: &Server, number: usize) -> Result<()> {
    let mut session = session(server, Wire::Append, number).await?;
    for number in 1..MAILBOXES {
        session.command(&format!("CREATE {}", mailbox(number))).await?;
    }
    Ok(())
}
