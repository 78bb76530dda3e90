//! Python's smtplib sends in, and its imaplib reads out and works on the mailbox.

use interop::{arrived, first, second, trial};
use testkit::Trial;
use testkit::program::python;

fn args(trial: &Trial) -> Vec<String> {
    let (from, to) = (first(trial), second(trial));
    let ports = ["mx", "submission", "imaps"].map(|name| trial.listener(name).port.to_string());
    let certificate = trial.contract.certificate.display().to_string();
    [
        ports.to_vec(),
        vec![from.login, from.password, from.address, to.login, to.password, to.address, certificate],
    ]
    .concat()
}

fn run(trial: &Trial, script: &str) -> String {
    let prelude = "import sys, ssl, smtplib, imaplib, email\n\
        mx, submission, imaps, login1, password1, address1, login2, password2, address2, certificate = sys.argv[1:]\n\
        tls = ssl.create_default_context(cafile=certificate)\n";
    let args = args(trial);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    python(&format!("{prelude}{script}"), &args)
}

#[test]
fn smtplib_sends_to_the_mx_and_through_submission_with_a_verified_certificate() {
    let (trial, _folder) = trial();
    run(
        &trial,
        r#"
from email.message import EmailMessage
from email.policy import SMTP
m = EmailMessage()
m['From'], m['To'], m['Subject'] = address1, address2, 'by smtplib'
m.set_content('Grüße\n.\n..dots\n')
m.add_attachment(bytes(range(256)) * 300, maintype='application', subtype='octet-stream', filename='b.bin')
with smtplib.SMTP('localhost', int(mx), timeout=20) as s:
    refused = s.sendmail('x@client.test', [address2, 'nobody@' + address2.split('@')[1]], m.as_bytes(policy=SMTP))
    assert [c for c, _ in refused.values()] == [550], refused
with smtplib.SMTP('localhost', int(submission), timeout=20) as s:
    s.starttls(context=tls)
    s.login(login1, password1)
    del m['Subject']
    m['Subject'] = 'by submission'
    s.send_message(m)
"#,
    );
    arrived(&trial, &second(&trial), "Subject: by smtplib");
    let submitted = arrived(&trial, &second(&trial), "Subject: by submission");
    let text = String::from_utf8_lossy(&submitted).to_lowercase();
    assert!(
        text.contains("\r\ndate: ") && text.contains("\r\nmessage-id: <"),
        "RFC 6409 8 adds both: {text}"
    );
}

#[test]
fn imaplib_appends_fetches_searches_stores_copies_and_expunges() {
    let (trial, _folder) = trial();
    let printed = run(
        &trial,
        r#"
def ok(answer):
    assert answer[0] == 'OK', answer
    return answer[1]
c = imaplib.IMAP4_SSL('localhost', int(imaps), ssl_context=tls, timeout=20)
c.login(login1, password1)
for n in range(3):
    text = f'From: a{n}@client.test\r\nSubject: message {n}\r\nDate: Tue, 24 Nov 2026 12:00:0{n} +0000\r\n\r\nbody {n}\r\n'
    ok(c.append('INBOX', r'(\Flagged)' if n == 1 else None, None, text.encode()))
assert ok(c.select()) == [b'3']
assert ok(c.search(None, 'FLAGGED')) == [b'2']
assert ok(c.search(None, 'SUBJECT', '"message 2"')) == [b'3']
assert ok(c.search(None, 'BODY', '"body 0"')) == [b'1']
assert b'message 1' in ok(c.fetch('2', '(ENVELOPE)'))[0]
parts = ok(c.fetch('1:3', '(UID RFC822.SIZE FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (SUBJECT)])'))
assert len([p for p in parts if isinstance(p, tuple)]) == 3, parts
message = email.message_from_bytes(ok(c.fetch('3', '(RFC822)'))[0][1])
assert message['Subject'] == 'message 2', message
ok(c.create('Archive/2026'))
assert any(b'Archive/2026' in line for line in ok(c.list()))
ok(c.copy('1:2', 'Archive/2026'))
ok(c.store('1', '+FLAGS', r'(\Deleted)'))
assert ok(c.expunge()) == [b'1']
assert ok(c.uid('SEARCH', 'ALL')) == [b'2 3']
assert b'MESSAGES 2' in ok(c.status('Archive/2026', '(MESSAGES UIDNEXT UIDVALIDITY UNSEEN RECENT)'))[0]
ok(c.rename('Archive/2026', 'Old'))
ok(c.subscribe('Old'))
assert any(b'Old' in line for line in ok(c.lsub()))
ok(c.delete('Old'))
ok(c.close())
ok(c.select(readonly=True))
assert c.store('1', '+FLAGS', r'(\Seen)')[0] == 'NO', 'STORE in a read-only mailbox'
c.logout()
print('all of it')
"#,
    );
    assert_eq!(printed.trim(), "all of it");
}

#[test]
fn a_wrong_password_and_an_unknown_account_get_the_same_answer() {
    let (trial, _folder) = trial();
    let printed = run(
        &trial,
        r#"
for login in (login1, 'nobody'):
    c = imaplib.IMAP4_SSL('localhost', int(imaps), ssl_context=tls, timeout=20)
    try:
        c.login(login, 'wrong')
    except imaplib.IMAP4.error as error:
        print(error)
    c.shutdown()
"#,
    );
    let lines: Vec<&str> = printed.lines().collect();
    assert!(
        lines.len() == 2 && lines[0] == lines[1] && lines[0].contains("AUTHENTICATIONFAILED"),
        "{printed}"
    );
}

#[test]
fn a_second_session_sees_new_mail_and_changed_flags() {
    let (trial, _folder) = trial();
    run(
        &trial,
        r#"
a = imaplib.IMAP4_SSL('localhost', int(imaps), ssl_context=tls, timeout=20)
b = imaplib.IMAP4_SSL('localhost', int(imaps), ssl_context=tls, timeout=20)
for c in (a, b):
    c.login(login1, password1)
    c.select()
a.append('INBOX', None, None, b'Subject: one\r\n\r\ntext\r\n')
b.noop()
assert b.response('EXISTS')[1][-1] == b'1'
a.noop()
a.store('1', '+FLAGS', r'(\Answered)')
b.noop()
assert b'\\Answered' in b.response('FETCH')[1][-1]
a.store('1', '+FLAGS', r'(\Deleted)')
a.expunge()
b.noop()
assert b.response('EXPUNGE')[1][-1] == b'1'
"#,
    );
}
