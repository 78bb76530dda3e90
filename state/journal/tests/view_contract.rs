//! What every view must do, run on each implementation beside a model.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;

use bytes::Bytes;
use journal::{FjallView, KeyRange, Lsn, MemoryView, Order, Table, View, ViewBatch, ViewRead};
use proptest::prelude::*;

const TABLES: [Table; 2] = [Table("one"), Table("two")];

/// A view as simple as can be.
#[derive(Debug, Clone, Default)]
struct Model {
    rows: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    applied: u64,
}

/// Keys that share prefixes and reach the last byte.
fn key() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop_oneof![Just(0u8), Just(b'a'), Just(b'b'), Just(u8::MAX)], 1..4)
}

fn table() -> impl Strategy<Value = Table> {
    prop_oneof![Just(TABLES[0]), Just(TABLES[1])]
}

type Change = (Table, Vec<u8>, Option<Vec<u8>>);

#[derive(Debug, Clone)]
enum Step {
    Apply(Vec<Change>),
    Snapshot,
    Reopen,
    Scan(Table, KeyRange, Order),
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![Just(Bound::Unbounded), key().prop_map(Bound::Included), key().prop_map(Bound::Excluded)]
}

fn range() -> impl Strategy<Value = KeyRange> {
    prop_oneof![
        Just(KeyRange::all()),
        proptest::collection::vec(any::<u8>(), 0..2).prop_map(|key| KeyRange::prefix(&key)),
        key().prop_map(|key| KeyRange::prefix(&key)),
        (bound(), bound()).prop_map(|(start, end)| KeyRange { start, end }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let value = proptest::option::weighted(0.7, proptest::collection::vec(any::<u8>(), 0..6));
    let order = prop_oneof![Just(Order::Forward), Just(Order::Reverse)];
    prop_oneof![
        6 => proptest::collection::vec((table(), key(), value), 0..6).prop_map(Step::Apply),
        1 => Just(Step::Snapshot),
        1 => Just(Step::Reopen),
        4 => (table(), range(), order).prop_map(|(table, range, order)| Step::Scan(table, range, order)),
    ]
}

impl Model {
    fn apply(&mut self, changes: &[Change]) {
        self.applied += 1;
        for (table, key, value) in changes.iter().cloned() {
            match value {
                Some(value) => self.rows.insert((table, key), value),
                None => self.rows.remove(&(table, key)),
            };
        }
    }

    fn scan(&self, table: Table, range: &KeyRange, order: Order) -> Vec<(Vec<u8>, Vec<u8>)> {
        let inside = |key: &Vec<u8>| {
            let after = match &range.start {
                Bound::Included(start) => key >= start,
                Bound::Excluded(start) => key > start,
                Bound::Unbounded => true,
            };
            let before = match &range.end {
                Bound::Included(end) => key <= end,
                Bound::Excluded(end) => key < end,
                Bound::Unbounded => true,
            };
            after && before
        };
        let rows = self.rows.iter().filter(|((in_table, key), _)| *in_table == table && inside(key));
        let mut rows: Vec<_> = rows.map(|((_, key), value)| (key.clone(), value.clone())).collect();
        if order == Order::Reverse {
            rows.reverse();
        }
        rows
    }

    fn check(&self, view: &dyn ViewRead) {
        assert_eq!(view.applied_lsn(), Lsn(self.applied));
        for table in TABLES {
            assert_eq!(
                scan(view, table, KeyRange::all(), Order::Forward),
                self.scan(table, &KeyRange::all(), Order::Forward)
            );
        }
        for ((table, key), value) in &self.rows {
            assert_eq!(view.get(*table, key).unwrap(), Some(Bytes::from(value.clone())));
        }
    }
}

fn scan(view: &dyn ViewRead, table: Table, range: KeyRange, order: Order) -> Vec<(Vec<u8>, Vec<u8>)> {
    let rows = view.scan(table, range, order).unwrap();
    rows.map(|row| row.unwrap()).map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
}

fn batch(changes: &[Change]) -> ViewBatch {
    let mut batch = ViewBatch::new();
    for (table, key, value) in changes.iter().cloned() {
        match value {
            Some(value) => batch.put(table, key, value),
            None => batch.remove(table, key),
        }
    }
    batch
}

/// Runs the steps on a view and the model. `reopen` gives the view as the next process finds it.
fn run(steps: &[Step], mut view: Box<dyn View>, reopen: impl Fn(Box<dyn View>) -> Box<dyn View>) {
    let mut model = Model::default();
    let mut snapshots: Vec<(Box<dyn ViewRead>, Model)> = Vec::new();
    for step in steps {
        match step {
            Step::Apply(changes) => {
                model.apply(changes);
                view.apply(Lsn(model.applied), batch(changes)).unwrap();
            }
            Step::Snapshot => snapshots.push((view.snapshot(), model.clone())),
            Step::Reopen => {
                snapshots.clear();
                view = reopen(view);
            }
            Step::Scan(table, range, order) => {
                assert_eq!(scan(&*view, *table, range.clone(), *order), model.scan(*table, range, *order));
            }
        }
        model.check(&*view);
        snapshots.iter().for_each(|(snapshot, model)| model.check(&**snapshot));
    }
}

fn fjall(dir: &Path) -> Box<dyn View> {
    Box::new(FjallView::open(dir, &TABLES).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
    #[test]
    fn the_view_in_memory_does_as_the_model(steps in proptest::collection::vec(step(), 0..40)) {
        run(&steps, Box::new(MemoryView::new(&TABLES)), |view| view);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn the_view_on_fjall_does_as_the_model_also_after_reopening(steps in proptest::collection::vec(step(), 0..40)) {
        let dir = tempfile::tempdir().unwrap();
        run(&steps, fjall(dir.path()), |view| {
            drop(view);
            fjall(dir.path())
        });
    }
}

fn on_both(test: impl Fn(&dyn View)) {
    test(&MemoryView::new(&TABLES));
    let dir = tempfile::tempdir().unwrap();
    test(&*fjall(dir.path()));
}

fn put(view: &dyn View, lsn: u64, key: &'static str) {
    let mut batch = ViewBatch::new();
    batch.put(TABLES[0], key, "value");
    view.apply(Lsn(lsn), batch).unwrap();
}

#[test]
fn a_cleared_view_is_empty_and_can_be_filled_again() {
    on_both(|view| {
        put(view, 7, "a");
        view.clear().unwrap();
        Model::default().check(view);
        put(view, 1, "b");
        assert_eq!(view.applied_lsn(), Lsn(1));
        assert_eq!(
            scan(view, TABLES[0], KeyRange::all(), Order::Forward),
            [(b"b".to_vec(), b"value".to_vec())]
        );
    });
}

#[test]
fn a_table_that_was_not_named_is_an_error() {
    on_both(|view| {
        assert!(view.get(Table("three"), b"a").is_err());
        assert!(view.scan(Table("three"), KeyRange::all(), Order::Forward).is_err());
        let mut batch = ViewBatch::new();
        batch.put(TABLES[0], "a", "value");
        batch.put(Table("three"), "a", "value");
        assert!(view.apply(Lsn(1), batch).is_err());
    });
}

#[test]
fn a_scan_that_has_begun_does_not_see_later_batches() {
    on_both(|view| {
        put(view, 1, "a");
        let rows = view.scan(TABLES[0], KeyRange::all(), Order::Forward).unwrap();
        put(view, 2, "b");
        assert_eq!(rows.count(), 1);
    });
}

#[test]
fn the_last_change_of_a_key_in_a_batch_wins() {
    on_both(|view| {
        let mut batch = ViewBatch::new();
        batch.put(TABLES[0], "a", "1");
        batch.put(TABLES[0], "a", "2");
        batch.put(TABLES[0], "b", "1");
        batch.remove(TABLES[0], "b");
        assert_eq!(batch.pending(TABLES[0], b"a"), Some(Some(&Bytes::from("2"))));
        assert_eq!(batch.pending(TABLES[0], b"b"), Some(None));
        assert_eq!(batch.pending(TABLES[0], b"c"), None);
        view.apply(Lsn(1), batch).unwrap();
        assert_eq!(scan(view, TABLES[0], KeyRange::all(), Order::Forward), [(b"a".to_vec(), b"2".to_vec())]);
    });
}

#[test]
fn a_view_that_cannot_be_opened_is_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    put(&*fjall(dir.path()), 1, "a");
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::write(path, b"garbage").unwrap();
        }
    }
    assert_eq!(fjall(dir.path()).applied_lsn(), Lsn::ZERO);
}

#[test]
fn a_view_that_another_has_open_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let view = fjall(dir.path());
    put(&*view, 1, "a");
    assert!(FjallView::open(dir.path(), &TABLES).is_err());
    put(&*view, 2, "b");
    drop(view);
    assert_eq!(fjall(dir.path()).applied_lsn(), Lsn(2));
}

#[test]
fn a_view_of_other_tables_is_begun_anew_and_the_old_one_kept_until_that_is_done() {
    let root = tempfile::tempdir().unwrap();
    let (dir, aside) = (root.path().join("view"), root.path().join("view.old"));
    let view = FjallView::open(&dir, &TABLES[..1]).unwrap();
    let mut batch = ViewBatch::new();
    batch.put(TABLES[0], &b"key"[..], &b"value"[..]);
    view.apply(Lsn(7), batch).unwrap();
    drop(view);
    let same = FjallView::open(&dir, &TABLES[..1]).unwrap();
    assert_eq!(same.applied_lsn(), Lsn(7));
    drop(same);
    let other = FjallView::open(&dir, &TABLES).unwrap();
    assert_eq!(other.applied_lsn(), Lsn::ZERO);
    assert_eq!(other.get(TABLES[0], b"key").unwrap(), None);
    // Made again in part, then by yet another version: what is kept is the one that was whole.
    other.apply(Lsn(2), ViewBatch::new()).unwrap();
    drop(other);
    let third = FjallView::open(&dir, &TABLES[1..]).unwrap();
    assert_eq!(third.applied_lsn(), Lsn::ZERO);
    let kept = FjallView::open(&aside, &TABLES[..1]).unwrap();
    assert_eq!(kept.applied_lsn(), Lsn(7));
    drop(kept);
    third.settle().unwrap();
    assert!(!aside.exists() && dir.exists());
}
