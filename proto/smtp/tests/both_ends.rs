//! Our client's machine against our server's: what is sent is what is received.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use address::{Address, BodyKind, Envelope, Envid, MailParams, Notify, Orcpt, Recipient, Ret, ReversePath};
use bytes::BytesMut;
use proptest::prelude::*;
use smtp::client::{Action, Client, ClientSettings, Outcome, Protocol, Transaction};
use smtp::server::{Event, ServerSettings, Session};
use smtp::{EnhancedCode, Flavour, Reply};

/// A server that takes everything, and what it took.
struct Server {
    session: Session,
    input: BytesMut,
    envelope: Option<Envelope>,
    content: Vec<u8>,
    lmtp: bool,
    whole: bool,
}

impl Server {
    fn new(flavour: Flavour, chunking: bool) -> Self {
        let mut settings = ServerSettings::new(flavour, "mx.example.org");
        settings.extensions.chunking = chunking;
        let mut session = Session::new(Arc::new(settings), false);
        session.accept();
        let lmtp = flavour == Flavour::Lmtp;
        Self { session, input: BytesMut::new(), envelope: None, content: vec![], lmtp, whole: false }
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        while let Some(event) = self.session.next(&mut self.input) {
            match event {
                Event::Mail(mail) => {
                    let (reverse_path, params) = (mail.reverse_path, mail.params);
                    self.envelope = Some(Envelope { reverse_path, recipients: vec![], params });
                    self.session.accept();
                }
                Event::Rcpt(rcpt) => {
                    let address = rcpt.forward_path.address_at(&"example.org".parse().unwrap());
                    let recipient = Recipient { address, notify: rcpt.notify, orcpt: rcpt.orcpt };
                    self.envelope.as_mut().unwrap().recipients.push(recipient);
                    self.session.accept();
                }
                Event::Piece(piece) => self.content.extend_from_slice(&piece),
                Event::ContentEnd(_) => self.end(),
                Event::Close => break,
                _ => self.session.accept(),
            }
        }
    }

    fn end(&mut self) {
        let count = if self.lmtp { self.envelope.as_ref().unwrap().recipients.len() } else { 1 };
        let reply = Reply::new(250, EnhancedCode::new(2, 0, 0), "taken");
        self.session.answer_content(vec![reply; count]);
        self.whole = true;
    }
}

/// Carries a transaction from one machine to the other, `step` bytes at a time.
fn carry(server: &mut Server, sent: &Envelope, content: &[u8], step: usize) -> Vec<Outcome> {
    let protocol = if server.lmtp { Protocol::Lmtp } else { Protocol::Smtp };
    let mut client = Client::new(ClientSettings::new(protocol, "client.example"), false);
    let mut begun = false;
    let mut input = BytesMut::new();
    loop {
        match client.action() {
            Action::Send(bytes) => bytes.chunks(step).for_each(|piece| server.receive(piece)),
            Action::Receive(_) => {
                let replies = server.session.output();
                assert!(!replies.is_empty(), "both ends wait");
                input.extend_from_slice(&replies);
                client.receive(&mut input).unwrap();
            }
            Action::Ready if !begun => {
                begun = true;
                let Envelope { reverse_path, recipients, params } = sent.clone();
                let body_bytes = content.len() as u64;
                client
                    .transaction_begin(Transaction { reverse_path, params, recipients, body_bytes })
                    .unwrap();
            }
            Action::Body => {
                let mut out = vec![];
                content.chunks(step).for_each(|piece| client.body_push(piece, &mut out).unwrap());
                out.chunks(step).for_each(|piece| server.receive(piece));
                client.body_finish().unwrap();
            }
            Action::Finished(report) => return report.outcomes,
            action => panic!("{action:?}"),
        }
    }
}

fn address() -> impl Strategy<Value = Address> {
    let local = prop_oneof!["[a-z]{1,8}", "[a-z .@>]{1,8}", "[a-zü]{1,8}"];
    local.prop_filter_map("not a local part", |local| {
        let local = address::LocalPart::from_content(&local).ok()?;
        Some(Address::new(local, "example.org".parse().ok()?))
    })
}

fn recipient() -> impl Strategy<Value = Recipient> {
    let notify = (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(s, f, d)| Notify::when(s, f, d));
    (address(), notify, proptest::option::of(address())).prop_map(|(address, notify, first)| Recipient {
        address,
        notify,
        orcpt: first.as_ref().map(Orcpt::of),
    })
}

fn envelope() -> impl Strategy<Value = Envelope> {
    let sender = proptest::option::of(address());
    let ret = proptest::option::of(prop_oneof![Just(Ret::Full), Just(Ret::Headers)]);
    let envid = proptest::option::of(Just(Envid::parse("a+2Bb").unwrap()));
    (sender, prop::collection::vec(recipient(), 1..5), ret, envid).prop_map(
        |(sender, recipients, ret, envid)| {
            let reverse_path = sender.map_or(ReversePath::Null, ReversePath::Address);
            let params = MailParams {
                ret,
                envid,
                smtputf8: true,
                body: BodyKind::EightBitMime,
                auth: None,
                size: None,
            };
            Envelope { reverse_path, recipients, params }
        },
    )
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    let lines = prop::collection::vec("[.a\u{fc}]{0,6}", 0..30);
    lines.prop_map(|lines| lines.iter().map(|line| format!("{line}\r\n")).collect::<String>().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn envelope_and_content_arrive_as_they_were_sent(
        sent in envelope(),
        text in content(),
        lmtp: bool,
        chunking: bool,
        step in 1usize..200,
    ) {
        let mut server = Server::new(if lmtp { Flavour::Lmtp } else { Flavour::Smtp }, chunking);
        let outcomes = carry(&mut server, &sent, &text, step);
        prop_assert!(server.whole);
        prop_assert_eq!(outcomes.len(), sent.recipients.len());
        prop_assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Accepted(_))), "{:?}", outcomes);
        let mut received = server.envelope.unwrap();
        received.params.size = None;
        prop_assert_eq!(received, sent);
        prop_assert_eq!(server.content, text);
    }
}
