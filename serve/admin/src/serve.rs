//! The socket.

use crate::router::{AdminHandles, router};
use net::Shutdown;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// Why the socket cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("admin socket {path}: {source}", path = path.display())]
pub struct ServeError {
    path: PathBuf,
    source: io::Error,
}

/// Serves the API at `path` until `shutdown`, then removes the socket.
///
/// The caller owns the data directory: a socket that lies there is a dead process's and is replaced.
/// The directory is its owner's alone (0700), so that nobody gets at the socket before its mode is set.
pub async fn serve(path: &Path, handles: AdminHandles, shutdown: Shutdown) -> Result<(), ServeError> {
    let failed = |source| ServeError { path: path.to_owned(), source };
    let listener = listen(path).map_err(failed)?;
    let stopped = async move { shutdown.asked().await };
    let served = axum::serve(listener, router(handles)).with_graceful_shutdown(stopped).await;
    let _ = fs::remove_file(path);
    served.map_err(failed)
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}
