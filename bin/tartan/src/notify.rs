//! What the service manager is told (sd_notify(3)); nothing where there is none.

use sd_notify::NotifyState::{self, MonotonicUsec, Ready, Reloading, Status, Stopping};
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior};

/// Everything is open and serves.
pub fn ready(status: &str) {
    tell(&[Ready, Status(&line(status))]);
}

/// What the process is at, for `systemctl status`.
pub fn status(status: &str) {
    tell(&[Status(&line(status))]);
}

/// The configuration is being read again; [`ready`] ends it. systemd from 253 on wants the time of it, too.
pub fn reloading() {
    let now = NotifyState::monotonic_usec_now().unwrap_or(MonotonicUsec(0));
    tell(&[Reloading, now, Status("reading the configuration")]);
}

/// Nothing new is taken any more.
pub fn stopping(status: &str) {
    tell(&[Stopping, Status(&line(status))]);
}

/// A status is one line.
fn line(status: &str) -> String {
    status.trim_end().replace('\n', ", ")
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

/// The signs of life that the service manager wants (`WatchdogSec=`), if any.
pub struct Watchdog(Option<Interval>);

impl Watchdog {
    /// By `WATCHDOG_USEC` and `WATCHDOG_PID`.
    pub fn new() -> Self {
        Self(sd_notify::watchdog_enabled().filter(|time| !time.is_zero()).map(each_half))
    }

    /// Waits until a sign is due; for ever where none is wanted.
    pub async fn due(&mut self) {
        match &mut self.0 {
            Some(interval) => drop(interval.tick().await),
            None => std::future::pending().await,
        }
    }

    /// Gives the sign, from a task of its own: no worker thread that can still run one, no sign.
    pub fn alive() {
        tokio::spawn(async { tell(&[NotifyState::Watchdog]) });
    }
}

/// Twice in the time, so that one sign may come late.
fn each_half(time: Duration) -> Interval {
    let mut interval = tokio::time::interval(time / 2);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_of_several_lines_is_told_in_one() {
        assert_eq!(line("mx ready\nimapd ready\n"), "mx ready, imapd ready");
    }
}
