//! The command line on a system that does not run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

fn tartan(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tartan"))
        .env_remove("TARTAN_CONFIG")
        .args(args)
        .output()
        .expect("it starts")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Standard output of a command that must succeed.
fn ok(args: &[&str]) -> String {
    let output = tartan(args);
    assert!(output.status.success(), "{args:?}: {}", err(&output));
    out(&output)
}

/// Standard error of a command that must end with `status`.
fn fails(status: i32, args: &[&str]) -> String {
    let output = tartan(args);
    assert_eq!(output.status.code(), Some(status), "{args:?}: {}{}", out(&output), err(&output));
    err(&output)
}

/// A configuration with its data beside it, and nothing running.
fn stopped() -> (TempDir, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let text = "[system]\nhostname = \"mail.example.org\"\ndomain = \"example.org\"\ndata = \"data\"\n";
    let file = written(dir.path(), text);
    (dir, file.to_str().expect("UTF-8").to_owned())
}

fn written(dir: &Path, text: &str) -> PathBuf {
    let file = dir.join("tartan.toml");
    std::fs::write(&file, text).expect("written");
    file
}

#[test]
fn every_mistake_of_a_configuration_is_printed_with_its_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = written(dir.path(), "[system]\nhostname = \"a.test\"\n[mx]\nlissen = []\nerrors = \"x\"\n");
    let file = file.to_str().expect("UTF-8");
    let told = fails(2, &["config", "check", file]);
    for expected in
        [":4: there is no option mx.lissen: did you mean listen?", ":5: mx.errors", "system.domain"]
    {
        assert!(told.contains(expected), "{told}");
    }
    assert!(told.lines().all(|line| line.starts_with(file)), "{told}");
    let output = tartan(&["config", "check", file, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["errors"][0]["line"], 4);
    assert_eq!(json["errors"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_certificate_that_is_not_there_is_told_with_its_path_and_line() {
    let (dir, file) = stopped();
    let text = std::fs::read_to_string(&file).expect("read");
    written(dir.path(), &format!("{text}[tls]\ncertificates = [\"here\"]\n"));
    let told = fails(2, &["config", "check", &file]);
    let path = dir.path().join("here/certificate.pem");
    assert!(told.contains(&format!(":6: tls.certificates: {}: No such file", path.display())), "{told}");
    std::fs::create_dir(dir.path().join("here")).expect("made");
    for name in ["fullchain.pem", "privkey.pem"] {
        std::fs::write(dir.path().join("here").join(name), "").expect("written");
    }
    ok(&["config", "check", &file]);
}

#[test]
fn a_good_configuration_is_said_to_be_one() {
    let (_dir, file) = stopped();
    assert!(ok(&["config", "check", &file]).contains("no errors"));
    assert!(ok(&["config", "check", "--config", &file]).contains("no errors"));
}

#[test]
fn misuse_is_told_with_the_right_use() {
    assert!(fails(2, &[]).contains("Usage: tartan"));
    assert!(fails(2, &["spoool"]).contains("spool"));
    assert!(fails(2, &["account", "add"]).contains("<ACCOUNT>"));
    assert!(fails(2, &["trial", "--port-base", "70000"]).contains("--port-base"));
    assert!(fails(2, &["spool", "list", "--config", "/nonexistent/t.toml"]).contains("--config FILE"));
    let (_dir, file) = stopped();
    assert!(fails(2, &["domain", "add", "not a domain", "--config", &file]).contains("not a domain"));
    assert!(fails(2, &["spool", "show", "x", "--config", &file]).contains("queue id"));
}

#[test]
fn the_directory_of_a_stopped_system_can_be_changed() {
    let (dir, file) = stopped();
    let password = dir.path().join("password");
    std::fs::write(&password, "a secret\n").expect("written");
    let password = password.to_str().expect("UTF-8");
    assert!(ok(&["domain", "list", "--config", &file]).starts_with("there are no domains"));
    assert!(ok(&["account", "list", "--config", &file]).starts_with("there are no accounts"));
    assert!(ok(&["address", "list", "--config", &file]).contains("`tartan account list`"));
    ok(&["domain", "add", "example.org", "--config", &file]);
    ok(&["account", "add", "alice", "--admin", "--password-file", password, "--config", &file]);
    let generated = ok(&["account", "add", "bob@example.org", "--generate", "--json", "--config", &file]);
    let generated: serde_json::Value = serde_json::from_str(&generated).expect("JSON");
    assert_eq!(generated["login"], "bob@example.org");
    assert_eq!(generated["password"].as_str().map(str::len), Some(20));
    let added = ok(&["address", "add", "all", "alice", "bob@example.org", "--config", &file]);
    assert_eq!(added, "address all@example.org added, for alice@example.org, bob@example.org\n");
    ok(&["address", "add", "al@example.org", "alice", "--config", &file]);

    let accounts = ok(&["account", "list", "--config", &file]);
    assert_eq!(accounts.lines().count(), 3, "{accounts}");
    assert!(accounts.contains("alice@example.org  yes"), "{accounts}");
    assert!(accounts.contains("alice@example.org, al@example.org\n"), "{accounts}");
    let addresses = ok(&["address", "list", "--target", "bob", "--config", &file]);
    assert!(addresses.contains("all@example.org  alice@example.org, bob@example.org"), "{addresses}");

    let refused = fails(1, &["account", "add", "alice", "--generate", "--config", &file]);
    assert!(refused.contains("alice@example.org exists already"), "{refused}");
    fails(1, &["domain", "delete", "example.org", "--config", &file]);
    assert!(ok(&["spool", "list", "--config", &file]).contains("empty"));
}

#[test]
fn what_needs_a_running_system_says_that_there_is_none() {
    let (_dir, file) = stopped();
    assert!(fails(3, &["status", "--config", &file]).contains("admin.sock"));
    fails(3, &["reload", "--config", &file]);
    assert!(fails(1, &["trace", "nobody@example.org", "--config", &file]).contains("nothing is known"));
}

#[test]
fn dns_records_are_printed_for_a_system_that_was_never_started() {
    let (dir, file) = stopped();
    let records = ok(&["dns", "--no-check", "--address", "192.0.2.1", "--config", &file]);
    assert!(records.contains("\nexample.org. 3600 IN MX 10 mail.example.org.\n"), "{records}");
    assert!(records.contains("\nmail.example.org. 3600 IN A 192.0.2.1\n"), "{records}");
    assert!(!dir.path().join("data").exists(), "who asks for records makes no system");
    ok(&["domain", "add", "b\u{fc}cher.example", "--config", &file]);
    let records = ok(&["dns", "--no-check", "--config", &file]);
    assert!(records.contains("\nxn--bcher-kva.example. 3600 IN MX"), "{records}");
    assert!(fails(2, &["dns", "a b", "--no-check", "--config", &file]).contains("a b"));
    assert!(fails(2, &["dns", "--server", "ns.example", "--config", &file]).contains("192.0.2.1:5353"));
    fails(2, &["dns", "--server", "192.0.2.1", "--no-check", "--config", &file]);
}

#[test]
fn every_command_has_a_manual_page() {
    let dir = tempfile::tempdir().expect("a directory");
    ok(&["manual", dir.path().to_str().expect("UTF-8")]);
    for page in ["tartan.1", "tartan-dns.1", "tartan-spool-list.1"] {
        let text = std::fs::read_to_string(dir.path().join(page)).expect("a page");
        assert!(text.contains(".SH SYNOPSIS"), "{page}: {text}");
    }
    fails(1, &["manual", "/nonexistent"]);
}

#[test]
fn roles_are_printed_with_ports_user_and_paths() {
    let (_dir, file) = stopped();
    let roles = ok(&["roles", "--config", &file]);
    for expected in ["mx [::]:25", "submissions [::]:465", "lmtp pipe", "data/mailstore", "admin.sock"] {
        assert!(roles.contains(expected), "{roles}");
    }
    let roles: serde_json::Value =
        serde_json::from_str(&ok(&["roles", "--json", "--config", &file])).expect("JSON");
    assert_eq!(roles[0]["role"], "mx");
}

#[test]
fn the_reference_is_printed_without_a_configuration() {
    let reference = ok(&["config", "reference"]);
    assert!(reference.contains("### relay.remote\n"), "{reference}");
}

#[test]
fn a_port_that_is_taken_is_told_with_the_option_to_change() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound");
    let dir = tempfile::tempdir().expect("a directory");
    let text = format!(
        "[system]\nhostname = \"a.test\"\ndomain = \"b.test\"\ndata = \"data\"\nroles = [\"imapd\"]\n\
         [imapd]\nlisten = [\"{address}\"]\nlisten_tls = []\n[metrics]\nlisten = []\n"
    );
    let file = written(dir.path(), &text);
    let told = fails(1, &["serve", "--config", file.to_str().expect("UTF-8")]);
    assert!(told.contains(&format!("imapd.listen: cannot listen on {address}")), "{told}");
}

#[test]
fn a_relative_configuration_gives_paths_from_the_root_on() {
    let (dir, _file) = stopped();
    let told = Command::new(env!("CARGO_BIN_EXE_tartan"))
        .args(["roles", "--config", "tartan.toml"])
        .current_dir(dir.path())
        .output()
        .expect("it starts");
    let spool = dir.path().join("data/spool");
    assert!(out(&told).contains(&spool.display().to_string()), "{}", out(&told));
}
