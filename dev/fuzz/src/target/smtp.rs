//! The SMTP and LMTP wire, both ends.

use crate::cuts::{Cuts, same, split};
use address::{MailParams, Recipient, ReversePath};
use bytes::BytesMut;
use smtp::client::{Action, Client, ClientSettings, Outcome, Protocol, Report, StartTls, Transaction};
use smtp::command::Command;
use smtp::data::{ChunkDecoder, ContentFault, DataDecoder};
use smtp::server::{Event, ServerSettings, Session};
use smtp::{Extensions, Flavour, Refusal, Reply};
use std::sync::Arc;

const FLAVOURS: [Flavour; 3] = [Flavour::Smtp, Flavour::Submission, Flavour::Lmtp];
/// Bytes of the biggest message, small enough to be outgrown.
const MESSAGE_BYTES_MAX: u64 = 600;
/// The bit of a session's choice that offers STARTTLS.
const OFFERS_TLS: u8 = 4;

/// A server's session: events and replies do not depend on how the bytes are cut, and no more is kept than a line.
pub fn server(bytes: &[u8]) {
    let ([choice, seed], input) = split::<2>(bytes);
    let whole = Served::run(choice, &[input]);
    let cut = Served::run(choice, &Cuts::new(seed).pieces(input));
    // Where STARTTLS is offered, what comes in one piece with it matters: the session ends (RFC 3207 6).
    if choice & OFFERS_TLS == 0 {
        assert_eq!(whole.events, cut.events);
        same(&whole.output, &cut.output);
    }
}

/// What a server's session came to.
struct Served {
    session: Session,
    events: Vec<Event>,
    output: Vec<u8>,
    asked: u8,
    recipients: usize,
    over: bool,
}

impl Served {
    fn run(choice: u8, pieces: &[&[u8]]) -> Served {
        let mut settings = ServerSettings::new(FLAVOURS[usize::from(choice) % 3], "mx.example.org");
        settings.extensions = Extensions::ours(MESSAGE_BYTES_MAX);
        settings.extensions.starttls = choice & OFFERS_TLS != 0;
        settings.extensions.auth = vec!["PLAIN".into(), "SCRAM-SHA-256".into()];
        settings.recipients_max = 5;
        let mut session = Session::new(Arc::new(settings), choice & 8 != 0);
        if choice & 16 != 0 {
            session.xclient_allow();
        }
        session.accept();
        let (events, output) = (Vec::new(), Vec::new());
        let mut served = Served { session, events, output, asked: choice, recipients: 0, over: false };
        let mut input = BytesMut::new();
        for piece in [&b""[..]].iter().chain(pieces) {
            input.extend_from_slice(piece);
            served.take(&mut input);
        }
        served.events.pop_if(|last| matches!(last, Event::Piece(_)));
        served
    }

    fn take(&mut self, input: &mut BytesMut) {
        while !self.over {
            let Some(event) = self.session.next(input) else { break };
            self.answer(&event);
            self.note(event);
        }
        self.output.extend(self.session.output());
        assert!(self.over || input.len() <= limits::SMTP_AUTH_LINE_BYTES_MAX, "{} bytes kept", input.len());
    }

    /// Pieces of content are one event, however they came; what is in them counts only where the content is whole.
    fn note(&mut self, event: Event) {
        if !matches!(event, Event::Piece(_) | Event::ContentEnd(_)) {
            self.events.pop_if(|before| matches!(before, Event::Piece(_)));
        }
        match (self.events.last_mut(), event) {
            (Some(Event::Piece(before)), Event::Piece(piece)) => {
                *before = [&before[..], &piece[..]].concat().into();
            }
            (_, event) => self.events.push(event),
        }
    }

    /// Says yes mostly, no sometimes; what is said depends on how often something was asked.
    fn answer(&mut self, event: &Event) {
        if !matches!(event, Event::Piece(_)) {
            self.asked = self.asked.wrapping_mul(29).wrapping_add(7);
        }
        let no = self.asked % 8 == 3;
        match event {
            Event::Close => self.over = true,
            // What follows in clear would be forgotten, and how much that is depends on how it was cut.
            Event::StartTls if !no => {
                self.session.accept();
                self.session.tls_started();
                self.over = true;
            }
            Event::Mail(_) => self.recipients = 0,
            Event::Auth(_) | Event::AuthResponse(_) if self.asked % 8 == 4 => {
                return self.session.challenge(b"challenge");
            }
            Event::ContentEnd(_) => {
                let replies = vec![Reply::new(250, None, "taken"); self.recipients];
                return self.session.answer_content(replies);
            }
            Event::Rcpt(_) if !no => self.recipients += 1,
            _ => {}
        }
        match no {
            true => self.session.refuse(Refusal::new(451, (4, 3, 0), "not now")),
            false => self.session.accept(),
        }
    }
}

/// A client's session with whatever answers it: each recipient has an outcome, and yes is never made of a no.
pub fn client(bytes: &[u8]) {
    let ([choice, seed], input) = split::<2>(bytes);
    let protocol = if choice & 1 == 0 { Protocol::Smtp } else { Protocol::Lmtp };
    let mut settings = ClientSettings::new(protocol, "client.example.org");
    settings.start_tls =
        [StartTls::Never, StartTls::IfOffered, StartTls::Required][usize::from(choice >> 1) % 3];
    settings.group_commands_max = 1 + usize::from(choice >> 4);
    let mut client = Client::new(settings, choice & 8 != 0);
    let (mut input_left, mut messages) = (BytesMut::new(), 3);
    for piece in Cuts::new(seed).pieces(input) {
        if drive(&mut client, &mut messages) {
            return;
        }
        input_left.extend_from_slice(piece);
        if client.receive(&mut input_left).is_err() {
            break;
        }
        assert!(input_left.len() <= limits::SMTP_REPLY_BYTES_MAX, "{} bytes kept", input_left.len());
    }
    if let Some(report) = client.abandon() {
        check_report(&report);
    }
}

const RECIPIENTS: [&str; 3] = ["one@example.org", "two@example.org", "\"three \\\" more\"@example.org"];
const BODY: &[u8] = b"Subject: x\r\n\r\n.dot\r\n..\r\n.\r\nno line end";

fn transaction(params: MailParams) -> Transaction {
    let recipient = |address: &&str| Recipient::new(address.parse().expect("an address"));
    Transaction {
        reverse_path: ReversePath::parse("<sender@example.org>").expect("a path"),
        params,
        recipients: RECIPIENTS.iter().map(recipient).collect(),
        body_bytes: BODY.len() as u64,
    }
}

/// Does what the client asks for, up to where it waits; true where it is over.
fn drive(client: &mut Client, messages: &mut u32) -> bool {
    loop {
        match client.action() {
            Action::Send(bytes) => assert!(bytes.ends_with(b"\r\n")),
            Action::Finished(report) => check_report(&report),
            Action::StartTls => client.tls_started(),
            Action::Body => {
                let mut out = Vec::new();
                client.body_push(BODY, &mut out).expect("a body is due");
                client.body_finish().expect("it is as long as announced");
            }
            Action::Ready if *messages > 0 => {
                *messages -= 1;
                client.transaction_begin(transaction(MailParams::default())).expect("it is ready");
            }
            Action::Ready => client.quit(),
            Action::Receive(_) => return false,
            Action::Close => return true,
        }
    }
}

fn check_report(report: &Report) {
    assert_eq!(report.outcomes.len(), RECIPIENTS.len());
    for outcome in &report.outcomes {
        match outcome {
            Outcome::Accepted(reply) => assert!(reply.is_positive(), "{reply}"),
            Outcome::Refused { reply, .. } => assert!(!reply.is_positive() || reply.code() < 400, "{reply}"),
            Outcome::Unanswered => {}
        }
    }
}

/// A command line: what is read is sent by our client and read again as it was.
pub fn command(bytes: &[u8]) {
    for flavour in FLAVOURS {
        match Command::parse(bytes, flavour) {
            Ok(Command::Mail(mail)) => {
                let mut sent = transaction(mail.params.clone());
                sent.reverse_path = mail.reverse_path.clone();
                let line = sent_line(sent, "MAIL");
                let Ok(Command::Mail(again)) = Command::parse(&line, flavour) else {
                    panic!("{}", line.escape_ascii())
                };
                assert_eq!(again.reverse_path, mail.reverse_path);
                let told = |params: MailParams| MailParams { size: None, smtputf8: false, ..params };
                assert_eq!(told(again.params), told(mail.params));
            }
            Ok(Command::Rcpt(rcpt)) => check_rcpt(&rcpt, flavour),
            Err(refusal) => assert!(refusal.reply().code() >= 400, "{refusal}"),
            Ok(_) => {}
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let read = Extensions::from_lines(text.lines());
        assert_eq!(Extensions::from_lines(read.lines()), read);
    }
}

fn check_rcpt(rcpt: &smtp::command::Rcpt, flavour: Flavour) {
    let domain = address::Domain::parse("example.org").expect("a domain");
    let recipient = Recipient {
        address: rcpt.forward_path.clone().address_at(&domain),
        notify: rcpt.notify,
        orcpt: rcpt.orcpt.clone(),
    };
    let mut sent = transaction(MailParams { smtputf8: true, ..MailParams::default() });
    sent.recipients = vec![recipient.clone()];
    let line = sent_line(sent, "RCPT");
    let Ok(Command::Rcpt(again)) = Command::parse(&line, flavour) else { panic!("{}", line.escape_ascii()) };
    assert_eq!(again.forward_path.address_at(&domain), recipient.address);
    assert_eq!((again.notify, again.orcpt), (recipient.notify, recipient.orcpt));
}

/// The line with `verb` that a client sends to a server that knows everything.
fn sent_line(mut transaction: Transaction, verb: &str) -> Vec<u8> {
    let settings =
        ClientSettings { start_tls: StartTls::Never, ..ClientSettings::new(Protocol::Smtp, "c.example") };
    let mut client = Client::new(settings, true);
    let mut input = BytesMut::from(&b"220 x\r\n250-x\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-DSN\r\n"[..]);
    input.extend_from_slice(b"250-SMTPUTF8\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250 AUTH PLAIN\r\n");
    client.receive(&mut input).expect("replies");
    transaction.body_bytes = 0;
    let mut sent = Vec::new();
    while let Action::Send(bytes) = client.action() {
        drop(bytes);
    }
    client.transaction_begin(transaction).expect("it is ready");
    while let Action::Send(bytes) = client.action() {
        sent.extend(bytes);
    }
    let lines = sent.split_inclusive(|byte| *byte == b'\n');
    let line = lines.into_iter().find(|line| line.starts_with(verb.as_bytes()));
    line.and_then(|line| line.strip_suffix(b"\r\n")).expect("the line was sent").to_vec()
}

/// Message content: the decoders do not depend on cuts, and what is stuffed is unstuffed as it was.
pub fn content(bytes: &[u8]) {
    let ([seed], input) = split::<1>(bytes);
    let whole = data(&[input]);
    assert_eq!(whole, data(&Cuts::new(seed).pieces(input)));
    assert_eq!(chunk(&[input]), chunk(&Cuts::new(seed).pieces(input)));
    let mut stuffed = stuffed(input, &mut Cuts::new(seed));
    stuffed.extend_from_slice(b"RSET");
    let mut rest = BytesMut::from(&stuffed[..]);
    let (mut decoder, mut out) = (DataDecoder::new(0), Vec::new());
    assert!(decoder.push(&mut rest, &mut out), "no end in {}", stuffed.escape_ascii());
    assert_eq!(decoder.content().fault(), input.contains(&0).then_some(ContentFault::Nul));
    same(&rest, b"RSET");
    if !input.contains(&0) {
        same(&out, &lined(input));
    }
}

/// With CRLF for every CR and LF that stands alone, and at the end.
fn lined(body: &[u8]) -> Vec<u8> {
    let mut lined = Vec::with_capacity(body.len() + 2);
    for (at, byte) in body.iter().enumerate() {
        match byte {
            b'\r' => lined.extend_from_slice(b"\r\n"),
            b'\n' if at > 0 && body[at - 1] == b'\r' => {}
            b'\n' => lined.extend_from_slice(b"\r\n"),
            _ => lined.push(*byte),
        }
    }
    if !lined.is_empty() && !lined.ends_with(b"\r\n") {
        lined.extend_from_slice(b"\r\n");
    }
    lined
}

/// Output, what is left, whether it ended, and what is wrong with it.
type Decoded = (Vec<u8>, Vec<u8>, bool, String);

fn data(pieces: &[&[u8]]) -> Decoded {
    let (mut decoder, mut out) = (DataDecoder::new(MESSAGE_BYTES_MAX), Vec::new());
    let (mut input, mut ended) = (BytesMut::new(), false);
    for piece in pieces {
        input.extend_from_slice(piece);
        ended = ended || decoder.push(&mut input, &mut out);
        assert!(ended || input.len() < 5, "{} bytes kept", input.len());
    }
    let content = decoder.content();
    let facts = format!("{:?} {} {}", content.fault(), content.bytes(), content.eight_bit());
    let out = if content.fault().is_some() { Vec::new() } else { out };
    (out, input.to_vec(), ended, facts)
}

fn chunk(pieces: &[&[u8]]) -> (Vec<u8>, String) {
    let (mut decoder, mut out) = (ChunkDecoder::new(MESSAGE_BYTES_MAX), Vec::new());
    pieces.iter().for_each(|piece| decoder.push(piece, &mut out));
    decoder.finish();
    let content = decoder.content();
    let out = if content.fault().is_some() { Vec::new() } else { out };
    (out, format!("{:?} {} {}", content.fault(), content.bytes(), content.eight_bit()))
}

/// A body as our client sends it by DATA.
fn stuffed(body: &[u8], cuts: &mut Cuts) -> Vec<u8> {
    let settings =
        ClientSettings { start_tls: StartTls::Never, ..ClientSettings::new(Protocol::Smtp, "c.example") };
    let mut client = Client::new(settings, true);
    client.receive(&mut BytesMut::from(&b"220 x\r\n250-x\r\n250 8BITMIME\r\n"[..])).expect("replies");
    while let Action::Send(bytes) = client.action() {
        drop(bytes);
    }
    let body_bytes = body.len() as u64;
    let one = transaction(MailParams::default()).recipients.remove(0);
    let sent = Transaction { body_bytes, recipients: vec![one], ..transaction(MailParams::default()) };
    client.transaction_begin(sent).expect("it is ready");
    for reply in [&b"250 ok\r\n"[..], b"250 ok\r\n", b"354 go\r\n"] {
        while let Action::Send(bytes) = client.action() {
            drop(bytes);
        }
        client.receive(&mut BytesMut::from(reply)).expect("a reply");
    }
    let mut out = Vec::new();
    for piece in cuts.pieces(body) {
        client.body_push(piece, &mut out).expect("a body is due");
    }
    client.body_finish().expect("it is as long as announced");
    while let Action::Send(bytes) = client.action() {
        out.extend(bytes);
    }
    out
}
