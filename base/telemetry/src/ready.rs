//! Which roles are ready.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The readiness of a process: that of each of its roles. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, State>>>);

/// One role's hold on [`Readiness`].
#[derive(Clone, Debug)]
pub struct RoleReadiness {
    all: Readiness,
    role: &'static str,
}

#[derive(Clone, Debug)]
enum State {
    Starting,
    Ready,
    Failed(String),
}

impl Readiness {
    /// No roles yet: a process without roles is not ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a role, starting.
    pub fn role(&self, role: &'static str) -> RoleReadiness {
        self.states().insert(role, State::Starting);
        RoleReadiness { all: self.clone(), role }
    }

    /// Whether there is a role and every role is ready.
    pub fn is_ready(&self) -> bool {
        let states = self.states();
        !states.is_empty() && states.values().all(|state| matches!(state, State::Ready))
    }

    /// One line a role: `mx ready`, `imapd starting`, `relay failed: reason`.
    pub fn report(&self) -> String {
        self.states().iter().map(|(role, state)| format!("{role} {state}\n")).collect()
    }

    fn states(&self) -> MutexGuard<'_, BTreeMap<&'static str, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RoleReadiness {
    /// The role serves.
    pub fn ready(&self) {
        self.set(State::Ready);
    }

    /// The role does not serve, and why.
    pub fn failed(&self, reason: impl Into<String>) {
        self.set(State::Failed(reason.into()));
    }

    fn set(&self, state: State) {
        self.all.states().insert(self.role, state);
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Starting => f.write_str("starting"),
            Self::Ready => f.write_str("ready"),
            Self::Failed(reason) => write!(f, "failed: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Readiness;

    #[test]
    fn a_process_is_ready_when_every_role_is() {
        let readiness = Readiness::new();
        assert!(!readiness.is_ready());
        let (mx, imapd) = (readiness.role("mx"), readiness.role("imapd"));
        mx.ready();
        assert!(!readiness.is_ready());
        imapd.ready();
        assert!(readiness.is_ready());
        imapd.failed("port taken");
        assert!(!readiness.is_ready());
        assert_eq!(readiness.report(), "imapd failed: port taken\nmx ready\n");
    }
}
