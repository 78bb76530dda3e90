//! A check names what is damaged, in every message that it hits, and stops at nothing.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use std::path::{Path, PathBuf};

use disk::{Disk, FaultDisk, OpenMode};
use mailstore::{CheckOptions, CheckReport, FindingKind, Flags};
use support::{Bench, message, path, uids};

fn check(bench: &Bench) -> CheckReport {
    bench.store.check(&CheckOptions { rendered: true, ..CheckOptions::default() }).unwrap()
}

/// Changes a byte where `needle` stands in a file.
fn damage(disk: &FaultDisk, file: &Path, needle: &str) {
    let opened = disk.open(file, OpenMode::Read).unwrap();
    let mut bytes = vec![0; opened.len().unwrap() as usize];
    opened.read_at(&mut bytes, 0).unwrap();
    let at = bytes.windows(needle.len()).position(|window| window == needle.as_bytes()).unwrap();
    disk.damage(file, at as u64);
}

fn first(disk: &FaultDisk, dir: &str, ending: &str) -> PathBuf {
    let names = disk.list(Path::new(dir)).unwrap();
    Path::new(dir).join(names.into_iter().filter(|name| name.ends_with(ending)).min().unwrap())
}

/// A message whose bytes stand in the journal as they are.
fn plain(text: &str) -> String {
    format!("Subject: s\r\n\r\n{text}")
}

#[tokio::test]
async fn a_sound_store_is_said_to_be_sound() {
    let bench = Bench::new().await;
    bench.append("one").await;
    bench.append_to(bench.inbox, &"x\r\n".repeat(limits::BODY_MEMORY_BYTES_MAX), Flags::EMPTY).await;
    let report = check(&bench);
    assert!(report.is_sound(), "{report}");
    assert_eq!((report.mailboxes, report.messages, report.bodies), (1, 2, 2));
    assert!(report.to_string().ends_with("1 mailboxes, 2 messages, 2 bodies checked: all is well"));
}

#[tokio::test]
async fn each_message_that_uses_a_damaged_body_is_named() {
    let bench = Bench::new().await;
    let other = bench.store.mailbox_create(&path(&["a", "b"]), None).await.unwrap();
    bench.append_to(bench.inbox, &plain("needle one"), Flags::EMPTY).await;
    bench.append_to(bench.inbox, &message("between"), Flags::EMPTY).await;
    bench.append_to(bench.inbox, &plain("needle two"), Flags::EMPTY).await;
    bench.store.copy(bench.inbox, uids([1]), other).await.unwrap();
    let segment = first(&bench.disk, "m/journal", ".seg");
    damage(&bench.disk, &segment, "needle one");
    damage(&bench.disk, &segment, "needle two");
    let report = check(&bench);
    let bodies = report.findings.iter().filter(|finding| finding.kind == FindingKind::Body);
    let mut named: Vec<_> = bodies
        .map(|finding| {
            assert_eq!(finding.account.as_deref(), Some("alice@example.org"));
            (finding.mailbox.clone().unwrap(), finding.uid.unwrap())
        })
        .collect();
    named.sort();
    assert_eq!(named, [("INBOX".to_owned(), 1), ("INBOX".to_owned(), 3), ("a/b".to_owned(), 1)]);
    assert!(report.findings.iter().any(|finding| finding.kind == FindingKind::Journal), "{report}");
}

#[tokio::test]
async fn a_file_with_other_bytes_than_were_stored_is_found() {
    let bench = Bench::new().await;
    let large = plain(&format!("needle {}", "x".repeat(limits::BODY_MEMORY_BYTES_MAX)));
    bench.append_to(bench.inbox, &large, Flags::EMPTY).await;
    damage(&bench.disk, &first(&bench.disk, "m/bodies", ""), "needle");
    let report = check(&bench);
    let [finding] = &report.findings[..] else { panic!("{report}") };
    assert_eq!((finding.kind, finding.uid), (FindingKind::Body, Some(1)));
    assert!(
        finding.to_string().contains("account alice@example.org mailbox INBOX uid 1 body B"),
        "{finding}"
    );
}
