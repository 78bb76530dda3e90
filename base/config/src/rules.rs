//! What must hold between options.

use crate::read::Reader;
use crate::value::{LmtpEndpoint, is_domain};
use crate::{Config, Role};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The smallest segment of a journal.
const SEGMENT_BYTES_MIN: u64 = 64 * 1024;

/// Adds a mistake for each rule that does not hold.
pub(crate) fn check(config: &Config, reader: &mut Reader<'_>) {
    roles(config, reader);
    listeners(config, reader);
    listened_twice(config, reader);
    lmtp(config, reader);
    routes(config, reader);
    spool(config, reader);
    segments(config, reader);
}

fn roles(config: &Config, reader: &mut Reader<'_>) {
    let roles = &config.system.roles;
    if roles.is_empty() {
        reader.option_mistake("system", "roles", "name at least one role");
    }
    for (place, role) in roles.iter().enumerate() {
        if roles[..place].contains(role) {
            reader.option_mistake("system", "roles", &format!("{role} is named twice"));
        }
    }
}

/// A file for every few messages would be too many.
fn segments(config: &Config, reader: &mut Reader<'_>) {
    let sizes = [("spool", config.spool.segment_size), ("mailstore", config.mailstore.segment_size)];
    for (section, size) in sizes {
        if size.0 < SEGMENT_BYTES_MIN {
            reader.option_mistake(section, "segment_size", "less than 64 KiB");
        }
    }
}

/// A role that is reached by TCP alone needs an address to listen on.
fn listeners(config: &Config, reader: &mut Reader<'_>) {
    let has = |role| config.system.roles.contains(&role);
    if has(Role::Mx) && config.mx.listen.is_empty() {
        reader.option_mistake("mx", "listen", "the role mx needs an address to listen on");
    }
    if has(Role::Submission) && config.submission.listen.is_empty() && config.submission.listen_tls.is_empty()
    {
        reader.option_mistake(
            "submission",
            "listen",
            "the role submission needs an address here or in listen_tls",
        );
    }
    if has(Role::Imapd) && config.imapd.listen.is_empty() && config.imapd.listen_tls.is_empty() {
        reader.option_mistake("imapd", "listen", "the role imapd needs an address here or in listen_tls");
    }
}

/// An address can be listened on once. Port 0 stands for a free one each time.
fn listened_twice(config: &Config, reader: &mut Reader<'_>) {
    let role = |role| config.system.roles.contains(&role);
    let all = [
        (true, ("metrics", "listen"), &config.metrics.listen),
        (role(Role::Mx), ("mx", "listen"), &config.mx.listen),
        (role(Role::Submission), ("submission", "listen"), &config.submission.listen),
        (role(Role::Submission), ("submission", "listen_tls"), &config.submission.listen_tls),
        (role(Role::Lmtpd), ("lmtpd", "listen"), &config.lmtpd.listen),
        (role(Role::Imapd), ("imapd", "listen"), &config.imapd.listen),
        (role(Role::Imapd), ("imapd", "listen_tls"), &config.imapd.listen_tls),
    ];
    let mut taken: BTreeMap<SocketAddr, (&str, &str)> = BTreeMap::new();
    for (_, (section, key), addresses) in all.iter().filter(|(runs, ..)| *runs) {
        for address in addresses.iter().filter(|address| address.port() != 0) {
            if let Some((other, option)) = taken.insert(*address, (section, key)) {
                let message = format!("{address} is listened on by {other}.{option} already");
                reader.option_mistake(section, key, &message);
            }
        }
    }
}

/// A pipe leads to a role of the same process.
fn lmtp(config: &Config, reader: &mut Reader<'_>) {
    let has = |role| config.system.roles.contains(&role);
    if has(Role::Relay) && config.relay.lmtp == LmtpEndpoint::Pipe && !has(Role::Lmtpd) {
        let message = "\"pipe\" needs the role lmtpd in this process; name the host that runs it instead";
        reader.option_mistake("relay", "lmtp", message);
    }
}

/// A route is for `"*"`, a domain, or with a dot in front a domain and those below it.
fn routes(config: &Config, reader: &mut Reader<'_>) {
    for name in config.relay.routes.keys().filter(|name| *name != "*") {
        if !is_domain(name.strip_prefix('.').unwrap_or(name)) {
            reader.option_mistake("relay", "routes", &format!("{name:?} is neither \"*\" nor a domain"));
        }
    }
}

fn spool(config: &Config, reader: &mut Reader<'_>) {
    if config.spool.retries.is_empty() {
        reader.option_mistake("spool", "retries", "name at least one pause");
    }
    if config.spool.delay_notice >= config.spool.expiry && !reader.is_wrong("spool", "expiry") {
        reader.option_mistake(
            "spool",
            "delay_notice",
            "not shorter than spool.expiry: no notice would be sent",
        );
    }
}
