//! Asking a resolver.

use super::record::{Checked, Record, State};
use crate::error::CliError;
use crate::system::resolver_settings;
use config::Config;
use hickory_resolver::TokioResolver;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::rdata::TXT;
use hickory_resolver::proto::rr::{RData, RecordType};
use relay::ResolverSettings;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::task::JoinSet;

/// Time for one answer: somebody waits for all of them.
const ANSWER_TIME: Duration = Duration::from_secs(3);

/// A resolver: that of the command line, of the configuration, or of the host.
#[derive(Clone)]
pub struct Look(TokioResolver);

impl Look {
    pub fn new(server: Option<SocketAddr>, config: &Config) -> Result<Self, CliError> {
        let configured = resolver_settings(config);
        let settings = ResolverSettings {
            servers: server.map_or(configured.servers, |server| vec![server]),
            answer_time_max: ANSWER_TIME,
            retries: 1,
            ..configured
        };
        relay::resolver(&settings).map(Self).map_err(CliError::failed)
    }

    /// The addresses that DNS has for a host.
    pub async fn addresses(&self, host: &str) -> Vec<IpAddr> {
        let mut found = Vec::new();
        for kind in ["A", "AAAA"] {
            let values = self.values(&format!("{host}."), kind).await.unwrap_or_default();
            found.extend(values.iter().filter_map(|value| value.parse::<IpAddr>().ok()));
        }
        found
    }

    /// Looks for all of them at once; in their order.
    pub async fn check(&self, records: Vec<Record>) -> Vec<Checked> {
        let mut questions = JoinSet::new();
        for (place, record) in records.into_iter().enumerate() {
            let look = self.clone();
            questions.spawn(async move { (place, look.checked(record).await) });
        }
        let mut checked = questions.join_all().await;
        checked.sort_by_key(|(place, _)| *place);
        checked.into_iter().map(|(_, checked)| checked).collect()
    }

    async fn checked(&self, record: Record) -> Checked {
        match self.values(&record.name, record.kind).await {
            Ok(values) => record.judged(values),
            Err(reason) => Checked::new(record, State::Unseen(reason)),
        }
    }

    /// The values of a type at a name; none where an answer says so. An alias is followed, but for a host: no exchanger and no
    /// service may be one (RFC 2181 10.3).
    async fn values(&self, name: &str, kind: &str) -> Result<Vec<String>, String> {
        let wanted: RecordType = kind.parse().map_err(|_| format!("{kind} is unknown"))?;
        let answers = match self.0.lookup(name, wanted).await {
            Ok(lookup) => lookup.answers().to_vec(),
            Err(error) if is_absence(&error) => Vec::new(),
            Err(error) => return Err(error.to_string()),
        };
        let data = || answers.iter().map(|record| &record.data);
        let alias = data().find(|data| data.record_type() == RecordType::CNAME);
        match alias.filter(|_| wanted.is_ip_addr()) {
            Some(alias) => Ok(vec![format!("CNAME {alias}")]),
            None => Ok(data().filter(|data| data.record_type() == wanted).map(shown).collect()),
        }
    }
}

fn is_absence(error: &NetError) -> bool {
    let NetError::Dns(DnsError::NoRecordsFound(none)) = error else { return false };
    matches!(none.response_code, ResponseCode::NXDomain | ResponseCode::NoError)
}

/// As in a zone file.
fn shown(data: &RData) -> String {
    match data {
        RData::TXT(text) => quoted(text),
        data => data.to_string(),
    }
}

/// A text in one piece: it may come in several, which mean the same (RFC 7208 3.3).
fn quoted(text: &TXT) -> String {
    format!("\"{}\"", text.to_string().replace('\\', "\\\\").replace('"', "\\\""))
}
