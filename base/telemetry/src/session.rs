//! Session ids.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Names one session in logs, `Received` fields and audit records.
///
/// Unique on one host: the second at which the process started, and a counter. Shown as eleven
/// characters of lower-case base 32 without vowels that read alike.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(u64);

/// Bits of the id that count sessions; the rest is the second of the process start.
const COUNTER_BITS: u32 = 22;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const SHOWN_CHARS: usize = 11;

static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| {
    let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    AtomicU64::new(started << COUNTER_BITS)
});

impl SessionId {
    /// The next id of this process.
    pub fn next() -> Self {
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = [0u8; SHOWN_CHARS];
        for (place, slot) in shown.iter_mut().rev().enumerate() {
            *slot = ALPHABET[(self.0 >> (5 * place)) as usize & 31];
        }
        f.write_str(std::str::from_utf8(&shown).expect("the alphabet is ASCII"))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::SessionId;
    use std::collections::HashSet;

    #[test]
    fn ids_differ_and_sort_in_the_order_they_were_made() {
        let shown: Vec<String> = (0..1_000).map(|_| SessionId::next().to_string()).collect();
        assert!(shown.is_sorted());
        assert_eq!(shown.iter().collect::<HashSet<_>>().len(), shown.len());
        assert!(shown.iter().all(|id| id.len() == 11));
    }
}
