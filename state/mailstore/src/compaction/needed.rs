//! How much of a record would have to be written again, about: what a segment is chosen by.

use journal::{Needed, Stated, StoreError, ViewRead};

use super::standing::row;
use super::{Key, Standing, keys, standing};
use crate::BodyId;
use crate::entry::{ENTANGLED, REMOVED};
use crate::rows::{self, BodyRow};

/// Things of one record that are looked up; of more, these stand for all.
const LOOKED_UP_MAX: usize = 16;

/// What of a record is needed.
pub(crate) fn needed(view: &dyn ViewRead, stated: &Stated<'_>) -> Result<Needed, StoreError> {
    let bytes = stated.record.bytes.len() as u64;
    if ENTANGLED.contains(&stated.record.kind) {
        return Ok(Needed { state_bytes: bytes, data: stated.data.is_some(), is_removed: false });
    }
    let mut keys = keys(stated.record)?;
    if let Some(Key::Body(body, _)) = keys.first() {
        return body_needed(view, *body, stated);
    }
    keys.retain(|key| !is_shared(key));
    let step = keys.len().div_ceil(LOOKED_UP_MAX).max(1);
    let (mut looked_up, mut live) = (0, 0);
    for key in keys.iter().step_by(step) {
        looked_up += 1;
        live += u64::from(is_needed(view, key, stated)?);
    }
    let state_bytes = (bytes * live).checked_div(looked_up).unwrap_or(0);
    Ok(Needed { state_bytes, data: false, is_removed: stated.record.kind == REMOVED })
}

/// Things that many records of a segment speak of and that are said again once.
fn is_shared(key: &Key) -> bool {
    matches!(key, Key::Marks | Key::Mailbox(_) | Key::Keyword(..))
}

fn is_needed(view: &dyn ViewRead, key: &Key, stated: &Stated<'_>) -> Result<bool, StoreError> {
    let record = stated.place.lsn..stated.place.lsn.next();
    Ok(matches!(standing(view, key, &record)?, Standing::Here(_) | Standing::Needed(_)))
}

/// Whether messages refer to it does not matter: it is said again until a purge takes it away, or the view would still show
/// what the journal says no more, and a copy that is just getting its rows could be overlooked.
fn body_needed(view: &dyn ViewRead, body: BodyId, stated: &Stated<'_>) -> Result<Needed, StoreError> {
    let row = row::<BodyRow>(view, rows::BODIES, &rows::body_key(body))?;
    let is_here =
        row.is_some_and(|row| row.file.is_some() || (row.place.is_some() && row.place == stated.data));
    let state_bytes = if is_here { stated.record.bytes.len() as u64 } else { 0 };
    Ok(Needed { state_bytes, data: is_here && stated.data.is_some(), is_removed: false })
}
