//! Sets of fields, as managed fields record them, and their encoding (`FieldsV1`).
//!
//! A set is a tree of path elements. Every element is kept in its encoded form:
//!
//! | form | names |
//! | --- | --- |
//! | `f:NAME` | the field or map entry `NAME` |
//! | `k:{"name":"a"}` | the list entry with these keys |
//! | `v:"a"` | the entry `a` of a list of scalars |
//! | `i:0` | the list entry at an index |

use super::element;
use crate::{Map, Value};
use std::collections::BTreeMap;

/// Why a `fieldsV1` value is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldSetError {
    /// A node of the tree is no JSON object.
    #[error("expected an object at {0}")]
    NotAnObject(String),
    /// A path element cannot be read.
    #[error("{0}")]
    Element(String),
}

/// A set of fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSet {
    entries: BTreeMap<String, Entry>,
}

/// What a set holds at and below one path element.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// Whether the field itself is in the set.
    pub(super) member: bool,
    /// What of the field's contents is in the set.
    pub(super) below: FieldSet,
}

impl Entry {
    /// Of a field alone.
    pub(super) fn member() -> Self {
        Self {
            member: true,
            below: FieldSet::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.member && self.below.is_empty()
    }

    fn union_with(&mut self, other: Self) {
        self.member |= other.member;
        self.below.union_with(other.below);
    }

    fn encode(self) -> Value {
        let mark = (self.member && !self.below.is_empty())
            .then(|| (".".to_owned(), Value::Object(Map::new())));
        let below = self.below.entries.into_iter();
        Value::Object(
            mark.into_iter()
                .chain(below.map(|(key, entry)| (key, entry.encode())))
                .collect(),
        )
    }
}

impl FieldSet {
    /// Reads the encoded form. Path elements of unknown kinds are left out, as upstream does.
    pub fn decode(encoded: &Value) -> Result<Self, FieldSetError> {
        let map = match encoded {
            Value::Object(map) => map,
            Value::Null => return Ok(Self::default()),
            _ => return Err(FieldSetError::NotAnObject("the root".to_owned())),
        };
        let mut set = Self::default();
        for (key, node) in map {
            if key == "." {
                continue;
            }
            let Some(element) = element::canonical(key).map_err(FieldSetError::Element)? else {
                continue;
            };
            let below = match node {
                Value::Object(_) | Value::Null => Self::decode(node)?,
                _ => return Err(FieldSetError::NotAnObject(key.clone())),
            };
            let member = below.is_empty() || node.get(".").is_some();
            set.attach(element.into_owned(), Entry { member, below });
        }
        Ok(set)
    }

    /// The encoded form. The empty set is an empty object.
    pub fn encode(self) -> Value {
        Value::Object(
            self.entries
                .into_iter()
                .map(|(key, entry)| (key, entry.encode()))
                .collect(),
        )
    }

    /// Whether no field is in the set.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many fields are in the set.
    pub fn len(&self) -> usize {
        self.entries
            .values()
            .map(|entry| usize::from(entry.member).saturating_add(entry.below.len()))
            .fold(0, usize::saturating_add)
    }

    /// Adds the field at a path of encoded elements. The empty path is ignored: nobody owns the
    /// whole object.
    pub fn insert(&mut self, path: &[&str]) {
        if let Some((first, rest)) = path.split_first() {
            let entry = self.entries.entry((*first).to_owned()).or_default();
            if rest.is_empty() {
                entry.member = true;
            } else {
                entry.below.insert(rest);
            }
        }
    }

    /// Whether the field at a path of encoded elements is in the set.
    pub fn contains(&self, path: &[&str]) -> bool {
        match path {
            [] => false,
            [last] => self.entries.get(*last).is_some_and(|entry| entry.member),
            [first, rest @ ..] => self
                .entries
                .get(*first)
                .is_some_and(|entry| entry.below.contains(rest)),
        }
    }

    /// Adds what stands at and below one element.
    pub(super) fn attach(&mut self, element: String, entry: Entry) {
        if !entry.is_empty() {
            self.entries.entry(element).or_default().union_with(entry);
        }
    }

    /// Makes `entry` all that stands at and below one element.
    pub(super) fn replace(&mut self, element: String, entry: Entry) {
        self.entries.insert(element, entry);
    }

    /// What the set holds at and below one element.
    pub(super) fn at(&self, element: &str) -> Option<&Entry> {
        self.entries.get(element)
    }

    /// What the set holds, by element.
    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = (&str, &mut Entry)> {
        self.entries
            .iter_mut()
            .map(|(key, entry)| (key.as_str(), entry))
    }

    /// Drops everything at and below the elements that `keep` refuses.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.entries.retain(|element, _| keep(element));
    }

    /// Changes entries in place, and drops those that `keep` refuses.
    pub(super) fn retain_entries(&mut self, mut keep: impl FnMut(&str, &mut Entry) -> bool) {
        self.entries.retain(|element, entry| keep(element, entry));
    }

    /// Adds all fields of `other`.
    pub fn union_with(&mut self, other: Self) {
        if self.entries.is_empty() {
            self.entries = other.entries;
            return;
        }
        for (element, entry) in other.entries {
            self.attach(element, entry);
        }
    }

    /// Removes all fields of `other`. Fields below or above them stay.
    pub fn subtract(&mut self, other: &Self) {
        if other.is_empty() {
            return;
        }
        self.entries.retain(|element, entry| {
            if let Some(gone) = other.entries.get(element) {
                entry.member &= !gone.member;
                entry.below.subtract(&gone.below);
            }
            !entry.is_empty()
        });
    }

    /// The fields that are in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut common = Self::default();
        for (element, entry) in &self.entries {
            if let Some(there) = other.entries.get(element) {
                common.attach(
                    element.clone(),
                    Entry {
                        member: entry.member && there.member,
                        below: entry.below.intersection(&there.below),
                    },
                );
            }
        }
        common
    }

    /// Whether all fields are in `other` too.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.entries.iter().all(|(element, entry)| {
            let there = other.entries.get(element);
            (!entry.member || there.is_some_and(|there| there.member))
                && match there {
                    Some(there) => entry.below.is_subset(&there.below),
                    None => entry.below.is_empty(),
                }
        })
    }

    /// Whether a field is in this set and in the set that `encoded` encodes, whose elements must
    /// be in their usual form. Cheaper than decoding it.
    pub(super) fn meets(&self, encoded: &Value) -> bool {
        let Value::Object(map) = encoded else {
            return false;
        };
        self.entries.iter().any(|(element, entry)| {
            map.get(element).is_some_and(|node| {
                let member = || match node {
                    Value::Object(below) => below.is_empty() || below.contains_key("."),
                    _ => true,
                };
                (entry.member && member()) || entry.below.meets(node)
            })
        })
    }

    /// The fields as upstream writes them in messages, such as
    /// `.spec.containers[name="a"].image`: first those of a level, then those below.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect(&mut String::new(), &mut paths);
        paths
    }

    fn collect(&self, prefix: &mut String, paths: &mut Vec<String>) {
        let length = prefix.len();
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by(|(a, _), (b, _)| element::compare(a, b));
        for (element, _) in entries.iter().filter(|(_, entry)| entry.member) {
            element::write_path(element, prefix);
            paths.push(prefix.clone());
            prefix.truncate(length);
        }
        for (element, entry) in entries {
            if !entry.below.is_empty() {
                element::write_path(element, prefix);
                entry.below.collect(prefix, paths);
                prefix.truncate(length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_encoding_is_upstream_s() {
        let encoded = json!({
            "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
            "f:spec": {
                "f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:image": {}}},
                "f:finalizers": {"v:\"kubernetes\"": {}},
                "f:replicas": {},
            },
        });
        let set = FieldSet::decode(&encoded).unwrap();
        assert_eq!(set.len(), 6);
        assert!(set.contains(&["f:metadata", "f:labels"]));
        assert!(!set.contains(&["f:metadata"]));
        assert!(set.contains(&["f:spec", "f:containers", "k:{\"name\":\"a\"}", "f:image"]));
        assert_eq!(
            set.paths(),
            [
                ".metadata.labels",
                ".metadata.labels.app",
                ".spec.replicas",
                ".spec.containers[name=\"a\"]",
                ".spec.containers[name=\"a\"].image",
                ".spec.finalizers[=\"kubernetes\"]",
            ]
        );
        assert_eq!(set.encode(), encoded);
    }

    #[test]
    fn foreign_spellings_become_the_usual_one() {
        let set = FieldSet::decode(&json!({
            "f:ports": {"k:{ \"protocol\":\"TCP\", \"containerPort\":80 }": {".": {}}},
            "x:unknown": {},
        }));
        assert_eq!(
            set.map(FieldSet::encode),
            Ok(json!({"f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {}}}))
        );
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for bad in [
            json!([]),
            json!({"f:a": 1}),
            json!({"k:nonsense": {}}),
            json!({"v:": {}}),
            json!({"i:x": {}}),
            json!({"nothing": {}}),
        ] {
            assert!(FieldSet::decode(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn parents_and_children_are_fields_of_their_own() {
        let set = |paths: &[&[&str]]| {
            let mut set = FieldSet::default();
            for path in paths {
                set.insert(path);
            }
            set
        };
        let (parent, child) = (set(&[&["f:a"]]), set(&[&["f:a", "f:b"]]));
        let mut difference = child.clone();
        difference.subtract(&parent);
        assert_eq!(difference, child);
        assert!(parent.intersection(&child).is_empty());
        assert!(!parent.is_subset(&child));
        let mut both = parent.clone();
        both.union_with(child.clone());
        assert_eq!(both, set(&[&["f:a"], &["f:a", "f:b"]]));
        assert!(parent.is_subset(&both) && child.is_subset(&both));
        assert!(child.meets(&both.clone().encode()));
        assert!(!child.meets(&parent.encode()));
    }
}
