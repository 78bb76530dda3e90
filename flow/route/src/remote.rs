//! The next hop of an address that is not ours.

use address::{Address, Domain, Host};
use spool::NextHop;

use crate::{FixedRoute, RouteSettings, SmartHost};

/// The port of mail exchangers.
const SMTP_PORT: u16 = 25;

/// A fixed route, else the smart host, else what the domain's MX records say (RFC 5321 5.1). An address
/// literal names its host itself (RFC 5321 4.1.3).
pub(crate) fn next_hop(address: &Address, settings: &RouteSettings) -> NextHop {
    let domain = match address.host() {
        Host::Domain(domain) => domain,
        Host::Literal(literal) => return literal_hop(literal.to_string(), settings),
    };
    let fixed = fixed_for(domain, &settings.fixed).map(|fixed| &fixed.to);
    match fixed.or(settings.smart_host.as_ref()) {
        Some(host) => host_hop(host),
        None => NextHop::Mx { domain: domain.clone() },
    }
}

/// The host keeps its brackets: so one sees that a sender named it and not the configuration.
fn literal_hop(literal: String, settings: &RouteSettings) -> NextHop {
    let direct = || NextHop::Host { host: literal.into(), port: SMTP_PORT };
    settings.smart_host.as_ref().map_or_else(direct, host_hop)
}

fn host_hop(host: &SmartHost) -> NextHop {
    NextHop::Host { host: host.host.as_str().into(), port: host.port }
}

/// The longest domain that fits.
fn fixed_for<'a>(domain: &Domain, fixed: &'a [FixedRoute]) -> Option<&'a FixedRoute> {
    let fits = |route: &&FixedRoute| {
        route.domain == *domain || (route.subdomains && domain.is_within(&route.domain))
    };
    fixed.iter().filter(fits).max_by_key(|route| route.domain.as_str().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(domain: &str, subdomains: bool, host: &str) -> FixedRoute {
        let to = SmartHost { host: host.into(), port: 2525 };
        FixedRoute { domain: domain.parse().unwrap(), subdomains, to }
    }

    fn hop(address: &str, settings: &RouteSettings) -> NextHop {
        next_hop(&address.parse().unwrap(), settings)
    }

    fn host(host: &str, port: u16) -> NextHop {
        NextHop::Host { host: host.into(), port }
    }

    #[test]
    fn the_most_specific_fixed_route_counts_and_the_rest_goes_to_the_smart_host() {
        let routes = vec![fixed("x.example", true, "wide"), fixed("deep.x.example", false, "deep")];
        let smart_host = Some(SmartHost { host: "smart".into(), port: 587 });
        let settings = RouteSettings { fixed: routes, smart_host, ..RouteSettings::default() };
        assert_eq!(hop("a@x.example", &settings), host("wide", 2525));
        assert_eq!(hop("a@other.x.example", &settings), host("wide", 2525));
        assert_eq!(hop("a@deep.x.example", &settings), host("deep", 2525));
        assert_eq!(hop("a@below.deep.x.example", &settings), host("wide", 2525));
        assert_eq!(hop("a@notx.example", &settings), host("smart", 587));
    }

    #[test]
    fn without_configuration_a_domain_goes_by_its_mx_records() {
        let expected = NextHop::Mx { domain: "x.example".parse().unwrap() };
        assert_eq!(hop("a@x.example", &RouteSettings::default()), expected);
    }

    #[test]
    fn an_address_literal_is_its_own_next_hop() {
        let settings = RouteSettings::default();
        assert_eq!(hop("a@[192.0.2.1]", &settings), host("[192.0.2.1]", 25));
        assert_eq!(hop("a@[IPv6:2001:db8::1]", &settings), host("[IPv6:2001:db8::1]", 25));
    }
}
