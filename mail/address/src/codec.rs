//! The binary form of the envelope, for the spool.
//!
//! One version byte, then the fields in order: a text is its length as a LEB128 number and its bytes; what may be
//! missing has a byte 0 or 1 in front. A later version adds fields behind the last; version 1 stays readable.

use crate::{
    Address, AuthParam, BodyKind, Envelope, Envid, MailParams, Notify, Orcpt, Recipient, Ret, ReversePath,
};

/// The version that is written.
const VERSION: u8 = 1;

/// Stored bytes that are no envelope: the store is damaged or newer than this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside a field.
    #[error("the stored envelope is cut short")]
    Short,
    /// The version byte is one that this program does not know.
    #[error("the stored envelope has version {0}, which this program does not know")]
    Version(u8),
    /// A field holds what it cannot hold.
    #[error("the stored envelope has a bad {0}")]
    Field(&'static str),
}

impl Envelope {
    /// Appends the binary form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        put_text(out, &self.reverse_path.to_string());
        put_params(out, &self.params);
        put_number(out, self.recipients.len() as u64);
        self.recipients.iter().for_each(|recipient| put_recipient(out, recipient));
    }

    /// Reads the binary form from the front of `input` and moves `input` behind it.
    pub fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        take_version(input)?;
        let reverse_path =
            ReversePath::parse(take_text(input)?).map_err(|_| DecodeError::Field("reverse path"))?;
        let params = take_params(input)?;
        let count = take_number(input)?;
        let recipients = (0..count).map(|_| take_recipient(input)).collect::<Result<_, _>>()?;
        Ok(Self { reverse_path, recipients, params })
    }
}

impl Recipient {
    /// Appends the binary form, with a version of its own in front.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        put_recipient(out, self);
    }

    /// Reads the binary form from the front of `input` and moves `input` behind it.
    pub fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        take_version(input)?;
        take_recipient(input)
    }
}

fn put_recipient(out: &mut Vec<u8>, recipient: &Recipient) {
    put_text(out, &recipient.address.to_string());
    out.push(recipient.notify.bits());
    put_option(out, recipient.orcpt.as_ref(), |out, orcpt| {
        put_text(out, orcpt.addr_type());
        put_text(out, orcpt.address());
    });
}

fn take_recipient(input: &mut &[u8]) -> Result<Recipient, DecodeError> {
    let address = Address::parse(take_text(input)?).map_err(|_| DecodeError::Field("recipient"))?;
    let notify = Notify::from_bits(take_byte(input)?).ok_or(DecodeError::Field("notify"))?;
    let orcpt = take_option(input, |input| {
        let addr_type = take_text(input)?;
        Ok(Orcpt::from_parts(addr_type, take_text(input)?.to_owned()))
    })?;
    Ok(Recipient { address, notify, orcpt })
}

fn put_params(out: &mut Vec<u8>, params: &MailParams) {
    put_option(out, params.ret, |out, ret| out.push(u8::from(ret == Ret::Headers)));
    put_option(out, params.envid.as_ref(), |out, envid| put_text(out, envid.as_str()));
    out.push(u8::from(params.smtputf8));
    out.push(params.body as u8);
    put_option(out, params.auth.as_ref(), |out, auth| match auth {
        AuthParam::Unknown => put_text(out, ""),
        AuthParam::Mailbox(mailbox) => put_text(out, mailbox),
    });
    put_option(out, params.size, put_number);
}

fn take_params(input: &mut &[u8]) -> Result<MailParams, DecodeError> {
    Ok(MailParams {
        ret: take_option(input, take_ret)?,
        envid: take_option(input, |input| take_text(input).map(Envid::from_decoded))?,
        smtputf8: take_byte(input)? != 0,
        body: take_body(input)?,
        auth: take_option(input, |input| take_text(input).map(stored_auth))?,
        size: take_option(input, take_number)?,
    })
}

fn take_ret(input: &mut &[u8]) -> Result<Ret, DecodeError> {
    match take_byte(input)? {
        0 => Ok(Ret::Full),
        1 => Ok(Ret::Headers),
        _ => Err(DecodeError::Field("ret")),
    }
}

fn take_body(input: &mut &[u8]) -> Result<BodyKind, DecodeError> {
    match take_byte(input)? {
        0 => Ok(BodyKind::SevenBit),
        1 => Ok(BodyKind::EightBitMime),
        2 => Ok(BodyKind::BinaryMime),
        _ => Err(DecodeError::Field("body")),
    }
}

/// A mailbox is never empty, so that the empty text can stand for `<>`.
fn stored_auth(text: &str) -> AuthParam {
    if text.is_empty() { AuthParam::Unknown } else { AuthParam::Mailbox(text.into()) }
}

fn put_option<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

fn take_option<'a, T>(
    input: &mut &'a [u8],
    take: impl FnOnce(&mut &'a [u8]) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    if take_byte(input)? == 0 { Ok(None) } else { take(input).map(Some) }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn take_text<'a>(input: &mut &'a [u8]) -> Result<&'a str, DecodeError> {
    let length = usize::try_from(take_number(input)?).map_err(|_| DecodeError::Short)?;
    let (text, rest) = input.split_at_checked(length).ok_or(DecodeError::Short)?;
    *input = rest;
    std::str::from_utf8(text).map_err(|_| DecodeError::Field("text"))
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take_number(input: &mut &[u8]) -> Result<u64, DecodeError> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = take_byte(input)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(DecodeError::Field("number"))
}

fn take_byte(input: &mut &[u8]) -> Result<u8, DecodeError> {
    let (&byte, rest) = input.split_first().ok_or(DecodeError::Short)?;
    *input = rest;
    Ok(byte)
}

fn take_version(input: &mut &[u8]) -> Result<(), DecodeError> {
    match take_byte(input)? {
        VERSION => Ok(()),
        other => Err(DecodeError::Version(other)),
    }
}
