//! Postfix, with a configuration of the test's own, sends in; its own log says how the MX answered.

use interop::{ARRIVAL, arrived, contains, first, trial};
use tempfile::TempDir;
use testkit::Trial;
use testkit::peer::{Next, Postfix, Settings};

/// One that sends everything to the trial's MX, with TLS where `tls` says so.
fn postfix(folder: &TempDir, trial: &Trial, tls: &str) -> Postfix {
    let mx = trial.address("mx").parse().expect("an address");
    Settings::default().domain("*", Next::Smtp(mx)).set("smtp_tls_security_level", tls).start(folder.path())
}

#[test]
fn postfix_delivers_in_the_clear_and_over_tls() {
    let (trial, _data) = trial();
    let account = first(&trial);
    for (tls, with) in [("none", "with ESMTP id"), ("encrypt", "with ESMTPS id")] {
        let folder = TempDir::new().expect("a temporary folder");
        let postfix = postfix(&folder, &trial, tls);
        let subject = format!("Subject: postfix {tls}");
        let text = format!(
            "From: s@postfix.test\nTo: {}\n{subject}\n\n.leading dot\nGr\u{fc}\u{df}e\n",
            account.address
        );
        postfix.sendmail(&[], "s@postfix.test", &[&account.address], text.as_bytes());
        let line = postfix.logged("status=sent", ARRIVAL);
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
    let folder = TempDir::new().expect("a temporary folder");
    let postfix = postfix(&folder, &trial, "may");
    let unknown = format!("nobody@{}", trial.contract.domain);
    postfix.sendmail(&[], "s@postfix.test", &[&account.address, &unknown], b"Subject: one of two\n\ntext\n");
    let refused = postfix.logged("status=bounced", ARRIVAL);
    assert!(refused.contains("550 5.1.1") && refused.contains(&unknown), "{refused}");
    arrived(&trial, &account, "Subject: one of two");
}
