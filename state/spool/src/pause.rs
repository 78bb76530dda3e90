//! A pause for want of room. What comes of an attempt must be recorded; while the disk has no room for that, an attempt would
//! be made again and again, and each would deliver the message once more.

use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;

use crate::entry::later;

/// The first pause; each that follows without anything having been recorded is twice as long.
const TIME_MIN: Duration = Duration::from_secs(60);
/// The longest.
const TIME_MAX: Duration = Duration::from_secs(60 * 60);

/// Whether nothing is given out to be tried.
#[derive(Debug, Default)]
pub(crate) struct Pause(Mutex<Option<Paused>>);

#[derive(Debug, Clone, Copy)]
struct Paused {
    until: Timestamp,
    time: Duration,
}

impl Pause {
    /// There was no room to record something. What was in hand meanwhile makes a pause no longer.
    pub fn begin(&self, now: Timestamp) {
        let mut paused = self.0.lock();
        let time = match *paused {
            Some(paused) if now < paused.until => return,
            Some(paused) => (paused.time * 2).min(TIME_MAX),
            None => TIME_MIN,
        };
        tracing::error!(?time, "no room to record what comes of attempts: none is made for a while");
        *paused = Some(Paused { until: later(now, time), time });
    }

    /// Something was recorded.
    pub fn end(&self) {
        *self.0.lock() = None;
    }

    /// When it is over, if that is after `now`.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        self.0.lock().map(|paused| paused.until).filter(|until| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_something_is_recorded() {
        let (pause, start) = (Pause::default(), Timestamp::UNIX_EPOCH);
        let after = |seconds| later(start, Duration::from_secs(seconds));
        assert_eq!(pause.until(start), None);
        pause.begin(start);
        pause.begin(after(59));
        assert_eq!((pause.until(after(59)), pause.until(after(60))), (Some(after(60)), None));
        pause.begin(after(100));
        assert_eq!(pause.until(after(100)), Some(after(220)));
        (0..20).for_each(|day| pause.begin(after(day * 86_400 + 1_000)));
        assert_eq!(pause.until(after(19 * 86_400 + 1_000)), Some(after(19 * 86_400 + 4_600)));
        pause.end();
        pause.begin(start);
        assert_eq!(pause.until(start), Some(after(60)));
    }
}
