//! Tasks and signals: the process runs until it is told to stop or one of its tasks fails.

use super::process::RunningProcess;
use crate::error::CliError;
use crate::notify::{self, Watchdog};
use admin::{AdminHandles, AdminSocket, Process};
use net::Shutdown;
use std::time::Duration;
use telemetry::{MetricsHandle, Readiness};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

/// Beyond the grace time of sessions: what is left then is ended by the end of the process.
const STOP_TIME_MAX: Duration = limits::SHUTDOWN_GRACE_TIME.saturating_add(Duration::from_secs(5));

/// The tasks of the process, each running until the stop, and the signals that ask for it.
pub struct Tasks {
    signals: Signals,
    shutdown: Shutdown,
    running: JoinSet<Result<(), String>>,
}

impl Tasks {
    /// From here on a signal is heard: one that comes during the start stops the system after it.
    pub fn new() -> Result<Self, CliError> {
        Ok(Self { signals: Signals::new()?, shutdown: Shutdown::new(), running: JoinSet::new() })
    }

    /// The stop that tasks must heed.
    pub fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Starts a task that ends at the stop.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.running.spawn(async move {
            task.await;
            Ok(())
        });
    }

    /// Starts a task whose failure stops the process.
    pub fn spawn_fallible<E: std::fmt::Display>(
        &mut self,
        name: &'static str,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        self.running.spawn(async move { task.await.map_err(|error| format!("{name}: {error}")) });
    }

    /// Serves metrics, health and readiness.
    pub fn status(&mut self, listener: TcpListener, metrics: MetricsHandle, readiness: Readiness) {
        let shutdown = self.shutdown();
        self.spawn(telemetry::status_serve(listener, metrics, readiness, async move {
            shutdown.asked().await;
        }));
    }

    /// Serves the admin API.
    pub fn admin(&mut self, socket: AdminSocket, handles: AdminHandles) {
        self.spawn_fallible("admin", socket.serve(handles, self.shutdown()));
    }

    /// Runs until SIGTERM, SIGINT or the failure of a task; then stops all tasks.
    pub async fn run(mut self, process: &RunningProcess) -> Result<(), CliError> {
        let mut watchdog = Watchdog::new();
        let ended = loop {
            tokio::select! {
                told = self.signals.next() => match told {
                    Told::Stop => break Ok(()),
                    Told::Reload => drop(process.reload()),
                },
                () = watchdog.due() => Watchdog::alive(),
                Some(ended) = self.running.join_next() => break Err(failure(ended)),
            }
        };
        if let Err(error) = &ended {
            tracing::error!(%error, "stopping");
        }
        self.stop().await;
        ended
    }

    /// Asks everyone to stop and waits, up to a limit or a second signal.
    async fn stop(&mut self) {
        tracing::info!("stopping: listeners are closed, sessions may finish what they are at");
        notify::stopping("sessions may finish what they are at");
        self.shutdown.ask();
        let all_ended = async { while self.running.join_next().await.is_some() {} };
        tokio::select! {
            () = all_ended => {}
            () = self.signals.stop() => tracing::warn!("told again: stopping at once"),
            () = tokio::time::sleep(STOP_TIME_MAX) => tracing::warn!("some tasks did not stop in time"),
        }
        self.running.shutdown().await;
    }
}

/// A task ended before the stop: it failed, or panicked.
fn failure(ended: Result<Result<(), String>, tokio::task::JoinError>) -> CliError {
    CliError::Failed(match ended {
        Ok(Ok(())) => "a task ended by itself".to_owned(),
        Ok(Err(error)) => error,
        Err(panic) => panic.to_string(),
    })
}

/// What a signal asks for.
enum Told {
    Stop,
    Reload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self, CliError> {
        let listen = |kind| signal(kind).map_err(CliError::failed);
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hangup.recv() => Told::Reload,
        }
    }

    async fn stop(&mut self) {
        while matches!(self.next().await, Told::Reload) {}
    }
}
