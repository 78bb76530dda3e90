//! Exchanges as a protocol drives them, with messages written by hand.

use proptest::prelude::*;
use sasl::{
    Challenge, Channel, Identity, Mechanism, Password, SaslError, ScramKeys, Server, ServerNonce, Step,
};

fn secure() -> Server {
    Server::new(Channel::Secure)
}

fn pipe() -> Server {
    Server::new(Channel::Pipe { role: "relay".into() })
}

fn challenge(step: Step) -> Challenge {
    let Step::Challenge(challenge) = step else { panic!("no challenge: {step:?}") };
    challenge
}

fn failure(step: Step) -> SaslError {
    let Step::Failed(error) = step else { panic!("no failure: {step:?}") };
    error
}

fn identity(step: Step) -> Identity {
    let Step::Done(identity) = step else { panic!("not done: {step:?}") };
    identity
}

/// Answers a password check with whether the password is `right`, and gives the login.
fn checked(step: Step) -> (String, Step) {
    let Step::NeedPasswordCheck(need) = step else { panic!("no password check: {step:?}") };
    let login = need.login().to_owned();
    let right = need.password().reveal() == "right";
    (login, need.password_checked(right))
}

#[test]
fn plain_takes_its_initial_response_and_its_answer_to_an_empty_challenge_alike() {
    let message = sasl::client::plain(None, "joe", "right");
    let early = secure().start("PLAIN", Some(&message));
    let late = challenge(secure().start("plain", None));
    assert!(late.message().is_empty());
    for step in [early, late.step(&message)] {
        assert_eq!(step.login(), Some("joe"), "who is claimed is known before it is proved");
        let (login, step) = checked(step);
        assert_eq!(login, "joe");
        let expected = Identity { mechanism: Mechanism::Plain, login: "joe".into(), authzid: None };
        assert_eq!(identity(step), expected);
    }
}

#[test]
fn plain_hands_the_authorisation_identity_on() {
    let message = sasl::client::plain(Some("jane"), "joe", "right");
    let (_, step) = checked(secure().start("PLAIN", Some(&message)));
    assert_eq!(identity(step).authzid.as_deref(), Some("jane"));
}

#[test]
fn plain_refuses_what_is_not_three_parts() {
    let long = ["\0joe\0", &"p".repeat(limits::PASSWORD_BYTES_MAX + 1)].concat();
    let messages: [&[u8]; 8] =
        [b"", b"\0", b"joe", b"joe\0right", b"\0\0right", b"\0joe\0", b"\0joe\0a\0b", b"\0joe\0\xff"];
    for message in messages {
        assert_eq!(failure(secure().start("PLAIN", Some(message))), SaslError::Malformed, "{message:?}");
    }
    assert_eq!(failure(secure().start("PLAIN", Some(long.as_bytes()))), SaslError::TooLong);
}

#[test]
fn a_wrong_password_ends_the_exchange() {
    let message = sasl::client::plain(None, "joe", "wrong");
    let (_, step) = checked(secure().start("PLAIN", Some(&message)));
    assert_eq!(failure(step), SaslError::Credentials);
}

#[test]
fn login_asks_for_the_name_and_then_the_password() {
    let name = challenge(secure().start("LOGIN", None));
    assert_eq!(name.message(), b"Username:");
    let password = challenge(name.step(b"joe"));
    assert_eq!(password.message(), b"Password:");
    let (login, step) = checked(password.step(b"right"));
    assert_eq!((login.as_str(), identity(step).mechanism), ("joe", Mechanism::Login));
}

#[test]
fn login_takes_the_name_as_initial_response() {
    let password = challenge(secure().start("LOGIN", Some(b"joe")));
    assert_eq!(password.message(), b"Password:");
}

#[test]
fn external_is_the_role_of_the_pipe() {
    let step = pipe().start("EXTERNAL", Some(&sasl::client::external(Some("joe@example.com"))));
    let Identity { login, authzid, .. } = identity(step);
    assert_eq!((login.as_str(), authzid.as_deref()), ("relay", Some("joe@example.com")));
    assert_eq!(identity(pipe().start("EXTERNAL", Some(b""))).authzid, None);
}

#[test]
fn external_is_unknown_without_a_pipe() {
    assert_eq!(failure(secure().start("EXTERNAL", Some(b""))), SaslError::UnknownMechanism);
}

#[test]
fn a_plain_channel_offers_and_takes_no_password() {
    let server = Server::new(Channel::Plain);
    assert_eq!(server.mechanisms(), [Mechanism::ScramSha256]);
    for mechanism in ["PLAIN", "LOGIN"] {
        assert_eq!(failure(server.start(mechanism, None)), SaslError::ChannelNotSecure);
    }
}

#[test]
fn what_is_offered_can_be_started() {
    for server in [Server::new(Channel::Plain), secure(), pipe()] {
        for mechanism in server.mechanisms() {
            challenge(server.start(mechanism.name(), None));
        }
    }
}

#[test]
fn scram_refuses_channel_binding_and_mandatory_extensions() {
    for message in ["p=tls-unique,,n=joe,r=abc", "p=tls-exporter,,n=joe,r=abc", "n,,m=x,n=joe,r=abc"] {
        let step = secure().start("SCRAM-SHA-256", Some(message.as_bytes()));
        assert_eq!(failure(step), SaslError::ChannelBinding, "{message}");
    }
}

#[test]
fn scram_takes_a_client_that_would_have_used_channel_binding() {
    let step = secure().start("SCRAM-SHA-256", Some(b"y,,n=joe,r=abc"));
    assert!(matches!(step, Step::NeedAccount(need) if need.login() == "joe"));
}

#[test]
fn scram_undoes_the_escapes_of_names() {
    let step = secure().start("SCRAM-SHA-256", Some(b"n,a=a=2Cb,n=x=3Dy=2Cz,r=abc,ext=1"));
    let Step::NeedAccount(need) = step else { panic!("{step:?}") };
    assert_eq!((need.login(), need.authzid()), ("x=y,z", Some("a,b")));
}

#[test]
fn scram_refuses_what_its_grammar_does_not_know() {
    let messages = [
        "",
        "n",
        "n,",
        "n,,",
        "n,,x",
        "n,a,n=u,r=x",
        "n,,n=u,",
        "n,,n=,r=x",
        "n,,n=u,r=",
        "n,,n=a=2,r=x",
        "n,,n=a=41,r=x",
        "q,,n=u,r=x",
        "n,x=1,n=u,r=x",
        "n,,r=x,n=u",
        "n,,n=u,r=a\u{7f}",
        "n,,n=u,r=ä",
    ];
    for message in messages {
        let step = secure().start("SCRAM-SHA-256", Some(message.as_bytes()));
        assert_eq!(failure(step), SaslError::Malformed, "{message:?}");
    }
}

#[test]
fn messages_over_the_limit_are_refused() {
    let message = vec![b'n'; limits::SASL_MESSAGE_BYTES_MAX + 1];
    assert_eq!(failure(secure().start("SCRAM-SHA-256", Some(&message))), SaslError::TooLong);
    let nonce = format!("n,,n=u,r={}", "x".repeat(limits::SCRAM_NONCE_BYTES_MAX + 1));
    assert_eq!(failure(secure().start("SCRAM-SHA-256", Some(nonce.as_bytes()))), SaslError::TooLong);
}

#[test]
fn lines_know_the_empty_response_and_the_cancel() {
    assert_eq!(sasl::line::initial(b"="), Ok(Vec::new()));
    assert_eq!(sasl::line::response(b""), Ok(Vec::new()));
    assert_eq!(sasl::line::response(b"*"), Err(SaslError::Cancelled));
    assert_eq!(sasl::line::response(b"?"), Err(SaslError::Base64));
    assert_eq!(sasl::line::response(sasl::line::challenge(b"abc").as_bytes()), Ok(b"abc".to_vec()));
}

#[test]
fn passwords_are_prepared_so_that_spellings_agree() {
    let prepared = |text: &str| Password::new(text).unwrap().prepare();
    assert_eq!(prepared("I\u{ad}X").unwrap(), prepared("IX").unwrap());
    assert_eq!(prepared("\u{2168}").unwrap(), prepared("IX").unwrap());
    assert_eq!(prepared("a\u{7}"), Err(SaslError::Malformed));
    assert_eq!(Password::new(""), Err(SaslError::Malformed));
}

#[test]
fn debug_output_hides_passwords() {
    let step = secure().start("PLAIN", Some(&sasl::client::plain(None, "joe", "hunter2")));
    assert!(!format!("{step:?}").contains("hunter2"));
}

proptest! {
    /// Whatever a peer sends, at whatever step, gives a step.
    #[test]
    fn no_message_brings_the_server_down(
        mechanism in prop::sample::select(vec!["PLAIN", "LOGIN", "SCRAM-SHA-256", "EXTERNAL"]),
        messages in prop::collection::vec("[nypacmrv=,\0A-Z2CD+/ä]{0,24}", 1..5),
    ) {
        let mut messages = messages.iter().map(|message| message.as_bytes());
        let mut step = pipe().start(mechanism, messages.next());
        for message in messages {
            step = match step {
                Step::Challenge(challenge) => challenge.step(message),
                Step::NeedAccount(need) => {
                    let keys = ScramKeys::decoy(b"secret", need.login(), 16, 1);
                    need.with_account(keys, ServerNonce::from_random([0; 18]))
                }
                other => other,
            };
        }
    }
}
