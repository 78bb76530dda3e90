//! Our server against the clients of `rsasl`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use rsasl::prelude::{Mechname, SASLClient, SASLConfig, Session, State};
use sasl::{Channel, Identity, Password, ScramKeys, Server, ServerNonce, Step};

fn keys(password: &str) -> ScramKeys {
    ScramKeys::derive(&Password::new(password).unwrap().prepare().unwrap(), b"0123456789abcdef", 4096)
}

fn client(mechanism: &str, login: &str, password: &str) -> Session {
    let config: Arc<SASLConfig> =
        SASLConfig::with_credentials(None, login.to_owned(), password.to_owned()).unwrap();
    let name = Mechname::parse(mechanism.as_bytes()).unwrap();
    SASLClient::new(config).start_suggested(&[name]).unwrap()
}

/// Runs an exchange to its end on a server where the password is `right`.
fn exchange(mechanism: &str, login: &str, password: &str) -> Option<Identity> {
    let mut client = client(mechanism, login, password);
    let mut answer = |challenge: Option<&[u8]>| {
        let mut out = Vec::new();
        let state: State = client.step(challenge, &mut out).expect("the client has something to say");
        if state.has_sent_message() { out } else { Vec::new() }
    };
    let server = Server::new(Channel::Secure);
    let initial = (mechanism != "LOGIN").then(|| answer(None));
    let mut step = server.start(mechanism, initial.as_deref());
    loop {
        step = match step {
            Step::Challenge(challenge) => {
                let response = answer(Some(challenge.message()));
                challenge.step(&response)
            }
            Step::NeedAccount(need) => need.with_account(keys("right"), ServerNonce::from_random([7; 18])),
            Step::NeedPasswordCheck(need) => {
                let right = need.password().reveal() == "right";
                need.password_checked(right)
            }
            Step::Done(identity) => return Some(identity),
            Step::Failed(_) => return None,
        }
    }
}

#[test]
fn the_right_password_is_taken_by_every_mechanism() {
    for mechanism in ["SCRAM-SHA-256", "PLAIN", "LOGIN"] {
        let identity = exchange(mechanism, "joe", "right").expect(mechanism);
        assert_eq!((identity.login.as_str(), identity.mechanism.name()), ("joe", mechanism));
    }
}

#[test]
fn a_wrong_password_is_refused_by_every_mechanism() {
    for mechanism in ["SCRAM-SHA-256", "PLAIN", "LOGIN"] {
        assert_eq!(exchange(mechanism, "joe", "wrong"), None, "{mechanism}");
    }
}

#[test]
fn scram_names_with_commas_come_through() {
    let identity =
        exchange("SCRAM-SHA-256", "a,b=c", "right").expect("the signature covers the escaped name");
    assert_eq!(identity.login, "a,b=c");
}
