//! What follows from attempts: new states, audit notes, reports.

use std::time::Duration;

use jiff::Timestamp;
use report::DsnAction;

use crate::audit::{AuditEvent, AuditNote};
use crate::due::{Due, DueRecipient};
use crate::entry::{Copy, Progress, State, later};
use crate::error::SpoolError;
use crate::outcome::{Attempt, Delivery, Diagnostic, Outcome};
use crate::record::Progressed;
use crate::reports::{Group, Reported, by_action, report_due};
use crate::routed::Route;
use crate::settings::SpoolSettings;
use crate::store::spool_note;

/// What follows from the outcome of one recipient.
#[derive(Debug)]
struct Judged {
    index: u32,
    progress: Progress,
    added: Vec<Copy>,
    notes: Vec<AuditNote>,
    /// What the sender is to hear.
    reported: Option<Reported>,
}

/// What follows from the outcomes of one copy.
#[derive(Debug, Default)]
pub(crate) struct Consequences {
    judged: Vec<Judged>,
    /// Why the attempt counts as a strike, if it does.
    pub strike: Option<String>,
}

/// What is known when the consequences are drawn.
pub(crate) struct Judge<'a> {
    pub due: &'a Due,
    pub settings: &'a SpoolSettings,
    pub now: Timestamp,
}

impl Consequences {
    pub fn is_empty(&self) -> bool {
        self.judged.is_empty()
    }

    /// The reports that are to be written.
    pub fn reports_take(&mut self) -> Vec<Group> {
        let reported =
            self.judged.iter_mut().filter_map(|judged| Some((judged.index, judged.reported.take()?)));
        by_action(reported)
    }

    /// A report cannot be written. What was delivered is delivered all the same, and the sender of a delayed message hears
    /// later; a failure that nobody would hear of is not recorded, so that the message is tried again, with a strike.
    pub fn unreported(&mut self, group: &Group, error: &SpoolError, now: Timestamp) {
        let action = group.action();
        tracing::error!(?action, %error, "a report to a sender cannot be written");
        metrics::counter!("tartan_spool_reports_lost_total").increment(1);
        if action == DsnAction::Failed {
            self.judged.retain(|judged| !group.indexes.contains(&judged.index));
            self.strike = Some(format!("its report cannot be written: {error}"));
            return;
        }
        let text = format!("{action:?} report cannot be written: {error}");
        let mut theirs: Vec<_> =
            self.judged.iter_mut().filter(|judged| group.indexes.contains(&judged.index)).collect();
        theirs.iter_mut().for_each(|judged| judged.progress.delay_reported &= action != DsnAction::Delayed);
        if let Some(last) = theirs.last_mut() {
            last.notes.push(spool_note(now, AuditEvent::Unreported, text));
        }
    }

    /// What is recorded, and why.
    pub fn into_record(self) -> (Progressed, Vec<AuditNote>) {
        let (mut progressed, mut notes) = (Progressed::default(), Vec::new());
        for judged in self.judged {
            count(judged.progress.state);
            progressed.changed.push((judged.index, judged.progress));
            progressed.added.extend(judged.added);
            notes.extend(judged.notes);
        }
        (progressed, notes)
    }
}

fn count(state: State) {
    let result = match state {
        State::Pending => "deferred",
        State::Delivered => "delivered",
        State::Failed => "failed",
        State::Expanded => return,
    };
    metrics::counter!("tartan_spool_recipients_total", "result" => result).increment(1);
}

impl Judge<'_> {
    /// Outcomes for recipients that are not in the copy are a worker's mistake and change nothing.
    pub fn consequences(&self, outcomes: Vec<Outcome>) -> Consequences {
        let mut all = Consequences::default();
        for Outcome { index, attempt, session } in outcomes {
            let at = self.due.recipients.binary_search_by_key(&index, |recipient| recipient.index);
            let Ok(at) = at else {
                tracing::error!(queue_id = %self.due.queue_id, index, "outcome for another's recipient");
                continue;
            };
            if let Attempt::Crashed(diagnostic) = &attempt {
                all.strike = Some(diagnostic.line());
            }
            let mut judged = self.judge(&self.due.recipients[at], attempt);
            judged.notes.iter_mut().for_each(|note| note.session = session.clone());
            all.judged.push(judged);
        }
        all
    }

    fn judge(&self, recipient: &DueRecipient, attempt: Attempt) -> Judged {
        match attempt {
            Attempt::Delivered(delivery, diagnostic) => self.delivered(recipient, delivery, diagnostic),
            Attempt::Failed(diagnostic) => self.failed(recipient, diagnostic),
            Attempt::Deferred(diagnostic) | Attempt::Crashed(diagnostic) => {
                self.deferred(recipient, diagnostic)
            }
            Attempt::Expanded(routes) => self.expanded(recipient, routes),
        }
    }

    /// A sender that wants to hear of deliveries hears of this, and not of what comes of each of many
    /// (RFC 3461 5.2.7.3).
    fn expanded(&self, recipient: &DueRecipient, mut routes: Vec<Route>) -> Judged {
        let names: Vec<_> = routes.iter().map(|route| format!("<{}>", route.address())).collect();
        let text = format!("to=<{}> now={}", recipient.address, names.join(","));
        let is_reported = routes.len() > 1 && recipient.recipient.notify.on_success();
        if is_reported {
            let notify = recipient.recipient.notify.without_success();
            routes.iter_mut().for_each(|route| route.recipient.notify = notify);
        }
        let reported = Reported::expanded(recipient, routes.len(), self.now);
        Judged {
            index: recipient.index,
            progress: self.progress(recipient, State::Expanded, None),
            added: routes.into_iter().map(|route| Copy::new(route, self.now)).collect(),
            notes: vec![self.note(AuditEvent::Expanded, text)],
            reported: (is_reported && report_due(&self.due.reverse_path, &reported)).then_some(reported),
        }
    }

    fn delivered(&self, recipient: &DueRecipient, delivery: Delivery, diagnostic: Diagnostic) -> Judged {
        let event = match delivery {
            Delivery::Final => AuditEvent::Delivered,
            Delivery::Relayed | Delivery::RelayedWithoutDsn => AuditEvent::Relayed,
        };
        let reported = Reported::delivered(recipient, delivery, &diagnostic, self.now);
        self.judged(recipient, event, State::Delivered, diagnostic, reported)
    }

    fn failed(&self, recipient: &DueRecipient, diagnostic: Diagnostic) -> Judged {
        let reported = Reported::failed(recipient, &diagnostic, self.now);
        self.judged(recipient, AuditEvent::Failed, State::Failed, diagnostic, reported)
    }

    fn judged(
        &self,
        recipient: &DueRecipient,
        event: AuditEvent,
        state: State,
        diagnostic: Diagnostic,
        reported: Reported,
    ) -> Judged {
        Judged {
            index: recipient.index,
            notes: vec![self.said(event, recipient, &diagnostic)],
            progress: self.progress(recipient, state, Some(diagnostic)),
            added: Vec::new(),
            reported: report_due(&self.due.reverse_path, &reported).then_some(reported),
        }
    }

    /// Waits for the next attempt, the last of which is made when the message expires.
    fn deferred(&self, recipient: &DueRecipient, diagnostic: Diagnostic) -> Judged {
        if self.now >= recipient.expires {
            return self.failed(recipient, expired(diagnostic, self.settings.expire_after));
        }
        let is_late = !recipient.delay_reported && self.now >= self.delay_report_at();
        let reported = Reported::delayed(recipient, &diagnostic, self.now);
        let mut judged = self.judged(recipient, AuditEvent::Deferred, State::Pending, diagnostic, reported);
        let wait = self.settings.back_off(judged.progress.attempts);
        judged.progress.next = later(self.now, wait).min(recipient.expires);
        judged.progress.delay_reported |= is_late;
        judged.reported = judged.reported.filter(|_| is_late);
        judged.notes[0].text += &format!(" next={:.0}", judged.progress.next);
        judged
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
