//! The form in which an API server would hold an object.

use crate::kinds::Kind;
use model::schema::Schema;
use model::{Value, convert, meta};

/// What was found out on the way.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Upstream's decoding errors: the API server would refuse the object.
    /// Each with its field's path.
    pub(crate) errors: Vec<(String, String)>,
    /// Paths of fields that the kind does not have; they are dropped, as an API server would.
    pub(crate) unknown_fields: Vec<String>,
}

/// Brings a written object of a built-in kind that is still served into the form in which it
/// would be stored: held against its schema, defaulted, in the stored version. An object that
/// does not fit its schema is left as it is.
pub(crate) fn admit(object: &mut Value, kind: &Kind, version: &str) -> Findings {
    let mut findings = Findings::default();
    let Some(resource) = &kind.builtin else {
        return findings;
    };
    let Some(served) = resource.version(version) else {
        return findings;
    };
    let schema = Schema::builtin();
    let mut fitted = object.clone();
    let found = schema.conform(&served.schema, &mut fitted);
    findings.unknown_fields = found.unknown;
    if !found.errors.is_empty() {
        findings.errors = found.error_paths.into_iter().zip(found.errors).collect();
        return findings;
    }
    (resource.behavior.default)(version, &mut fitted);
    schema.complete(&served.schema, &mut fitted);
    convert::to_storage(&mut fitted, resource, version);
    *object = fitted;
    findings
}

/// Brings an object that a server holds into the version that is stored here.
pub(crate) fn convert_served(object: &mut Value, kind: &Kind, version: &str) {
    if let Some(resource) = &kind.builtin
        && resource.version(version).is_some()
    {
        convert::to_storage(object, resource, version);
    }
}

/// Takes away what changes on its own, repeats the rest, or is secret.
pub(crate) fn strip(object: &mut Value, kind: &Kind) {
    meta::remove(object, &["metadata", "managedFields"]);
    let last_applied = "kubectl.kubernetes.io/last-applied-configuration";
    let removed = meta::remove(object, &["metadata", "annotations", last_applied]);
    let none_left = meta::at(object, &["metadata", "annotations"])
        .and_then(Value::as_object)
        .is_some_and(serde_json::Map::is_empty);
    if removed.is_some() && none_left {
        meta::remove(object, &["metadata", "annotations"]);
    }
    if kind.group.is_empty() && kind.plural == "secrets" {
        redact(object);
    }
}

/// Keeps the keys of a secret and none of its values. Nothing of them is kept that could be
/// guessed from: no hash, no length.
fn redact(secret: &mut Value) {
    let written = meta::remove(secret, &["stringData"]);
    let encoded = meta::remove(secret, &["data"]);
    let mut keys: Vec<String> = [encoded, written]
        .iter()
        .flatten()
        .filter_map(Value::as_object)
        .flat_map(|values| values.keys().cloned())
        .collect();
    keys.sort_unstable();
    if !keys.is_empty() {
        let data: model::Map = keys.into_iter().map(|k| (k, Value::from(""))).collect();
        meta::set(secret, &["data"], data);
    }
}
