//! Watching certificate files.

use crate::CertificateFiles;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Changes come in bursts (certificate, then key): wait until it has been quiet for so long.
const QUIET_TIME: Duration = Duration::from_millis(300);

/// Calls back after the directories of some files have changed, until it is dropped.
#[derive(Debug)]
pub(crate) struct FilesWatch {
    _watcher: RecommendedWatcher,
}

impl FilesWatch {
    /// Watches the directories, so that a renamed file or symbolic link is seen too.
    ///
    /// Where the system cannot watch, that is logged and there is no watch: SIGHUP still reloads.
    pub(crate) fn start(files: &[CertificateFiles], changed: impl Fn() + Send + 'static) -> Option<Self> {
        match Self::try_start(files, changed) {
            Ok(watch) => Some(watch),
            Err(error) => {
                tracing::warn!(%error, "certificate files are not watched; SIGHUP reloads them");
                None
            }
        }
    }

    fn try_start(files: &[CertificateFiles], changed: impl Fn() + Send + 'static) -> notify::Result<Self> {
        let (sender, events) = channel();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.map_or(true, |event| !matches!(event.kind, EventKind::Access(_))) {
                let _ = sender.send(());
            }
        })?;
        for directory in directories(files) {
            watcher.watch(&directory, RecursiveMode::NonRecursive)?;
        }
        thread::Builder::new().name("certificates".to_owned()).spawn(move || call_back(&events, &changed))?;
        Ok(Self { _watcher: watcher })
    }
}

fn directories(files: &[CertificateFiles]) -> BTreeSet<PathBuf> {
    let paths = files.iter().flat_map(|pair| [&pair.chain, &pair.key]);
    let parents = paths.filter_map(|path| path.parent());
    parents.map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent }.into()).collect()
}

/// Ends when the watcher is dropped.
fn call_back(events: &Receiver<()>, changed: &impl Fn()) {
    while events.recv().is_ok() {
        loop {
            match events.recv_timeout(QUIET_TIME) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => break changed(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}
