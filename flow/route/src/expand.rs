//! Aliases of aliases, followed to the end.

use std::collections::HashSet;

use address::Address;

use crate::RouteError;

/// The addresses that are still to be resolved. Each comes once, so that no loop goes on and nobody
/// gets a message twice.
pub(crate) struct Expansion {
    origin: Address,
    /// The next one last.
    open: Vec<(Address, usize)>,
    seen: HashSet<String>,
    depth: usize,
}

impl Expansion {
    pub(crate) fn of(address: &Address) -> Self {
        let open = vec![(address.clone(), 0)];
        Self { origin: address.clone(), open, seen: HashSet::new(), depth: 0 }
    }

    /// The next address that was not yet seen.
    pub(crate) fn next(&mut self) -> Result<Option<Address>, RouteError> {
        while let Some((address, depth)) = self.open.pop() {
            if !self.seen.insert(address.key()) {
                continue;
            }
            if depth > limits::ALIAS_DEPTH_MAX {
                return Err(RouteError::TooDeep(self.origin.clone()));
            }
            if self.seen.len() > limits::ALIAS_RECIPIENTS_MAX {
                return Err(RouteError::TooMany(self.origin.clone()));
            }
            self.depth = depth;
            return Ok(Some(address));
        }
        Ok(None)
    }

    /// The address that came last is an alias of these.
    pub(crate) fn targets_add(&mut self, targets: Vec<Address>) {
        let depth = self.depth + 1;
        self.open.extend(targets.into_iter().rev().map(|target| (target, depth)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn a_chain_that_does_not_end_is_cut_at_the_limit() {
        let mut expansion = Expansion::of(&address("a0@x.example"));
        let mut steps = 0;
        let error = loop {
            match expansion.next() {
                Ok(_) => expansion.targets_add(vec![address(&format!("a{}@x.example", steps + 1))]),
                Err(error) => break error,
            }
            steps += 1;
        };
        assert!(matches!(error, RouteError::TooDeep(origin) if origin == address("a0@x.example")));
        assert_eq!(steps, limits::ALIAS_DEPTH_MAX + 1);
    }

    #[test]
    fn an_alias_of_too_many_is_cut_at_the_limit() {
        let mut expansion = Expansion::of(&address("all@x.example"));
        expansion.next().unwrap();
        expansion.targets_add(
            (0..=limits::ALIAS_RECIPIENTS_MAX).map(|n| address(&format!("a{n}@x.example"))).collect(),
        );
        let error = std::iter::repeat_with(|| expansion.next()).find_map(Result::err);
        assert!(matches!(error, Some(RouteError::TooMany(_))));
    }
}
