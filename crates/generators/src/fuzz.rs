//! What the fuzz targets do with their input. The targets themselves (in `fuzz/`, outside the
//! workspace, because they need a fuzzer's runtime) only call these; inputs that once failed are
//! replayed by a plain test.
//!
//! Each function panics if what must hold of any input does not. Targets that take two documents
//! get them separated by a zero byte.

use crate::objects::{CONFIG_MAP, DEPLOYMENT, POD, SERVICE};
use model::apply::{Manager, apply, track_update};
use model::decode::{self, Format, MAX_DEPTH};
use model::patch;
use model::quantity::Quantity;
use model::schema::Schema;
use model::selector::{FieldSelector, LabelSelector};
use model::{Value, meta};

/// What a target does with the bytes that the fuzzer gives it.
pub type Body = fn(&[u8]);

/// Every target: its name, which is also that of its directory of regressions, and its body.
pub const TARGETS: [(&str, Body); 9] = [
    ("json_patch", json_patch),
    ("merge_patch", merge_patch),
    ("strategic_merge", strategic_merge),
    ("apply", apply_configuration),
    ("label_selector", label_selector),
    ("field_selector", field_selector),
    ("quantity", quantity),
    ("decode_json", decode_json),
    ("decode_yaml", decode_yaml),
];

const TYPES: [&str; 4] = [CONFIG_MAP, POD, DEPLOYMENT, SERVICE];

/// A JSON patch gives an object that can be read back.
pub fn json_patch(data: &[u8]) {
    if let Some((target, patch)) = two(data)
        && let Ok(result) = patch::json_patch(&target, &patch)
    {
        assert!(depth(&result) <= MAX_DEPTH, "nested too deep");
    }
}

/// A merge patch that is applied again changes nothing more.
pub fn merge_patch(data: &[u8]) {
    if let Some((target, patch)) = two(data)
        && let Ok(once) = patch::merge_patch(&target, &patch)
    {
        assert_eq!(
            patch::merge_patch(&once, &patch),
            Ok(once),
            "not idempotent"
        );
    }
}

/// A strategic merge patch leaves no directive behind where it merges.
pub fn strategic_merge(data: &[u8]) {
    let Some((mut target, patch)) = two(data) else {
        return;
    };
    for name in TYPES {
        let unknown = Schema::builtin().conform(name, &mut target).unknown;
        if let Ok(Value::Object(map)) =
            patch::strategic_merge(Schema::builtin(), name, &target, &patch)
        {
            assert!(
                !map.keys()
                    .any(|key| key == "$patch" || key == "$retainKeys"),
                "a directive is left ({unknown:?} were dropped before)"
            );
        }
    }
}

/// A configuration that is applied again changes nothing.
pub fn apply_configuration(data: &[u8]) {
    let Some((live, config)) = two(data) else {
        return;
    };
    let schema = Schema::builtin();
    let manager = |name, time| Manager {
        name,
        api_version: "v1",
        subresource: "",
        time,
    };
    for name in TYPES {
        let mut live = live.clone();
        let mut fitting = config.clone();
        let found = schema.conform(name, &mut live);
        let wanted = schema.conform(name, &mut fitting);
        track_update(
            schema,
            name,
            None,
            &mut live,
            &manager("a", "2025-01-01T00:00:00Z"),
        );
        let once = apply(
            schema,
            name,
            Some(&live),
            &config,
            &manager("b", "2025-01-02T00:00:00Z"),
            true,
        );
        let clean = found.errors.is_empty() && wanted.errors.is_empty() && fitting == config;
        if let Ok(once) = once
            && clean
        {
            let again = apply(
                schema,
                name,
                Some(&once),
                &config,
                &manager("b", "2025-01-03T00:00:00Z"),
                false,
            );
            assert_eq!(again, Ok(once), "not idempotent");
        }
    }
}

/// A label selector is understood as it is printed, if it is: a set with the empty text alone
/// prints as an empty set, which is refused, here as upstream.
pub fn label_selector(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(selector) = LabelSelector::parse(text)
    {
        let shown = selector.to_string();
        if let Ok(again) = LabelSelector::parse(&shown) {
            assert_eq!(again.to_string(), shown, "not understood as printed");
            for label in [None, Some(""), Some("a"), Some("1")] {
                let (was, is) = (selector.matches(|_| label), again.matches(|_| label));
                assert_eq!(
                    was, is,
                    "{text:?} matches {label:?} otherwise than {shown:?}"
                );
            }
        }
    }
}

/// A field selector is understood as it is printed. Its terms are in the order of how they were
/// written (`==` or `=`), so that their order may change once, here as upstream.
pub fn field_selector(data: &[u8]) {
    let sorted = |mut selector: FieldSelector| {
        selector.terms.sort_unstable();
        selector.terms
    };
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(selector) = FieldSelector::parse(text)
    {
        let shown = selector.to_string();
        let again = FieldSelector::parse(&shown).map(sorted);
        assert_eq!(again, Ok(sorted(selector)), "not understood as printed");
    }
}

/// A quantity keeps its value when it is printed, and its print comes to rest: `62.5Ki` is printed as
/// `64000`, whose print is `64k`, here as upstream.
pub fn quantity(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(quantity) = Quantity::parse(text)
    {
        let mut shown = quantity.to_string();
        for _ in 0..2 {
            let again = Quantity::parse(&shown);
            assert_eq!(
                again.as_ref().ok(),
                Some(&quantity),
                "{text:?} was printed as {shown:?}"
            );
            let printed = again.map(|quantity| quantity.to_string());
            shown = printed.unwrap_or_default();
        }
        let last = Quantity::parse(&shown).map(|quantity| quantity.to_string());
        assert_eq!(last.ok(), Some(shown), "printed differently again");
    }
}

/// JSON means the same when it is written again.
pub fn decode_json(data: &[u8]) {
    if let Ok(decoded) = decode::decode(data, Format::Json) {
        assert!(depth(&decoded.value) <= MAX_DEPTH, "nested too deep");
        let text = decoded.value.to_string();
        let again = decode::decode(text.as_bytes(), Format::Json).map(|decoded| decoded.value);
        assert_eq!(again.ok(), Some(decoded.value), "not understood as written");
    }
}

/// YAML stays within bounds, and what a file holds first is what a body would hold.
pub fn decode_yaml(data: &[u8]) {
    if let Ok(decoded) = decode::decode(data, Format::Yaml) {
        assert!(depth(&decoded.value) <= MAX_DEPTH, "nested too deep");
        let _ = meta::name(&decoded.value);
    }
    for document in decode::documents(data).flatten() {
        assert!(
            depth(&document.decoded.value) <= MAX_DEPTH,
            "nested too deep"
        );
        assert!(data.get(document.bytes).is_some(), "outside of the file");
    }
}

fn two(data: &[u8]) -> Option<(Value, Value)> {
    let at = data.iter().position(|byte| *byte == 0)?;
    let (first, rest) = data.split_at(at);
    let parse = |bytes| decode::decode(bytes, Format::Json).ok();
    Some((parse(first)?.value, parse(rest.get(1..)?)?.value))
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
