//! How a stream is cut into pieces: a sequence of numbers from one byte.

/// Numbers that follow from a byte.
pub struct Cuts(u32);

impl Cuts {
    /// The sequence of `seed`.
    pub fn new(seed: u8) -> Cuts {
        Cuts(u32::from(seed).wrapping_mul(0x9e37_79b9) | 1)
    }

    /// Below `bound`, which is not zero.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as usize % bound
    }

    /// `bytes` in pieces: all of them single bytes, short ones, or some of each.
    pub fn pieces<'b>(&mut self, bytes: &'b [u8]) -> Vec<&'b [u8]> {
        let most = [1, 4, 60, 4_000][self.below(4)];
        let (mut pieces, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((1 + self.below(most)).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces
    }
}

/// The first `N` bytes, which choose how the rest is treated; zeros where there are too few.
pub fn split<const N: usize>(bytes: &[u8]) -> ([u8; N], &[u8]) {
    match bytes.split_first_chunk::<N>() {
        Some((choice, rest)) => (*choice, rest),
        None => ([0; N], b""),
    }
}

/// Panics, with both in a form to read, where they are not the same bytes.
pub fn same(left: &[u8], right: &[u8]) {
    assert_eq!(left.escape_ascii().to_string(), right.escape_ascii().to_string());
}
