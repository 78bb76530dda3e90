//! A record that somebody else looks for, and what came of looking for it.

use net::Network;
use serde::Serialize;
use std::net::IpAddr;

/// A record as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The whole name, with the dot at its end.
    pub name: String,
    /// `MX`, `TXT` and so on.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// As it stands in a zone file; none where only the administrator knows it.
    pub value: Option<String>,
    /// Who looks for it, and why.
    pub purpose: String,
    pub need: Need,
    #[serde(skip)]
    pub accept: Accept,
}

/// How much depends on a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// Mail suffers without it.
    Required,
    /// Better with it.
    Optional,
    /// Good only with something that this system does not have; printed as a comment.
    Elsewhere,
}

/// What counts as the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accept {
    /// The value, also among others.
    Value,
    /// One text that begins with this, whatever follows.
    Tagged(&'static str),
    /// One SPF record by which this host may send.
    Spf { hostname: String, addresses: Vec<IpAddr> },
}

/// What came of looking for a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "state", content = "reason")]
pub enum State {
    Ok,
    Missing,
    Differs,
    /// Nobody answered, or what is there cannot be judged.
    Unseen(String),
    /// Nobody asked.
    Unchecked,
}

/// A record with what was found in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    #[serde(flatten)]
    pub record: Record,
    #[serde(flatten)]
    pub state: State,
    /// The values of the record's type at its name; of texts, those of its kind.
    pub found: Vec<String>,
}

impl Checked {
    pub fn new(record: Record, state: State) -> Self {
        Self { record, state, found: Vec::new() }
    }

    /// Whether somebody should look after it.
    pub fn is_wrong(&self) -> bool {
        match self.state {
            State::Ok | State::Unchecked => false,
            State::Differs => true,
            State::Missing | State::Unseen(_) => self.record.need == Need::Required,
        }
    }
}

impl Record {
    /// Judges it by all values of its type at its name.
    pub fn judged(self, values: Vec<String>) -> Checked {
        let found: Vec<String> = values.into_iter().filter(|value| self.is_of_its_kind(value)).collect();
        let state = if found.is_empty() { State::Missing } else { self.state(&found) };
        Checked { record: self, state, found }
    }

    /// A name has texts for many purposes; each says by its beginning which.
    fn is_of_its_kind(&self, value: &str) -> bool {
        let tag = match &self.accept {
            Accept::Tagged(tag) => tag,
            Accept::Spf { .. } => "v=spf1",
            Accept::Value => return true,
        };
        let words = value.trim_matches('"').to_ascii_lowercase();
        words
            .strip_prefix(&tag.to_ascii_lowercase())
            .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    }

    fn state(&self, found: &[String]) -> State {
        let is_value = |value: &String| {
            Some(value.to_ascii_lowercase()) == self.value.as_deref().map(str::to_ascii_lowercase)
        };
        match &self.accept {
            Accept::Value if found.iter().any(is_value) => State::Ok,
            Accept::Value => State::Differs,
            // Of two policies none counts (RFC 7208 4.5, RFC 7489 6.6.3).
            Accept::Tagged(_) | Accept::Spf { .. } if found.len() > 1 => State::Differs,
            Accept::Tagged(_) => State::Ok,
            Accept::Spf { .. } if found.iter().any(is_value) => State::Ok,
            Accept::Spf { hostname, addresses } => spf_state(&found[0], hostname, addresses),
        }
    }
}

/// Whether an SPF record names this host in one of the ways that need no further question (RFC 7208 5).
fn spf_state(text: &str, hostname: &str, addresses: &[IpAddr]) -> State {
    let text = text.trim_matches('"').to_ascii_lowercase();
    let terms = text.split_whitespace().map(|term| term.trim_start_matches('+'));
    let mut names_others = false;
    for term in terms {
        let (mechanism, argument) = term.split_once([':', '=']).unwrap_or((term, ""));
        match mechanism {
            "mx" if argument.is_empty() => return State::Ok,
            "a" if argument.trim_end_matches('.') == hostname => return State::Ok,
            "ip4" | "ip6" if is_within(argument, addresses) => return State::Ok,
            "include" | "redirect" | "exists" => names_others = true,
            _ => {}
        }
    }
    match names_others {
        true => State::Unseen("whether this host may send depends on other records".to_owned()),
        false => State::Differs,
    }
}

fn is_within(network: &str, addresses: &[IpAddr]) -> bool {
    network.parse::<Network>().is_ok_and(|network| addresses.iter().any(|address| network.contains(*address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: &'static str, value: &str, accept: Accept) -> Record {
        let (name, purpose) = ("example.org.".to_owned(), String::new());
        Record { name, kind, value: Some(value.to_owned()), purpose, need: Need::Required, accept }
    }

    fn state(record: &Record, found: &[&str]) -> State {
        record.clone().judged(found.iter().map(|value| (*value).to_owned()).collect()).state
    }

    #[test]
    fn a_value_counts_also_among_others_and_in_any_case() {
        let mx = record("MX", "10 mail.example.org.", Accept::Value);
        assert_eq!(state(&mx, &["20 b.example.org.", "10 MAIL.example.org."]), State::Ok);
        assert_eq!(state(&mx, &["20 b.example.org."]), State::Differs);
        assert_eq!(state(&mx, &[]), State::Missing);
    }

    #[test]
    fn of_the_texts_at_a_name_only_those_of_the_records_kind_are_looked_at() {
        let dmarc = record("TXT", "\"v=DMARC1; p=none\"", Accept::Tagged("v=DMARC1"));
        assert_eq!(state(&dmarc, &["\"v=DMARC1; p=reject\"", "\"something else\""]), State::Ok);
        assert_eq!(state(&dmarc, &["\"v=DMARC10\"", "\"something else\""]), State::Missing);
        assert_eq!(state(&dmarc, &["\"v=DMARC1; p=none\"", "\"v=DMARC1; p=reject\""]), State::Differs);
    }

    #[test]
    fn an_spf_record_is_right_if_it_names_this_host() {
        let addresses = vec!["192.0.2.1".parse().unwrap()];
        let accept = Accept::Spf { hostname: "mail.example.org".to_owned(), addresses };
        let spf = record("TXT", "\"v=spf1 mx -all\"", accept);
        for right in ["mx -all", "+mx ~all", "a:mail.example.org -all", "ip4:192.0.2.0/24 -all"] {
            assert_eq!(state(&spf, &[&format!("\"v=spf1 {right}\"")]), State::Ok, "{right}");
        }
        for wrong in ["-all", "a -all", "mx:other.example -all", "ip4:198.51.100.0/24 -all", "-mx -all"] {
            assert_eq!(state(&spf, &[&format!("\"v=spf1 {wrong}\"")]), State::Differs, "{wrong}");
        }
        assert!(matches!(state(&spf, &["\"v=spf1 include:other.example -all\""]), State::Unseen(_)));
        assert_eq!(state(&spf, &["\"v=spf1 mx -all\"", "\"v=spf1 -all\""]), State::Differs);
    }

    #[test]
    fn what_is_optional_is_wrong_only_where_it_differs() {
        let optional = Record { need: Need::Optional, ..record("SRV", "0 1 993 a.", Accept::Value) };
        assert!(!optional.clone().judged(Vec::new()).is_wrong());
        assert!(optional.judged(vec!["0 1 993 b.".to_owned()]).is_wrong());
        assert!(record("A", "192.0.2.1", Accept::Value).judged(Vec::new()).is_wrong());
    }
}
