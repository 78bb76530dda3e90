//! What is fuzzed: for each wire, each format on disk and the MIME scanner a function that takes any bytes and panics
//! where something does not hold.
//!
//! What is held, in pairs: no bytes panic, and the work and the memory that they cause are bounded; and what is read is
//! written as it was read, however the bytes were cut into pieces. Seeds are made when they are needed, from the
//! transcripts and from messages; none are stored.
//!
//! It finds nothing by itself: `cargo xtask fuzz` has libFuzzer drive it. The tests here run each target on its seeds
//! and on damaged ones.

mod cuts;
mod seeds;
mod target;

use target::{address, imap, journal, mime, proxy, records, report, sasl, smtp, text};

/// One function that is fuzzed.
pub struct Target {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Panics where something does not hold.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "smtp_server", run: smtp::server, seeds: seeds::smtp_server },
    Target { name: "smtp_client", run: smtp::client, seeds: seeds::smtp_client },
    Target { name: "smtp_command", run: smtp::command, seeds: seeds::smtp_command },
    Target { name: "smtp_content", run: smtp::content, seeds: seeds::smtp_content },
    Target { name: "imap_frames", run: imap::frames, seeds: seeds::imap_frames },
    Target { name: "imap_grammar", run: imap::grammar, seeds: seeds::imap_grammar },
    Target { name: "sasl", run: sasl::exchange, seeds: seeds::sasl },
    Target { name: "mime", run: mime::scan, seeds: seeds::mime },
    Target { name: "text", run: text::decode, seeds: seeds::text },
    Target { name: "address", run: address::codecs, seeds: seeds::address },
    Target { name: "proxy", run: proxy::header, seeds: seeds::proxy },
    Target { name: "report", run: report::build, seeds: seeds::report },
    Target { name: "journal", run: journal::open, seeds: seeds::journal },
    Target { name: "records", run: records::open, seeds: records::seeds },
];

/// The target of that name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// All names, for messages.
pub fn names() -> String {
    TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{TARGETS, Target};
    use crate::cuts::Cuts;

    /// A seed with some bytes changed, cut out or repeated.
    fn damaged(seed: &[u8], number: u8) -> Vec<u8> {
        let mut cuts = Cuts::new(number);
        let mut damaged = seed.to_vec();
        for _ in 0..=number % 4 {
            let at = cuts.below(damaged.len().max(1));
            let end = (at + cuts.below(9)).min(damaged.len());
            match cuts.below(3) {
                0 => damaged[at..end].iter_mut().for_each(|byte| *byte ^= 1 << (number % 8)),
                1 => drop(damaged.drain(at..end)),
                _ => {
                    let again = damaged[at..end].to_vec();
                    damaged.splice(at..at, again);
                }
            }
        }
        damaged
    }

    fn run_all(target: &Target) {
        let seeds = (target.seeds)();
        assert!(seeds.len() > 2, "{} seeds", seeds.len());
        for seed in &seeds {
            (target.run)(seed);
            (0..8).for_each(|number| (target.run)(&damaged(seed, number)));
        }
        (target.run)(b"");
    }

    #[test]
    fn every_target_holds_for_its_seeds_and_for_damaged_ones() {
        let broken = TARGETS.iter().filter(|target| std::panic::catch_unwind(|| run_all(target)).is_err());
        let broken: Vec<_> = broken.map(|target| target.name).collect();
        assert!(broken.is_empty(), "{broken:?}");
    }
}
