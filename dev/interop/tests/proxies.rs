//! Hosts that speak for their clients: swaks and curl send PROXY headers, swaks uses XCLIENT.

use interop::settings::set;
use interop::{arrived, contains, first, second, trial};
use std::process::Command;
use tempfile::TempDir;
use testkit::program::{output, run};
use testkit::{Trial, smtp};

/// Where the clients are said to be.
const CLIENT: &str = "198.51.100.4";

const HERE: &str = "[\"127.0.0.0/8\"]";

/// A trial whose listeners of these roles stand behind a proxy on this host.
fn behind_proxies(roles: &[&'static str]) -> (Trial, TempDir) {
    let (mut trial, folder) = trial();
    set(&mut trial, &roles.iter().map(|role| (*role, "proxies", HERE)).collect::<Vec<_>>());
    (trial, folder)
}

fn swaks(server: &str, to: &str, subject: &str, more: &[&str]) -> Command {
    let mut command = Command::new("swaks");
    command.args(["--server", server, "--helo", "client.test", "--timeout", "20", "--from", "a@client.test"]);
    command.args(["--to", to, "--header", &format!("Subject: {subject}")]).args(more);
    command
}

fn proxy(version: &'static str, family: &'static str, source: &'static str) -> Vec<&'static str> {
    let destination = if source.contains(':') { "2001:db8::1" } else { "192.0.2.1" };
    let from = ["--proxy-version", version, "--proxy-family", family, "--proxy-source", source];
    let to = ["--proxy-source-port", "4000", "--proxy-dest", destination, "--proxy-dest-port", "25"];
    [from, to].concat()
}

#[test]
fn the_client_that_a_proxy_names_is_in_the_trace_and_the_log_and_a_proxy_that_names_none_is_refused() {
    let (trial, _folder) = behind_proxies(&["mx"]);
    let account = first(&trial);
    for (number, header) in [
        proxy("1", "TCP4", CLIENT),
        proxy("2", "AF_INET", CLIENT),
        proxy("1", "TCP6", "2001:db8::4"),
        proxy("2", "AF_INET6", "2001:db8::4"),
    ]
    .into_iter()
    .enumerate()
    {
        let subject = format!("proxied {number}");
        run(&mut swaks(&trial.address("mx"), &account.address, &subject, &header), b"");
        let message = arrived(&trial, &account, &format!("Subject: {subject}"));
        let client = if number < 2 { "([198.51.100.4])" } else { "([IPv6:2001:db8::4])" };
        assert!(contains(&message, client), "{header:?}: {}", String::from_utf8_lossy(&message));
    }
    assert!(trial.log().contains("peer=198.51.100.4:4000"), "{}", trial.log());
    let session = output(&mut swaks(&trial.address("mx"), &account.address, "no header", &[]), b"");
    let printed = String::from_utf8_lossy(&session.stdout);
    assert!(!session.status.success() && printed.contains("421 4.7.0 A PROXY header"), "{printed}");
    assert!(trial.log().contains("a host that must send a PROXY header is refused"), "{}", trial.log());
}

#[test]
fn tls_begins_behind_the_header_and_submission_by_curl_works() {
    let (trial, folder) = behind_proxies(&["submission", "imapd"]);
    let (from, to) = (first(&trial), second(&trial));
    let file = interop::write(folder.path(), "message", "Subject: by curl\r\n\r\ntext\r\n");
    let url = format!("smtps://{}", trial.address("submissions"));
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--haproxy-protocol", "--insecure", "--upload-file", &file]);
    command.args(["--mail-from", &from.address, "--mail-rcpt", &to.address]);
    run(command.args(["--user", &format!("{}:{}", from.login, from.password), &url]), b"");
    let mut read = Command::new("curl");
    read.args(["--silent", "--show-error", "--haproxy-protocol", "--insecure", "--user"]);
    read.arg(format!("{}:{}", to.login, to.password));
    let inbox = format!("imaps://{}/INBOX?ALL", trial.address("imaps"));
    let found = testkit::program::eventually(interop::ARRIVAL, "the message by curl", || {
        let found = run(read.arg(&inbox), b"");
        found.contains("SEARCH 1").then_some(found)
    });
    assert!(found.contains("* SEARCH 1"), "{found}");
}

#[test]
fn nobody_else_is_believed() {
    let (trial, _folder) = trial();
    let header = proxy("1", "TCP4", CLIENT);
    let session = output(&mut swaks(&trial.address("mx"), &first(&trial).address, "not named", &header), b"");
    let printed = String::from_utf8_lossy(&session.stdout);
    assert!(!session.status.success() && printed.contains("421 4.7.0 PROXY header"), "{printed}");
    let mut client = smtp::Client::smtp(&trial.address("mx")).expect("a session");
    let reply = client.command("XCLIENT ADDR=198.51.100.4").expect("a reply");
    assert_eq!(reply.code, 550);
}

#[test]
fn swaks_says_by_xclient_whom_it_speaks_for() {
    let (mut trial, _folder) = trial();
    set(&mut trial, &[("mx", "xclient", HERE)]);
    let account = first(&trial);
    let address = ["--xclient-addr", CLIENT, "--xclient-port", "4000", "--xclient-proto", "ESMTP"];
    let names = ["--xclient-name", "spike.client.test", "--xclient-helo", "inner.client.test"];
    let told: Vec<&str> = address.into_iter().chain(names).collect();
    run(&mut swaks(&trial.address("mx"), &account.address, "by xclient", &told), b"");
    let message = arrived(&trial, &account, "Subject: by xclient");
    let from = "Received: from client.test (spike.client.test [198.51.100.4])";
    assert!(contains(&message, from), "{}", String::from_utf8_lossy(&message));
    assert!(trial.log().contains("client=198.51.100.4:4000"), "{}", trial.log());
}
