//! A fingerprint for entity tags; no protection against anyone.

/// FNV-1a twice, from two starts.
pub(super) struct Hash {
    halves: [u64; 2],
}

impl Hash {
    const PRIME: u64 = 0x0100_0000_01b3;
    const START: u64 = 0xcbf2_9ce4_8422_2325;

    pub(super) fn new(seed: u64) -> Self {
        let mut hash = Self {
            halves: [Self::START, !Self::START],
        };
        hash.add(&seed.to_le_bytes());
        hash
    }

    /// Adds a piece; where a piece ends makes a difference.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        for half in &mut self.halves {
            for byte in bytes {
                *half = (*half ^ u64::from(*byte)).wrapping_mul(Self::PRIME);
            }
            *half = (*half ^ 0xffff).wrapping_mul(Self::PRIME);
        }
    }

    pub(super) fn text(&self) -> String {
        let [a, b] = self.halves;
        format!("{a:016X}{b:016X}")
    }
}
