//! Arbitrary JSON.

use model::Value;
use proptest::prelude::*;

/// A text as it may stand anywhere: mostly short and plain, sometimes anything.
pub fn text() -> BoxedStrategy<String> {
    prop_oneof![
        8 => "[a-c]{0,2}",
        1 => "[$~/:.{}\"a-c-]{0,6}",
        1 => any::<String>(),
    ]
    .boxed()
}

/// A number, a text, a truth value or null.
pub fn scalar() -> BoxedStrategy<Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ]
    .boxed()
}

/// Any value, a few levels deep, whose keys come up again and again.
pub fn value() -> BoxedStrategy<Value> {
    scalar()
        .prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(text(), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
        .boxed()
}

/// Any object.
pub fn object() -> BoxedStrategy<Value> {
    prop::collection::btree_map(text(), value(), 0..5)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
        .boxed()
}

/// The value without its nulls, as objects are stored.
pub fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key, without_nulls(value)))
                .collect(),
        ),
        Value::Array(list) => list
            .into_iter()
            .filter(|value| !value.is_null())
            .map(without_nulls)
            .collect(),
        other => other,
    }
}
