//! `tartan backup`: copies the stores while they serve.
//!
//! The owner of the state lists the files and keeps them in place; this process, of the same user, copies them. Where no
//! owner runs, it opens the stores itself and is the owner meanwhile.

use super::owner::{Needs, Owner, refused};
use crate::bar::Bar;
use crate::cli::BackupArgs;
use crate::error::CliError;
use crate::paths::{DataPaths, config_load};
use crate::print::{Printer, table};
use admin::{AdminClient, BackupBegun, StoreFiles};
use backup::{Backup, BackupError, Manifest, Source, Taken};
use disk::RealDisk;
use jiff::Timestamp;
use journal::JournalFile;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often the owner hears that files are still being copied; it waits for a minute.
const RENEWAL: Duration = Duration::from_secs(10);

pub async fn run(args: BackupArgs, file: &Path, printer: &Printer) -> Result<(), CliError> {
    let backup = Backup::new(Arc::new(RealDisk), &args.dir);
    if args.list {
        return list(&backup, printer);
    }
    if args.verify {
        return verify(backup, args.generation, printer).await;
    }
    let config = config_load(file)?;
    outside_check(&args.dir, &config.system.data)?;
    let owner = Owner::reach(&config, Needs::Stores).await?;
    let paths = DataPaths::new(&config.system.data);
    let taken =
        take(&owner, backup, &paths, config.system.hostname.0, file, args.keep.map(|keep| keep as usize))
            .await;
    owner.close();
    printer.print(&taken?, shown)
}

/// A backup beside what it is a backup of would be lost with it, and its own files would be in the way of the system's.
fn outside_check(dir: &Path, data: &Path) -> Result<(), CliError> {
    let dir = std::path::absolute(dir).map_err(CliError::file(dir))?;
    let existing = dir.ancestors().find_map(|path| path.canonicalize().ok());
    let is_inside = data.canonicalize().is_ok_and(|data| existing.is_some_and(|dir| dir.starts_with(data)));
    if !is_inside {
        return Ok(());
    }
    let (dir, data) = (dir.display(), data.display());
    Err(CliError::Usage(format!(
        "{dir} is in the data directory {data}: a backup belongs elsewhere, best on another disk"
    )))
}

/// Copies everything that the owner lists, and what else of the data directory no store holds.
async fn take(
    owner: &Owner,
    backup: Backup,
    paths: &DataPaths,
    hostname: String,
    config: &Path,
    keep: Option<usize>,
) -> Result<Taken, CliError> {
    let client = owner.client();
    let begun = client.backup_begin().await.map_err(refused)?;
    let mut sources: Vec<Source> = begun.stores.iter().map(|store| source(paths.root(), store)).collect();
    sources.extend(plain_files("tls", &paths.tls())?);
    sources.extend(config_file(config)?);
    let bar = Bar::bytes("copying");
    let copying = tokio::task::spawn_blocking(move || {
        backup.take(&sources, &hostname, Timestamp::now(), keep, &|done, all| bar.at(done, all))
    });
    let taken = kept(client, &begun, copying).await;
    // It ends by itself where that cannot be said.
    let _ = client.backup_end(&begun.id).await;
    taken
}

/// Waits for the copying, and has the files kept in place meanwhile.
async fn kept(
    client: &AdminClient,
    begun: &BackupBegun,
    mut copying: tokio::task::JoinHandle<Result<Taken, BackupError>>,
) -> Result<Taken, CliError> {
    loop {
        match tokio::time::timeout(RENEWAL, &mut copying).await {
            Ok(copied) => return Ok(copied.map_err(CliError::failed)??),
            // Without an owner that waits, a file may go before its turn comes; then the copying fails.
            Err(_) => drop(client.backup_renew(&begun.id).await),
        }
    }
}

fn source(data: &Path, store: &StoreFiles) -> Source {
    let files = store.files.iter().map(|file| JournalFile {
        name: file.name.clone(),
        bytes: file.bytes,
        is_sealed: file.sealed,
    });
    Source { store: store.store.clone(), dir: data.join(&store.store), files: files.collect() }
}

/// The files of a folder, if it is there.
fn plain_files(store: &str, dir: &Path) -> Result<Option<Source>, CliError> {
    if !dir.exists() {
        return Ok(None);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(CliError::file(dir))? {
        let entry = entry.map_err(CliError::file(dir))?;
        let metadata = entry.metadata().map_err(CliError::file(dir))?;
        if metadata.is_file() {
            let name = entry.file_name().to_string_lossy().into_owned();
            files.push(JournalFile { name, bytes: metadata.len(), is_sealed: false });
        }
    }
    Ok(Some(Source { store: store.to_owned(), dir: dir.to_owned(), files }))
}

fn config_file(file: &Path) -> Result<Option<Source>, CliError> {
    let (Some(dir), Some(name)) = (file.parent(), file.file_name()) else { return Ok(None) };
    let bytes = std::fs::metadata(file).map_err(CliError::file(file))?.len();
    let files = vec![JournalFile { name: name.to_string_lossy().into_owned(), bytes, is_sealed: false }];
    Ok(Some(Source { store: "configuration".to_owned(), dir: dir.to_owned(), files }))
}

fn shown(taken: &Taken) -> String {
    let Taken { generation, files, bytes, files_copied, bytes_copied, .. } = taken;
    let mut text = format!(
        "generation {generation}: {files} files, {bytes} bytes; {files_copied} files, {bytes_copied} bytes were new\n"
    );
    if taken.generations_removed > 0 {
        let Taken { generations_removed, files_removed, .. } = taken;
        text += &format!("given up: {generations_removed} older generations, {files_removed} files\n");
    }
    text
}

fn list(backup: &Backup, printer: &Printer) -> Result<(), CliError> {
    let generations = backup.generations()?;
    printer.print(&generations, |generations| {
        let rows: Vec<_> = generations.iter().map(row).collect();
        table(&["GENERATION", "HOST", "FILES", "BYTES", "STORES"], &rows)
    })
}

fn row(manifest: &Manifest) -> Vec<String> {
    let (files, bytes) = (manifest.files.len().to_string(), manifest.bytes().to_string());
    vec![manifest.name(), manifest.hostname.clone(), files, bytes, manifest.stores().join(" ")]
}

async fn verify(backup: Backup, generation: Option<String>, printer: &Printer) -> Result<(), CliError> {
    let bar = Bar::bytes("reading");
    let verifying = tokio::task::spawn_blocking(move || {
        let manifest = backup.generation(generation.as_deref())?;
        backup.verify(&manifest, &|done, all| bar.at(done, all))
    });
    let report = verifying.await.map_err(CliError::failed)??;
    printer.print(&report, |report| format!("{report}\n"))?;
    match report.is_sound() {
        true => Ok(()),
        false => Err(CliError::Failed("the backup is not as it was written".to_owned())),
    }
}
