//! Dovecot: IMAP and LMTP.

use super::{Owner, folder, greeted, two_ports};
use crate::process::{Guard, Tree};
use crate::trial::Account;
use std::fmt::Write;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How Dovecot keeps its mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// A file for each message.
    Maildir,
    /// Many messages in a file.
    Mdbox,
}

/// A running Dovecot; ended when dropped.
#[derive(Debug)]
pub struct Dovecot {
    /// Where it speaks IMAP, without TLS; passwords are taken in the clear.
    pub imap: SocketAddr,
    /// Where it speaks LMTP.
    pub lmtp: SocketAddr,
    guard: Guard,
    log: PathBuf,
}

impl Dovecot {
    /// Starts one in `dir` for these accounts, and for no others.
    pub fn start(dir: &Path, store: Store, accounts: &[Account]) -> Dovecot {
        let (dir, owner, (imap, lmtp)) = (folder(dir), Owner::find(), two_ports());
        owner.make(&dir.join("home"));
        owner.write(&dir.join("users"), &users(accounts));
        let config = dir.join("dovecot.conf");
        owner.write(&config, &configuration(&dir, &owner, store, imap, lmtp));
        let log = dir.join("log");
        let guard = Guard::new(command(&config, &dir).spawn().unwrap_or_else(|error| {
            panic!("Dovecot: {error}: `.ci/packages test` installs it");
        }));
        greeted(&[imap, lmtp], &log);
        Dovecot { imap, lmtp, guard, log }
    }

    /// All its processes.
    pub fn tree(&self) -> Tree {
        self.guard.tree
    }

    /// Everything it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

fn command(config: &Path, dir: &Path) -> Command {
    let printed = File::create(dir.join("printed")).expect("a file for what it prints");
    let mut command = Command::new("/usr/sbin/dovecot");
    command.arg("-F").arg("-c").arg(config).stdin(Stdio::null());
    command.stdout(printed.try_clone().expect("a second handle")).stderr(printed);
    command
}

fn users(accounts: &[Account]) -> String {
    accounts.iter().fold(String::new(), |mut text, account| {
        let _ = writeln!(text, "{}:{{PLAIN}}{}::::::", account.login, account.password);
        text
    })
}

fn configuration(dir: &Path, owner: &Owner, store: Store, imap: SocketAddr, lmtp: SocketAddr) -> String {
    let (dir, location) = (dir.display(), store.location());
    let Owner { user, group, nobody, uid, gid } = owner;
    let (imap, lmtp) = (imap.port(), lmtp.port());
    format!(
        "base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
instance_name = tartan-peer-{imap}
listen = 127.0.0.1
protocols = imap lmtp
ssl = no
disable_plaintext_auth = no
auth_failure_delay = 0
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {nobody}
first_valid_uid = 1
auth_username_format = %Ln
postmaster_address = postmaster@{domain}
mail_location = {location}
passdb {{
  driver = passwd-file
  args = {dir}/users
}}
userdb {{
  driver = passwd-file
  args = {dir}/users
  override_fields = uid={uid} gid={gid} home={dir}/home/%n
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
",
        domain = super::DOMAIN
    )
}

impl Store {
    fn location(self) -> &'static str {
        match self {
            Store::Maildir => "maildir:~/Maildir",
            Store::Mdbox => "mdbox:~/mdbox",
        }
    }
}
