//! Mail exchangers and their addresses (RFC 5321 5.1).

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use address::Domain;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::rdata::MX;
use hickory_resolver::proto::rr::{Name, RData};
use hickory_resolver::{Resolver, TokioResolver};

use crate::Failure;

/// How names are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolverSettings {
    /// The name servers with their ports; none stands for those of the host.
    pub servers: Vec<SocketAddr>,
    /// Time for one answer.
    pub answer_time_max: Duration,
    /// Attempts after the first.
    pub retries: usize,
    /// Also look for IPv6 addresses.
    pub ipv6: bool,
}

impl Default for ResolverSettings {
    fn default() -> Self {
        Self { servers: Vec::new(), answer_time_max: Duration::from_secs(5), retries: 2, ipv6: true }
    }
}

/// The resolver could not be set up: the host's own configuration is not readable.
#[derive(Debug, thiserror::Error)]
#[error("name resolution cannot be set up: {0}")]
pub struct ResolverError(String);

impl ResolverError {
    /// Whose fault it is.
    pub fn fault(&self) -> telemetry::Fault {
        telemetry::Fault::Local
    }
}

/// The resolver that the relay uses, for others that must see DNS as it does.
///
/// # Errors
/// When the host's own configuration is asked for and cannot be read.
pub fn resolver(settings: &ResolverSettings) -> Result<TokioResolver, ResolverError> {
    build(settings).map_err(|error| ResolverError(error.to_string()))
}

fn build(settings: &ResolverSettings) -> Result<TokioResolver, NetError> {
    let mut builder = match settings.servers.is_empty() {
        true => Resolver::builder_tokio()?,
        false => {
            let config = ResolverConfig::from_name_servers(name_servers(&settings.servers));
            Resolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options = builder.options_mut();
    options.timeout = settings.answer_time_max;
    options.attempts = settings.retries;
    options.ip_strategy = ip_strategy(settings.ipv6);
    if !settings.servers.is_empty() {
        options.use_hosts_file = ResolveHosts::Never;
    }
    builder.build()
}

/// Looks up mail exchangers.
#[derive(Clone)]
pub(crate) struct Dns {
    resolver: TokioResolver,
}

impl Dns {
    pub(crate) fn new(settings: &ResolverSettings) -> Result<Self, ResolverError> {
        resolver(settings).map(|resolver| Self { resolver })
    }

    /// The hosts to try for `domain`, in order. `ours` are the names of this system: from the first of
    /// them on, the list is cut, for what stands behind would send the message back to us.
    pub(crate) async fn exchangers(
        &self,
        domain: &Domain,
        ours: &HashSet<String>,
    ) -> Result<Vec<String>, Failure> {
        match self.resolver.mx_lookup(absolute(domain.as_str())).await {
            Ok(lookup) => {
                let records = lookup.answers().iter().filter_map(|record| match &record.data {
                    RData::MX(mx) => Some(mx.clone()),
                    _ => None,
                });
                chosen(records.collect(), domain, ours)
            }
            Err(error) => match absence(&error) {
                Some(Absence::Records) => chosen(vec![implicit(domain)], domain, ours),
                Some(Absence::Name) => {
                    Err(Failure::permanent(1, 2, format!("the domain {domain} does not exist")))
                }
                None => Err(Failure::temporary(4, 3, format!("looking up {domain}: {error}"))),
            },
        }
    }

    /// The addresses of a host.
    pub(crate) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Failure> {
        if let Some(address) = literal_address(host) {
            return Ok(vec![address]);
        }
        match self.resolver.lookup_ip(absolute(host)).await {
            Ok(lookup) => Ok(lookup.iter().collect()),
            Err(error) if absence(&error).is_some() => {
                Err(Failure::permanent(4, 4, format!("the host {host} has no address")))
            }
            Err(error) => Err(Failure::temporary(4, 3, format!("looking up {host}: {error}"))),
        }
    }
}

/// An IP address, also as an address literal (RFC 5321 4.1.3).
fn literal_address(host: &str) -> Option<IpAddr> {
    let inside = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    inside.strip_prefix("IPv6:").unwrap_or(inside).parse().ok()
}

fn name_servers(servers: &[SocketAddr]) -> Vec<NameServerConfig> {
    let connection = |mut connection: ConnectionConfig, port| {
        connection.port = port;
        connection
    };
    let server = |server: &SocketAddr| {
        let udp = connection(ConnectionConfig::udp(), server.port());
        let tcp = connection(ConnectionConfig::tcp(), server.port());
        NameServerConfig::new(server.ip(), true, vec![udp, tcp])
    };
    servers.iter().map(server).collect()
}

fn ip_strategy(ipv6: bool) -> LookupIpStrategy {
    if ipv6 { LookupIpStrategy::Ipv4AndIpv6 } else { LookupIpStrategy::Ipv4Only }
}

/// A name that no search list applies to.
fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

/// What an authoritative "no" says.
enum Absence {
    /// The name does not exist.
    Name,
    /// The name exists and has no record of the type.
    Records,
}

fn absence(error: &NetError) -> Option<Absence> {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => Some(Absence::Name),
            ResponseCode::NoError => Some(Absence::Records),
            _ => None,
        },
        _ => None,
    }
}

/// RFC 5321 5.1: a domain without MX records is its own exchanger.
fn implicit(domain: &Domain) -> MX {
    let name = Name::from_ascii(absolute(domain.as_str())).unwrap_or_default();
    MX::new(0, name)
}

/// Lowest preference first, equals in random order (RFC 5321 5.1); none at all for the null MX.
fn chosen(mut records: Vec<MX>, domain: &Domain, ours: &HashSet<String>) -> Result<Vec<String>, Failure> {
    if records.iter().any(|mx| mx.exchange.is_root()) {
        // RFC 7505 4.1: 5.1.10, the recipient's domain takes no mail.
        return Err(Failure::permanent(1, 10, format!("the domain {domain} takes no mail (null MX)")));
    }
    let order = RandomState::new();
    records.sort_by_cached_key(|mx| (mx.preference, order.hash_one(&mx.exchange)));
    let own_preference = records.iter().find(|mx| ours.contains(&host_name(mx))).map(|mx| mx.preference);
    if let Some(own_preference) = own_preference {
        records.retain(|mx| mx.preference < own_preference);
    }
    if records.is_empty() {
        return Err(Failure::permanent(4, 6, format!("mail for {domain} loops back to this system")));
    }
    Ok(records.iter().take(limits::MX_HOSTS_MAX).map(host_name).collect())
}

fn host_name(mx: &MX) -> String {
    mx.exchange.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mx(preference: u16, host: &str) -> MX {
        MX::new(preference, Name::from_ascii(host).unwrap())
    }

    fn hosts(records: Vec<MX>, ours: &[&str]) -> Result<Vec<String>, Failure> {
        let ours = ours.iter().map(ToString::to_string).collect();
        chosen(records, &"x.example".parse().unwrap(), &ours)
    }

    #[test]
    fn exchangers_are_tried_by_preference() {
        let records = vec![mx(20, "c.example."), mx(5, "A.example."), mx(10, "b.example.")];
        assert_eq!(hosts(records, &[]).unwrap(), ["a.example", "b.example", "c.example"]);
    }

    #[test]
    fn equals_are_not_always_tried_in_the_same_order() {
        let first = || hosts(vec![mx(5, "a.example."), mx(5, "b.example.")], &[]).unwrap().remove(0);
        let firsts: HashSet<String> = (0..100).map(|_| first()).collect();
        assert_eq!(firsts.len(), 2);
    }

    #[test]
    fn from_our_own_name_on_the_list_is_cut() {
        let records =
            vec![mx(30, "c.example."), mx(10, "a.example."), mx(20, "me.example."), mx(20, "d.example.")];
        assert_eq!(hosts(records, &["me.example"]).unwrap(), ["a.example"]);
    }

    #[test]
    fn a_list_headed_by_ourselves_is_a_loop() {
        let failure = hosts(vec![mx(10, "ME.example."), mx(20, "a.example.")], &["me.example"]).unwrap_err();
        assert!(failure.is_permanent);
        assert_eq!(failure.status.to_string(), "5.4.6");
    }

    #[test]
    fn addresses_and_address_literals_are_not_looked_up() {
        let found = |host| literal_address(host).map(|address| address.to_string());
        assert_eq!(found("192.0.2.1").as_deref(), Some("192.0.2.1"));
        assert_eq!(found("[192.0.2.1]").as_deref(), Some("192.0.2.1"));
        assert_eq!(found("[IPv6:2001:db8::1]").as_deref(), Some("2001:db8::1"));
        assert_eq!(found("x.example"), None);
    }

    #[test]
    fn a_null_mx_says_that_the_domain_takes_no_mail() {
        let failure = hosts(vec![mx(0, ".")], &[]).unwrap_err();
        assert_eq!(failure.status.to_string(), "5.1.10");
    }
}
