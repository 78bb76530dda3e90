//! Checks of the stores, by their owner while it serves, or by who opens them.

use crate::api::StoreCheck;
use crate::error::ApiError;
use crate::router::AdminHandles;
use axum::Json;
use axum::extract::State;
use mailstore::CheckOptions;
use std::fmt::Display;
use std::time::Duration;

/// For each mebibyte that is read, so that others have their turn.
const PAUSE: Duration = Duration::from_millis(2);

/// Checks one after the other. A store that cannot be checked is a finding, and the next one's turn comes.
pub(crate) async fn check(State(handles): State<AdminHandles>) -> Result<Json<Vec<StoreCheck>>, ApiError> {
    let checked = tokio::task::spawn_blocking(move || check_all(&handles)).await;
    checked.map(Json).map_err(|error| ApiError::refused(error.to_string()))
}

fn check_all(handles: &AdminHandles) -> Vec<StoreCheck> {
    let directory = handles.directory.as_ref().map(|directory| StoreCheck::directory(directory.check()));
    let spool = handles.spool.as_ref().map(|spool| StoreCheck::spool(spool.check()));
    let options = CheckOptions { rendered: true, pause: PAUSE };
    let mailstore = handles.mailstore.as_ref().map(|store| StoreCheck::mailstore(store.check(&options)));
    [directory, spool, mailstore].into_iter().flatten().collect()
}

impl StoreCheck {
    /// What a check of the directory gave.
    pub fn directory<E: Display>(checked: Result<directory::CheckReport, E>) -> Self {
        Self::of("directory", checked, |report| {
            let findings = report.findings.clone();
            (format!("{} rows", report.rows), findings, false)
        })
    }

    /// What a check of the queue gave.
    pub fn spool<E: Display>(checked: Result<spool::CheckReport, E>) -> Self {
        Self::of("spool", checked, |report| {
            let checked = format!("{} messages, {} bodies", report.messages, report.bodies);
            (checked, told(&report.findings, report.findings_more), report.repaired)
        })
    }

    /// What a check of the mailboxes gave.
    pub fn mailstore<E: Display>(checked: Result<mailstore::CheckReport, E>) -> Self {
        Self::of("mailstore", checked, |report| {
            let mailstore::CheckReport { mailboxes, messages, bodies, .. } = report;
            let checked = format!("{mailboxes} mailboxes, {messages} messages, {bodies} bodies");
            (checked, told(&report.findings, report.findings_more), report.repaired)
        })
    }

    fn of<R, E: Display>(
        store: &str,
        checked: Result<R, E>,
        taken: impl FnOnce(&R) -> (String, Vec<String>, bool),
    ) -> Self {
        let (checked, findings, repaired) = match &checked {
            Ok(report) => taken(report),
            Err(error) => ("nothing".to_owned(), vec![format!("cannot be checked: {error}")], false),
        };
        Self { store: store.to_owned(), checked, findings, repaired }
    }
}

fn told(findings: &[impl Display], more: u64) -> Vec<String> {
    let rest = (more > 0).then(|| format!("and {more} more"));
    findings.iter().map(ToString::to_string).chain(rest).collect()
}
