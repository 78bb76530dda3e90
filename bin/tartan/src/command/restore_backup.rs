//! `tartan restore-backup`: brings back a whole system, a store, an account or a mailbox.

use super::owner::{Needs, Owner, not_of_another, refused};
use crate::bar::Bar;
use crate::cli::RestoreArgs;
use crate::error::CliError;
use crate::paths::{DataPaths, config_load};
use crate::print::Printer;
use address::AccountName;
use admin::{AdminClient, RestoredInto};
use backup::{Backup, Finding, Manifest, Restored, SCRATCH};
use bytes::Bytes;
use disk::RealDisk;
use mailstore::{Flags, MailboxEntry, Mailstore, MailstoreSettings, MessageRow};
use rustix::process::getuid;
use serde::Serialize;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The store that holds the configuration file.
const CONFIGURATION: &str = "configuration";
/// Tells a mail store that it comes from a backup: see `mailstore`.
const RESTORED: &str = "RESTORED";

pub async fn run(args: RestoreArgs, file: &Path, printer: &Printer) -> Result<(), CliError> {
    let backup = Backup::new(Arc::new(RealDisk), &args.dir);
    let manifest = backup.generation(args.generation.as_deref())?;
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
    let data = std::path::absolute(&data).map_err(CliError::file(&data))?;
    if Owner::running(&data).await.is_some() {
        let data = data.display();
        return Err(CliError::Failed(format!(
            "a system runs on {data}: a restore wants a directory of its own"
        )));
    }
    not_of_another(&DataPaths::new(&data))?;
    let restored = bring(backup, manifest, store, data.clone()).await?;
    printer.print(&restored, |restored| {
        let Restored { generation, files, bytes, findings } = restored;
        let what =
            format!("generation {generation} is in {}: {files} files, {bytes} bytes\n", data.display());
        findings_shown(findings) + &what + &next_steps(&data)
    })?;
    undamaged(&restored.findings)
}

fn findings_shown(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("{}: {}\n", finding.path, finding.what)).collect()
}

/// A restore with damage has brought back what it could, and is a failure all the same.
fn undamaged(findings: &[Finding]) -> Result<(), CliError> {
    let text = "the backup is damaged: what could be read was brought back";
    findings.is_empty().then_some(()).ok_or_else(|| CliError::Failed(text.to_owned()))
}

/// What an operator does with what was brought back.
fn next_steps(data: &Path) -> String {
    let configurations = std::fs::read_dir(data.join(CONFIGURATION)).into_iter().flatten().flatten();
    let mut text: String = configurations
        .map(|file| {
            format!(
                "Its configuration is {}: copy it where it belongs, and have `data` in its [system] name {}.\n",
                file.path().display(),
                data.display()
            )
        })
        .collect();
    if getuid().is_root() {
        text += &format!(
            "Root has written it: `chown -R USER {}` gives it to who runs tartan.\n",
            data.display()
        );
    }
    text + "Views are made at the first start; `tartan check` then compares everything.\n"
}

/// Writes the files, and tells a mail store where it comes from.
async fn bring(
    backup: Backup,
    manifest: Manifest,
    store: Option<String>,
    data: PathBuf,
) -> Result<Restored, CliError> {
    let bar = Bar::bytes("copying");
    let bringing = tokio::task::spawn_blocking(move || {
        let restored = backup.restore(&manifest, store.as_deref(), &data, &|done, all| bar.at(done, all))?;
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
    /// Damage of the backup, by file or by message.
    findings: Vec<Finding>,
}

/// Asks what the account has, and brings back the rest.
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
    let owner = Owner::reach(&config, Needs::Stores).await?;
    let there = owner.client().email_ids(&account).await.map_err(refused);
    let brought = match there {
        Ok(there) => brought(backup, manifest, &account, &wanted, (owner.client(), there)).await,
        Err(error) => Err(error),
    };
    owner.close();
    let brought = brought?;
    printer.print(&brought, |Brought { messages, restored, there_already, findings }| {
        let counts = format!(
            "{account}: {messages} messages in the backup, {there_already} are there, {restored} were brought back\n"
        );
        findings_shown(findings) + &counts
    })?;
    undamaged(&brought.findings)
}

/// Lays the generation's mail store out, and gives the live account what it has not.
async fn brought(
    backup: Backup,
    manifest: Manifest,
    account: &AccountName,
    wanted: &Wanted,
    (client, there): (&AdminClient, Vec<String>),
) -> Result<Brought, CliError> {
    let scratch = Scratch::new(backup.dir())?;
    let restored = bring(backup, manifest, Some("mailstore".to_owned()), scratch.0.clone()).await?;
    let settings = settings(&scratch.0);
    let opening = tokio::task::spawn_blocking(move || Mailstore::open(settings, Arc::new(RealDisk)));
    let store = opening.await.map_err(CliError::failed)?.map_err(CliError::failed)?;
    let bringer = Bringer { store: &store, client, account };
    let brought = bringer.run(wanted, there.into_iter().collect()).await;
    tokio::task::block_in_place(|| store.stop()).map_err(CliError::failed)?;
    let mut brought = brought?;
    brought.findings.extend(restored.findings);
    Ok(brought)
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
    async fn run(&self, wanted: &Wanted, mut there: HashSet<String>) -> Result<Brought, CliError> {
        let mailboxes: Vec<_> =
            self.store.mailbox_list(self.account).into_iter().filter(|entry| wanted.has(entry)).collect();
        if mailboxes.is_empty() {
            let what =
                wanted.mailbox.as_ref().map_or("no mailbox".to_owned(), |name| format!("no mailbox {name}"));
            return Err(CliError::Failed(format!("the generation has {what} of {}", self.account)));
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
        if snapshot.is_empty() {
            return Ok(());
        }
        let name = wanted.name(entry);
        let bar = Bar::messages(format!("bringing back {name}"));
        for (number, row) in snapshot.rows().enumerate() {
            brought.messages += 1;
            // Once, where a message was in several mailboxes.
            if there.insert(row.email_id.to_string()) {
                match self.store.body_verified(row.body).await {
                    Ok(message) => self.message(&row, &name, message).await?,
                    Err(error) => {
                        let what = error.to_string();
                        brought.findings.push(Finding { path: format!("{name}, uid {}", row.uid), what });
                        continue;
                    }
                }
                brought.restored += 1;
            } else {
                brought.there_already += 1;
            }
            bar.at(number as u64 + 1, u64::from(snapshot.len()));
        }
        Ok(())
    }

    async fn message(&self, row: &MessageRow<'_>, mailbox: &str, message: Bytes) -> Result<(), CliError> {
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
        Self::left_behind(beside).into_iter().for_each(|dir| drop(Self(dir)));
        let dir = beside.join(format!("{SCRATCH}{}", std::process::id()));
        crate::paths::directory_create(&dir)?;
        Ok(Self(dir))
    }

    /// Those of processes that have ended before they could remove them.
    fn left_behind(beside: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(beside).into_iter().flatten().flatten();
        let is_left = |entry: &std::fs::DirEntry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let process = name.strip_prefix(SCRATCH).and_then(|process| process.parse::<u32>().ok());
            process.is_some_and(|process| !Path::new("/proc").join(process.to_string()).exists())
        };
        entries.filter(is_left).map(|entry| entry.path()).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is removed by the next one.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
