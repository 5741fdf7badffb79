//! Fingerprints of data, for entity tags; no protection against anyone.

/// FNV-1a twice, from two starts.
pub(crate) struct Fingerprint {
    halves: [u64; 2],
}

impl Fingerprint {
    const PRIME: u64 = 0x0100_0000_01b3;
    const START: u64 = 0xcbf2_9ce4_8422_2325;

    /// Begins; another seed gives another fingerprint.
    pub(crate) fn new(seed: u64) -> Self {
        let mut out = Self {
            halves: [Self::START, !Self::START],
        };
        out.add(&seed.to_le_bytes());
        out
    }

    /// Adds a piece; where a piece ends makes a difference.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        for half in &mut self.halves {
            for byte in bytes {
                *half = (*half ^ u64::from(*byte)).wrapping_mul(Self::PRIME);
            }
            *half = (*half ^ 0xffff).wrapping_mul(Self::PRIME);
        }
    }

    /// The fingerprint of all pieces: 32 hexadecimal digits.
    pub(crate) fn text(&self) -> String {
        let [a, b] = self.halves;
        format!("{a:016X}{b:016X}")
    }
}
