//! The envelope's parameters and its stored form.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use address::{
    Address, AddressError, AuthParam, BodyKind, DecodeError, Envelope, Envid, MailParams, Notify, Orcpt,
    Recipient, Ret, ReversePath, xtext,
};
use proptest::prelude::*;

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn envelope() -> Envelope {
    let orcpt = Orcpt::parse("rfc822;Joe+2BFriends@example.com").unwrap();
    let recipient =
        Recipient { orcpt: Some(orcpt), notify: Notify::NEVER, ..Recipient::new(address("joe@example.com")) };
    let params = MailParams {
        ret: Some(Ret::Headers),
        envid: Some(Envid::parse("QQ314159").unwrap()),
        smtputf8: true,
        body: BodyKind::EightBitMime,
        auth: Some(AuthParam::Unknown),
        size: Some(u64::MAX),
    };
    Envelope {
        reverse_path: ReversePath::parse("<jane@example.org>").unwrap(),
        recipients: vec![recipient],
        params,
    }
}

#[test]
fn without_reports_of_success_the_other_wishes_stay_and_no_default_comes_back() {
    let parse = |text| Notify::parse(text).unwrap();
    assert_eq!(parse("SUCCESS").without_success(), Notify::NEVER);
    assert_eq!(parse("SUCCESS,DELAY").without_success(), parse("DELAY"));
    assert_eq!(parse("NEVER").without_success(), Notify::NEVER);
    assert_eq!(Notify::default().without_success(), Notify::default());
}

#[test]
fn notify_says_what_rfc_3461_4_1_says() {
    let parse = |text| Notify::parse(text).unwrap();
    let default = Notify::default();
    assert!(!default.is_given() && default.on_failure() && default.on_delay() && !default.on_success());
    let never = parse("never");
    assert!(never.is_given() && !never.on_failure() && !never.on_delay() && !never.on_success());
    let success = parse("SUCCESS");
    assert!(success.on_success() && !success.on_failure() && !success.on_delay());
    assert_eq!(parse("DELAY,failure,SUCCESS").to_string(), "SUCCESS,FAILURE,DELAY");
    assert_eq!(parse("FAILURE,DELAY"), Notify::when(false, true, true));
    for broken in ["", "NEVER,FAILURE", "SUCCESS,", "ALWAYS"] {
        assert_eq!(Notify::parse(broken), Err(AddressError::Parameter), "{broken}");
    }
}

#[test]
fn parameters_are_read_as_they_are_written() {
    for text in ["7BIT", "8BITMIME", "BINARYMIME"] {
        assert_eq!(BodyKind::parse(&text.to_lowercase()).unwrap().to_string(), text);
    }
    for text in ["FULL", "HDRS"] {
        assert_eq!(Ret::parse(text).unwrap().to_string(), text);
    }
    for text in ["<>", "e+3Dmc2@example.com"] {
        assert_eq!(AuthParam::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(AuthParam::parse("e+3Dmc2@example.com"), Ok(AuthParam::Mailbox("e=mc2@example.com".into())));
    assert!(BodyKind::parse("9BIT").is_err() && Ret::parse("").is_err() && AuthParam::parse("").is_err());
}

#[test]
fn an_envid_is_short_and_printable() {
    assert_eq!(Envid::parse("a+2Bb").unwrap().as_str(), "a+b");
    assert_eq!(Envid::parse("a+2Bb").unwrap().to_string(), "a+2Bb");
    assert_eq!(Envid::parse(&"a".repeat(101)), Err(AddressError::ParameterTooLong));
    for broken in ["", "a b", "a+0Ab", "a+C3+A4"] {
        assert_eq!(Envid::parse(broken), Err(AddressError::Parameter), "{broken:?}");
    }
}

#[test]
fn orcpt_keeps_type_and_address() {
    let orcpt = Orcpt::parse("RFC822;Bob+40example@x.example").unwrap();
    assert_eq!((orcpt.addr_type(), orcpt.address()), ("rfc822", "Bob@example@x.example"));
    for broken in [
        "",
        "rfc822",
        "rfc822;",
        ";a@b",
        "rf c;a@b",
        "rfc822;a b",
        "utf-8;\\x{D800}",
        "utf-8;\\x{110000}",
        "utf-8;a\\b",
    ] {
        assert_eq!(Orcpt::parse(broken), Err(AddressError::Parameter), "{broken}");
    }
}

/// RFC 6533 3: three spellings of one address, of which the ASCII one is written.
#[test]
fn orcpt_of_unicode_addresses_has_an_encoding_of_its_own() {
    let spelt = Orcpt::parse("utf-8;\\x{7528}\\x{6237}@example.com").unwrap();
    assert_eq!(spelt.address(), "用户@example.com");
    assert_eq!(Orcpt::parse("utf-8;用户@example.com"), Ok(spelt.clone()));
    assert_eq!(Orcpt::of(&address("用户@example.com")), spelt);
    assert_eq!(spelt.to_string(), "utf-8;\\x{7528}\\x{6237}@example.com");
    assert_eq!(Orcpt::of(&address("joe@example.com")).to_string(), "rfc822;joe@example.com");
}

#[test]
fn the_stored_form_of_version_1_stays_readable() {
    let stored = b"\x01\x12<jane@example.org>\x01\x01\x01\x08QQ314159\x01\x01\x01\x00\x01\
        \xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01\x0fjoe@example.com\x01\x01\x06rfc822\x17Joe+Friends@example.com";
    let mut bytes = Vec::new();
    envelope().encode(&mut bytes);
    assert_eq!(bytes.escape_ascii().to_string(), stored.escape_ascii().to_string());
}

#[test]
fn stored_forms_stand_behind_each_other() {
    let mut bytes = Vec::new();
    envelope().encode(&mut bytes);
    envelope().recipients[0].encode(&mut bytes);
    let mut rest = &bytes[..];
    assert_eq!(Envelope::decode(&mut rest), Ok(envelope()));
    assert_eq!(Recipient::decode(&mut rest), Ok(envelope().recipients[0].clone()));
    assert!(rest.is_empty());
}

#[test]
fn damage_of_a_stored_form_is_an_error() {
    let mut bytes = Vec::new();
    envelope().encode(&mut bytes);
    for length in 0..bytes.len() {
        assert!(Envelope::decode(&mut &bytes[..length]).is_err(), "{length}");
    }
    bytes[0] = 9;
    assert_eq!(Envelope::decode(&mut &bytes[..]), Err(DecodeError::Version(9)));
    let huge = b"\x01\x02<>\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    assert_eq!(Envelope::decode(&mut &huge[..]), Err(DecodeError::Short));
}

proptest! {
    #[test]
    fn xtext_round_trips(text in "\\PC{0,40}") {
        let encoded = xtext::encode(&text);
        prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'='));
        prop_assert_eq!(xtext::decode(&encoded), Ok(text));
    }

    #[test]
    fn orcpts_round_trip(addr_type in "rfc822|utf-8|x400", text in "[a-zä+=\\\\用{}@. ]{1,20}") {
        let encoded = Orcpt::parse(&format!("{addr_type};{}", xtext::encode(&text)));
        if let Ok(orcpt) = encoded {
            prop_assert_eq!(Orcpt::parse(&orcpt.to_string()), Ok(orcpt));
        }
    }

    #[test]
    fn envelopes_round_trip(
        recipients in prop::collection::vec(("[a-z]{1,9}", any::<[bool; 3]>()), 0..5),
        smtputf8: bool,
        size: Option<u64>,
    ) {
        let recipients = recipients.into_iter().map(|(local, [success, failure, delay])| Recipient {
            notify: Notify::when(success, failure, delay),
            ..Recipient::new(address(&format!("{local}@example.com")))
        });
        let params = MailParams { smtputf8, size, ..MailParams::default() };
        let envelope = Envelope { reverse_path: ReversePath::Null, recipients: recipients.collect(), params };
        let mut bytes = Vec::new();
        envelope.encode(&mut bytes);
        prop_assert_eq!(Envelope::decode(&mut &bytes[..]), Ok(envelope));
    }

    #[test]
    fn no_stored_bytes_bring_the_reader_down(bytes: Vec<u8>) {
        let _ = Envelope::decode(&mut &bytes[..]);
        let _ = Recipient::decode(&mut &bytes[..]);
    }
}
