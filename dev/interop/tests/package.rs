//! The Debian package on a machine with systemd: installed, started, upgraded while it runs, removed and purged.

use interop::machine::Machine;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use testkit::program::{eventually, run};
use testkit::trial::binary;

/// Builds the package of the binary under test.
fn package(folder: &Path, version: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--quiet", "--package", "xtask", "--", "deb", "--fast", "--version", version]);
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    command.arg("--binary").arg(binary()).arg("--out").arg(folder);
    run(&mut command, b"").trim().into()
}

/// A machine with the packages of some versions in `/tmp`, none of them installed.
fn machine(versions: &[&str]) -> Machine {
    let folder = TempDir::new().expect("a folder");
    let machine = Machine::boot();
    for version in versions {
        let package = fs::read(package(folder.path(), version)).expect("the package");
        machine.write(&format!("/tmp/tartan_{version}.deb"), &package);
    }
    machine
}

fn install(machine: &Machine, version: &str) -> String {
    machine.run(&format!("dpkg --install /tmp/tartan_{version}.deb"))
}

/// What an administrator does after the installation.
fn set_up(machine: &Machine) {
    machine.run(
        "sed -i 's/mail.example.org/mail.tartan.test/; s/example.org/tartan.test/' /etc/tartan/tartan.toml",
    );
    machine.write("/tmp/password", b"a secret of hers\n");
    let refused = machine.fails("tartan domain add tartan.test");
    assert!(refused.contains("runuser -u tartan"), "what root writes, the service could not open: {refused}");
    machine.run("runuser -u tartan -- tartan domain add tartan.test");
    machine.run("runuser -u tartan -- tartan account add anna --password-file /tmp/password");
}

/// Sends a message to anna from elsewhere.
fn send(machine: &Machine, subject: &str) {
    machine.run(&format!(
        "swaks --server 127.0.0.1 --from a@elsewhere.test --to anna@tartan.test --header 'Subject: {subject}'"
    ));
}

/// The subjects in anna's INBOX once there are as many.
fn subjects(machine: &Machine, count: usize) -> Vec<String> {
    let script = "import imaplib, ssl, time, email\n\
        tls = ssl.create_default_context(); tls.check_hostname = False; tls.verify_mode = ssl.CERT_NONE\n\
        box = imaplib.IMAP4_SSL('127.0.0.1', 993, ssl_context=tls)\n\
        box.login('anna@tartan.test', 'a secret of hers')\n\
        for _ in range(100):\n    \
            found = box.select()[1][0]\n    \
            if int(found) >= COUNT: break\n    \
            time.sleep(0.1)\n\
        for part in box.fetch('1:*', '(BODY.PEEK[HEADER])')[1]:\n    \
            if isinstance(part, tuple): print(email.message_from_bytes(part[1])['Subject'])\n";
    machine.write("/tmp/subjects.py", script.replace("COUNT", &count.to_string()).as_bytes());
    machine.run("python3 /tmp/subjects.py").lines().map(str::to_owned).collect()
}

/// A property of the service, as systemd has it.
fn property(machine: &Machine, name: &str) -> String {
    machine.run(&format!("systemctl show --property={name} --value tartan")).trim().to_owned()
}

#[test]
fn the_package_is_installed_started_upgraded_while_it_runs_removed_and_purged() {
    let machine = machine(&["1.0", "1.1", "1.2"]);
    installed(&machine);
    started(&machine);
    crashed(&machine);
    upgraded(&machine);
    upgraded_with_a_broken_configuration(&machine);
    removed(&machine);
    purged(&machine);
}

#[test]
fn debians_checker_of_packages_finds_nothing() {
    let folder = TempDir::new().expect("a folder");
    let mut lintian = Command::new("lintian");
    lintian.args(["--allow-root", "--fail-on", "error,warning"]).arg(package(folder.path(), "1.0"));
    assert_eq!(run(&mut lintian, b""), "");
}

fn installed(machine: &Machine) {
    let told = install(machine, "1.0");
    assert!(told.contains("systemctl enable --now tartan"), "{told}");
    assert_eq!(machine.run("stat -c '%U %a' /var/lib/tartan"), "tartan 700\n");
    assert!(
        machine.fails("systemctl is-enabled tartan").contains("disabled"),
        "an administrator has the say"
    );
    machine.run("tartan config check && dpkg --verify tartan");
    assert_eq!(machine.run("systemd-analyze verify tartan.service tartan.socket"), "");
    machine.run("systemd-analyze security --offline=yes --threshold=20 tartan.service");
}

fn started(machine: &Machine) {
    set_up(machine);
    machine.run("systemctl enable --now tartan");
    assert!(property(machine, "StatusText").contains("imapd ready"), "{}", property(machine, "StatusText"));
    confined(machine);
    send(machine, "one");
    assert_eq!(subjects(machine, 1), ["one"]);
    let records = machine.run("runuser -u tartan -- tartan dns --no-check --address 192.0.2.1");
    assert!(records.contains("\ntartan.test. 3600 IN MX 10 mail.tartan.test.\n"), "{records}");
    machine.run("systemctl reload tartan");
    assert_eq!(property(machine, "ActiveState"), "active");
}

/// As the unit has it: a user of its own, one capability for port 25, system calls that are filtered, a file system that is read.
fn confined(machine: &Machine) {
    let pid = property(machine, "MainPID");
    let status = machine.run(&format!("cat /proc/{pid}/status"));
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().split_whitespace().next().unwrap_or_default().to_owned()
    };
    assert_ne!(field("Uid:"), "0");
    assert_eq!(field("CapEff:"), "0000000000000400");
    assert_eq!(field("CapBnd:"), "0000000000000400");
    assert_eq!((field("NoNewPrivs:"), field("Seccomp:")), ("1".to_owned(), "2".to_owned()));
    let root = machine.run(&format!("awk '$5 == \"/\" {{ print $6 }}' /proc/{pid}/mountinfo"));
    assert!(root.starts_with("ro,"), "{root}");
}

/// systemd starts it again.
fn crashed(machine: &Machine) {
    let before = property(machine, "MainPID");
    machine.run("systemctl kill --signal=KILL tartan");
    eventually(Duration::from_secs(60), "it is started again", || {
        let is_other = property(machine, "MainPID") != before;
        (is_other && property(machine, "ActiveState") == "active").then_some(())
    });
    assert_eq!(subjects(machine, 1), ["one"]);
}

fn upgraded(machine: &Machine) {
    let before = property(machine, "MainPID");
    install(machine, "1.1");
    assert_eq!(
        machine.run("dpkg-query --show --showformat '${Status} ${Version}' tartan"),
        "install ok installed 1.1"
    );
    assert_ne!(property(machine, "MainPID"), before, "the new version runs");
    assert_eq!(property(machine, "ActiveState"), "active");
    send(machine, "two");
    assert_eq!(subjects(machine, 2), ["one", "two"]);
}

/// The version that runs goes on; what has to be mended is told.
fn upgraded_with_a_broken_configuration(machine: &Machine) {
    machine.run("cp /etc/tartan/tartan.toml /tmp/right.toml && echo 'lissen = []' >>/etc/tartan/tartan.toml");
    let refused = machine.fails("systemctl reload tartan");
    assert!(!refused.is_empty() && property(machine, "StatusText").contains("not reloaded"), "{refused}");
    let before = property(machine, "MainPID");
    let told = install(machine, "1.2");
    assert!(told.contains("no option metrics.lissen") && told.contains("systemctl restart tartan"), "{told}");
    assert_eq!(property(machine, "MainPID"), before, "the old version goes on");
    assert_eq!(subjects(machine, 2), ["one", "two"]);
    machine.fails("systemctl restart tartan");
    assert!(property(machine, "StatusText").contains("no option metrics.lissen"), "why it does not start");
    assert_eq!(property(machine, "NRestarts"), "0", "a mistake does not mend itself");
    machine.run("cp /tmp/right.toml /etc/tartan/tartan.toml && systemctl restart tartan");
    assert_eq!(subjects(machine, 2), ["one", "two"]);
}

fn removed(machine: &Machine) {
    machine.run("dpkg --remove tartan");
    assert!(machine.fails("systemctl is-active tartan").contains("inactive"));
    assert!(machine.log().contains("stopped"), "it ended cleanly: {}", machine.log());
    machine.run(
        "test ! -e /usr/bin/tartan && test -s /etc/tartan/tartan.toml && test -d /var/lib/tartan/mailstore",
    );
    install(machine, "1.2");
    machine.run("systemctl restart tartan");
    assert_eq!(subjects(machine, 2), ["one", "two"]);
    assert_eq!(machine.run("systemctl is-enabled tartan"), "enabled\n");
}

fn purged(machine: &Machine) {
    let told = machine.run("dpkg --purge tartan");
    assert!(told.contains("/var/lib/tartan holds mail and is kept"), "{told}");
    machine.run("test ! -e /etc/tartan/tartan.toml && test -d /var/lib/tartan/mailstore");
    assert_eq!(machine.run("find /etc/systemd /var/lib/systemd -name '*tartan*'"), "");
    assert_eq!(machine.run("dpkg --audit"), "");
}

#[test]
fn systemd_listens_for_the_service_starts_it_for_a_client_and_keeps_clients_over_a_restart() {
    let machine = machine(&["1.0"]);
    install(&machine, "1.0");
    set_up(&machine);
    // With its sockets from systemd it needs no capability.
    machine.run("mkdir /etc/systemd/system/tartan.service.d");
    machine.write(
        "/etc/systemd/system/tartan.service.d/capability.conf",
        b"[Service]\nAmbientCapabilities=\nCapabilityBoundingSet=\n",
    );
    machine.run("systemctl daemon-reload && systemctl enable --now tartan.socket");
    assert_eq!(property(&machine, "ActiveState"), "inactive");
    send(&machine, "one");
    assert_eq!(property(&machine, "ActiveState"), "active");
    let status = machine.run("runuser -u tartan -- tartan status");
    assert!(
        status.contains("mx listens on [::]:25") && status.contains("imaps listens on [::]:993"),
        "{status}"
    );
    // Stopped, it is started by the next client, who waits meanwhile.
    machine.run("systemctl stop tartan");
    send(&machine, "two");
    assert_eq!(subjects(&machine, 2), ["one", "two"]);
    machine.run("systemctl disable --now tartan.socket tartan.service");
    named_sockets(&machine);
}

/// A socket that bears a listener's name stands for all its addresses; one that is for no listener starts nothing.
fn named_sockets(machine: &Machine) {
    socket(machine, "mx", 2525);
    machine.write("/etc/systemd/system/tartan.service.d/capability.conf", b"[Service]\n");
    machine.run("systemctl daemon-reload && systemctl start mx.socket tartan.service");
    let status = machine.run("runuser -u tartan -- tartan status");
    assert!(status.contains("mx listens on 127.0.0.1:2525\n"), "{status}");
    assert!(status.contains("imap listens on [::]:143\n"), "opened by the service itself: {status}");
    machine.run("systemctl stop tartan.service");
    socket(machine, "smtp", 2526);
    machine.run("systemctl daemon-reload && systemctl start smtp.socket");
    machine.fails("systemctl start tartan.service");
    let status = property(machine, "StatusText");
    assert!(status.contains("127.0.0.1:2526") && status.contains("FileDescriptorName=mx|"), "{status}");
}

fn socket(machine: &Machine, name: &str, port: u16) {
    let unit = format!(
        "[Socket]\nListenStream=127.0.0.1:{port}\nFileDescriptorName={name}\nService=tartan.service\n"
    );
    machine.write(&format!("/etc/systemd/system/{name}.socket"), unit.as_bytes());
}
