//! The composition root: each role gets the handles that it needs, and its listeners.

use super::listeners::Bound;
use super::settings;
use super::stores::Stores;
use super::supervise::Tasks;
use crate::error::CliError;
use crate::paths::DataPaths;
use config::{Config, Role};
use directory::Directory;
use imapd::ImapServer;
use lmtpd::Lmtpd;
use mailstore::Mailstore;
use mx::Mx;
use net::{Connection, Pipes, TlsStore};
use relay::Relay;
use route::Router;
use spool::Spool;
use std::sync::Arc;
use submission::Submission;

/// Starts every role of the configuration.
pub fn start(
    config: &Config,
    paths: &DataPaths,
    stores: &Stores,
    tls: &TlsStore,
    bound: Bound,
    tasks: &mut Tasks,
) -> Result<(), CliError> {
    let directory: Arc<dyn Directory> = Arc::new(stores.directory.clone());
    let router = Router::new(directory.clone(), settings::route(config)?);
    let pipes = Pipes::new();
    let mut start = Start { config, paths, stores, tls, directory, router, pipes, bound, tasks };
    // The relay calls other roles, and what waits in the spool is due at once: whom it calls must be there before it.
    let (last, first): (Vec<Role>, Vec<Role>) =
        config.system.roles.iter().partition(|role| **role == Role::Relay);
    first.into_iter().chain(last).try_for_each(|role| start.role(role))
}

/// What roles are given; each takes what it needs.
struct Start<'a> {
    config: &'a Config,
    paths: &'a DataPaths,
    stores: &'a Stores,
    tls: &'a TlsStore,
    directory: Arc<dyn Directory>,
    router: Router,
    pipes: Pipes,
    bound: Bound,
    tasks: &'a mut Tasks,
}

impl Start<'_> {
    fn role(&mut self, role: Role) -> Result<(), CliError> {
        match role {
            Role::Mx => self.mx(),
            Role::Submission => self.submission(),
            Role::Lmtpd => self.lmtpd(),
            Role::Imapd => self.imapd(),
            Role::Relay => self.relay(),
        }
    }

    fn mx(&mut self) -> Result<(), CliError> {
        let settings = settings::mx(self.config, self.paths)?;
        let tls = Some(self.tls.acceptor());
        let mx = Mx::new(self.router.clone(), self.spool()?, self.stores.disk.clone(), tls, settings);
        self.serve(Role::Mx, move |connection| {
            let mx = mx.clone();
            async move { mx.serve(connection).await }
        });
        Ok(())
    }

    fn submission(&mut self) -> Result<(), CliError> {
        let settings = settings::submission(self.config, self.paths)?;
        let submission = Submission::new(
            self.directory.clone(),
            self.router.clone(),
            self.spool()?,
            self.stores.disk.clone(),
            Some(self.tls.acceptor()),
            settings,
        );
        self.serve(Role::Submission, move |connection| {
            let submission = submission.clone();
            async move { submission.serve(connection).await }
        });
        Ok(())
    }

    /// By TCP, and by pipe for the roles of this process.
    fn lmtpd(&mut self) -> Result<(), CliError> {
        let settings = settings::lmtpd(self.config, self.paths)?;
        let lmtpd = Lmtpd::new(self.router.clone(), self.mailstore()?, self.stores.disk.clone(), settings);
        let session = move |connection| {
            let lmtpd = lmtpd.clone();
            async move { lmtpd.serve(connection).await }
        };
        let (pipes, pipe) = (self.pipes.clone(), self.pipes.listen(settings::LMTPD));
        let serving = pipe.serve(self.tasks.shutdown(), session.clone());
        self.tasks.spawn(async move {
            serving.await;
            drop(pipes);
        });
        self.serve(Role::Lmtpd, session);
        Ok(())
    }

    fn imapd(&mut self) -> Result<(), CliError> {
        let settings = settings::imapd(self.config, self.paths);
        let tls = Some(self.tls.acceptor());
        let disk = self.stores.disk.clone();
        let imapd = ImapServer::new(self.mailstore()?, self.directory.clone(), disk, tls, settings);
        self.serve(Role::Imapd, move |connection| {
            let imapd = imapd.clone();
            async move { imapd.serve(connection).await }
        });
        Ok(())
    }

    fn relay(&mut self) -> Result<(), CliError> {
        let settings = settings::relay(self.config);
        let relay = Relay::new(self.spool()?, self.router.clone(), self.pipes.clone(), settings);
        let relay = relay.map_err(CliError::failed)?;
        let shutdown = self.tasks.shutdown();
        self.tasks.spawn_fallible("relay", async move { relay.run(shutdown).await });
        Ok(())
    }

    /// Runs `session` for each connection on the listeners of `role`.
    fn serve<F>(&mut self, role: Role, session: impl Fn(Connection) -> F + Clone + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        for listener in self.bound.take(role) {
            self.tasks.spawn(listener.serve(self.tasks.shutdown(), session.clone()));
        }
    }

    fn spool(&self) -> Result<Spool, CliError> {
        self.stores.spool.clone().ok_or_else(|| CliError::Failed("the spool is not open".to_owned()))
    }

    fn mailstore(&self) -> Result<Mailstore, CliError> {
        self.stores.mailstore.clone().ok_or_else(|| CliError::Failed("the mail store is not open".to_owned()))
    }
}
