//! The records that follow from what is served.

use super::record::{Accept, Need, Record};
use super::served::Served;
use address::Domain;
use std::net::IpAddr;

/// Records that belong together.
pub struct Section {
    pub title: String,
    pub records: Vec<Record>,
    pub notes: Vec<String>,
}

/// The records of the host. Where its name is a mail domain too, the SPF record is that of the domain: of two none counts.
pub fn host(served: &Served, domains: &[Domain]) -> Section {
    let mut records = addresses(served);
    records.extend(served.addresses.iter().map(|address| reverse(*address, served)));
    if served.sends && domains.iter().all(|domain| domain.as_str() != served.hostname) {
        records.push(Record {
            need: Need::Optional,
            ..spf(&served.hostname, "a", "hosts that judge the name in EHLO (RFC 7208 2.3)", served)
        });
    }
    records.extend(served.key_digest.as_ref().filter(|_| served.mx.is_some()).map(|digest| Record {
        name: format!("_25._tcp.{}.", served.hostname),
        kind: "TLSA",
        value: Some(format!("3 1 1 {digest}")),
        purpose: "hosts that send by DANE (RFC 7672 3.1); counts only where the zone is signed (DNSSEC), and must follow \
                  each change of the key"
            .to_owned(),
        need: Need::Optional,
        accept: Accept::Value,
    }));
    let mut notes = served.notes.clone();
    notes.push(format!(
        "a CAA record at {}. can name the one authority that may issue certificates for it (RFC 8659 4)",
        served.hostname
    ));
    Section { title: format!("host {}", served.hostname), records, notes }
}

fn addresses(served: &Served) -> Vec<Record> {
    let record = |kind, value| Record {
        name: format!("{}.", served.hostname),
        kind,
        value,
        purpose: "everybody who connects to the host".to_owned(),
        need: Need::Required,
        accept: Accept::Value,
    };
    if served.addresses.is_empty() {
        return vec![record("A", None)];
    }
    let kind = |address: &IpAddr| if address.is_ipv4() { "A" } else { "AAAA" };
    served.addresses.iter().map(|address| record(kind(address), Some(address.to_string()))).collect()
}

/// Set by whoever the address is from.
fn reverse(address: IpAddr, served: &Served) -> Record {
    Record {
        name: reverse_name(address),
        kind: "PTR",
        value: Some(format!("{}.", served.hostname)),
        purpose: format!("hosts that take mail only from named addresses; whoever {address} is from sets it"),
        need: if served.sends { Need::Required } else { Need::Optional },
        accept: Accept::Value,
    }
}

fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa.")
        }
        IpAddr::V6(v6) => {
            let nibbles =
                v6.octets().into_iter().rev().map(|byte| format!("{:x}.{:x}.", byte & 15, byte >> 4));
            nibbles.collect::<String>() + "ip6.arpa."
        }
    }
}

/// The records of a mail domain.
pub fn domain(domain: &str, served: &Served) -> Section {
    let mut records = Vec::new();
    if served.mx.is_some() {
        records.push(Record {
            name: format!("{domain}."),
            kind: "MX",
            value: Some(format!("10 {}.", served.hostname)),
            purpose: "hosts with mail for the domain (RFC 5321 5.1)".to_owned(),
            need: Need::Required,
            accept: Accept::Value,
        });
    }
    if served.sends {
        records.extend(senders(domain, served));
    }
    records.extend(services(domain, served));
    if served.mx.is_some() {
        records.extend(transport(domain));
    }
    let notes = vec![
        "no DKIM record: this version does not sign what it sends".to_owned(),
        "no autoconfig or autodiscover name: this version answers to neither".to_owned(),
    ];
    Section {
        title: format!("domain {domain}"),
        records,
        notes: [policy_note(domain, served), notes].concat(),
    }
}

/// Who may send mail of the domain, and what to do with the rest.
fn senders(domain: &str, served: &Served) -> [Record; 2] {
    let by_mx = format!("a:{}", served.hostname);
    let mechanism = if served.mx.is_some() { "mx" } else { by_mx.as_str() };
    let dmarc = text(
        &format!("_dmarc.{domain}"),
        "v=DMARC1",
        &format!("p=none; rua=mailto:postmaster@{domain}"),
        "hosts that ask what to do with mail that others send in the domain's name (RFC 7489 6.1)",
    );
    [
        spf(domain, mechanism, "hosts that ask who may send the domain's mail (RFC 7208 3)", served),
        Record { need: Need::Required, ..dmarc },
    ]
}

fn spf(name: &str, mechanism: &str, purpose: &str, served: &Served) -> Record {
    let (hostname, addresses) = (served.hostname.clone(), served.addresses.clone());
    Record {
        name: format!("{name}."),
        kind: "TXT",
        value: Some(format!("\"v=spf1 {mechanism} -all\"")),
        purpose: purpose.to_owned(),
        need: Need::Required,
        accept: Accept::Spf { hostname, addresses },
    }
}

fn text(name: &str, tag: &'static str, rest: &str, purpose: &str) -> Record {
    Record {
        name: format!("{name}."),
        kind: "TXT",
        value: Some(format!("\"{tag}; {rest}\"")),
        purpose: purpose.to_owned(),
        need: Need::Optional,
        accept: Accept::Tagged(tag),
    }
}

/// Where mail programs find the services of the domain, and which they need not look for (RFC 6186 3, RFC 8314 5.1).
fn services(domain: &str, served: &Served) -> Vec<Record> {
    let services = [
        ("_submissions", served.submissions),
        ("_submission", served.submission),
        ("_imaps", served.imaps),
        ("_imap", served.imap),
        ("_pop3s", None),
        ("_pop3", None),
    ];
    let record = |(service, port): (&str, Option<u16>)| Record {
        name: format!("{service}._tcp.{domain}."),
        kind: "SRV",
        value: Some(match port {
            Some(port) => format!("0 1 {port} {}.", served.hostname),
            None => "0 0 0 .".to_owned(),
        }),
        purpose: match port {
            Some(_) => "mail programs that set themselves up (RFC 6186 3, RFC 8314 5.1)".to_owned(),
            None => "the same: not served".to_owned(),
        },
        need: Need::Optional,
        accept: Accept::Value,
    };
    services.into_iter().map(record).collect()
}

/// How other hosts protect mail on its way here, and tell of failures.
fn transport(domain: &str) -> [Record; 2] {
    let sts = text(
        &format!("_mta-sts.{domain}"),
        "v=STSv1",
        "id=1;",
        "hosts that ask whether to insist on TLS (RFC 8461 3.1); only with the policy that the note below tells",
    );
    let reports = text(
        &format!("_smtp._tls.{domain}"),
        "v=TLSRPTv1",
        &format!("rua=mailto:postmaster@{domain}"),
        "hosts that report failures of TLS (RFC 8460 3)",
    );
    [reports, Record { need: Need::Elsewhere, ..sts }]
}

fn policy_note(domain: &str, served: &Served) -> Vec<String> {
    let note = format!(
        "MTA-STS needs a web server for https://mta-sts.{domain}/.well-known/mta-sts.txt, with the lines \"version: STSv1\", \
         \"mode: enforce\", \"mx: {}\", \"max_age: 604800\"; each change of it wants another id in the record",
        served.hostname
    );
    served.mx.map(|_| note).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served() -> Served {
        Served {
            hostname: "mail.example.org".to_owned(),
            addresses: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
            mx: Some(25),
            submission: None,
            submissions: Some(465),
            imap: None,
            imaps: Some(993),
            sends: true,
            key_digest: Some("ab".to_owned()),
            notes: Vec::new(),
        }
    }

    fn lines(section: &Section) -> Vec<String> {
        let value = |record: &Record| record.value.clone().unwrap_or_default();
        section
            .records
            .iter()
            .map(|record| format!("{} {} {}", record.name, record.kind, value(record)))
            .collect()
    }

    #[test]
    fn a_host_has_addresses_names_for_them_and_its_key() {
        let reverse = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.";
        assert_eq!(
            lines(&host(&served(), &[])),
            [
                "mail.example.org. A 192.0.2.1",
                "mail.example.org. AAAA 2001:db8::1",
                "1.2.0.192.in-addr.arpa. PTR mail.example.org.",
                &format!("{reverse} PTR mail.example.org."),
                "mail.example.org. TXT \"v=spf1 a -all\"",
                "_25._tcp.mail.example.org. TLSA 3 1 1 ab",
            ]
        );
    }

    #[test]
    fn a_domain_names_its_exchanger_its_senders_and_its_services_also_those_that_it_has_not() {
        assert_eq!(
            lines(&domain("example.org", &served())),
            [
                "example.org. MX 10 mail.example.org.",
                "example.org. TXT \"v=spf1 mx -all\"",
                "_dmarc.example.org. TXT \"v=DMARC1; p=none; rua=mailto:postmaster@example.org\"",
                "_submissions._tcp.example.org. SRV 0 1 465 mail.example.org.",
                "_submission._tcp.example.org. SRV 0 0 0 .",
                "_imaps._tcp.example.org. SRV 0 1 993 mail.example.org.",
                "_imap._tcp.example.org. SRV 0 0 0 .",
                "_pop3s._tcp.example.org. SRV 0 0 0 .",
                "_pop3._tcp.example.org. SRV 0 0 0 .",
                "_smtp._tls.example.org. TXT \"v=TLSRPTv1; rua=mailto:postmaster@example.org\"",
                "_mta-sts.example.org. TXT \"v=STSv1; id=1;\"",
            ]
        );
    }

    #[test]
    fn a_host_that_is_its_own_mail_domain_has_one_spf_record() {
        let domains = ["mail.example.org".parse().unwrap()];
        assert!(!lines(&host(&served(), &domains)).iter().any(|line| line.contains("spf1")));
    }

    #[test]
    fn a_host_that_only_has_mailboxes_wants_no_exchanger_and_no_senders() {
        let served = Served { mx: None, sends: false, ..served() };
        let lines = [lines(&host(&served, &[])), lines(&domain("example.org", &served))].concat().join("\n");
        assert!(lines.contains("_imaps._tcp") && lines.contains(" A 192.0.2.1"), "{lines}");
        assert!(!["MX", "spf1", "DMARC", "TLSA", "STS"].iter().any(|word| lines.contains(word)), "{lines}");
    }
}
