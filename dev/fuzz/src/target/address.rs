//! Addresses, paths, the parameters of an envelope, and the envelope's stored form.

use address::{
    AccountName, Address, AddressLiteral, AuthParam, BodyKind, Domain, Envelope, Envid, ForwardPath,
    LocalPart, Notify, Orcpt, Recipient, Ret, ReversePath, split_path, xtext,
};
use std::fmt::{Debug, Display};

/// Whatever can be read is written so that it is read again as it was.
pub fn codecs(bytes: &[u8]) {
    stored(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    again(text, Address::parse);
    again(text, Domain::parse);
    again(text, AddressLiteral::parse);
    again(text, LocalPart::parse);
    again(text, AccountName::parse);
    again(text, ReversePath::parse);
    again(text, ForwardPath::parse);
    again(text, Orcpt::parse);
    again(text, Envid::parse);
    again(text, AuthParam::parse);
    again(text, Notify::parse);
    again(text, Ret::parse);
    again(text, BodyKind::parse);
    if let Some((path, rest)) = split_path(text) {
        assert!(text.contains(path) && text.ends_with(rest));
    }
    if !text.chars().any(char::is_control) {
        assert_eq!(xtext::decode(&xtext::encode(text)).as_deref(), Ok(text));
    }
    if let Ok(address) = Address::parse(text) {
        let (base, _) = address.split_detail('+');
        again(&base.to_string(), Address::parse);
        again(&Orcpt::of(&address).to_string(), Orcpt::parse);
    }
}

fn again<T: Display + Debug + PartialEq, E: Debug + PartialEq>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) {
    if let Ok(value) = parse(text) {
        let written = value.to_string();
        assert_eq!(parse(&written).as_ref(), Ok(&value), "{text:?} is written as {written:?}");
    }
}

fn stored(bytes: &[u8]) {
    if let Ok(envelope) = Envelope::decode(&mut &bytes[..]) {
        let mut written = Vec::new();
        envelope.encode(&mut written);
        let mut rest = &written[..];
        assert_eq!(Envelope::decode(&mut rest).as_ref(), Ok(&envelope));
        assert!(rest.is_empty());
    }
    if let Ok(recipient) = Recipient::decode(&mut &bytes[..]) {
        let mut written = Vec::new();
        recipient.encode(&mut written);
        assert_eq!(Recipient::decode(&mut &written[..]).as_ref(), Ok(&recipient));
    }
}
