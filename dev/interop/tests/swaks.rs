//! swaks sends in: to the MX in the clear and over STARTTLS, and through submission with a login.

use interop::{arrived, arrived_in, contains, first, second, trial};
use std::process::Command;
use testkit::program::{output, run};

fn swaks(server: &str, args: &[&str]) -> Command {
    let mut command = Command::new("swaks");
    command.args(["--server", server, "--helo", "client.test", "--timeout", "20"]).args(args);
    command
}

#[test]
fn a_message_to_the_mx_arrives_with_its_trace_fields() {
    let (trial, _folder) = trial();
    let to = first(&trial).address;
    let session = run(
        &mut swaks(
            &trial.address("mx"),
            &["--from", "sender@client.test", "--to", &to, "--header", "Subject: by swaks"],
        ),
        b"",
    );
    assert!(session.contains("<-  250 2.0.0"), "{session}");
    let message = arrived(&trial, &first(&trial), "Subject: by swaks");
    assert!(
        message.starts_with(b"Return-Path: <sender@client.test>\r\n"),
        "{}",
        String::from_utf8_lossy(&message)
    );
    assert!(contains(&message, "\r\nReceived: from client.test"), "{}", String::from_utf8_lossy(&message));
}

#[test]
fn starttls_on_the_mx_is_used_and_recorded() {
    let (trial, _folder) = trial();
    let to = second(&trial).address;
    run(
        &mut swaks(
            &trial.address("mx"),
            &["--tls", "--from", "a@client.test", "--to", &to, "--header", "Subject: tls"],
        ),
        b"",
    );
    let message = arrived(&trial, &second(&trial), "Subject: tls");
    assert!(contains(&message, "with ESMTPS"), "{}", String::from_utf8_lossy(&message));
}

#[test]
fn submission_takes_mail_from_an_account_for_another_by_each_mechanism() {
    let (trial, _folder) = trial();
    let (from, to) = (first(&trial), second(&trial));
    for mechanism in ["PLAIN", "LOGIN"] {
        let subject = format!("Subject: by {mechanism}");
        let login = ["--auth", mechanism, "--auth-user", &from.login, "--auth-password", &from.password];
        let envelope = ["--from", &from.address, "--to", &to.address, "--header", &subject];
        run(&mut swaks(&trial.address("submission"), &[&["--tls"], &login[..], &envelope[..]].concat()), b"");
        run(
            &mut swaks(&trial.address("submissions"), &[&["--tlsc"], &login[..], &envelope[..]].concat()),
            b"",
        );
        let message = arrived(&trial, &to, &subject);
        assert!(contains(&message, "with ESMTPSA"), "{}", String::from_utf8_lossy(&message));
    }
}

#[test]
fn submission_refuses_no_login_a_wrong_password_and_another_senders_address() {
    let (trial, _folder) = trial();
    let (from, other) = (first(&trial), second(&trial));
    let server = trial.address("submission");
    let to = ["--to", other.address.as_str()];
    let tries: [(&[&str], &str); 3] = [
        (&["--tls", "--from", &from.address], "530 5.7.0"),
        (
            &[
                "--tls",
                "--from",
                &from.address,
                "--auth",
                "PLAIN",
                "--auth-user",
                &from.login,
                "--auth-password",
                "no",
            ],
            "535 5.7.8",
        ),
        (
            &[
                "--tls",
                "--from",
                &other.address,
                "--auth",
                "PLAIN",
                "--auth-user",
                &from.login,
                "--auth-password",
                &from.password,
            ],
            "550 5.7.1",
        ),
    ];
    for (args, reply) in tries {
        let session = output(&mut swaks(&server, &[args, &to].concat()), b"");
        let printed = String::from_utf8_lossy(&session.stdout);
        assert!(
            !session.status.success() && printed.contains(reply),
            "{args:?} should meet {reply}: {printed}"
        );
    }
}

#[test]
fn no_mechanism_is_offered_and_none_taken_without_tls() {
    let (trial, _folder) = trial();
    let account = first(&trial);
    let args = [
        "--auth",
        "PLAIN",
        "--auth-user",
        &account.login,
        "--auth-password",
        &account.password,
        "--to",
        &account.address,
    ];
    let session = output(&mut swaks(&trial.address("submission"), &args), b"");
    let printed = String::from_utf8_lossy(&session.stdout);
    assert!(!session.status.success() && !printed.contains("AUTH PLAIN"), "{printed}");
}

#[test]
fn an_unknown_recipient_is_refused_at_rcpt_and_a_stranger_cannot_relay() {
    let (trial, _folder) = trial();
    let unknown = format!("nobody@{}", trial.contract.domain);
    for (to, reply) in [(unknown.as_str(), "550 5.1.1"), ("someone@elsewhere.test", "550 5.7.1")] {
        let session = output(&mut swaks(&trial.address("mx"), &["--from", "a@client.test", "--to", to]), b"");
        let printed = String::from_utf8_lossy(&session.stdout);
        assert!(printed.contains(reply), "{to} should meet {reply}: {printed}");
    }
}

#[test]
fn a_plus_address_is_filed_into_its_mailbox_where_there_is_one() {
    let (trial, _folder) = trial();
    let account = first(&trial);
    let mut client = testkit::imap::Client::login(&trial, &account).expect("a login");
    client.ok("CREATE lists").expect("a new mailbox");
    let (local, domain) = account.address.split_once('@').expect("an address");
    for (detail, subject) in [("lists", "Subject: filed"), ("none", "Subject: not filed")] {
        let to = format!("{local}+{detail}@{domain}");
        run(
            &mut swaks(&trial.address("mx"), &["--from", "a@client.test", "--to", &to, "--header", subject]),
            b"",
        );
    }
    arrived_in(&trial, &account, "lists", "Subject: filed");
    arrived(&trial, &account, "Subject: not filed");
}

#[test]
fn postmaster_is_always_deliverable_at_the_domain_at_the_host_and_without_either() {
    let (trial, _folder) = trial();
    let domain = &trial.contract.domain;
    for to in [format!("postmaster@{domain}"), format!("Postmaster@mail.{domain}"), "postmaster".to_owned()] {
        run(&mut swaks(&trial.address("mx"), &["--from", "a@client.test", "--to", &to]), b"");
    }
}
