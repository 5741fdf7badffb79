//! Who may do what: bindings, certificate requests, pod security policies.

use super::age;
use super::cells::{AGE, NAME, NONE, age_of, cells, flag, joined, or, text, wide};
use crate::resource::Column;
use crate::{Value, meta};

pub(super) const BINDING: &[Column] = &[
    NAME,
    text("Role", "The role that is granted."),
    AGE,
    wide("Users", "The users that it is granted to."),
    wide("Groups", "The groups that it is granted to."),
    wide(
        "ServiceAccounts",
        "The service accounts that it is granted to.",
    ),
];

pub(super) fn binding(object: &Value, now: i64) -> Vec<Value> {
    let subjects = |kind: &str| {
        let names: Vec<_> = meta::list(object, &["subjects"])
            .iter()
            .filter(|subject| meta::text(subject, &["kind"]) == kind)
            .map(|subject| {
                let name = meta::text(subject, &["name"]);
                if kind == "ServiceAccount" {
                    format!("{}/{name}", meta::text(subject, &["namespace"]))
                } else {
                    name.to_owned()
                }
            })
            .collect();
        names.join(", ")
    };
    let role = |key| meta::text(object, &["roleRef", key]);
    cells![
        meta::name(object),
        format!("{}/{}", role("kind"), role("name")),
        age_of(object, now),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}

pub(super) const CSR: &[Column] = &[
    NAME,
    AGE,
    text("SignerName", "Who is asked to sign."),
    text("Requestor", "Who asks."),
    text("RequestedDuration", "For how long."),
    text("Condition", "What was decided."),
];

pub(super) fn csr(object: &Value, now: i64) -> Vec<Value> {
    let duration = meta::at(object, &["spec", "expirationSeconds"])
        .and_then(Value::as_i64)
        .map_or(NONE.to_owned(), age::human_duration);
    let has = |r#type: &str| {
        meta::list(object, &["status", "conditions"])
            .iter()
            .any(|c| meta::text(c, &["type"]) == r#type)
    };
    let mut condition = if has("Denied") {
        "Denied"
    } else if has("Approved") {
        "Approved"
    } else {
        "Pending"
    }
    .to_owned();
    if has("Failed") {
        condition.push_str(",Failed");
    }
    if !meta::text(object, &["status", "certificate"]).is_empty() {
        condition.push_str(",Issued");
    }
    cells![
        meta::name(object),
        age_of(object, now),
        or(meta::text(object, &["spec", "signerName"]), NONE),
        meta::text(object, &["spec", "username"]),
        duration,
        condition,
    ]
}

pub(super) const PSP: &[Column] = &[
    NAME,
    text("Priv", "Whether pods may be privileged."),
    text("Caps", "The capabilities that may be added."),
    text("SELinux", "The strategy for SELinux labels."),
    text("RunAsUser", "The strategy for the user."),
    text("FSGroup", "The strategy for the group of volumes."),
    text("SupGroup", "The strategy for supplemental groups."),
    text(
        "ReadOnlyRootFS",
        "Whether the root file system must be read-only.",
    ),
    text("Volumes", "The kinds of volumes that may be used."),
];

pub(super) fn psp(object: &Value, _now: i64) -> Vec<Value> {
    let rule = |key| meta::text(object, &["spec", key, "rule"]);
    let set = |key| flag(object, &["spec", key]).unwrap_or(false).to_string();
    cells![
        meta::name(object),
        set("privileged"),
        joined(object, &["spec", "allowedCapabilities"], ","),
        rule("seLinux"),
        rule("runAsUser"),
        rule("fsGroup"),
        rule("supplementalGroups"),
        set("readOnlyRootFilesystem"),
        joined(object, &["spec", "volumes"], ","),
    ]
}
