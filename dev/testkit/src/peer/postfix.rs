//! Postfix: takes mail in by SMTP or from `sendmail`, and passes it on as its settings say. It needs root.

use super::{folder, greeted};
use crate::process::Tree;
use crate::program::{eventually, run};
use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What becomes of the mail for a domain.
#[derive(Debug, Clone)]
pub enum Next {
    /// Goes on by SMTP.
    Smtp(SocketAddr),
    /// Goes on by LMTP.
    Lmtp(SocketAddr),
    /// Into one Maildir below the server's folder, [`Postfix::maildir`], whoever the recipient is.
    Maildir,
    /// Nothing: it counts as delivered.
    Discard,
    /// Refused at RCPT for this reason: an enhanced status code and a text.
    Refuse(String),
    /// Taken, and comes back to its sender for this reason: an enhanced status code and a text.
    Bounce(String),
    /// Stays in the queue, tried again and again, for this reason.
    Retry(String),
}

/// A configuration that is not yet started.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    domains: Vec<(String, Next)>,
    lines: String,
}

/// A running Postfix; ended when dropped.
#[derive(Debug)]
pub struct Postfix {
    /// Where it speaks SMTP; from there it takes mail for its own and for any other domain, DSN and XCLIENT.
    pub smtp: SocketAddr,
    dir: PathBuf,
    tree: Tree,
}

impl Settings {
    /// What becomes of the mail for `domain`; `*` is all others, which are otherwise looked up by DNS.
    #[must_use]
    pub fn domain(mut self, domain: &str, next: Next) -> Settings {
        self.domains.push((domain.to_owned(), next));
        self
    }

    /// A line of main.cf; it overrides what stands there by default.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Settings {
        let _ = writeln!(self.lines, "{name} = {value}");
        self
    }

    /// Starts it in `dir`, which Postfix's user must be able to reach, and waits until it greets.
    pub fn start(self, dir: &Path) -> Postfix {
        let dir = folder(dir);
        let smtp = SocketAddr::from(([127, 0, 0, 1], crate::trial::free_port_base()));
        prepare(&dir);
        write(&dir.join("etc/main.cf"), &self.main(&dir));
        write(
            &dir.join("etc/master.cf"),
            &format!("127.0.0.1:{} inet n - n - - smtpd\n{MASTER}", smtp.port()),
        );
        write(&dir.join("etc/transport"), &self.transport());
        run(Command::new("postfix").arg("-c").arg(dir.join("etc")).arg("start"), b"");
        let pid =
            fs::read_to_string(dir.join("queue/pid/master.pid")).expect("a started Postfix has a pid file");
        let tree = Tree::of(pid.trim().parse().expect("it holds a pid"));
        let postfix = Postfix { smtp, dir, tree };
        greeted(&[smtp], &postfix.dir.join("log"));
        postfix
    }

    fn main(&self, dir: &Path) -> String {
        let dir = dir.display();
        let local: Vec<&str> = self.named(|next| matches!(next, Next::Maildir)).collect();
        let relay: Vec<&str> = self.named(|next| !matches!(next, Next::Maildir)).collect();
        format!(
            "compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/lib
maillog_file = {dir}/log
maillog_file_prefixes = {dir}
myhostname = postfix.test
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
alias_database =
smtputf8_autodetect_classes = all
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtp_dns_support_level = disabled
relay_domains = {relay}
transport_maps = texthash:{dir}/etc/transport
virtual_mailbox_domains = {local}
virtual_mailbox_base = {dir}
virtual_mailbox_maps = static:maildir/
virtual_uid_maps = static:8
virtual_gid_maps = static:8
virtual_minimum_uid = 1
maximal_backoff_time = 5s
minimal_backoff_time = 2s
queue_run_delay = 2s
{lines}",
            relay = relay.join(" "),
            local = local.join(" "),
            lines = self.lines
        )
    }

    fn named(&self, which: impl Fn(&Next) -> bool) -> impl Iterator<Item = &str> {
        let chosen = self.domains.iter().filter(move |(domain, next)| domain != "*" && which(next));
        chosen.map(|(domain, _)| domain.as_str())
    }

    fn transport(&self) -> String {
        self.domains.iter().fold(String::new(), |mut text, (domain, next)| {
            let _ = writeln!(text, "{domain} {}", next.transport());
            text
        })
    }
}

impl Next {
    /// As transport(5) has it.
    fn transport(&self) -> String {
        match self {
            Next::Smtp(to) => format!("smtp:[{}]:{}", to.ip(), to.port()),
            Next::Lmtp(to) => format!("lmtp:inet:[{}]:{}", to.ip(), to.port()),
            Next::Maildir => "virtual:".to_owned(),
            Next::Discard => "discard:".to_owned(),
            Next::Refuse(text) => format!("error:{text}"),
            Next::Bounce(text) => format!("bounced:{text}"),
            Next::Retry(text) => format!("retry:{text}"),
        }
    }
}

impl Postfix {
    /// All its processes.
    pub fn tree(&self) -> Tree {
        self.tree
    }

    /// Hands a message to `sendmail`, with more arguments (as `-N success`) in front of the recipients.
    pub fn sendmail(&self, arguments: &[&str], from: &str, to: &[&str], message: &[u8]) {
        let mut command = Command::new("sendmail");
        command.arg("-C").arg(self.dir.join("etc")).args(arguments).args(["-f", from, "-i", "--"]).args(to);
        run(&mut command, message);
    }

    /// The first line of its log with this text in it, waited for.
    pub fn logged(&self, text: &str, limit: Duration) -> String {
        eventually(limit, &format!("{text} in Postfix's log"), || {
            self.log().lines().find(|line| line.contains(text)).map(str::to_owned)
        })
    }

    /// Everything it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// The messages that its Maildir holds now, whole, with CR LF at the ends of lines as on the wire.
    pub fn maildir(&self) -> Vec<Vec<u8>> {
        let files = fs::read_dir(self.dir.join("maildir/new")).into_iter().flatten().flatten();
        files.map(|file| with_crlf(&fs::read(file.path()).expect("a delivered message"))).collect()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        self.tree.end();
    }
}

fn with_crlf(message: &[u8]) -> Vec<u8> {
    message.split(|byte| *byte == b'\n').collect::<Vec<_>>().join(&b"\r\n"[..])
}

fn prepare(dir: &Path) {
    for name in ["etc", "queue", "lib", "maildir"] {
        fs::create_dir_all(dir.join(name)).expect("a folder");
    }
    for (owner, name) in [("postfix", "lib"), ("mail:mail", "maildir")] {
        run(Command::new("chown").arg(owner).arg(dir.join(name)), b"");
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Debian's services, none of them in a chroot, and none but smtpd listening on a port.
const MASTER: &str = "\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
relay unix - - n - - smtp
virtual unix - n n - - virtual
discard unix - - n - - discard
error unix - - n - - error
bounced unix - n n - - pipe user=mail argv=/bin/sh -c { printf %s '${nexthop}'; exit 67 }
retry unix - - n - - error
scache unix - - n - 1 scache
showq unix n - n - - showq
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
";
