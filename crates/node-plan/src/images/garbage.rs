//! Which images go when their disk fills.

use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// When to collect, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The percentage of the disk in use from which on images go.
    pub high: u64,
    /// The percentage that is to be left in use.
    pub low: u64,
    /// Images that came less than this before are left.
    pub least_age: SignedDuration,
    /// Images that nothing used for so long go anyway; `None` keeps them.
    pub most_age: Option<SignedDuration>,
}

impl Default for Policy {
    /// The kubelet's: 85 and 80 per cent, two minutes, no most age.
    fn default() -> Self {
        Self {
            high: 85,
            low: 80,
            least_age: SignedDuration::from_mins(2),
            most_age: None,
        }
    }
}

/// An image on the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its ID.
    pub id: String,
    /// Bytes that it takes.
    pub size: u64,
    /// When it came.
    pub since: Timestamp,
    /// When a container last used it; `None` for never.
    pub last_used: Option<Timestamp>,
    /// Whether it must stay, such as the sandbox's.
    pub pinned: bool,
}

/// A disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// Its bytes.
    pub capacity: u64,
    /// Those that are free.
    pub available: u64,
}

/// What to remove.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The images, in this order.
    pub remove: Vec<String>,
    /// Bytes that should have been freed beyond them; the event `FreeDiskSpaceFailed` says so.
    pub missing: u64,
}

impl Plan {
    /// The message of that event.
    pub fn failure(&self, wanted: u64) -> Option<String> {
        (self.missing > 0).then(|| {
            format!(
                "Failed to garbage collect required amount of images. Attempted to free {wanted} \
                 bytes, but only found {} bytes eligible to free.",
                wanted.saturating_sub(self.missing)
            )
        })
    }
}

/// The bytes to free; none while less than the high mark is in use.
pub fn wanted(disk: Disk, policy: Policy) -> u64 {
    let free = disk.available.min(disk.capacity);
    let percent = |part: u64| u128::from(part) * 100 / u128::from(disk.capacity.max(1));
    let used = 100u128.saturating_sub(percent(free));
    if disk.capacity == 0 || used < u128::from(policy.high) {
        return 0;
    }
    let target = u128::from(disk.capacity) * u128::from(100u64.saturating_sub(policy.low)) / 100;
    u64::try_from(target)
        .unwrap_or(u64::MAX)
        .saturating_sub(free)
}

/// The images that go: those that nothing uses, the longest unused first, until enough is freed;
/// and those past their age.
pub fn plan(
    images: &[Image],
    in_use: &BTreeSet<String>,
    disk: Disk,
    policy: Policy,
    now: Timestamp,
) -> Plan {
    let mut unused: Vec<&Image> = images
        .iter()
        .filter(|image| !image.pinned && !in_use.contains(&image.id))
        .collect();
    // Never used counts as used at the beginning of time.
    unused.sort_by_key(|image| (image.last_used, image.since));
    let mut missing = wanted(disk, policy);
    let mut remove = Vec::new();
    for image in unused {
        let idle = now.duration_since(image.last_used.unwrap_or(image.since));
        let too_old = policy.most_age.is_some_and(|most| idle > most);
        let too_new = now.duration_since(image.since) < policy.least_age;
        if too_old || (missing > 0 && !too_new) {
            missing = missing.saturating_sub(image.size);
            remove.push(image.id.clone());
        }
    }
    Plan { remove, missing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn image(id: &str, size: u64, since: i64, last_used: Option<i64>) -> Image {
        Image {
            id: id.to_owned(),
            size,
            since: at(since),
            last_used: last_used.map(at),
            pinned: false,
        }
    }

    #[test]
    fn the_longest_unused_go_first() {
        let mut pinned = image("pinned", 10, 0, None);
        pinned.pinned = true;
        let images = [
            image("recent", 10, 0, Some(900)),
            image("old", 10, 0, Some(100)),
            image("never", 4, 0, None),
            image("new", 50, 950, None),
            image("running", 50, 0, Some(0)),
            pinned,
        ];
        let in_use = BTreeSet::from(["running".to_owned()]);
        for (available, want, missing) in [
            (20, &[][..], 0),
            (16, &[], 0),
            (15, &["never", "old"], 0),
            (10, &["never", "old"], 0),
            (2, &["never", "old", "recent"], 0),
            (0, &["never", "old", "recent"], 0),
        ] {
            let disk = Disk {
                capacity: 100,
                available,
            };
            let plan = plan(&images, &in_use, disk, Policy::default(), at(1000));
            assert_eq!(plan.remove, want, "{available}");
            assert_eq!(plan.missing, missing);
        }
        let small = [image("a", 5, 0, None)];
        let disk = Disk {
            capacity: 100,
            available: 5,
        };
        let plan = plan(&small, &in_use, disk, Policy::default(), at(1000));
        assert_eq!(
            plan.failure(15).unwrap(),
            "Failed to garbage collect required amount of \
            images. Attempted to free 15 bytes, but only found 5 bytes eligible to free."
        );
    }

    #[test]
    fn images_past_their_age_go_whatever_the_disk() {
        let policy = Policy {
            most_age: Some(SignedDuration::from_secs(500)),
            ..Policy::default()
        };
        let images = [
            image("used", 1, 0, Some(600)),
            image("idle", 1, 0, Some(499)),
        ];
        let disk = Disk {
            capacity: 100,
            available: 100,
        };
        let plan = plan(&images, &BTreeSet::new(), disk, policy, at(1000));
        assert_eq!(plan.remove, ["idle"]);
    }

    proptest! {
        #[test]
        fn enough_is_freed_or_all_that_may_go(
            sizes in prop::collection::vec(1u64..50, 0..10),
            available in 0u64..100,
        ) {
            let images: Vec<Image> = sizes
                .iter()
                .enumerate()
                .map(|(n, size)| image(&n.to_string(), *size, 0, Some(n as i64)))
                .collect();
            let disk = Disk { capacity: 100, available };
            let plan = plan(&images, &BTreeSet::new(), disk, Policy::default(), at(1000));
            let freed: u64 = sizes.iter().take(plan.remove.len()).sum();
            let wanted = wanted(disk, Policy::default());
            prop_assert_eq!(plan.missing, wanted.saturating_sub(freed));
            prop_assert!(plan.missing == 0 || plan.remove.len() == images.len());
        }
    }
}
