//! Options of a trial's configuration, changed as an operator changes them: in the file.

use std::fs;
use testkit::Trial;

/// Section, key and value as TOML.
pub type Setting<'a> = (&'a str, &'a str, &'a str);

/// Segments so small that a load fills many, compaction that rests as good as never, and nothing kept of what was expunged.
pub const COMPACTING: [Setting<'_>; 7] = [
    ("mailstore", "segment_size", "\"64 KiB\""),
    ("mailstore", "retention", "\"1ms\""),
    ("spool", "segment_size", "\"64 KiB\""),
    ("spool", "audit_retention", "\"1ms\""),
    ("spool", "retries", "[\"1s\"]"),
    ("journal", "upkeep_interval", "\"50ms\""),
    ("journal", "compaction_rate", "\"256 MiB\""),
];

/// Writes options into the configuration of a trial and starts it again with them.
pub fn set(trial: &mut Trial, settings: &[Setting<'_>]) {
    let file = trial.contract.config.clone();
    let text = fs::read_to_string(&file).expect("the trial wrote its configuration");
    let text = settings.iter().fold(text, |text, setting| with(&text, *setting));
    assert!(trial.terminate(), "the trial ends cleanly");
    fs::write(&file, text).expect("the configuration can be written");
    trial.restart();
}

/// The text with one option more, or with another value of it.
fn with(text: &str, (section, key, value): Setting<'_>) -> String {
    let heading = format!("[{section}]");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let start = lines.iter().position(|line| *line == heading).unwrap_or_else(|| {
        lines.push(heading);
        lines.len() - 1
    });
    let end = lines[start + 1..].iter().position(|line| line.starts_with('['));
    let end = end.map_or(lines.len(), |end| start + 1 + end);
    let is_old = |line: &String| line.split_once('=').is_some_and(|(name, _)| name.trim() == key);
    if let Some(old) = lines[start..end].iter().position(is_old) {
        lines.remove(start + old);
    }
    lines.insert(start + 1, format!("{key} = {value}"));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::with;

    #[test]
    fn an_option_is_added_to_its_section_or_takes_the_place_of_the_old_value() {
        assert_eq!(with("[a]\nx = 1\n[b]\n", ("a", "x", "2")), "[a]\nx = 2\n[b]\n");
        assert_eq!(with("[a]\nx = 1\n[b]\n", ("b", "x", "2")), "[a]\nx = 1\n[b]\nx = 2\n");
        assert_eq!(with("[a]\n", ("c", "y", "\"s\"")), "[a]\n[c]\ny = \"s\"\n");
    }
}
