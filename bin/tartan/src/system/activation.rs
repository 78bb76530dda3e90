//! Sockets that systemd opened for this process before it started it (sd_listen_fds(3)).
//!
//! A socket belongs to the listener that its name (`FileDescriptorName=`) names, else to the one that is configured
//! for its address. One that belongs to none is a mistake of the configuration, and nothing starts.

use crate::error::CliError;
use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;
use std::io;
use std::net::{SocketAddr, TcpListener};

/// The names of all listeners.
const LISTENERS: [&str; 7] = ["mx", "submission", "submissions", "lmtp", "imap", "imaps", "metrics"];

/// What was given, until listeners take it.
#[derive(Default)]
pub struct Activation(Vec<Given>);

struct Given {
    name: String,
    address: SocketAddr,
    socket: TcpListener,
}

/// Where a listener's socket comes from.
pub enum Origin {
    /// From systemd.
    Given(TcpListener),
    /// To be bound here.
    Bind(SocketAddr),
}

impl Activation {
    /// Takes what the environment hands to this very process; call it before there is another thread.
    ///
    /// # Errors
    /// When one of the descriptors is not a listening TCP socket.
    pub fn take() -> Result<Self, CliError> {
        // This checks LISTEN_PID, which listenfd does only where there is one.
        let names: Vec<String> = sd_notify::listen_fds_with_names()
            .map_err(|error| CliError::Failed(format!("sockets from systemd: {error}")))?
            .map(|(_, name)| name)
            .collect();
        let mut descriptors = if names.is_empty() { ListenFd::empty() } else { ListenFd::from_env() };
        let taken = names.into_iter().enumerate().map(|(place, name)| {
            given(&mut descriptors, place, &name)
                .map_err(|error| CliError::Failed(format!("socket {name} from systemd: {error}")))
        });
        taken.collect::<Result<_, _>>().map(Self)
    }

    /// The sockets of a listener: those that bear its name and no other; else one for each of its addresses.
    pub fn origins(&mut self, listener: &str, addresses: &[SocketAddr]) -> Vec<Origin> {
        let named: Vec<Given> = self.0.extract_if(.., |given| given.name == listener).collect();
        if !named.is_empty() {
            return named.into_iter().map(|given| Origin::Given(given.socket)).collect();
        }
        addresses.iter().map(|address| self.at(*address)).collect()
    }

    fn at(&mut self, address: SocketAddr) -> Origin {
        let is_at = |given: &Given| given.address == address && !LISTENERS.contains(&given.name.as_str());
        match self.0.iter().position(is_at) {
            Some(place) => Origin::Given(self.0.swap_remove(place).socket),
            None => Origin::Bind(address),
        }
    }

    /// Whether every socket was taken.
    ///
    /// # Errors
    /// Names the sockets that nobody took, because connections to them would wait for ever.
    pub fn end(&self) -> Result<(), CliError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let left: Vec<String> =
            self.0.iter().map(|given| format!("{} ({:?})", given.address, given.name)).collect();
        Err(CliError::Failed(format!(
            "no listener of the configured roles takes these sockets from systemd: {}\n\
             Give them FileDescriptorName={}, or the address of a listener.",
            left.join(", "),
            LISTENERS.join("|")
        )))
    }
}

fn given(descriptors: &mut ListenFd, place: usize, name: &str) -> io::Result<Given> {
    let socket = descriptors.take_tcp_listener(place)?;
    let socket = socket.ok_or_else(|| io::Error::other("it is not there"))?;
    if !socket_acceptconn(&socket)? {
        return Err(io::Error::other("it does not listen: use ListenStream= without Accept=yes"));
    }
    Ok(Given { name: name.to_owned(), address: socket.local_addr()?, socket })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activation(names: &[&str]) -> Activation {
        let given = |name: &&str| {
            let socket = TcpListener::bind("127.0.0.1:0").unwrap();
            Given { name: (*name).to_owned(), address: socket.local_addr().unwrap(), socket }
        };
        Activation(names.iter().map(given).collect())
    }

    fn is_given(origin: &Origin) -> bool {
        matches!(origin, Origin::Given(_))
    }

    #[test]
    fn sockets_that_bear_a_listeners_name_stand_for_all_its_addresses() {
        let mut activation = activation(&["imaps", "imap", "imaps"]);
        let other: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let origins = activation.origins("imaps", &[other]);
        assert_eq!(origins.iter().filter(|origin| is_given(origin)).count(), 2);
        assert_eq!(origins.len(), 2);
        assert!(is_given(&activation.origins("imap", &[other])[0]));
        activation.end().unwrap();
    }

    #[test]
    fn sockets_of_another_name_go_by_their_address_and_the_other_addresses_are_bound() {
        let mut activation = activation(&["tartan.socket"]);
        let (there, other) = (activation.0[0].address, "127.0.0.1:1".parse().unwrap());
        let origins = activation.origins("mx", &[other, there]);
        assert!(matches!(origins[0], Origin::Bind(address) if address == other));
        assert!(is_given(&origins[1]));
        activation.end().unwrap();
    }

    #[test]
    fn a_socket_with_the_name_of_a_listener_is_not_given_to_another_for_its_address() {
        let mut activation = activation(&["imap"]);
        let there = activation.0[0].address;
        assert!(!is_given(&activation.origins("mx", &[there])[0]));
        let error = activation.end().unwrap_err().to_string();
        assert!(error.contains(&there.to_string()) && error.contains("FileDescriptorName="), "{error}");
    }
}
