//! What servers are free to choose, made the same: the order of flags, attributes and items, quotes around what
//! could be an atom, response codes that need not be there, the order in which messages are expunged.

use std::collections::BTreeSet;

/// Codes that a server may leave out (RFC 5530 1).
const CODES_FREE: [&str; 19] = [
    "UNAVAILABLE",
    "AUTHENTICATIONFAILED",
    "AUTHORIZATIONFAILED",
    "EXPIRED",
    "PRIVACYREQUIRED",
    "CONTACTADMIN",
    "NOPERM",
    "INUSE",
    "EXPUNGEISSUED",
    "CORRUPTION",
    "SERVERBUG",
    "CLIENTBUG",
    "CANNOT",
    "LIMIT",
    "OVERQUOTA",
    "ALREADYEXISTS",
    "NONEXISTENT",
    "ALERT",
    "TOOBIG",
];

/// A response, or a pattern of one, with all that has no order sorted. What cannot be taken apart stays as it is.
pub fn canonical(text: &str) -> String {
    let Some(rest) = text.strip_prefix("* ") else { return without_free_code(text) };
    let sorted = match rest.split(' ').collect::<Vec<_>>()[..] {
        [_, "FETCH", ..] => rest.split_once(" (").and_then(|(head, items)| fetch(head, items)),
        ["STATUS", ..] => named_pairs(rest),
        ["LIST" | "LSUB", ..] => list(rest),
        ["ESEARCH", ..] => esearch(rest),
        ["FLAGS", ..] => rest.split_once(' ').map(|(name, flags)| format!("{name} {}", sorted_list(flags))),
        ["OK", "[PERMANENTFLAGS", ..] => permanent_flags(rest),
        ["ENABLED" | "CAPABILITY", ..] => Some(sorted_words(rest)),
        _ => None,
    };
    sorted.map_or_else(|| text.to_owned(), |sorted| format!("* {sorted}"))
}

/// What a server may say at any time without being asked, and which changes nothing of what a transcript is about.
pub fn is_aside(response: &str) -> bool {
    let counts = [" EXISTS", " RECENT"].iter().any(|name| response.ends_with(name));
    let states = ["* OK ", "* FLAGS ", "* CAPABILITY "].iter().any(|start| response.starts_with(start));
    counts
        || states
        || items(response).is_some_and(|items| items.iter().step_by(2).all(|name| is_state(name)))
}

/// A FETCH response without the state of its message that `pattern` does not ask for: a server may always tell that.
pub fn without_extras(response: &str, pattern: &str) -> String {
    let Some(items) = items(response) else { return response.to_owned() };
    let wanted = |name: &str| !is_state(name) || pattern.contains(&format!("{name} "));
    let kept: Vec<String> =
        items.chunks(2).filter(|pair| wanted(&pair[0])).map(|pair| pair.join(" ")).collect();
    let head = response.split_once('(').map_or(response, |(head, _)| head);
    format!("{head}({})", kept.join(" "))
}

fn is_state(name: &str) -> bool {
    matches!(name, "FLAGS" | "UID" | "MODSEQ")
}

/// The names and values of a FETCH response.
fn items(response: &str) -> Option<Vec<String>> {
    let (head, items) = response.split_once(" (")?;
    head.ends_with(" FETCH").then(|| tokens(items.strip_suffix(')')?))?.filter(|tokens| tokens.len() % 2 == 0)
}

/// A tagged NO or BAD without the code that need not be there.
fn without_free_code(text: &str) -> String {
    let bare = |text: &str| {
        let (head, rest) = text.split_once(" [")?;
        let (code, rest) = rest.split_once("] ")?;
        CODES_FREE.contains(&code).then(|| format!("{head} {rest}"))
    };
    bare(text).unwrap_or_else(|| text.to_owned())
}

fn fetch(head: &str, items: &str) -> Option<String> {
    Some(format!("{head} ({})", pairs(tokens(items.strip_suffix(')')?)?)?))
}

fn named_pairs(text: &str) -> Option<String> {
    let (head, items) = text.rsplit_once(" (")?;
    let name = mailbox(head.strip_prefix("STATUS ")?);
    Some(format!("STATUS {name} ({})", pairs(tokens(items.strip_suffix(')')?)?)?))
}

fn list(text: &str) -> Option<String> {
    let [kind, attributes, separator, name] = tokens(text)?.try_into().ok()?;
    Some(format!("{kind} {} {separator} {}", sorted_list(&attributes), mailbox(&name)))
}

fn esearch(text: &str) -> Option<String> {
    let (head, results) = text.split_once(')')?;
    let (uid, results) = results.strip_prefix(" UID").map_or(("", results), |rest| (" UID", rest));
    Some(format!("{head}){uid} {}", pairs(tokens(results.trim_start())?)?))
}

fn permanent_flags(text: &str) -> Option<String> {
    let (head, rest) = text.split_once(" (")?;
    let (flags, text) = rest.split_once(")]")?;
    Some(format!("{head} {}]{text}", sorted_list(&format!("({flags})"))))
}

/// `NAME value NAME value`, by name; lists in parentheses are sorted.
fn pairs(tokens: Vec<String>) -> Option<String> {
    let pair = |pair: &[String]| match pair {
        [name, value] if name == "FLAGS" => Some(format!("{name} {}", sorted_list(value))),
        [name, value] if name == "INTERNALDATE" => {
            Some(format!("{name} {}", value.replacen("\" ", "\"0", 1)))
        }
        [name, value] => Some(format!("{name} {value}")),
        _ => None,
    };
    let mut pairs = tokens.chunks(2).map(pair).collect::<Option<Vec<String>>>()?;
    pairs.sort();
    Some(pairs.join(" "))
}

/// The words in parentheses in order.
fn sorted_list(list: &str) -> String {
    match list.strip_prefix('(').and_then(|list| list.strip_suffix(')')) {
        Some(words) => format!("({})", sorted_words(words)),
        None => list.to_owned(),
    }
}

/// Words in order; where a pattern has `...` among them, anything may stand before, between and behind them.
fn sorted_words(words: &str) -> String {
    let apart = words.replace("...", " ");
    let mut sorted: Vec<&str> = apart.split(' ').filter(|word| !word.is_empty()).collect();
    sorted.sort_unstable();
    match words.contains("...") {
        true => format!("...{}...", sorted.join("...")),
        false => sorted.join(" "),
    }
}

/// A mailbox name without quotes that it does not need; INBOX as it is written here.
fn mailbox(name: &str) -> String {
    let bare = name.replace('"', "");
    if bare.eq_ignore_ascii_case("INBOX") { "INBOX".to_owned() } else { bare }
}

/// Splits at spaces that are in no parentheses, brackets, quotes or literals; none where these do not match.
fn tokens(text: &str) -> Option<Vec<String>> {
    let mut tokens = vec![String::new()];
    let (mut rest, mut depth) = (text, 0);
    while let Some(char) = rest.chars().next() {
        let length = match char {
            '"' => quoted_length(rest)?,
            '{' => literal_length(rest).unwrap_or(1),
            _ => char.len_utf8(),
        };
        depth += i32::from(matches!(char, '(' | '[')) - i32::from(matches!(char, ')' | ']'));
        match char {
            ' ' if depth == 0 => tokens.push(String::new()),
            _ => tokens.last_mut()?.push_str(&rest[..length]),
        }
        rest = &rest[length..];
    }
    tokens.retain(|token| !token.is_empty());
    (depth == 0).then_some(tokens)
}

fn quoted_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, char)| {
        let ends = *char == '"' && !escaped;
        escaped = *char == '\\' && !escaped;
        ends
    });
    end.map(|(at, _)| at + 1)
}

/// `{count}` and so many octets, `\r\n` being two.
fn literal_length(text: &str) -> Option<usize> {
    let (count, mut rest) = text[1..].split_once('}')?;
    let (mut octets, mut length) = (count.parse::<usize>().ok()?, count.len() + 2);
    while octets > 0 {
        let (wide, size) = match rest.starts_with("\\r\\n") {
            true => (4, 2),
            false => rest.chars().next().map(|char| (char.len_utf8(), char.len_utf8()))?,
        };
        octets = octets.checked_sub(size)?;
        length += wide;
        rest = &rest[wide..];
    }
    Some(length)
}

/// EXPUNGE responses, each of which renumbers what comes after it: the messages that they mean, whatever their order.
#[derive(Default)]
pub struct Expunged {
    expected: Vec<u32>,
    received: Vec<u32>,
}

impl Expunged {
    /// Takes the EXPUNGE responses out of what is expected.
    pub fn of(patterns: &mut Vec<String>) -> Self {
        let expected = patterns.iter().filter_map(|pattern| expunge(pattern)).collect();
        patterns.retain(|pattern| expunge(pattern).is_none());
        Self { expected, received: Vec::new() }
    }

    pub fn waits(&self) -> bool {
        self.received.len() < self.expected.len()
    }

    /// Takes a response if it is one that is waited for.
    pub fn take(&mut self, response: &str) -> bool {
        let number = expunge(response).filter(|_| self.waits());
        self.received.extend(number);
        number.is_some()
    }

    pub fn check(&self) -> Result<(), String> {
        match originals(&self.expected) == originals(&self.received) {
            true => Ok(()),
            false => {
                Err(format!("\n  expected EXPUNGE of {:?}\n  received {:?}", self.expected, self.received))
            }
        }
    }
}

fn expunge(response: &str) -> Option<u32> {
    response.strip_prefix("* ")?.strip_suffix(" EXPUNGE")?.parse().ok()
}

/// The numbers that messages had before any was expunged.
fn originals(numbers: &[u32]) -> BTreeSet<u32> {
    let mut removed = BTreeSet::new();
    for number in numbers {
        let shifted = |number: u32, before: &u32| if *before <= number { number + 1 } else { number };
        let original = removed.iter().fold(*number, shifted);
        removed.insert(original);
    }
    removed
}
