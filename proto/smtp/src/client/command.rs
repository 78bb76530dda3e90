//! MAIL and RCPT with the parameters that a peer knows.

use address::{BodyKind, MailParams, Recipient};

use super::Transaction;
use crate::{EnhancedCode, Extensions, Reply};

/// What keeps the message, for whatever recipient, from being offered to the peer as it is.
pub(super) fn message_obstacle(transaction: &Transaction, peer: &Extensions) -> Option<Reply> {
    let params = &transaction.params;
    let needs_utf8 =
        params.smtputf8 || transaction.reverse_path.address().is_some_and(|address| address.needs_smtputf8());
    if needs_utf8 && !peer.smtp_utf8 {
        return Some(utf8_refusal());
    }
    if !body_is_taken(params.body, peer) {
        let text = "the next host takes no 8-bit or binary content, and conversion is not supported";
        return Some(Reply::new(554, EnhancedCode::new(5, 6, 3), text));
    }
    is_too_big(transaction.body_bytes, peer).then(|| {
        let text = "the message is larger than the next host takes";
        Reply::new(552, EnhancedCode::new(5, 3, 4), text)
    })
}

/// What keeps one recipient from being offered to the peer.
pub(super) fn recipient_obstacle(recipient: &Recipient, peer: &Extensions) -> Option<Reply> {
    let unspeakable = recipient.address.needs_smtputf8() && !peer.smtp_utf8;
    unspeakable.then(utf8_refusal)
}

/// RFC 6531 3.5: `X.6.7`, the next host knows no non-ASCII addresses.
fn utf8_refusal() -> Reply {
    Reply::new(550, EnhancedCode::new(5, 6, 7), "the next host does not take SMTPUTF8 messages")
}

fn body_is_taken(body: BodyKind, peer: &Extensions) -> bool {
    match body {
        BodyKind::SevenBit => true,
        BodyKind::EightBitMime => peer.eight_bit_mime,
        BodyKind::BinaryMime => peer.binary_mime && peer.chunking,
    }
}

/// RFC 1870 4: 0 is no limit.
fn is_too_big(bytes: u64, peer: &Extensions) -> bool {
    peer.size.is_some_and(|limit_bytes| limit_bytes != 0 && bytes > limit_bytes)
}

// mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF (RFC 5321 4.1.1.2)
pub(super) fn mail(transaction: &Transaction, peer: &Extensions) -> String {
    let mut line = format!("MAIL FROM:{}", transaction.reverse_path);
    if peer.size.is_some() {
        line.push_str(&format!(" SIZE={}", transaction.body_bytes));
    }
    let by_recipient = transaction.recipients.iter().any(|recipient| recipient.address.needs_smtputf8());
    if peer.smtp_utf8 && (transaction.params.smtputf8 || by_recipient) {
        line.push_str(" SMTPUTF8");
    }
    mail_params(&transaction.params, peer, &mut line);
    line
}

fn mail_params(params: &MailParams, peer: &Extensions, line: &mut String) {
    if params.body != BodyKind::SevenBit {
        line.push_str(&format!(" BODY={}", params.body));
    }
    if let Some(ret) = params.ret.filter(|_| peer.dsn) {
        line.push_str(&format!(" RET={ret}"));
    }
    if let Some(envid) = params.envid.as_ref().filter(|_| peer.dsn) {
        line.push_str(&format!(" ENVID={envid}"));
    }
    if let Some(submitter) = params.auth.as_ref().filter(|_| !peer.auth.is_empty()) {
        line.push_str(&format!(" AUTH={submitter}"));
    }
}

// rcpt = "RCPT TO:" Forward-path [SP Rcpt-parameters] CRLF (RFC 5321 4.1.1.3)
pub(super) fn rcpt(recipient: &Recipient, peer: &Extensions) -> String {
    let mut line = format!("RCPT TO:<{}>", recipient.address);
    if peer.dsn && recipient.notify.is_given() {
        line.push_str(&format!(" NOTIFY={}", recipient.notify));
    }
    if let Some(orcpt) = recipient.orcpt.as_ref().filter(|_| peer.dsn) {
        line.push_str(&format!(" ORCPT={orcpt}"));
    }
    line
}
