use super::*;
use crate::schema::Schema;
use std::collections::HashSet;

#[test]
fn names_are_unique() {
    let registry = Registry::builtin();
    let mut names = HashSet::new();
    for r in registry.all() {
        let mut spoken = vec![r.plural.to_string(), r.singular.to_string()];
        spoken.extend(r.short_names.iter().map(ToString::to_string));
        spoken.dedup();
        for name in spoken {
            assert!(names.insert(format!("{}/{name}", r.group)), "{name} twice");
        }
        let subresources: HashSet<_> = r.subresources.iter().map(|s| &s.name).collect();
        assert_eq!(subresources.len(), r.subresources.len(), "{}", r.plural);
    }
}

#[test]
fn every_resource_is_found_by_path_and_kind() {
    let registry = Registry::builtin();
    for r in registry.all() {
        for v in &r.versions {
            for found in [
                registry.by_path(&r.group, &v.name, &r.plural),
                registry.by_kind(&r.group, &v.name, &r.kind),
            ] {
                let found = found.unwrap();
                assert_eq!((&found.group, &found.plural), (&r.group, &r.plural));
            }
        }
        assert!(r.version(&r.storage_version).is_some(), "{}", r.plural);
    }
    assert!(registry.by_path("", "v2", "pods").is_none());
    assert!(registry.by_path("apps", "v1", "pods").is_none());
    assert!(registry.by_kind("", "v1", "Deployment").is_none());
}

#[test]
fn every_resource_is_complete() {
    for r in Registry::builtin().all() {
        assert!(!r.columns.is_empty(), "{} has no columns", r.plural);
        assert!(!r.verbs.is_empty(), "{} has no verbs", r.plural);
        for v in &r.versions {
            assert!(v.schema.ends_with(&format!(".{}.{}", v.name, r.kind)));
            assert!(Schema::builtin().get(&v.schema).is_some(), "{}", v.schema);
        }
        let row = (r.row)(&serde_json::json!({"metadata": {"name": "x"}}), 0);
        assert_eq!(row.len(), r.columns.len(), "{}", r.plural);
    }
}

#[test]
fn kinds_that_share_objects_name_the_same_storage() {
    let registry = Registry::builtin();
    let events = registry.by_path("events.k8s.io", "v1", "events").unwrap();
    assert_eq!(registry.stored_as(events).group, "");
    let pods = registry.by_path("", "v1", "pods").unwrap();
    assert_eq!(registry.stored_as(pods).plural, "pods");
}

#[test]
fn field_selectors_of_shared_objects_stand_at_the_same_positions() {
    let registry = Registry::builtin();
    for resource in registry.all() {
        let stored = registry.stored_as(resource);
        assert!(resource.selectable.len() <= stored.selectable.len());
        for (own, other) in resource.selectable.iter().zip(&stored.selectable) {
            assert_eq!(own.paths, other.paths, "{}", own.name);
        }
    }
}

#[test]
fn fields_read_as_upstream_types_have_them() {
    let registry = Registry::builtin();
    let cases = [
        ("pods", "spec.hostNetwork", r#"{}"#, Some("false")),
        (
            "pods",
            "spec.hostNetwork",
            r#"{"spec":{"hostNetwork":true}}"#,
            Some("true"),
        ),
        ("pods", "spec.nodeName", r#"{}"#, Some("")),
        (
            "pods",
            "metadata.namespace",
            r#"{"metadata":{"namespace":"a"}}"#,
            Some("a"),
        ),
        ("nodes", "metadata.namespace", r#"{}"#, None),
        (
            "events",
            "source",
            r#"{"source":{},"reportingComponent":"x"}"#,
            Some("x"),
        ),
        ("pods", "spec.foo", r#"{}"#, None),
    ];
    for (plural, field, object, want) in cases {
        let object = serde_json::from_str(object).unwrap();
        let resource = registry.by_path("", "v1", plural).unwrap();
        assert_eq!(
            resource.field_value(&object, field).as_deref(),
            want,
            "{plural} {field}"
        );
        assert_eq!(resource.check_field(field).is_ok(), want.is_some());
    }
}
