//! LSUB (RFC 3501 6.3.9).

use std::collections::BTreeMap;

use address::AccountName;
use imap::{List, response};
use mailstore::Mailstore;

use super::list::steps;
use crate::channel::Channel;
use crate::names::{SEPARATOR, name_of};
use crate::pace::Pace;
use crate::refusal::{Done, Outcome};

/// Subscribed names, whether they exist or not. Where `%` stops above a subscribed name, the level that it
/// stops at is shown as `\Noselect`.
pub(crate) async fn run(
    out: &mut Channel,
    store: &Mailstore,
    account: &AccountName,
    asked: &List,
) -> Outcome {
    let mut shown: BTreeMap<String, &[&str]> = BTreeMap::new();
    let patterns = asked.joined(SEPARATOR);
    let mut pace = Pace::default();
    for name in store.subscriptions(account).iter().map(name_of) {
        pace.spend(steps(&patterns, &name) * name.split(SEPARATOR).count()).await;
        for pattern in &patterns {
            if pattern.matches(&name) {
                shown.insert(name.clone(), &[]);
            } else if let Some(level) = pattern.matched_ancestor(&name) {
                shown.entry(level.to_owned()).or_insert(&["\\Noselect"]);
            }
        }
    }
    for (name, attributes) in &shown {
        response::lsub(out.text(), attributes, Some(SEPARATOR), name);
        out.relieve().await?;
    }
    Ok(Done::plain("LSUB completed"))
}
