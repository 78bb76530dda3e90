//! Reading everything, to find out what is not as it was written.

use crate::error::{Damage, JournalError};
use crate::files::Files;
use crate::lsn::Lsn;
use crate::scan;

/// All damage of a journal. Does not stop at the first. `end` says where a segment ends that is still written to.
pub(crate) fn damage(files: &Files, end: Option<(Lsn, u64)>) -> Result<Vec<Damage>, JournalError> {
    let mut damage = files.gaps_damaged().to_vec();
    damage.extend(files.front_missing());
    let mut expected: Option<Lsn> = None;
    for first in files.firsts(Lsn::ZERO, Lsn(u64::MAX)) {
        let segment = match files.segment(first) {
            // Compacted meanwhile: a gap stands for it by now.
            Err(JournalError::Compacted(_)) => continue,
            Err(JournalError::Damaged(headless)) => {
                damage.push(headless);
                expected = None;
                continue;
            }
            segment => segment?,
        };
        damage.extend(files.missing_before(&segment, expected));
        let end = end.filter(|(current, _)| *current == first).map(|(_, end)| Ok(end));
        let end = end.unwrap_or_else(|| segment.file.len()).map_err(JournalError::io(&segment.path))?;
        let (found, next) = scan::verify(&segment, end).map_err(JournalError::io(&segment.path))?;
        damage.extend(found);
        expected = next;
    }
    Ok(damage)
}
