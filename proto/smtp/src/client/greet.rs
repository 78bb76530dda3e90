//! From the greeting to the state in which a transaction may begin.

use super::{ClientError, Line, Next, Protocol, Stage, StartTls, State};
use crate::{Extensions, Reply};

/// The peer is to say 220 (RFC 5321 3.1).
pub(super) struct ExpectGreeting;

/// EHLO or LHLO was sent.
pub(super) struct ExpectEhlo;

/// EHLO was not understood, and HELO was sent.
pub(super) struct ExpectHelo;

/// STARTTLS was sent.
pub(super) struct ExpectStartTls;

/// Says EHLO or LHLO.
pub(super) fn hello(line: &mut Line) -> State {
    let verb = match line.settings.protocol {
        Protocol::Smtp => "EHLO",
        Protocol::Lmtp => "LHLO",
    };
    line.command(&format!("{verb} {}", line.settings.hello_name));
    State::ExpectEhlo(ExpectEhlo)
}

impl ExpectGreeting {
    pub(super) fn handle(self, reply: Reply, line: &mut Line) -> Result<Next, ClientError> {
        if reply.code() == 220 {
            return Ok(hello(line).into());
        }
        Err(ClientError::Refused { stage: Stage::Greeting, reply })
    }
}

impl ExpectEhlo {
    /// RFC 5321 3.2: a server that does not know EHLO is asked again with HELO. LMTP has no HELO.
    pub(super) fn handle(self, reply: Reply, line: &mut Line) -> Result<Next, ClientError> {
        if reply.code() == 250 {
            line.peer = Extensions::from_lines(reply.lines().iter().skip(1));
            return greeted(line);
        }
        let knows_ehlo = !matches!(reply.code(), 500 | 501 | 502 | 504 | 550);
        if knows_ehlo || line.settings.protocol == Protocol::Lmtp {
            return Err(ClientError::Refused { stage: Stage::Hello, reply });
        }
        line.command(&format!("HELO {}", line.settings.hello_name));
        Ok(State::ExpectHelo(ExpectHelo).into())
    }
}

impl ExpectHelo {
    pub(super) fn handle(self, reply: Reply, line: &mut Line) -> Result<Next, ClientError> {
        if reply.code() != 250 {
            return Err(ClientError::Refused { stage: Stage::Hello, reply });
        }
        line.peer = Extensions::default();
        greeted(line)
    }
}

fn greeted(line: &mut Line) -> Result<Next, ClientError> {
    if line.secure || line.settings.start_tls == StartTls::Never {
        return Ok(State::Ready.into());
    }
    if line.peer.starttls {
        line.command("STARTTLS");
        return Ok(State::ExpectStartTls(ExpectStartTls).into());
    }
    match line.settings.start_tls {
        StartTls::Required => Err(ClientError::TlsNotOffered),
        _ => Ok(State::Ready.into()),
    }
}

impl ExpectStartTls {
    pub(super) fn handle(self, reply: Reply, line: &mut Line) -> Result<Next, ClientError> {
        if reply.code() == 220 {
            return Ok(State::ExpectTls.into());
        }
        if line.settings.start_tls == StartTls::Required || reply.code() == 421 {
            return Err(ClientError::Refused { stage: Stage::StartTls, reply });
        }
        Ok(State::Ready.into())
    }
}
