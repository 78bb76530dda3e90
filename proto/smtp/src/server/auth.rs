//! AUTH: RFC 4954.

use bytes::BytesMut;

use crate::command::{Auth, auth_challenge, auth_response};
use crate::{EnhancedCode, Refusal, Reply};

use super::conversation::{Conversation, Next, not_offered, out_of_sequence};
use super::line::LineFault;
use super::transaction::ExpectMail;
use super::{Answer, Event, State};

/// Looks at AUTH between transactions.
pub(super) fn auth(state: ExpectMail, auth: Auth, c: &mut Conversation) -> Next {
    match refusal(&auth, c) {
        Some(refusal) => c.mistake(refusal, state.into()),
        None => Next::Event(State::Answer(Answer::Auth(AuthAnswer)), Event::Auth(auth)),
    }
}

/// Why AUTH cannot even begin, RFC 4954 4 and 6.
fn refusal(auth: &Auth, c: &Conversation) -> Option<Refusal> {
    let mechanisms = &c.settings.extensions.auth;
    if mechanisms.is_empty() {
        Some(not_offered("AUTH is not offered"))
    } else if c.authenticated {
        Some(out_of_sequence("Already authenticated"))
    } else if !c.secure {
        Some(Refusal::new(538, (5, 7, 11), "Encryption required for requested authentication mechanism"))
    } else if !mechanisms.contains(&auth.mechanism) {
        Some(Refusal::new(504, (5, 5, 4), "Mechanism not offered"))
    } else {
        None
    }
}

/// The caller takes the mechanism's next step.
#[derive(Debug)]
pub(super) struct AuthAnswer;

impl AuthAnswer {
    pub(super) fn accepted(self, c: &mut Conversation) -> State {
        c.authenticated = true;
        c.say(&Reply::new(235, EnhancedCode::new(2, 7, 0), "Authentication successful"));
        ExpectMail.into()
    }

    pub(super) fn refused(self, c: &mut Conversation, refusal: Refusal) -> State {
        c.say(&refusal.into());
        ExpectMail.into()
    }

    // continue-req = "334" SP [base64] CRLF (RFC 4954 8)
    pub(super) fn challenged(&self, c: &mut Conversation, challenge: &[u8]) -> State {
        c.say(&Reply::new(334, None, auth_challenge(challenge)));
        State::AuthLine(ExpectAuthLine)
    }
}

/// The client owes a response to a challenge.
#[derive(Debug)]
pub(super) struct ExpectAuthLine;

impl ExpectAuthLine {
    pub(super) fn handle(self, input: &mut BytesMut, c: &mut Conversation) -> Next {
        let line = match c.lines.take(input, limits::SMTP_AUTH_LINE_BYTES_MAX) {
            None => return Next::NeedMore(State::AuthLine(self)),
            Some(Err(bad)) => return cancelled(fault_refusal(bad.fault), c),
            Some(Ok(line)) => line,
        };
        if line.as_ref() == b"*" {
            return cancelled(Refusal::new(501, (5, 7, 0), "Authentication cancelled"), c);
        }
        match auth_response(&line) {
            Ok(response) => {
                Next::Event(State::Answer(Answer::Auth(AuthAnswer)), Event::AuthResponse(response))
            }
            Err(refusal) => cancelled(refusal, c),
        }
    }
}

/// RFC 4954 4: 500 with 5.5.6 for a line over the limit.
fn fault_refusal(fault: LineFault) -> Refusal {
    match fault {
        LineFault::TooLong => Refusal::new(500, (5, 5, 6), "Authentication exchange line is too long"),
        _ => fault.refusal(),
    }
}

fn cancelled(refusal: Refusal, c: &mut Conversation) -> Next {
    match c.mistake(refusal, ExpectMail.into()) {
        Next::Go(state) => Next::Event(state, Event::AuthCancelled),
        next => next,
    }
}
