//! Which versions of which key there are. Held in memory: expectations of writers, missing keys,
//! counts and history are answered without touching the disk.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use storage_api::Revision;

/// A revision of a key, and whether the key was deleted then; one machine word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version(u64);

impl Version {
    fn new(revision: Revision, deleted: bool) -> Self {
        Self(revision << 1 | u64::from(deleted))
    }

    fn revision(self) -> Revision {
        self.0 >> 1
    }

    fn live(self) -> Option<Revision> {
        (self.0 & 1 == 0).then_some(self.revision())
    }
}

#[derive(Debug)]
struct Versions {
    /// When the key came to be, for the last time.
    create: Revision,
    last: Version,
    /// In revision order.
    older: Vec<Version>,
}

/// The current, live version of a key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Current {
    pub(crate) create: Revision,
    pub(crate) revision: Revision,
}

/// All keys and their versions.
#[derive(Debug, Default)]
pub(crate) struct Index {
    keys: BTreeMap<Arc<str>, Versions>,
}

impl Index {
    /// The live version of `key`.
    pub(crate) fn current(&self, key: &str) -> Option<Current> {
        let versions = self.keys.get(key)?;
        let revision = versions.last.live()?;
        Some(Current {
            create: versions.create,
            revision,
        })
    }

    /// The key as it is held here, so that its allocation is shared; also if it is deleted.
    pub(crate) fn shared_key(&self, key: &str) -> Option<&Arc<str>> {
        self.keys.get_key_value(key).map(|(key, _)| key)
    }

    /// The version of `key` that was live at `revision`.
    pub(crate) fn live_at(&self, key: &str, revision: Revision) -> Option<(&Arc<str>, Revision)> {
        let (key, versions) = self.keys.get_key_value(key)?;
        Some((key, versions.at(revision)?))
    }

    /// The version of `key` that the change at `revision` replaced, if it was a live one.
    pub(crate) fn before(&self, key: &str, revision: Revision) -> Option<Revision> {
        self.keys.get(key)?.at(revision.checked_sub(1)?)
    }

    /// Keys below `prefix` from `start` on that were live at `revision`, with their versions.
    pub(crate) fn range<'a>(
        &'a self,
        prefix: &'a str,
        start: Option<&str>,
        revision: Revision,
    ) -> impl Iterator<Item = (&'a Arc<str>, Revision)> {
        let from = start.filter(|start| *start > prefix).unwrap_or(prefix);
        self.keys
            .range::<str, _>((Bound::Included(from), Bound::Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .filter_map(move |(key, versions)| Some((key, versions.at(revision)?)))
    }

    /// Adds a change, which must be newer than all there are.
    pub(crate) fn apply(
        &mut self,
        key: Arc<str>,
        revision: Revision,
        create: Revision,
        deleted: bool,
    ) {
        let last = Version::new(revision, deleted);
        match self.keys.get_mut(&key) {
            Some(versions) => {
                versions.older.push(versions.last);
                versions.last = last;
                versions.create = create;
            }
            None => {
                self.keys.insert(
                    key,
                    Versions {
                        create,
                        last,
                        older: Vec::new(),
                    },
                );
            }
        }
    }

    /// Forgets versions of `key` that nobody can ask for once everything before `compacted` is
    /// gone, looking only at those before or at `upto`: those replaced by `upto` or before, and a
    /// deletion at `upto` if that is before `compacted`. Returns their revisions.
    pub(crate) fn prune(
        &mut self,
        key: &str,
        upto: Revision,
        compacted: Revision,
        pruned: &mut Vec<Revision>,
    ) {
        let Some(versions) = self.keys.get_mut(key) else {
            return;
        };
        let replaced = |version: &Version, next: Option<&Version>| {
            next.is_some_and(|next| next.revision() <= upto)
                || (version.live().is_none()
                    && version.revision() <= upto
                    && version.revision() < compacted)
        };
        let mut kept = Vec::new();
        for (at, version) in versions.older.iter().enumerate() {
            let next = versions.older.get(at + 1).unwrap_or(&versions.last);
            if replaced(version, Some(next)) {
                pruned.push(version.revision());
            } else {
                kept.push(*version);
            }
        }
        versions.older = kept;
        if versions.older.is_empty() && replaced(&versions.last, None) {
            pruned.push(versions.last.revision());
            self.keys.remove(key);
        }
    }
}

impl Versions {
    fn at(&self, revision: Revision) -> Option<Revision> {
        if self.last.revision() <= revision {
            return self.last.live();
        }
        let after = self
            .older
            .partition_point(|version| version.revision() <= revision);
        self.older.get(after.checked_sub(1)?)?.live()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(changes: &[(&str, Revision, bool)]) -> Index {
        let mut index = Index::default();
        for (key, revision, deleted) in changes {
            index.apply(Arc::from(*key), *revision, *revision, *deleted);
        }
        index
    }

    #[test]
    fn versions_are_found_by_revision() {
        let index = index(&[
            ("a", 2, false),
            ("a", 4, false),
            ("a", 6, true),
            ("a", 8, false),
        ]);
        let at = |revision| index.live_at("a", revision).map(|(_, version)| version);
        let seen: Vec<_> = (1..=9).map(at).collect();
        let expected = [
            None,
            Some(2),
            Some(2),
            Some(4),
            Some(4),
            None,
            None,
            Some(8),
            Some(8),
        ];
        assert_eq!(seen, expected);
        assert_eq!(index.before("a", 6), Some(4));
        assert_eq!(index.before("a", 8), None);
        assert_eq!(index.before("a", 2), None);
    }

    #[test]
    fn pruning_keeps_what_is_readable_at_the_compacted_revision() {
        let mut index = index(&[
            ("a", 2, false),
            ("a", 4, false),
            ("a", 6, true),
            ("b", 7, true),
        ]);
        let mut pruned = Vec::new();
        index.prune("a", 4, 4, &mut pruned);
        assert_eq!(pruned, [2]);
        assert_eq!(index.live_at("a", 4).map(|(_, version)| version), Some(4));
        pruned.clear();
        index.prune("a", 6, 6, &mut pruned);
        assert_eq!(
            pruned,
            [4],
            "the deletion at the compacted revision can still be watched"
        );
        pruned.clear();
        index.prune("a", 6, 7, &mut pruned);
        assert_eq!(pruned, [6]);
        assert!(index.shared_key("a").is_none() && index.shared_key("b").is_some());
    }

    #[test]
    fn ranges_stay_below_their_prefix() {
        let index = index(&[
            ("/a", 2, false),
            ("/a/1", 3, false),
            ("/a/2", 4, true),
            ("/b", 5, false),
        ]);
        let keys = |prefix, start| -> Vec<String> {
            index
                .range(prefix, start, 9)
                .map(|(key, _)| key.to_string())
                .collect()
        };
        assert_eq!(keys("/a", None), ["/a", "/a/1"]);
        assert_eq!(keys("/a/", None), ["/a/1"]);
        assert_eq!(keys("/a", Some("/a/0")), ["/a/1"]);
        assert_eq!(keys("/a", Some("/")), ["/a", "/a/1"]);
        assert_eq!(keys("", None), ["/a", "/a/1", "/b"]);
    }
}
