//! What follows from attempts: new states, audit notes, reports.

use std::time::Duration;

use jiff::Timestamp;

use crate::audit::{AuditEvent, AuditNote};
use crate::due::{Due, DueRecipient};
use crate::entry::{Copy, Progress, State, later};
use crate::outcome::{Attempt, Delivery, Diagnostic, Outcome};
use crate::record::Progressed;
use crate::reports::{Reported, report_due};
use crate::settings::SpoolSettings;

/// What follows from the outcomes of one copy.
#[derive(Debug, Default)]
pub(crate) struct Consequences {
    pub progressed: Progressed,
    pub notes: Vec<AuditNote>,
    /// What the sender is to hear.
    pub reported: Vec<Reported>,
}

/// What is known when the consequences are drawn.
pub(crate) struct Judge<'a> {
    pub due: &'a Due,
    pub settings: &'a SpoolSettings,
    pub now: Timestamp,
}

impl Judge<'_> {
    /// Outcomes for recipients that are not in the copy are a worker's mistake and change nothing.
    pub fn consequences(&self, outcomes: Vec<Outcome>) -> Consequences {
        let mut all = Consequences::default();
        for Outcome { index, attempt, session } in outcomes {
            let at = self.due.recipients.binary_search_by_key(&index, |recipient| recipient.index);
            let recipient = at.ok().map(|at| &self.due.recipients[at]);
            let noted = all.notes.len();
            match recipient {
                Some(recipient) => {
                    self.judge(recipient, attempt, &mut all);
                    all.notes[noted..].iter_mut().for_each(|note| note.session = session.clone());
                }
                None => {
                    tracing::error!(queue_id = %self.due.queue_id, index, "outcome for another's recipient")
                }
            }
        }
        all
    }

    fn judge(&self, recipient: &DueRecipient, attempt: Attempt, all: &mut Consequences) {
        let progress = match attempt {
            Attempt::Delivered(delivery, diagnostic) => self.delivered(recipient, delivery, diagnostic, all),
            Attempt::Failed(diagnostic) => self.failed(recipient, diagnostic, all),
            Attempt::Deferred(diagnostic) => self.deferred(recipient, diagnostic, all),
            Attempt::Expanded(routes) => {
                let names: Vec<_> = routes.iter().map(|route| format!("<{}>", route.address())).collect();
                let text = format!("to=<{}> now={}", recipient.address, names.join(","));
                all.notes.push(self.note(AuditEvent::Expanded, text));
                all.progressed.added.extend(routes.into_iter().map(|route| Copy::new(route, self.now)));
                self.progress(recipient, State::Expanded, None)
            }
        };
        all.progressed.changed.push((recipient.index, progress));
    }

    fn delivered(
        &self,
        recipient: &DueRecipient,
        delivery: Delivery,
        diagnostic: Diagnostic,
        all: &mut Consequences,
    ) -> Progress {
        let event = match delivery {
            Delivery::Final => AuditEvent::Delivered,
            Delivery::Relayed | Delivery::RelayedWithoutDsn => AuditEvent::Relayed,
        };
        all.notes.push(self.said(event, recipient, &diagnostic));
        metrics::counter!("tartan_spool_recipients_total", "result" => "delivered").increment(1);
        self.report(Reported::delivered(recipient, delivery, &diagnostic, self.now), all);
        self.progress(recipient, State::Delivered, Some(diagnostic))
    }

    fn failed(&self, recipient: &DueRecipient, diagnostic: Diagnostic, all: &mut Consequences) -> Progress {
        all.notes.push(self.said(AuditEvent::Failed, recipient, &diagnostic));
        metrics::counter!("tartan_spool_recipients_total", "result" => "failed").increment(1);
        self.report(Reported::failed(recipient, &diagnostic, self.now), all);
        self.progress(recipient, State::Failed, Some(diagnostic))
    }

    /// Waits for the next attempt, the last of which is made when the message expires.
    fn deferred(&self, recipient: &DueRecipient, diagnostic: Diagnostic, all: &mut Consequences) -> Progress {
        if self.now >= recipient.expires {
            return self.failed(recipient, expired(diagnostic, self.settings.expire_after), all);
        }
        let mut progress = self.progress(recipient, State::Pending, None);
        let wait = self.settings.back_off(progress.attempts);
        progress.next = later(self.now, wait).min(recipient.expires);
        let text = format!("next={:.0}", progress.next);
        all.notes.push(self.said(AuditEvent::Deferred, recipient, &diagnostic));
        all.notes.last_mut().expect("just pushed").text.extend([" ", &text]);
        metrics::counter!("tartan_spool_recipients_total", "result" => "deferred").increment(1);
        if !recipient.delay_reported && self.now >= self.delay_report_at() {
            progress.delay_reported = true;
            self.report(Reported::delayed(recipient, &diagnostic, self.now), all);
        }
        Progress { last: Some(diagnostic), ..progress }
    }

    fn report(&self, reported: Reported, all: &mut Consequences) {
        if report_due(&self.due.reverse_path, &reported) {
            all.reported.push(reported);
        }
    }

    fn delay_report_at(&self) -> Timestamp {
        later(self.due.origin.arrival, self.settings.delay_report_after)
    }

    fn progress(&self, recipient: &DueRecipient, state: State, last: Option<Diagnostic>) -> Progress {
        let attempts = recipient.attempts.saturating_add(1);
        Progress { state, attempts, next: self.now, last, delay_reported: recipient.delay_reported }
    }

    fn said(&self, event: AuditEvent, recipient: &DueRecipient, diagnostic: &Diagnostic) -> AuditNote {
        let remote = diagnostic.remote.as_deref().unwrap_or("-");
        let text = format!("to=<{}> remote={remote} said={}", recipient.address, diagnostic.line());
        self.note(event, text)
    }

    fn note(&self, event: AuditEvent, text: String) -> AuditNote {
        AuditNote { time: self.now, role: "relay".into(), session: None, event, text }
    }
}

/// The last reply with the reason why it is final now (RFC 3463 3.5: X.4.7, delivery time expired). It is ours, and so
/// without a reply's code.
fn expired(last: Diagnostic, after: Duration) -> Diagnostic {
    let text = format!("given up after {}; last: {}", in_words(after), last.line());
    Diagnostic { status: "5.4.7".into(), code: None, text, ..last }
}

/// A time in the largest unit that divides it, as configurations are written.
fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let found = units.iter().find(|(length, _)| seconds >= *length && seconds.is_multiple_of(*length));
    let (length, unit) = *found.unwrap_or(&(1, "second"));
    let count = seconds / length;
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

impl Diagnostic {
    /// Code, status and text in one line, without saying the status twice.
    pub(crate) fn line(&self) -> String {
        let code = self.code.map(|code| format!("{code} ")).unwrap_or_default();
        match self.text.starts_with(self.status.as_str()) {
            true => format!("{code}{}", self.text),
            false => format!("{code}{} {}", self.status, self.text),
        }
    }
}
