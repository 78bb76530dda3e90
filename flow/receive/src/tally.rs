//! What a session was answered: counted, and logged as far as one session may fill the log.

use std::fmt::Display;

use smtp::Refusal;

/// The answers of a session.
#[derive(Debug)]
pub(crate) struct Tally {
    role: &'static str,
    senders: u32,
    recipients: u32,
    contents: u32,
    mistakes: u32,
}

/// What was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum To {
    Sender,
    Recipient,
    Content,
}

impl To {
    fn as_str(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::Content => "content",
        }
    }
}

impl Tally {
    pub(crate) fn new(role: &'static str) -> Self {
        Self { role, senders: 0, recipients: 0, contents: 0, mistakes: 0 }
    }

    /// Counts an answer; a refusal is also logged, once, here, unless the session has had its share of lines.
    pub(crate) fn answered(&mut self, to: To, who: &dyn Display, refusal: Option<&Refusal>) {
        let result = match refusal {
            None => "accepted",
            Some(refusal) if refusal.reply().is_temporary() => "deferred",
            Some(_) => "refused",
        };
        let (role, to_whom) = (self.role, to.as_str());
        if let Some(refusal) = refusal {
            self.refused(to);
            if self.refusals() <= limits::SMTP_REFUSALS_LOGGED_MAX {
                tracing::info!(%refusal, "{to_whom} {who} {result}");
            }
        }
        metrics::counter!("tartan_receive_answers_total", "role" => role, "to" => to_whom, "result" => result)
            .increment(1);
    }

    /// Counts what is new of the session's mistakes so far.
    pub(crate) fn mistaken(&mut self, mistakes: u32) {
        let new = mistakes.saturating_sub(std::mem::replace(&mut self.mistakes, mistakes));
        if new > 0 {
            metrics::counter!("tartan_receive_mistakes_total", "role" => self.role).increment(u64::from(new));
        }
    }

    fn refused(&mut self, to: To) {
        let count = match to {
            To::Sender => &mut self.senders,
            To::Recipient => &mut self.recipients,
            To::Content => &mut self.contents,
        };
        *count = count.saturating_add(1);
    }

    fn refusals(&self) -> u32 {
        self.senders.saturating_add(self.recipients).saturating_add(self.contents)
    }
}

/// However a session ends, what was not logged one by one is logged as numbers.
impl Drop for Tally {
    fn drop(&mut self) {
        let unlogged = self.refusals().saturating_sub(limits::SMTP_REFUSALS_LOGGED_MAX);
        let Self { senders, recipients, contents, .. } = *self;
        if unlogged > 0 {
            tracing::info!(senders, recipients, contents, unlogged, "many refusals in one session");
        }
    }
}
