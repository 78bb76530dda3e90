//! What was found beside what must be there. Each difference is said in a line; then what was found is what is known.

use crate::dump::{Dump, Message, Shown};
use crate::model::{Flags, Key, Known, Mailbox, Model, Pending, Place, Sent, Share, Wire, places};
use std::collections::{BTreeMap, BTreeSet};

/// What happened between two dumps.
pub struct Round {
    pub shares: Vec<Share>,
    pub sent: Vec<Sent>,
    /// How often the process was killed.
    pub kills: usize,
    /// Messages that the relay hands to lmtpd at once: at each kill, so many replies may be lost.
    pub relayed_at_once: usize,
}

/// Copies of one message that may come newly into one mailbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Copies {
    least: usize,
    most: usize,
}

/// The judgement of one round.
struct Judge<'a> {
    model: &'a Model,
    round: &'a Round,
    dump: &'a Dump,
    /// What the answers say is there.
    expected: BTreeMap<Key, Known>,
    /// What the answers say is gone.
    gone: BTreeMap<Key, u64>,
    /// What may be gone, because the command was not answered.
    doubtful: BTreeSet<Key>,
    /// Flags that may stand in place of those expected.
    other_flags: BTreeMap<Key, Flags>,
    arrivals: BTreeMap<(Place, u64), Copies>,
    /// Flags that a new message may have.
    new_flags: BTreeMap<(Place, u64), Vec<Flags>>,
    /// What was found and not expected.
    found: BTreeMap<(Place, u64), usize>,
    problems: Vec<String>,
}

/// Compares, and returns what is wrong and how many messages came once more than they were sent.
pub fn judge(model: &Model, round: &Round, dump: &Dump) -> (Vec<String>, usize) {
    let mut judge = Judge {
        model,
        round,
        dump,
        expected: BTreeMap::new(),
        gone: BTreeMap::new(),
        doubtful: BTreeSet::new(),
        other_flags: BTreeMap::new(),
        arrivals: BTreeMap::new(),
        new_flags: BTreeMap::new(),
        found: BTreeMap::new(),
        problems: Vec::new(),
    };
    judge.hear();
    judge.look();
    let doubled = judge.count();
    (judge.problems, doubled)
}

/// What is known from now on.
pub fn learned(model: &Model, round: &Round, dump: &Dump) -> Model {
    let mut next = Model::default();
    for (place, shown) in dump {
        let mut mailbox = model.mailboxes.get(place).cloned().unwrap_or_default();
        let gone = round.shares.iter().flat_map(|share| &share.gone).filter(|(key, _)| key.0 == *place);
        mailbox.history.extend(gone.map(|(key, serial)| (key.1, *serial)));
        mailbox.history.extend(shown.messages.iter().map(|(uid, message)| (*uid, message.serial)));
        let Shown { uid_validity, uid_next, highest_modseq, .. } = *shown;
        let history = mailbox.history;
        next.mailboxes.insert(*place, Mailbox { uid_validity, uid_next, highest_modseq, history });
        next.messages.extend(shown.messages.iter().map(|(uid, message)| ((*place, *uid), known(message))));
    }
    next
}

fn known(message: &Message) -> Known {
    Known {
        serial: message.serial,
        flags: message.flags.clone(),
        modseq: message.modseq,
        digest: Some(message.digest),
    }
}

impl Judge<'_> {
    /// Takes in what the clients know.
    fn hear(&mut self) {
        let round = self.round;
        for share in &round.shares {
            self.expected.extend(share.messages.clone());
            self.gone.extend(share.gone.iter().copied());
        }
        for share in &round.shares {
            if let Some(pending) = &share.pending {
                self.hear_pending(share, pending);
            }
        }
        for sent in &round.sent {
            for (account, answer) in &sent.to {
                let copies = copies(sent.wire, *answer, round.kills);
                let key = (Place::inbox(*account), sent.serial);
                self.arrivals.insert(key, copies);
                self.new_flags.insert(key, vec![Flags::new()]);
            }
        }
    }

    fn hear_pending(&mut self, share: &Share, pending: &Pending) {
        match pending {
            Pending::Append { to, serial, flags } => self.may_arrive((*to, *serial), flags, 1),
            Pending::Store { at, uids, change } => {
                for uid in uids {
                    let key = (*at, *uid);
                    self.other_flags.insert(key, change.applied(&share.messages[&key].flags));
                }
            }
            Pending::Expunge { at, uids } => self.doubtful.extend(uids.iter().map(|uid| (*at, *uid))),
            Pending::Move { from, uids, to } => {
                for uid in uids {
                    let key = (*from, *uid);
                    self.doubtful.insert(key);
                    let stayed = self.dump[from].messages.contains_key(uid);
                    // It is in one of the two mailboxes, and in one only.
                    let moved = usize::from(!stayed);
                    let known = &share.messages[&key];
                    self.may_arrive((*to, known.serial), &known.flags, moved);
                    self.arrivals.entry((*to, known.serial)).or_default().least += moved;
                }
            }
            Pending::Copy { from, uids, to } => {
                let all = uids.iter().map(|uid| &share.messages[&(*from, *uid)]);
                all.for_each(|known| self.may_arrive((*to, known.serial), &known.flags, 1));
            }
        }
    }

    fn may_arrive(&mut self, key: (Place, u64), flags: &Flags, times: usize) {
        self.arrivals.entry(key).or_default().most += times;
        self.new_flags.entry(key).or_default().push(flags.clone());
    }

    /// Looks at each mailbox.
    fn look(&mut self) {
        let dump = self.dump;
        for (place, shown) in dump {
            self.look_at_counters(*place, shown);
            shown.messages.iter().for_each(|(uid, message)| self.look_at_message((*place, *uid), message));
        }
        let lost = |key: &Key| !self.dump[&key.0].messages.contains_key(&key.1);
        let lost: Vec<_> =
            self.expected.iter().filter(|(key, _)| lost(key) && !self.doubtful.contains(key)).collect();
        self.problems.extend(lost.into_iter().map(|(key, known)| format!("lost: {key:?} {known:?}")));
    }

    fn look_at_counters(&mut self, place: Place, shown: &Shown) {
        let Some(before) = self.model.mailboxes.get(&place) else { return };
        if shown.uid_validity != before.uid_validity {
            self.problems.push(format!(
                "{place:?}: uidvalidity {} became {}",
                before.uid_validity, shown.uid_validity
            ));
        }
        let given = self.expected.keys().chain(self.gone.keys()).filter(|key| key.0 == place);
        let next = given.map(|key| key.1 + 1).max().unwrap_or_default().max(before.uid_next);
        if shown.uid_next < next {
            self.problems.push(format!("{place:?}: uidnext {} went back below {next}", shown.uid_next));
        }
        let told = self.round.shares.iter().filter_map(|share| share.modseqs.get(&place));
        let told = told.copied().max().unwrap_or_default().max(before.highest_modseq);
        if shown.highest_modseq < told {
            self.problems.push(format!("{place:?}: modseq {} went back below {told}", shown.highest_modseq));
        }
    }

    fn look_at_message(&mut self, key: Key, message: &Message) {
        if let Some(known) = self.expected.get(&key) {
            let problems = differences(known, self.other_flags.get(&key), message);
            self.problems.extend(problems.into_iter().map(|problem| format!("{key:?}: {problem}")));
            return;
        }
        let before = self.model.mailboxes.get(&key.0);
        let was = self.gone.get(&key).or_else(|| before?.history.get(&key.1));
        if let Some(was) = was {
            self.problems
                .push(format!("{key:?}: it had message {was}, now gone, and shows {}", message.serial));
        } else if before.is_some_and(|before| key.1 < before.uid_next) {
            self.problems.push(format!("{key:?}: new, with a uid below the uidnext of before"));
        }
        let new = (key.0, message.serial);
        if self.new_flags.get(&new).is_some_and(|flags| !flags.contains(&message.flags)) {
            self.problems.push(format!("{key:?}: new, with flags {:?}", message.flags));
        }
        *self.found.entry(new).or_default() += 1;
    }

    /// Each new message must have been sent, as often as it is there. Returns how many came once more.
    fn count(&mut self) -> usize {
        let keys: BTreeSet<_> = self.arrivals.keys().chain(self.found.keys()).copied().collect();
        for key in keys {
            let Copies { least, most } = self.arrivals.get(&key).copied().unwrap_or_default();
            let found = self.found.get(&key).copied().unwrap_or_default();
            if !(least..=most).contains(&found) {
                self.problems.push(format!("{key:?}: {found} new copies, not {least} to {most}"));
            }
        }
        let doubled = self.delivered_again();
        let lost_replies = self.round.kills * self.round.relayed_at_once;
        if doubled > lost_replies {
            self.problems.push(format!("{doubled} came twice, but only {lost_replies} replies can be lost"));
        }
        doubled
    }

    /// How many of the messages that were handed over came once more. What a client copies, once for each copy that it has, is
    /// no repeat.
    fn delivered_again(&self) -> usize {
        let keys = self
            .round
            .sent
            .iter()
            .flat_map(|sent| sent.to.iter().map(|(account, _)| (Place::inbox(*account), sent.serial)));
        keys.filter_map(|key| self.found.get(&key)).map(|found| found.saturating_sub(1)).sum()
    }
}

/// How often a message may be there that was sent once. Between relay and lmtpd a kill may lose one more reply.
fn copies(wire: Wire, answer: Option<bool>, kills: usize) -> Copies {
    let least = usize::from(answer == Some(true));
    match (wire, answer) {
        (_, Some(false)) => Copies::default(),
        (Wire::Lmtp, _) => Copies { least, most: 1 },
        (Wire::Smtp, _) => Copies { least, most: 1 + kills },
    }
}

fn differences(known: &Known, other_flags: Option<&Flags>, message: &Message) -> Vec<String> {
    let mut problems = Vec::new();
    if message.serial != known.serial {
        problems.push(format!("message {} instead of {}", message.serial, known.serial));
    }
    if known.digest.is_some_and(|digest| digest != message.digest) {
        problems.push("other bytes than before".to_owned());
    }
    if message.flags != known.flags && other_flags != Some(&message.flags) {
        problems.push(format!("flags {:?} instead of {:?} (or {other_flags:?})", message.flags, known.flags));
    }
    if message.modseq < known.modseq {
        problems.push(format!("modseq {} went back from {}", message.modseq, known.modseq));
    }
    problems
}

/// The differences between two dumps of what nobody changed.
pub fn changed(accounts: usize, before: &Dump, after: &Dump) -> Vec<String> {
    let mut problems = Vec::new();
    for place in places(accounts) {
        let (before, after) = (&before[&place], &after[&place]);
        let counters = |shown: &Shown| (shown.uid_validity, shown.uid_next, shown.highest_modseq);
        if counters(before) != counters(after) {
            problems.push(format!("{place:?}: {:?} became {:?}", counters(before), counters(after)));
        }
        let uids: BTreeSet<_> = before.messages.keys().chain(after.messages.keys()).collect();
        for uid in uids {
            let (old, new) = (before.messages.get(uid), after.messages.get(uid));
            if old != new {
                problems.push(format!("{place:?} {uid}: {old:?} became {new:?}"));
            }
        }
    }
    problems
}

/// A judge that overlooks something would let every run pass.
mod tests {
    use super::*;
    use crate::model::Change;

    const AT: Place = Place { account: 0, mailbox: 0 };
    const TO: Place = Place { account: 0, mailbox: 1 };

    fn message(serial: u64) -> Message {
        Message { serial, flags: Flags::new(), modseq: 5, digest: 9, rendered: String::new() }
    }

    fn dump_of(at: &[(u32, u64)], to: &[(u32, u64)]) -> Dump {
        let mut dump: Dump = places(1).map(|place| (place, Shown::default())).collect();
        for (place, messages) in [(AT, at), (TO, to)] {
            let shown = dump.get_mut(&place).expect("a place");
            (shown.uid_next, shown.highest_modseq) = (10, 7);
            shown.messages.extend(messages.iter().map(|(uid, serial)| (*uid, message(*serial))));
        }
        dump
    }

    fn round(share: Share) -> Round {
        Round { shares: vec![share], sent: Vec::new(), kills: 1, relayed_at_once: 4 }
    }

    fn share(pending: Option<Pending>, gone: &[(u32, u64)]) -> Share {
        let known = Known { serial: 1, flags: Flags::new(), modseq: 5, digest: Some(9) };
        let gone = gone.iter().map(|(uid, serial)| ((AT, *uid), *serial)).collect();
        Share { messages: BTreeMap::from([((AT, 1), known)]), gone, pending, ..Share::default() }
    }

    /// Problems with what is found, where message 1 with uid 1 was there before.
    fn problems(share: Share, found: &Dump) -> Vec<String> {
        let model = learned(&Model::default(), &round(Share::default()), &dump_of(&[(1, 1)], &[]));
        judge(&model, &round(share), found).0
    }

    fn assert_seen(problems: &[String], what: &str) {
        assert!(problems.iter().any(|problem| problem.contains(what)), "{problems:?}");
    }

    #[test]
    fn what_is_as_it_was_is_no_problem() {
        assert_eq!(problems(share(None, &[]), &dump_of(&[(1, 1)], &[])), Vec::<String>::new());
    }

    #[test]
    fn loss_damage_and_change_are_seen() {
        assert_seen(&problems(share(None, &[]), &dump_of(&[], &[])), "lost");
        assert_seen(&problems(share(None, &[]), &dump_of(&[(1, 2)], &[])), "message 2 instead of 1");
        let mut found = dump_of(&[(1, 1)], &[]);
        let message = found.get_mut(&AT).and_then(|shown| shown.messages.get_mut(&1)).expect("it is there");
        message.flags.insert("red".to_owned());
        (message.digest, message.modseq) = (8, 4);
        let problems = problems(share(None, &[]), &found);
        ["flags", "other bytes", "modseq"].into_iter().for_each(|what| assert_seen(&problems, what));
    }

    #[test]
    fn what_was_expunged_may_not_come_back_nor_its_uid() {
        let expunged = || Share { messages: BTreeMap::new(), ..share(None, &[(1, 1)]) };
        assert_seen(&problems(expunged(), &dump_of(&[(1, 1)], &[])), "now gone");
        assert_seen(&problems(expunged(), &dump_of(&[(1, 3)], &[])), "now gone");
        assert_eq!(problems(expunged(), &dump_of(&[], &[])), Vec::<String>::new());
    }

    #[test]
    fn counters_may_not_go_back() {
        let mut found = dump_of(&[(1, 1)], &[]);
        let shown = found.get_mut(&AT).expect("a place");
        (shown.uid_validity, shown.uid_next, shown.highest_modseq) = (3, 9, 6);
        let problems = problems(share(None, &[]), &found);
        ["uidvalidity", "uidnext", "modseq"].into_iter().for_each(|what| assert_seen(&problems, what));
    }

    #[test]
    fn an_unanswered_move_leaves_the_message_in_one_of_two_places() {
        let moving = || share(Some(Pending::Move { from: AT, uids: vec![1], to: TO }), &[]);
        let fine = |found: &Dump| problems(moving(), found).is_empty();
        assert!(fine(&dump_of(&[(1, 1)], &[])) && fine(&dump_of(&[], &[(10, 1)])));
        assert_seen(&problems(moving(), &dump_of(&[], &[])), "0 new copies");
        assert_seen(&problems(moving(), &dump_of(&[(1, 1)], &[(10, 1)])), "1 new copies");
    }

    #[test]
    fn an_unanswered_store_leaves_old_or_new_flags() {
        let red = Flags::from(["red".to_owned()]);
        let change = Change::Add(red.clone());
        let storing = || share(Some(Pending::Store { at: AT, uids: vec![1], change: change.clone() }), &[]);
        let mut found = dump_of(&[(1, 1)], &[]);
        assert!(problems(storing(), &found).is_empty());
        let message = found.get_mut(&AT).and_then(|shown| shown.messages.get_mut(&1)).expect("it is there");
        message.flags = red;
        assert!(problems(storing(), &found).is_empty());
    }

    #[test]
    fn more_repeats_than_replies_can_be_lost_are_seen_and_copies_of_repeats_are_none() {
        let mut sent = round(share(None, &[]));
        sent.sent =
            (2..7).map(|serial| Sent { serial, wire: Wire::Smtp, to: vec![(0, Some(true))] }).collect();
        let model = learned(&Model::default(), &round(Share::default()), &dump_of(&[(1, 1)], &[]));
        let twice: Vec<(u32, u64)> = (10..20).map(|uid| (uid, u64::from(uid) / 2 - 3)).collect();
        let all = [&[(1, 1)], &twice[..]].concat();
        assert_seen(&judge(&model, &sent, &dump_of(&all, &[])).0, "5 came twice");
        assert_eq!(judge(&model, &sent, &dump_of(&all[..10], &[])), (Vec::new(), 4));

        let known = |serial| Known { serial, flags: Flags::new(), modseq: 5, digest: Some(9) };
        let messages = twice.iter().map(|(uid, serial)| ((AT, *uid), known(*serial))).collect();
        let uids = twice.iter().map(|(uid, _)| *uid).collect();
        let pending = Some(Pending::Copy { from: AT, uids, to: TO });
        let copying = round(Share { messages, pending, ..Share::default() });
        let model = learned(&Model::default(), &round(Share::default()), &dump_of(&twice, &[]));
        let copied: Vec<(u32, u64)> = twice.iter().map(|(uid, serial)| (uid + 10, *serial)).collect();
        let mut found = dump_of(&twice, &copied);
        found.values_mut().for_each(|shown| shown.uid_next = 40);
        assert_eq!(judge(&model, &copying, &found), (Vec::new(), 0));
    }

    #[test]
    fn what_nobody_sent_or_sent_once_is_not_there_twice() {
        let mut once = round(share(None, &[]));
        once.sent.push(Sent { serial: 2, wire: Wire::Lmtp, to: vec![(0, Some(true))] });
        let model = learned(&Model::default(), &round(Share::default()), &dump_of(&[(1, 1)], &[]));
        let problems = |found: &Dump| judge(&model, &once, found).0;
        assert!(problems(&dump_of(&[(1, 1), (10, 2)], &[])).is_empty());
        assert_seen(&problems(&dump_of(&[(1, 1)], &[])), "0 new copies, not 1 to 1");
        assert_seen(&problems(&dump_of(&[(1, 1), (10, 2), (11, 2)], &[])), "2 new copies, not 1 to 1");
        assert_seen(&problems(&dump_of(&[(1, 1), (10, 2)], &[(10, 4)])), "1 new copies, not 0 to 0");
        assert_seen(&problems(&dump_of(&[(1, 1), (9, 2)], &[])), "below the uidnext");
    }
}
