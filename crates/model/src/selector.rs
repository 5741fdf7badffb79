//! Label selectors (text and object form) and field selectors.

mod fields;
mod labels;
mod lexer;
mod parser;

pub use fields::FieldSelector;
pub use labels::{LabelSelector, Operator, Requirement};

/// Why a selector was refused; upstream's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(pub String);

#[cfg(test)]
mod tests;
