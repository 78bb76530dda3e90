//! Saying things again for compaction. Nothing here changes what readers see, nor a number that was given out.

use journal::{Record, Restating, Staged, StoreError, ViewRead};

use crate::BodyId;
use crate::codec::decoded;
use crate::compaction::{Key, Removed, Restated, Standing, standing};
use crate::entry::{BodyStored, Entry, FileId};
use crate::rows::{self, BodyRow};

use super::Sequenced;

impl Sequenced {
    /// One record for all that is there, one for all that is gone, and two for each body.
    pub(super) fn say_again(
        &mut self,
        view: &dyn ViewRead,
        restating: &Restating<Key>,
        staged: &mut Staged,
    ) -> Result<(), StoreError> {
        let (mut here, mut gone) = (Restated::default(), Removed::default());
        let mut bodies = Vec::new();
        for key in &restating.keys {
            match again(view, key, restating)? {
                Again::Body(records) => bodies.extend(records),
                Again::Thing(Standing::Here(thing)) => here.things.push(*thing),
                Again::Thing(Standing::Gone) if restating.held_before(key) => gone.keys.push(key.clone()),
                Again::Thing(Standing::Gone | Standing::SaidElsewhere) => {}
                Again::Thing(Standing::Needed(why)) => return Err(StoreError::NotYet(why)),
            }
        }
        for record in bodies {
            staged.push(record);
        }
        if !here.things.is_empty() {
            staged.push(Entry::from(here).record());
        }
        if !gone.keys.is_empty() {
            staged.push(Entry::from(gone).record());
        }
        self.absorbed = staged.lsn_next();
        Ok(())
    }
}

enum Again {
    /// The records of a body that is there.
    Body(Vec<Record>),
    Thing(Standing),
}

fn again(view: &dyn ViewRead, key: &Key, restating: &Restating<Key>) -> Result<Again, StoreError> {
    let Key::Body(body, file) = key else {
        return Ok(Again::Thing(standing(view, key, &restating.segment)?));
    };
    let Some(row) = view.get(rows::BODIES, &rows::body_key(*body))? else {
        return Ok(Again::Thing(Standing::Gone));
    };
    body_again(view, *body, *file, &decoded(&row)?, restating).map(Again::Body)
}

/// The bytes of a body and what is known of it go together: where the bytes are in another segment, so is the rest.
fn body_again(
    view: &dyn ViewRead,
    body: BodyId,
    file: Option<FileId>,
    row: &BodyRow,
    restating: &Restating<Key>,
) -> Result<Vec<Record>, StoreError> {
    let presentation = view.get(rows::PRESENTATIONS, &rows::body_key(body))?.unwrap_or_default();
    let (hash, size) = (row.hash, row.size);
    let stored = Entry::from(BodyStored { body, hash, size, file, presentation }).record();
    if file.is_some() {
        return Ok(vec![stored]);
    }
    let data = row.place.and_then(|place| restating.carried(&Key::Body(body, None), &place));
    Ok(data.map(|data| vec![data.clone(), stored]).unwrap_or_default())
}
