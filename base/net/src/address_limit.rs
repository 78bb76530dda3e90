//! How many connections are held at once, in all and from one address.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Counts the connections of one listener, or of several that share it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ConnectionLimits(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    total_max: usize,
    per_address_max: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A connection's place in the limits, given back when it is dropped.
#[derive(Debug)]
pub struct Permit {
    limits: ConnectionLimits,
    /// None while it is not known whose it is.
    address: Option<IpAddr>,
}

/// Which limit refused a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Total,
    Address,
}

impl Refused {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Address => "address",
        }
    }
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self::new(limits::CONNECTIONS_MAX, limits::CONNECTIONS_PER_ADDRESS_MAX)
    }
}

impl ConnectionLimits {
    /// Limits in all and for each address (an IPv6 /64 counts as one address).
    pub fn new(total_max: usize, per_address_max: usize) -> Self {
        Self(Arc::new(Shared { total_max, per_address_max, held: Mutex::default() }))
    }

    /// Connections held now.
    pub fn held(&self) -> usize {
        self.0.held.lock().total
    }

    /// Takes a place for `address`, or says which limit has none left.
    pub(crate) fn admit(&self, address: IpAddr) -> Result<Permit, Refused> {
        let mut permit = self.admit_unknown()?;
        permit.address_set(address)?;
        Ok(permit)
    }

    /// Takes a place for somebody whose address comes later, by [`Permit::address_set`].
    pub(crate) fn admit_unknown(&self) -> Result<Permit, Refused> {
        let mut held = self.0.held.lock();
        if held.total >= self.0.total_max {
            return Err(Refused::Total);
        }
        held.total += 1;
        Ok(Permit { limits: self.clone(), address: None })
    }
}

impl Permit {
    /// Counts the connection as one from `address`, and no longer as one from another. Where that has as many as it may,
    /// nothing changes.
    pub(crate) fn address_set(&mut self, address: IpAddr) -> Result<(), Refused> {
        let address = counted_as(address);
        if self.address == Some(address) {
            return Ok(());
        }
        let mut held = self.limits.0.held.lock();
        let from_address = held.by_address.entry(address).or_default();
        if *from_address >= self.limits.0.per_address_max {
            return Err(Refused::Address);
        }
        *from_address += 1;
        if let Some(before) = self.address.replace(address) {
            held.leave(before);
        }
        Ok(())
    }
}

impl Held {
    fn leave(&mut self, address: IpAddr) {
        if let Some(from_address) = self.by_address.get_mut(&address) {
            *from_address -= 1;
            if *from_address == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}

/// One customer has a /64 of IPv6 addresses at the least, so that is what is counted.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut held = self.limits.0.held.lock();
        held.total -= 1;
        if let Some(address) = self.address {
            held.leave(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_dropped_permit_gives_its_place_back_and_forgets_the_address() {
        let limits = ConnectionLimits::new(10, 1);
        let permit = limits.admit(address("192.0.2.1")).expect("the first");
        assert_eq!(limits.admit(address("192.0.2.1")).expect_err("the second"), Refused::Address);
        limits.admit(address("192.0.2.2")).expect("another address");
        drop(permit);
        limits.admit(address("192.0.2.1")).expect("its place is free again");
        assert_eq!(limits.held(), 0);
        assert!(limits.0.held.lock().by_address.is_empty());
    }

    #[test]
    fn a_connection_that_turns_out_to_be_anothers_is_counted_there() {
        let limits = ConnectionLimits::new(10, 1);
        let mut permit = limits.admit_unknown().expect("a place");
        permit.address_set(address("192.0.2.1")).expect("the first");
        permit.address_set(address("192.0.2.1")).expect("the same again");
        let mut other = limits.admit(address("192.0.2.2")).expect("another");
        assert_eq!(other.address_set(address("192.0.2.1")), Err(Refused::Address));
        permit.address_set(address("192.0.2.3")).expect("moved");
        other.address_set(address("192.0.2.1")).expect("its place is free again");
        drop((permit, other));
        assert!(limits.0.held.lock().by_address.is_empty());
    }

    #[test]
    fn the_total_counts_all_addresses() {
        let limits = ConnectionLimits::new(2, 2);
        let _held = [limits.admit(address("192.0.2.1")), limits.admit(address("192.0.2.2"))];
        assert_eq!(limits.admit(address("192.0.2.3")).expect_err("a third"), Refused::Total);
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_together() {
        let limits = ConnectionLimits::new(10, 1);
        let _held = limits.admit(address("2001:db8::1")).expect("the first");
        assert_eq!(limits.admit(address("2001:db8::2")).expect_err("same /64"), Refused::Address);
        limits.admit(address("2001:db8:0:1::1")).expect("another /64");
        limits.admit(address("::ffff:192.0.2.1")).expect("IPv4 in IPv6 clothes");
    }
}
