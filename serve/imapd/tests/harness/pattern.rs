//! Patterns of responses: `...` is any text, `<name>` keeps a word, all else stands for itself.

use std::collections::HashMap;

/// What has been kept, and what was known from the start.
pub type Words = HashMap<String, String>;

enum Token {
    Text(String),
    Any,
    Keep(String),
}

/// The words that `pattern` keeps of `text`, or none if it does not match.
pub fn matched(pattern: &str, text: &str) -> Option<Words> {
    let mut words = Words::new();
    let tokens = tokens(pattern.trim_end());
    tokens_match(&tokens, text.trim_end(), &mut words).then_some(words)
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while !rest.is_empty() {
        let (token, length) = next_token(rest);
        rest = &rest[length..];
        match (tokens.last_mut(), token) {
            (Some(Token::Text(text)), Token::Text(more)) => text.push_str(&more),
            (_, token) => tokens.push(token),
        }
    }
    tokens
}

fn next_token(rest: &str) -> (Token, usize) {
    if rest.starts_with("...") {
        return (Token::Any, 3);
    }
    if let Some(name) = kept_name(rest) {
        return (Token::Keep(name.to_owned()), name.len() + 2);
    }
    let char = rest.chars().next().unwrap_or_default();
    (Token::Text(char.to_string()), char.len_utf8())
}

fn kept_name(rest: &str) -> Option<&str> {
    let (name, _) = rest.strip_prefix('<')?.split_once('>')?;
    (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase())).then_some(name)
}

fn tokens_match(tokens: &[Token], text: &str, words: &mut Words) -> bool {
    match tokens.split_first() {
        None => text.is_empty(),
        Some((Token::Text(wanted), rest)) => {
            text.strip_prefix(wanted.as_str()).is_some_and(|text| tokens_match(rest, text, words))
        }
        Some((Token::Any, rest)) => {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter().any(|at| tokens_match(rest, &text[at..], words))
        }
        Some((Token::Keep(name), rest)) => {
            let end = text.find([' ', ']', ')']).unwrap_or(text.len());
            words.insert(name.clone(), text[..end].to_owned());
            end > 0 && tokens_match(rest, &text[end..], words)
        }
    }
}

/// Puts the values of known words in place of `$name`, the longest names first.
pub fn filled_in(text: &str, words: &Words) -> String {
    let mut names: Vec<&String> = words.keys().collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    names.into_iter().fold(text.to_owned(), |text, name| text.replace(&format!("${name}"), &words[name]))
}
