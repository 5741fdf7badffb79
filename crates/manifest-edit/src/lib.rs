//! Edits of manifests that keep every byte they do not change: comments, order, quoting, layout,
//! line ends.
//!
//! [`apply`] takes the text of a file (YAML with any number of documents, JSON, a stream of JSON
//! objects) and edits by field paths, and returns the new text. What cannot be edited without
//! touching something else is refused, with the reason. Every document that was edited is read
//! again: it is written only if its value differs from the old one by exactly the edits.

mod change;
mod document;
mod layout;
mod plan;
mod render;
mod tree;

use model::Value;
use model::decode::documents;
use std::collections::BTreeMap;

/// A step of a field path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The value of a key.
    Key(String),
    /// An entry of a list, counted from 0.
    Index(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// What becomes of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It gets this value. A key that is missing, or null, is added, with the mappings around it;
    /// a scalar is replaced by a scalar.
    Set(Value),
    /// Its list gets this entry at its end; a list that is missing is added.
    Append(Value),
}

/// A change of one field.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// The path from the top of the document.
    pub path: Vec<Step>,
    /// What becomes of the field.
    pub change: Change,
}

/// Edits of one document that are made together or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The document, counted from 0 as [`model::decode::documents`] yields those that can be read.
    pub document: usize,
    /// The edits.
    pub edits: Vec<Edit>,
}

/// Why edits were not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such document, or its text cannot be taken apart.
    #[error("its text cannot be edited: no parser tells where its fields stand")]
    Unreadable,
    /// The text stands for several places.
    #[error("the text there is shared through an anchor: an edit would change its aliases too")]
    Shared,
    /// The field comes from a merge key.
    #[error("the field comes from a merge key (`<<`): it is written in another place")]
    Merged,
    /// A key on the path stands twice.
    #[error("a key on the way to the field stands twice")]
    Duplicate,
    /// The path leads through something that is not there, or of another form.
    #[error("the text does not have the form that the field's path says")]
    Mismatch,
    /// The edit would replace more than a scalar.
    #[error("there is a value already that is more than a scalar")]
    Occupied,
    /// The layout is none that can be edited.
    #[error("the layout of the text around the field is not one that can be edited safely")]
    Layout,
    /// The edited text did not mean what it should.
    #[error("the edited text would not have meant exactly what was intended")]
    Unfaithful,
}

/// What came of edits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The new text.
    pub text: Vec<u8>,
    /// The groups that were refused, by their index, in order.
    pub refused: Vec<(usize, Refusal)>,
}

/// Edits a file. Groups that are refused leave no trace in the text.
pub fn apply(file: &[u8], groups: &[Group]) -> Outcome {
    let mut by_document: BTreeMap<usize, Vec<(usize, &Group)>> = BTreeMap::new();
    for (index, group) in groups.iter().enumerate() {
        let of_document = by_document.entry(group.document).or_default();
        of_document.push((index, group));
    }
    let mut refused = Vec::new();
    let mut text = Vec::with_capacity(file.len());
    let mut copied = 0;
    for (number, read) in documents(file).filter_map(Result::ok).enumerate() {
        let Some(groups) = by_document.remove(&number) else {
            continue;
        };
        let old = file.get(read.bytes.clone()).map(std::str::from_utf8);
        let Some(Ok(old)) = old else {
            refused.extend(
                groups
                    .iter()
                    .map(|(index, _)| (*index, Refusal::Unreadable)),
            );
            continue;
        };
        let edited = document::edit(old, &read.decoded.value, &groups);
        refused.extend(edited.refused);
        text.extend_from_slice(file.get(copied..read.bytes.start).unwrap_or_default());
        text.extend_from_slice(edited.text.as_bytes());
        copied = read.bytes.end;
    }
    for (index, _) in by_document.into_values().flatten() {
        refused.push((index, Refusal::Unreadable));
    }
    text.extend_from_slice(file.get(copied..).unwrap_or_default());
    refused.sort_by_key(|(index, _)| *index);
    Outcome { text, refused }
}

#[cfg(test)]
mod tests;
