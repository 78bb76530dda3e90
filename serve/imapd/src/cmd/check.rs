//! CHECK (RFC 3501 6.4.1). What was acknowledged is durable already, so there is nothing to do.

use crate::refusal::{Done, Outcome};
use crate::selected::Selected;

pub(crate) fn run(_selected: &Selected) -> Outcome {
    Ok(Done::plain("CHECK completed"))
}
