//! Postfix, with a configuration of the test's own, sends in; its own log says how the MX answered.

use interop::{ARRIVAL, arrived, contains, first, trial, write};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use testkit::Trial;
use testkit::program::{eventually, run};

/// A Postfix of its own; stopped when dropped.
struct Postfix {
    config: PathBuf,
    log: PathBuf,
}

impl Postfix {
    /// One that sends everything to the trial's MX, with TLS where `tls` says so.
    fn start(folder: &Path, trial: &Trial, tls: &str) -> Postfix {
        let config = folder.join("etc");
        fs::create_dir_all(&config).expect("a folder");
        for name in ["queue", "lib"] {
            fs::create_dir_all(folder.join(name)).expect("a folder");
        }
        let owner = Command::new("chown").arg("postfix").arg(folder.join("lib")).status();
        assert!(owner.expect("chown runs").success());
        let log = folder.join("log");
        let port = trial.listener("mx").port;
        let base = folder.display();
        write(
            &config,
            "main.cf",
            &format!(
                "compatibility_level = 3.6\nqueue_directory = {base}/queue\ndata_directory = {base}/lib\n\
                 maillog_file = {base}/log\nmaillog_file_prefixes = {base}\nmyhostname = postfix.test\n\
                 inet_interfaces = loopback-only\ninet_protocols = ipv4\nmydestination =\n\
                 alias_maps =\nalias_database =\nsmtputf8_autodetect_classes = all\n\
                 relayhost = [127.0.0.1]:{port}\nsmtp_tls_security_level = {tls}\nsmtp_dns_support_level = disabled\n\
                 maximal_backoff_time = 5s\nminimal_backoff_time = 2s\nqueue_run_delay = 2s\n"
            ),
        );
        write(&config, "master.cf", MASTER);
        let postfix = Postfix { config, log };
        postfix.command("start");
        postfix
    }

    fn command(&self, verb: &str) {
        run(Command::new("postfix").arg("-c").arg(&self.config).arg(verb), b"");
    }

    fn sendmail(&self, from: &str, to: &[&str], message: &str) {
        let mut command = Command::new("sendmail");
        command.arg("-C").arg(&self.config).args(["-f", from, "-i", "--"]).args(to);
        run(&mut command, message.as_bytes());
    }

    fn logged(&self, text: &str) -> String {
        eventually(ARRIVAL, &format!("{text} in Postfix's log"), || {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            log.lines().find(|line| line.contains(text)).map(str::to_owned)
        })
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = Command::new("postfix").arg("-c").arg(&self.config).arg("stop").output();
    }
}

/// The services that sending needs, none of them in a chroot, none of them listening on a port.
const MASTER: &str = "\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
scache unix - - n - 1 scache
showq unix n - n - - showq
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
";

fn folder_for_postfix() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(folder.path(), open).expect("the folder can be opened to Postfix's user");
    folder
}

#[test]
fn postfix_delivers_in_the_clear_and_over_tls() {
    let (trial, _data) = trial();
    let account = first(&trial);
    for (tls, with) in [("none", "with ESMTP id"), ("encrypt", "with ESMTPS id")] {
        let folder = folder_for_postfix();
        let postfix = Postfix::start(folder.path(), &trial, tls);
        let subject = format!("Subject: postfix {tls}");
        let text = format!(
            "From: s@postfix.test\nTo: {}\n{subject}\n\n.leading dot\nGr\u{fc}\u{df}e\n",
            account.address
        );
        postfix.sendmail("s@postfix.test", &[&account.address], &text);
        let line = postfix.logged("status=sent");
        assert!(line.contains("250 2.0.0"), "{line}");
        let message = arrived(&trial, &account, &subject);
        assert!(contains(&message, with), "{}", String::from_utf8_lossy(&message));
        assert!(contains(&message, "\r\n.leading dot\r\n"), "{}", String::from_utf8_lossy(&message));
    }
}

#[test]
fn postfix_is_told_of_an_unknown_recipient_while_the_known_one_is_served() {
    let (trial, _data) = trial();
    let account = first(&trial);
    let folder = folder_for_postfix();
    let postfix = Postfix::start(folder.path(), &trial, "may");
    let unknown = format!("nobody@{}", trial.contract.domain);
    postfix.sendmail("s@postfix.test", &[&account.address, &unknown], "Subject: one of two\n\ntext\n");
    let refused = postfix.logged("status=bounced");
    assert!(refused.contains("550 5.1.1") && refused.contains(&unknown), "{refused}");
    arrived(&trial, &account, "Subject: one of two");
}
