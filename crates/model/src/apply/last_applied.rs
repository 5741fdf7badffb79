//! The annotation of client-side apply, as far as the server knows it: `kubectl apply
//! --server-side` may take over what `kubectl apply` wrote, and keeps the annotation usable for
//! going back.

use super::compare::Comparison;
use super::extract::field_set;
use crate::shape::Shape;
use crate::{Value, meta};
use std::collections::HashSet;

/// The field manager of `kubectl apply --server-side`.
pub(super) const KUBECTL: &str = "kubectl";

const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";
const PATH: [&str; 3] = ["metadata", "annotations", ANNOTATION];

/// The fields that client-side apply set and that still have the values it gave them, as conflict
/// messages write them. `None` if there is no usable annotation.
pub(super) fn unchanged_fields(shape: Shape<'_>, live: &Value) -> Option<HashSet<String>> {
    let text = meta::at(live, &PATH)?.as_str().filter(|t| !t.is_empty())?;
    let applied: Value = serde_json::from_str(text).ok()?;
    if meta::text(&applied, &["apiVersion"]) != meta::text(live, &["apiVersion"]) {
        return None;
    }
    let mut fields = field_set(shape, &applied);
    let (changed, removed) = Comparison::of(shape, Some(&applied), live, |_| false).set();
    fields.subtract(&changed);
    fields.subtract(&removed);
    Some(fields.paths().into_iter().collect())
}

/// Brings the annotation up to date, if the object has it.
pub(super) fn refresh(object: &mut Value, config: &Value) {
    if meta::text(object, &PATH).is_empty() {
        return;
    }
    let mut applied = config.clone();
    meta::remove(&mut applied, &PATH);
    // As kubectl writes it, with an end of line.
    meta::set(object, &PATH, format!("{applied}\n"));
}
