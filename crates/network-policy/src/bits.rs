//! Sets of small numbers.

/// A set of numbers below a bound that is fixed when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// The empty set.
    pub(crate) fn none(len: usize) -> Self {
        Self {
            words: vec![0; len.div_ceil(64)],
            len,
        }
    }

    /// The set of all numbers below `len`.
    pub(crate) fn all(len: usize) -> Self {
        let mut all = Self::none(len);
        all.insert_range(0..len);
        all
    }

    pub(crate) fn insert(&mut self, at: usize) {
        if let Some(word) = self.words.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    pub(crate) fn insert_range(&mut self, range: std::ops::Range<usize>) {
        let end = range.end.min(self.len);
        let mut at = range.start;
        while at < end {
            let next = (at / 64 + 1) * 64;
            let upto = next.min(end);
            if let Some(word) = self.words.get_mut(at / 64) {
                let width = upto - at;
                let ones = if width == 64 {
                    u64::MAX
                } else {
                    (1 << width) - 1
                };
                *word |= ones << (at % 64);
            }
            at = upto;
        }
    }

    pub(crate) fn contains(&self, at: usize) -> bool {
        let word = self.words.get(at / 64).copied().unwrap_or(0);
        word >> (at % 64) & 1 == 1
    }

    /// Adds the members of `other`.
    pub(crate) fn add(&mut self, other: &Self) {
        for (a, b) in self.words.iter_mut().zip(&other.words) {
            *a |= b;
        }
    }

    /// Keeps the members of `other`.
    pub(crate) fn keep(&mut self, other: &Self) {
        for (a, b) in self.words.iter_mut().zip(&other.words) {
            *a &= b;
        }
    }

    /// Takes out the members of `other`.
    pub(crate) fn remove(&mut self, other: &Self) {
        for (a, b) in self.words.iter_mut().zip(&other.words) {
            *a &= !b;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|w| *w == 0)
    }

    /// Whether it has all numbers below its bound.
    pub(crate) fn is_full(&self) -> bool {
        let whole = self.len / 64;
        let rest = self.len % 64;
        self.words.iter().enumerate().all(|(at, word)| {
            if at < whole {
                *word == u64::MAX
            } else {
                *word == (1 << rest) - 1
            }
        })
    }

    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    /// The members, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        ones(&self.words)
    }
}

/// The places of the bits that are set.
pub(crate) fn ones(words: &[u64]) -> impl Iterator<Item = usize> + '_ {
    words.iter().enumerate().flat_map(|(at, word)| {
        let mut left = *word;
        std::iter::from_fn(move || {
            (left != 0).then(|| {
                let bit = left.trailing_zeros() as usize;
                left &= left - 1;
                at * 64 + bit
            })
        })
    })
}

/// Turns a block of 64 rows of 64 bits around its diagonal.
pub(crate) fn transpose(block: &mut [u64; 64]) {
    // Swap ever smaller quadrants.
    let mut width = 32;
    let mut mask = 0x0000_0000_ffff_ffff_u64;
    while width != 0 {
        for pair in block.chunks_exact_mut(width * 2) {
            let (low, high) = pair.split_at_mut(width);
            for (a, b) in low.iter_mut().zip(high) {
                let swapped = (*a >> width ^ *b) & mask;
                *a ^= swapped << width;
                *b ^= swapped;
            }
        }
        width /= 2;
        mask ^= mask << width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn a_set_is_a_set(len in 0usize..200, start in 0usize..200, width in 0usize..200,
                          more in prop::collection::vec(0usize..200, 0..9)) {
            let mut bits = Bits::none(len);
            let mut set: BTreeSet<usize> = (start..(start + width).min(len)).collect();
            bits.insert_range(start..start + width);
            for at in more.into_iter().filter(|at| *at < len) {
                bits.insert(at);
                set.insert(at);
            }
            prop_assert_eq!(bits.iter().collect::<Vec<_>>(), set.iter().copied().collect::<Vec<_>>());
            prop_assert!((0..200).all(|at| bits.contains(at) == set.contains(&at)));
            prop_assert_eq!(bits.is_full(), set.len() == len);
            let mut rest = Bits::all(len);
            prop_assert!(rest.is_full());
            rest.remove(&bits);
            prop_assert_eq!(rest.iter().count(), len - set.len());
            rest.keep(&bits);
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn turning(rows in prop::collection::vec(any::<u64>(), 64)) {
            let mut block = [0; 64];
            block.copy_from_slice(&rows);
            transpose(&mut block);
            for (i, row) in rows.iter().enumerate() {
                for (j, column) in block.iter().enumerate() {
                    prop_assert_eq!(row >> j & 1, column >> i & 1);
                }
            }
        }
    }
}
