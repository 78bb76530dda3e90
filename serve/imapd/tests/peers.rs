//! The transcripts against other servers: what we hold an RFC to say, they should say too.
//!
//! A file that one answers otherwise has a line `# dovecot: reason` or `# cyrus: reason`, and must go on to differ.
//! `# ours-only: reason` is for what other servers cannot be asked. `TRANSCRIPT=name` runs the transcripts whose file
//! names contain `name`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use harness::run::run;
use harness::script::{Script, transcripts};
use harness::stage::{Login, Stage};
use testkit::peer::{Cyrus, Dovecot, Store, accounts};
use tokio::sync::Semaphore;

/// Transcripts that run at a time.
const AT_ONCE: usize = 6;

/// Time for a response; a server that is known to differ may never send it.
const RESPONSE_TIME_MAX: Duration = Duration::from_secs(30);
const MARKED_RESPONSE_TIME_MAX: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dovecot_answers_as_transcripts_say() {
    let (dir, paths) = (folder(), transcripts());
    let dovecot = Dovecot::start(dir.path(), Store::Mdbox, &accounts(2 * paths.len()));
    compare("dovecot", dovecot.imap, paths).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cyrus_answers_as_transcripts_say() {
    let (dir, paths) = (folder(), transcripts());
    let cyrus = Cyrus::start(dir.path(), &accounts(2 * paths.len()));
    compare("cyrus", cyrus.imap, paths).await;
}

/// A folder that the server's user may enter.
fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("imapd-peer-").tempdir().unwrap()
}

/// Runs all transcripts, and says what differs that should not, and what does not though it is marked.
async fn compare(peer: &'static str, imap: SocketAddr, paths: Vec<PathBuf>) {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let logins: Vec<Login> =
        accounts(2 * paths.len()).into_iter().map(|account| (account.login, account.password)).collect();
    let mut running = Vec::new();
    for (path, logins) in paths.into_iter().zip(logins.chunks_exact(2)) {
        let stage = Stage::Foreign(imap, [logins[0].clone(), logins[1].clone()]);
        let turns = turns.clone();
        running.push(tokio::spawn(async move {
            let _turn = turns.acquire().await;
            problem(peer, &path, stage).await
        }));
    }
    let mut problems = Vec::new();
    for task in running {
        problems.extend(task.await.unwrap());
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

async fn problem(peer: &str, path: &Path, stage: Stage) -> Option<String> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    let script = Script::read(path).unwrap();
    if script.marker("ours-only").is_some() {
        return None;
    }
    let marked = script.marker(peer).is_some();
    let time_max = if marked { MARKED_RESPONSE_TIME_MAX } else { RESPONSE_TIME_MAX };
    let path = path.to_owned();
    let outcome = tokio::spawn(async move { run(&path, stage, time_max).await }).await;
    let difference = match outcome {
        Ok(outcome) => outcome.err(),
        Err(panic) => Some(panic.to_string()),
    };
    match (difference, marked) {
        (Some(difference), false) => Some(format!("{name}: {difference}")),
        (None, true) => Some(format!("{name}: marked as different for {peer}, but is not")),
        _ => None,
    }
}
