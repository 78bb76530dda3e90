//! Commands as they go on the wire: what [`Command::parse`] reads back.

use std::fmt;

use address::{BodyKind, MailParams};

use crate::command::{Auth, Command, Hello, HelloVerb, Mail, Rcpt, auth_challenge};

/// The command line, without its CRLF.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello(hello) => hello.fmt(f),
            Self::StartTls => f.write_str("STARTTLS"),
            Self::Auth(auth) => auth.fmt(f),
            Self::Mail(mail) => mail.fmt(f),
            Self::Rcpt(rcpt) => rcpt.fmt(f),
            Self::Data => f.write_str("DATA"),
            Self::Bdat(chunk) => write!(f, "BDAT {}{}", chunk.bytes, if chunk.last { " LAST" } else { "" }),
            Self::BdatUnreadable => f.write_str("BDAT ?"),
            Self::Xclient(xclient) => write!(f, "XCLIENT{xclient}"),
            Self::Rset => f.write_str("RSET"),
            Self::Noop => f.write_str("NOOP"),
            Self::Vrfy => f.write_str("VRFY ?"),
            Self::Expn => f.write_str("EXPN ?"),
            Self::Help => f.write_str("HELP"),
            Self::Quit => f.write_str("QUIT"),
        }
    }
}

impl fmt::Display for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.verb {
            HelloVerb::Helo => "HELO",
            HelloVerb::Ehlo => "EHLO",
            HelloVerb::Lhlo => "LHLO",
        };
        write!(f, "{verb} {}", self.name)
    }
}

impl fmt::Display for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AUTH {}", self.mechanism)?;
        match self.initial.as_deref() {
            None => Ok(()),
            Some([]) => f.write_str(" ="),
            Some(initial) => write!(f, " {}", auth_challenge(initial)),
        }
    }
}

impl fmt::Display for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MAIL FROM:{}", self.reverse_path)?;
        let MailParams { ret, envid, smtputf8, body, auth, size } = &self.params;
        given(f, "SIZE", size.as_ref())?;
        given(f, "BODY", Some(body).filter(|body| **body != BodyKind::SevenBit))?;
        f.write_str(if *smtputf8 { " SMTPUTF8" } else { "" })?;
        given(f, "RET", ret.as_ref())?;
        given(f, "ENVID", envid.as_ref())?;
        given(f, "AUTH", auth.as_ref())
    }
}

impl fmt::Display for Rcpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RCPT TO:{}", self.forward_path)?;
        given(f, "NOTIFY", Some(self.notify).filter(|notify| notify.is_given()).as_ref())?;
        given(f, "ORCPT", self.orcpt.as_ref())
    }
}

fn given(f: &mut fmt::Formatter<'_>, name: &str, value: Option<&impl fmt::Display>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " {name}={value}"))
}
