//! Addresses that mail must not be sent to because a record or a sender says so.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use net::is_near;

use crate::Failure;
use crate::settings::RelaySettings;

/// Whether an address is a mail exchanger of this system under whatever name: from it on, a list of exchangers leads back
/// to us (RFC 5321 5.1).
pub(crate) fn is_ours(address: SocketAddr, settings: &RelaySettings) -> bool {
    settings.own_listeners.iter().any(|listener| is_reached_at(*listener, address))
}

/// Refuses an address that nobody but a route may name.
pub(crate) fn allowed(address: SocketAddr, settings: &RelaySettings) -> Result<(), Failure> {
    if settings.near_hosts || !is_near(address.ip()) {
        return Ok(());
    }
    Err(Failure::permanent(4, 4, "the address is on this host or link, where no mail goes"))
}

/// Whether a connection to `address` ends at `listener`.
fn is_reached_at(listener: SocketAddr, address: SocketAddr) -> bool {
    let (here, there) = (listener.ip().to_canonical(), address.ip().to_canonical());
    listener.port() == address.port() && (here == there || (here.is_unspecified() && is_own(there)))
}

/// Whether an address is one of this host's: only then is it what the host would call itself on the way there.
/// Nothing is sent.
fn is_own(address: IpAddr) -> bool {
    let any: SocketAddr = if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let called = UdpSocket::bind(any).and_then(|socket| {
        socket.connect((address, 25))?;
        socket.local_addr()
    });
    called.is_ok_and(|called| called.ip() == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(address: &str, settings: &RelaySettings) -> Option<String> {
        allowed(address.parse().unwrap(), settings).err().map(|failure| failure.status.to_string())
    }

    #[test]
    fn addresses_of_this_host_or_link_are_nobodys_mail_exchanger() {
        let near = [
            "127.0.0.1:25",
            "127.8.8.8:25",
            "0.0.0.0:25",
            "169.254.1.1:25",
            "255.255.255.255:25",
            "224.0.0.1:25",
            "[::1]:25",
            "[::]:25",
            "[fe80::1]:25",
            "[ff02::1]:25",
            "[::ffff:127.0.0.1]:25",
        ];
        for address in near {
            assert_eq!(status(address, &RelaySettings::default()).as_deref(), Some("5.4.4"), "{address}");
        }
        for address in ["192.0.2.1:25", "10.0.0.1:25", "[2001:db8::1]:25"] {
            assert_eq!(status(address, &RelaySettings::default()), None, "{address}");
        }
        let tests = RelaySettings { near_hosts: true, ..RelaySettings::default() };
        assert_eq!(status("127.0.0.1:25", &tests), None);
    }

    #[test]
    fn an_address_that_ends_at_a_listener_of_ours_is_ours_whatever_its_name() {
        let own_listeners = vec!["192.0.2.7:25".parse().unwrap(), "0.0.0.0:2525".parse().unwrap()];
        let settings = RelaySettings { own_listeners, ..RelaySettings::default() };
        let is_ours = |address: &str| super::is_ours(address.parse().unwrap(), &settings);
        assert!(is_ours("192.0.2.7:25") && is_ours("127.0.0.1:2525") && is_ours("[::ffff:192.0.2.7]:25"));
        assert!(!is_ours("192.0.2.8:25") && !is_ours("192.0.2.7:26") && !is_ours("127.0.0.1:25"));
        assert!(!is_ours("192.0.2.8:2525"));
    }
}
