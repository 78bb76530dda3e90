//! What differs between two configurations.

use crate::{Config, Reload, table};

/// An option whose value has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `section.key`.
    pub name: String,
    /// Its value before, as TOML.
    pub old: String,
    /// Its value now, as TOML.
    pub new: String,
    /// Whether a reload applies it.
    pub reload: Reload,
}

impl Config {
    /// The options in which `new` differs, in the order of the table.
    pub fn changes(&self, new: &Self) -> Vec<Change> {
        let options = table::sections().into_iter().flat_map(|section| section.options);
        let values = self.shown().into_iter().zip(new.shown());
        options
            .zip(values)
            .filter(|(_, (old, new))| old != new)
            .map(|(option, (old, new))| Change { name: option.name, old, new, reload: option.reload })
            .collect()
    }
}
