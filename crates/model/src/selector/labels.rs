//! Label selectors: requirements on labels, all of which must hold.

use super::{SelectorError, parser};
use crate::field::{FieldError, Path};
use crate::validation::names;
use crate::{Value, meta};
use std::collections::BTreeSet;
use std::fmt;

/// How a requirement looks at a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// The label has one of the values.
    In,
    /// The label is missing or has none of the values.
    NotIn,
    /// The label has the value (`=`).
    Equals,
    /// The label has the value (`==`).
    DoubleEquals,
    /// The label is missing or has another value.
    NotEquals,
    /// The label is there.
    Exists,
    /// The label is missing.
    DoesNotExist,
    /// The label is an integer greater than the value.
    GreaterThan,
    /// The label is an integer less than the value.
    LessThan,
}

/// One condition on one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    key: String,
    operator: Operator,
    values: BTreeSet<String>,
}

impl Requirement {
    /// A requirement, if its key and values are well-formed; else upstream's message.
    pub fn new(key: &str, operator: Operator, values: BTreeSet<String>) -> Result<Self, String> {
        let mut errors: Vec<FieldError> = check_key(key, &Path::new("key"))
            .err()
            .into_iter()
            .collect();
        let path = Path::new("values");
        let fault = match operator {
            Operator::In | Operator::NotIn if values.is_empty() => {
                Some("for 'in', 'notin' operators, values set can't be empty")
            }
            Operator::Equals | Operator::DoubleEquals | Operator::NotEquals
                if values.len() != 1 =>
            {
                Some("exact-match compatibility requires one single value")
            }
            Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
                Some("values set must be empty for exists and does not exist")
            }
            Operator::GreaterThan | Operator::LessThan if values.len() != 1 => {
                Some("for 'Gt', 'Lt' operators, exactly one value is required")
            }
            _ => None,
        };
        if let Some(fault) = fault {
            let shown: Vec<_> = values.iter().cloned().collect();
            errors.push(FieldError::invalid(&path, shown, fault));
        }
        for (i, value) in values.iter().enumerate() {
            if matches!(operator, Operator::GreaterThan | Operator::LessThan)
                && value.parse::<i64>().is_err()
            {
                errors.push(FieldError::invalid(
                    &path.index(i),
                    value.as_str(),
                    "for 'Gt', 'Lt' operators, the value must be an integer",
                ));
            }
        }
        for (i, value) in values.iter().enumerate() {
            let faults = names::label_value(value);
            if !faults.is_empty() {
                errors.push(FieldError::invalid(
                    &path.index(i).key(key),
                    value.as_str(),
                    faults.join("; "),
                ));
            }
        }
        match errors.as_slice() {
            [] => Ok(Self {
                key: key.to_owned(),
                operator,
                values,
            }),
            [one] => Err(one.to_string()),
            many => {
                let texts: Vec<_> = many.iter().map(ToString::to_string).collect();
                Err(format!("[{}]", texts.join(", ")))
            }
        }
    }

    /// The label's name.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How the label is looked at.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// What it is compared with.
    pub fn values(&self) -> &BTreeSet<String> {
        &self.values
    }

    /// Whether a label with this value (`None`: no such label) meets the requirement.
    pub fn matches(&self, label: Option<&str>) -> bool {
        let listed = |value: &str| self.values.contains(value);
        match self.operator {
            Operator::In | Operator::Equals | Operator::DoubleEquals => label.is_some_and(listed),
            Operator::NotIn | Operator::NotEquals => !label.is_some_and(listed),
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
            Operator::GreaterThan => self.compare(label).is_some_and(|(l, r)| l > r),
            Operator::LessThan => self.compare(label).is_some_and(|(l, r)| l < r),
        }
    }

    fn compare(&self, label: Option<&str>) -> Option<(i64, i64)> {
        Some((label?.parse().ok()?, self.values.first()?.parse().ok()?))
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.values.iter().map(String::as_str).collect::<Vec<_>>();
        let (key, values) = (&self.key, values.join(","));
        match self.operator {
            Operator::Exists => write!(f, "{key}"),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::DoubleEquals => write!(f, "{key}=={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
        }
    }
}

/// A label selector; the empty one matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
    nothing: bool,
}

impl LabelSelector {
    /// The selector that matches nothing.
    pub fn nothing() -> Self {
        Self {
            requirements: Vec::new(),
            nothing: true,
        }
    }

    /// A selector of the given requirements, in the order of their keys, as upstream prints them.
    pub fn new(mut requirements: Vec<Requirement>) -> Self {
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Self {
            requirements,
            nothing: false,
        }
    }

    /// Parses the text form: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        parser::parse(text).map(Self::new).map_err(SelectorError)
    }

    /// Reads the object form (`matchLabels`, `matchExpressions`). `Null` matches nothing.
    pub fn from_value(value: &Value) -> Result<Self, SelectorError> {
        if value.is_null() {
            return Ok(Self::nothing());
        }
        let one = |text: &str| BTreeSet::from([text.to_owned()]);
        let mut requirements = Vec::new();
        for (key, label) in meta::strings(value, &["matchLabels"]) {
            let requirement = Requirement::new(key, Operator::Equals, one(label));
            requirements.push(requirement.map_err(SelectorError)?);
        }
        for expression in meta::list(value, &["matchExpressions"]) {
            let operator = match meta::text(expression, &["operator"]) {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => {
                    return Err(SelectorError(format!(
                        "{other:?} is not a valid label selector operator"
                    )));
                }
            };
            let values = meta::list(expression, &["values"]);
            let values = values
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect();
            let key = meta::text(expression, &["key"]);
            requirements.push(Requirement::new(key, operator, values).map_err(SelectorError)?);
        }
        Ok(Self::new(requirements))
    }

    /// The selector of a map of labels, as Services and ReplicationControllers have it; an absent
    /// or empty map matches everything (whether it should select at all is the caller's to say).
    /// Values are taken as they are.
    pub fn from_labels(value: &Value) -> Self {
        let requirements = meta::strings(value, &[])
            .into_iter()
            .map(|(key, label)| Requirement {
                key: key.to_owned(),
                operator: Operator::Equals,
                values: BTreeSet::from([label.to_owned()]),
            })
            .collect();
        Self::new(requirements)
    }

    /// Its requirements, in the order of their keys.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Whether it matches everything.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty() && !self.nothing
    }

    /// Whether labels, looked up through `label`, match.
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        !self.nothing
            && self
                .requirements
                .iter()
                .all(|requirement| requirement.matches(label(&requirement.key)))
    }

    /// Whether an object's labels match.
    pub fn matches_object(&self, object: &Value) -> bool {
        let labels = meta::at(object, &["metadata", "labels"]);
        self.matches(|key| labels?.get(key)?.as_str())
    }
}

impl fmt::Display for LabelSelector {
    /// Upstream's text form, as in the `status.selector` of a Scale.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, requirement) in self.requirements.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{requirement}")?;
        }
        Ok(())
    }
}

/// Checks a label's name.
pub(super) fn check_key(key: &str, path: &Path) -> Result<(), FieldError> {
    let faults = names::qualified_name(key);
    if faults.is_empty() {
        Ok(())
    } else {
        Err(FieldError::invalid(path, key, faults.join("; ")))
    }
}
