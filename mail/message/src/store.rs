//! A structure as bytes, for the mail store to keep.
//!
//! ```text
//! structure = version(1 byte, 1) count *part           numbers as LEB128
//! part      = kind(1 byte) parent header-start header-octets body-octets lines
//! ```
//! `parent` is the parent's index plus one, 0 for the first part. A body begins where its header ends.

use crate::{Part, PartKind, Structure};

const VERSION: u8 = 1;

/// The bytes are no structure: damaged, or of a version that this program does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("damaged or unknown form of a message structure")]
pub struct StructureDamaged;

impl Structure {
    /// Appends the structure, a version first.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut parents = vec![0; self.parts.len()];
        for (index, part) in self.parts.iter().enumerate() {
            part.children.iter().for_each(|&child| parents[child as usize] = index as u64 + 1);
        }
        out.push(VERSION);
        put(out, self.parts.len() as u64);
        for (part, parent) in self.parts.iter().zip(parents) {
            out.push(kind_code(part.kind));
            let (header, body) = (&part.header, &part.body);
            for number in [parent, header.start, header.end - header.start, body.end - body.start, part.lines]
            {
                put(out, number);
            }
        }
    }

    /// Reads back the whole of `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Structure, StructureDamaged> {
        decode(bytes).ok_or(StructureDamaged)
    }
}

fn decode(bytes: &[u8]) -> Option<Structure> {
    let mut rest = bytes.strip_prefix(&[VERSION])?;
    let count = take(&mut rest)?;
    let mut parts = Vec::new();
    for index in 0..count {
        let parent = take_part(&mut rest, &mut parts)?;
        match parent.checked_sub(1) {
            Some(parent) => parts.get_mut(parent as usize)?.children.push(index as u32),
            None if index > 0 => return None,
            None => {}
        }
    }
    let well_formed = rest.is_empty() && !parts.is_empty() && parts.iter().enumerate().all(children_follow);
    well_formed.then_some(Structure { parts })
}

/// No part is its own descendant.
fn children_follow((index, part): (usize, &Part)) -> bool {
    part.children.iter().all(|&child| child as usize > index)
}

/// Reads one part; returns its parent.
fn take_part(rest: &mut &[u8], parts: &mut Vec<Part>) -> Option<u64> {
    let (&code, after) = rest.split_first()?;
    *rest = after;
    let parent = take(rest)?;
    let start = take(rest)?;
    let end = start.checked_add(take(rest)?)?;
    let body_end = end.checked_add(take(rest)?)?;
    let lines = take(rest)?;
    let kind = kind_of(code)?;
    parts.push(Part { header: start..end, body: end..body_end, lines, kind, children: Vec::new() });
    Some(parent)
}

fn kind_code(kind: PartKind) -> u8 {
    match kind {
        PartKind::Text => 0,
        PartKind::Multipart => 1,
        PartKind::Message => 2,
        PartKind::Other => 3,
    }
}

fn kind_of(code: u8) -> Option<PartKind> {
    [PartKind::Text, PartKind::Multipart, PartKind::Message, PartKind::Other].get(usize::from(code)).copied()
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}
