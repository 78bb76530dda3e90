//! Messages that are rendered before the clock runs; only a serial number is written into each when it is sent, because
//! Cyrus drops what has the Message-ID of a message that it knows.

use clap::ValueEnum;
use std::fmt::Write;

/// What a message is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Payload {
    /// English words: what compression halves.
    Text,
    /// Random bytes in base64, as an attachment: what compression leaves as it is.
    Incompressible,
}

/// A message with a place for its serial number.
pub struct Letter {
    bytes: Vec<u8>,
    serial_at: usize,
}

/// Different texts among all the messages of a measurement.
const LETTERS: u64 = 64;

const DIGITS: usize = 12;

/// Characters of a line; the last one is longer.
const LINE: usize = 70;

impl Letter {
    /// Appends the message, as the one with the number `serial`.
    pub fn write(&self, serial: u64, to: &mut Vec<u8>) {
        let start = to.len() + self.serial_at;
        to.extend_from_slice(&self.bytes);
        let mut rest = serial;
        for digit in to[start..start + DIGITS].iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).expect("a digit");
            rest /= 10;
        }
    }

    /// Bytes of the message.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// Some messages of `size` bytes, all different.
pub fn made(payload: Payload, size: usize) -> Vec<Letter> {
    (1..=LETTERS).map(|seed| letter(payload, size, &mut Random(seed))).collect()
}

fn letter(payload: Payload, size: usize, random: &mut Random) -> Letter {
    let mut text = header(payload, random);
    let serial_at = text.find("000000000000@").expect("the header has a Message-ID");
    while text.len() + 2 < size {
        let line = match payload {
            Payload::Text => words(random) + &words(random),
            Payload::Incompressible => base64(random) + &base64(random),
        };
        let room = size - text.len() - 2;
        text.push_str(&line[..if room < 2 * LINE { room } else { LINE }]);
        text.push_str("\r\n");
    }
    Letter { bytes: text.into_bytes(), serial_at }
}

fn header(payload: Payload, random: &mut Random) -> String {
    let (kind, encoding) = match payload {
        Payload::Text => ("text/plain; charset=utf-8", "7bit"),
        Payload::Incompressible => ("application/octet-stream", "base64"),
    };
    let subject = words(random);
    format!(
        "From: A Sender <bench@client.test>\r\nTo: Its Reader <reader@peer.test>\r\nSubject: {}\r\n\
         Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <000000000000@client.test>\r\nMIME-Version: 1.0\r\n\
         Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n",
        &subject[..40]
    )
}

/// A line of words of different lengths, some of them frequent as in English.
fn words(random: &mut Random) -> String {
    const SYLLABLES: [&str; 24] = [
        "the", "of", "and", "to", "in", "ing", "er", "re", "con", "tion", "al", "ment", "ex", "per", "ver",
        "at", "en", "est", "com", "ly", "un", "st", "ar", "is",
    ];
    let mut line = String::new();
    while line.len() < LINE {
        for _ in 0..=random.below(3) {
            line.push_str(SYLLABLES[random.below(24)]);
        }
        line.push(' ');
    }
    line
}

fn base64(random: &mut Random) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..LINE).map(|_| char::from(ALPHABET[random.below(64)])).collect()
}

/// Xorshift: the same messages in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31) ^ 0x5851_f42d_4c95_7f2d;
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }
}

/// A line of a log: the name that the command line takes.
impl std::fmt::Display for Payload {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut name = String::new();
        write!(name, "{}", self.to_possible_value().expect("it has a name").get_name())?;
        out.pad(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::{Payload, made};

    #[test]
    fn a_message_has_the_size_asked_for_and_whole_lines() {
        for (payload, size) in
            [(Payload::Text, 1_024), (Payload::Incompressible, 8_192), (Payload::Text, 8_193)]
        {
            let mut message = Vec::new();
            made(payload, size)[7].write(42, &mut message);
            assert_eq!(message.len(), size);
            let text = String::from_utf8(message).expect("it is ASCII");
            assert!(text.contains("Message-ID: <000000000042@client.test>\r\n"), "{text}");
            assert!(!text.replace("\r\n", "").contains(['\r', '\n']) && text.ends_with("\r\n"), "{text}");
        }
    }
}
