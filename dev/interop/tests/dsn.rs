//! Delivery reports (RFC 3461 to RFC 3464) with Postfix on both sides: what Postfix asks for, Tartan reports, and
//! what Tartan passes on, Postfix reports. Python's email package reads the reports.

use interop::settings::set;
use interop::{ARRIVAL, arrived, contains, first, trial};
use tempfile::TempDir;
use testkit::Trial;
use testkit::peer::{Next, Postfix, Settings};
use testkit::program::{eventually, python};

/// Reads a report: prints the types of its parts and the fields of its delivery status.
const READ: &str = r#"
import email, email.policy, sys
report = email.message_from_binary_file(open(sys.argv[1], "rb"), policy=email.policy.default)
assert report.get_content_type() == "multipart/report", report.get_content_type()
assert report.get_param("report-type") == "delivery-status"
assert report["Auto-Submitted"].startswith("auto-") and report["Return-Path"] in ("<>", None)
assert all(not part.defects for part in report.walk())
text, status, original = report.get_payload()
print("Parts:", text.get_content_type(), status.get_content_type(), original.get_content_type())
for block in status.get_payload():
    for name, value in block.items():
        print(f"{name}: {value}")
"#;

/// What Python makes of a report.
fn read(report: &[u8]) -> String {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("report");
    std::fs::write(&file, report).expect("the report can be written");
    python(READ, &[file.to_str().expect("a temporary path is UTF-8")])
}

/// Waits for the report about `recipient` with this action in Postfix's mailbox.
fn report_at(postfix: &Postfix, action: &str, recipient: &str) -> String {
    let (action, about) = (format!("Action: {action}"), format!("Final-Recipient: rfc822; {recipient}"));
    let what = format!("{action}, {about}");
    let report = eventually(ARRIVAL, &what, || {
        let found = |message: &Vec<u8>| contains(message, &action) && contains(message, &about);
        postfix.maildir().into_iter().find(found)
    });
    read(&report)
}

fn has(report: &str, lines: &[&str]) {
    for line in lines {
        assert!(report.lines().any(|found| found.starts_with(line)), "{line} in\n{report}");
    }
}

/// A Postfix that keeps what comes back to `postfix.test`, refuses or accepts other mail of Tartan's, and hands
/// everything else to it.
fn postfix(trial: &Trial, folder: &TempDir) -> Postfix {
    Settings::default()
        .domain("postfix.test", Next::Maildir)
        .domain("refused.test", Next::Refuse("5.1.1 nobody of that name".into()))
        .domain("bounced.test", Next::Bounce("5.2.1 closed".into()))
        .domain(&trial.contract.domain, Next::Smtp(trial.address("mx").parse().expect("an address")))
        .start(folder.path())
}

/// Lets Tartan's mail for these domains go there, and tries again soon.
fn routed(trial: &mut Trial, routes: &[(&str, String)]) {
    let routes: Vec<String> = routes.iter().map(|(domain, to)| format!("\"{domain}\" = \"{to}\"")).collect();
    let routes = format!("{{ {} }}", routes.join(", "));
    let soon = [("spool", "retries", "[\"1s\"]"), ("spool", "delay_notice", "\"2s\"")];
    set(trial, &[("relay", "routes", &routes), soon[0], soon[1]]);
}

#[test]
fn what_postfix_asks_for_is_reported_to_it() {
    let (mut trial, _data) = trial();
    let folder = TempDir::new().expect("a temporary folder");
    let postfix = postfix(&trial, &folder);
    let [alice, bob] = [0, 1].map(|index| trial.contract.accounts[index].address.clone());
    let here = |name: &str| format!("{name}@{}", trial.contract.domain);
    let [failing, whole, silent, late, both] = ["failing", "whole", "silent", "late", "both"].map(here);
    for (name, target) in [
        (&failing, "x@refused.test"),
        (&whole, "y@refused.test"),
        (&silent, "z@refused.test"),
        (&late, "x@closed.test"),
    ] {
        trial.tartan(&["address", "add", name, target]);
    }
    trial.tartan(&["address", "add", &both, &alice, &bob]);
    let to = postfix.smtp.to_string();
    let closed = "127.0.0.1:1".to_owned();
    routed(&mut trial, &[("postfix.test", to.clone()), ("refused.test", to), ("closed.test", closed)]);

    let send = |arguments: &[&str], to: &str| {
        let text = format!("Subject: for {to}\nX-Known: yes\n\nsome text\n");
        postfix.sendmail(arguments, "s@postfix.test", &[to], text.as_bytes());
    };
    send(&["-N", "never"], &silent);
    send(&["-N", "success,failure", "-V", "Q+1=x"], &alice);
    send(&["-N", "failure", "-R", "hdrs"], &failing);
    send(&["-N", "failure", "-R", "full"], &whole);
    send(&["-N", "delay"], &late);
    send(&["-N", "success"], &both);

    let report = report_at(&postfix, "delivered", &alice);
    has(&report, &["Parts: text/plain message/delivery-status text/rfc822-headers", "Status: 2.0.0"]);
    has(&report, &["Original-Envelope-Id: Q+1=x", "Reporting-MTA: dns; mail.trial.test"]);
    has(&report, &[&format!("Original-Recipient: rfc822; {alice}"), "Received-From-MTA: dns; postfix.test"]);
    assert!(!report.contains("Diagnostic-Code") && !report.contains("Remote-MTA"), "{report}");
    let report = report_at(&postfix, "failed", "x@refused.test");
    has(&report, &["Parts: text/plain message/delivery-status text/rfc822-headers", "Status: 5.1.1"]);
    has(&report, &[&format!("Original-Recipient: rfc822; {failing}"), "Diagnostic-Code: smtp; 550 5.1.1"]);
    has(&report, &["Remote-MTA: dns; [127.0.0.1]"]);
    let report = report_at(&postfix, "failed", "y@refused.test");
    has(&report, &["Parts: text/plain message/delivery-status message/rfc822"]);
    let report = report_at(&postfix, "delayed", "x@closed.test");
    has(&report, &["Status: 4.4.1", "Will-Retry-Until: "]);
    let report = report_at(&postfix, "expanded", &both);
    has(&report, &["Status: 2.0.0", &format!("Original-Recipient: rfc822; {both}")]);

    // Both copies have arrived, and neither is reported; nor is what nobody wanted to hear of.
    for account in &trial.contract.accounts {
        arrived(&trial, account, &format!("Subject: for {both}"));
    }
    let unwanted = [&bob, "z@refused.test"];
    let reports = postfix.maildir();
    assert_eq!(reports.len(), 5, "{:?}", reports.iter().map(|report| read(report)).collect::<Vec<_>>());
    assert!(reports.iter().all(|report| unwanted.iter().all(|to| !contains(report, &format!("; {to}\r")))));
}

/// Submits a message with the parameters of DSN.
const SUBMIT: &str = r#"
import smtplib, ssl, sys
host, port, user, password = sys.argv[1:5]
context = ssl._create_unverified_context()
client = smtplib.SMTP_SSL(host, int(port), context=context)
client.login(user, password)
for spec in sys.argv[5:]:
    to, notify = spec.split(" ")
    orcpt = "ORCPT=rfc822;first+2B" + to
    message = f"Subject: for {to}\r\n\r\nsome text\r\n"
    client.sendmail(user, [to], message, ["RET=FULL", "ENVID=E+2B1"], ["NOTIFY=" + notify, orcpt])
client.quit()
"#;

#[test]
fn what_tartan_passes_on_is_reported_by_postfix_and_what_ends_here_by_tartan() {
    let (mut trial, _data) = trial();
    let folders = [TempDir::new(), TempDir::new()].map(|folder| folder.expect("a temporary folder"));
    let postfix = postfix(&trial, &folders[0]);
    let old = Settings::default()
        .domain("old.test", Next::Discard)
        .set("smtpd_discard_ehlo_keywords", "dsn")
        .start(folders[1].path());
    let new = postfix.smtp.to_string();
    routed(
        &mut trial,
        &[("postfix.test", new.clone()), ("bounced.test", new), ("old.test", old.smtp.to_string())],
    );
    let alice = first(&trial);
    let submissions = trial.listener("submissions").clone();
    let port = submissions.port.to_string();
    let login = [submissions.host.as_str(), &port, &alice.login, &alice.password];
    let messages = [
        "never@bounced.test NEVER",
        "well@postfix.test SUCCESS,FAILURE",
        "badly@bounced.test FAILURE",
        "far@old.test SUCCESS",
    ];
    python(SUBMIT, &[&login[..], &messages[..]].concat());

    let report = |action: &str, to: &str| {
        let report = arrived(&trial, &alice, &format!("Final-Recipient: rfc822; {to}"));
        let report = read(&report);
        let orcpt = format!("Original-Recipient: rfc822;first+{to}");
        let found = report.replace("rfc822; ", "rfc822;");
        has(&found, &[&format!("Action: {action}"), &orcpt, "Original-Envelope-Id: E+1"]);
        report
    };
    has(&report("delivered", "well@postfix.test"), &["Reporting-MTA: dns; postfix.test"]);
    let failed = report("failed", "badly@bounced.test");
    has(
        &failed,
        &["Reporting-MTA: dns; postfix.test", "Parts: text/plain message/delivery-status message/rfc822"],
    );
    let relayed = report("relayed", "far@old.test");
    has(&relayed, &["Reporting-MTA: dns; mail.trial.test", "Diagnostic-Code: smtp; 250 2.0.0"]);
    let log = postfix.log();
    assert!(
        log.contains("to=<never@bounced.test>") && !log.contains("sender non-delivery notification: never")
    );
    let mut client = testkit::imap::Client::login(&trial, &alice).expect("a login");
    client.ok("EXAMINE INBOX").expect("the inbox");
    assert_eq!(client.messages().expect("its messages").len(), 3);
}
