//! CAPABILITY (RFC 3501 6.1.1).

use imap::response;
use net::Connection;
use sasl::Mechanism;

use crate::channel::Channel;
use crate::login::sasl_server;
use crate::refusal::{Done, Outcome};

/// What the server has in every state. Clients that ask only once, before the login, need to see it all.
const ALWAYS: &[&str] = &[
    "IMAP4rev1",
    "LITERAL+",
    "SASL-IR",
    "ID",
    "ENABLE",
    "IDLE",
    "NAMESPACE",
    "UIDPLUS",
    "MOVE",
    "UNSELECT",
    "CHILDREN",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "ESEARCH",
    "CONDSTORE",
];

/// The names, in the order in which they are shown. What a login needs is left out once there was one.
pub(crate) fn names(connection: &Connection, tls: bool, logged_in: bool) -> Vec<&'static str> {
    let mut names = ALWAYS.to_vec();
    if logged_in {
        return names;
    }
    names.extend(sasl_server(connection).mechanisms().iter().map(|mechanism| auth_name(*mechanism)));
    if !connection.is_secure() {
        names.extend(tls.then_some("STARTTLS"));
        names.push("LOGINDISABLED");
    }
    names
}

fn auth_name(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::ScramSha256 => "AUTH=SCRAM-SHA-256",
        Mechanism::Plain => "AUTH=PLAIN",
        Mechanism::Login => "AUTH=LOGIN",
        Mechanism::External => "AUTH=EXTERNAL",
    }
}

pub(crate) fn run(out: &mut Channel, names: &[&str]) -> Outcome {
    response::capability(out.text(), names);
    Ok(Done::plain("CAPABILITY completed"))
}
