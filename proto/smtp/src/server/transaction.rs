//! The envelope: MAIL and RCPT, RFC 5321 3.3.

use address::{ForwardPath, MailParams};

use crate::command::{Command, Mail, Rcpt};
use crate::{EnhancedCode, Refusal, Reply};

use super::content::{ExpectDiscard, FirstChunk, TextStart};
use super::conversation::{Conversation, Next, out_of_sequence};
use super::{Answer, Event, Expect, State, auth, greeting};

/// Between transactions.
#[derive(Debug)]
pub(super) struct ExpectMail;

impl From<ExpectMail> for State {
    fn from(state: ExpectMail) -> State {
        State::Command(Expect::Mail(state))
    }
}

impl ExpectMail {
    pub(super) fn command(self, command: Command, c: &mut Conversation) -> Next {
        match command {
            Command::StartTls => greeting::start_tls(self, c),
            Command::Auth(arguments) => auth::auth(self, arguments, c),
            Command::Mail(mail) => self.mail(mail, c),
            Command::Bdat(chunk) => {
                ExpectDiscard::start(chunk, out_of_sequence("Send MAIL first"), Expect::Mail(self), c)
            }
            _ => c.mistake(out_of_sequence("Send MAIL first"), self.into()),
        }
    }

    fn mail(self, mail: Mail, c: &mut Conversation) -> Next {
        if let Some(refusal) = mail_refusal(&mail.params, c) {
            return c.mistake(refusal, self.into());
        }
        if !c.begins_message() {
            return c.closing("Too many messages in one session");
        }
        let answer = MailAnswer { smtp_utf8: mail.params.smtputf8 };
        Next::Event(State::Answer(Answer::Mail(answer)), Event::Mail(mail))
    }
}

/// Why MAIL is refused before anybody is asked.
fn mail_refusal(params: &MailParams, c: &Conversation) -> Option<Refusal> {
    let size_max = c.settings.size_max();
    if c.settings.auth_required && !c.authenticated {
        Some(Refusal::new(530, (5, 7, 0), "Authentication required"))
    } else if size_max > 0 && params.size.is_some_and(|size| size > size_max) {
        Some(Refusal::new(552, (5, 3, 4), format!("Message too big, at most {size_max} bytes are taken")))
    } else {
        not_offered_parameter(params, c)
    }
}

/// RFC 5321 4.1.1.11: 555 for a parameter whose extension is not offered.
fn not_offered_parameter(params: &MailParams, c: &Conversation) -> Option<Refusal> {
    let offered = c.offered();
    let keyword = if params.smtputf8 && !offered.smtp_utf8 {
        "SMTPUTF8"
    } else if params.body != address::BodyKind::SevenBit && !offered.eight_bit_mime {
        "BODY"
    } else if params.auth.is_some() && offered.auth.is_empty() {
        "AUTH"
    } else if (params.ret.is_some() || params.envid.is_some()) && !offered.dsn {
        "RET and ENVID"
    } else {
        return None;
    };
    Some(Refusal::new(555, (5, 5, 4), format!("{keyword} is not offered")))
}

/// The caller decides on a sender.
#[derive(Debug)]
pub(super) struct MailAnswer {
    smtp_utf8: bool,
}

impl MailAnswer {
    pub(super) fn accepted(self, c: &mut Conversation) -> State {
        c.say(&Reply::new(250, EnhancedCode::new(2, 1, 0), "Sender ok"));
        ExpectRcpt { smtp_utf8: self.smtp_utf8, accepted: 0, bytes: 0, tried: false }.into()
    }

    pub(super) fn refused(self, c: &mut Conversation, refusal: Refusal) -> State {
        c.refused(refusal, ExpectMail.into())
    }
}

/// A transaction has begun: recipients, and then the content.
#[derive(Debug)]
pub(super) struct ExpectRcpt {
    smtp_utf8: bool,
    accepted: usize,
    /// Bytes of the commands that named those accepted.
    bytes: usize,
    tried: bool,
}

impl From<ExpectRcpt> for State {
    fn from(state: ExpectRcpt) -> State {
        State::Command(Expect::Rcpt(state))
    }
}

impl ExpectRcpt {
    pub(super) fn command(mut self, command: Command, c: &mut Conversation) -> Next {
        match command {
            Command::Rcpt(rcpt) => {
                self.tried = true;
                self.rcpt(rcpt, c)
            }
            Command::Data if self.accepted > 0 => {
                Next::Event(State::Answer(Answer::Text(TextStart::new(self))), Event::Content)
            }
            Command::Bdat(chunk) if self.accepted > 0 => {
                let answer = FirstChunk::new(chunk, self.accepted);
                Next::Event(State::Answer(Answer::Chunk(answer)), Event::Content)
            }
            Command::Data => c.mistake(self.no_recipients(c), self.into()),
            Command::Bdat(chunk) => ExpectDiscard::start(chunk, self.no_recipients(c), Expect::Rcpt(self), c),
            Command::Mail(_) => c.mistake(out_of_sequence("A transaction is open already"), self.into()),
            _ => c.mistake(out_of_sequence("A transaction is open"), self.into()),
        }
    }

    fn rcpt(self, rcpt: Rcpt, c: &mut Conversation) -> Next {
        match self.rcpt_refusal(&rcpt, c) {
            // Not a mistake: a client with more recipients than fit sends them again (RFC 5321 4.5.3.1.10).
            Some(refusal) if refusal.reply().is_temporary() => {
                c.say(&refusal.into());
                Next::Go(self.into())
            }
            Some(refusal) => c.mistake(refusal, self.into()),
            None => {
                let answer = RcptAnswer { state: self, host: host(&rcpt) };
                Next::Event(State::Answer(Answer::Rcpt(answer)), Event::Rcpt(rcpt))
            }
        }
    }

    fn rcpt_refusal(&self, rcpt: &Rcpt, c: &Conversation) -> Option<Refusal> {
        let wants_dsn = rcpt.notify.is_given() || rcpt.orcpt.is_some();
        let bytes = self.bytes + c.command_bytes;
        if self.accepted >= c.settings.recipients_max || bytes > limits::SMTP_ENVELOPE_BYTES_MAX {
            Some(Refusal::new(452, (4, 5, 3), "Too many recipients"))
        } else if host(rcpt).is_some_and(|host| c.is_domain_too_many(&host)) {
            Some(Refusal::new(452, (4, 5, 3), "Too many domains of recipients"))
        } else if !rcpt.is_ascii && !self.smtp_utf8 {
            Some(Refusal::new(553, (5, 6, 7), "SMTPUTF8 is needed for that recipient address"))
        } else if wants_dsn && !c.settings.extensions.dsn {
            Some(Refusal::new(555, (5, 5, 4), "NOTIFY and ORCPT are not offered"))
        } else {
            None
        }
    }

    /// RFC 5321 3.3 lets a server choose between 503 and 554; RFC 2033 4.2 wants 503 from an LMTP server.
    fn no_recipients(&self, c: &Conversation) -> Refusal {
        if self.tried && !c.is_lmtp() {
            Refusal::new(554, (5, 5, 1), "No valid recipients")
        } else {
            out_of_sequence("No valid recipients")
        }
    }

    /// Recipients that were accepted.
    pub(super) fn accepted(&self) -> usize {
        self.accepted
    }
}

/// What stands behind the `@` of a recipient; nothing of `<Postmaster>`.
fn host(rcpt: &Rcpt) -> Option<String> {
    match &rcpt.forward_path {
        ForwardPath::Postmaster => None,
        ForwardPath::Address(address) => Some(address.host().to_string()),
    }
}

/// The caller decides on a recipient.
#[derive(Debug)]
pub(super) struct RcptAnswer {
    state: ExpectRcpt,
    host: Option<String>,
}

impl RcptAnswer {
    pub(super) fn accepted(mut self, c: &mut Conversation) -> State {
        c.say(&Reply::new(250, EnhancedCode::new(2, 1, 5), "Recipient ok"));
        self.state.accepted += 1;
        self.state.bytes += c.command_bytes;
        self.host.into_iter().for_each(|host| c.domain_taken(host));
        self.state.into()
    }

    pub(super) fn refused(self, c: &mut Conversation, refusal: Refusal) -> State {
        c.refused(refusal, self.state.into())
    }
}
