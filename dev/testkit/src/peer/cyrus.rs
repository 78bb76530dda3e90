//! Cyrus: IMAP and LMTP.

use super::{DOMAIN, Owner, folder, greeted, is_root, two_ports};
use crate::process::{Guard, Tree};
use crate::program::run;
use crate::trial::Account;
use std::fmt::Write;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A running Cyrus; ended when dropped. It logs to syslog, where there is one.
#[derive(Debug)]
pub struct Cyrus {
    /// Where it speaks IMAP, without TLS; passwords are taken in the clear.
    pub imap: SocketAddr,
    /// Where it speaks LMTP, without a login.
    pub lmtp: SocketAddr,
    guard: Guard,
}

/// The folders that Cyrus wants to find in its configuration directory.
const FOLDERS: [&str; 9] = ["db", "lock", "log", "msg", "proc", "ptclient", "quota", "socket", "user"];

impl Cyrus {
    /// Starts one in `dir` for these accounts, and for no others. An account's inbox is made at the first login or
    /// delivery.
    pub fn start(dir: &Path, accounts: &[Account]) -> Cyrus {
        let (dir, owner, (imap, lmtp)) = (folder(dir), Owner::find(), two_ports());
        owner.make(&dir);
        for name in ["conf", "spool", "sieve"] {
            owner.make(&dir.join(name));
        }
        for name in FOLDERS {
            owner.make(&dir.join("conf").join(name));
        }
        passwords(&dir, &owner, accounts);
        owner.write(&dir.join("imapd.conf"), &configuration(&dir, &owner, accounts));
        owner.write(&dir.join("cyrus.conf"), &services(&dir, imap, lmtp));
        let guard = Guard::new(command(&dir).spawn().unwrap_or_else(|error| {
            panic!("Cyrus in {}: {error}: `.ci/packages test` unpacks it", unpacked().display());
        }));
        greeted(&[imap, lmtp], &dir.join("printed"));
        Cyrus { imap, lmtp, guard }
    }

    /// All its processes.
    pub fn tree(&self) -> Tree {
        self.guard.tree
    }
}

fn command(dir: &Path) -> Command {
    let printed = File::create(dir.join("printed")).expect("a file for what it prints");
    let mut command = Command::new(unpacked().join("usr/lib/cyrus/bin/master"));
    command.env("LD_LIBRARY_PATH", libraries());
    command.arg("-C").arg(dir.join("imapd.conf")).arg("-M").arg(dir.join("cyrus.conf"));
    command.arg("-p").arg(dir.join("master.pid")).current_dir(dir).stdin(Stdio::null());
    command.stdout(printed.try_clone().expect("a second handle")).stderr(printed);
    command
}

/// Where `.ci/packages test` has unpacked Cyrus: below `TARTAN_PEERS`, else below root's or the user's cache.
fn unpacked() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let user = || variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    let cache = || if is_root() { Some("/var/cache".into()) } else { user() };
    let peers = variable("TARTAN_PEERS").or_else(|| Some(cache()?.join("tartan/peers")));
    peers.expect("HOME is set").join("cyrus")
}

/// The folders of the libraries that were unpacked with it.
fn libraries() -> String {
    let machine = std::env::consts::ARCH;
    let folder = |below: &str| unpacked().join(format!("{below}/{machine}-linux-gnu")).display().to_string();
    ["usr/lib", "lib"].map(folder).join(":")
}

/// The table that SASL's plugin `sasldb` reads, made in one go by Berkeley DB's loader.
fn passwords(dir: &Path, owner: &Owner, accounts: &[Account]) {
    let mut text = "VERSION=3\nformat=print\ntype=hash\nHEADER=END\n".to_owned();
    for account in accounts {
        let _ = writeln!(text, " {}\\00{DOMAIN}\\00userPassword\n {}", account.login, account.password);
    }
    text.push_str("DATA=END\n");
    let table = dir.join("sasldb2");
    run(Command::new("db5.3_load").arg(&table), text.as_bytes());
    owner.own(&table);
}

fn configuration(dir: &Path, owner: &Owner, accounts: &[Account]) -> String {
    let dir = dir.display();
    let Owner { user, group, .. } = owner;
    let logins: Vec<&str> = accounts.iter().map(|account| account.login.as_str()).collect();
    let logins = logins.join(" ");
    format!(
        "configdirectory: {dir}/conf
proc_path: {dir}/conf/proc
mboxname_lockpath: {dir}/conf/lock
idlesocket: {dir}/conf/socket/idle
notifysocket: {dir}/conf/socket/notify
lmtpsocket: {dir}/conf/socket/lmtp
defaultpartition: default
partition-default: {dir}/spool
sievedir: {dir}/sieve
servername: {DOMAIN}
cyrus_user: {user}
cyrus_group: {group}
admins: cyrus
altnamespace: no
unixhierarchysep: yes
hashimapspool: yes
allowplaintext: yes
lmtp_downcase_rcpt: yes
autocreate_quota: 0
autocreate_post: yes
autocreate_users: {logins}
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {dir}/sasldb2
sasl_mech_list: PLAIN LOGIN
"
    )
}

fn services(dir: &Path, imap: SocketAddr, lmtp: SocketAddr) -> String {
    let (dir, programs) = (dir.display(), unpacked().join("usr/lib/cyrus/bin"));
    let programs = programs.display();
    format!(
        "START {{
  recover cmd=\"{programs}/ctl_cyrusdb -r -C {dir}/imapd.conf\"
}}
SERVICES {{
  imap cmd=\"{programs}/imapd -C {dir}/imapd.conf\" listen=\"{imap}\" prefork=0 maxchild=1000
  lmtp cmd=\"{programs}/lmtpd -C {dir}/imapd.conf -a\" listen=\"{lmtp}\" prefork=0 maxchild=1000
}}
DAEMON {{
  idled cmd=\"{programs}/idled -C {dir}/imapd.conf\"
}}
EVENTS {{
  checkpoint cmd=\"{programs}/ctl_cyrusdb -c -C {dir}/imapd.conf\" period=30
}}
"
    )
}
