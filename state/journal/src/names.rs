//! The names of files in a journal's directory.
//!
//! ```text
//! LOCK                       locked by the owner
//! RESERVE                    room for times when the disk is full
//! 00000000000000000001.seg   a segment, by its first record
//! 00000000000000000001.gap   records that are not there any more, by the first
//! 00000000000000000001.keys  what a segment speaks of; can be made again from it
//! *.tmp                      a file that was not finished
//! ```

use crate::lsn::Lsn;

pub(crate) const LOCK: &str = "LOCK";
pub(crate) const RESERVE: &str = "RESERVE";
const SEGMENT: &str = ".seg";
const GAP: &str = ".gap";
const KEYS: &str = ".keys";
const TEMPORARY: &str = ".tmp";

/// What a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    Segment(Lsn),
    Gap(Lsn),
    Keys(Lsn),
    Temporary,
    /// Not ours, or with no number.
    Other,
}

pub(crate) fn segment(first: Lsn) -> String {
    format!("{:020}{SEGMENT}", first.0)
}

pub(crate) fn gap(first: Lsn) -> String {
    format!("{:020}{GAP}", first.0)
}

pub(crate) fn keys(first: Lsn) -> String {
    format!("{:020}{KEYS}", first.0)
}

pub(crate) fn temporary(name: &str) -> String {
    format!("{name}{TEMPORARY}")
}

pub(crate) fn parse(name: &str) -> Named {
    let numbered = |suffix| {
        let digits: &str = name.strip_suffix(suffix)?;
        let ours = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
        ours.then(|| digits.parse().ok().map(Lsn))?
    };
    if name.ends_with(TEMPORARY) {
        return Named::Temporary;
    }
    let segment = numbered(SEGMENT).map(Named::Segment);
    let gap = || numbered(GAP).map(Named::Gap);
    let keys = || numbered(KEYS).map(Named::Keys);
    segment.or_else(gap).or_else(keys).unwrap_or(Named::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_others_are_ignored() {
        assert_eq!(parse(&segment(Lsn(17))), Named::Segment(Lsn(17)));
        assert_eq!(parse(&gap(Lsn(17))), Named::Gap(Lsn(17)));
        assert_eq!(parse(&keys(Lsn(17))), Named::Keys(Lsn(17)));
        assert_eq!(parse(&temporary(&gap(Lsn(17)))), Named::Temporary);
        for other in ["17.seg", LOCK, RESERVE, "0000000000000000001x.seg"] {
            assert_eq!(parse(other), Named::Other);
        }
    }
}
