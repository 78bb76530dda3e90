//! What outlives the states of a session, and what a state's step leads to.

use std::sync::Arc;

use crate::command::Hello;
use crate::{Extensions, Flavour, Refusal, Reply};

use super::line::LineReader;
use super::{Event, ServerSettings, State};

/// Where a step leads.
pub(super) enum Next {
    /// To another state, which goes on with the input that is there.
    Go(State),
    /// Nowhere, until there is more input.
    NeedMore(State),
    /// To the caller, and then to another state.
    Event(State, Event),
}

/// The facts of a session that no single state owns.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) settings: Arc<ServerSettings>,
    pub(super) lines: LineReader,
    pub(super) output: Vec<u8>,
    pub(super) hello: Option<Hello>,
    pub(super) secure: bool,
    pub(super) authenticated: bool,
    /// Whether there is input behind the command that is being looked at.
    pub(super) pipelined: bool,
    errors: u32,
}

impl Conversation {
    pub(super) fn new(settings: Arc<ServerSettings>, secure: bool) -> Self {
        Self {
            settings,
            lines: LineReader::default(),
            output: vec![],
            hello: None,
            secure,
            authenticated: false,
            pipelined: false,
            errors: 0,
        }
    }

    pub(super) fn say(&mut self, reply: &Reply) {
        reply.encode(&mut self.output);
    }

    pub(super) fn is_lmtp(&self) -> bool {
        self.settings.flavour == Flavour::Lmtp
    }

    /// What is offered at this moment.
    pub(super) fn offered(&self) -> Extensions {
        let mut offered = self.settings.extensions.clone();
        offered.starttls &= !self.secure;
        if !self.secure {
            offered.auth.clear();
        }
        offered
    }

    /// The client made a mistake: it is told, counted, and stays where it is, unless there were too many.
    pub(super) fn mistake(&mut self, refusal: Refusal, state: State) -> Next {
        self.say(&refusal.into());
        self.errors += 1;
        if self.errors < self.settings.errors_max {
            return Next::Go(state);
        }
        self.closing("Too many errors")
    }

    /// Closes the session from this side, RFC 5321 3.8.
    pub(super) fn closing(&mut self, why: &str) -> Next {
        self.say(&Reply::new(421, crate::EnhancedCode::new(4, 7, 0), why));
        Next::Go(State::Closed)
    }
}

pub(super) fn out_of_sequence(text: &str) -> Refusal {
    Refusal::new(503, (5, 5, 1), text)
}

pub(super) fn not_offered(text: &str) -> Refusal {
    Refusal::new(502, (5, 5, 1), text)
}
