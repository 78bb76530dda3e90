//! Every transcript of the IMAP wire, against this server.
//!
//! `TRANSCRIPT=name` runs the transcripts whose file names contain `name`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::path::PathBuf;

use harness::pattern::{filled_in, matched};
use harness::script::{run, transcripts_dir};

fn transcripts() -> Vec<PathBuf> {
    let wanted = std::env::var("TRANSCRIPT").unwrap_or_default();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(transcripts_dir())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .filter(|path| path.file_stem().is_some_and(|name| name != "README"))
        .filter(|path| path.to_string_lossy().contains(&wanted))
        .collect();
    paths.sort();
    paths
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_transcript_happens_as_it_is_written() {
    let paths = transcripts();
    assert!(!paths.is_empty(), "no transcripts found");
    let mut failures = Vec::new();
    for path in &paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let task = tokio::spawn({
            let path = path.clone();
            async move { run(&path).await }
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
