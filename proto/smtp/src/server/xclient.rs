//! XCLIENT, of Postfix: see [`crate::xclient`].

use crate::Refusal;
use crate::command::{Hello, HelloVerb};
use crate::xclient::Xclient;

use super::conversation::{Conversation, Next, out_of_sequence};
use super::greeting::{ExpectHello, greet};
use super::transaction::ExpectMail;
use super::{Answer, Event, Expect, State};

/// Looks at XCLIENT, which may come at any time but within a transaction.
pub(super) fn xclient(state: Expect, arguments: Box<Xclient>, c: &mut Conversation) -> Next {
    if !c.xclient_allowed {
        let refusal = Refusal::new(550, (5, 7, 0), "XCLIENT is not for this host");
        return c.mistake(refusal, State::Command(state));
    }
    match state {
        Expect::Hello(_) | Expect::Mail(_) => {
            let answer = XclientAnswer { state, arguments: arguments.clone() };
            Next::Event(State::Answer(Answer::Xclient(answer)), Event::Xclient(arguments))
        }
        within => c.mistake(out_of_sequence("A transaction is open"), State::Command(within)),
    }
}

/// The caller decides whom the client may speak for.
#[derive(Debug)]
pub(super) struct XclientAnswer {
    state: Expect,
    arguments: Box<Xclient>,
}

impl XclientAnswer {
    /// The session begins anew, but for TLS and for what was just told (XCLIENT_README, "XCLIENT Server response"): a
    /// client whose HELO is known need not say it again. What comes from now on may be the client's own words, passed
    /// on, so nobody may use XCLIENT and nobody has signed in, unless the caller says so.
    pub(super) fn accepted(self, c: &mut Conversation) -> State {
        c.xclient_allowed = false;
        c.authenticated = false;
        greet(c);
        let verb = self.arguments.protocol.value().copied().unwrap_or(HelloVerb::Ehlo);
        c.hello = self.arguments.helo.value().map(|name| Hello { verb, name: name.clone() });
        if c.hello.is_some() { ExpectMail.into() } else { ExpectHello.into() }
    }

    pub(super) fn refused(self, c: &mut Conversation, refusal: Refusal) -> State {
        c.refused(refusal, State::Command(self.state))
    }
}
