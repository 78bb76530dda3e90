//! LIST (RFC 3501 6.3.8), with the attributes of RFC 3348 3 and RFC 6154 2.

use address::AccountName;
use imap::{List, ListPattern, ListReturn, ListSelection, MailboxName, StatusItem, response};
use mailstore::{MailboxEntry, Mailstore};

use super::status;
use crate::channel::Channel;
use crate::names::{SEPARATOR, name_of};
use crate::pace::Pace;
use crate::refusal::{Done, Outcome};

pub(crate) async fn run(
    out: &mut Channel,
    store: &Mailstore,
    account: &AccountName,
    asked: &List,
) -> Outcome {
    if asked.asks_for_separator() {
        response::list(out.text(), &["\\Noselect"], Some(SEPARATOR), "");
        return Ok(Done::plain("LIST completed"));
    }
    let patterns = asked.joined(SEPARATOR);
    let mut pace = Pace::default();
    for entry in store.mailbox_list(account) {
        let name = name_of(&entry.path);
        pace.spend(steps(&patterns, &name)).await;
        if selects(asked, &entry) && patterns.iter().any(|pattern| pattern.matches(&name)) {
            response::list(out.text(), &attributes(asked, &entry), Some(SEPARATOR), &name);
            write_status(out, store, asked, &entry, &name).await?;
            out.relieve().await?;
        }
    }
    Ok(Done::plain("LIST completed"))
}

/// What it takes to try a name.
pub(crate) fn steps(patterns: &[ListPattern], name: &str) -> usize {
    patterns.iter().map(|pattern| pattern.steps(name.len())).sum()
}

/// RFC 5258 3.1 and RFC 6154 2: only what the selection options say.
fn selects(asked: &List, entry: &MailboxEntry) -> bool {
    asked.selection.iter().all(|selection| match selection {
        ListSelection::Subscribed => entry.subscribed,
        ListSelection::SpecialUse => entry.special_use.is_some(),
        ListSelection::Remote | ListSelection::RecursiveMatch => true,
    })
}

fn attributes(asked: &List, entry: &MailboxEntry) -> Vec<&'static str> {
    let mut attributes = Vec::with_capacity(4);
    attributes.extend(entry.id.is_none().then_some("\\Noselect"));
    attributes.push(if entry.has_children { "\\HasChildren" } else { "\\HasNoChildren" });
    attributes.extend(entry.special_use.map(|special_use| special_use.as_str()));
    let asks = asked.returns.contains(&ListReturn::Subscribed);
    attributes.extend((asks && entry.subscribed).then_some("\\Subscribed"));
    attributes
}

/// RFC 5819 2: a STATUS response behind the LIST response.
async fn write_status(
    out: &mut Channel,
    store: &Mailstore,
    asked: &List,
    entry: &MailboxEntry,
    name: &str,
) -> Outcome<()> {
    let (Some(items), Some(id), Ok(name)) = (status_items(asked), entry.id, MailboxName::new(name)) else {
        return Ok(());
    };
    let numbers = store.status(id).await?;
    status::write(out, &name, items, &numbers);
    Ok(())
}

fn status_items(asked: &List) -> Option<&[StatusItem]> {
    asked.returns.iter().find_map(|wanted| match wanted {
        ListReturn::Status(items) => Some(items.as_slice()),
        _ => None,
    })
}
