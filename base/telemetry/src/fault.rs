//! Whose fault an error is, and what follows from that.

use tracing::Level;

/// Whose fault an error is. Every public error of the system maps to one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The peer broke the protocol or a limit.
    Peer,
    /// A rule of ours says no, and says it again to the same question.
    Policy,
    /// Something is away or busy now; the same request may work later.
    Temporary,
    /// This host is at fault: disk, configuration, permissions. An operator has to act.
    Local,
    /// A broken promise inside the program.
    Bug,
}

impl Fault {
    /// The reply code (RFC 5321 4.2) and enhanced status code (RFC 3463) for an error that has no
    /// better one of its own.
    ///
    /// Faults of ours are answered as temporary: the sender keeps the message and tries again.
    pub const fn smtp_reply(self) -> (u16, &'static str) {
        match self {
            Self::Peer => (500, "5.5.0"),
            Self::Policy => (550, "5.7.1"),
            Self::Temporary => (451, "4.3.0"),
            Self::Local => (451, "4.3.5"),
            Self::Bug => (451, "4.3.0"),
        }
    }

    /// The level at which the error is logged, once, where it is handled.
    pub const fn level(self) -> Level {
        match self {
            Self::Peer => Level::DEBUG,
            Self::Policy => Level::INFO,
            Self::Temporary => Level::WARN,
            Self::Local | Self::Bug => Level::ERROR,
        }
    }

    /// The word used in logs, metrics and audit records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Policy => "policy",
            Self::Temporary => "temporary",
            Self::Local => "local",
            Self::Bug => "bug",
        }
    }

    /// Whether the same request may succeed later without anybody changing it.
    pub const fn is_transient(self) -> bool {
        !matches!(self, Self::Peer | Self::Policy)
    }

    /// Logs `error` at the level of its fault, with whose fault it is and what was being done.
    pub fn log(self, doing: &str, error: &dyn std::error::Error) {
        let fault = self.as_str();
        match self {
            Self::Peer => tracing::debug!(fault, %error, "{doing}"),
            Self::Policy => tracing::info!(fault, %error, "{doing}"),
            Self::Temporary => tracing::warn!(fault, %error, "{doing}"),
            Self::Local | Self::Bug => tracing::error!(fault, %error, "{doing}"),
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Fault;

    #[test]
    fn a_fault_of_ours_never_makes_the_sender_bounce() {
        for fault in [Fault::Temporary, Fault::Local, Fault::Bug] {
            let (code, enhanced) = fault.smtp_reply();
            assert!((400..500).contains(&code) && enhanced.starts_with('4'), "{fault}");
            assert!(fault.is_transient());
        }
    }

    #[test]
    fn reply_code_and_enhanced_code_are_of_one_class() {
        for fault in [Fault::Peer, Fault::Policy, Fault::Temporary, Fault::Local, Fault::Bug] {
            let (code, enhanced) = fault.smtp_reply();
            assert_eq!(code.to_string()[..1], enhanced[..1]);
        }
    }
}
