//! The rules against a model: random commands, and what must hold whatever they were.

use std::collections::BTreeSet;

use address::{AccountName, Address, Domain};
use journal::{KeyRange, Lsn, MemoryView, Order, View as _, ViewBatch, ViewRead as _};
use proptest::prelude::*;
use sasl::ScramKeys;

use super::record::{ROWS, TABLES};
use super::store::Command;
use super::tables::{Change, Tables};
use crate::password::StoredPassword;
use crate::{AddressEntry, DirectoryError, Resolution};

/// Small sets of names, so that commands meet each other.
const DOMAINS: [&str; 2] = ["a.example", "b.example"];
const LOCALS: [&str; 4] = ["joe", "jane", "list", "postmaster"];

fn domain() -> impl Strategy<Value = Domain> {
    prop::sample::select(&DOMAINS[..]).prop_map(|name| name.parse().unwrap())
}

fn account() -> impl Strategy<Value = AccountName> {
    (prop::sample::select(&LOCALS[..2]), domain())
        .prop_map(|(name, domain)| AccountName::new(name, domain).unwrap())
}

fn address() -> impl Strategy<Value = Address> {
    let target = |(local, detail, domain)| format!("{local}{detail}@{domain}").parse().unwrap();
    (prop::sample::select(&LOCALS[..]), prop::sample::select(&["", "", "+x"][..]), domain()).prop_map(target)
}

fn password(text: String) -> StoredPassword {
    StoredPassword { hash: text.clone(), scram: ScramKeys::decoy(b"", &text, 16, 4096) }
}

fn command() -> impl Strategy<Value = Command> {
    let targets = prop::collection::vec(address(), 1..3);
    prop_oneof![
        2 => domain().prop_map(Command::DomainAdd),
        1 => domain().prop_map(Command::DomainDelete),
        1 => (domain(), prop::option::of(account())).prop_map(|(domain, name)| Command::DomainPostmaster(domain, name)),
        3 => (account(), any::<bool>())
            .prop_map(|(name, admin)| Command::AccountAdd { name, admin, password: None }),
        2 => account().prop_map(Command::AccountDelete),
        1 => (account(), "[a-z]{3}").prop_map(|(name, text)| Command::AccountPassword(name, password(text))),
        4 => (address(), targets).prop_map(|(address, targets)| Command::AddressAdd(AddressEntry { address, targets })),
        2 => address().prop_map(Command::AddressDelete),
    ]
}

/// What the crate's documentation promises.
fn assert_invariants(tables: &Tables) {
    for name in tables.accounts.keys() {
        assert!(tables.domains.contains_key(name.domain()), "{name} has no domain");
        assert!(!tables.addresses.contains_key(&Address::from(name).key()), "{name} is an alias too");
    }
    for entry in tables.addresses.values() {
        assert!(
            tables.domains.contains_key(entry.address.domain().unwrap()),
            "{} has no domain",
            entry.address
        );
        assert_no_loop(tables, &entry.address, &mut BTreeSet::new());
    }
    for entry in tables.domains.values() {
        let known = entry.postmaster.as_ref().is_none_or(|name| tables.accounts.contains_key(name));
        assert!(known, "the postmaster of {} is gone", entry.domain);
        let postmaster = tables.resolve(&Address::postmaster(entry.domain.clone()));
        assert_eq!(postmaster.is_err(), tables.accounts.is_empty() && no_alias(tables, entry.domain.clone()));
    }
}

fn no_alias(tables: &Tables, domain: Domain) -> bool {
    !tables.addresses.contains_key(&Address::postmaster(domain).key())
}

fn assert_no_loop(tables: &Tables, address: &Address, above: &mut BTreeSet<String>) {
    assert!(above.insert(address.key()), "{address} leads to itself");
    if let Ok(Resolution::Alias(targets)) = tables.resolve(address) {
        for target in targets {
            assert_no_loop(tables, &target, above);
        }
    }
    above.remove(&address.key());
}

/// All rows of a view, read back.
fn tables_of(view: &MemoryView) -> Tables {
    let mut tables = Tables::default();
    for (table, kind) in ROWS {
        for row in view.scan(table, KeyRange::all(), Order::Forward).unwrap() {
            tables.change(Change::decode(kind, &row.unwrap().1).unwrap());
        }
    }
    tables
}

proptest! {
    #[test]
    fn the_promises_hold_after_any_commands(commands in prop::collection::vec(command(), 1..60)) {
        let mut tables = Tables::default();
        for (number, command) in commands.into_iter().enumerate() {
            for change in tables.judge(command, number as u64).unwrap_or_default() {
                tables.change(change);
            }
            assert_invariants(&tables);
        }
    }

    /// The view, the tables from the records once, and the tables from the records twice, are one.
    #[test]
    fn records_and_rows_make_the_same_tables(commands in prop::collection::vec(command(), 1..60)) {
        let (mut tables, mut replayed, view) = (Tables::default(), Tables::default(), MemoryView::new(&TABLES));
        let mut records = vec![Change::SecretPut([7; 32]).record()];
        tables.change(Change::SecretPut([7; 32]));
        for (number, command) in commands.into_iter().enumerate() {
            for change in tables.judge(command, number as u64).unwrap_or_default() {
                records.push(change.record());
                tables.change(change);
            }
        }
        for (number, record) in records.iter().chain(&records).enumerate() {
            let change = Change::decode(record.kind, &record.bytes).unwrap();
            let mut batch = ViewBatch::new();
            change.apply(record, &mut batch);
            view.apply(Lsn(number as u64 + 1), batch).unwrap();
            replayed.change(change);
        }
        prop_assert_eq!(&replayed, &tables);
        prop_assert_eq!(&tables_of(&view), &tables);
    }

    #[test]
    fn no_record_brings_the_reader_down(kind in 0..9u16, bytes: Vec<u8>) {
        let _ = Change::decode(kind, &bytes);
    }
}

/// Tables with a domain, two accounts and an alias.
fn tables() -> Tables {
    let mut tables = Tables::default();
    let commands = [
        Command::DomainAdd(DOMAINS[0].parse().unwrap()),
        Command::AccountAdd { name: "jane@a.example".parse().unwrap(), admin: false, password: None },
        Command::AccountAdd { name: "joe@a.example".parse().unwrap(), admin: true, password: None },
        alias("list@a.example", &["joe+lists@a.example", "jane@a.example"]),
    ];
    for (number, command) in commands.into_iter().enumerate() {
        tables.judge(command, number as u64).unwrap().into_iter().for_each(|change| tables.change(change));
    }
    tables
}

fn alias(address: &str, targets: &[&str]) -> Command {
    let targets = targets.iter().map(|target| target.parse().unwrap()).collect();
    Command::AddressAdd(AddressEntry { address: address.parse().unwrap(), targets })
}

fn refusal(tables: &Tables, command: Command) -> String {
    tables.judge(command, 99).expect_err("the command should be refused").to_string()
}

#[test]
fn refusals_name_what_is_in_the_way() {
    let tables = tables();
    let cases = [
        (Command::DomainAdd("A.example".parse().unwrap()), "domain a.example exists already"),
        (Command::DomainDelete("b.example".parse().unwrap()), "domain b.example does not exist"),
        (
            Command::DomainDelete("a.example".parse().unwrap()),
            "domain a.example is still in use: accounts 2, other addresses 1",
        ),
        (
            Command::AccountAdd { name: "list@a.example".parse().unwrap(), admin: false, password: None },
            "address list@a.example exists already",
        ),
        (
            Command::AccountDelete("joe@a.example".parse().unwrap()),
            "joe@a.example is still a target of list@a.example",
        ),
        (
            Command::AddressDelete("joe@a.example".parse().unwrap()),
            "address joe@a.example is the name of an account",
        ),
        (Command::AddressDelete("x@a.example".parse().unwrap()), "address x@a.example does not exist"),
        (alias("LIST@a.example", &["joe@a.example"]), "address LIST@a.example exists already"),
        (alias("joe@a.example", &["jane@a.example"]), "address joe@a.example is the name of an account"),
        (alias("new@b.example", &["joe@a.example"]), "domain b.example does not exist"),
        (alias("new@[192.0.2.1]", &["joe@a.example"]), "address new@[192.0.2.1] has no domain name"),
        (alias("new@a.example", &[]), "an address needs between 1 and 1000 targets, and 0 were given"),
        (
            alias("new@a.example", &["x@a.example"]),
            "target x@a.example is neither an account nor an address here",
        ),
        (alias("new@a.example", &["new@a.example"]), "target new@a.example leads back to new@a.example"),
    ];
    for (command, reason) in cases {
        assert_eq!(refusal(&tables, command), reason);
    }
}

/// Two aliases, made while the other's domain was elsewhere, would be a loop.
#[test]
fn a_loop_over_a_domain_that_became_ours_is_refused() {
    let mut tables = tables();
    for command in
        [alias("out@a.example", &["back@b.example"]), Command::DomainAdd("b.example".parse().unwrap())]
    {
        tables.judge(command, 9).unwrap().into_iter().for_each(|change| tables.change(change));
    }
    let command = alias("back@b.example", &["out+x@a.example"]);
    assert!(matches!(tables.judge(command, 99), Err(DirectoryError::Loop { .. })));
}

#[test]
fn the_oldest_administrator_is_postmaster_until_another_is_named() {
    let mut tables = tables();
    let postmaster = |tables: &Tables| match tables.resolve(&"Abuse@a.example".parse().unwrap()) {
        Ok(Resolution::Account(name)) => name.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(postmaster(&tables), "joe@a.example");
    let jane = Some("jane@a.example".parse().unwrap());
    let named = tables.judge(Command::DomainPostmaster(DOMAINS[0].parse().unwrap(), jane), 99).unwrap();
    named.into_iter().for_each(|change| tables.change(change));
    assert_eq!(postmaster(&tables), "jane@a.example");
}
