//! LSUB (RFC 3501 6.3.9).

use std::collections::BTreeMap;

use address::AccountName;
use imap::{List, Quirk, Quirks, response};
use mailstore::{MailboxPath, Mailstore};

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
    quirks: Quirks,
) -> Outcome {
    let mut shown: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let patterns = asked.joined(SEPARATOR);
    let mut pace = Pace::default();
    for path in &store.subscriptions(account) {
        let name = name_of(path);
        pace.spend(steps(&patterns, &name) * name.split(SEPARATOR).count()).await;
        for pattern in &patterns {
            if pattern.matches(&name) {
                shown.insert(name.clone(), attributes(store, path, quirks));
            } else if let Some(level) = pattern.matched_ancestor(&name) {
                shown.entry(level.to_owned()).or_insert_with(|| vec!["\\Noselect"]);
            }
        }
    }
    for (name, attributes) in &shown {
        response::lsub(out.text(), attributes, Some(SEPARATOR), name);
        out.relieve().await?;
    }
    Ok(Done::plain("LSUB completed"))
}

/// None, unless the client looks for them here.
fn attributes(store: &Mailstore, path: &MailboxPath, quirks: Quirks) -> Vec<&'static str> {
    let (noselect, special_use) = (quirks.has(Quirk::LsubNoselect), quirks.has(Quirk::LsubSpecialUse));
    if !noselect && !special_use {
        return Vec::new();
    }
    let entry = store.mailbox_find(path);
    let selectable = entry.as_ref().is_some_and(|entry| entry.id.is_some());
    let used_for = entry.and_then(|entry| entry.special_use).filter(|_| special_use);
    let noselect = (noselect && !selectable).then_some("\\Noselect");
    noselect.into_iter().chain(used_for.map(|use_| use_.as_str())).collect()
}
