//! The router against a directory that may say anything, also what a sound one would not.

use std::collections::HashMap;
use std::sync::Arc;

use address::{AccountName, Address, Domain, Envelope, MailParams, Notify, Recipient, ReversePath};
use directory::{
    AccountEntry, Answer, Credentials, Directory, DirectoryError, DomainEntry, Resolution as Entry,
};
use route::{FixedRoute, OwnHost, Resolution, RouteError, RouteSettings, Router, SmartHost};
use spool::{NextHop, Route};

/// Addresses of `here.example`; all others are remote. `down@` cannot be answered.
struct FakeDirectory {
    domain: Domain,
    entries: HashMap<String, Entry>,
}

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

fn account(name: &str) -> AccountName {
    AccountName::parse(&format!("{name}@here.example")).expect("an account")
}

impl FakeDirectory {
    fn new(accounts: &[&str], aliases: &[(&str, &[&str])]) -> Self {
        let key = |local: &str| format!("{local}@here.example");
        let accounts = accounts.iter().map(|name| (key(name), Entry::Account(account(name))));
        let targets = |targets: &[&str]| Entry::Alias(targets.iter().map(|to| address(to)).collect());
        let aliases = aliases.iter().map(|(name, to)| (key(name), targets(to)));
        let domain = Domain::parse("here.example").expect("a domain");
        Self { domain, entries: accounts.chain(aliases).collect() }
    }

    fn find(&self, address: &Address) -> Result<Entry, DirectoryError> {
        match address.key().as_str() {
            "down@here.example" => Err(DirectoryError::Busy),
            key if address.domain() == Some(&self.domain) => {
                Ok(self.entries.get(key).cloned().unwrap_or(Entry::Unknown))
            }
            _ => Ok(Entry::Remote),
        }
    }
}

fn never<'a, T: Send + 'a>() -> Answer<'a, T> {
    Box::pin(async { unreachable!("the router asks for addresses only") })
}

impl Directory for FakeDirectory {
    fn default_domain(&self) -> &Domain {
        &self.domain
    }

    fn domain<'a>(&'a self, _domain: &'a Domain) -> Answer<'a, Option<DomainEntry>> {
        never()
    }

    fn account<'a>(&'a self, _account: &'a AccountName) -> Answer<'a, Option<AccountEntry>> {
        never()
    }

    fn resolve<'a>(&'a self, address: &'a Address) -> Answer<'a, Entry> {
        Box::pin(async { self.find(address) })
    }

    fn addresses_of<'a>(&'a self, _account: &'a AccountName) -> Answer<'a, Vec<Address>> {
        never()
    }

    fn verify_password<'a>(
        &'a self,
        _login: &'a str,
        _password: &'a sasl::Password,
    ) -> Answer<'a, Option<AccountName>> {
        never()
    }

    fn credentials<'a>(&'a self, _login: &'a str) -> Answer<'a, Credentials> {
        never()
    }
}

fn router(accounts: &[&str], aliases: &[(&str, &[&str])]) -> Router {
    Router::new(Arc::new(FakeDirectory::new(accounts, aliases)), RouteSettings::default())
}

fn envelope(recipients: &[&str]) -> Envelope {
    let recipients = recipients.iter().map(|to| Recipient::new(address(to))).collect();
    Envelope { reverse_path: ReversePath::Null, recipients, params: MailParams::default() }
}

/// Each route as `next hop: address on the wire`.
fn shown(routes: &[Route]) -> Vec<String> {
    let show = |route: &Route| {
        let hop = match &route.next_hop {
            NextHop::Local { account } => account.name().to_owned(),
            NextHop::Mx { domain } => format!("mx {domain}"),
            NextHop::Host { host, port } => format!("{host}:{port}"),
            NextHop::Unrouted => "?".to_owned(),
        };
        format!("{hop}: {}", route.address())
    };
    routes.iter().map(show).collect()
}

async fn routed(router: &Router, recipients: &[&str]) -> Vec<String> {
    shown(&router.route(&envelope(recipients)).await.expect("a directory that answers"))
}

#[tokio::test]
async fn rcpt_learns_what_an_address_is() {
    let router = router(&["alice"], &[("sales", &["alice@here.example", "x@away.example"])]);
    let resolve = async |text: &str| router.resolve(&address(text)).await.expect("a directory that answers");
    let alice = |detail: Option<&str>| Resolution::Account {
        account: account("alice"),
        detail: detail.map(str::to_owned),
    };
    assert_eq!(resolve("Alice@HERE.example").await, alice(None));
    assert_eq!(resolve("alice+Lists@here.example").await, alice(Some("Lists")));
    assert_eq!(resolve("x@away.example").await, Resolution::Remote);
    assert_eq!(resolve("nobody@here.example").await, Resolution::Unknown);
    assert_eq!(resolve("nobody+x@here.example").await, Resolution::Unknown);
    assert!(matches!(resolve("sales@here.example").await, Resolution::Alias(targets) if targets.len() == 2));
}

#[tokio::test]
async fn a_directory_that_is_away_is_a_temporary_error_and_never_unknown() {
    let router = router(&["alice"], &[]);
    let error = router.resolve(&address("down@here.example")).await.unwrap_err();
    assert!(error.is_temporary() && error.fault() == telemetry::Fault::Temporary);
    let error = router.route(&envelope(&["alice@here.example", "down@here.example"])).await.unwrap_err();
    assert!(error.is_temporary());
}

#[tokio::test]
async fn an_address_with_a_plus_of_its_own_comes_before_the_detail() {
    let router = router(&["alice"], &[("alice+special", &["x@away.example"])]);
    assert_eq!(routed(&router, &["alice+special@here.example"]).await, ["mx away.example: x@away.example"]);
    assert_eq!(routed(&router, &["alice+other@here.example"]).await, ["alice: alice+other@here.example"]);
}

#[tokio::test]
async fn details_can_be_switched_off() {
    let settings = RouteSettings { detail_separator: None, ..RouteSettings::default() };
    let router = Router::new(Arc::new(FakeDirectory::new(&["alice"], &[])), settings);
    let resolved = router.resolve(&address("alice+x@here.example")).await.unwrap();
    assert_eq!(resolved, Resolution::Unknown);
}

#[tokio::test]
async fn aliases_are_followed_to_the_end_and_everybody_gets_one_copy() {
    let router = router(
        &["alice", "bob"],
        &[
            ("all", &["team@here.example", "alice@here.example", "x@away.example"]),
            ("team", &["bob@here.example", "alice@here.example", "x@away.example"]),
        ],
    );
    let expected = ["bob: bob@here.example", "alice: alice@here.example", "mx away.example: x@away.example"];
    assert_eq!(routed(&router, &["all@here.example"]).await, expected);
    assert_eq!(routed(&router, &["all@here.example", "alice@here.example"]).await, expected);
}

#[tokio::test]
async fn a_recipient_that_asks_for_success_reports_keeps_its_own_copy() {
    let router = router(&["alice"], &[("sales", &["alice@here.example"])]);
    let mut envelope = envelope(&["alice@here.example", "sales@here.example"]);
    envelope.recipients[1].notify = Notify::when(true, false, false);
    assert_eq!(router.route(&envelope).await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_recipient_stays_as_the_sender_gave_it() {
    let router = router(&["alice"], &[("sales", &["alice@here.example"])]);
    let routes = router.route(&envelope(&["sales@here.example", "Alice@here.example"])).await.unwrap();
    assert_eq!(routes[0].recipient.address, address("sales@here.example"));
    assert_eq!(routes[0].rewritten, Some(address("alice@here.example")));
    let direct = router.route(&envelope(&["Alice@here.example"])).await.unwrap();
    assert_eq!(direct[0].rewritten, None);
}

#[tokio::test]
async fn the_detail_goes_on_to_the_only_target_of_an_alias() {
    let router = router(
        &["alice", "bob"],
        &[("one", &["alice@here.example"]), ("two", &["alice@here.example", "bob@here.example"])],
    );
    assert_eq!(routed(&router, &["one+x@here.example"]).await, ["alice: alice+x@here.example"]);
    let expected = ["alice: alice@here.example", "bob: bob@here.example"];
    assert_eq!(routed(&router, &["two+x@here.example"]).await, expected);
}

#[tokio::test]
async fn a_loop_delivers_to_whom_it_passes_and_is_an_error_if_that_is_nobody() {
    let router = router(
        &["alice"],
        &[
            ("a", &["b@here.example"]),
            ("b", &["a@here.example", "alice@here.example"]),
            ("c", &["d@here.example"]),
            ("d", &["c@here.example"]),
        ],
    );
    assert_eq!(routed(&router, &["a@here.example"]).await, ["alice: alice@here.example"]);
    let recipient = Recipient::new(address("c@here.example"));
    let error = router.route_recipient(&recipient, &recipient.address).await.unwrap_err();
    assert!(matches!(error, RouteError::Loop(origin) if origin == recipient.address));
    assert_eq!(routed(&router, &["c@here.example"]).await, ["?: c@here.example"]);
}

#[tokio::test]
async fn a_detail_cannot_make_an_alias_grow_without_end() {
    let router = router(&[], &[("a", &["a@here.example"])]);
    let recipient = Recipient::new(address("a+x@here.example"));
    let error = router.route_recipient(&recipient, &recipient.address).await.unwrap_err();
    assert!(matches!(error, RouteError::Loop(_)));
}

#[tokio::test]
async fn what_vanished_is_left_for_the_relay_to_report() {
    let router = router(&["alice"], &[("sales", &["gone@here.example", "alice@here.example"])]);
    let expected = ["?: gone@here.example", "alice: alice@here.example"];
    assert_eq!(routed(&router, &["sales@here.example"]).await, expected);
    assert_eq!(routed(&router, &["nobody@here.example"]).await, ["?: nobody@here.example"]);
    let recipient = Recipient::new(address("sales@here.example"));
    let error = router.route_recipient(&recipient, &address("gone@here.example")).await.unwrap_err();
    assert!(matches!(error, RouteError::Unknown(gone) if gone == address("gone@here.example")));
}

#[tokio::test]
async fn remote_mail_goes_where_the_configuration_says() {
    let to = |host: &str| SmartHost { host: host.into(), port: 2525 };
    let domain = Domain::parse("campus.example").unwrap();
    let settings = RouteSettings {
        fixed: vec![FixedRoute { domain, subdomains: true, to: to("inner") }],
        smart_host: Some(to("smart")),
        ..RouteSettings::default()
    };
    let router = Router::new(Arc::new(FakeDirectory::new(&["alice"], &[])), settings);
    let recipients = ["a@cs.campus.example", "b@away.example", "alice@here.example"];
    let expected =
        ["inner:2525: a@cs.campus.example", "smart:2525: b@away.example", "alice: alice@here.example"];
    assert_eq!(routed(&router, &recipients).await, expected);
}

#[tokio::test]
async fn the_host_has_a_postmaster_although_its_name_is_no_domain_with_mail() {
    let host =
        OwnHost { name: "mail.here.example".parse().unwrap(), domain: "here.example".parse().unwrap() };
    let settings = RouteSettings { host: Some(host), ..RouteSettings::default() };
    let router = Router::new(Arc::new(FakeDirectory::new(&["postmaster"], &[])), settings);
    assert_eq!(
        routed(&router, &["Postmaster@mail.here.example", "alice@mail.here.example"]).await,
        ["postmaster: postmaster@here.example", "mx mail.here.example: alice@mail.here.example"]
    );
}

#[tokio::test]
async fn what_stands_for_several_is_left_to_the_queue_where_its_sender_wants_to_hear_of_that() {
    let router = router(&["alice", "bob"], &[("both", &["alice@here.example", "bob@here.example"])]);
    let mut envelope = envelope(&["both@here.example"]);
    envelope.recipients[0].notify = Notify::when(true, false, false);
    let routes = router.route(&envelope).await.unwrap();
    assert_eq!(shown(&routes), ["?: both@here.example"]);
}
