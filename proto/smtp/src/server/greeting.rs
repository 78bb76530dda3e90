//! The start of a session: greeting, HELO, EHLO, LHLO, STARTTLS; and the commands that every state takes.

use bytes::BytesMut;

use crate::command::{Command, Hello, HelloVerb};
use crate::{EnhancedCode, Flavour, Refusal, Reply};

use super::content::ExpectDiscard;
use super::conversation::{Conversation, Next, not_offered, out_of_sequence};
use super::transaction::ExpectMail;
use super::{Answer, Event, Expect, State, xclient};

/// The connection is up and nothing has been said.
#[derive(Debug)]
pub(super) struct Greeting;

impl Greeting {
    // greeting = "220 " ( Domain / address-literal ) [ SP textstring ] CRLF (RFC 5321 4.2)
    pub(super) fn accepted(self, c: &mut Conversation) -> State {
        greet(c);
        ExpectHello.into()
    }

    pub(super) fn refused(self, c: &mut Conversation, refusal: Refusal) -> State {
        let temporary = refusal.reply().is_temporary();
        c.say(&refusal.into());
        // RFC 5321 3.1: after 554 the client is given the time to QUIT; 421 announces that we close.
        if temporary { State::Closed } else { State::Command(Expect::Quit(ExpectQuit)) }
    }
}

pub(super) fn greet(c: &mut Conversation) {
    let protocol = if c.is_lmtp() { "LMTP" } else { "ESMTP" };
    c.say(&Reply::new(220, None, format!("{} {protocol} Tartan", c.settings.hostname)));
}

impl Expect {
    /// Reads a command line and acts on it.
    pub(super) fn handle(self, input: &mut BytesMut, c: &mut Conversation) -> Next {
        let line = match c.lines.take(input, limits::SMTP_LINE_BYTES_MAX) {
            None => return Next::NeedMore(State::Command(self)),
            Some(Err(bad)) if bad.is_bdat => return bdat_unreadable(c),
            Some(Err(bad)) => return c.mistake(bad.fault.refusal(), State::Command(self)),
            Some(Ok(line)) => line,
        };
        c.pipelined = !input.is_empty();
        c.command_bytes = line.len();
        match Command::parse(&line, c.settings.flavour) {
            Err(refusal) => c.mistake(refusal, State::Command(self)),
            Ok(command) => self.command(command, c),
        }
    }

    /// The commands that do not depend on the state; the others are passed on to it.
    fn command(self, command: Command, c: &mut Conversation) -> Next {
        match (self, command) {
            (_, Command::Quit) => quit(c),
            (Expect::Quit(state), _) => c.mistake(out_of_sequence("Only QUIT is taken"), state.into()),
            (_, command) if command.is_idle() && !c.idles() => {
                c.closing("Too many commands without a message")
            }
            (_, Command::Hello(hello)) => {
                let answer = Answer::Hello(HelloAnswer { hello: hello.clone() });
                Next::Event(State::Answer(answer), Event::Hello(hello))
            }
            (state, Command::Rset) => state.reset(c),
            (state, Command::Noop) => state.said(c, &Reply::new(250, ok(2, 0, 0), "Ok")),
            (state, Command::Help) => state.said(c, &help(c.settings.flavour)),
            (state, Command::Vrfy) => state.said(c, &vrfy()),
            (state, Command::Expn) => c.mistake(not_offered("EXPN is not offered"), State::Command(state)),
            (_, Command::BdatUnreadable) => bdat_unreadable(c),
            (state, Command::Xclient(arguments)) => xclient::xclient(state, arguments, c),
            (Expect::Hello(state), command) => state.command(command, c),
            (Expect::Mail(state), command) => state.command(command, c),
            (Expect::Rcpt(state), command) => state.command(command, c),
            (Expect::Chunk(state), command) => state.command(command, c),
        }
    }

    fn said(self, c: &mut Conversation, reply: &Reply) -> Next {
        c.say(reply);
        Next::Go(State::Command(self))
    }

    /// RSET, RFC 5321 4.1.1.5.
    fn reset(self, c: &mut Conversation) -> Next {
        c.say(&Reply::new(250, ok(2, 0, 0), "Ok"));
        match self {
            Expect::Rcpt(_) | Expect::Chunk(_) => Next::Event(ExpectMail.into(), Event::Reset),
            idle => Next::Go(State::Command(idle)),
        }
    }
}

/// The size of the chunk is not known, so whatever follows could be content: nothing more is read.
fn bdat_unreadable(c: &mut Conversation) -> Next {
    c.say(&Reply::new(501, EnhancedCode::new(5, 5, 4), "Syntax: BDAT size [LAST]"));
    c.closing("The next command cannot be found")
}

fn quit(c: &mut Conversation) -> Next {
    c.say(&Reply::new(221, ok(2, 0, 0), "Bye"));
    Next::Go(State::Closed)
}

/// RFC 5321 3.5.3: the address is not verified, and 252 says so.
fn vrfy() -> Reply {
    Reply::new(252, ok(2, 0, 0), "Cannot VRFY user, but will accept message and attempt delivery")
}

fn help(flavour: Flavour) -> Reply {
    let hello = if flavour == Flavour::Lmtp { "LHLO" } else { "HELO EHLO" };
    let commands = format!("{hello} STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT");
    Reply::of_lines(214, ok(2, 0, 0), ["Commands:", commands.as_str()])
}

fn ok(class: u8, subject: u16, detail: u16) -> EnhancedCode {
    EnhancedCode::new(class, subject, detail)
}

/// The client has not said who it is.
#[derive(Debug)]
pub(super) struct ExpectHello;

impl From<ExpectHello> for State {
    fn from(state: ExpectHello) -> State {
        State::Command(Expect::Hello(state))
    }
}

impl ExpectHello {
    fn command(self, command: Command, c: &mut Conversation) -> Next {
        let refusal = out_of_sequence(if c.is_lmtp() { "Send LHLO first" } else { "Send EHLO first" });
        match command {
            Command::Bdat(chunk) => ExpectDiscard::start(chunk, refusal, Expect::Hello(self), c),
            _ => c.mistake(refusal, self.into()),
        }
    }
}

/// The client was turned away and may only go.
#[derive(Debug)]
pub(super) struct ExpectQuit;

impl From<ExpectQuit> for State {
    fn from(state: ExpectQuit) -> State {
        State::Command(Expect::Quit(state))
    }
}

/// The caller decides on a client's name.
#[derive(Debug)]
pub(super) struct HelloAnswer {
    hello: Hello,
}

impl HelloAnswer {
    // RFC 5321 4.1.1.1; RFC 2034 4 keeps enhanced codes out of this reply.
    pub(super) fn accepted(self, c: &mut Conversation) -> State {
        let greets = format!("{} greets {}", c.settings.hostname, self.hello.name);
        let extensions = match self.hello.verb {
            HelloVerb::Helo => vec![],
            HelloVerb::Ehlo | HelloVerb::Lhlo => c.offered().lines(),
        };
        c.say(&Reply::of_lines(250, None, std::iter::once(greets).chain(extensions)));
        c.hello = Some(self.hello);
        ExpectMail.into()
    }

    pub(super) fn refused(self, c: &mut Conversation, refusal: Refusal) -> State {
        c.say(&refusal.into());
        c.hello = None;
        ExpectHello.into()
    }
}

/// Looks at STARTTLS between transactions, RFC 3207 4.
pub(super) fn start_tls(state: ExpectMail, c: &mut Conversation) -> Next {
    if c.secure {
        return c.mistake(out_of_sequence("TLS is already there"), state.into());
    }
    if !c.settings.extensions.starttls {
        return c.mistake(not_offered("STARTTLS is not offered"), state.into());
    }
    if c.pipelined {
        c.say(&out_of_sequence("STARTTLS must be the last command of a group").into());
        return c.closing("Commands came in clear behind STARTTLS");
    }
    Next::Event(State::Answer(Answer::Tls(TlsAnswer)), Event::StartTls)
}

/// The caller decides on TLS.
#[derive(Debug)]
pub(super) struct TlsAnswer;

impl TlsAnswer {
    pub(super) fn accepted(self, c: &mut Conversation) -> State {
        c.say(&Reply::new(220, ok(2, 0, 0), "Ready to start TLS"));
        State::Tls(ExpectTls)
    }

    pub(super) fn refused(self, c: &mut Conversation, refusal: Refusal) -> State {
        c.say(&refusal.into());
        ExpectMail.into()
    }
}

/// The handshake is under way; nothing is read here.
#[derive(Debug)]
pub(super) struct ExpectTls;

impl ExpectTls {
    pub(super) fn started(self, c: &mut Conversation) -> State {
        c.secure = true;
        c.hello = None;
        c.authenticated = false;
        ExpectHello.into()
    }
}
