//! Field paths and field errors, in the words and formats of upstream's `field.Error`
//! (`k8s.io/apimachinery/pkg/util/validation/field`), because kubectl prints them as they are.

use crate::{Value, go};
use std::fmt;

/// A path to a field, such as `spec.containers[0].ports[1].name`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(String);

impl Path {
    /// A path of one name.
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The empty path, at the object itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// The field `name` below this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        if self.0.is_empty() {
            Self(name.to_owned())
        } else {
            Self(format!("{}.{name}", self.0))
        }
    }

    /// The element `index` of this list.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// The entry `key` of this map.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        Self(format!("{}[{key}]", self.0))
    }

    /// The name of the field at its end, without index or key.
    fn last(&self) -> &str {
        let last = self.0.rsplit('.').next().unwrap_or_default();
        last.split('[').next().unwrap_or_default()
    }

    /// The path as upstream writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong with a field. The reasons and texts are upstream's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// A referenced object or list entry does not exist.
    NotFound,
    /// A value that must be there is not.
    Required,
    /// A value stands twice where it must be unique.
    Duplicate,
    /// A value breaks a rule of its field.
    Invalid,
    /// A value outside a closed set.
    NotSupported,
    /// A field that may not be set here.
    Forbidden,
    /// A value that is longer than allowed.
    TooLong,
    /// A list with more entries than allowed.
    TooMany,
    /// A value that the server itself could not check.
    Internal,
    /// A value of the wrong type.
    TypeInvalid,
}

impl ErrorKind {
    /// The `reason` of the status cause (`metav1.CauseType`).
    pub fn cause(self) -> &'static str {
        match self {
            Self::NotFound => "FieldValueNotFound",
            Self::Required => "FieldValueRequired",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::Internal => "InternalError",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::NotFound => "Not found",
            Self::Required => "Required value",
            Self::Duplicate => "Duplicate value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::Internal => "Internal error",
        }
    }
}

/// One thing that is wrong with an object.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldError {
    /// What rule was broken.
    pub kind: ErrorKind,
    /// Where.
    pub path: Path,
    /// The offending value, where upstream shows it; never a secret's value.
    pub value: Option<Value>,
    /// Whether a text is shown without quotes, as upstream shows names of resources.
    pub bare: bool,
    /// What to do about it.
    pub detail: String,
}

/// All that is wrong with an object, in the order in which its fields were visited.
pub type ErrorList = Vec<FieldError>;

impl FieldError {
    fn build(
        kind: ErrorKind,
        path: &Path,
        value: Option<Value>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            path: path.clone(),
            value,
            bare: false,
            detail: detail.into(),
        }
    }

    /// The same error, with its text shown without quotes.
    #[must_use]
    pub fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// A required value is missing.
    pub fn required(path: &Path, detail: impl Into<String>) -> Self {
        Self::build(ErrorKind::Required, path, None, detail)
    }

    /// A value breaks its rule.
    pub fn invalid(path: &Path, value: impl Into<Value>, detail: impl Into<String>) -> Self {
        Self::build(ErrorKind::Invalid, path, Some(value.into()), detail)
    }

    /// A value breaks its rule, and showing it would not help.
    pub fn invalid_unshown(path: &Path, detail: impl Into<String>) -> Self {
        Self::build(ErrorKind::Invalid, path, None, detail)
    }

    /// A name breaks its rule, of the kind of names that upstream shows without quotes (those of
    /// resources such as `cpu`).
    pub fn invalid_name(path: &Path, name: &str, detail: impl fmt::Display) -> Self {
        Self::invalid(path, name, detail.to_string()).bare()
    }

    /// A value of the wrong JSON type.
    pub fn type_invalid(path: &Path, value: impl Into<Value>, detail: impl Into<String>) -> Self {
        Self::build(ErrorKind::TypeInvalid, path, Some(value.into()), detail)
    }

    /// A value stands twice.
    pub fn duplicate(path: &Path, value: impl Into<Value>) -> Self {
        Self::build(ErrorKind::Duplicate, path, Some(value.into()), "")
    }

    /// A referenced thing does not exist.
    pub fn not_found(path: &Path, value: impl Into<Value>) -> Self {
        Self::build(ErrorKind::NotFound, path, Some(value.into()), "")
    }

    /// The field may not be set here.
    pub fn forbidden(path: &Path, detail: impl Into<String>) -> Self {
        Self::build(ErrorKind::Forbidden, path, None, detail)
    }

    /// A value outside the closed set `supported`, which is listed sorted, as upstream lists most.
    pub fn not_supported(path: &Path, value: impl Into<Value>, supported: &[&str]) -> Self {
        let mut names: Vec<_> = supported.to_vec();
        names.sort_unstable();
        Self::not_supported_in_order(path, value, &names)
    }

    /// The same, where upstream lists the set as it stands.
    pub fn not_supported_in_order(
        path: &Path,
        value: impl Into<Value>,
        supported: &[&str],
    ) -> Self {
        let quoted: Vec<_> = supported.iter().map(|n| format!("\"{n}\"")).collect();
        let detail = if quoted.is_empty() {
            String::new()
        } else {
            format!("supported values: {}", quoted.join(", "))
        };
        Self::build(ErrorKind::NotSupported, path, Some(value.into()), detail)
    }

    /// A text of more than `max` bytes. The value itself is not repeated, as upstream.
    pub fn too_long(path: &Path, max: usize) -> Self {
        let unit = if max == 1 { "byte" } else { "bytes" };
        Self::build(
            ErrorKind::TooLong,
            path,
            None,
            format!("may not be more than {max} {unit}"),
        )
    }

    /// A list of `actual` entries where `max` are allowed.
    pub fn too_many(path: &Path, actual: usize, max: usize) -> Self {
        let unit = if max == 1 { "item" } else { "items" };
        Self::build(
            ErrorKind::TooMany,
            path,
            Some(actual.into()),
            format!("must have at most {max} {unit}"),
        )
    }

    /// The server could not check the field.
    pub fn internal(path: &Path, detail: impl Into<String>) -> Self {
        Self::build(ErrorKind::Internal, path, None, detail)
    }

    /// The error without its path, as it stands in a status cause's `message`.
    pub fn body(&self) -> String {
        let text = self.kind.text();
        let value = match &self.value {
            None => String::new(),
            Some(Value::String(text)) if self.bare => format!(": {text}"),
            Some(v) => format!(": {}", show(self.path.last(), v)),
        };
        if self.detail.is_empty() {
            format!("{text}{value}")
        } else {
            format!("{text}{value}: {}", self.detail)
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.as_str().is_empty() {
            write!(f, "<nil>: {}", self.body())
        } else {
            write!(f, "{}: {}", self.path, self.body())
        }
    }
}

/// The value of the field called `name` as 1.33 shows it: strings in double quotes, lists and
/// structures in Go's syntax. Structures whose Go type is not known here are shown as JSON, as
/// later versions show all.
fn show(name: &str, value: &Value) -> String {
    go::go_syntax(name, value).unwrap_or_else(|| value.to_string())
}
