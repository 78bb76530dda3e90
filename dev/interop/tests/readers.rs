//! neomutt and curl read out what was sent in.

use interop::{arrived, first, trial, write};
use std::fs;
use std::process::Command;
use testkit::{program, proof, smtp};

#[test]
fn curl_reads_a_message_over_imaps_and_sends_one_over_smtp() {
    let (trial, folder) = trial();
    let account = first(&trial);
    let message =
        write(folder.path(), "message", "From: <c@client.test>\r\nSubject: by curl\r\n\r\nhello\r\n");
    program::run(
        Command::new("curl")
            .args(["--silent", "--show-error", "--url", &format!("smtp://{}", trial.address("mx"))])
            .args([
                "--mail-from",
                "c@client.test",
                "--mail-rcpt",
                &account.address,
                "--upload-file",
                &message,
            ]),
        b"",
    );
    arrived(&trial, &account, "Subject: by curl");
    let url = format!("imaps://localhost:{}/INBOX;MAILINDEX=1", trial.listener("imaps").port);
    let printed = program::run(
        Command::new("curl")
            .args(["--silent", "--show-error", "--cacert"])
            .arg(&trial.contract.certificate)
            .args(["--user", &format!("{}:{}", account.login, account.password), "--url", &url]),
        b"",
    );
    assert!(printed.contains("Subject: by curl") && printed.contains("hello"), "{printed}");
}

#[test]
fn neomutt_copies_a_mailbox_to_an_mbox_file() {
    let (trial, folder) = trial();
    let account = first(&trial);
    let mut client = smtp::Client::smtp(&trial.address("mx")).expect("a session");
    for serial in 0..5 {
        let replies =
            client.send("m@client.test", &[&account.address], &proof::message(serial, 900)).expect("a reply");
        assert!(replies[0].is_accepted(), "{replies:?}");
        arrived(&trial, &account, &format!("Subject: proof {serial}"));
    }
    let mbox = folder.path().join("copy.mbox");
    let configuration = write(
        folder.path(),
        "muttrc",
        &format!(
            "set imap_user='{login}'\nset imap_pass='{password}'\nset folder='imaps://localhost:{port}'\n\
             set spoolfile='+INBOX'\nset certificate_file='{certificate}'\nset ssl_usesystemcerts=no\nset ssl_force_tls=yes\n\
             set mbox_type=mbox\nset confirmappend=no\nset confirmcreate=no\nset header_cache=''\nset sleep_time=0\n\
             set wait_key=no\nset quit=yes\nset delete=yes\nset mark_old=no\nset record=''\n\
             push '<tag-pattern>~A<enter><tag-prefix><copy-message><kill-line>{mbox}<enter><quit>'\n",
            login = account.login,
            password = account.password,
            port = trial.listener("imaps").port,
            certificate = trial.contract.certificate.display(),
            mbox = mbox.display(),
        ),
    );
    let terminal = format!("neomutt -n -F {configuration}");
    program::output(
        Command::new("timeout")
            .args(["60", "script", "--quiet", "--return", "--command", &terminal, "/dev/null"])
            .env("TERM", "xterm"),
        b"",
    );
    let copied = fs::read_to_string(&mbox).expect("neomutt wrote the file");
    assert_eq!(copied.matches("X-Proof: ").count(), 5, "{copied}");
}
