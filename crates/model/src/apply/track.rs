//! Keeping managed fields on writes that are no apply.

use super::Manager;
use super::compare::Comparison;
use super::field_set::{Entry as Node, FieldSet};
use super::managed::{Entry, Managed, Operation};
use crate::schema::Schema;
use crate::shape::Shape;
use crate::{Map, Value};

/// Brings `metadata.managedFields` of `new` up to date after a create (`old` is `None`), update
/// or patch by `manager`. `name` is the object's schema type.
///
/// What the write added or changed goes to the manager's `Update` entry (with the manager's time)
/// and leaves all others; what it removed leaves all entries. Nobody is asked: only apply has
/// conflicts. If nothing changed, neither do the managed fields. An object that is not tracked
/// stays so until it is applied.
///
/// Entries that `new` carries replace the stored ones (an empty list, or one with a single empty
/// entry, ends tracking), unless they are malformed or the write is to a subresource.
///
/// Which parts of the object a write can own follows from [`Manager::subresource`]: writes to the
/// object itself never own `status`, writes to `status` own nothing but `metadata` and `status`,
/// and writes through other subresources own what they changed.
pub fn track_update(
    schema: &Schema,
    name: &str,
    old: Option<&Value>,
    new: &mut Value,
    manager: &Manager<'_>,
) {
    let sent = take_managed(new);
    let stored = old.and_then(stored_managed);
    // Most writes carry the stored entries, if any.
    let same = sent.as_ref() == stored;
    let written = match &sent {
        Some(sent) if !same && manager.subresource.is_empty() => {
            if is_reset(sent) {
                return;
            }
            Managed::sent(sent).filter(|managed| !managed.entries.is_empty())
        }
        _ => None,
    };
    if written.is_none() && old.is_some() && stored.is_none_or(is_empty_list) {
        return;
    }
    let shape = Shape::of(schema, name).unwrap_or_else(|| Shape::free(schema));
    let comparison = Comparison::of(shape, old, new, resets(shape, manager.subresource));
    let stored = if same { sent } else { stored.cloned() };
    let managed = match written {
        Some(managed) => managed,
        None if comparison.is_empty() => {
            if let (Some(stored), Some(metadata)) = (stored, metadata(new)) {
                metadata.insert("managedFields".to_owned(), stored);
            }
            return;
        }
        None => Managed::stored(stored),
    };
    let managed = update(managed, comparison, manager);
    put_managed(new, managed);
}

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_none_or(Vec::is_empty)
}

/// The managed fields after a write with these effects.
pub(super) fn update(
    mut managed: Managed,
    comparison: Comparison,
    manager: &Manager<'_>,
) -> Managed {
    if comparison.is_empty() {
        return managed;
    }
    let (mut set, removed) = comparison.set();
    for entry in &mut managed.entries {
        entry.subtract(&set);
        entry.subtract(&removed);
    }
    strip(&mut set);
    if !set.is_empty() {
        let mut mine = Entry::of(manager, Operation::Update);
        if let Some(previous) = managed.take(&mine) {
            mine = previous;
        }
        mine.add(set);
        mine.time = Some(manager.time.to_owned());
        managed.entries.push(mine);
    }
    managed.drop_empty();
    managed.cap();
    managed
}

/// Whether a top-level field is put back to what it was before a write through `subresource` is
/// stored, so that the write cannot own it.
pub(super) fn resets<'a>(shape: Shape<'a>, subresource: &'a str) -> impl Fn(&str) -> bool + 'a {
    let has_status = shape.field("status").is_some();
    move |field| match subresource {
        "" => has_status && field == "status",
        "status" => field != "status" && field != "metadata",
        _ => false,
    }
}

/// Removes the fields that nobody owns: identity, and what the server keeps.
pub(super) fn strip(set: &mut FieldSet) {
    const METADATA: [&str; 9] = [
        "f:name",
        "f:namespace",
        "f:creationTimestamp",
        "f:selfLink",
        "f:uid",
        "f:clusterName",
        "f:generation",
        "f:managedFields",
        "f:resourceVersion",
    ];
    set.retain_entries(|element, entry| {
        match element {
            "f:apiVersion" | "f:kind" => entry.member = false,
            "f:metadata" => {
                entry.member = false;
                entry.below.retain_entries(|element, entry| {
                    entry.member &= !METADATA.contains(&element);
                    !Node::is_empty(entry)
                });
            }
            _ => {}
        }
        !entry.is_empty()
    });
}

fn is_reset(sent: &Value) -> bool {
    match sent.as_array().map(Vec::as_slice) {
        Some([]) => true,
        Some([Value::Object(only)]) => only.is_empty(),
        _ => false,
    }
}

/// The managed fields of a stored object.
pub(super) fn stored_managed(object: &Value) -> Option<&Value> {
    object.get("metadata")?.get("managedFields")
}

/// Takes the managed fields out of an object.
pub(super) fn take_managed(object: &mut Value) -> Option<Value> {
    object
        .get_mut("metadata")?
        .as_object_mut()?
        .remove("managedFields")
        .filter(|value| !value.is_null())
}

/// Writes managed fields into an object.
pub(super) fn put_managed(object: &mut Value, managed: Managed) {
    if let (Some(encoded), Some(metadata)) = (managed.encode(), metadata(object)) {
        metadata.insert("managedFields".to_owned(), encoded);
    }
}

fn metadata(object: &mut Value) -> Option<&mut Map> {
    object
        .as_object_mut()?
        .entry("metadata")
        .or_insert_with(|| Value::Object(Map::new()))
        .as_object_mut()
}
