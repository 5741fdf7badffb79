//! Configuration, secrets, accounts and quotas. No cell shows a value of a secret.

use super::cells::{AGE, NAME, age_of, cells, count, quantity, text};
use crate::resource::Column;
use crate::{Value, meta};

pub(super) const CONFIG_MAP: &[Column] = &[NAME, text("Data", "How many keys it has."), AGE];

pub(super) fn config_map(object: &Value, now: i64) -> Vec<Value> {
    let keys = count(object, &["data"]) + count(object, &["binaryData"]);
    cells![meta::name(object), keys, age_of(object, now)]
}

pub(super) const SECRET: &[Column] = &[
    NAME,
    text("Type", "What the secret is for."),
    text("Data", "How many keys it has."),
    AGE,
];

pub(super) fn secret(object: &Value, now: i64) -> Vec<Value> {
    cells![
        meta::name(object),
        meta::text(object, &["type"]),
        count(object, &["data"]),
        age_of(object, now),
    ]
}

pub(super) const SERVICE_ACCOUNT: &[Column] = &[
    NAME,
    text("Secrets", "How many secrets pods of the account may mount."),
    AGE,
];

pub(super) fn service_account(object: &Value, now: i64) -> Vec<Value> {
    cells![
        meta::name(object),
        count(object, &["secrets"]),
        age_of(object, now)
    ]
}

pub(super) const QUOTA: &[Column] = &[
    NAME,
    text(
        "Request",
        "Request represents a minimum amount of cpu/memory that a container may consume.",
    ),
    text(
        "Limit",
        "Limits control the maximum amount of cpu/memory that a container may use independent of \
         contention on the node.",
    ),
    AGE,
];

pub(super) fn quota(object: &Value, now: i64) -> Vec<Value> {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    let hard = meta::at(object, &["status", "hard"]).and_then(Value::as_object);
    for resource in hard.into_iter().flat_map(|map| map.keys()) {
        let used = quantity(object, &["status", "used", resource]);
        let hard = quantity(object, &["status", "hard", resource]);
        let column = if resource.starts_with("limits.") {
            &mut limits
        } else {
            &mut requests
        };
        column.push(format!("{resource}: {used}/{hard}"));
    }
    cells![
        meta::name(object),
        requests.join(", "),
        limits.join(", "),
        age_of(object, now),
    ]
}
