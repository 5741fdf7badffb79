//! Where a rule is looking: a field path that costs nothing until an error needs it.
//!
//! Validation visits hundreds of fields for each one it complains about, so the steps of a path
//! are kept on the stack as a chain of borrowed links and are only written out as a [`Path`] when
//! something is reported.

use crate::Value;
use crate::field::{ErrorList, FieldError, Path};
use std::fmt::Write;

/// A place in an object, as a chain of steps from its root.
#[derive(Debug, Clone, Copy)]
pub struct At<'p> {
    parent: Option<&'p At<'p>>,
    step: Step<'p>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'p> {
    Path(&'p str),
    Name(&'p str),
    Index(usize),
    Key(&'p str),
}

impl At<'static> {
    /// The object itself.
    pub fn root() -> Self {
        Self {
            parent: None,
            step: Step::Path(""),
        }
    }
}

impl<'p> At<'p> {
    /// A place given by its path text, such as `spec.template`.
    pub fn of(path: &'p str) -> Self {
        Self {
            parent: None,
            step: Step::Path(path),
        }
    }

    /// The field `name` below this one.
    #[must_use]
    pub fn child<'s>(&'s self, name: &'s str) -> At<'s> {
        At {
            parent: Some(self),
            step: Step::Name(name),
        }
    }

    /// The element `index` of this list.
    #[must_use]
    pub fn index(&self, index: usize) -> At<'_> {
        At {
            parent: Some(self),
            step: Step::Index(index),
        }
    }

    /// The entry `key` of this map.
    #[must_use]
    pub fn key<'s>(&'s self, key: &'s str) -> At<'s> {
        At {
            parent: Some(self),
            step: Step::Key(key),
        }
    }

    /// The path written out.
    pub fn path(&self) -> Path {
        let mut text = String::new();
        self.write(&mut text);
        Path::new(&text)
    }

    fn write(&self, out: &mut String) {
        if let Some(parent) = self.parent {
            parent.write(out);
        }
        match self.step {
            Step::Path(text) => out.push_str(text),
            Step::Name(name) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(name);
            }
            // Writing into a String cannot fail.
            Step::Index(index) => {
                let _ = write!(out, "[{index}]");
            }
            Step::Key(key) => {
                let _ = write!(out, "[{key}]");
            }
        }
    }
}

impl<'p> From<&'p Path> for At<'p> {
    fn from(path: &'p Path) -> Self {
        At::of(path.as_str())
    }
}

/// Adds errors to a list at a place; one method per kind of error, in the words of
/// [`FieldError`]'s constructors.
pub trait Report {
    /// Adds an error as it is.
    fn add(&mut self, error: FieldError);

    /// A required value is missing.
    fn required(&mut self, at: &At<'_>, detail: impl Into<String>) {
        self.add(FieldError::required(&at.path(), detail));
    }

    /// A value breaks its rule.
    fn invalid(&mut self, at: &At<'_>, value: impl Into<Value>, detail: impl Into<String>) {
        self.add(FieldError::invalid(&at.path(), value, detail));
    }

    /// One `invalid` per message.
    fn invalid_each(&mut self, at: &At<'_>, value: &str, messages: Vec<String>) {
        for message in messages {
            self.invalid(at, value, message);
        }
    }

    /// A value stands twice.
    fn duplicate(&mut self, at: &At<'_>, value: impl Into<Value>) {
        self.add(FieldError::duplicate(&at.path(), value));
    }

    /// A referenced thing does not exist.
    fn not_found(&mut self, at: &At<'_>, value: impl Into<Value>) {
        self.add(FieldError::not_found(&at.path(), value));
    }

    /// The field may not be set here.
    fn forbidden(&mut self, at: &At<'_>, detail: impl Into<String>) {
        self.add(FieldError::forbidden(&at.path(), detail));
    }

    /// A value outside a closed set.
    fn not_supported(&mut self, at: &At<'_>, value: impl Into<Value>, supported: &[&str]) {
        self.add(FieldError::not_supported(&at.path(), value, supported));
    }

    /// A value outside a closed set that is listed in the order given.
    fn not_supported_in_order(&mut self, at: &At<'_>, value: impl Into<Value>, supported: &[&str]) {
        self.add(FieldError::not_supported_in_order(
            &at.path(),
            value,
            supported,
        ));
    }

    /// A text of more than `max` bytes.
    fn too_long(&mut self, at: &At<'_>, max: usize) {
        self.add(FieldError::too_long(&at.path(), max));
    }

    /// A list of `actual` entries where `max` are allowed.
    fn too_many(&mut self, at: &At<'_>, actual: usize, max: usize) {
        self.add(FieldError::too_many(&at.path(), actual, max));
    }

    /// A number that may not be negative.
    fn non_negative(&mut self, at: &At<'_>, number: i64) {
        if number < 0 {
            self.invalid(at, number, "must be greater than or equal to 0");
        }
    }

    /// A number that must be above zero.
    fn positive(&mut self, at: &At<'_>, number: i64) {
        if number <= 0 {
            self.invalid(at, number, "must be greater than zero");
        }
    }
}

impl Report for ErrorList {
    fn add(&mut self, error: FieldError) {
        self.push(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_paths_as_upstream() {
        let root = At::root();
        let spec = root.child("spec");
        let containers = spec.child("containers");
        let first = containers.index(0);
        assert_eq!(
            first.child("name").path().as_str(),
            "spec.containers[0].name"
        );
        assert_eq!(spec.key("a/b").path().as_str(), "spec[a/b]");
        assert_eq!(
            At::of("spec.template").child("spec").path().as_str(),
            "spec.template.spec"
        );
        assert_eq!(root.path().as_str(), "");
    }

    #[test]
    fn reports_in_upstream_words() {
        let mut errors = ErrorList::new();
        errors.positive(&At::of("spec.x"), 0);
        errors.non_negative(&At::of("spec.y"), -1);
        let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "spec.x: Invalid value: 0: must be greater than zero",
                "spec.y: Invalid value: -1: must be greater than or equal to 0",
            ]
        );
    }
}
