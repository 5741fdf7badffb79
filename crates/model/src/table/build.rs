//! The `meta.k8s.io/v1` Table.

use crate::resource::Resource;
use crate::{Map, Value, meta};
use serde_json::json;

/// What of each object a row carries (`includeObject`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IncludeObject {
    /// Nothing.
    None,
    /// Its metadata, as a PartialObjectMetadata; what is meant if nothing is asked for.
    #[default]
    Metadata,
    /// The whole object.
    Object,
}

impl IncludeObject {
    /// Reads the query parameter; unknown values are refused with upstream's message.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "" | "Metadata" => Ok(Self::Metadata),
            "None" => Ok(Self::None),
            "Object" => Ok(Self::Object),
            other => Err(format!("unrecognized includeObject value: {other:?}")),
        }
    }
}

/// The header of the kind's tables.
pub fn column_definitions(resource: &Resource) -> Value {
    resource
        .columns
        .iter()
        .map(|column| {
            json!({
                "name": column.name,
                "type": column.r#type,
                "format": column.format,
                "description": column.description,
                "priority": column.priority,
            })
        })
        .collect()
}

/// The cells of an object, one per column. The object may be in stored form or as it is served;
/// `now` is in seconds since the Unix epoch.
pub fn cells(resource: &Resource, object: &Value, now: i64) -> Vec<Value> {
    (resource.row)(object, now)
}

/// The row of one object. It depends on nothing but the object, so that watches can make it too.
/// `version` is the version of the Table, `v1` or `v1beta1`.
pub fn row(
    resource: &Resource,
    object: &Value,
    include: IncludeObject,
    version: &str,
    now: i64,
) -> Value {
    let mut row = Map::new();
    row.insert("cells".to_owned(), cells(resource, object, now).into());
    if let Some(conditions) = conditions(resource, object) {
        row.insert("conditions".to_owned(), conditions);
    }
    let included = match include {
        IncludeObject::None => Value::Null,
        IncludeObject::Object => object.clone(),
        IncludeObject::Metadata => json!({
            "kind": "PartialObjectMetadata",
            "apiVersion": format!("meta.k8s.io/{version}"),
            "metadata": object.get("metadata").cloned().unwrap_or_else(|| json!({})),
        }),
    };
    row.insert("object".to_owned(), included);
    Value::Object(row)
}

/// A Table of objects. `list_meta` is the list's metadata (`resourceVersion`, `continue`,
/// `remainingItemCount`); for a single object it carries the object's resource version. Without
/// `headers` the column definitions are left out, as in all but the first event of a watch.
pub fn table<'a>(
    resource: &Resource,
    objects: impl IntoIterator<Item = &'a Value>,
    list_meta: Value,
    include: IncludeObject,
    version: &str,
    headers: bool,
    now: i64,
) -> Value {
    let rows: Vec<_> = objects
        .into_iter()
        .map(|object| row(resource, object, include, version, now))
        .collect();
    json!({
        "kind": "Table",
        "apiVersion": format!("meta.k8s.io/{version}"),
        "metadata": list_meta,
        "columnDefinitions": if headers { column_definitions(resource) } else { json!([]) },
        "rows": rows,
    })
}

/// Pods that have come to their end are marked.
fn conditions(resource: &Resource, object: &Value) -> Option<Value> {
    if resource.kind != "Pod" || !resource.group.is_empty() {
        return None;
    }
    let (reason, message) = match meta::text(object, &["status", "phase"]) {
        "Succeeded" => ("Succeeded", "The pod has completed successfully."),
        "Failed" => ("Failed", "The pod failed."),
        _ => return None,
    };
    Some(json!([{
        "type": "Completed",
        "status": "True",
        "reason": reason,
        "message": message,
    }]))
}
