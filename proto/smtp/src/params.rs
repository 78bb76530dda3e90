//! The parameters of MAIL and RCPT: SIZE (RFC 1870), BODY (RFC 6152, RFC 3030), SMTPUTF8 (RFC 6531), AUTH
//! (RFC 4954), RET, ENVID, NOTIFY and ORCPT (RFC 3461).

use address::{AuthParam, BodyKind, Envid, MailParams, Notify, Orcpt, Ret};

use crate::Refusal;

/// Reads the parameters of MAIL.
pub fn mail(text: &str) -> Result<MailParams, Refusal> {
    let mut params = MailParams::default();
    for (keyword, value) in parameters(text)? {
        match (keyword.as_str(), value) {
            ("SIZE", Some(value)) => params.size = Some(size(value)?),
            ("BODY", Some(value)) => params.body = body(value)?,
            ("SMTPUTF8", None) => params.smtputf8 = true,
            ("AUTH", Some(value)) => params.auth = Some(sound("AUTH", AuthParam::parse(value))?),
            ("RET", Some(value)) => params.ret = Some(sound("RET", Ret::parse(value))?),
            ("ENVID", Some(value)) => params.envid = Some(sound("ENVID", Envid::parse(value))?),
            (keyword, value) => return Err(refused(keyword, value, MAIL_KEYWORDS)),
        }
    }
    Ok(params)
}

/// Reads the parameters of RCPT.
pub fn rcpt(text: &str) -> Result<(Notify, Option<Orcpt>), Refusal> {
    let (mut notify, mut orcpt) = (Notify::default(), None);
    for (keyword, value) in parameters(text)? {
        match (keyword.as_str(), value) {
            ("NOTIFY", Some(value)) => notify = sound("NOTIFY", Notify::parse(value))?,
            ("ORCPT", Some(value)) => orcpt = Some(sound("ORCPT", Orcpt::parse(value))?),
            (keyword, value) => return Err(refused(keyword, value, RCPT_KEYWORDS)),
        }
    }
    Ok((notify, orcpt))
}

const MAIL_KEYWORDS: &[&str] = &["SIZE", "BODY", "SMTPUTF8", "AUTH", "RET", "ENVID"];
const RCPT_KEYWORDS: &[&str] = &["NOTIFY", "ORCPT"];

/// Splits `KEY=value KEY ...`; keywords in upper case, each at most once.
// esmtp-param = esmtp-keyword [ "=" esmtp-value ] (RFC 5321 4.1.2)
fn parameters(text: &str) -> Result<Vec<(String, Option<&str>)>, Refusal> {
    let mut found: Vec<(String, Option<&str>)> = vec![];
    for word in text.split_ascii_whitespace() {
        let (keyword, value) = match word.split_once('=') {
            Some((keyword, value)) => (keyword.to_ascii_uppercase(), Some(value)),
            None => (word.to_ascii_uppercase(), None),
        };
        if found.iter().any(|(known, _)| *known == keyword) {
            return Err(bad(&format!("{keyword} given twice")));
        }
        found.push((keyword, value));
    }
    Ok(found)
}

// size-value = 1*20DIGIT (RFC 1870 3); a number too big for us is certainly too big a message.
fn size(value: &str) -> Result<u64, Refusal> {
    let is_number = (1..=20).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
    if is_number { Ok(value.parse().unwrap_or(u64::MAX)) } else { Err(bad("SIZE is malformed")) }
}

/// BINARYMIME is not offered, so it is a value that is not implemented.
fn body(value: &str) -> Result<BodyKind, Refusal> {
    match sound("BODY", BodyKind::parse(value))? {
        BodyKind::BinaryMime => Err(Refusal::new(555, (5, 5, 4), "BODY=BINARYMIME is not offered")),
        kind => Ok(kind),
    }
}

fn sound<T>(keyword: &str, parsed: Result<T, address::AddressError>) -> Result<T, Refusal> {
    parsed.map_err(|error| bad(&format!("{keyword}: {error}")))
}

fn bad(text: &str) -> Refusal {
    Refusal::new(501, (5, 5, 4), text)
}

/// RFC 5321 4.1.1.11: 555 for a parameter that is not known; 501 for a known one with or without a value
/// against its grammar.
fn refused(keyword: &str, value: Option<&str>, known: &[&str]) -> Refusal {
    match (known.contains(&keyword), value) {
        (true, Some(_)) => bad(&format!("{keyword} takes no value")),
        (true, None) => bad(&format!("{keyword} needs a value")),
        (false, _) => Refusal::new(555, (5, 5, 4), format!("{keyword}: parameter not known")),
    }
}
