//! In-memory pipes between the roles of one process.

use crate::accept::Sessions;
use crate::{Connection, NetError, Peer, RoleName, Shutdown};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The roles of this process that can be called by name. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Pipes(Arc<Mutex<HashMap<RoleName, mpsc::Sender<Connection>>>>);

/// The listening end of a role.
#[derive(Debug)]
pub struct PipeListener {
    name: RoleName,
    callers: mpsc::Receiver<Connection>,
}

impl Pipes {
    /// No roles yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers `name`. A second listener of the same name takes its place.
    pub fn listen(&self, name: RoleName) -> PipeListener {
        let (sender, callers) = mpsc::channel(limits::PIPE_CALLERS_MAX);
        self.0.lock().insert(name, sender);
        PipeListener { name, callers }
    }

    /// Calls the role `name` as `caller`; the listener sees `caller` as the identity of the pipe.
    ///
    /// # Errors
    /// [`NetError::NoSuchRole`] when nobody listens under that name.
    pub async fn connect(&self, name: RoleName, caller: RoleName) -> Result<Connection, NetError> {
        let listener = self.0.lock().get(&name).cloned().ok_or(NetError::NoSuchRole(name))?;
        let (called, calling) = Connection::pair(Peer::Pipe { role: caller }, name);
        listener.send(called).await.map_err(|_| NetError::NoSuchRole(name))?;
        Ok(calling)
    }
}

impl PipeListener {
    /// The next caller; none when all [`Pipes`] are gone.
    pub async fn accept(&mut self) -> Option<Connection> {
        self.callers.recv().await
    }

    /// Runs `session` for each caller until `shutdown`, then waits for sessions up to the grace time.
    pub async fn serve<F>(mut self, shutdown: Shutdown, session: impl Fn(Connection) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut sessions = Sessions::new(self.name.as_str());
        while let Some(connection) = sessions.until(&shutdown, self.callers.recv()).await.flatten() {
            sessions.spawn(session(connection.with_shutdown(shutdown.clone())));
        }
        sessions.end(limits::SHUTDOWN_GRACE_TIME).await;
    }
}
