//! How a mail store is kept.

use std::path::PathBuf;
use std::time::Duration;

use journal::CompactionSettings;

use crate::SpecialUse;

/// Where the view of the journal is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ViewKind {
    /// Beside the journal, so that a start replays only what is new.
    #[default]
    Disk,
    /// In memory: each start replays the whole journal. For tests and small stores.
    Memory,
}

/// A mailbox that every new account has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountMailbox {
    /// Its components below the account.
    pub components: Vec<String>,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
}

/// Settings of a mail store.
#[derive(Debug, Clone)]
pub struct MailstoreSettings {
    /// The directory of the journal, the view and large bodies. The store owns it.
    pub dir: PathBuf,
    /// Where the view is kept.
    pub view: ViewKind,
    /// Bytes of a journal segment after which the next is begun.
    pub segment_bytes: u64,
    /// Bytes of open mailboxes in memory; those not used for longest are let go.
    pub snapshot_bytes_max: usize,
    /// Bytes of rendered messages in memory.
    pub rendered_bytes_max: usize,
    /// Mailboxes that an account gets besides its inbox.
    pub account_mailboxes: Vec<AccountMailbox>,
    /// How long expunged messages and deleted mailboxes are kept.
    pub retention: Duration,
    /// How often those whose retention is over are purged; none for never.
    pub purge_interval: Option<Duration>,
    /// How segments of the journal of which little is needed make room; none for only when [`Mailstore::compact`] is
    /// called.
    ///
    /// [`Mailstore::compact`]: crate::Mailstore::compact
    pub compaction: Option<CompactionSettings>,
    /// Bytes of disk kept aside for what must go on when the disk is full; 0 for none.
    pub reserve_bytes: u64,
    /// Bytes of free disk below which what grows is refused.
    pub space_low_bytes: u64,
}

impl MailstoreSettings {
    /// The usual settings, in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), ..Self::default() }
    }

    /// A store whose view is in memory; with a `disk::FaultDisk`, all of it is. It purges and compacts when it is told to,
    /// and reserves nothing.
    pub fn in_memory(dir: impl Into<PathBuf>) -> Self {
        let (purge_interval, compaction) = (None, None);
        let (reserve_bytes, space_low_bytes) = (0, 0);
        let usual = Self::new(dir);
        Self { view: ViewKind::Memory, purge_interval, compaction, reserve_bytes, space_low_bytes, ..usual }
    }
}

impl Default for MailstoreSettings {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("mailstore"),
            view: ViewKind::Disk,
            segment_bytes: limits::SEGMENT_BYTES,
            snapshot_bytes_max: limits::SNAPSHOT_BYTES_MAX,
            rendered_bytes_max: limits::RENDERED_BYTES_MAX,
            account_mailboxes: usual_mailboxes(),
            retention: limits::RETENTION,
            purge_interval: Some(limits::PURGE_INTERVAL),
            compaction: Some(CompactionSettings::default()),
            reserve_bytes: limits::RESERVE_BYTES,
            space_low_bytes: limits::SPACE_LOW_BYTES,
        }
    }
}

fn usual_mailboxes() -> Vec<AccountMailbox> {
    let mailbox = |name: &str, special_use| AccountMailbox {
        components: vec![name.into()],
        special_use: Some(special_use),
    };
    vec![
        mailbox("Archive", SpecialUse::Archive),
        mailbox("Drafts", SpecialUse::Drafts),
        mailbox("Junk", SpecialUse::Junk),
        mailbox("Sent", SpecialUse::Sent),
        mailbox("Trash", SpecialUse::Trash),
    ]
}
