//! Which verb runs in which state, and what follows from it.

use address::AccountName;
use imap::{Command, MailboxName, Numbering, Quirk, Quirks, Tag};

use crate::cmd::*;
use crate::login::is_wrong_guess;
use crate::names::mend;
use crate::refusal::{Done, DoneCode, Outcome, Refusal, Stop};
use crate::report::Unasked;
use crate::session::{Next, Session};
use crate::state::State;

impl Session {
    /// Runs one command and answers it.
    pub(crate) async fn command(&mut self, tag: &Tag, mut command: Command) -> Result<Next, Stop> {
        let unasked = unasked(&command, self.quirks);
        command.mailboxes_mut().into_iter().for_each(|name| mend(self.quirks, name));
        let next = match &command {
            Command::StartTls => Next::Handshake,
            Command::Logout => Next::Close,
            Command::Login { .. } | Command::Authenticate { .. } => Next::Trusted,
            _ => Next::Command,
        };
        metrics::counter!("tartan_imapd_commands_total").increment(1);
        let outcome = Box::pin(self.any_state(tag, command)).await;
        let done = outcome.is_ok();
        self.answer(tag, outcome, unasked).await?;
        match self.logins_refused < limits::AUTH_FAILURES_MAX {
            true => Ok(if done { next } else { Next::Command }),
            false => Err(Stop::Bye("Too many failed logins")),
        }
    }

    async fn any_state(&mut self, tag: &Tag, command: Command) -> Outcome {
        match command {
            Command::Capability => {
                let names = self.capabilities();
                capability::run(&mut self.channel, &names)
            }
            Command::Noop => noop::run(),
            Command::Logout => {
                self.state.unselect();
                logout::run(&mut self.channel)
            }
            Command::Id(client) => {
                if self.settings.quirks_by_client {
                    self.quirks = self.settings.quirks.and(Quirks::of_client(&client));
                }
                id::run(&mut self.channel, &client, self.quirks)
            }
            Command::StartTls | Command::Authenticate { .. } | Command::Login { .. } => {
                self.state.expect_login()?;
                self.before_login(command).await
            }
            Command::Unknown { verb, .. } => {
                tracing::debug!(%verb, "unknown command");
                Err(Refusal::bad("Unknown command").into())
            }
            Command::Append(_) => Err(Refusal::bad("APPEND takes its message as a literal").into()),
            command => self.authenticated(tag, command).await,
        }
    }

    async fn before_login(&mut self, command: Command) -> Outcome {
        let deadline = self.deadline();
        let mut claimed = None;
        let entered = match command {
            Command::StartTls => return starttls::run(&mut self.channel, self.tls.is_some()),
            Command::Login { login, password } => {
                let connection = self.channel.wire().connection();
                let entered = login::run(connection, &*self.directory, &login, &password).await;
                claimed = Some(login);
                entered
            }
            Command::Authenticate { mechanism, initial } => {
                let (out, directory) = (&mut self.channel, &*self.directory);
                authenticate::run(out, directory, &mechanism, initial.as_ref(), deadline, &mut claimed).await
            }
            _ => return Err(Refusal::bad("Log in first").into()),
        };
        match entered {
            Ok(account) => self.enter(account).await,
            Err(stop) => {
                self.count_refused(&stop, claimed);
                Err(stop)
            }
        }
    }

    /// The account has its mailboxes from its first login on.
    async fn enter(&mut self, account: AccountName) -> Outcome {
        self.mailstore.account_ensure(&account).await?;
        tracing::info!(%account, "logged in");
        metrics::counter!("tartan_imapd_logins_total", "result" => "ok").increment(1);
        self.state = State::Authenticated { account };
        Ok(Done::with(DoneCode::Capability, "Logged in"))
    }

    /// `claimed` is whom the client claims to be.
    fn count_refused(&mut self, stop: &Stop, claimed: Option<String>) {
        if let Stop::Refused(refusal) = stop {
            tracing::info!(login = claimed, error = %refusal.text, "login refused");
            metrics::counter!("tartan_imapd_logins_total", "result" => "refused").increment(1);
            self.logins_refused += u32::from(is_wrong_guess(refusal));
        }
    }

    async fn authenticated(&mut self, tag: &Tag, command: Command) -> Outcome {
        if self.state.is_logged_in() && command.enables_condstore() {
            self.enable_condstore(&command);
        }
        let account = self.state.account()?;
        let (out, store) = (&mut self.channel, &self.mailstore);
        match command {
            Command::Enable(asked) => enable::run(out, &asked),
            Command::Create { mailbox, special_use } => {
                create::run(store, account, &mailbox, &special_use).await
            }
            Command::Delete(mailbox) => {
                let done = delete::run(store, account, &mailbox).await?;
                self.state.unselect_deleted();
                Ok(done)
            }
            Command::Rename { from, to } => rename::run(store, account, &from, &to).await,
            Command::Subscribe(mailbox) => subscribe::run(store, account, &mailbox).await,
            Command::Unsubscribe(mailbox) => subscribe::run_unsubscribe(store, account, &mailbox).await,
            Command::List(asked) => list::run(out, store, account, &asked).await,
            Command::Lsub(asked) => lsub::run(out, store, account, &asked, self.quirks).await,
            Command::Status { mailbox, items } => status::run(out, store, account, &mailbox, &items).await,
            Command::Namespace => namespace::run(out),
            Command::Select { mailbox, read_only, .. } => self.select(&mailbox, read_only).await,
            Command::Idle => {
                let deadline = self.deadline();
                idle::run(&mut self.channel, self.state.mailbox(), deadline).await
            }
            command => self.selected(tag, command).await,
        }
    }

    /// RFC 7162 3.1: from now on. The client has had no use for the modseq that SELECT told, so it is told again.
    fn enable_condstore(&mut self, by: &Command) {
        let first = !std::mem::replace(&mut self.condstore, true);
        let left = matches!(by, Command::Select { .. });
        if let Some(mailbox) = self.state.mailbox().filter(|_| first && !left) {
            mailbox.condstore = true;
            select::write_highest_modseq(&mut self.channel, mailbox);
        }
    }

    /// RFC 3501 6.3.1: the mailbox that was selected is left first, also where the new one cannot be opened.
    async fn select(&mut self, name: &MailboxName, read_only: bool) -> Outcome {
        self.state.unselect();
        let account = self.state.account()?;
        let (out, store) = (&mut self.channel, &self.mailstore);
        let (mailbox, done) = select::run(out, store, account, name, read_only, self.condstore).await?;
        self.state.select(mailbox);
        Ok(done)
    }

    async fn selected(&mut self, tag: &Tag, command: Command) -> Outcome {
        let (account, mailbox) = self.state.selected()?;
        let (out, store) = (&mut self.channel, &self.mailstore);
        match command {
            Command::Check => check::run(mailbox),
            Command::Close => {
                let done = close::run(store, mailbox).await?;
                self.state.unselect();
                Ok(done)
            }
            Command::Unselect => {
                let done = close::run_unselect(mailbox)?;
                self.state.unselect();
                Ok(done)
            }
            Command::Expunge { uids } => expunge::run(store, mailbox, uids.as_ref()).await,
            Command::Search(asked) => {
                let by_words = self.quirks.has(Quirk::SearchWords);
                search::run(out, tag, store, &self.searches, mailbox, &asked, by_words).await
            }
            Command::Fetch(asked) => fetch::run(out, store, mailbox, &asked).await,
            Command::Store(asked) => store::run(out, store, mailbox, &asked).await,
            Command::Copy { by, set, mailbox: target } => {
                copy::run(store, account, mailbox, by, &set, &target).await
            }
            Command::Move { by, set, mailbox: target } => {
                move_messages::run(out, store, account, mailbox, by, &set, &target).await
            }
            _ => Err(Refusal::bad("Command is not allowed now").into()),
        }
    }
}

/// What a command may tell besides its answer. RFC 3501 7.4.1: no EXPUNGE where it names messages by sequence number.
fn unasked(command: &Command, quirks: Quirks) -> Unasked {
    let by = match command {
        Command::Noop | Command::Check | Command::Expunge { .. } | Command::Move { .. } | Command::Idle => {
            return Unasked::All;
        }
        Command::Fetch(asked) => asked.by,
        Command::Store(asked) => asked.by,
        Command::Search(asked) => asked.by,
        _ => Numbering::Uid,
    };
    match by {
        _ if quirks.has(Quirk::DelayNewMail) => Unasked::Nothing,
        Numbering::Sequence => Unasked::NoExpunges,
        Numbering::Uid => Unasked::All,
    }
}
