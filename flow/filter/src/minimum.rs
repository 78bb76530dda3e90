//! The policy that cannot be switched off.

use address::Domain;
use receive::date_time;
use smtp::Refusal;

use crate::{Draft, Verdict};

/// Cuts loops and bounds headers; on submission, completes them.
#[derive(Clone, Debug)]
pub struct Minimum {
    /// `Received` fields after which a message is taken for looping.
    pub hops_max: usize,
    /// Whether and how headers are completed. Only for what our own users submit (RFC 6409 8).
    pub repair: Option<Repair>,
}

/// How headers are completed.
#[derive(Clone, Debug)]
pub struct Repair {
    /// The right side of a `Message-ID` that we make.
    pub domain: Domain,
}

impl Default for Minimum {
    fn default() -> Self {
        Self { hops_max: limits::HOPS_MAX, repair: None }
    }
}

impl Minimum {
    pub(crate) fn look(&self, draft: &mut Draft) -> Result<Verdict, Refusal> {
        if !draft.header.is_whole() {
            return Err(Refusal::new(552, (5, 3, 4), "Header too big"));
        }
        // RFC 5321 6.3: counting Received fields is an effective way to find loops.
        if draft.header.count("Received") >= self.hops_max {
            return Err(Refusal::new(554, (5, 4, 6), "Too many hops, this message is looping"));
        }
        if let Some(repair) = &self.repair {
            repair.complete(draft);
        }
        Ok(Verdict::Accept)
    }
}

impl Repair {
    /// RFC 6409 8.2 and 8.3: Date and Message-ID are added where they are missing.
    fn complete(&self, draft: &mut Draft) {
        let Draft { header, fields, id, transaction, .. } = draft;
        if !header.has("Message-ID") {
            fields.push_str(&format!("Message-ID: <{}@{}>\r\n", id.to_lowercase(), self.domain));
        }
        if !header.has("Date") {
            fields.push_str(&format!("Date: {}\r\n", date_time(transaction.arrival)));
        }
    }
}
