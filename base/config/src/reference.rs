//! The reference and the file, written from the table.

use crate::{Config, OptionInfo, Reload, SectionInfo, table};
use std::fmt::Write as _;

/// The reference of all options, as Markdown.
pub fn reference() -> String {
    let sections = table::sections();
    let count: usize = sections.iter().map(|section| section.options.len()).sum();
    let mut text = format!(
        "# Options\n\n\
         One TOML file holds {count} options in {} sections. `tartan config check FILE` reports every\n\
         mistake in it; this reference is what `tartan config reference` prints. An option that is marked\n\
         *reload* takes effect when the process gets SIGHUP, any other at the next start.\n",
        sections.len()
    );
    for section in &sections {
        section_write(&mut text, section);
    }
    text
}

fn section_write(text: &mut String, section: &SectionInfo) {
    let _ = write!(text, "\n## [{}]\n\n{}\n", section.name, section.doc);
    for option in &section.options {
        option_write(text, option);
    }
}

fn option_write(text: &mut String, option: &OptionInfo) {
    let default = option.default.as_ref().map_or("required".to_owned(), |value| format!("default `{value}`"));
    let reload = if option.reload == Reload::Live { ", reload" } else { "" };
    let _ = write!(text, "\n### {}\n\n{}, {default}{reload}\n\n{}\n", option.name, option.what, option.doc);
}

impl Config {
    /// A file that [`check`](crate::check) reads back as this configuration: the options that differ
    /// from their defaults, each below the first paragraph of its doc.
    pub fn to_toml(&self) -> String {
        let mut values = self.shown().into_iter();
        let mut text = String::new();
        for section in table::sections() {
            let given: Vec<(&OptionInfo, String)> = section
                .options
                .iter()
                .zip(values.by_ref())
                .filter(|(option, value)| option.default.as_ref() != Some(value))
                .collect();
            section_given(&mut text, section.name, &given);
        }
        text
    }
}

fn section_given(text: &mut String, section: &str, given: &[(&OptionInfo, String)]) {
    if given.is_empty() {
        return;
    }
    let separator = if text.is_empty() { "" } else { "\n" };
    let _ = writeln!(text, "{separator}[{section}]");
    for (option, value) in given {
        for line in option.doc.lines().take_while(|line| !line.is_empty()) {
            let _ = writeln!(text, "# {line}");
        }
        let _ = writeln!(text, "{} = {value}", option.key);
    }
}
