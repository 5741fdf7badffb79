//! What must hold of patches, whatever they are.

use generators::objects::{CONFIG_MAP, DEPLOYMENT, POD, SERVICE};
use generators::{diff, json, objects, patches};
use model::patch::{MAX_DEPTH, json_patch, merge_patch, strategic_merge};
use model::schema::Schema;
use model::{Map, Value};
use proptest::prelude::*;

/// Two objects of one kind, and the kind's type.
fn pair() -> impl Strategy<Value = (&'static str, Value, Value)> {
    prop_oneof![
        (
            Just(CONFIG_MAP),
            objects::config_map(),
            objects::config_map()
        ),
        (Just(POD), objects::pod(), objects::pod()),
        (
            Just(DEPLOYMENT),
            objects::deployment(),
            objects::deployment()
        ),
        (Just(SERVICE), objects::service(), objects::service()),
    ]
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

proptest! {
    #[test]
    fn a_json_diff_leads_to_the_target(old in json::object(), new in json::object()) {
        let patch = diff::json(&old, &new);
        prop_assert_eq!(json_patch(&old, &patch), Ok(new), "{}", patch);
    }

    #[test]
    fn a_merge_diff_leads_to_the_target(old in json::object(), new in json::object()) {
        let (old, new) = (json::without_nulls(old), json::without_nulls(new));
        let patch = diff::merge(&old, &new);
        prop_assert_eq!(merge_patch(&old, &patch), Ok(new.clone()), "{}", &patch);
        prop_assert_eq!(diff::merge(&new, &new), Value::Object(Map::new()));
    }

    #[test]
    fn a_strategic_diff_leads_to_the_target((name, old, new) in pair()) {
        let schema = Schema::builtin();
        let patch = diff::strategic(schema, name, &old, &new);
        let result = strategic_merge(schema, name, &old, &patch);
        prop_assert_eq!(&result, &Ok(new.clone()), "{}", patch);
        prop_assert_eq!(diff::strategic(schema, name, &new, &new), Value::Object(Map::new()));
    }

    #[test]
    fn patching_twice_is_patching_once((name, old, new) in pair()) {
        let schema = Schema::builtin();
        for patched in [
            merge_patch(&old, &diff::merge(&old, &new)),
            strategic_merge(schema, name, &old, &diff::strategic(schema, name, &old, &new)),
        ] {
            let once = patched.unwrap();
            let again = strategic_merge(
                schema, name, &once, &diff::strategic(schema, name, &once, &new),
            );
            prop_assert_eq!(again, Ok(once));
        }
    }

    #[test]
    fn json_patches_never_nest_too_deep(target in json::object(), patch in patches::json_patch()) {
        if let Ok(result) = json_patch(&target, &patch) {
            prop_assert!(depth(&result) <= MAX_DEPTH);
        }
    }

    #[test]
    fn merge_patches_take_any_object(target in json::value(), patch in json::value()) {
        prop_assert_eq!(merge_patch(&target, &patch).is_ok(), patch.is_object());
    }

    #[test]
    fn strategic_patches_take_anything(
        (name, target, other) in pair(),
        choices in prop::collection::vec(any::<u8>(), 60),
        noise in json::value(),
    ) {
        let schema = Schema::builtin();
        let patch = patches::with_directives(other, &choices);
        // Whatever comes of it, no directive ends up in maps that were merged.
        if let Ok(Value::Object(map)) = strategic_merge(schema, name, &target, &patch) {
            prop_assert!(map.keys().all(|key| !key.starts_with('$')), "{}", patch);
        }
        let _ = strategic_merge(schema, name, &noise, &patch);
        let _ = strategic_merge(schema, name, &target, &noise);
    }
}
