//! One copy over one connection: as many transactions as its recipients need.

use address::{BodyKind, MailParams, Orcpt, Recipient};
use disk::Body;
use net::NetError;
use smtp::client::{Outcome as Said, Report, Stage, Transaction};
use smtp::{EnhancedCode, Extensions, Reply};
use spool::{Attempt, Delivery, Diagnostic, Due, DueRecipient, Outcome};

use crate::Failure;
use crate::link::{Link, LinkError};

/// A copy on its way.
pub(crate) struct Copy<'a> {
    pub(crate) due: &'a Due,
    pub(crate) body: &'a Body,
    /// The peer puts it into mailboxes; nobody has it after that.
    pub(crate) is_final: bool,
    /// Recipients in one transaction.
    pub(crate) recipients_max: usize,
}

/// What came of a copy.
pub(crate) struct Transmitted {
    /// One for each recipient.
    pub(crate) outcomes: Vec<Outcome>,
    /// Why the connection is of no more use.
    pub(crate) lost: Option<LinkError>,
    /// Nothing was heard and none of the body was sent: another connection may be tried at once.
    pub(crate) is_untouched: bool,
}

/// What was heard of a transaction.
struct Answers<'a> {
    report: Report,
    remote: &'a str,
    /// Who was to put it into mailboxes hung up without a word when the content had begun: it died of it, as far as one
    /// can see from here.
    crashed: bool,
}

impl Transmitted {
    /// Whether the peer has said 4xx to all, so that another host may be asked without any recipient getting the
    /// message twice.
    pub(crate) fn is_put_off(&self) -> bool {
        let put_off = |outcome: &Outcome| match &outcome.attempt {
            Attempt::Deferred(said) => said.code.is_some_and(|code| code / 100 == 4),
            _ => false,
        };
        !self.outcomes.is_empty() && self.outcomes.iter().all(put_off)
    }
}

impl Copy<'_> {
    /// Passes it on to all its recipients.
    pub(crate) async fn transmit(&self, link: &mut Link) -> Transmitted {
        let params = fitting_params(&self.due.params, self.body, link).await;
        let mut rest: Vec<&DueRecipient> = self.due.recipients.iter().collect();
        let mut done =
            Transmitted { outcomes: Vec::with_capacity(rest.len()), lost: None, is_untouched: false };
        // What the peer takes in one go it may have said itself (RFC 9422 4.2).
        let named_max = link.extensions().limits.recipients.unwrap_or(usize::MAX);
        let group_max = self.recipients_max.min(named_max).max(1);
        while !rest.is_empty() && done.lost.is_none() && link.takes_more() {
            let behind = rest.split_off(rest.len().min(group_max));
            let group = std::mem::replace(&mut rest, behind);
            let sent = link.send(self.transaction(&group, &params), self.body).await;
            done.is_untouched = done.outcomes.is_empty()
                && !sent.body_begun
                && is_unanswered(&sent.report)
                && sent.lost.is_some();
            let crashed = self.is_final && sent.body_begun && sent.lost.as_ref().is_some_and(is_hung_up);
            done.lost = sent.lost;
            let answers = Answers { report: sent.report, remote: link.remote(), crashed };
            rest.extend(self.settle(group, answers, &mut done));
        }
        let attempt = match &done.lost {
            None => Attempt::Deferred(no_more(link.remote())),
            lost => unanswered(lost.as_ref(), link.remote()),
        };
        let unsent = rest.into_iter().map(|to| Outcome::new(to.index, attempt.clone()));
        done.outcomes.extend(unsent);
        done
    }

    fn transaction(&self, group: &[&DueRecipient], params: &MailParams) -> Transaction {
        Transaction {
            reverse_path: self.due.reverse_path.clone(),
            params: params.clone(),
            recipients: group.iter().copied().map(addressed).collect(),
            body_bytes: self.body.len(),
        }
    }

    /// Notes what came of each recipient of a transaction. Those that were only one too many for it
    /// come back, to be tried in the next.
    fn settle<'r>(
        &self,
        group: Vec<&'r DueRecipient>,
        answers: Answers<'_>,
        done: &mut Transmitted,
    ) -> Vec<&'r DueRecipient> {
        let Answers { report, remote, crashed } = answers;
        let delivery = self.delivery(report.dsn_passed_on);
        let accepted = report.outcomes.iter().any(|said| matches!(said, Said::Accepted(_)));
        let again_is_useful = accepted && done.lost.is_none();
        let mut again = Vec::new();
        for (recipient, said) in group.into_iter().zip(report.outcomes) {
            if again_is_useful && is_one_too_many(&said) {
                again.push(recipient);
            } else {
                let attempt = match said {
                    Said::Unanswered if crashed => {
                        Attempt::Crashed(Failure::crashed().at(remote).diagnostic())
                    }
                    Said::Refused { reply, .. } if self.is_final && is_crash(&reply) => {
                        Attempt::Crashed(diagnostic(&reply, remote))
                    }
                    said => attempt(said, delivery, done.lost.as_ref(), remote),
                };
                done.outcomes.push(Outcome::new(recipient.index, attempt));
            }
        }
        again
    }

    fn delivery(&self, dsn_passed_on: bool) -> Delivery {
        match (self.is_final, dsn_passed_on) {
            (true, _) => Delivery::Final,
            (false, true) => Delivery::Relayed,
            (false, false) => Delivery::RelayedWithoutDsn,
        }
    }
}

fn is_unanswered(report: &Report) -> bool {
    report.outcomes.iter().all(|said| matches!(said, Said::Unanswered))
}

/// RFC 5321 4.5.3.1.10: 452, from old servers 552, for recipients beyond what one transaction may have.
fn is_one_too_many(said: &Said) -> bool {
    let Said::Refused { stage: Stage::Rcpt, reply } = said else { return false };
    let about_number = reply.enhanced().is_none_or(|code| (code.subject(), code.detail()) == (5, 3));
    matches!(reply.code(), 452 | 552) && about_number
}

/// What lmtpd says of a message whose delivery crashed: 451 4.6.0, something about its content (RFC 3463 3.7).
fn is_crash(reply: &Reply) -> bool {
    reply.code() == 451 && reply.enhanced() == Some(EnhancedCode::new(4, 6, 0))
}

/// Whether the peer has gone without a word.
fn is_hung_up(error: &LinkError) -> bool {
    matches!(error, LinkError::Net(NetError::Closed | NetError::Io(_)))
}

/// A recipient as it goes on the wire. Where an alias has changed the address, ORCPT keeps the one that
/// the sender knows (RFC 3461 4.2).
fn addressed(due: &DueRecipient) -> Recipient {
    let mut recipient = due.recipient.clone();
    if recipient.orcpt.is_none() && recipient.address != due.address {
        recipient.orcpt = Some(Orcpt::of(&recipient.address));
    }
    Recipient { address: due.address.clone(), ..recipient }
}

/// Drops the claims of a message that its content does not need, where the peer could not meet them:
/// many a message is announced as 8-bit or internationalised and is plain ASCII.
async fn fitting_params(params: &MailParams, body: &Body, link: &Link) -> MailParams {
    let mut fitting = params.clone();
    if is_met(params, link.extensions()) || !is_ascii(body).await {
        return fitting;
    }
    fitting.smtputf8 = false;
    if fitting.body == BodyKind::EightBitMime {
        fitting.body = BodyKind::SevenBit;
    }
    fitting
}

fn is_met(params: &MailParams, peer: &Extensions) -> bool {
    let eight_bit = params.body == BodyKind::SevenBit || peer.eight_bit_mime;
    eight_bit && (!params.smtputf8 || peer.smtp_utf8)
}

async fn is_ascii(body: &Body) -> bool {
    let body = body.clone();
    let scan = move || body.chunks(limits::BODY_CHUNK_BYTES).all(|chunk| chunk.is_ok_and(|c| c.is_ascii()));
    tokio::task::spawn_blocking(scan).await.unwrap_or(false)
}

fn attempt(said: Said, delivery: Delivery, lost: Option<&LinkError>, remote: &str) -> Attempt {
    match said {
        Said::Accepted(reply) => Attempt::Delivered(delivery, diagnostic(&reply, remote)),
        // The words are ours, and so no reply of that host (RFC 3464 2.3.6).
        Said::Refused { stage: Stage::Extensions, reply } => {
            Attempt::Failed(Diagnostic { code: None, ..diagnostic(&reply, remote) })
        }
        Said::Refused { reply, .. } if reply.is_permanent() => Attempt::Failed(diagnostic(&reply, remote)),
        Said::Refused { reply, .. } => Attempt::Deferred(diagnostic(&reply, remote)),
        Said::Unanswered => unanswered(lost, remote),
    }
}

fn unanswered(lost: Option<&LinkError>, remote: &str) -> Attempt {
    let failure = match lost {
        Some(error) => Failure::of_link(error, remote),
        None => Failure::temporary(4, 2, "the peer gave no answer").at(remote),
    };
    Attempt::Deferred(failure.diagnostic())
}

/// The peer has said in advance where it would stop.
fn no_more(remote: &str) -> Diagnostic {
    Failure::temporary(5, 3, "the peer takes no more messages in one session").at(remote).diagnostic()
}

fn diagnostic(reply: &Reply, remote: &str) -> Diagnostic {
    let unsaid = EnhancedCode::new(class_of(reply), 0, 0);
    Diagnostic {
        remote: Some(remote.into()),
        code: Some(reply.code()),
        status: reply.enhanced().unwrap_or(unsaid).to_string().into(),
        text: reply.text(),
    }
}

/// RFC 3463 2: success, persistent transient failure, permanent failure.
fn class_of(reply: &Reply) -> u8 {
    match reply.code() / 100 {
        2 => 2,
        5 => 5,
        _ => 4,
    }
}
