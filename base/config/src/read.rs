//! From text to [`Config`], collecting every mistake.

use crate::value::{Found, Mistake, Value};
use crate::{Config, ConfigError, ConfigErrors, SectionInfo, System, table};
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;
use toml::de::DeTable;

/// Checks the text of a configuration file; `file` is its name for messages.
///
/// # Errors
/// Everything that is wrong with it, at once, in the order of its lines.
pub fn check(file: &str, text: &str) -> Result<Config, ConfigErrors> {
    check_by(file, text, |_| Vec::new())
}

/// As [`check`], with more rules: `rules` gives section, key and what is wrong for each breach.
///
/// # Errors
/// As [`check`].
pub fn check_by(
    file: &str,
    text: &str,
    rules: impl FnOnce(&Config) -> Vec<(&'static str, &'static str, String)>,
) -> Result<Config, ConfigErrors> {
    let (table, syntax) = DeTable::parse_recoverable(text);
    let mut reader = Reader::new(&table);
    for error in syntax {
        let span = error.span().unwrap_or_default();
        reader.mistake(span.clone(), syntax_mistake(error.message(), text.get(span).unwrap_or_default()));
    }
    reader.unknown(&table::sections());
    let config = Config::read(&mut reader);
    if let Some(config) = &config {
        crate::rules::check(config, &mut reader);
        for (section, key, message) in rules(config) {
            reader.option_mistake(section, key, &message);
        }
    }
    match (config, reader.errors(text)) {
        (Some(config), errors) if errors.is_empty() => Ok(config),
        (_, errors) => Err(ConfigErrors { file: file.to_owned(), errors }),
    }
}

/// The section `[system]` of a file, whatever is wrong with the others: enough to find the system that runs by an earlier
/// version of it. None where that section has a mistake.
pub fn system(text: &str) -> Option<System> {
    let (table, _) = DeTable::parse_recoverable(text);
    let mut reader = Reader::new(&table);
    System::read(&mut reader).filter(|_| reader.mistakes.is_empty())
}

/// Reads options from the parsed file and keeps the mistakes.
pub(crate) struct Reader<'a> {
    table: &'a DeTable<'a>,
    mistakes: Vec<Mistake>,
    missing: Vec<String>,
    /// The options whose values are of no use: rules between options say nothing more of them.
    wrong: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(table: &'a Spanned<DeTable<'a>>) -> Self {
        Self { table: table.get_ref(), mistakes: Vec::new(), missing: Vec::new(), wrong: Vec::new() }
    }

    /// The option's value, or its default: also in place of a wrong value, so that what else is wrong is found in the
    /// same run. None where there is no default.
    pub(crate) fn option<T: Value>(&mut self, (section, key): (&str, &str), default: Option<T>) -> Option<T> {
        let Some(found) = self.found(section, key) else {
            if default.is_none() {
                self.missing.push(format!("{section}.{key} is required: {}", T::what()));
            }
            return default;
        };
        match T::read(found) {
            Ok(value) => Some(value),
            Err(mistakes) => {
                let named = |mistake: Mistake| Mistake {
                    message: format!("{section}.{key}: {}", mistake.message),
                    ..mistake
                };
                self.mistakes.extend(mistakes.into_iter().map(named));
                self.wrong.push(format!("{section}.{key}"));
                default
            }
        }
    }

    fn found(&self, section: &str, key: &str) -> Option<&Found<'_>> {
        self.table.get(section)?.get_ref().as_table()?.get(key)
    }

    /// Adds a mistake at the option, or at no line where the file leaves it to its default.
    ///
    /// Of an option whose value is of no use nothing more is said.
    pub(crate) fn option_mistake(&mut self, section: &str, key: &str, message: &str) {
        if self.is_wrong(section, key) {
            return;
        }
        let message = format!("{section}.{key}: {message}");
        match self.found(section, key).map(Found::span) {
            Some(span) => self.mistake(span, message),
            None => self.missing.push(message),
        }
    }

    /// Whether the option's value is of no use, so that a default stands for it.
    pub(crate) fn is_wrong(&self, section: &str, key: &str) -> bool {
        self.wrong.contains(&format!("{section}.{key}"))
    }

    fn mistake(&mut self, span: Range<usize>, message: String) {
        self.mistakes.push(Mistake { span, message });
    }

    /// Finds sections and keys that the table does not have.
    fn unknown(&mut self, sections: &[SectionInfo]) {
        for (name, value) in self.table {
            match sections.iter().find(|section| section.name == name.get_ref().as_ref()) {
                None => self.unknown_section(name.get_ref(), name.span(), sections),
                Some(section) => match value.get_ref().as_table() {
                    Some(keys) => self.unknown_keys(section, keys, sections),
                    None => self.mistake(
                        value.span(),
                        format!(
                            "{name} is a section: write [{name}] and its options below it",
                            name = section.name
                        ),
                    ),
                },
            }
        }
    }

    fn unknown_section(&mut self, name: &str, span: Range<usize>, sections: &[SectionInfo]) {
        let known = sections.iter().map(|section| section.name);
        let hint = suggestion(name, known).map_or_else(
            || format!("the sections are {}", listed(sections.iter().map(|section| section.name))),
            |close| format!("did you mean [{close}]?"),
        );
        self.mistake(span, format!("there is no section [{name}]: {hint}"));
    }

    fn unknown_keys(&mut self, section: &SectionInfo, keys: &DeTable<'_>, sections: &[SectionInfo]) {
        let is_known = |key: &str| section.options.iter().any(|option| option.key == key);
        for (key, _) in keys.iter().filter(|(key, _)| !is_known(key.get_ref())) {
            let hint = key_hint(key.get_ref(), section, sections);
            self.mistake(
                key.span(),
                format!("there is no option {}.{}: {hint}", section.name, key.get_ref()),
            );
        }
    }

    /// All mistakes by line, then what is missing.
    fn errors(mut self, text: &str) -> Vec<ConfigError> {
        self.mistakes.sort_by_key(|mistake| mistake.span.start);
        let at_line = |mistake: Mistake| ConfigError {
            line: Some(line_of(text, mistake.span.start)),
            message: mistake.message,
        };
        let missing = self.missing.into_iter().map(|message| ConfigError { line: None, message });
        self.mistakes.into_iter().map(at_line).chain(missing).collect()
    }
}

/// What the parser says, which does not name a key that is given twice.
fn syntax_mistake(message: &str, place: &str) -> String {
    match message {
        "duplicate key" if !place.is_empty() => format!("{place} is given twice"),
        message => message.to_owned(),
    }
}

/// A close key of the section, the same key of another, or the list of keys.
fn key_hint(key: &str, section: &SectionInfo, sections: &[SectionInfo]) -> String {
    let own = section.options.iter().map(|option| option.key);
    if let Some(close) = suggestion(key, own.clone()) {
        return format!("did you mean {close}?");
    }
    let elsewhere: BTreeMap<&str, &str> =
        sections.iter().flat_map(|other| &other.options).map(|option| (option.key, option.section)).collect();
    match elsewhere.get(key) {
        Some(other) => format!("did you mean {key} in [{other}]?"),
        None => format!("the options of [{}] are {}", section.name, listed(own)),
    }
}

/// The known word that is closest to `word`, if it is close.
fn suggestion<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let close = known.map(|candidate| (strsim::jaro_winkler(word, candidate), candidate));
    let (similarity, candidate) = close.max_by(|one, other| one.0.total_cmp(&other.0))?;
    (similarity > 0.82).then_some(candidate)
}

fn listed<'w>(words: impl Iterator<Item = &'w str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}
