//! `cargo xtask tidy`: lengths, names and leftovers. Exceptions stand in `dev/xtask/tidy-exceptions.txt`,
//! one a line with its reason, so that they are seen; one that is no longer needed is a breach too.

use crate::source::{self, Source};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 1_500;
const BANNED_PREFIX: &str = "get_";
const BANNED_WORDS: [&str; 6] = ["manager", "helper", "util", "common", "core", "context"];
/// Written in halves, so that this file does not hold what it looks for.
const LEFTOVERS: [&str; 3] = [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("XX", "X:")];

/// One breach: where, what it concerns (the key of an exception), and what is wrong.
struct Breach {
    place: String,
    key: String,
    what: String,
}

/// All breaches that no exception names, and exceptions that name no breach.
pub fn breaches(root: &Path) -> Vec<String> {
    let exceptions = exceptions(root);
    let mut used = BTreeSet::new();
    let mut found = Vec::new();
    for breach in source::files(root, "rs").iter().flat_map(file_breaches) {
        if exceptions.contains(&breach.key) {
            used.insert(breach.key);
        } else {
            found.push(format!("{}: {}", breach.place, breach.what));
        }
    }
    found.extend(exceptions.difference(&used).map(|key| format!("tidy-exceptions.txt: {key} is not needed")));
    found
}

/// The first word of each line; the reason follows it.
fn exceptions(root: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(root.join("dev/xtask/tidy-exceptions.txt")).unwrap_or_default();
    let entries = text.lines().filter(|line| !line.starts_with('#'));
    entries.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn file_breaches(file: &Source) -> Vec<Breach> {
    let mut found = Vec::new();
    let path = file.path.display().to_string();
    let lines = file.text.lines().count();
    if lines > FILE_LINES_MAX {
        let what = format!("{lines} lines, of {FILE_LINES_MAX} at most");
        found.push(Breach { place: path.clone(), key: path.clone(), what });
    }
    let stem = file.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    found.extend(name_breach(&path, 1, stem));
    found.extend(leftovers(file, &path));
    match syn::parse_file(&file.text) {
        Ok(parsed) => {
            let mut visitor = Names { path: &path, found: &mut found };
            visitor.visit_file(&parsed);
        }
        Err(error) => {
            found.push(Breach { place: path.clone(), key: path.clone(), what: format!("not Rust: {error}") });
        }
    }
    found
}

fn leftovers<'a>(file: &'a Source, path: &'a str) -> impl Iterator<Item = Breach> + 'a {
    file.text.lines().enumerate().filter_map(move |(number, line)| {
        let word = LEFTOVERS.iter().find(|word| line.contains(**word))?;
        let place = format!("{path}:{}", number + 1);
        Some(Breach { key: place.clone(), place, what: format!("a leftover {word}") })
    })
}

fn name_breach(path: &str, line: usize, name: &str) -> Option<Breach> {
    let lower = name.to_lowercase();
    let snake = snake_words(name);
    let banned = BANNED_WORDS.iter().find(|word| snake.iter().any(|w| w == *word));
    let word = banned.copied().or_else(|| lower.starts_with(BANNED_PREFIX).then_some(BANNED_PREFIX))?;
    Some(Breach {
        place: format!("{path}:{line}"),
        key: format!("{path}::{name}"),
        what: format!("`{name}` has the banned word `{word}`"),
    })
}

/// `MailboxManager` and `mailbox_manager` alike give `mailbox`, `manager`.
fn snake_words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c.is_uppercase() {
            words.push(String::new());
        }
        if c != '_' {
            words.last_mut().expect("it begins with one word").extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

struct Names<'a> {
    path: &'a str,
    found: &'a mut Vec<Breach>,
}

impl Names<'_> {
    fn name(&mut self, ident: &syn::Ident) {
        let line = ident.span().start().line;
        self.found.extend(name_breach(self.path, line, &ident.to_string()));
    }

    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        self.name(&signature.ident);
        let (start, end) = (signature.span().start().line, block.span().end().line);
        let lines = end + 1 - start;
        if lines > FUNCTION_LINES_MAX {
            self.found.push(Breach {
                place: format!("{}:{start}", self.path),
                key: format!("{}::{}", self.path, signature.ident),
                what: format!("`{}` has {lines} lines, of {FUNCTION_LINES_MAX} at most", signature.ident),
            });
        }
    }
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.name(&item.ident);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.name(&item.ident);
        visit::visit_item_enum(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.name(&item.ident);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.name(&item.ident);
        visit::visit_item_mod(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.name(&item.ident);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn breaches_of(text: &str) -> Vec<String> {
        let file = Source { path: PathBuf::from("base/x/src/lib.rs"), text: text.to_owned() };
        file_breaches(&file).into_iter().map(|breach| breach.what).collect()
    }

    #[test]
    fn banned_words_are_found_whole_and_only_whole() {
        assert_eq!(breaches_of("struct MailboxManager;").len(), 1);
        assert_eq!(breaches_of("fn get_it() {}").len(), 1);
        assert!(breaches_of("fn score() {} struct Utility; fn target_of() {}").is_empty());
    }

    #[test]
    fn a_function_of_71_lines_is_too_long() {
        let body = |lines: usize| format!("fn long() {{\n{}}}", "    f();\n".repeat(lines - 2));
        assert!(breaches_of(&body(70)).is_empty());
        assert_eq!(breaches_of(&body(71)).len(), 1);
    }

    #[test]
    fn leftovers_are_found_in_comments() {
        assert_eq!(breaches_of(&format!("// {}: later\n", LEFTOVERS[0])).len(), 1);
    }
}
