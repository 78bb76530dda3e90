//! `tartan roles`: what each role of the configuration listens on and may write.

use crate::paths::DataPaths;
use crate::print::table;
use config::{Config, LmtpEndpoint, Role};
use serde::Serialize;
use std::net::SocketAddr;
use std::path::PathBuf;

/// One role, as a process with it runs.
#[derive(Debug, Serialize)]
pub struct RoleShown {
    pub role: &'static str,
    /// Listener name and address.
    pub ports: Vec<String>,
    /// The user that owns the data, whom the process must run as.
    pub user: String,
    pub writable: Vec<PathBuf>,
}

/// The roles of the configuration, then what the process has beside them.
pub fn roles(config: &Config) -> Vec<RoleShown> {
    let paths = DataPaths::new(&config.system.data);
    let user = owner(&paths);
    let mut shown: Vec<RoleShown> = config
        .system
        .roles
        .iter()
        .map(|role| RoleShown {
            role: role.as_str(),
            ports: ports(config, *role),
            user: user.clone(),
            writable: writable(&paths, *role),
        })
        .collect();
    shown.push(process(config, &paths, user));
    shown
}

fn process(config: &Config, paths: &DataPaths, user: String) -> RoleShown {
    let mut ports = named("metrics", &config.metrics.listen);
    ports.push(format!("admin {}", paths.admin_socket().display()));
    let writable = vec![paths.admin_socket(), paths.directory(), paths.tls()];
    RoleShown { role: "(process)", ports, user, writable }
}

fn ports(config: &Config, role: Role) -> Vec<String> {
    let (plain, tls) = match role {
        Role::Mx => (named("mx", &config.mx.listen), Vec::new()),
        Role::Submission => (
            named("submission", &config.submission.listen),
            named("submissions", &config.submission.listen_tls),
        ),
        Role::Lmtpd => (vec!["lmtp pipe".to_owned()], named("lmtp", &config.lmtpd.listen)),
        Role::Imapd => (named("imap", &config.imapd.listen), named("imaps", &config.imapd.listen_tls)),
        Role::Relay => (vec![format!("calls lmtp {}", called(&config.relay.lmtp))], Vec::new()),
    };
    [plain, tls].concat()
}

fn called(lmtp: &LmtpEndpoint) -> String {
    match lmtp {
        LmtpEndpoint::Pipe => "pipe".to_owned(),
        LmtpEndpoint::Address(address) => address.to_string(),
    }
}

fn named(listener: &str, addresses: &[SocketAddr]) -> Vec<String> {
    addresses.iter().map(|address| format!("{listener} {address}")).collect()
}

fn writable(paths: &DataPaths, role: Role) -> Vec<PathBuf> {
    match role {
        Role::Mx | Role::Submission => vec![paths.spool(), paths.incoming()],
        Role::Relay => vec![paths.spool()],
        Role::Lmtpd | Role::Imapd => vec![paths.mailstore(), paths.incoming()],
    }
}

/// The owner of the data directory; of this process where there is none yet.
fn owner(paths: &DataPaths) -> String {
    user_name(paths.owner().unwrap_or_else(|| rustix::process::getuid().as_raw()))
}

/// The name of a user of this host; the number where it has none.
pub fn user_name(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| uid.to_string())
}

/// The table for people: a line for each port and path.
pub fn shown(roles: &[RoleShown]) -> String {
    let mut rows = Vec::new();
    for role in roles {
        for line in 0..role.ports.len().max(role.writable.len()) {
            let first = |text: &str| if line == 0 { text.to_owned() } else { String::new() };
            let port = role.ports.get(line).cloned().unwrap_or_default();
            let path = role.writable.get(line).map(|path| path.display().to_string()).unwrap_or_default();
            rows.push(vec![first(role.role), first(&role.user), port, path]);
        }
    }
    table(&["ROLE", "USER", "PORTS", "WRITABLE"], &rows)
}
