//! What could not be understood of the input.

use crate::source::Location;
use serde::{Deserialize, Serialize};

/// What kind of trouble it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProblemKind {
    /// A file or directory could not be read.
    UnreadableFile,
    /// A file is larger than what is read.
    TooLarge,
    /// A file is no text.
    BinaryFile,
    /// A document is no YAML or JSON.
    UnparsableDocument,
    /// A document is no Kubernetes object: it has no `apiVersion` and `kind`.
    NotAnObject,
    /// No such kind is known.
    UnknownKind,
    /// The kind is known, but that version of it is no longer served.
    UnservedVersion,
    /// An object has no name.
    MissingName,
    /// Two documents define the same object.
    DuplicateObject,
    /// A field stands twice.
    DuplicateField,
    /// The kind has no such field.
    UnknownField,
    /// A field holds what its kind does not allow.
    InvalidField,
    /// A kind could not be listed because the user may not.
    Forbidden,
    /// A kind could not be listed, or an API group not be discovered.
    Unavailable,
}

/// How far a problem reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Worth knowing; answers are complete.
    Note,
    /// Something was read in a way that its author may not have meant; answers are complete.
    Warning,
    /// Something was not evaluated: exit status 3.
    Incomplete,
    /// Input that was asked for could not be read: exit status 2.
    Unreadable,
}

impl ProblemKind {
    /// How far such a problem reaches, if nothing more is known.
    pub fn severity(self) -> Severity {
        match self {
            Self::NotAnObject | Self::UnknownKind | Self::UnservedVersion => Severity::Warning,
            Self::DuplicateObject | Self::UnknownField => Severity::Warning,
            // Parsers differ in which of the two they take: what was evaluated may not be what counts.
            Self::DuplicateField | Self::BinaryFile => Severity::Incomplete,
            Self::MissingName | Self::InvalidField | Self::UnparsableDocument => {
                Severity::Incomplete
            }
            Self::TooLarge | Self::Forbidden | Self::Unavailable => Severity::Incomplete,
            Self::UnreadableFile => Severity::Unreadable,
        }
    }
}

/// Something that could not be understood, with its place. It never stops the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// What kind of trouble it is.
    pub kind: ProblemKind,
    /// How far it reaches.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// The resource that it is about, such as `pods` or `roles.rbac.authorization.k8s.io`; `None`
    /// if it may be about any: a document that could not be read may have held anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Where, if it is known.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
}

impl Problem {
    /// A problem of the severity that its kind has.
    pub fn new(
        kind: ProblemKind,
        message: impl Into<String>,
        location: impl Into<Option<Location>>,
    ) -> Self {
        Self {
            kind,
            severity: kind.severity(),
            message: message.into(),
            resource: None,
            location: location.into(),
        }
    }

    /// The same problem, known to be about one resource.
    #[must_use]
    pub fn about(self, group: &str, plural: &str) -> Self {
        Self {
            resource: Some(model::status::qualified(group, plural)),
            ..self
        }
    }
}

impl std::fmt::Display for Problem {
    /// `FILE:LINE:COLUMN: message`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.location {
            Some(location) => write!(f, "{location}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}
