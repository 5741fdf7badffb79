//! The user namespaces of pods with `hostUsers: false`: 65,536 users of the node for each.

use std::collections::BTreeSet;

/// How many users and groups a pod has.
pub const LENGTH: u32 = 65_536;

/// The users of a pod: 0 and up in the pod are `first` and up on the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mapping {
    /// The node's user that is root in the pod.
    pub first: u32,
}

/// A free range for another pod: the lowest of `count` ranges from `first` on that no other has.
/// `None` if all are taken, or the range ends beyond the highest user there can be.
pub fn allocate(first: u32, count: u32, taken: &BTreeSet<Mapping>) -> Option<Mapping> {
    (0..count)
        .map_while(|n| {
            let start = first.checked_add(n.checked_mul(LENGTH)?)?;
            // The highest number means "no user".
            start.checked_add(LENGTH).map(|_| Mapping { first: start })
        })
        .find(|mapping| {
            !taken
                .iter()
                .any(|other| other.first.abs_diff(mapping.first) < LENGTH)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_run_out() {
        let mut taken = BTreeSet::new();
        for want in [Some(65_536), Some(131_072), None] {
            let mapping = allocate(65_536, 2, &taken);
            assert_eq!(mapping.map(|mapping| mapping.first), want);
            taken.extend(mapping);
        }
        assert_eq!(allocate(u32::MAX - 10, 5, &BTreeSet::new()), None);
    }

    proptest! {
        #[test]
        fn ranges_never_meet(starts in proptest::collection::btree_set(0u32..1_000_000, 0..8)) {
            let taken: BTreeSet<Mapping> = starts.iter().map(|first| Mapping { first: *first }).collect();
            if let Some(found) = allocate(65_536, 12, &taken) {
                for other in &taken {
                    prop_assert!(other.first.abs_diff(found.first) >= LENGTH);
                }
            } else {
                prop_assert!(!taken.is_empty());
            }
        }
    }
}
