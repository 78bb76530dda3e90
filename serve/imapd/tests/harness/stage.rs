//! Whom a transcript is run against, and how alike its answers must be.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use net::{Wire, connect_tcp};

use super::normal::{canonical, is_aside, without_extras};
use super::pattern::{Words, matched};
use super::{House, PASSWORD, PASSWORD2, USER, USER2};

/// Bytes of responses that wait to be read.
const BUFFER_BYTES: usize = 8 * 1024 * 1024;

/// A login and its password.
pub type Login = (String, String);

/// A server with two accounts that nobody has used.
pub enum Stage {
    Ours(House),
    /// One that somebody else has written, at this address.
    Foreign(SocketAddr, [Login; 2]),
}

impl Stage {
    pub async fn ours() -> Self {
        Self::Ours(House::new().await)
    }

    pub fn is_foreign(&self) -> bool {
        matches!(self, Self::Foreign(..))
    }

    /// A connection; the foreign servers take passwords in the clear, so that all theirs are as good as TLS.
    pub async fn connect(&self, plaintext: bool) -> Wire {
        match self {
            Self::Ours(house) if plaintext => house.connect_plaintext(),
            Self::Ours(house) => house.connect(),
            Self::Foreign(address, _) => {
                let connection = connect_tcp(*address, Duration::from_secs(20)).await;
                Wire::new(connection.expect("it listens")).with_buffer_bytes_max(BUFFER_BYTES)
            }
        }
    }

    /// We must answer to the letter; others are free in what the RFCs leave free.
    pub fn matched(&self, pattern: &str, response: &str) -> Option<Words> {
        let literally = matched(pattern, response);
        match self {
            Self::Foreign(..) if literally.is_none() => {
                matched(&canonical(pattern), &canonical(&without_extras(response, pattern)))
            }
            _ => literally,
        }
    }

    /// Whether a server may say that at any time.
    pub fn passes_over(&self, response: &str) -> bool {
        self.is_foreign() && is_aside(response)
    }

    /// The words that every transcript knows.
    pub fn known_words(&self) -> Words {
        let [(user, password), (user2, password2)] = match self {
            Self::Ours(_) => {
                [(USER, PASSWORD), (USER2, PASSWORD2)].map(|(a, b)| (a.to_owned(), b.to_owned()))
            }
            Self::Foreign(_, logins) => logins.clone(),
        };
        let base64 = |text: &str| STANDARD.encode(text);
        let words = [
            ("PASSWORD", format!("\"{password}\"")),
            ("PASSWORD2", format!("\"{password2}\"")),
            ("PLAIN", base64(&format!("\0{user}\0{password}"))),
            ("PLAIN_WRONG", base64(&format!("\0{user}\0wrong"))),
            ("PLAIN_OTHER", base64(&format!("{user2}\0{user}\0{password}"))),
            ("USER_BASE64", base64(&user)),
            ("PASSWORD_BASE64", base64(&password)),
            ("USER", user),
            ("USER2", user2),
        ];
        words.map(|(name, value)| (name.to_owned(), value)).into()
    }
}
