//! XCLIENT: a trusted host says whom it speaks for, and that is whom the session is with from then on.

use std::net::SocketAddr;

use address::AccountName;
use directory::for_session;
use net::Peer;
use smtp::Refusal;
use smtp::command::{Hello, HelloVerb};
use smtp::xclient::{Told, Xclient};

use crate::auth::Exchange;
use crate::driver::Driver;
use crate::{Role, SessionInfo};

impl<R: Role> Driver<R> {
    pub(crate) async fn xclient(&mut self, told: &Xclient) {
        match self.spoken_for(told).await {
            Ok(session) => {
                let address = session.peer.ip();
                tracing::Span::current().record("client", tracing::field::display(&session.peer));
                tracing::info!("XCLIENT{told}");
                self.directory =
                    self.shared.directory.as_ref().map(|directory| for_session(directory, address));
                self.exchange = Exchange::default();
                self.machine.accept();
                if self.may_go_on(told, &session.peer) {
                    self.machine.xclient_allow();
                }
                self.machine.authenticated_set(session.account.is_some());
                self.session = session;
            }
            Err(refusal) => {
                tracing::info!(%refusal, "XCLIENT{told}");
                self.machine.refuse(refusal);
            }
        }
    }

    /// Whether whoever is on the line now may use XCLIENT again: as in Postfix, that is asked of the address that was told,
    /// for a proxy may pass on its client's own words from here on.
    fn may_go_on(&self, told: &Xclient, peer: &Peer) -> bool {
        told.address != Told::Unknown && self.shared.may_xclient(peer)
    }

    /// The session as that of whom the peer speaks for: he has the limits of his own address, and is let in or not.
    async fn spoken_for(&mut self, told: &Xclient) -> Result<SessionInfo, Refusal> {
        let mut session = self.session.clone();
        told.name.clone().replace(&mut session.client_name);
        session.hello = told_hello(told);
        if let Some(address) = told_peer(told, &session.peer) {
            session.peer = Peer::Tcp(address);
        }
        // A login is that of the client before, if it was not told with this one.
        session.account = told.login.value().map(|login| self.account(login)).transpose()?;
        self.shared.role.on_connect(&session).await?;
        if !self.counted_as(session.peer.ip()) {
            return Err(Refusal::new(421, (4, 7, 0), "Too many connections from that address"));
        }
        Ok(session)
    }

    fn account(&self, login: &str) -> Result<AccountName, Refusal> {
        let domain = &self.shared.settings.domain;
        let whole = if login.contains('@') { login.to_owned() } else { format!("{login}@{domain}") };
        AccountName::parse(&whole).map_err(|_| Refusal::new(501, (5, 5, 4), "LOGIN: not an account name"))
    }
}

fn told_hello(told: &Xclient) -> Option<Hello> {
    let verb = told.protocol.value().copied().unwrap_or(HelloVerb::Ehlo);
    told.helo.value().map(|name| Hello { verb, name: name.clone() })
}

/// The peer's new address, where ADDR or PORT says one; a port that is not told is none.
fn told_peer(told: &Xclient, peer: &Peer) -> Option<SocketAddr> {
    match (told.address.value(), told.port.value()) {
        (None, None) => None,
        (Some(address), port) => Some(SocketAddr::new(*address, port.copied().unwrap_or(0))),
        (None, Some(port)) => Some(SocketAddr::new(peer.ip(), *port)),
    }
}
