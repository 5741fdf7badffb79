//! The views that kubectl and metadata clients ask for: `Table` and `PartialObjectMetadata`.

use crate::clock;
use crate::negotiation::ViewVersion;
use crate::reply::Include;
use model::Value;
use model::resource::Resource;
use serde_json::json;

fn api_version(version: ViewVersion) -> &'static str {
    match version {
        ViewVersion::Stable => "meta.k8s.io/v1",
        ViewVersion::Beta => "meta.k8s.io/v1beta1",
    }
}

/// A `Table` of objects. `metadata` is the list's; the columns are left out if `columns` is false,
/// as in all but the first event of a watch.
pub fn table(
    resource: &Resource,
    objects: impl Iterator<Item = Value>,
    metadata: Value,
    include: Include,
    version: ViewVersion,
    columns: bool,
) -> Value {
    let now = clock::now();
    let rows: Vec<Value> = objects
        .map(|object| {
            let cells = (resource.row)(&object, now);
            let mut row = json!({ "cells": cells });
            if let Some(shown) = included(object, include, version)
                && let Some(map) = row.as_object_mut()
            {
                map.insert("object".to_owned(), shown);
            }
            row
        })
        .collect();
    let definitions: Value = if columns {
        resource
            .columns
            .iter()
            .map(|c| {
                json!({
                    "name": c.name,
                    "type": c.r#type,
                    "format": c.format,
                    "description": c.description,
                    "priority": c.priority,
                })
            })
            .collect()
    } else {
        Value::Null
    };
    json!({
        "kind": "Table",
        "apiVersion": api_version(version),
        "metadata": metadata,
        "columnDefinitions": definitions,
        "rows": rows,
    })
}

fn included(object: Value, include: Include, version: ViewVersion) -> Option<Value> {
    match include {
        Include::None => None,
        Include::Metadata => Some(partial(object, version)),
        Include::Object => Some(object),
    }
}

/// The `PartialObjectMetadata` of an object.
pub fn partial(mut object: Value, version: ViewVersion) -> Value {
    let metadata = object
        .get_mut("metadata")
        .map(Value::take)
        .unwrap_or_else(|| json!({}));
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": api_version(version),
        "metadata": metadata,
    })
}

/// A `PartialObjectMetadataList`.
pub fn partial_list(
    objects: impl Iterator<Item = Value>,
    metadata: Value,
    version: ViewVersion,
) -> Value {
    let items: Vec<Value> = objects.map(|o| partial(o, version)).collect();
    json!({
        "kind": "PartialObjectMetadataList",
        "apiVersion": api_version(version),
        "metadata": metadata,
        "items": items,
    })
}
