//! The client's machine against scripted servers. `C:` is what it must send, `S:` what it is answered,
//! `TLS` a handshake.

mod script;

use address::{BodyKind, MailParams, Notify, Ret, ReversePath};
use script::{Play, message, recipient};
use smtp::Reply;
use smtp::client::{ClientError, ClientSettings, Outcome, Protocol, Stage, StartTls};

fn smtp_settings() -> ClientSettings {
    ClientSettings::new(Protocol::Smtp, "me.example")
}

fn lmtp_settings() -> ClientSettings {
    ClientSettings::new(Protocol::Lmtp, "me.example")
}

fn accepted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Accepted(_))
}

fn refused(stage: Stage, code: u16) -> impl Fn(&Outcome) -> bool {
    move |outcome| matches!(outcome, Outcome::Refused { stage: s, reply } if *s == stage && reply.code() == code)
}

#[test]
fn commands_go_one_by_one_to_a_peer_without_pipelining() {
    let reports = Play::new(smtp_settings())
        .message(message(&["b@x.example", "c@x.example"], "Subject: hi\r\n\r\n.dot\r\n"))
        .run(
            "S: 220 x.example
            C: EHLO me.example
            S: 250 x.example
            C: MAIL FROM:<a@me.example>
            S: 250 ok
            C: RCPT TO:<b@x.example>
            S: 250 ok
            C: RCPT TO:<c@x.example>
            S: 251 will forward
            C: DATA
            S: 354 go
            C: Subject: hi
            C:
            C: ..dot
            C: .
            S: 250 2.0.0 queued
            C: QUIT
            S: 221 bye",
        )
        .unwrap();
    assert!(reports[0].outcomes.iter().all(accepted));
    assert!(!reports[0].dsn_passed_on);
}

#[test]
fn the_envelope_goes_in_one_group_to_a_peer_with_pipelining() {
    let reports = Play::new(smtp_settings())
        .message(message(&["b@x.example", "c@x.example"], "hi\r\n"))
        .run(
            "S: 220 x.example
            C: EHLO me.example
            S: 250-x.example
            S: 250 PIPELINING
            C: MAIL FROM:<a@me.example>
            C: RCPT TO:<b@x.example>
            C: RCPT TO:<c@x.example>
            C: DATA
            S: 250 ok
            S: 250 ok
            S: 250 ok
            S: 354 go
            C: hi
            C: .
            S: 250 queued
            C: QUIT
            S: 221 bye",
        )
        .unwrap();
    assert!(reports[0].outcomes.iter().all(accepted));
}

#[test]
fn a_refused_recipient_does_not_stop_the_others() {
    let reports = Play::new(smtp_settings())
        .message(message(&["b@x.example", "no@x.example", "full@x.example"], "hi\r\n"))
        .run(
            "S: 220 x.example
            C: EHLO me.example
            S: 250-x.example
            S: 250 PIPELINING
            C: MAIL FROM:<a@me.example>
            C: RCPT TO:<b@x.example>
            C: RCPT TO:<no@x.example>
            C: RCPT TO:<full@x.example>
            C: DATA
            S: 250 ok
            S: 250 ok
            S: 550 5.1.1 no such user
            S: 452 4.2.2 mailbox full
            S: 354 go
            C: hi
            C: .
            S: 250 queued
            C: QUIT
            S: 221 bye",
        )
        .unwrap();
    let outcomes = &reports[0].outcomes;
    assert!(accepted(&outcomes[0]));
    assert!(refused(Stage::Rcpt, 550)(&outcomes[1]));
    assert!(refused(Stage::Rcpt, 452)(&outcomes[2]));
}

#[test]
fn a_refused_sender_refuses_all_recipients_and_the_connection_is_used_again() {
    let reports = Play::new(smtp_settings())
        .message(message(&["b@x.example"], "hi\r\n"))
        .message(message(&["c@x.example"], "ho\r\n"))
        .run(
            "S: 220 x.example
            C: EHLO me.example
            S: 250-x.example
            S: 250 PIPELINING
            C: MAIL FROM:<a@me.example>
            C: RCPT TO:<b@x.example>
            C: DATA
            S: 451 4.7.1 later
            S: 503 no
            S: 503 no
            C: RSET
            S: 250 ok
            C: MAIL FROM:<a@me.example>
            C: RCPT TO:<c@x.example>
            C: DATA
            S: 250 ok
            S: 250 ok
            S: 354 go
            C: ho
            C: .
            S: 250 queued
            C: QUIT
            S: 221 bye",
        )
        .unwrap();
    assert!(refused(Stage::Mail, 451)(&reports[0].outcomes[0]));
    assert!(accepted(&reports[1].outcomes[0]));
}

#[test]
fn data_that_is_wanted_for_nobody_is_empty() {
    let reports = Play::new(smtp_settings())
        .message(message(&["no@x.example"], "hi\r\n"))
        .run(
            "S: 220 x.example
            C: EHLO me.example
            S: 250-x.example
            S: 250 PIPELINING
            C: MAIL FROM:<a@me.example>
            C: RCPT TO:<no@x.example>
            C: DATA
            S: 250 ok
            S: 550 no such user
            S: 354 go all the same
            C: .
            S: 554 no recipients
            C: QUIT
            S: 221 bye",
        )
        .unwrap();
    assert!(refused(Stage::Rcpt, 550)(&reports[0].outcomes[0]));
}

#[test]
fn refused_data_refuses_the_accepted_recipients_only() {
    let reports = Play::new(smtp_settings())
        .message(message(&["b@x.example", "no@x.example"], "hi\r\n"))
        .run(
            "S: 220 x.example
            C: EHLO me.example
            S: 250 x.example
            C: MAIL FROM:<a@me.example>
            S: 250 ok
            C: RCPT TO:<b@x.example>
            S: 250 ok
            C: RCPT TO:<no@x.example>
            S: 550 no
            C: DATA
            S: 451 not now
            C: RSET
            S: 250 ok
            C: QUIT
            S: 221 bye",
        )
        .unwrap();
    assert!(refused(Stage::Data, 451)(&reports[0].outcomes[0]));
    assert!(refused(Stage::Rcpt, 550)(&reports[0].outcomes[1]));
}

#[test]
fn a_server_that_does_not_know_ehlo_is_greeted_with_helo() {
    let reports = Play::new(smtp_settings())
        .message(message(&["b@x.example"], "hi\r\n"))
        .run(
            "S: 220 x.example
            C: EHLO me.example
            S: 502 what?
            C: HELO me.example
            S: 250 x.example
            C: MAIL FROM:<a@me.example>
            S: 250 ok
            C: RCPT TO:<b@x.example>
            S: 250 ok
            C: DATA
            S: 354 go
            C: hi
            C: .
            S: 250 queued
            C: QUIT
            S: 221 bye",
        )
        .unwrap();
    assert!(accepted(&reports[0].outcomes[0]));
}

#[test]
fn lmtp_gives_each_accepted_recipient_its_own_reply() {
    let reports = Play::new(lmtp_settings())
        .message(message(&["b@x.example", "no@x.example", "c@x.example", "d@x.example"], "hi\r\n"))
        .run(
            "S: 220 x.example LMTP
            C: LHLO me.example
            S: 250-x.example
            S: 250-ENHANCEDSTATUSCODES
            S: 250 PIPELINING
            C: MAIL FROM:<a@me.example>
            C: RCPT TO:<b@x.example>
            C: RCPT TO:<no@x.example>
            C: RCPT TO:<c@x.example>
            C: RCPT TO:<d@x.example>
            C: DATA
            S: 250 2.1.0 ok
            S: 250 2.1.5 ok
            S: 550 5.1.1 no
            S: 250 2.1.5 ok
            S: 250 2.1.5 ok
            S: 354 go
            C: hi
            C: .
            S: 250 2.0.0 stored for b
            S: 452 4.2.2 c is full
            S: 250 2.0.0 stored for d
            C: QUIT
            S: 221 bye",
        )
        .unwrap();
    let outcomes = &reports[0].outcomes;
    assert!(matches!(&outcomes[0], Outcome::Accepted(reply) if reply.text() == "stored for b"));
    assert!(refused(Stage::Rcpt, 550)(&outcomes[1]));
    assert!(refused(Stage::Body, 452)(&outcomes[2]));
    assert!(matches!(&outcomes[3], Outcome::Accepted(reply) if reply.text() == "stored for d"));
}

#[test]
fn lmtp_answers_a_last_chunk_for_each_recipient_too() {
    let reports = Play::new(lmtp_settings())
        .message(message(&["b@x.example", "c@x.example"], ".hi\r\n"))
        .run(
            "S: 220 x.example LMTP
            C: LHLO me.example
            S: 250-x.example
            S: 250-CHUNKING
            S: 250 PIPELINING
            C: MAIL FROM:<a@me.example>
            C: RCPT TO:<b@x.example>
            C: RCPT TO:<c@x.example>
            S: 250 ok
            S: 250 ok
            S: 250 ok
            C: BDAT 5 LAST
            C: .hi
            S: 250 b
            S: 250 c
            C: QUIT
            S: 221 bye",
        )
        .unwrap();
    assert!(reports[0].outcomes.iter().all(accepted));
}

#[test]
fn a_chunk_goes_as_it_is_and_a_refused_one_is_followed_by_rset() {
    let reports = Play::new(smtp_settings())
        .message(message(&["b@x.example"], "..\r\n.\r\nno line end"))
        .run(
            "S: 220 x.example
            C: EHLO me.example
            S: 250-x.example
            S: 250 CHUNKING
            C: MAIL FROM:<a@me.example>
            S: 250 ok
            C: RCPT TO:<b@x.example>
            S: 250 ok
            C: BDAT 18 LAST
            C: ..
            C: .
            C- no line end
            S: 554 5.7.1 do not like it
            C: RSET
            S: 250 ok
            C: QUIT
            S: 221 bye",
        )
        .unwrap();
    assert!(refused(Stage::Body, 554)(&reports[0].outcomes[0]));
}

#[test]
fn after_starttls_the_peer_is_greeted_anew_and_its_old_extensions_forgotten() {
    let reports = Play::new(smtp_settings())
        .message(message(&["b@x.example"], "hi\r\n"))
        .run(
            "S: 220 x.example
            C: EHLO me.example
            S: 250-x.example
            S: 250-PIPELINING
            S: 250 STARTTLS
            C: STARTTLS
            S: 220 go
            TLS
            C: EHLO me.example
            S: 250 x.example
            C: MAIL FROM:<a@me.example>
            S: 250 ok
            C: RCPT TO:<b@x.example>
            S: 250 ok
            C: DATA
            S: 354 go
            C: hi
            C: .
            S: 250 queued
            C: QUIT
            S: 221 bye",
        )
        .unwrap();
    assert!(accepted(&reports[0].outcomes[0]));
}

#[test]
fn tls_that_the_peer_refuses_after_all_is_done_without() {
    let reports = Play::new(smtp_settings())
        .message(message(&["b@x.example"], "hi\r\n"))
        .run(
            "S: 220 x.example
            C: EHLO me.example
            S: 250-x.example
            S: 250 STARTTLS
            C: STARTTLS
            S: 454 not now
            C: MAIL FROM:<a@me.example>
            S: 250 ok
            C: RCPT TO:<b@x.example>
            S: 250 ok
            C: DATA
            S: 354 go
            C: hi
            C: .
            S: 250 queued
            C: QUIT
            S: 221 bye",
        )
        .unwrap();
    assert!(accepted(&reports[0].outcomes[0]));
}

#[test]
fn where_tls_is_required_nothing_is_sent_without() {
    let settings = ClientSettings { start_tls: StartTls::Required, ..smtp_settings() };
    let error = Play::new(settings)
        .message(message(&["b@x.example"], "hi\r\n"))
        .run("S: 220 x.example\nC: EHLO me.example\nS: 250 x.example")
        .unwrap_err();
    assert_eq!(error, ClientError::TlsNotOffered);
}

#[test]
fn plain_text_behind_the_reply_to_starttls_is_taken_for_an_attack() {
    let error = Play::new(smtp_settings())
        .run(
            "S: 220 x.example
            C: EHLO me.example
            S: 250-x.example
            S: 250 STARTTLS
            C: STARTTLS
            S: 220 go\\n250 injected",
        )
        .unwrap_err();
    assert_eq!(error, ClientError::PlaintextAfterStartTls);
}

#[test]
fn parameters_follow_what_the_peer_offers() {
    let mut transaction = message(&["b@x.example"], "h\u{e9}\r\n");
    transaction.0.params = MailParams {
        ret: Some(Ret::Headers),
        envid: Some(address::Envid::parse("id+2B1").unwrap()),
        smtputf8: true,
        body: BodyKind::EightBitMime,
        auth: Some(address::AuthParam::Mailbox("a@me.example".into())),
        size: None,
    };
    transaction.0.recipients[0].notify = Notify::when(true, true, false);
    transaction.0.recipients[0].orcpt = Some(address::Orcpt::parse("rfc822;old@x.example").unwrap());
    let reports = Play::new(smtp_settings())
        .message(transaction)
        .run(
            "S: 220 x.example
            C: EHLO me.example
            S: 250-x.example
            S: 250-SIZE 1000
            S: 250-8BITMIME
            S: 250-SMTPUTF8
            S: 250-DSN
            S: 250 AUTH PLAIN
            C: MAIL FROM:<a@me.example> SIZE=5 SMTPUTF8 BODY=8BITMIME RET=HDRS ENVID=id+2B1 AUTH=a@me.example
            S: 250 ok
            C: RCPT TO:<b@x.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;old@x.example
            S: 250 ok
            C: DATA
            S: 354 go
            C: h\u{e9}
            C: .
            S: 250 queued
            C: QUIT
            S: 221 bye",
        )
        .unwrap();
    assert!(accepted(&reports[0].outcomes[0]));
    assert!(reports[0].dsn_passed_on);
}

#[test]
fn dsn_parameters_are_left_out_where_the_peer_does_not_know_them() {
    let mut transaction = message(&["b@x.example"], "hi\r\n");
    transaction.0.reverse_path = ReversePath::Null;
    transaction.0.params.ret = Some(Ret::Full);
    transaction.0.recipients[0].notify = Notify::NEVER;
    let reports = Play::new(smtp_settings())
        .message(transaction)
        .run(
            "S: 220 x.example
            C: EHLO me.example
            S: 250 x.example
            C: MAIL FROM:<>
            S: 250 ok
            C: RCPT TO:<b@x.example>
            S: 250 ok
            C: DATA
            S: 354 go
            C: hi
            C: .
            S: 250 queued
            C: QUIT
            S: 221 bye",
        )
        .unwrap();
    assert!(!reports[0].dsn_passed_on);
}

/// A conversation in which the peer offers `extension` and is then not sent the message.
fn not_offered(extension: &str, change: impl Fn(&mut smtp::client::Transaction)) -> Outcome {
    let mut transaction = message(&["b@x.example"], "hi hi\r\n");
    change(&mut transaction.0);
    let script = format!(
        "S: 220 x.example\nC: EHLO me.example\nS: 250-x.example\nS: 250 {extension}\nC: QUIT\nS: 221 bye"
    );
    let mut reports = Play::new(smtp_settings()).message(transaction).run(&script).expect("a conversation");
    reports.remove(0).outcomes.remove(0)
}

#[test]
fn what_the_peer_cannot_take_is_not_offered_to_it() {
    let too_big = not_offered("SIZE 6", |_| {});
    assert!(refused(Stage::Extensions, 552)(&too_big));
    let eight_bit = not_offered("SIZE", |t| t.params.body = BodyKind::EightBitMime);
    assert!(refused(Stage::Extensions, 554)(&eight_bit));
    let binary = not_offered("BINARYMIME", |t| t.params.body = BodyKind::BinaryMime);
    assert!(refused(Stage::Extensions, 554)(&binary));
    let utf8 = not_offered("8BITMIME", |t| t.params.smtputf8 = true);
    assert!(refused(Stage::Extensions, 550)(&utf8));
}

#[test]
fn only_the_recipient_that_needs_smtputf8_suffers_where_it_is_not_offered() {
    let mut transaction = message(&["b@x.example"], "hi\r\n");
    transaction.0.recipients.push(recipient("b\u{fc}b@x.example"));
    let reports = Play::new(smtp_settings())
        .message(transaction)
        .run(
            "S: 220 x.example
            C: EHLO me.example
            S: 250 x.example
            C: MAIL FROM:<a@me.example>
            S: 250 ok
            C: RCPT TO:<b@x.example>
            S: 250 ok
            C: DATA
            S: 354 go
            C: hi
            C: .
            S: 250 queued
            C: QUIT
            S: 221 bye",
        )
        .unwrap();
    assert!(accepted(&reports[0].outcomes[0]));
    assert!(refused(Stage::Extensions, 550)(&reports[0].outcomes[1]));
}

#[test]
fn a_peer_that_closes_with_421_refuses_what_is_not_settled() {
    let reports = Play::new(smtp_settings())
        .message(message(&["no@x.example", "b@x.example", "c@x.example"], "hi\r\n"))
        .run(
            "S: 220 x.example
            C: EHLO me.example
            S: 250 x.example
            C: MAIL FROM:<a@me.example>
            S: 250 ok
            C: RCPT TO:<no@x.example>
            S: 550 no
            C: RCPT TO:<b@x.example>
            S: 421 4.3.2 going down",
        )
        .unwrap();
    let outcomes = &reports[0].outcomes;
    assert!(refused(Stage::Rcpt, 550)(&outcomes[0]));
    assert!(refused(Stage::Rcpt, 421)(&outcomes[1]));
    assert!(refused(Stage::Rcpt, 421)(&outcomes[2]));
}

#[test]
fn a_lost_connection_leaves_those_unanswered_about_whom_nothing_was_heard() {
    let report = Play::new(lmtp_settings())
        .message(message(&["b@x.example", "no@x.example", "c@x.example"], "hi\r\n"))
        .run_until_lost(
            "S: 220 x.example LMTP
            C: LHLO me.example
            S: 250 x.example
            C: MAIL FROM:<a@me.example>
            S: 250 ok
            C: RCPT TO:<b@x.example>
            S: 250 ok
            C: RCPT TO:<no@x.example>
            S: 550 no
            C: RCPT TO:<c@x.example>
            S: 250 ok
            C: DATA
            S: 354 go
            C: hi
            C: .
            S: 250 stored for b",
        );
    assert!(accepted(&report.outcomes[0]));
    assert!(refused(Stage::Rcpt, 550)(&report.outcomes[1]));
    assert_eq!(report.outcomes[2], Outcome::Unanswered);
}

#[test]
fn a_peer_that_refuses_the_connection_is_told_apart() {
    let error = Play::new(smtp_settings()).run("S: 521 no mail here").unwrap_err();
    let reply = Reply::new(521, None, "no mail here");
    assert_eq!(error, ClientError::Refused { stage: Stage::Greeting, reply });
}

#[test]
fn groups_are_bounded_so_that_replies_cannot_block_both_sides() {
    let settings = ClientSettings { group_commands_max: 2, ..smtp_settings() };
    let reports = Play::new(settings)
        .message(message(&["b@x.example", "c@x.example", "d@x.example"], "hi\r\n"))
        .run(
            "S: 220 x.example
            C: EHLO me.example
            S: 250-x.example
            S: 250 PIPELINING
            C: MAIL FROM:<a@me.example>
            C: RCPT TO:<b@x.example>
            S: 250 ok
            S: 250 ok
            C: RCPT TO:<c@x.example>
            C: RCPT TO:<d@x.example>
            C: DATA
            S: 250 ok
            S: 250 ok
            S: 354 go
            C: hi
            C: .
            S: 250 queued
            C: QUIT
            S: 221 bye",
        )
        .unwrap();
    assert!(reports[0].outcomes.iter().all(accepted));
}

#[test]
fn a_body_of_another_length_than_announced_is_never_ended() {
    let mut long = message(&["b@x.example"], "hi\r\n");
    long.0.body_bytes = 3;
    let mut short = message(&["b@x.example"], "hi\r\n");
    short.0.body_bytes = 5;
    for (wrong, announced) in [(long, 3), (short, 5)] {
        let error = Play::new(smtp_settings())
            .message(wrong)
            .run(
                "S: 220 x.example
                C: EHLO me.example
                S: 250-x.example
                S: 250 PIPELINING
                C: MAIL FROM:<a@me.example>
                C: RCPT TO:<b@x.example>
                C: DATA
                S: 250 ok
                S: 250 ok
                S: 354 go
                C: hi",
            )
            .unwrap_err();
        assert_eq!(error, ClientError::BodyLength { announced, given: 4 });
    }
}

#[test]
fn calls_out_of_turn_are_refused() {
    let mut client = smtp::client::Client::new(smtp_settings(), false);
    assert_eq!(client.transaction_begin(message(&["b@x.example"], "").0), Err(ClientError::OutOfTurn));
    assert_eq!(client.body_push(b"x", &mut Vec::new()), Err(ClientError::OutOfTurn));
}

#[test]
fn a_peer_that_stops_in_the_middle_of_a_body_can_refuse_but_not_accept() {
    for (reply, expected) in [("552 too big", Some(552)), ("250 ok", None)] {
        let mut client = at_body();
        client.body_push(b"hal", &mut Vec::new()).unwrap();
        client.body_interrupt();
        client.receive(&mut bytes::BytesMut::from(format!("{reply}\r\n").as_str())).unwrap();
        let report = client.abandon().unwrap();
        match expected {
            Some(code) => assert!(refused(Stage::Body, code)(&report.outcomes[0])),
            None => assert_eq!(report.outcomes[0], Outcome::Unanswered),
        }
    }
}

/// A client whose peer has just said 354.
fn at_body() -> smtp::client::Client {
    let mut client = smtp::client::Client::new(smtp_settings(), false);
    for replies in ["220 x\r\n", "250 x\r\n"] {
        client.action();
        client.receive(&mut bytes::BytesMut::from(replies)).expect("the peer says what it must");
    }
    client
        .transaction_begin(message(&["b@x.example"], "half and half\r\n").0)
        .expect("the peer says what it must");
    client
        .receive(&mut bytes::BytesMut::from("250 ok\r\n250 ok\r\n354 go\r\n"))
        .expect("the peer says what it must");
    client
}
