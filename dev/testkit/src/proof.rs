//! Messages that prove themselves whole: a serial number and a checksum of the text stand in the header.

use std::fmt::Write;

/// A message with the serial number `serial` and about `size` bytes of text.
pub fn message(serial: u64, size: usize) -> Vec<u8> {
    let text = text(serial, size);
    let mut header = String::new();
    let _ = write!(
        header,
        "From: sender@client.test\r\nTo: trial\r\nSubject: proof {serial}\r\n\
         Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <proof-{serial}@client.test>\r\n\
         X-Proof: {serial} {:016x}\r\n\r\n",
        checksum(text.as_bytes())
    );
    [header.into_bytes(), text.into_bytes()].concat()
}

/// The serial number of a message whose text is whole; `Err` with the reason where it is damaged,
/// `None` where it is no message of ours.
pub fn check(message: &[u8]) -> Option<Result<u64, String>> {
    let split = message.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let header = String::from_utf8_lossy(&message[..split]);
    let proof = header.lines().find_map(|line| line.strip_prefix("X-Proof: "))?;
    let (serial, sum) = proof.split_once(' ')?;
    let serial: u64 = serial.parse().ok()?;
    let found = format!("{:016x}", checksum(&message[split + 4..]));
    Some(if found == sum { Ok(serial) } else { Err(format!("message {serial}: {found} is not {sum}")) })
}

/// Lines that differ from message to message, some of which begin with a dot.
fn text(serial: u64, size: usize) -> String {
    let mut text = String::with_capacity(size + 80);
    let mut state = serial.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while text.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let dot = if state.is_multiple_of(11) { "." } else { "" };
        let _ = write!(text, "{dot}{serial} {state:016x} the quick brown fox jumps over the lazy dog\r\n");
    }
    text
}

/// FNV-1a: enough to tell a torn or mixed text from a whole one.
pub fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::{check, message};

    #[test]
    fn a_whole_message_proves_itself_and_a_changed_one_does_not() {
        let mut whole = message(7, 500);
        assert_eq!(check(&whole), Some(Ok(7)));
        let last = whole.len() - 10;
        whole[last] ^= 1;
        assert!(matches!(check(&whole), Some(Err(_))));
        assert_eq!(check(b"Subject: other\r\n\r\ntext"), None);
    }
}
