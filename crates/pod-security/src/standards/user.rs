//! Whom containers may run as.

use super::Finding;
use crate::containers::Pod;
use crate::level::Version;
use crate::wording::{Setters, containers};
use model::Value;

pub(super) fn non_root(pod: &Pod<'_>, _: Version) -> Option<Finding> {
    const FIELD: &str = "runAsNonRoot";
    let whole = pod.setting(FIELD).and_then(Value::as_bool);
    let mut setters = Setters::default();
    let mut set = Vec::new();
    let mut silent = Vec::new();
    let mut missing = Vec::new();
    if whole == Some(false) {
        setters.pod = true;
        set.push(Pod::place(FIELD));
    }
    for container in &pod.containers {
        match container.setting(FIELD).and_then(Value::as_bool) {
            Some(true) => {}
            Some(false) => {
                setters.containers.push(container.name);
                set.push(container.place(FIELD));
            }
            None if whole == Some(true) => {}
            None => {
                silent.push(container.name);
                missing.push(container.place(FIELD));
            }
        }
    }
    // A container that inherits nothing is as wrong as one that says so, whatever the message is
    // about.
    let silent_ones = if whole.is_none() { missing } else { Vec::new() };
    let (detail, fields) = if !setters.is_empty() {
        let who = setters.text(None);
        (
            format!("{who} must not set securityContext.runAsNonRoot=false"),
            set.into_iter().chain(silent_ones).collect(),
        )
    } else if !silent.is_empty() {
        let who = containers(&silent);
        (
            format!("pod or {who} must set securityContext.runAsNonRoot=true"),
            silent_ones,
        )
    } else {
        return None;
    };
    Finding::new("runAsNonRoot != true", detail, fields)
}

pub(super) fn user(pod: &Pod<'_>, _: Version) -> Option<Finding> {
    const FIELD: &str = "runAsUser";
    let is_root = |user: Option<&Value>| user.and_then(Value::as_i64) == Some(0);
    let mut setters = Setters::default();
    let mut fields = Vec::new();
    if is_root(pod.setting(FIELD)) {
        setters.pod = true;
        fields.push(Pod::place(FIELD));
    }
    for container in &pod.containers {
        if is_root(container.setting(FIELD)) {
            setters.containers.push(container.name);
            fields.push(container.place(FIELD));
        }
    }
    if setters.is_empty() {
        return None;
    }
    let detail = format!("{} must not set runAsUser=0", setters.text(None));
    Finding::new("runAsUser=0", detail, fields)
}
