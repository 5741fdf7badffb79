//! The views that kubectl and metadata clients ask for: `Table` and `PartialObjectMetadata`.

use crate::clock;
use crate::negotiation::ViewVersion;
use crate::reply::Include;
use model::Value;
use model::resource::Resource;
use model::table::IncludeObject;
use serde_json::json;

fn name(version: ViewVersion) -> &'static str {
    match version {
        ViewVersion::Stable => "v1",
        ViewVersion::Beta => "v1beta1",
    }
}

fn api_version(version: ViewVersion) -> String {
    format!("meta.k8s.io/{}", name(version))
}

/// A `Table` of objects. `metadata` is the list's; the columns are left out if `columns` is false,
/// as in all but the first event of a watch.
pub fn table(
    resource: &Resource,
    objects: &[Value],
    metadata: Value,
    include: Include,
    version: ViewVersion,
    columns: bool,
) -> Value {
    let include = match include {
        Include::None => IncludeObject::None,
        Include::Metadata => IncludeObject::Metadata,
        Include::Object => IncludeObject::Object,
    };
    let version = name(version);
    let now = clock::now();
    model::table::table(resource, objects, metadata, include, version, columns, now)
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
