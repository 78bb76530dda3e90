//! What outlives the states of a session, and what a state's step leads to.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::command::Hello;
use crate::{Extensions, Flavour, Refusal, Reply, xclient};

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
    /// Bytes of that command.
    pub(super) command_bytes: usize,
    pub(super) xclient_allowed: bool,
    pub(super) closed_because: Option<String>,
    /// Domains of the recipients so far; none are kept where any number may come.
    domains: BTreeSet<String>,
    messages: usize,
    pub(super) errors: u32,
    refusals: u32,
    idle_commands: u32,
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
            command_bytes: 0,
            xclient_allowed: false,
            closed_because: None,
            domains: BTreeSet::new(),
            messages: 0,
            errors: 0,
            refusals: 0,
            idle_commands: 0,
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
        offered.limits = self.settings.session_limits();
        if self.xclient_allowed {
            offered.xclient = xclient::ATTRIBUTES.map(str::to_owned).to_vec();
        }
        offered
    }

    /// Counts a MAIL; false at one too many (RFC 9422 4.1).
    pub(super) fn begins_message(&mut self) -> bool {
        self.messages += 1;
        self.messages <= self.settings.messages_max
    }

    /// Whether a recipient at `host` would be one domain too many (RFC 9422 4.3).
    pub(super) fn is_domain_too_many(&self, host: &str) -> bool {
        self.domains.len() >= self.settings.domains_max && !self.domains.contains(host)
    }

    /// A recipient at `host` was taken.
    pub(super) fn domain_taken(&mut self, host: String) {
        if self.settings.domains_max != usize::MAX {
            self.domains.insert(host);
        }
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

    /// The caller refused a sender or a recipient: that is no mistake, but who does nothing else is after something
    /// else, such as the list of our addresses.
    pub(super) fn refused(&mut self, refusal: Refusal, state: State) -> State {
        let reply = Reply::from(refusal);
        self.say(&reply);
        self.refusals += u32::from(reply.is_permanent());
        if self.refusals < self.settings.refusals_max {
            return state;
        }
        self.closed("Too many senders or recipients refused")
    }

    /// Counts a command that brings no message any further; false at one too many.
    pub(super) fn idles(&mut self) -> bool {
        self.idle_commands += 1;
        self.idle_commands <= self.settings.idle_commands_max
    }

    /// A message was taken: the client is here for mail.
    pub(super) fn message_taken(&mut self) {
        self.idle_commands = 0;
    }

    /// Closes the session from this side, RFC 5321 3.8.
    pub(super) fn closing(&mut self, why: &str) -> Next {
        Next::Go(self.closed(why))
    }

    fn closed(&mut self, why: &str) -> State {
        self.say(&Reply::new(421, crate::EnhancedCode::new(4, 7, 0), why));
        self.closed_because = Some(why.to_owned());
        State::Closed
    }
}

pub(super) fn out_of_sequence(text: &str) -> Refusal {
    Refusal::new(503, (5, 5, 1), text)
}

pub(super) fn not_offered(text: &str) -> Refusal {
    Refusal::new(502, (5, 5, 1), text)
}
