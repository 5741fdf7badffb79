//! Where an object was written.

use model::decode::{Position, Positions, Span};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A file of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub(crate) u32);

impl FileId {
    /// Its place among the files of the snapshot, in the order in which they were read.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where an object stands: the file, the document in it and the place in the document.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file.
    pub file: FileId,
    /// Which document of the file, counted from 0 and without empty ones.
    pub document: u32,
    /// The field path of the object in its document: empty, or `items[3]` in a list.
    pub base: Box<str>,
    /// Where the object begins.
    pub start: Position,
    /// Where the document's fields stand; empty where only [`Source::start`] is known.
    pub positions: Arc<Positions>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// The file, as it was named; `-` is standard input.
    pub file: Arc<str>,
    /// The line, counted from 1; 0 if only the file is known.
    pub line: u32,
    /// The column, counted from 1 in characters; 0 if only the file is known.
    pub column: u32,
    /// The line of the end.
    #[serde(skip)]
    pub end_line: u32,
    /// The column after the last character.
    #[serde(skip)]
    pub end_column: u32,
    /// The bytes of the file; empty if they are not known.
    #[serde(skip)]
    pub bytes: std::ops::Range<usize>,
}

impl Location {
    /// The file and nothing more.
    pub fn of_file(file: Arc<str>) -> Self {
        Self::at(file, Position::default())
    }

    /// One place in a file.
    pub fn at(file: Arc<str>, at: Position) -> Self {
        Self {
            file,
            line: at.line,
            column: at.column,
            end_line: at.line,
            end_column: at.column,
            bytes: 0..0,
        }
    }

    /// A stretch of a file.
    pub fn spanning(file: Arc<str>, span: Span) -> Self {
        Self {
            end_line: span.end.line,
            end_column: span.end.column,
            bytes: span.bytes(),
            ..Self::at(file, span.start)
        }
    }

    /// What locations are sorted by.
    pub(crate) fn order(&self) -> (&str, u32, u32) {
        (&self.file, self.line, self.column)
    }
}

impl std::fmt::Display for Location {
    /// `FILE:LINE:COLUMN`, as compilers write it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.line == 0 {
            f.write_str(&self.file)
        } else {
            write!(f, "{}:{}:{}", self.file, self.line, self.column)
        }
    }
}

/// An object, or a field of one, that decided an answer: a member of `because` in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Citation {
    /// The kind.
    pub kind: String,
    /// The namespace; absent for kinds of the whole cluster.
    #[serde(default)]
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The field's path in the object; absent for the object as a whole.
    #[serde(default)]
    pub field: String,
    /// Whether every cluster has the object, so that no file holds it.
    #[serde(default)]
    pub given: bool,
    /// Where it stands, if it was read from a file.
    #[serde(flatten, default)]
    pub location: Option<Location>,
}

/// Fields are sorted by name, as everywhere in answers: those of the location stand among the
/// others.
impl Serialize for Citation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let at = self.location.as_ref();
        let mut citation = serializer.serialize_map(None)?;
        if let Some(at) = at {
            citation.serialize_entry("column", &at.column)?;
        }
        if !self.field.is_empty() {
            citation.serialize_entry("field", &self.field)?;
        }
        if let Some(at) = at {
            citation.serialize_entry("file", &at.file)?;
        }
        if self.given {
            citation.serialize_entry("given", &true)?;
        }
        citation.serialize_entry("kind", &self.kind)?;
        if let Some(at) = at {
            citation.serialize_entry("line", &at.line)?;
        }
        citation.serialize_entry("name", &self.name)?;
        if !self.namespace.is_empty() {
            citation.serialize_entry("namespace", &self.namespace)?;
        }
        citation.end()
    }
}

impl std::fmt::Display for Citation {
    /// `Kind namespace/name field (file:line:column)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.kind)?;
        f.write_str(" ")?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)?;
        if !self.field.is_empty() {
            write!(f, " {}", self.field)?;
        }
        match &self.location {
            Some(location) => write!(f, " ({location})"),
            None if self.given => f.write_str(" (default)"),
            None => Ok(()),
        }
    }
}
