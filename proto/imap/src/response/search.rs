//! SEARCH and ESEARCH responses (RFC 3501 7.2.5, RFC 4731 3.1).

use super::{end, put, write_number, write_set, write_string};
use crate::{Numbering, SearchReturns, Tag};

/// What a search has found.
#[derive(Debug, Clone, Copy)]
pub struct Found<'f> {
    /// The numbers, ascending.
    pub numbers: &'f [u32],
    /// The highest modseq of those that the response tells, where the program asked for it; nothing found has none.
    pub modseq: Option<u64>,
}

/// Appends `* SEARCH n ... [(MODSEQ n)]` (RFC 3501 7.2.5, RFC 7162 3.1.6).
pub fn search(out: &mut Vec<u8>, found: Found<'_>) {
    put(out, "* SEARCH");
    for number in found.numbers {
        put(out, " ");
        write_number(out, u64::from(*number));
    }
    if let Some(modseq) = found.modseq {
        put(out, " (MODSEQ ");
        write_number(out, modseq);
        put(out, ")");
    }
    end(out);
}

/// Appends `* ESEARCH (TAG "tag") [UID] [MIN n] [MAX n] [COUNT n] [ALL set] [MODSEQ n]` (RFC 4731 3.1). Of nothing
/// found only COUNT tells.
pub fn esearch(out: &mut Vec<u8>, tag: &Tag, by: Numbering, returns: SearchReturns, found: Found<'_>) {
    put(out, "* ESEARCH (TAG ");
    write_string(out, tag.as_str().as_bytes());
    put(out, if by == Numbering::Uid { ") UID" } else { ")" });
    let (first, last) = (found.numbers.first(), found.numbers.last());
    write_result(out, " MIN ", returns.min.then_some(first).flatten().map(|number| u64::from(*number)));
    write_result(out, " MAX ", returns.max.then_some(last).flatten().map(|number| u64::from(*number)));
    write_result(out, " COUNT ", returns.count.then_some(found.numbers.len() as u64));
    if returns.all && first.is_some() {
        put(out, " ALL ");
        write_set(out, found.numbers);
    }
    write_result(out, " MODSEQ ", found.modseq);
    end(out);
}

fn write_result(out: &mut Vec<u8>, name: &str, result: Option<u64>) {
    if let Some(number) = result {
        put(out, name);
        write_number(out, number);
    }
}
