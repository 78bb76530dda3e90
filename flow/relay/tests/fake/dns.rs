//! A name server with a few records.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, CNAME, MX};
use hickory_resolver::proto::rr::{Name, RData, Record};
use tokio::net::UdpSocket;

/// The records of a name server.
#[derive(Clone, Default)]
pub struct Zone {
    records: HashMap<Name, Vec<RData>>,
    broken: Vec<Name>,
}

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{}.", text.trim_end_matches('.'))).expect("a name")
}

impl Zone {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn mx(mut self, domain: &str, preference: u16, host: &str) -> Self {
        let host = if host == "." { Name::root() } else { name(host) };
        self.records.entry(name(domain)).or_default().push(RData::MX(MX::new(preference, host)));
        self
    }

    pub fn a(mut self, host: &str, address: &str) -> Self {
        let address: Ipv4Addr = address.parse().expect("an address");
        self.records.entry(name(host)).or_default().push(RData::A(A(address)));
        self
    }

    pub fn cname(mut self, alias: &str, host: &str) -> Self {
        self.records.entry(name(alias)).or_default().push(RData::CNAME(CNAME(name(host))));
        self
    }

    /// The server fails when asked for this.
    pub fn broken(mut self, host: &str) -> Self {
        self.broken.push(name(host));
        self
    }

    /// Serves the zone on a port of its own.
    pub async fn serve(self) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let address = socket.local_addr().expect("bound");
        tokio::spawn(answer_all(socket, Arc::new(self)));
        address
    }

    fn answer(&self, question: &Message) -> Message {
        let mut answer = Message::new(question.metadata.id, MessageType::Response, question.metadata.op_code);
        let query = question.queries[0].clone();
        let mut asked = query.name().to_lowercase();
        answer.metadata.authoritative = true;
        answer.metadata.recursion_available = true;
        answer.metadata.response_code = match self.records.get(&asked) {
            _ if self.broken.contains(&asked) => ResponseCode::ServFail,
            None => ResponseCode::NXDomain,
            Some(_) => ResponseCode::NoError,
        };
        while let Some(records) = self.records.get(&asked) {
            let alias = records.iter().find_map(|data| match data {
                RData::CNAME(alias) => Some(alias.0.clone()),
                _ => None,
            });
            let fits = |data: &&RData| data.record_type() == query.query_type() || alias.is_some();
            let record = |data: &RData| Record::from_rdata(asked.clone(), 60, data.clone());
            answer.add_answers(records.iter().filter(fits).map(record));
            let Some(alias) = alias else { break };
            asked = alias;
        }
        answer.add_query(query);
        answer
    }
}

async fn answer_all(socket: UdpSocket, zone: Arc<Zone>) {
    let mut buffer = vec![0; 4096];
    while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
        let question = Message::from_vec(&buffer[..length]).expect("a question");
        let answer = zone.answer(&question).to_vec().expect("an answer");
        // Who does not wait for the answer does not get it.
        let _ = socket.send_to(&answer, peer).await;
    }
}
