//! The chain on whole messages.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use address::{Domain, Envelope, MailParams, ReversePath};
use disk::Body;
use filter::{Draft, Filter, Filters, Look, Minimum, Repair, Verdict};
use net::{Peer, RoleName};
use receive::{SessionInfo, Transaction};
use smtp::Refusal;
use telemetry::SessionId;

const RECEIVED: &str = "Received: from a by b;\r\n\tTue, 24 Nov 2026 11:38:27 +0000\r\n";

fn transaction(message: &str) -> Transaction {
    let session = SessionInfo {
        id: SessionId::next(),
        role: "test",
        hostname: "mx.example.org".into(),
        peer: Peer::Pipe { role: RoleName::new("test") },
        client_name: None,
        hello: None,
        tls: None,
        account: None,
    };
    Transaction {
        session: Arc::new(session),
        envelope: Envelope {
            reverse_path: ReversePath::Null,
            recipients: vec![],
            params: MailParams::default(),
        },
        body: Body::from_bytes(message.as_bytes().to_vec()),
        received: RECEIVED.into(),
        arrival: "2026-11-24T11:38:27Z".parse().unwrap(),
    }
}

async fn filtered(filters: &Filters, message: &str) -> Result<String, Refusal> {
    let filtered = filters.run("Q1", transaction(message)).await?;
    Ok(String::from_utf8(filtered.body.read_all().unwrap().to_vec()).unwrap())
}

fn submission() -> Filters {
    let repair = Some(Repair { domain: Domain::parse("example.org").unwrap() });
    Filters::new(Minimum { repair, ..Minimum::default() })
}

#[tokio::test]
async fn received_goes_on_top_and_nothing_else_changes() {
    let message = "Subject: x\r\n\r\ntext\r\n";
    assert_eq!(
        filtered(&Filters::new(Minimum::default()), message).await.unwrap(),
        format!("{RECEIVED}{message}")
    );
}

#[tokio::test]
async fn text_without_a_header_does_not_become_one() {
    for message in ["just text\r\n", "http //x:y\r\n", ": x\r\n", ""] {
        let whole = filtered(&Filters::new(Minimum::default()), message).await.unwrap();
        assert_eq!(whole, format!("{RECEIVED}\r\n{message}"), "{message:?}");
    }
    for message in ["\r\ntext\r\n", "Subject : old style\r\n\r\n"] {
        let whole = filtered(&Filters::new(Minimum::default()), message).await.unwrap();
        assert_eq!(whole, format!("{RECEIVED}{message}"), "{message:?}");
    }
}

#[tokio::test]
async fn a_message_with_too_many_hops_is_looping() {
    let hops = |count| format!("{}\r\n", RECEIVED.repeat(count));
    let filters = Filters::new(Minimum::default());
    assert!(filtered(&filters, &hops(limits::HOPS_MAX - 1)).await.is_ok());
    let refusal = filtered(&filters, &hops(limits::HOPS_MAX)).await.unwrap_err();
    assert!(refusal.to_string().starts_with("554 5.4.6"), "{refusal}");
}

#[tokio::test]
async fn a_header_that_does_not_end_is_refused() {
    let endless = format!("Subject: {}\r\n\r\n", "x".repeat(limits::HEADER_BYTES_MAX));
    let refusal = filtered(&Filters::new(Minimum::default()), &endless).await.unwrap_err();
    assert!(refusal.to_string().starts_with("552 5.3.4"), "{refusal}");
}

#[tokio::test]
async fn what_a_user_submits_gets_the_fields_that_it_lacks() {
    let added = "Message-ID: <q1@example.org>\r\nDate: Tue, 24 Nov 2026 11:38:27 +0000\r\n";
    let message = "Subject: x\r\n\r\n";
    assert_eq!(filtered(&submission(), message).await.unwrap(), format!("{RECEIVED}{added}{message}"));
    let complete = "date: today\r\nMESSAGE-ID: <a@b>\r\n\r\n";
    assert_eq!(filtered(&submission(), complete).await.unwrap(), format!("{RECEIVED}{complete}"));
}

/// Refuses a word, marks the rest.
struct NoWord(&'static str);

impl Filter for NoWord {
    fn name(&self) -> &'static str {
        "no-word"
    }

    fn look<'a>(&'a self, draft: &'a mut Draft) -> Look<'a> {
        Box::pin(async move {
            if draft
                .transaction
                .body
                .read_all()
                .unwrap()
                .windows(self.0.len())
                .any(|w| w == self.0.as_bytes())
            {
                return Err(Refusal::new(550, (5, 7, 1), "Not that word"));
            }
            draft.fields.push_str("X-Seen: yes\r\n");
            Ok(Verdict::Accept)
        })
    }
}

#[tokio::test]
async fn filters_behind_the_minimum_refuse_or_add_fields() {
    let filters = Filters::new(Minimum::default()).then(Arc::new(NoWord("casino")));
    assert!(filtered(&filters, "Subject: casino\r\n\r\n").await.is_err());
    let message = "Subject: hello\r\n\r\n";
    assert_eq!(filtered(&filters, message).await.unwrap(), format!("{RECEIVED}X-Seen: yes\r\n{message}"));
}
