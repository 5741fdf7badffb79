//! Label selectors (text and object form) and field selectors.

use crate::Value;

/// Why a selector was refused; upstream's text.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(pub String);

/// A label selector; the empty one matches everything.
#[derive(Debug, Clone, Default)]
pub struct LabelSelector {}

impl LabelSelector {
    /// Parses the text form: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
    pub fn parse(_text: &str) -> Result<Self, SelectorError> {
        Ok(Self {})
    }

    /// Reads the object form (`matchLabels`, `matchExpressions`). `Null` matches nothing.
    pub fn from_value(_value: &Value) -> Result<Self, SelectorError> {
        Ok(Self {})
    }

    /// Whether it matches everything.
    pub fn is_empty(&self) -> bool {
        true
    }

    /// Whether labels, looked up through `label`, match.
    pub fn matches<'a>(&self, _label: impl Fn(&str) -> Option<&'a str>) -> bool {
        true
    }
}

/// A field selector: `a=b,c==d,e!=f`.
#[derive(Debug, Clone, Default)]
pub struct FieldSelector {
    /// `(field, value, equal)`; all must hold.
    pub terms: Vec<(String, String, bool)>,
}

impl FieldSelector {
    /// Parses the text form.
    pub fn parse(_text: &str) -> Result<Self, SelectorError> {
        Ok(Self::default())
    }

    /// Whether fields, looked up through `field` (absent is empty), match.
    pub fn matches<'a>(&self, field: impl Fn(&str) -> &'a str) -> bool {
        self.terms
            .iter()
            .all(|(name, value, equal)| (field(name) == value) == *equal)
    }
}
