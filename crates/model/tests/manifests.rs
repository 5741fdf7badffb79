//! The walk-through's manifests, and every type there is, against decoding and the schema.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "these are tests over files"
)]

use model::Value;
use model::decode::{Format, decode, documents};
use model::registry::Registry;
use model::resource::GroupVersionKind;
use model::schema::{ListKind, Schema, Type};
use serde_json::json;

fn manifests() -> Vec<(String, String)> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../rampart/tests/workshop");
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            (path.display().to_string(), text)
        })
        .collect();
    files.sort();
    assert!(files.len() > 10);
    files
}

fn schema_of(registry: &Registry, object: &Value) -> String {
    let kind = GroupVersionKind::of(object);
    registry
        .by_kind(&kind.group, &kind.version, &kind.kind)
        .and_then(|r| r.version(&kind.version))
        .map(|v| v.schema.clone().into_owned())
        .unwrap()
}

/// Paths of all fields and list entries.
fn paths(value: &Value, here: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = format!("{here}[{key}]");
                out.push(path.clone());
                paths(value, &path, out);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let path = format!("{here}[{index}]");
                out.push(path.clone());
                paths(item, &path, out);
            }
        }
        _ => {}
    }
}

#[test]
fn the_walk_through_fits_its_types() {
    let registry = Registry::builtin();
    let mut count = 0;
    for (file, text) in manifests() {
        for document in documents(text.as_bytes()) {
            let document = document.unwrap_or_else(|e| panic!("{file}: {e}"));
            let mut value = document.decoded.value;
            assert!(document.decoded.strict_errors.is_empty(), "{file}");
            let mut all = Vec::new();
            paths(&value, "", &mut all);
            let lines = text.lines().count();
            for path in all {
                let at = document.positions.field(&path);
                let line = at.unwrap_or_else(|| panic!("{file}: {path}")).line;
                assert!((1..=lines).contains(&(line as usize)), "{file}: {path}");
            }
            let ty = schema_of(&registry, &value);
            let found = Schema::builtin().conform(&ty, &mut value);
            assert!(found.unknown.is_empty(), "{file}: {:?}", found.unknown);
            assert!(found.errors.is_empty(), "{file}: {:?}", found.errors);

            // What is stored is read back as it is.
            Schema::builtin().complete(&ty, &mut value);
            let stored = value.to_string();
            let mut again = decode(stored.as_bytes(), Format::Json).unwrap().value;
            let found = Schema::builtin().conform(&ty, &mut again);
            assert!(found.unknown.is_empty() && found.errors.is_empty());
            Schema::builtin().complete(&ty, &mut again);
            assert_eq!(again, value, "{file}");
            count += 1;
        }
    }
    assert!(count > 15, "{count}");
}

#[test]
fn positions_point_at_the_keys() {
    for (file, text) in manifests() {
        let lines: Vec<_> = text.lines().collect();
        for document in documents(text.as_bytes()).flatten() {
            let at = document.positions.field("kind").unwrap();
            let line = lines[at.line as usize - 1];
            let rest: String = line.chars().skip(at.column as usize - 1).collect();
            assert!(rest.starts_with("kind:"), "{file}: {line}");
        }
    }
}

#[test]
fn every_served_version_has_its_type() {
    let schema = Schema::builtin();
    for resource in Registry::builtin().all() {
        for version in &resource.versions {
            let ty = schema.get(&version.schema);
            let ty = ty.unwrap_or_else(|| panic!("no type {}", version.schema));
            let kind = GroupVersionKind {
                group: resource.group.clone(),
                version: version.name.clone(),
                kind: resource.kind.clone(),
            };
            assert!(ty.kinds.contains(&kind), "{} is no {kind:?}", ty.name);
        }
    }
}

#[test]
fn keys_of_lists_are_scalar_fields_of_their_entries() {
    let schema = Schema::builtin();
    let mut lists = 0;
    for ty in schema.types() {
        for field in ty.fields() {
            let Type::List(list) = &field.ty else {
                continue;
            };
            let ListKind::Map(keys) = &list.kind else {
                continue;
            };
            lists += 1;
            let entry = schema.resolve(&list.element);
            let entry = entry.unwrap_or_else(|| panic!("{}.{}", ty.name, field.name));
            for key in keys {
                let known = entry.field(key);
                let known = known.unwrap_or_else(|| panic!("{} has no {key}", entry.name));
                let scalar = matches!(known.ty, Type::String | Type::Int32 | Type::Int64);
                assert!(scalar, "{}.{}: {key}", ty.name, field.name);
            }
        }
    }
    assert!(lists > 50, "{lists}");
}

/// Whatever stands in a field, conformance neither panics nor lets it through in the wrong form.
#[test]
fn every_field_of_every_type_minds_its_form() {
    let schema = Schema::builtin();
    let wrong = |ty: &Type| match ty {
        Type::Raw(_) => None,
        Type::Object(_) | Type::Map(_) | Type::List(_) => Some(json!("text")),
        Type::Double => Some(json!("1.5")),
        _ => Some(json!({"an": "object"})),
    };
    for ty in schema.types() {
        for field in ty.fields() {
            let Some(value) = wrong(&field.ty) else {
                continue;
            };
            let mut object = json!({ &*field.name: value });
            let found = schema.conform(&ty.name, &mut object);
            assert_eq!(found.errors.len(), 1, "{}.{}", ty.name, field.name);
            assert!(found.unknown.is_empty());
        }
    }
}
