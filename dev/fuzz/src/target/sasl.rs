//! SASL, the server's side.

use crate::cuts::split;
use sasl::{Channel, Identity, Mechanism, Password, ScramKeys, Server, ServerNonce, Step, line};
use std::sync::LazyLock;

/// The account of the exchanges.
const LOGIN: &str = "user";
pub const PASSWORD: &str = "secret";
const ROLE: &str = "relay";

static KEYS: LazyLock<ScramKeys> = LazyLock::new(|| {
    let password = Password::new(PASSWORD).and_then(|password| password.prepare());
    ScramKeys::derive(&password.expect("a password"), b"salt of the tests", 4_096)
});

/// An exchange, one base64 line a message, the first line the mechanism: it ends, and nobody is let in who has not
/// shown the password or come over the pipe.
pub fn exchange(bytes: &[u8]) {
    let ([choice], input) = split::<1>(bytes);
    let channel = match choice % 3 {
        0 => Channel::Plain,
        1 => Channel::Secure,
        _ => Channel::Pipe { role: ROLE.to_owned() },
    };
    let mut lines = input.split(|byte| *byte == b'\n');
    let mechanism = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let initial = if choice & 4 == 0 { None } else { lines.next().map(line::initial) };
    let Ok(initial) = initial.transpose() else { return };
    let mut step = Server::new(channel).start(&mechanism, initial.as_deref());
    for _ in 0..20 {
        step = match step {
            Step::Challenge(challenge) => {
                let _ = line::challenge(challenge.message());
                let Some(Ok(response)) = lines.next().map(line::response) else { return };
                challenge.step(&response)
            }
            Step::NeedAccount(account) => {
                let keys = match account.login() {
                    LOGIN => KEYS.clone(),
                    other => ScramKeys::decoy(b"key of the decoys", other, 17, 4_096),
                };
                account.with_account(keys, ServerNonce::from_random([7; 18]))
            }
            Step::NeedPasswordCheck(check) => {
                let right = check.login() == LOGIN && check.password().reveal() == PASSWORD;
                check.password_checked(right)
            }
            Step::Done(identity) => return check_identity(&identity),
            Step::Failed(_) => return,
        };
    }
    panic!("an exchange of more than 20 steps");
}

fn check_identity(identity: &Identity) {
    let wanted = if identity.mechanism == Mechanism::External { ROLE } else { LOGIN };
    assert_eq!(identity.login, wanted);
}
