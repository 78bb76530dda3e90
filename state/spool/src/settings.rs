//! How the spool works.

use std::path::PathBuf;
use std::time::Duration;

use journal::{CompactionSettings, JournalSettings};

/// How the spool works.
#[derive(Debug, Clone)]
pub struct SpoolSettings {
    /// Its directory: journal, view and large bodies.
    pub dir: PathBuf,
    /// Our name in reports (`Reporting-MTA`, and the domain of `From`).
    pub hostname: String,
    /// How long a recipient waits after the first, second, ... failed attempt; the last value repeats.
    pub back_off: Vec<Duration>,
    /// Age of a message at which its sender hears that it waits.
    pub delay_report_after: Duration,
    /// Age of a message at which it is given back.
    pub expire_after: Duration,
    /// Workers that a message may break before it is held.
    pub strikes_max: u32,
    /// Bytes of messages just taken that stay in memory for their first attempt.
    pub recent_bytes_max: u64,
    /// How long the audit of a message is kept after the last note on it, once the message is gone.
    pub audit_retention: Duration,
    /// How the journal is compacted by itself, and the audit forgotten; none: only when asked.
    pub compaction: Option<CompactionSettings>,
    /// The journal's settings.
    pub journal: JournalSettings,
}

const MINUTE: u64 = 60;

impl Default for SpoolSettings {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("spool"),
            hostname: "localhost".into(),
            back_off: [1, 5, 15, 30, 60, 120, 240]
                .map(|minutes| Duration::from_secs(minutes * MINUTE))
                .to_vec(),
            delay_report_after: Duration::from_secs(4 * 60 * MINUTE),
            expire_after: Duration::from_secs(5 * 24 * 60 * MINUTE),
            strikes_max: 3,
            recent_bytes_max: limits::SPOOL_RECENT_BYTES_MAX,
            audit_retention: Duration::from_secs(30 * 24 * 60 * MINUTE),
            compaction: None,
            journal: JournalSettings::default(),
        }
    }
}

impl SpoolSettings {
    /// How long to wait after `attempts` failed attempts (1 or more).
    pub(crate) fn back_off(&self, attempts: u32) -> Duration {
        let index = (attempts.max(1) as usize - 1).min(self.back_off.len().saturating_sub(1));
        self.back_off.get(index).copied().unwrap_or(Duration::from_secs(15 * MINUTE))
    }
}
