//! What comes before and around authentication.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::cursor::{Cursor, Parsed};
use crate::{AuthLine, Command, Complaint, Secret};

/// RFC 2971 3.3: no more than 30 pairs.
const ID_PAIRS_MAX: usize = 30;

/// RFC 3501 9: `login = "LOGIN" SP userid SP password`, both `astring`
pub(super) fn login(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    let start = cursor.clone();
    let login = String::from_utf8(cursor.astring()?.into_owned());
    let login = login.or_else(|_| start.expected("a login name in UTF-8"))?;
    cursor.space()?;
    let password = Secret(cursor.astring()?.into_owned());
    Ok(Command::Login { login, password })
}

/// RFC 3501 9: `authenticate = "AUTHENTICATE" SP auth-type *(CRLF base64)`, RFC 4959 7: with
/// `[SP initial-resp]`, `initial-resp = (base64 / "=")`
pub(super) fn authenticate(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    let mechanism = cursor.word()?;
    if cursor.is_at_end() {
        return Ok(Command::Authenticate { mechanism, initial: None });
    }
    cursor.space()?;
    let start = cursor.clone();
    let text = match cursor.take_while(|byte| byte != b' ') {
        b"=" => &[],
        text => text,
    };
    let initial = STANDARD.decode(text).or_else(|_| start.expected("base64"))?;
    Ok(Command::Authenticate { mechanism, initial: Some(Secret(initial)) })
}

/// RFC 3501 6.2.2: a base64 line, or `*` to cancel.
pub(crate) fn auth_line(line: &[u8]) -> AuthLine {
    match line {
        b"*" => AuthLine::Cancel,
        _ => STANDARD.decode(line).map_or(AuthLine::Malformed, |data| AuthLine::Data(Secret(data))),
    }
}

/// RFC 5161 3.1: `enable = "ENABLE" 1*(SP capability)`
pub(super) fn enable(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let mut names = Vec::new();
    while names.is_empty() || !cursor.is_at_end() {
        cursor.space()?;
        names.push(cursor.word()?);
    }
    Ok(Command::Enable(names))
}

/// RFC 2971 4: `id = "ID" SP id-params-list`,
/// `id-params-list = "(" [string SP nstring *(SP string SP nstring)] ")" / nil`
pub(super) fn id(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    if cursor.eat_word("NIL") {
        return Ok(Command::Id(Vec::new()));
    }
    let pairs = cursor.list("a list of fields or NIL", |cursor| {
        let name = lossy(&cursor.string()?);
        cursor.space()?;
        Ok((name, cursor.nstring()?.as_deref().map(lossy)))
    })?;
    match pairs.len() {
        0..=ID_PAIRS_MAX => Ok(Command::Id(pairs)),
        _ => Err(Complaint::Limit { what: "many ID fields" }),
    }
}

fn lossy(text: impl AsRef<[u8]>) -> String {
    String::from_utf8_lossy(text.as_ref()).into_owned()
}
