//! Backups: keeping the files of all stores in place while somebody copies them, and taking messages back.

use crate::api::{BackupBegun, MessageRestored, RestoredInto, StoreFile, StoreFiles};
use crate::error::ApiError;
use crate::router::AdminHandles;
use address::AccountName;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use directory::Directory;
use disk::Body;
use jiff::Timestamp;
use journal::StoreBackup;
use mailstore::{AppendRequest, EmailId, Flags, Keyword, MailboxId, MailboxPath, Mailstore, SystemFlag};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;
use telemetry::SessionId;
use tokio::time::Instant;

/// How long files are kept in place for a backup that is heard of no more.
const LEASE: Duration = Duration::from_secs(60);

/// The backups that are being taken. Cheap to clone.
#[derive(Clone, Default)]
pub struct Backups(Arc<Mutex<HashMap<String, Held>>>);

/// What a backup keeps in place, and until when.
struct Held {
    until: Instant,
    _stores: Vec<StoreBackup>,
}

impl Backups {
    fn hold(&self, id: &str, stores: Vec<StoreBackup>) {
        let held = Held { until: Instant::now() + LEASE, _stores: stores };
        self.0.lock().insert(id.to_owned(), held);
        let (backups, id) = (self.clone(), id.to_owned());
        tokio::spawn(async move { backups.expire(&id).await });
    }

    /// Waits for the end of a lease that is not renewed.
    async fn expire(&self, id: &str) {
        while let Some(until) = self.until(id) {
            if until <= Instant::now() {
                tracing::warn!(backup = id, "nobody has been heard of who takes this backup; it is given up");
                self.release(id);
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }

    fn until(&self, id: &str) -> Option<Instant> {
        self.0.lock().get(id).map(|held| held.until)
    }

    fn renew(&self, id: &str) -> bool {
        let mut held = self.0.lock();
        held.get_mut(id).map(|held| held.until = Instant::now() + LEASE).is_some()
    }

    fn release(&self, id: &str) -> bool {
        self.0.lock().remove(id).is_some()
    }
}

/// Keeps everything in place. The queue first, so that mail under way is in at least one of the lists.
pub(crate) async fn begin(State(handles): State<AdminHandles>) -> Result<Json<BackupBegun>, ApiError> {
    sound_check(&handles).await?;
    let opened = handles.clone();
    let listed = tokio::task::spawn_blocking(move || list(&opened)).await;
    let listed = listed.map_err(|error| ApiError::refused(error.to_string()))??;
    let id = SessionId::next().to_string();
    let stores = listed.iter().map(|(store, backup)| files(store, backup)).collect();
    handles.backups.hold(&id, listed.into_iter().map(|(_, backup)| backup).collect());
    Ok(Json(BackupBegun { id, stores }))
}

/// Refuses where a store has failed: of one with damaged state only what stands before the damage would be listed, and
/// the generation would look whole.
async fn sound_check(handles: &AdminHandles) -> Result<(), ApiError> {
    if let Some(spool) = &handles.spool {
        failed_refuse("spool", spool.ended()).await?;
    }
    if let Some(mailstore) = &handles.mailstore {
        failed_refuse("mailstore", mailstore.ended()).await?;
    }
    if let Some(directory) = &handles.directory {
        failed_refuse("directory", directory.ended()).await?;
    }
    Ok(())
}

/// Asks only whether the store has ended by now.
async fn failed_refuse<E: Display>(store: &str, ended: impl Future<Output = E>) -> Result<(), ApiError> {
    match tokio::time::timeout(Duration::ZERO, ended).await {
        Err(_) => Ok(()),
        Ok(why) => Err(ApiError::refused(format!(
            "no generation is made and none given up, because the {store} has failed: {why}"
        ))),
    }
}

fn list(handles: &AdminHandles) -> Result<Vec<(&'static str, StoreBackup)>, ApiError> {
    let mut listed = Vec::new();
    if let Some(spool) = &handles.spool {
        listed.push(("spool", spool.backup_begin()?));
    }
    if let Some(mailstore) = &handles.mailstore {
        listed.push(("mailstore", mailstore.backup_begin()?));
    }
    if let Some(directory) = &handles.directory {
        listed.push(("directory", directory.backup_begin()?));
    }
    Ok(listed)
}

fn files(store: &str, backup: &StoreBackup) -> StoreFiles {
    let files = backup.files().iter().map(|file| StoreFile {
        name: file.name.clone(),
        bytes: file.bytes,
        sealed: file.is_sealed,
    });
    StoreFiles { store: store.to_owned(), files: files.collect() }
}

/// Whoever copies is still at it.
pub(crate) async fn renew(
    State(handles): State<AdminHandles>,
    Path(id): Path<String>,
) -> Result<Json<()>, ApiError> {
    handles.backups.renew(&id).then_some(Json(())).ok_or_else(|| unknown(&id))
}

/// All is copied.
pub(crate) async fn end(
    State(handles): State<AdminHandles>,
    Path(id): Path<String>,
) -> Result<Json<()>, ApiError> {
    handles.backups.release(&id).then_some(Json(())).ok_or_else(|| unknown(&id))
}

fn unknown(id: &str) -> ApiError {
    ApiError::not_found(format!(
        "no backup {id} is being taken; it may have been given up after a minute of silence"
    ))
}

/// The ids of all messages that an account has and sees.
pub(crate) async fn email_ids(
    State(handles): State<AdminHandles>,
    Path(account): Path<AccountName>,
) -> Result<Json<Vec<String>>, ApiError> {
    let store = handles.mailstore()?;
    account_check(&handles, &account).await?;
    let mut ids = Vec::new();
    for mailbox in store.mailbox_list(&account).into_iter().filter_map(|entry| entry.id) {
        let snapshot = store.snapshot(mailbox).await?;
        ids.extend(snapshot.rows().map(|row| row.email_id.to_string()));
    }
    Ok(Json(ids))
}

/// Takes a message back into a mailbox, which is made if it is not there.
pub(crate) async fn message_restore(
    State(handles): State<AdminHandles>,
    Path(account): Path<AccountName>,
    Query(into): Query<RestoredInto>,
    message: Bytes,
) -> Result<Json<MessageRestored>, ApiError> {
    let store = handles.mailstore()?;
    account_check(&handles, &account).await?;
    let email_id = EmailId::parse(&into.email_id)
        .ok_or_else(|| ApiError::refused(format!("\"{}\" is no id of a message", into.email_id)))?;
    let request = AppendRequest {
        mailbox: mailbox(store, &account, &into.mailbox).await?,
        body: Body::from_bytes(message),
        flags: flags(&into.flags)?,
        internal_date: Timestamp::from_second(into.internal_date)
            .map_err(|error| ApiError::refused(error.to_string()))?,
    };
    let appended = store.append_restored(request, email_id).await?;
    Ok(Json(MessageRestored { uid: appended.uid().number() }))
}

async fn account_check(handles: &AdminHandles, account: &AccountName) -> Result<(), ApiError> {
    match Directory::account(handles.directory()?, account).await? {
        Some(_) => Ok(()),
        None => Err(ApiError::not_found(format!("there is no account {account}"))),
    }
}

async fn mailbox(store: &Mailstore, account: &AccountName, name: &str) -> Result<MailboxId, ApiError> {
    store.account_ensure(account).await?;
    let components: Vec<&str> = name.split('/').collect();
    let path = MailboxPath::personal(account, &components)?;
    match store.mailbox_find(&path).and_then(|entry| entry.id) {
        Some(id) => Ok(id),
        None => Ok(store.mailbox_create(&path, None).await?),
    }
}

/// Flags as they stand on the wire, with spaces in between.
fn flags(text: &str) -> Result<Flags, ApiError> {
    let (system, keywords): (Vec<&str>, Vec<&str>) =
        text.split_ascii_whitespace().partition(|flag| flag.starts_with('\\'));
    let keywords = keywords.into_iter().map(Keyword::parse).collect::<Result<Vec<_>, _>>()?;
    Ok(Flags::new(system.into_iter().filter_map(SystemFlag::parse), keywords)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Weak;

    /// What a store keeps in place, and whether it still does.
    fn held(backups: &Backups, id: &str) -> Weak<()> {
        let pin = Arc::new(());
        let kept = Arc::downgrade(&pin);
        backups.hold(id, vec![StoreBackup::new(Vec::new(), vec![Box::new(pin)])]);
        kept
    }

    async fn after(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_backup_of_which_nothing_is_heard_for_a_minute_keeps_nothing_in_place() {
        let backups = Backups::default();
        let kept = held(&backups, "1");
        after(59).await;
        assert!(kept.upgrade().is_some());
        after(2).await;
        assert!(kept.upgrade().is_none());
        assert!(!backups.renew("1") && !backups.release("1"));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_heard_of_keeps_its_files_until_its_end() {
        let backups = Backups::default();
        let (kept, other) = (held(&backups, "1"), held(&backups, "2"));
        for _ in 0..20 {
            after(10).await;
            assert!(backups.renew("1"));
        }
        assert!(kept.upgrade().is_some() && other.upgrade().is_none());
        assert!(backups.release("1"));
        assert!(kept.upgrade().is_none());
    }
}
