//! The socket.

use crate::router::{AdminHandles, router};
use net::Shutdown;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::unix::SocketAddr;
use tokio::net::{UnixListener, UnixStream};

/// Why the socket cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("admin socket {path}: {source}", path = path.display())]
pub struct ServeError {
    path: PathBuf,
    source: io::Error,
}

/// The socket, before it serves.
///
/// It is for this process's user and root alone: by its mode (0600), and by who each caller is, for
/// those who come before the mode is set.
pub struct AdminSocket {
    path: PathBuf,
    listener: OwnersListener,
}

impl AdminSocket {
    /// Listens at `path`; who connects waits until [`AdminSocket::serve`].
    ///
    /// The caller owns the data directory: a socket that lies there is a dead process's and is replaced.
    pub fn bind(path: &Path) -> Result<Self, ServeError> {
        let failed = |source| ServeError { path: path.to_owned(), source };
        Ok(Self { path: path.to_owned(), listener: listen(path).map_err(failed)? })
    }

    /// Serves the API until `shutdown`, then removes the socket.
    pub async fn serve(self, handles: AdminHandles, shutdown: Shutdown) -> Result<(), ServeError> {
        let Self { path, listener } = self;
        let stopped = async move { shutdown.asked().await };
        let served = axum::serve(listener, router(handles)).with_graceful_shutdown(stopped).await;
        let _ = fs::remove_file(&path);
        served.map_err(|source| ServeError { path, source })
    }
}

/// Hears its own user and root alone.
struct OwnersListener {
    socket: UnixListener,
    owner: u32,
}

impl axum::serve::Listener for OwnersListener {
    type Io = UnixStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (UnixStream, SocketAddr) {
        loop {
            match self.socket.accept().await {
                Ok((stream, address)) if self.is_owner(&stream) => return (stream, address),
                Ok(_) => tracing::warn!("somebody else at the admin socket was turned away"),
                Err(error) => {
                    tracing::warn!(%error, "accepting on the admin socket");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

impl OwnersListener {
    fn is_owner(&self, stream: &UnixStream) -> bool {
        stream.peer_cred().is_ok_and(|caller| caller.uid() == self.owner || caller.uid() == 0)
    }
}

fn listen(path: &Path) -> io::Result<OwnersListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(OwnersListener { socket, owner: fs::metadata(path)?.uid() })
}
