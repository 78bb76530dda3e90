//! Several sessions change one mailbox at random. Each client believes only what it is told, and in the end
//! believes what is.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::sync::atomic::{AtomicU32, Ordering};

use harness::client::Client;
use harness::{House, PASSWORD, USER};
use proptest::prelude::*;

const SESSIONS: usize = 3;
const FLAGS: [&str; 4] = ["\\Seen", "\\Flagged", "\\Deleted", "Work"];

/// What one session does next. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Act {
    Append,
    Store { message: usize, flag: usize, add: bool, how: How, by_uid: bool },
    Expunge,
    UidExpunge { message: usize },
    Fetch { by_uid: bool },
    Search,
    Copy { message: usize },
    Move { message: usize },
    RenameInbox,
    Noop,
}

/// How STORE is asked for.
#[derive(Clone, Copy, Debug)]
enum How {
    Loud,
    Silent,
    /// Unless the message has changed since the client heard of it, if the client knows of modseqs.
    Conditional,
}

fn act() -> impl Strategy<Value = Act> {
    let how = prop::sample::select(vec![How::Loud, How::Silent, How::Conditional]);
    let store = (0..40usize, 0..FLAGS.len(), any::<bool>(), how, any::<bool>());
    prop_oneof![
        3 => Just(Act::Append),
        6 => store.prop_map(|(message, flag, add, how, by_uid)| Act::Store { message, flag, add, how, by_uid }),
        2 => Just(Act::Expunge),
        1 => (0..40usize).prop_map(|message| Act::UidExpunge { message }),
        3 => any::<bool>().prop_map(|by_uid| Act::Fetch { by_uid }),
        1 => Just(Act::Search),
        1 => (0..40usize).prop_map(|message| Act::Copy { message }),
        1 => (0..40usize).prop_map(|message| Act::Move { message }),
        1 => Just(Act::RenameInbox),
        2 => Just(Act::Noop),
    ]
}

/// A message as a client knows it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    uid: Option<u32>,
    /// Sorted, without `\Recent`.
    flags: Option<Vec<String>>,
    modseq: Option<u64>,
}

/// A client that keeps what untagged responses say.
struct View {
    client: Client,
    messages: Vec<Known>,
    /// It knows of modseqs (RFC 7162 3.1), and must be told of each with the flags that it comes from.
    condstore: bool,
}

impl View {
    async fn open(house: &House, condstore: bool) -> Self {
        let mut client = Client::new(house.connect());
        client.response().await.unwrap();
        client.command(&format!("a LOGIN {USER} \"{PASSWORD}\"")).await;
        let mut view = Self { client, messages: Vec::new(), condstore };
        let (select, fetch) = match condstore {
            true => ("s SELECT INBOX (CONDSTORE)", "f FETCH 1:* (UID FLAGS MODSEQ)"),
            false => ("s SELECT INBOX", "f FETCH 1:* (UID FLAGS)"),
        };
        view.command(select, true).await;
        view.command(fetch, false).await;
        view
    }

    /// Runs a command and believes its responses. `may_expunge` is RFC 3501 7.4.1.
    async fn command(&mut self, text: &str, may_expunge: bool) -> String {
        let mut responses = self.client.command(text).await;
        let tagged = responses.pop().unwrap();
        for response in &responses {
            assert!(may_expunge || !response.ends_with("EXPUNGE"), "{text}: {response}");
            self.believe(response);
        }
        assert!(!tagged.contains(" BAD "), "{text}: {tagged}");
        tagged
    }

    fn believe(&mut self, response: &str) {
        let words: Vec<&str> = response.splitn(4, ' ').collect();
        match words.as_slice() {
            ["*", count, "EXISTS"] => {
                let count: usize = count.parse().unwrap();
                assert!(count >= self.messages.len(), "{response}, and {} were known", self.messages.len());
                self.messages.resize(count, Known::default());
            }
            ["*", seq, "EXPUNGE"] => drop(self.messages.remove(seq.parse::<usize>().unwrap() - 1)),
            ["*", seq, "FETCH", items] => {
                let seq: usize = seq.parse().unwrap();
                assert!((1..=self.messages.len()).contains(&seq), "{response}");
                self.believe_items(seq - 1, items);
            }
            _ => {}
        }
    }

    fn believe_items(&mut self, at: usize, items: &str) {
        if let Some((_, after)) = items.split_once("UID ") {
            let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
            let uid = digits.parse().unwrap();
            assert!(
                self.messages[at].uid.is_none_or(|known| known == uid),
                "{items}: message {} changed",
                at + 1
            );
            self.messages[at].uid = Some(uid);
        }
        let flags = items.split_once("FLAGS (").map(|(_, after)| sorted(after.split_once(')').unwrap().0));
        let modseq = items.split_once("MODSEQ (").map(|(_, after)| after.split_once(')').unwrap().0);
        assert!(self.condstore || modseq.is_none(), "{items} to a client that knows of no modseqs");
        let known = &mut self.messages[at];
        if let Some(flags) = flags {
            let news = known.flags.as_ref().is_some_and(|before| *before != flags);
            assert!(!news || !self.condstore || modseq.is_some(), "{items}: new flags without their modseq");
            known.flags = Some(flags);
        }
        if let Some(modseq) = modseq.map(|digits| digits.parse().unwrap()) {
            assert!(known.modseq.is_none_or(|before| before <= modseq), "{items}, and {known:?} was known");
            known.modseq = Some(modseq);
        }
    }

    async fn act(&mut self, act: &Act) {
        let count = self.messages.len();
        let pick = |message: usize| message % count.max(1);
        match act {
            Act::Append => drop(self.command("p APPEND INBOX {3+}\r\nabc", true).await),
            Act::Expunge => drop(self.command("e EXPUNGE", true).await),
            Act::RenameInbox => drop(self.command(&format!("r RENAME INBOX {}", new_name()), true).await),
            Act::Noop => drop(self.command("n NOOP", true).await),
            Act::Fetch { by_uid: false } => drop(self.command("f FETCH 1:* (UID FLAGS)", false).await),
            Act::Fetch { by_uid: true } => drop(self.command("f UID FETCH 1:* FLAGS", true).await),
            Act::Search => drop(self.command("h SEARCH DELETED", false).await),
            _ if count == 0 => {}
            Act::Store { message, flag, add, how, by_uid } => {
                self.store(pick(*message), FLAGS[*flag], *add, *how, *by_uid).await;
            }
            Act::UidExpunge { message } => {
                let Some(uid) = self.messages[pick(*message)].uid else { return };
                self.command(&format!("e UID EXPUNGE {uid}"), true).await;
            }
            Act::Copy { message } => {
                self.command(&format!("c COPY {} INBOX", pick(*message) + 1), true).await;
            }
            Act::Move { message } => {
                self.command(&format!("m MOVE {} INBOX/other", pick(*message) + 1), true).await;
            }
        }
    }

    /// STORE; what a silent one does, the client notes itself.
    async fn store(&mut self, at: usize, flag: &str, add: bool, how: How, by_uid: bool) {
        let uid = self.messages[at].uid.filter(|_| by_uid);
        let (verb, number) = match uid {
            Some(uid) => ("UID STORE", uid as usize),
            None => ("STORE", at + 1),
        };
        let sign = if add { '+' } else { '-' };
        let (condition, suffix) = match (how, self.messages[at].modseq) {
            (How::Loud, _) | (How::Conditional, None) => (String::new(), ""),
            (How::Silent, _) => (String::new(), ".SILENT"),
            (How::Conditional, Some(modseq)) => (format!("(UNCHANGEDSINCE {modseq}) "), ""),
        };
        if matches!(how, How::Silent)
            && let Some(flags) = &mut self.messages[at].flags
        {
            flags.retain(|known| known != flag);
            flags.extend(add.then(|| flag.to_owned()));
            flags.sort();
        }
        self.command(&format!("t {verb} {number} {condition}{sign}FLAGS{suffix} ({flag})"), uid.is_some())
            .await;
    }
}

/// A name that nobody has used before.
fn new_name() -> String {
    static USED: AtomicU32 = AtomicU32::new(0);
    format!("INBOX/was-{}", USED.fetch_add(1, Ordering::Relaxed))
}

fn sorted(flags: &str) -> Vec<String> {
    let mut flags: Vec<String> =
        flags.split(' ').filter(|flag| !flag.is_empty() && *flag != "\\Recent").map(str::to_owned).collect();
    flags.sort();
    flags
}

/// Views of one new mailbox, one for each session.
async fn opened(house: &House) -> Vec<View> {
    let mut views = Vec::new();
    for session in 0..SESSIONS {
        views.push(View::open(house, session != 0).await);
    }
    views[0].command("o CREATE INBOX/other", true).await;
    views
}

/// After a NOOP, each view must agree with what a new session sees.
async fn compare(house: &House, views: &mut [View]) {
    let truth = View::open(house, true).await.messages;
    for (session, view) in views.iter_mut().enumerate() {
        view.command("n NOOP", true).await;
        assert_eq!(view.messages.len(), truth.len(), "session {session}");
        for (seq, (believed, real)) in (1..).zip(view.messages.iter().zip(&truth)) {
            let uid_right = believed.uid.is_none() || believed.uid == real.uid;
            let flags_right = believed.flags.is_none() || believed.flags == real.flags;
            let modseq_right = believed.modseq.is_none() || believed.modseq == real.modseq;
            assert!(
                uid_right && flags_right && modseq_right,
                "session {session}, message {seq}: {believed:?}, really {real:?}"
            );
        }
    }
}

/// One command after the other.
async fn play_in_turn(acts: Vec<(usize, Act)>) {
    let house = House::new().await;
    let mut views = opened(&house).await;
    for (session, act) in &acts {
        views[*session].act(act).await;
    }
    compare(&house, &mut views).await;
}

/// Each session at its own speed.
async fn play_at_once(acts: Vec<(usize, Act)>) {
    let house = House::new().await;
    let mut tasks = Vec::new();
    for (session, mut view) in opened(&house).await.into_iter().enumerate() {
        let own: Vec<Act> =
            acts.iter().filter(|(of, _)| *of == session).map(|(_, act)| act.clone()).collect();
        tasks.push(tokio::spawn(async move {
            for act in &own {
                view.act(act).await;
            }
            view
        }));
    }
    let mut views = Vec::new();
    for task in tasks {
        views.push(task.await.unwrap());
    }
    compare(&house, &mut views).await;
}

fn run(played: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(played);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn sessions_that_take_turns_know_the_mailbox_as_it_is(
        acts in prop::collection::vec((0..SESSIONS, act()), 1..60),
    ) {
        run(play_in_turn(acts));
    }

    #[test]
    fn sessions_that_race_know_the_mailbox_as_it_is(
        acts in prop::collection::vec((0..SESSIONS, act()), 1..200),
    ) {
        run(play_at_once(acts));
    }
}
