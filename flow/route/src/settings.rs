//! What the configuration says about ways.

use address::{Address, Domain};

/// How mail is routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSettings {
    /// What separates an address from its detail; none where details are not wanted.
    pub detail_separator: Option<char>,
    /// Domains that do not go by their MX records; the most specific one counts.
    pub fixed: Vec<FixedRoute>,
    /// Where all other remote mail goes; none stands for the MX records.
    pub smart_host: Option<SmartHost>,
    /// This host, whose postmaster is ours too.
    pub host: Option<OwnHost>,
}

/// A host of ours and the domain whose postmaster answers for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnHost {
    /// Its name.
    pub name: Domain,
    /// The domain.
    pub domain: Domain,
}

impl OwnHost {
    pub(crate) fn is_postmaster(&self, address: &Address) -> bool {
        address.domain() == Some(&self.name) && address.local().content().eq_ignore_ascii_case("postmaster")
    }
}

impl Default for RouteSettings {
    fn default() -> Self {
        Self { detail_separator: Some('+'), fixed: Vec::new(), smart_host: None, host: None }
    }
}

/// A host that takes mail for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmartHost {
    /// Its name or IP address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// A domain and the host that its mail goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedRoute {
    /// The domain.
    pub domain: Domain,
    /// The domains below it go the same way.
    pub subdomains: bool,
    /// Where to.
    pub to: SmartHost,
}
