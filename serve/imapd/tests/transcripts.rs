//! Every transcript of the IMAP wire, against this server.
//!
//! `TRANSCRIPT=name` runs the transcripts whose file names contain `name`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::time::Duration;

use harness::normal::{Expunged, canonical, without_extras};
use harness::pattern::{filled_in, matched};
use harness::run::run;
use harness::script::transcripts;
use harness::stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_transcript_happens_as_it_is_written() {
    let paths = transcripts();
    let mut failures = Vec::new();
    for path in &paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let task = tokio::spawn({
            let path = path.clone();
            async move { run(&path, Stage::ours().await, Duration::from_secs(20)).await }
        });
        match task.await {
            Ok(Ok(())) => {}
            Ok(Err(difference)) => failures.push(format!("{name}: {difference}")),
            Err(panic) => failures.push(format!("{name}: {panic}")),
        }
    }
    assert!(failures.is_empty(), "{} of {} differ:\n{}", failures.len(), paths.len(), failures.join("\n"));
}

#[test]
fn patterns_match_whole_responses() {
    assert!(matched("* 3 EXISTS", "* 3 EXISTS").is_some());
    assert!(matched("* 3 EXISTS", "* 33 EXISTS").is_none());
    assert!(matched("a OK ...", "a OK [READ-WRITE] done").is_some());
    assert!(matched("...x", "abc").is_none());
    assert!(matched("BODY[]<0>", "BODY[]<0>").is_some());
}

#[test]
fn words_of_a_response_are_kept_and_filled_in() {
    let words = matched("* OK [UIDVALIDITY <v>] ...", "* OK [UIDVALIDITY 77] valid").unwrap();
    assert_eq!(filled_in("APPENDUID $v 1 $Other", &words), "APPENDUID 77 1 $Other");
}

#[test]
fn what_servers_are_free_in_is_made_the_same() {
    for (one, other) in [
        ("* 1 FETCH (FLAGS (\\B \\A) UID 2)", "* 1 FETCH (UID 2 FLAGS (\\A \\B))"),
        ("* 1 FETCH (BODY[] {4}a)\\r\\n UID 2)", "* 1 FETCH (UID 2 BODY[] {4}a)\\r\\n)"),
        ("* 1 FETCH (BODY[X (a b)] \"(\\\"\" UID 2)", "* 1 FETCH (UID 2 BODY[X (a b)] \"(\\\"\")"),
        ("* LIST (\\B \\A) \"/\" \"x\"", "* LIST (\\A \\B) \"/\" x"),
        ("* STATUS inbox (UNSEEN 1 RECENT 2)", "* STATUS \"INBOX\" (RECENT 2 UNSEEN 1)"),
        ("* OK [PERMANENTFLAGS (\\B \\A)] x", "* OK [PERMANENTFLAGS (\\A \\B)] x"),
        (
            "* 1 FETCH (INTERNALDATE \" 8-Feb-1994 05:52:25 +0000\")",
            "* 1 FETCH (INTERNALDATE \"08-Feb-1994 05:52:25 +0000\")",
        ),
        ("a NO [NONEXISTENT] x", "a NO x"),
        ("* ESEARCH (TAG \"a\") UID COUNT 1 MIN 2", "* ESEARCH (TAG \"a\") UID MIN 2 COUNT 1"),
    ] {
        assert_eq!(canonical(one), canonical(other));
    }
    let apart = ["* 1 FETCH (UID 3)", "* 1 FETCH (UID 2)", "* 1 FETCH ((UID 2)", "a OK (B A)", "a OK (A B)"];
    apart
        .iter()
        .for_each(|text| assert_eq!(apart.iter().filter(|t| canonical(t) == canonical(text)).count(), 1));
}

#[test]
fn what_servers_add_is_passed_over() {
    let pattern = "* 1 FETCH (UID 2 BODY[] {1}x)";
    assert_eq!(without_extras("* 1 FETCH (FLAGS (\\A) UID 2 BODY[] {1}x MODSEQ (3))", pattern), pattern);
    let matches = |pattern: &str, text: &str| matched(&canonical(pattern), &canonical(text)).is_some();
    assert!(matches("* FLAGS (\\B \\A...)", "* FLAGS (\\A x \\B)"));
    assert!(!matches("* FLAGS (\\B \\A...)", "* FLAGS (\\B x)"));
}

#[test]
fn messages_may_be_expunged_in_any_order() {
    let check = |received: [&str; 3]| {
        let mut patterns = ["* 2 EXPUNGE", "* 2 EXPUNGE", "* 5 EXPUNGE"].map(str::to_owned).to_vec();
        let mut expunged = Expunged::of(&mut patterns);
        received.iter().all(|response| expunged.take(response)) && expunged.check().is_ok()
    };
    assert!(check(["* 7 EXPUNGE", "* 3 EXPUNGE", "* 2 EXPUNGE"]));
    assert!(check(["* 2 EXPUNGE", "* 2 EXPUNGE", "* 5 EXPUNGE"]));
    assert!(!check(["* 2 EXPUNGE", "* 3 EXPUNGE", "* 5 EXPUNGE"]));
}
