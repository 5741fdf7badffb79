//! Nodes, namespaces, events, and the small kinds of a cluster's life.

use super::age;
use super::cells::{
    AGE, NAME, NONE, UNKNOWN, age_of, boolean, cells, flag, int, integer, or, text, wide,
};
use crate::resource::Column;
use crate::{Value, meta};
use std::collections::BTreeSet;

pub(super) const NAMESPACE: &[Column] = &[NAME, text("Status", "The status of the namespace"), AGE];

pub(super) fn namespace(object: &Value, now: i64) -> Vec<Value> {
    cells![
        meta::name(object),
        meta::text(object, &["status", "phase"]),
        age_of(object, now)
    ]
}

pub(super) const NODE: &[Column] = &[
    NAME,
    text("Status", "The status of the node"),
    text("Roles", "The roles of the node"),
    AGE,
    text("Version", "The version of the node's agent."),
    wide("Internal-IP", "The first address inside the cluster."),
    wide("External-IP", "The first address from outside."),
    wide("OS-Image", "The operating system."),
    wide("Kernel-Version", "The kernel."),
    wide("Container-Runtime", "What runs the containers."),
];

pub(super) fn node(object: &Value, now: i64) -> Vec<Value> {
    let ready = meta::list(object, &["status", "conditions"])
        .iter()
        .rfind(|c| meta::text(c, &["type"]) == "Ready")
        .map(|c| meta::text(c, &["status"]) == "True");
    let mut status = match ready {
        Some(true) => "Ready",
        Some(false) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if flag(object, &["spec", "unschedulable"]) == Some(true) {
        status.push_str(",SchedulingDisabled");
    }
    let info = |key| meta::text(object, &["status", "nodeInfo", key]);
    let address = |r#type: &str| {
        meta::list(object, &["status", "addresses"])
            .iter()
            .find(|a| meta::text(a, &["type"]) == r#type)
            .map_or(NONE, |a| meta::text(a, &["address"]))
    };
    cells![
        meta::name(object),
        status,
        roles(object),
        age_of(object, now),
        info("kubeletVersion"),
        address("InternalIP"),
        address("ExternalIP"),
        or(info("osImage"), UNKNOWN),
        or(info("kernelVersion"), UNKNOWN),
        or(info("containerRuntimeVersion"), UNKNOWN),
    ]
}

fn roles(node: &Value) -> String {
    let mut roles = BTreeSet::new();
    for (key, value) in meta::labels(node) {
        if let Some(role) = key.strip_prefix("node-role.kubernetes.io/") {
            roles.insert(role);
        } else if key == "kubernetes.io/role" {
            roles.insert(value);
        }
    }
    roles.remove("");
    let roles: Vec<_> = roles.into_iter().collect();
    or(&roles.join(","), NONE).to_owned()
}

pub(super) const COMPONENT: &[Column] = &[
    NAME,
    text("Status", "Status of the component conditions"),
    text("Message", "Message of the component conditions"),
    text("Error", "Error of the component conditions"),
];

pub(super) fn component(object: &Value, _now: i64) -> Vec<Value> {
    let healthy = meta::list(object, &["conditions"])
        .iter()
        .find(|c| meta::text(c, &["type"]) == "Healthy");
    let status = match healthy.map(|c| meta::text(c, &["status"])) {
        Some("True") => "Healthy",
        Some(_) => "Unhealthy",
        None => "Unknown",
    };
    let said = |key| healthy.map_or("", |c| meta::text(c, &[key]));
    cells![meta::name(object), status, said("message"), said("error")]
}

pub(super) const EVENT: &[Column] = &[
    text("Last Seen", "When it happened last."),
    text("Type", "Normal or Warning."),
    text("Reason", "Why it happened, in one word."),
    text("Object", "The object that it is about."),
    wide("Subobject", "The part of the object that it is about."),
    wide("Source", "Who reports it."),
    text("Message", "What happened."),
    wide("First Seen", "When it happened first."),
    wide("Count", "How often it happened."),
    Column {
        priority: 1,
        ..NAME
    },
];

/// The row of an event of either group.
pub(super) fn event(object: &Value, now: i64) -> Vec<Value> {
    let either = |core: &[&str], new: &[&str]| {
        let value = meta::text(object, core);
        or(value, meta::text(object, new)).to_owned()
    };
    let event_time = meta::text(object, &["eventTime"]);
    let first = either(&["firstTimestamp"], &["deprecatedFirstTimestamp"]);
    let first_seen = age::since(or(&first, event_time), now);
    let last = either(&["lastTimestamp"], &["deprecatedLastTimestamp"]);
    let mut last_seen = if last.is_empty() {
        first_seen.clone()
    } else {
        age::since(&last, now)
    };
    let mut count = int(object, &["count"]) + int(object, &["deprecatedCount"]);
    if let Some(series) = meta::at(object, &["series"]) {
        last_seen = age::since(meta::text(series, &["lastObservedTime"]), now);
        count = int(series, &["count"]);
    } else if count == 0 {
        count = 1;
    }
    let about = |key| either(&["involvedObject", key], &["regarding", key]);
    let (kind, name) = (about("kind").to_lowercase(), about("name"));
    let message = either(&["message"], &["note"]);
    cells![
        last_seen,
        meta::text(object, &["type"]),
        meta::text(object, &["reason"]),
        if name.is_empty() {
            kind
        } else {
            format!("{kind}/{name}")
        },
        about("fieldPath"),
        source(object),
        message.trim(),
        first_seen,
        count,
        meta::name(object),
    ]
}

fn source(event: &Value) -> String {
    let first = |paths: &[&[&str]]| {
        let texts = paths.iter().map(|path| meta::text(event, path));
        texts.fold("", |found, next| or(found, next)).to_owned()
    };
    let component = first(&[
        &["source", "component"],
        &["deprecatedSource", "component"],
        &["reportingComponent"],
        &["reportingController"],
    ]);
    let instance = first(&[
        &["source", "host"],
        &["deprecatedSource", "host"],
        &["reportingInstance"],
    ]);
    if instance.is_empty() {
        component
    } else {
        format!("{component}, {instance}")
    }
}

pub(super) const LEASE: &[Column] = &[NAME, text("Holder", "Who holds the lease."), AGE];

pub(super) fn lease(object: &Value, now: i64) -> Vec<Value> {
    cells![
        meta::name(object),
        meta::text(object, &["spec", "holderIdentity"]),
        age_of(object, now),
    ]
}

pub(super) const PRIORITY: &[Column] = &[
    NAME,
    integer("Value", "The priority of pods of this class."),
    boolean(
        "Global-Default",
        "Whether pods without a class get this one.",
    ),
    AGE,
    text(
        "PreemptionPolicy",
        "Whether pods of this class push others out.",
    ),
];

pub(super) fn priority(object: &Value, now: i64) -> Vec<Value> {
    cells![
        meta::name(object),
        int(object, &["value"]),
        flag(object, &["globalDefault"]).unwrap_or(false),
        age_of(object, now),
        meta::text(object, &["preemptionPolicy"]),
    ]
}

pub(super) const RUNTIME: &[Column] = &[
    NAME,
    text("Handler", "The runtime's configuration for this class."),
    AGE,
];

pub(super) fn runtime(object: &Value, now: i64) -> Vec<Value> {
    cells![
        meta::name(object),
        meta::text(object, &["handler"]),
        age_of(object, now)
    ]
}
