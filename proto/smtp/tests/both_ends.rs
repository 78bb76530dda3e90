//! The client's machine talks to the server's: whatever is offered and whoever is refused, what one
//! sends the other gets, and both think the same of each recipient.

use std::sync::Arc;

use address::{Address, MailParams, Recipient, ReversePath};
use bytes::BytesMut;
use proptest::prelude::*;
use smtp::client::{Action, Client, ClientSettings, Outcome, Protocol, Report, StartTls, Transaction};
use smtp::server::{Event, ServerSettings, Session};
use smtp::{EnhancedCode, Flavour, Refusal, Reply};

/// What the server is to do with a recipient; its address says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Accepted,
    RefusedAtRcpt,
    /// In LMTP, after the message.
    RefusedAtEnd,
}

impl Fate {
    fn local_part(self) -> &'static str {
        match self {
            Self::Accepted => "yes",
            Self::RefusedAtRcpt => "no",
            Self::RefusedAtEnd => "full",
        }
    }

    fn of(path: &str) -> Self {
        let fates = [Self::RefusedAtRcpt, Self::RefusedAtEnd];
        fates.into_iter().find(|fate| path.contains(fate.local_part())).unwrap_or(Self::Accepted)
    }
}

#[derive(Clone, Debug)]
struct Offer {
    lmtp: bool,
    pipelining: bool,
    chunking: bool,
    starttls: bool,
    group_max: usize,
}

/// The server's machine, with a caller that does what the recipients' addresses say.
struct Server {
    session: Session,
    input: BytesMut,
    taken: Vec<Fate>,
    content: Vec<u8>,
    messages: Vec<Vec<u8>>,
}

impl Server {
    fn new(offer: &Offer) -> Self {
        let flavour = if offer.lmtp { Flavour::Lmtp } else { Flavour::Smtp };
        let mut settings = ServerSettings::new(flavour, "mx.example");
        settings.extensions.pipelining = offer.pipelining;
        settings.extensions.chunking = offer.chunking;
        settings.extensions.starttls = offer.starttls;
        let mut session = Session::new(Arc::new(settings), false);
        session.accept();
        let (input, taken, content, messages) = Default::default();
        Self { session, input, taken, content, messages }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        while let Some(event) = self.session.next(&mut self.input) {
            match event {
                Event::Close => break,
                event => self.event(event),
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Mail(_) => {
                self.taken.clear();
                self.session.accept();
            }
            Event::Rcpt(rcpt) => match Fate::of(&rcpt.forward_path.to_string()) {
                Fate::RefusedAtRcpt => self.session.refuse(Refusal::new(550, (5, 1, 1), "no")),
                fate => {
                    self.taken.push(fate);
                    self.session.accept();
                }
            },
            Event::Piece(piece) => self.content.extend_from_slice(&piece),
            Event::ContentEnd(_) => {
                self.messages.push(std::mem::take(&mut self.content));
                self.session.answer_content(self.taken.iter().map(|fate| end_reply(*fate)).collect());
            }
            Event::ContentRefused(refusal) => panic!("content refused: {refusal}"),
            _ => self.session.accept(),
        }
    }
}

fn end_reply(fate: Fate) -> Reply {
    match fate {
        Fate::RefusedAtEnd => Reply::new(452, EnhancedCode::new(4, 2, 2), "full"),
        _ => Reply::new(250, EnhancedCode::new(2, 0, 0), "taken"),
    }
}

/// Sends all messages over one connection.
fn converse(offer: &Offer, messages: &[(Vec<Fate>, Vec<u8>)]) -> (Vec<Report>, Vec<Vec<u8>>) {
    let protocol = if offer.lmtp { Protocol::Lmtp } else { Protocol::Smtp };
    let settings = ClientSettings::new(protocol, "me.example");
    let settings =
        ClientSettings { group_commands_max: offer.group_max, start_tls: StartTls::IfOffered, ..settings };
    let (mut client, mut server) = (Client::new(settings, false), Server::new(offer));
    let (mut replies, mut reports, mut begun) = (BytesMut::new(), Vec::new(), 0);
    loop {
        match client.action() {
            Action::Send(bytes) => server.take(&bytes),
            Action::Receive(_) => {
                replies.extend_from_slice(&server.session.output());
                assert!(!replies.is_empty(), "both wait for each other");
                client.receive(&mut replies).expect("the server keeps to the protocol");
            }
            Action::StartTls => {
                client.tls_started();
                server.session.tls_started();
            }
            Action::Body => body_send(&mut client, &messages[begun - 1].1, &mut server),
            Action::Finished(report) => reports.push(report),
            Action::Ready if begun < messages.len() => {
                client.transaction_begin(transaction(&messages[begun])).expect("it is ready");
                begun += 1;
            }
            Action::Ready => client.quit(),
            Action::Close => return (reports, server.messages),
        }
    }
}

fn body_send(client: &mut Client, body: &[u8], server: &mut Server) {
    let mut out = Vec::new();
    for chunk in body.chunks(7) {
        client.body_push(chunk, &mut out).expect("a body is due");
    }
    client.body_finish().expect("the body is as long as announced");
    server.take(&out);
}

fn transaction((fates, body): &(Vec<Fate>, Vec<u8>)) -> Transaction {
    let recipient = |(number, fate): (usize, &Fate)| {
        let address = format!("{}{number}@x.example", fate.local_part());
        Recipient::new(address.parse().expect("an address"))
    };
    let sender: Address = "a@me.example".parse().expect("an address");
    Transaction {
        reverse_path: ReversePath::Address(sender),
        params: MailParams::default(),
        recipients: fates.iter().enumerate().map(recipient).collect(),
        body_bytes: body.len() as u64,
    }
}

fn is_as_fated(fate: Fate, outcome: &Outcome, lmtp: bool) -> bool {
    let code = match outcome {
        Outcome::Accepted(reply) | Outcome::Refused { reply, .. } => reply.code(),
        Outcome::Unanswered => 0,
    };
    match fate {
        Fate::RefusedAtRcpt => code == 550,
        Fate::RefusedAtEnd if lmtp => code == 452,
        _ => code == 250 && matches!(outcome, Outcome::Accepted(_)),
    }
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![Just(Fate::Accepted), Just(Fate::RefusedAtRcpt), Just(Fate::RefusedAtEnd)]
}

fn message() -> impl Strategy<Value = (Vec<Fate>, Vec<u8>)> {
    let body =
        prop::collection::vec("[.a]{0,3}", 0..6).prop_map(|lines| (lines.join("\r\n") + "\r\n").into());
    (prop::collection::vec(fate(), 1..6), body)
}

fn offer() -> impl Strategy<Value = Offer> {
    let flags = any::<(bool, bool, bool, bool)>();
    (flags, 1_usize..5).prop_map(|((lmtp, pipelining, chunking, starttls), group_max)| Offer {
        lmtp,
        pipelining,
        chunking,
        starttls,
        group_max,
    })
}

proptest! {
    #[test]
    fn what_one_end_sends_the_other_gets(offer in offer(), messages in prop::collection::vec(message(), 1..4)) {
        // SMTP has one reply for all, which is the first recipient's here.
        let messages: Vec<_> = messages.into_iter().map(|(mut fates, body)| {
            if !offer.lmtp {
                fates.retain(|fate| *fate != Fate::RefusedAtEnd);
                fates.push(Fate::Accepted);
            }
            (fates, body)
        }).collect();
        let (reports, received) = converse(&offer, &messages);
        prop_assert_eq!(reports.len(), messages.len());
        for ((fates, _), report) in messages.iter().zip(&reports) {
            for (fate, outcome) in fates.iter().zip(&report.outcomes) {
                prop_assert!(is_as_fated(*fate, outcome, offer.lmtp), "{fate:?}: {outcome:?}");
            }
        }
        let wanted: Vec<Vec<u8>> = messages.iter()
            .filter(|(fates, _)| fates.iter().any(|fate| *fate != Fate::RefusedAtRcpt))
            .map(|(_, body)| body.clone())
            .collect();
        prop_assert_eq!(received, wanted);
    }
}
