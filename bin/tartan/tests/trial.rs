//! A trial, as those see it who drive it: the contract, the restart, a message from end to end.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use testkit::line::Lines;
use testkit::program::eventually;
use testkit::trial::{Account, Trial, binary};
use testkit::{imap, smtp};

const SOON: Duration = Duration::from_secs(20);

fn trial() -> (Trial, TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    (Trial::start(&dir.path().join("data")), dir)
}

fn inbox(trial: &Trial, account: &Account) -> Vec<Vec<u8>> {
    let mut client = imap::Client::login(trial, account).expect("a login");
    client.ok("SELECT INBOX").expect("selected");
    client.messages().expect("fetched")
}

/// Sends a message to `account` by the MX; true where it was taken.
fn send(trial: &Trial, account: &Account, subject: &str) {
    let mut client = smtp::Client::smtp(&trial.address("mx")).expect("connected");
    let message = format!(
        "From: a@client.test\r\nMessage-ID: <{subject}@client.test>\r\nSubject: {subject}\r\n\r\nHello\r\n"
    );
    let replies = client.send("a@client.test", &[&account.address], message.as_bytes()).expect("sent");
    assert!(replies.iter().all(smtp::Reply::is_accepted), "{replies:?}");
}

fn arrived(trial: &Trial, account: &Account, subject: &str) -> Vec<u8> {
    let marker = format!("Subject: {subject}\r\n");
    eventually(SOON, "the message arrives", || {
        let messages = inbox(trial, account);
        messages.into_iter().find(|message| String::from_utf8_lossy(message).contains(&marker))
    })
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_message_goes_from_the_mx_to_the_mailbox_and_its_way_is_told() {
    let (trial, _dir) = trial();
    let account = trial.contract.accounts[1].clone();
    send(&trial, &account, "end-to-end");
    let message = String::from_utf8_lossy(&arrived(&trial, &account, "end-to-end")).into_owned();
    assert!(message.starts_with("Return-Path: <a@client.test>\r\n"), "{message}");

    let trace = eventually(SOON, "the way is complete", || {
        let trace = json(&trial.tartan(&["trace", "<end-to-end@client.test>", "--json"]));
        let events = trace["events"].as_array().cloned().unwrap_or_default();
        events.iter().any(|event| event["event"] == "finished").then_some(events)
    });
    let happened: Vec<&str> = trace.iter().filter_map(|event| event["event"].as_str()).collect();
    let way = ["received", "filtered", "routed", "accepted", "stored", "delivered", "finished"];
    assert_eq!(happened, way);
    assert!(
        trace.iter().all(|event| event["role"] == "mailstore" || event["session"].is_string()),
        "{trace:?}"
    );
    let stored = &trace[4];
    let text = stored["text"].as_str().expect("a text");
    assert!(text.starts_with(&format!("in INBOX of {}, uid=1 ", account.login)), "{text}");
    assert!(text.ends_with("; still there"), "{text}");
    assert!(stored["source"].as_str().expect("a source").starts_with("mailstore record "), "{stored}");
    let queue_id = trace[0]["queue_id"].as_str().expect("a queue id");
    assert!(message.contains(queue_id), "the Received field names the queue id {queue_id}: {message}");
    let shown = trial.tartan(&["trace", queue_id]);
    assert!(shown.contains("delivered") && shown.contains("mailstore record "), "{shown}");
    assert_eq!(trial.tartan(&["spool", "list"]), "the queue is empty\n");
}

#[test]
fn a_message_that_came_by_lmtp_alone_can_be_traced_to_its_end() {
    let (mut trial, _dir) = trial();
    let account = trial.contract.accounts[0].clone();
    let mut client = smtp::Client::lmtp(&trial.address("lmtp")).expect("connected");
    let message = b"Message-ID: <direct@client.test>\r\nSubject: direct\r\n\r\nHello\r\n";
    let replies = client.send("a@client.test", &[&account.address], message).expect("sent");
    assert!(replies.iter().all(smtp::Reply::is_accepted), "{replies:?}");
    let mut imap = imap::Client::login(&trial, &account).expect("a login");
    for command in ["SELECT INBOX", "STORE 1 +FLAGS (\\Deleted)", "EXPUNGE"] {
        imap.ok(command).expect(command);
    }
    let running = trial.tartan(&["trace", "<direct@client.test>", "--json"]);
    let events = json(&running)["events"].as_array().cloned().expect("events");
    let happened: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(happened, ["stored", "expunged"]);
    assert!(events[0]["text"].as_str().expect("a text").ends_with("; no longer there"), "{running}");
    assert!(trial.terminate(), "{}", trial.log());
    assert_eq!(trial.tartan(&["trace", "direct@client.test", "--json"]), running);
}

#[test]
fn a_restart_keeps_ports_passwords_and_mail_and_sigterm_ends_well() {
    let (mut trial, _dir) = trial();
    let (before, account) = (trial.contract.clone(), trial.contract.accounts[0].clone());
    send(&trial, &account, "kept");
    arrived(&trial, &account, "kept");
    assert!(trial.terminate(), "{}", trial.log());
    trial.restart();
    assert_eq!(format!("{:?}", trial.contract), format!("{before:?}"));
    arrived(&trial, &account, "kept");
    send(&trial, &account, "again");
    trial.kill();
    trial.restart();
    arrived(&trial, &account, "kept");
    arrived(&trial, &account, "again");
}

#[test]
fn a_trial_of_another_domain_keeps_it_and_says_what_it_does_not_change() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut start = Command::new(binary());
    start.args(["trial", "--json", "--port-base", "0", "--data"]).arg(dir.path());
    let first = first_line(Command::new(binary()).args(start.get_args()).args(["--domain", "other.test"]));
    assert_eq!(first["domain"], "other.test");
    let log = std::fs::File::create(dir.path().join("log")).expect("a file");
    let again = first_line(start.args(["--domain", "third.test"]).stderr(log));
    assert_eq!(again, first);
    let log = std::fs::read_to_string(dir.path().join("log")).expect("read");
    assert!(log.contains("keeps its domain, other.test") && log.contains("keeps its ports"), "{log}");
}

/// Runs a trial until its first line, which is JSON, and ends it by SIGTERM.
fn first_line(command: &mut Command) -> serde_json::Value {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let term = Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
    assert!(term.success() && child.wait().expect("it ends").success());
    json(&line)
}

#[test]
fn the_contract_names_what_is_there() {
    let (trial, _dir) = trial();
    let names: Vec<&str> = trial.contract.listeners.keys().map(String::as_str).collect();
    assert_eq!(names, ["imap", "imaps", "lmtp", "metrics", "mx", "submission", "submissions"]);
    for (name, tls) in [("mx", "starttls"), ("imaps", "implicit"), ("imap", "starttls"), ("lmtp", "none")] {
        assert_eq!(trial.listener(name).tls, tls);
        assert_eq!(trial.listener(name).host, "127.0.0.1");
    }
    let domain = &trial.contract.domain;
    assert!(trial.contract.accounts.iter().all(|account| account.address.ends_with(domain)));
    assert!(trial.contract.certificate.is_file() && trial.contract.config.is_file());
    let admin = Account {
        login: trial.contract.admin.login.clone(),
        password: trial.contract.admin.password.clone(),
        address: format!("postmaster@{domain}"),
    };
    send(&trial, &admin, "to-the-postmaster");
    arrived(&trial, &admin, "to-the-postmaster");
}

/// Sends a message as `from` by submission over TLS, with AUTH PLAIN.
fn submit(trial: &Trial, from: &Account, to: &str) {
    let (address, certificate) = (trial.address("submissions"), &trial.contract.certificate);
    let mut lines = Lines::connect_tls(&address, certificate, "localhost", SOON).expect("connected");
    let plain = BASE64_STANDARD.encode(format!("\0{}\0{}", from.login, from.password));
    reply(&mut lines, "220");
    let commands = [
        ("EHLO client.test".to_owned(), "250"),
        (format!("AUTH PLAIN {plain}"), "235"),
        (format!("MAIL FROM:<{}>", from.address), "250"),
        (format!("RCPT TO:<{to}>"), "250"),
        ("DATA".to_owned(), "354"),
        ("Subject: away\r\n\r\nHello\r\n.".to_owned(), "250"),
    ];
    for (command, code) in commands {
        lines.send(format!("{command}\r\n").as_bytes()).expect("sent");
        reply(&mut lines, code);
    }
}

/// Reads a reply to its last line; it must have this code.
fn reply(lines: &mut Lines, code: &str) {
    loop {
        let line = String::from_utf8(lines.line().expect("a line")).expect("text");
        assert!(line.starts_with(code), "{line}");
        if line[3..].starts_with(' ') {
            return;
        }
    }
}

#[test]
fn mail_for_other_hosts_is_taken_and_waits_with_the_reason() {
    let (trial, _dir) = trial();
    let from = trial.contract.accounts[0].clone();
    submit(&trial, &from, "someone@elsewhere.test");
    let message = eventually(SOON, "it was tried", || {
        let messages = json(&trial.tartan(&["spool", "list", "--json"]));
        let message = messages[0].clone();
        (message["recipients"][0]["state"] == "deferred").then_some(message)
    });
    let reason = message["recipients"][0]["last"]["text"].as_str().expect("a reason");
    assert!(reason.contains("relay.remote is off"), "{reason}");
    let queue_id = message["queue_id"].as_str().expect("a queue id");
    assert!(trial.tartan(&["spool", "show", queue_id]).contains("relay.remote is off"));
    trial.tartan(&["spool", "hold", queue_id, "--reason", "for the test"]);
    assert!(trial.tartan(&["spool", "show", queue_id]).contains("for the test"));
    trial.tartan(&["spool", "delete", queue_id]);
    assert_eq!(trial.tartan(&["spool", "list"]), "the queue is empty\n");
}

#[test]
fn accounts_made_while_it_runs_can_log_in_at_once() {
    let (trial, _dir) = trial();
    let made = json(&trial.tartan(&["account", "add", "carol", "--generate", "--json"]));
    let text = |field: &str| made[field].as_str().expect("there").to_owned();
    let carol = Account { login: text("login"), password: text("password"), address: text("login") };
    send(&trial, &carol, "welcome");
    arrived(&trial, &carol, "welcome");
    trial.tartan(&["account", "delete", "carol"]);
    assert!(imap::Client::login(&trial, &carol).is_err());
}

#[test]
fn a_reload_applies_what_it_can_and_says_what_waits() {
    let (trial, _dir) = trial();
    let text = std::fs::read_to_string(&trial.contract.config).expect("read");
    let changed = format!("{text}\n[log]\nfilter = \"debug\"\n").replace("[mx]\n", "[mx]\nerrors = 7\n");
    std::fs::write(&trial.contract.config, changed).expect("written");
    let report = json(&trial.tartan(&["reload", "--json"]));
    assert!(report["applied"][0].as_str().is_some_and(|option| option.starts_with("log.filter")), "{report}");
    assert!(report["restart"][0].as_str().is_some_and(|option| option.starts_with("mx.errors")), "{report}");

    std::fs::write(&trial.contract.config, "[system]\nhostname = 1\n").expect("written");
    let hangup = Command::new("kill").args(["-HUP", &trial.pid().to_string()]).status().expect("kill runs");
    assert!(hangup.success());
    eventually(SOON, "the mistake is logged", || trial.log().contains("not reloaded").then_some(()));
    std::fs::write(&trial.contract.config, text).expect("written");
    assert!(trial.tartan(&["status"]).contains("imapd ready"));
}

fn http_get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connected");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

#[test]
fn it_is_ready_and_every_metric_is_one_of_the_list() {
    let (trial, _dir) = trial();
    let account = trial.contract.accounts[0].clone();
    send(&trial, &account, "counted");
    arrived(&trial, &account, "counted");
    let address = trial.address("metrics");
    assert!(http_get(&address, "/readyz").starts_with("HTTP/1.1 200"));
    let metrics = http_get(&address, "/metrics");
    let types = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names: Vec<&str> = types.filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains(&"tartan_journal_syncs_total"), "{metrics}");
    for name in names {
        assert!(telemetry::METRICS.iter().any(|metric| metric.name == name), "{name} is not in the list");
    }
}

#[test]
fn a_second_system_on_the_same_data_is_refused_and_names_the_first() {
    let (trial, _dir) = trial();
    let second = Command::new(binary())
        .args(["serve", "--config"])
        .arg(&trial.contract.config)
        .output()
        .expect("it starts");
    assert_eq!(second.status.code(), Some(1));
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(told.contains(&trial.pid().to_string()), "{told}");
}

#[test]
fn its_configuration_is_one_that_serve_takes() {
    let (mut trial, _dir) = trial();
    let account = trial.contract.accounts[0].clone();
    assert!(trial.terminate());
    let mut served = Command::new(binary())
        .args(["serve", "--config"])
        .arg(&trial.contract.config)
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    eventually(SOON, "it listens", || TcpStream::connect(trial.address("imaps")).ok());
    send(&trial, &account, "served");
    arrived(&trial, &account, "served");
    served.kill().expect("killed");
    served.wait().expect("gone");
}
