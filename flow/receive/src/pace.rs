//! How long a client may take, and how slow it may be.

use std::time::Duration;

use net::{Instant, deadline_in};

use crate::ReceiverSettings;

/// The limit that a client has not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    /// A command, whole (RFC 5321 4.5.3.2.7).
    Command,
    /// The next byte of content (RFC 5321 4.5.3.2.5).
    Data,
    /// Content comes, but too slowly.
    Rate,
    /// All of a message's content.
    Message,
    /// The session.
    Session,
    /// Replies are not read.
    Reply,
}

impl Late {
    /// For metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Data => "data",
            Self::Rate => "rate",
            Self::Message => "message",
            Self::Session => "session",
            Self::Reply => "reply",
        }
    }

    /// For the client and the log.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Command => "Timed out waiting for a command",
            Self::Data => "Timed out waiting for message data",
            Self::Rate => "Message data comes too slowly",
            Self::Message => "The message takes too long",
            Self::Session => "The session takes too long",
            Self::Reply => "Replies are not read",
        }
    }
}

/// What a client is sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// Commands.
    Commands,
    /// The commands between the chunks of a message.
    Between,
    /// Content, wanted or not.
    Content,
}

/// The clocks of a session.
#[derive(Debug)]
pub(crate) struct Pace {
    rate: Rate,
    session_end: Option<Instant>,
    silence_end: Instant,
    /// When all of the message that is coming in must be in, whatever the pace and whatever becomes of it.
    message_end: Option<Instant>,
    window: Option<Window>,
}

#[derive(Clone, Copy, Debug)]
struct Rate {
    bytes: u64,
    time: Duration,
}

/// The time over which a rate is taken.
#[derive(Clone, Copy, Debug)]
struct Window {
    end: Instant,
    bytes: u64,
}

impl Pace {
    /// The clocks start now. `is_endless` where a session may last as long as messages come.
    pub(crate) fn new(settings: &ReceiverSettings, is_endless: bool) -> Self {
        let time = limits::SMTP_DATA_RATE_WINDOW;
        Self {
            rate: Rate { bytes: settings.data_rate_bytes_min.saturating_mul(time.as_secs()), time },
            session_end: (!is_endless).then(|| deadline_in(settings.session_time_max)),
            silence_end: deadline_in(settings.command_time_max),
            message_end: None,
            window: None,
        }
    }

    /// The client may be silent for `time` from now.
    pub(crate) fn silence_begins(&mut self, time: Duration) {
        self.silence_end = deadline_in(time);
    }

    /// `bytes` have come in, and have brought the client to `sending`.
    pub(crate) fn received(&mut self, bytes: usize, sending: Sending) {
        self.message_end = (sending != Sending::Commands)
            .then(|| self.message_end.unwrap_or_else(|| deadline_in(limits::SMTP_MESSAGE_TIME_MAX)));
        self.window = (sending == Sending::Content).then(|| self.window_with(bytes as u64));
    }

    /// The window with `bytes` more in it. One that has ended with too few stays, so that its end stays too late.
    fn window_with(&self, bytes: u64) -> Window {
        match self.window {
            Some(window) if Instant::now() < window.end || window.bytes < self.rate.bytes => {
                Window { bytes: window.bytes + bytes, ..window }
            }
            _ => Window { end: deadline_in(self.rate.time), bytes },
        }
    }

    /// The next moment at which something is too late, and what.
    pub(crate) fn deadline(&self, sending: Sending) -> (Instant, Late) {
        let silence = if sending == Sending::Content { Late::Data } else { Late::Command };
        let slow = self.window.filter(|window| window.bytes < self.rate.bytes);
        // A message that is coming in is not broken off for the session's sake.
        let session_end = self.session_end.filter(|_| self.message_end.is_none());
        let all = [
            Some((self.silence_end, silence)),
            slow.map(|window| (window.end, Late::Rate)),
            self.message_end.map(|end| (end, Late::Message)),
            session_end.map(|end| (end, Late::Session)),
        ];
        let earliest = all.into_iter().flatten().min_by_key(|(end, _)| *end);
        earliest.expect("there is always an end to silence")
    }
}
