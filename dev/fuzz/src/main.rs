//! libFuzzer around one of the targets: `TARTAN_FUZZ_TARGET` names it. With `TARTAN_FUZZ_SEEDS`, a directory, the
//! target's seeds are written there before libFuzzer looks for what there is.
//!
//! `cargo xtask fuzz` builds this with the counters that guide libFuzzer, and runs it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::Path;
use std::sync::LazyLock;

static TARGET: LazyLock<&'static fuzz::Target> = LazyLock::new(|| {
    let name = std::env::var("TARTAN_FUZZ_TARGET").unwrap_or_default();
    fuzz::target(&name).unwrap_or_else(|| panic!("TARTAN_FUZZ_TARGET={name:?}: one of {}", fuzz::names()))
});

/// A file for each seed, named by its number: what libFuzzer finds gets names of its own.
fn seeds_write(folder: &Path) {
    for (number, seed) in (TARGET.seeds)().iter().enumerate() {
        let file = folder.join(format!("seed-{number}"));
        std::fs::write(&file, seed).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

fuzz_target!(
    init: {
        if let Some(folder) = std::env::var_os("TARTAN_FUZZ_SEEDS") {
            seeds_write(Path::new(&folder));
        }
    },
    |bytes: &[u8]| (TARGET.run)(bytes)
);
