//! The exchange of RFC 7677 3, message by message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{ScramKeys, ServerNonce};
use crate::{Challenge, Channel, Identity, Mechanism, Password, SaslError, Server, Step};

const CLIENT_FIRST: &[u8] = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const SERVER_FIRST: &str =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const CLIENT_FINAL: &[u8] = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

fn keys() -> ScramKeys {
    let password = Password::new("pencil").unwrap().prepare().unwrap();
    ScramKeys::derive(&password, &STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap(), 4096)
}

/// The exchange up to the server's first message.
fn server_first(client_first: &[u8], keys: ScramKeys) -> Challenge {
    let step = Server::new(Channel::Plain).start("scram-sha-256", Some(client_first));
    let Step::NeedAccount(need) = step else { panic!("{step:?}") };
    let nonce = ServerNonce::literal("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
    let step = need.with_account(keys, nonce);
    let Step::Challenge(challenge) = step else { panic!("{step:?}") };
    challenge
}

fn failure(step: Step) -> SaslError {
    let Step::Failed(error) = step else { panic!("{step:?}") };
    error
}

#[test]
fn the_exchange_of_rfc_7677_runs_to_its_end() {
    let challenge = server_first(CLIENT_FIRST, keys());
    assert_eq!(std::str::from_utf8(challenge.message()).unwrap(), SERVER_FIRST);
    let Step::Challenge(last) = challenge.step(CLIENT_FINAL) else { panic!("the proof is right") };
    assert_eq!(std::str::from_utf8(last.message()).unwrap(), SERVER_FINAL);
    let Step::Done(identity) = last.step(b"") else { panic!("the client has nothing to add") };
    let expected = Identity { mechanism: Mechanism::ScramSha256, login: "user".into(), authzid: None };
    assert_eq!(identity, expected);
}

#[test]
fn any_other_proof_fails() {
    let mut message = CLIENT_FINAL.to_vec();
    let digit = message.len() - 10;
    message[digit] = if message[digit] == b'A' { b'B' } else { b'A' };
    assert_eq!(failure(server_first(CLIENT_FIRST, keys()).step(&message)), SaslError::Credentials);
}

#[test]
fn another_nonce_fails_even_with_our_half_missing() {
    for nonce in ["rOprNGfwEbeRWgbNEkqO", "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k1"] {
        let message = format!("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        let step = server_first(CLIENT_FIRST, keys()).step(message.as_bytes());
        assert_eq!(failure(step), SaslError::Credentials);
    }
}

#[test]
fn a_changed_gs2_header_fails() {
    let message = String::from_utf8(CLIENT_FINAL.to_vec()).unwrap().replace("biws", &STANDARD.encode("y,,"));
    let step = server_first(CLIENT_FIRST, keys()).step(message.as_bytes());
    assert_eq!(failure(step), SaslError::ChannelBinding);
}

#[test]
fn decoy_keys_look_like_keys_and_refuse_the_proof() {
    let decoy = |login| ScramKeys::decoy(b"secret", login, 16, 4096);
    let challenge = server_first(CLIENT_FIRST, decoy("user"));
    let text = String::from_utf8(challenge.message().to_vec()).unwrap();
    assert_eq!(text.len(), SERVER_FIRST.len());
    assert_eq!(failure(challenge.step(CLIENT_FINAL)), SaslError::Credentials);
    assert_eq!(decoy("user"), decoy("user"));
    assert_ne!(decoy("user").salt(), decoy("other").salt());
}

#[test]
fn keys_survive_their_text_form() {
    let text = keys().to_string();
    assert!(text.starts_with("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"));
    assert_eq!(text.parse::<ScramKeys>().unwrap(), keys());
    for broken in ["", "SCRAM-SHA-256$0:AAAA$A:A", "SCRAM-SHA-1$1:AAAA$A:A", &text[..text.len() - 1]] {
        assert!(broken.parse::<ScramKeys>().is_err(), "{broken}");
    }
}
