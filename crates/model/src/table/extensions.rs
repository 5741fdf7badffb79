//! What extends the API and guards its flow.

use super::cells::{
    AGE, NAME, NONE, UNSET, age_of, cells, count, int, integer, or, selector, text,
};
use crate::resource::Column;
use crate::{Value, meta};

pub(super) const WEBHOOKS: &[Column] = &[
    NAME,
    integer(
        "Webhooks",
        "Webhooks indicates the number of webhooks registered in this configuration",
    ),
    AGE,
];

pub(super) fn webhooks(object: &Value, now: i64) -> Vec<Value> {
    cells![
        meta::name(object),
        count(object, &["webhooks"]),
        age_of(object, now)
    ]
}

pub(super) const POLICY: &[Column] = &[
    NAME,
    integer(
        "Validations",
        "Validations indicates the number of validation rules defined in this configuration",
    ),
    text(
        "ParamKind",
        "ParamKind specifies the kind of resources used to parameterize this policy",
    ),
    AGE,
];

pub(super) fn policy(object: &Value, now: i64) -> Vec<Value> {
    let kind = meta::at(object, &["spec", "paramKind"]).map_or(UNSET.to_owned(), |kind| {
        let part = |key| meta::text(kind, &[key]);
        format!("{}/{}", part("apiVersion"), part("kind"))
    });
    cells![
        meta::name(object),
        count(object, &["spec", "validations"]),
        kind,
        age_of(object, now),
    ]
}

pub(super) const POLICY_BINDING: &[Column] = &[
    NAME,
    text("PolicyName", "The policy that is put into force."),
    text("ParamRef", "The parameters that it is given."),
    AGE,
];

pub(super) fn policy_binding(object: &Value, now: i64) -> Vec<Value> {
    let reference = meta::at(object, &["spec", "paramRef"]).unwrap_or(&Value::Null);
    let (namespace, name) = (
        meta::text(reference, &["namespace"]),
        meta::text(reference, &["name"]),
    );
    let parameters = if !name.is_empty() {
        format!("{}/{name}", or(namespace, "*"))
    } else if meta::at(reference, &["selector"]).is_some() {
        selector(reference, &["selector"])
    } else {
        UNSET.to_owned()
    };
    cells![
        meta::name(object),
        meta::text(object, &["spec", "policyName"]),
        parameters,
        age_of(object, now),
    ]
}

pub(super) const SERVICE: &[Column] = &[
    NAME,
    text(
        "Service",
        "The reference to the service that hosts this API endpoint.",
    ),
    text("Available", "Whether this service is available."),
    AGE,
];

pub(super) fn service(object: &Value, now: i64) -> Vec<Value> {
    let host = meta::at(object, &["spec", "service"]).map_or("Local".to_owned(), |service| {
        let part = |key| meta::text(service, &[key]);
        format!("{}/{}", part("namespace"), part("name"))
    });
    let available = meta::list(object, &["status", "conditions"])
        .iter()
        .find(|c| meta::text(c, &["type"]) == "Available")
        .map_or(String::new(), |c| {
            match (meta::text(c, &["status"]), meta::text(c, &["reason"])) {
                ("True", _) => "True".to_owned(),
                (status, reason) => format!("{status} ({reason})"),
            }
        });
    cells![meta::name(object), host, available, age_of(object, now)]
}

pub(super) const FLOW: &[Column] = &[
    NAME,
    text("PriorityLevel", "The level that requests are put into."),
    text(
        "MatchingPrecedence",
        "Which schema wins where several match; the least does.",
    ),
    text("DistinguisherMethod", "What makes flows of requests."),
    AGE,
    text(
        "MissingPL",
        "references a broken or non-existent PriorityLevelConfiguration",
    ),
];

pub(super) fn flow(object: &Value, now: i64) -> Vec<Value> {
    let dangling = meta::list(object, &["status", "conditions"])
        .iter()
        .find(|c| meta::text(c, &["type"]) == "Dangling")
        .map_or("?", |c| meta::text(c, &["status"]));
    let method = meta::at(object, &["spec", "distinguisherMethod"]);
    cells![
        meta::name(object),
        meta::text(object, &["spec", "priorityLevelConfiguration", "name"]),
        int(object, &["spec", "matchingPrecedence"]),
        method.map_or(NONE, |m| meta::text(m, &["type"])),
        age_of(object, now),
        dangling,
    ]
}

pub(super) const LEVEL: &[Column] = &[
    NAME,
    text("Type", "Whether the level is limited."),
    text("NominalConcurrencyShares", "Its share of the seats."),
    text("Queues", "How many queues it has."),
    text("HandSize", "How many queues a flow may use."),
    text("QueueLengthLimit", "How many requests a queue holds."),
    AGE,
];

pub(super) fn level(object: &Value, now: i64) -> Vec<Value> {
    let limited = meta::at(object, &["spec", "limited"]);
    let queuing = limited.and_then(|l| meta::at(l, &["limitResponse", "queuing"]));
    let cell = |part: Option<&Value>, key: &str| {
        part.map_or(Value::from(NONE), |part| int(part, &[key]).into())
    };
    cells![
        meta::name(object),
        meta::text(object, &["spec", "type"]),
        cell(limited, "nominalConcurrencyShares"),
        cell(queuing, "queues"),
        cell(queuing, "handSize"),
        cell(queuing, "queueLengthLimit"),
        age_of(object, now),
    ]
}
