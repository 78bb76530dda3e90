//! Copies whose next hop is not known yet: reports of our own, and what an operator had routed anew.

use route::{RouteError, Router};
use spool::{Attempt, Due, DueRecipient, Outcome};

use crate::Failure;

/// Asks the router about each recipient.
pub(crate) async fn expand(router: &Router, due: &Due) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(due.recipients.len());
    for to in &due.recipients {
        outcomes.push(Outcome::new(to.index, route(router, to).await));
    }
    outcomes
}

async fn route(router: &Router, to: &DueRecipient) -> Attempt {
    match router.route_recipient(&to.recipient, &to.address).await {
        Ok(routes) => Attempt::Expanded(routes),
        Err(error) => failure(&error).attempt(),
    }
}

fn failure(error: &RouteError) -> Failure {
    match error {
        RouteError::Unknown(_) => Failure::permanent(1, 1, error.to_string()),
        RouteError::Directory { .. } => Failure::temporary(4, 3, error.to_string()),
        RouteError::Loop(_) | RouteError::TooDeep(_) | RouteError::TooMany(_) => {
            Failure::permanent(4, 6, error.to_string())
        }
    }
}
