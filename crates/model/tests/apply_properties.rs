//! What must hold of server-side apply and of managed fields, whatever is written.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, which clippy does not take for tests"
)]

use generators::objects::{CONFIG_MAP, DEPLOYMENT, POD, SERVICE};
use generators::{json, objects};
use model::apply::{FieldSet, Manager, apply, track_update};
use model::schema::Schema;
use model::{Value, meta};
use proptest::prelude::*;

/// Three objects of one kind, with the kind's type and API version.
fn objects() -> impl Strategy<Value = (&'static str, &'static str, [Value; 3])> {
    prop_oneof![
        prop::array::uniform3(objects::config_map()).prop_map(|o| (CONFIG_MAP, "v1", o)),
        prop::array::uniform3(objects::pod()).prop_map(|o| (POD, "v1", o)),
        prop::array::uniform3(objects::deployment()).prop_map(|o| (DEPLOYMENT, "apps/v1", o)),
        prop::array::uniform3(objects::service()).prop_map(|o| (SERVICE, "v1", o)),
    ]
}

fn manager<'a>(name: &'a str, api_version: &'a str, time: &'a str) -> Manager<'a> {
    Manager {
        name,
        api_version,
        subresource: "",
        time,
    }
}

fn bare(object: &Value) -> Value {
    let mut bare = object.clone();
    meta::remove(&mut bare, &["metadata", "managedFields"]);
    bare
}

/// What each manager owns.
fn owned(object: &Value) -> Vec<(String, FieldSet)> {
    meta::list(object, &["metadata", "managedFields"])
        .iter()
        .map(|entry| {
            let who = format!("{}/{}", entry["manager"], entry["operation"]);
            (who, FieldSet::decode(&entry["fieldsV1"]).unwrap())
        })
        .collect()
}

fn path() -> impl Strategy<Value = Vec<&'static str>> {
    let element = prop::sample::select(vec![
        "f:a",
        "f:b",
        "f:c",
        "k:{\"name\":\"a\"}",
        "k:{\"name\":\"b\"}",
        "v:\"x\"",
        "v:1",
        "i:0",
    ]);
    prop::collection::vec(element, 1..4)
}

fn field_set() -> impl Strategy<Value = FieldSet> {
    prop::collection::vec(path(), 0..8).prop_map(|paths| {
        let mut set = FieldSet::default();
        for path in paths {
            set.insert(&path);
        }
        set
    })
}

fn union(a: &FieldSet, b: &FieldSet) -> FieldSet {
    let mut union = a.clone();
    union.union_with(b.clone());
    union
}

fn difference(a: &FieldSet, b: &FieldSet) -> FieldSet {
    let mut difference = a.clone();
    difference.subtract(b);
    difference
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn sets_are_sets(a in field_set(), b in field_set(), c in field_set(), at in path()) {
        let empty = FieldSet::default();
        prop_assert_eq!(union(&a, &a), a.clone());
        prop_assert_eq!(union(&a, &b), union(&b, &a));
        prop_assert_eq!(union(&union(&a, &b), &c), union(&a, &union(&b, &c)));
        prop_assert_eq!(a.intersection(&b), b.intersection(&a));
        prop_assert_eq!(a.intersection(&union(&b, &c)),
            union(&a.intersection(&b), &a.intersection(&c)));
        prop_assert_eq!(difference(&a, &a), empty.clone());
        prop_assert_eq!(difference(&a, &b), difference(&a, &a.intersection(&b)));
        prop_assert_eq!(union(&difference(&a, &b), &a.intersection(&b)), a.clone());
        prop_assert_eq!(difference(&a, &union(&b, &c)), difference(&difference(&a, &b), &c));
        prop_assert_eq!(a.is_subset(&b), difference(&a, &b).is_empty());
        prop_assert_eq!(union(&a, &b).len() + a.intersection(&b).len(), a.len() + b.len());
        prop_assert_eq!(union(&a, &b).contains(&at), a.contains(&at) || b.contains(&at));
        prop_assert_eq!(difference(&a, &b).contains(&at), a.contains(&at) && !b.contains(&at));
        prop_assert_eq!(a.paths().len(), a.len());
    }

    #[test]
    fn sets_survive_their_encoding(set in field_set()) {
        prop_assert_eq!(FieldSet::decode(&set.clone().encode()), Ok(set));
    }

    #[test]
    fn decoding_a_set_takes_anything(value in json::value()) {
        if let Ok(set) = FieldSet::decode(&value) {
            let usual = set.clone().encode();
            prop_assert_eq!(FieldSet::decode(&usual), Ok(set));
        }
    }

    #[test]
    fn applying_twice_is_applying_once((name, version, [first, second, _]) in objects()) {
        let schema = Schema::builtin();
        let mut live = first;
        track_update(schema, name, None, &mut live, &manager("a", version, "2025-01-01T00:00:00Z"));
        let b = manager("b", version, "2025-01-02T00:00:00Z");
        let once = apply(schema, name, Some(&live), &second, &b, true).unwrap();
        let later = manager("b", version, "2025-01-03T00:00:00Z");
        let twice = apply(schema, name, Some(&once), &second, &later, false);
        prop_assert_eq!(twice, Ok(once));
    }

    #[test]
    fn what_is_applied_is_there_and_goes_again(
        (name, version, [first, second, third]) in objects(),
    ) {
        let schema = Schema::builtin();
        let who = manager("a", version, "2025-01-01T00:00:00Z");
        let mut live = apply(schema, name, None, &first, &who, false).unwrap();
        // With nobody else around, the object is what was applied last.
        for config in [&second, &third, &first] {
            live = apply(schema, name, Some(&live), config, &who, false).unwrap();
            let patch = generators::diff::strategic(schema, name, &bare(&live), config);
            let moved: Vec<_> = patch.as_object().into_iter().flatten().collect();
            prop_assert!(
                like(&bare(&live)) == like(config),
                "{}\n{}\n{:?}", bare(&live), config, moved
            );
        }
        prop_assert!(owned(&live).len() <= 1);
    }

    #[test]
    fn appliers_of_different_values_conflict((name, version, [first, second, _]) in objects()) {
        let schema = Schema::builtin();
        let (a, b) = (
            manager("a", version, "2025-01-01T00:00:00Z"),
            manager("b", version, "2025-01-02T00:00:00Z"),
        );
        let live = apply(schema, name, None, &first, &a, false).unwrap();
        let polite = apply(schema, name, Some(&live), &second, &b, false);
        let forced = apply(schema, name, Some(&live), &second, &b, true).unwrap();
        match polite {
            // Without a conflict nothing of the first applier's has changed.
            Ok(object) => {
                prop_assert_eq!(&object, &forced);
                let again = apply(schema, name, Some(&object), &first, &a, false);
                prop_assert_eq!(
                    again.map(|object| like(&bare(&object))),
                    Ok(like(&bare(&object)))
                );
            }
            Err(_) => {
                let back = apply(schema, name, Some(&forced), &first, &a, false);
                prop_assert!(back.is_err(), "the conflict goes both ways");
            }
        }
    }

    #[test]
    fn the_last_writer_owns_what_it_changed((name, version, [first, second, third]) in objects()) {
        let schema = Schema::builtin();
        let mut live = first;
        track_update(schema, name, None, &mut live, &manager("a", version, "2025-01-01T00:00:00Z"));
        for (who, next) in [("b", second), ("c", third)] {
            let mut next = next;
            let writer = manager(who, version, "2025-01-02T00:00:00Z");
            track_update(schema, name, Some(&live), &mut next, &writer);
            live = next;
        }
        // Nobody shares: each write takes its fields from the others.
        let owners = owned(&live);
        for (at, (who, set)) in owners.iter().enumerate() {
            for (other, theirs) in owners.iter().skip(at + 1) {
                prop_assert!(set.intersection(theirs).is_empty(), "{} and {}", who, other);
            }
        }
        let again = live.clone();
        let mut same = live.clone();
        let later = manager("z", version, "2025-02-01T00:00:00Z");
        track_update(schema, name, Some(&live), &mut same, &later);
        prop_assert_eq!(same, again);
    }

    #[test]
    fn writes_take_anything(
        (name, version, [object, _, _]) in objects(), old in json::value(), new in json::value(),
    ) {
        let schema = Schema::builtin();
        let who = manager("a", version, "2025-01-01T00:00:00Z");
        for old in [None, Some(&old), Some(&object)] {
            let mut new = new.clone();
            track_update(schema, name, old, &mut new, &who);
            let _ = apply(schema, name, old, &new, &who, false);
            let _ = apply(schema, "no.such.Type", old, &new, &who, true);
            let mut odd = object.clone();
            odd["metadata"]["managedFields"] = new;
            track_update(schema, name, old, &mut odd, &who);
            prop_assert!(owned(&odd).iter().all(|(_, set)| !set.is_empty()));
        }
    }
}

/// The object without what apply may leave different: the order of merged lists, where entries
/// that stay keep their places, and objects that have become empty, which go.
fn like(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| (key.clone(), like(value)))
                .filter(|(_, value)| value.as_object().is_none_or(|map| !map.is_empty()))
                .collect(),
        ),
        Value::Array(list) => {
            let mut list: Vec<Value> = list.iter().map(like).collect();
            list.sort_by_key(Value::to_string);
            Value::Array(list)
        }
        other => other.clone(),
    }
}

/// As deep as bodies may be, below a field of any form, on a stack as small as a server's.
#[test]
fn deep_objects_fit_on_the_stack() {
    let deep = |value: Value| {
        (2..model::decode::MAX_DEPTH).fold(value, |inner, _| serde_json::json!({ "a": inner }))
    };
    let run = move || {
        let schema = Schema::builtin();
        let (old, new) = (deep(1.into()), deep(2.into()));
        for name in ["no.such.Type", CONFIG_MAP] {
            let who = manager("a", "v1", "2025-01-01T00:00:00Z");
            let mut live = old.clone();
            track_update(schema, name, None, &mut live, &who);
            let mut next = new.clone();
            track_update(schema, name, Some(&live), &mut next, &who);
            let _ = apply(schema, name, Some(&live), &new, &who, true);
            let _ = model::patch::merge_patch(&old, &new);
            let _ = model::patch::strategic_merge(schema, CONFIG_MAP, &old, &new);
            let _ = model::patch::json_patch(&old, &generators::diff::json(&old, &new));
        }
    };
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
}
