//! `tartan restore-backup`: brings back a whole system, a store, an account or a mailbox.

use super::owner::{Needs, Owner, refused};
use crate::bar::Bar;
use crate::cli::RestoreArgs;
use crate::error::CliError;
use crate::paths::config_load;
use crate::print::Printer;
use address::AccountName;
use admin::{AdminClient, RestoredInto};
use backup::{Backup, Manifest, Restored};
use disk::RealDisk;
use mailstore::{Flags, MailboxEntry, Mailstore, MailstoreSettings, MessageRow};
use serde::Serialize;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Tells a mail store that it comes from a backup: see `mailstore`.
const RESTORED: &str = "RESTORED";

pub async fn run(args: RestoreArgs, file: &Path, printer: &Printer) -> Result<(), CliError> {
    let backup = Backup::new(Arc::new(RealDisk), &args.dir);
    let manifest = backup.generation(args.generation.as_deref()).map_err(CliError::failed)?;
    match (args.data, args.account) {
        (Some(data), _) => whole(backup, manifest, args.store, data, printer).await,
        (None, Some(account)) => {
            let wanted = Wanted { mailbox: args.mailbox, into: args.into };
            account_restore(backup, manifest, &account, wanted, file, printer).await
        }
        (None, None) => {
            Err(CliError::Usage("say --data DIR for a whole system, or --account NAME".to_owned()))
        }
    }
}

async fn whole(
    backup: Backup,
    manifest: Manifest,
    store: Option<String>,
    data: PathBuf,
    printer: &Printer,
) -> Result<(), CliError> {
    let restored = bring(backup, manifest, store, data.clone()).await?;
    printer.print(&restored, |restored| {
        let Restored { generation, files, bytes, findings } = restored;
        let mut text: String =
            findings.iter().map(|finding| format!("{}: {}\n", finding.path, finding.what)).collect();
        text += &format!("generation {generation} is in {}: {files} files, {bytes} bytes\n", data.display());
        text + "Views are made at the first start. `tartan check` compares everything.\n"
    })?;
    match restored.findings.is_empty() {
        true => Ok(()),
        false => Err(CliError::Failed("not all of it is as it was copied".to_owned())),
    }
}

/// Writes the files, and tells a mail store where it comes from.
async fn bring(
    backup: Backup,
    manifest: Manifest,
    store: Option<String>,
    data: PathBuf,
) -> Result<Restored, CliError> {
    let bar = Bar::new("bringing back");
    let bringing = tokio::task::spawn_blocking(move || {
        let restored = backup
            .restore(&manifest, store.as_deref(), &data, &|done, all| bar.at(done, all))
            .map_err(CliError::failed)?;
        let mailstore = data.join("mailstore");
        if mailstore.exists() {
            crate::paths::file_write(&mailstore.join(RESTORED), "")?;
        }
        Ok(restored)
    });
    bringing.await.map_err(CliError::failed)?
}

/// What of an account is wanted, and where.
struct Wanted {
    /// One mailbox and those below it; all if none.
    mailbox: Option<String>,
    /// The mailbox below which they are to be; none for where they were.
    into: Option<String>,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
struct Brought {
    messages: u64,
    restored: u64,
    there_already: u64,
}

/// Opens the mail store of the generation in a folder beside it, and gives the live account what it has not.
async fn account_restore(
    backup: Backup,
    manifest: Manifest,
    account: &str,
    wanted: Wanted,
    file: &Path,
    printer: &Printer,
) -> Result<(), CliError> {
    let config = config_load(file)?;
    let account = super::account::parse(account, &config.system.domain.0)?;
    let scratch = Scratch::new(backup.dir())?;
    let restored = bring(backup, manifest, Some("mailstore".to_owned()), scratch.0.clone()).await?;
    for finding in &restored.findings {
        tracing::warn!(path = finding.path, what = finding.what, "a file of the backup is damaged");
    }
    let settings = settings(&scratch.0);
    let opening = tokio::task::spawn_blocking(move || Mailstore::open(settings, Arc::new(RealDisk)));
    let store = opening.await.map_err(CliError::failed)?.map_err(CliError::failed)?;
    let owner = Owner::reach(&config, Needs::Stores).await?;
    let brought = Bringer { store: &store, client: owner.client(), account: &account }.run(&wanted).await;
    owner.close();
    tokio::task::block_in_place(|| store.stop()).map_err(CliError::failed)?;
    printer.print(&brought?, |Brought { messages, restored, there_already }| {
        format!("{account}: {messages} messages in the backup, {there_already} are there, {restored} were brought back\n")
    })
}

/// A store that is looked at and thrown away.
fn settings(scratch: &Path) -> MailstoreSettings {
    let (purge_interval, compaction) = (None, None);
    let (reserve_bytes, space_low_bytes) = (0, 0);
    let usual = MailstoreSettings::new(scratch.join("mailstore"));
    MailstoreSettings { purge_interval, compaction, reserve_bytes, space_low_bytes, ..usual }
}

/// Gives a live account what it has not.
struct Bringer<'a> {
    store: &'a Mailstore,
    client: &'a AdminClient,
    account: &'a AccountName,
}

impl Bringer<'_> {
    async fn run(&self, wanted: &Wanted) -> Result<Brought, CliError> {
        let there = self.client.email_ids(self.account).await.map_err(refused)?;
        let mut there: HashSet<String> = there.into_iter().collect();
        let mailboxes: Vec<_> =
            self.store.mailbox_list(self.account).into_iter().filter(|entry| wanted.has(entry)).collect();
        if mailboxes.is_empty() {
            return Err(CliError::Failed(format!("the backup has no such mailbox of {}", self.account)));
        }
        let mut brought = Brought::default();
        for entry in &mailboxes {
            self.mailbox(entry, wanted, &mut there, &mut brought).await?;
        }
        Ok(brought)
    }

    async fn mailbox(
        &self,
        entry: &MailboxEntry,
        wanted: &Wanted,
        there: &mut HashSet<String>,
        brought: &mut Brought,
    ) -> Result<(), CliError> {
        let Some(id) = entry.id else { return Ok(()) };
        let snapshot = self.store.snapshot(id).await.map_err(CliError::failed)?;
        let name = wanted.name(entry);
        let bar = Bar::new("bringing back");
        for (number, row) in snapshot.rows().enumerate() {
            brought.messages += 1;
            // Once, where a message was in several mailboxes.
            if there.insert(row.email_id.to_string()) {
                self.message(&row, &name).await?;
                brought.restored += 1;
            } else {
                brought.there_already += 1;
            }
            bar.at(number as u64 + 1, u64::from(snapshot.len()));
        }
        Ok(())
    }

    async fn message(&self, row: &MessageRow<'_>, mailbox: &str) -> Result<(), CliError> {
        let body = self.store.body(row.body).await.map_err(CliError::failed)?;
        let message =
            tokio::task::spawn_blocking(move || body.read_all()).await.map_err(CliError::failed)??;
        let into = RestoredInto {
            mailbox: mailbox.to_owned(),
            flags: flags(row.flags),
            internal_date: row.internal_date,
            email_id: row.email_id.to_string(),
        };
        self.client.message_restore(self.account, &into, message).await.map_err(refused)?;
        Ok(())
    }
}

impl Wanted {
    fn has(&self, entry: &MailboxEntry) -> bool {
        let Some(mailbox) = &self.mailbox else { return true };
        let name = name(entry);
        name.eq_ignore_ascii_case(mailbox) && entry.path.is_inbox()
            || name == *mailbox
            || name.strip_prefix(&**mailbox).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Where messages of a mailbox go.
    fn name(&self, entry: &MailboxEntry) -> String {
        match &self.into {
            Some(into) => format!("{into}/{}", name(entry)),
            None => name(entry),
        }
    }
}

fn name(entry: &MailboxEntry) -> String {
    entry.path.components().join("/")
}

/// Flags as they stand on the wire.
fn flags(flags: &Flags) -> String {
    let system = flags.system().map(|flag| flag.as_str());
    let keywords = flags.keywords().iter().map(|keyword| keyword.as_str());
    system.chain(keywords).collect::<Vec<_>>().join(" ")
}

/// A folder that goes when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(beside: &Path) -> Result<Self, CliError> {
        let dir = beside.join(format!("restoring-{}", std::process::id()));
        crate::paths::directory_create(&dir)?;
        Ok(Self(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(dir = %self.0.display(), %error, "this folder is needed no more and stays behind");
        }
    }
}
