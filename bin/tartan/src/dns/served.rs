//! What the configured roles offer to other hosts.

use crate::error::CliError;
use crate::paths::DataPaths;
use crate::system::{certificate_in, has};
use address::Domain;
use config::{Config, Role};
use net::CertificateFiles;
use sha2::{Digest, Sha256};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The SMTP port of every host (RFC 5321 4.5.4.2).
const SMTP: u16 = 25;

/// The ports that others can reach, and under which name.
pub struct Served {
    pub hostname: String,
    /// Those that others reach this host by; none where that is not known here.
    pub addresses: Vec<IpAddr>,
    pub mx: Option<u16>,
    pub submission: Option<u16>,
    pub submissions: Option<u16>,
    pub imap: Option<u16>,
    pub imaps: Option<u16>,
    /// Whether this host itself sends to other hosts.
    pub sends: bool,
    /// SHA-256 of the public key that clients are shown, in hexadecimal.
    pub key_digest: Option<String>,
    /// What the administrator should know.
    pub notes: Vec<String>,
}

impl Served {
    /// By the configuration; `addresses` are those that the administrator has named.
    pub fn new(config: &Config, addresses: &[IpAddr]) -> Result<Self, CliError> {
        let role = |role, listens: &[SocketAddr]| has(config, role).then(|| outside(listens)).flatten();
        let hostname =
            Domain::parse(&config.system.hostname.0).map_err(CliError::failed)?.as_str().to_owned();
        let mut served = Self {
            addresses: if addresses.is_empty() { own_addresses(config) } else { addresses.to_vec() },
            mx: role(Role::Mx, &config.mx.listen),
            submission: role(Role::Submission, &config.submission.listen),
            submissions: role(Role::Submission, &config.submission.listen_tls),
            imap: role(Role::Imapd, &config.imapd.listen),
            imaps: role(Role::Imapd, &config.imapd.listen_tls),
            sends: has(config, Role::Relay) && config.relay.remote && !config.relay.routes.contains_key("*"),
            key_digest: None,
            notes: Vec::new(),
            hostname,
        };
        served.remark(config);
        served.certificate(config);
        Ok(served)
    }

    fn remark(&mut self, config: &Config) {
        let note = match self.mx {
            None if has(config, Role::Mx) => {
                "mx listens on this host alone: nobody else can bring mail".to_owned()
            }
            Some(port) if port != SMTP => {
                format!("mx listens on port {port}; other hosts come to port 25, which must lead there")
            }
            _ => return,
        };
        self.notes.push(note);
    }

    /// The certificate that is shown for the host's name. What cannot be read is a remark, because others may ask than
    /// those who may read keys.
    fn certificate(&mut self, config: &Config) {
        let files = certificates(config);
        let keys: Vec<_> = files.iter().map(|files| files.public_key(&self.hostname)).collect();
        if let Some(error) = keys.iter().find_map(|key| key.as_ref().err()) {
            self.notes.push(format!("no TLSA record: {error}"));
            return;
        }
        let keys: Vec<_> = keys.into_iter().flatten().collect();
        let Some(shown) = keys.iter().find(|key| key.is_for_name).or(keys.first()) else { return };
        if !shown.is_for_name {
            self.notes.push(format!("no certificate is valid for {}: clients will complain", self.hostname));
        }
        self.key_digest = Some(Sha256::digest(&shown.der).iter().map(|byte| format!("{byte:02x}")).collect());
    }
}

/// Those configured, else the self-signed one, if it is made already.
fn certificates(config: &Config) -> Vec<CertificateFiles> {
    if config.tls.certificates.is_empty() {
        let own = certificate_in(&DataPaths::new(&config.system.data).tls());
        return if own.chain.exists() { vec![own] } else { Vec::new() };
    }
    config.tls.certificates.iter().map(|directory| certificate_in(directory)).collect()
}

/// The first port that is not for this host alone.
fn outside(listens: &[SocketAddr]) -> Option<u16> {
    listens.iter().find(|address| !address.ip().is_loopback()).map(SocketAddr::port)
}

/// The addresses that are listened on; for "every address", those from which this host would reach others, if they are public.
fn own_addresses(config: &Config) -> Vec<IpAddr> {
    let listeners = [
        (Role::Mx, &config.mx.listen),
        (Role::Submission, &config.submission.listen_tls),
        (Role::Imapd, &config.imapd.listen_tls),
    ];
    let listens =
        listeners.into_iter().filter(|(role, _)| has(config, *role)).flat_map(|(_, listens)| listens);
    let mut addresses: Vec<IpAddr> = listens.flat_map(|address| reached(address.ip())).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

fn reached(listened: IpAddr) -> Vec<IpAddr> {
    match listened {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => routed(true).into_iter().collect(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => [routed(true), routed(false)].into_iter().flatten().collect(),
        address if address.is_loopback() => Vec::new(),
        address => vec![address],
    }
}

/// The address from which this host would speak to the net. The kernel says so when a socket is connected; nothing is sent.
fn routed(v4: bool) -> Option<IpAddr> {
    // Addresses for documentation, which lead to nobody (RFC 5737 3, RFC 3849 2).
    let (from, to) = if v4 { ("0.0.0.0:0", "192.0.2.1:9") } else { ("[::]:0", "[2001:db8::1]:9") };
    let socket = UdpSocket::bind(from).ok()?;
    socket.connect(to).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(is_public)
}

fn is_public(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let is_shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified() || is_shared)
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unspecified() || v6.is_unicast_link_local() || v6.is_unique_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(more: &str) -> Served {
        let text = format!(
            "[system]\nhostname = \"mail.example.org\"\ndomain = \"example.org\"\ndata = \"/nonexistent\"\n{more}"
        );
        Served::new(&config::check("t.toml", &text).unwrap(), &[]).unwrap()
    }

    #[test]
    fn what_listens_for_this_host_alone_is_not_served_and_its_address_not_the_hosts() {
        let served = served(
            "[mx]\nlisten = [\"127.0.0.1:25\", \"192.0.2.7:25\"]\n[submission]\nlisten = [\"[::1]:587\"]\nlisten_tls = []\n\
             [imapd]\nlisten = []\nlisten_tls = [\"[2001:db8::7]:993\"]\n",
        );
        assert_eq!(
            served.addresses,
            ["192.0.2.7".parse::<IpAddr>().unwrap(), "2001:db8::7".parse().unwrap()]
        );
        assert_eq!(
            (served.mx, served.submission, served.imap, served.imaps),
            (Some(25), None, None, Some(993))
        );
    }

    #[test]
    fn a_role_that_does_not_run_serves_nothing() {
        let served = served("roles = [\"lmtpd\", \"imapd\"]\n");
        assert_eq!((served.mx, served.submissions, served.imaps), (None, None, Some(993)));
        assert!(!served.sends);
    }

    #[test]
    fn addresses_behind_a_translation_are_not_public() {
        for private in ["10.1.2.3", "192.168.0.1", "100.64.0.1", "169.254.1.1", "fd00::1", "fe80::1", "::1"] {
            assert!(!is_public(&private.parse().unwrap()), "{private}");
        }
        assert!(is_public(&"100.128.0.1".parse().unwrap()) && is_public(&"2001:db8::1".parse().unwrap()));
    }
}
