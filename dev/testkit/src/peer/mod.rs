//! Real servers to measure Tartan by, from Debian's packages, each with its defaults where not said
//! otherwise, above all with its default syncing: on loopback, on ports found free, in a folder of the caller's,
//! as long as the returned value lives.
//!
//! `.ci/packages test` installs them: Postfix and Dovecot on the system, Cyrus, whose packages conflict with Dovecot's,
//! unpacked in a folder of its own. As root, servers run as the user `mail`, which must be able
//! to reach their folder; Dovecot and Cyrus also run as any other user, as themselves.

mod cyrus;
mod dovecot;
mod postfix;

pub use cyrus::Cyrus;
pub use dovecot::{Dovecot, Store};
pub use postfix::{Next, Postfix, Settings};

use crate::line::Lines;
use crate::program::eventually;
use crate::trial::Account;
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The domain that Dovecot's and Cyrus's accounts are in.
pub const DOMAIN: &str = "peer.test";

const START: Duration = Duration::from_secs(20);

/// As many accounts as wanted: `user0001` and so on, each with a password and an address of its own.
pub fn accounts(count: usize) -> Vec<Account> {
    let account = |number| Account {
        login: format!("user{number:04}"),
        password: format!("secret{number:04}"),
        address: format!("user{number:04}@{DOMAIN}"),
    };
    (1..=count).map(account).collect()
}

/// The user that a server's processes run as and its files belong to.
struct Owner {
    user: String,
    group: String,
    uid: u32,
    gid: u32,
    /// For what needs no files at all.
    nobody: String,
}

impl Owner {
    /// `mail` where we are root, else ourselves.
    fn find() -> Owner {
        let of = |user: &str, uid: u32| if is_root() { user == "mail" } else { uid == ours() };
        let (user, uid, gid) =
            passwd().into_iter().find(|(user, uid, _)| of(user, *uid)).expect("a user entry");
        let nobody = if is_root() { "nobody".to_owned() } else { user.clone() };
        Owner { group: group(gid), user, uid, gid, nobody }
    }

    /// Makes a folder that belongs to it.
    fn make(&self, path: &Path) {
        fs::create_dir_all(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.own(path);
    }

    /// Writes a file that belongs to it.
    fn write(&self, path: &Path, text: &str) {
        fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.own(path);
    }

    fn own(&self, path: &Path) {
        chown(path, Some(self.uid), Some(self.gid))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

fn is_root() -> bool {
    ours() == 0
}

/// The user that we run as.
fn ours() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn passwd() -> Vec<(String, u32, u32)> {
    let text = fs::read_to_string("/etc/passwd").expect("/etc/passwd can be read");
    let entry = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        Some((fields.first()?.to_string(), fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    text.lines().filter_map(entry).collect()
}

fn group(gid: u32) -> String {
    let text = fs::read_to_string("/etc/group").expect("/etc/group can be read");
    let name = text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2)? == &gid.to_string()).then(|| fields[0].to_owned())
    });
    name.expect("a group entry")
}

/// A server's folder, empty, absolute, and open to the user that it runs as.
fn folder(dir: &Path) -> PathBuf {
    fs::create_dir_all(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    fs::set_permissions(dir, Permissions::from_mode(0o755)).expect("the folder is ours");
    let dir = fs::canonicalize(dir).expect("it exists");
    let closed = dir.ancestors().find(|parent| fs::metadata(parent).is_ok_and(|data| data.mode() & 0o1 == 0));
    assert!(closed.is_none(), "{} is closed to the server's user", closed.unwrap_or(&dir).display());
    dir
}

/// Waits until a server greets on each of its listeners.
fn greeted(listeners: &[SocketAddr], log: &Path) {
    for listener in listeners {
        let what = format!("a greeting from {listener}; {}", log.display());
        let line = |lines: &mut Lines| lines.line().ok();
        eventually(START, &what, || {
            Lines::connect(&listener.to_string(), START).ok().as_mut().and_then(line)
        });
    }
}

/// Two ports of loopback that nothing listens on.
fn two_ports() -> (SocketAddr, SocketAddr) {
    let port = crate::trial::free_port_base();
    (([127, 0, 0, 1], port).into(), ([127, 0, 0, 1], port + 1).into())
}
