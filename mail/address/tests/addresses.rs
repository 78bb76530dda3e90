//! Addresses, domains and paths: examples of the RFCs, and round trips.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use address::{
    AccountName, Address, AddressError, AddressLiteral, Domain, ForwardPath, Host, LocalPart, ReversePath,
    split_path,
};
use proptest::prelude::*;

fn address(text: &str) -> Address {
    Address::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

/// Each is in RFC 5321 (2.3.11, 4.1.2, 4.1.3, appendix D), RFC 3696 3 or RFC 6531, and is its own wire form.
#[test]
fn the_examples_of_the_rfcs_are_their_own_wire_form() {
    let examples = [
        "userc@d.bar.org",
        "Smith@bar.com",
        "JQP@bar.com",
        "user+mailbox@example.com",
        "customer/department=shipping@example.com",
        "$A12345@example.com",
        "!def!xyz%abc@example.com",
        "_somename@example.com",
        r#""Abc@def"@example.com"#,
        r#""Joe Blow"@example.com"#,
        r#""Abc\"def"@example.com"#,
        r#""Fred \\ Bloggs"@example.com"#,
        r#""a..b"@example.com"#,
        r#"""@example.com"#,
        "user@[192.0.2.1]",
        "user@[IPv6:2001:db8::1]",
        "user@[tag:some-content]",
        "δοκιμή@xn--jxalpdlp",
        "用户@example.com",
    ];
    for example in examples {
        assert_eq!(address(example).to_string(), example);
    }
}

#[test]
fn needless_quotes_and_escapes_are_dropped() {
    assert_eq!(address(r#""joe"@example.com"#), address("joe@example.com"));
    assert_eq!(address(r#""j\oe"@example.com"#).to_string(), "joe@example.com");
}

#[test]
fn what_is_no_address_is_refused_with_its_reason() {
    let cases = [
        ("", AddressError::Empty),
        ("joe", AddressError::NoDomain),
        ("joe@", AddressError::Empty),
        ("@example.com", AddressError::LocalPart),
        (".joe@example.com", AddressError::LocalPart),
        ("joe.@example.com", AddressError::LocalPart),
        ("j..oe@example.com", AddressError::LocalPart),
        ("j oe@example.com", AddressError::LocalPart),
        ("joe<x>@example.com", AddressError::LocalPart),
        ("a@b@example.com", AddressError::LocalPart),
        (r#""joe@example.com"#, AddressError::LocalPart),
        (r#""jo"e"@example.com"#, AddressError::LocalPart),
        ("\"a\rb\"@example.com", AddressError::LocalPart),
        ("\"a\0b\"@example.com", AddressError::LocalPart),
        ("a\u{85}b@example.com", AddressError::LocalPart),
        ("joe@-example.com", AddressError::Domain),
        ("joe@example..com", AddressError::Domain),
        ("joe@example.com.", AddressError::Domain),
        ("joe@exa mple.com", AddressError::Domain),
        ("joe@example.com\r\nDATA", AddressError::Domain),
        ("joe@[300.0.0.1]", AddressError::Literal),
        ("joe@[IPv6:1.2.3.4]", AddressError::Literal),
        ("joe@[192.0.2.1", AddressError::Literal),
        ("joe@[tag-:x]", AddressError::Literal),
    ];
    for (text, error) in cases {
        assert_eq!(Address::parse(text), Err(error), "{text:?}");
    }
}

#[test]
fn limits_hold_at_their_last_byte() {
    let local = |bytes: usize| format!("{}@example.com", "a".repeat(bytes));
    assert!(Address::parse(&local(limits::LOCAL_PART_BYTES_MAX)).is_ok());
    assert_eq!(Address::parse(&local(limits::LOCAL_PART_BYTES_MAX + 1)), Err(AddressError::LocalPartTooLong));
    assert!(Domain::parse(&"a".repeat(63)).is_ok());
    assert_eq!(Domain::parse(&"a".repeat(64)), Err(AddressError::DomainTooLong));
    let long = vec!["abc"; 64].join(".");
    assert_eq!(long.len(), limits::DOMAIN_BYTES_MAX);
    assert!(Domain::parse(&long).is_ok());
    assert_eq!(Domain::parse(&format!("{long}a.b")), Err(AddressError::DomainTooLong));
}

#[test]
fn spellings_of_one_domain_are_equal() {
    let canonical = domain("xn--bcher-kva.example");
    for spelling in ["Bücher.example", "bücher.EXAMPLE", "XN--BCHER-KVA.Example", "bu\u{308}cher.example"] {
        assert_eq!(domain(spelling), canonical, "{spelling}");
    }
    assert_eq!(canonical.unicode(), "bücher.example");
}

#[test]
fn a_domain_is_within_itself_and_its_parents_only() {
    let sub = domain("mail.example.com");
    assert!(sub.is_within(&sub) && sub.is_within(&domain("example.com")));
    assert!(!domain("notexample.com").is_within(&domain("example.com")));
    assert!(!domain("example.com").is_within(&sub));
}

#[test]
fn smtputf8_is_needed_for_the_local_part_alone() {
    assert!(!address("joe@bücher.example").needs_smtputf8());
    assert!(address("jürgen@example.com").needs_smtputf8());
}

#[test]
fn the_key_forgets_case_and_nothing_else() {
    assert_eq!(address("Joe.Doe@Example.COM").key(), "joe.doe@example.com");
    assert_eq!(address("ÜNAL@example.com").key(), address("ünal@example.com").key());
    assert_ne!(address("Joe@example.com"), address("joe@example.com"));
}

#[test]
fn a_detail_is_split_off_behind_the_first_separator() {
    let split = |text: &str| {
        let (base, detail) = LocalPart::from_content(text)
            .map(|local| {
                let (base, detail) = local.split_detail('+');
                (base, detail.map(str::to_owned))
            })
            .unwrap();
        (base.content().to_owned(), detail)
    };
    assert_eq!(split("joe+a+b"), ("joe".into(), Some("a+b".into())));
    assert_eq!(split("joe+"), ("joe".into(), Some(String::new())));
    assert_eq!(split("joe"), ("joe".into(), None));
    assert_eq!(split("+joe"), ("+joe".into(), None));
}

#[test]
fn reverse_paths_know_the_null_path_and_forget_source_routes() {
    assert!(ReversePath::parse("<>").unwrap().is_null());
    let routed = ReversePath::parse("<@hosta.int,@jkl.org:userc@d.bar.org>").unwrap();
    assert_eq!(routed.to_string(), "<userc@d.bar.org>");
    for broken in
        ["", "<", "joe@example.com", "<joe@example.com", "<joe@example.com>>", "<@a:>", "<@a,b:c@d>"]
    {
        assert!(ReversePath::parse(broken).is_err(), "{broken}");
    }
}

#[test]
fn postmaster_needs_no_domain() {
    let path = ForwardPath::parse("<postMASTER>").unwrap();
    assert_eq!(path, ForwardPath::Postmaster);
    assert_eq!(path.address_at(&domain("example.com")), address("postmaster@example.com"));
    assert!(ForwardPath::parse("<joe>").is_err());
    assert!(ForwardPath::parse("<>").is_err());
}

#[test]
fn a_path_ends_at_its_own_bracket() {
    let (path, rest) = split_path(r#"<"a>b\"> "@example.com> SIZE=1"#).unwrap();
    assert_eq!((path, rest), (r#"<"a>b\"> "@example.com>"#, " SIZE=1"));
    assert_eq!(split_path("<> BODY=8BITMIME"), Some(("<>", " BODY=8BITMIME")));
    assert_eq!(split_path("joe@example.com"), None);
    assert_eq!(split_path(r#"<"joe@example.com>"#), None);
}

#[test]
fn paths_over_the_limit_are_refused() {
    let long = format!("<@{}:joe@example.com>", vec!["abc.example"; 200].join(",@"));
    assert_eq!(ReversePath::parse(&long), Err(AddressError::Path));
}

#[test]
fn account_names_are_lower_case_and_take_the_default_domain() {
    let default = domain("example.com");
    let parse = |text| AccountName::parse_login(text, &default).map(|name| name.to_string());
    assert_eq!(parse("Joe").unwrap(), "joe@example.com");
    assert_eq!(parse("Joe.Doe@Other.example").unwrap(), "joe.doe@other.example");
    assert_eq!(parse("jürgen").unwrap(), "jürgen@example.com");
    for broken in ["", "a+b", "a/b", "a b", ".a", "a..b", "*", "a%", "\"a\"", "a@b@c d"] {
        assert!(parse(broken).is_err(), "{broken}");
    }
    let long = "a".repeat(limits::ACCOUNT_NAME_BYTES_MAX + 1);
    assert_eq!(AccountName::new(&long, default), Err(AddressError::AccountNameTooLong));
}

fn any_domain() -> impl Strategy<Value = String> {
    "[a-z0-9]([a-z0-9_-]{0,8}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?){0,3}"
}

fn any_host() -> impl Strategy<Value = Host> {
    prop_oneof![
        any_domain().prop_map(|text| Host::Domain(Domain::parse(&text).unwrap())),
        any::<std::net::IpAddr>().prop_map(|ip| Host::Literal(AddressLiteral::Ip(ip))),
        "[a-z]{1,5}"
            .prop_filter("reserved", |tag| tag != "ipv6")
            .prop_map(|tag| { Host::parse(&format!("[{tag}:content]")).unwrap() }),
    ]
}

proptest! {
    /// Whatever a local part holds, its wire form is read back as the same, also inside a path.
    #[test]
    fn wire_forms_round_trip(content in "\\PC{0,40}", host in any_host()) {
        let address = Address::at_host(LocalPart::from_content(&content).unwrap(), host);
        prop_assert_eq!(Address::parse(&address.to_string()), Ok(address.clone()));
        let path = ReversePath::Address(address);
        let line = format!("{path} SIZE=1");
        let (text, rest) = split_path(&line).unwrap();
        prop_assert_eq!(rest, " SIZE=1");
        prop_assert_eq!(ReversePath::parse(text), Ok(path));
    }

    /// What is accepted is printed to something that is accepted as the same; nothing panics.
    #[test]
    fn any_text_is_refused_or_round_trips(text in "[\\\\\"@<>.a-zÄ\\[\\]:+\u{85} -]{0,24}") {
        if let Ok(address) = Address::parse(&text) {
            prop_assert_eq!(Address::parse(&address.to_string()), Ok(address));
        }
        let _ = ReversePath::parse(&text);
        let _ = ForwardPath::parse(&text);
    }

    #[test]
    fn unicode_domains_round_trip_through_their_labels(text in "[a-zäöüßéλ日本]{1,12}\\.[a-z]{2,6}") {
        if let Ok(domain) = Domain::parse(&text) {
            prop_assert!(domain.as_str().is_ascii());
            prop_assert_eq!(Domain::parse(&domain.unicode()), Ok(domain));
        }
    }
}
