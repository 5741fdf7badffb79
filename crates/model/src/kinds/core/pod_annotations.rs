//! Rules of the annotations that speak about a pod's containers: mirror pods, and the old
//! spellings of AppArmor and seccomp profiles.

use super::app_armor::ANNOTATION as APP_ARMOR;
use super::paths;
use super::placement::validate_tolerations;
use crate::Value;
use crate::decode::{Format, decode};
use crate::field::ErrorList;
use crate::meta;
use crate::validation::at::{At, Report};
use crate::validation::read::{entries, get, list, text};

const MIRROR: &str = "kubernetes.io/config.mirror";
const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const TOLERATIONS: &str = "scheduler.alpha.kubernetes.io/tolerations";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
const CONTAINER_LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// Reports what is wrong with the annotations of a pod or template. `at` is where they stand.
pub(crate) fn validate(metadata: &Value, spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let annotation = |key: &str| {
        entries(metadata, "annotations").find_map(|(k, value)| (k == key).then_some(value))
    };
    if let Some(value) = annotation(MIRROR)
        && text(spec, "nodeName").is_empty()
    {
        errors.invalid(
            &at.key(MIRROR),
            value,
            "must set spec.nodeName if mirror pod annotation is set",
        );
    }
    if let Some(value) = annotation(TOLERATIONS).filter(|value| !value.is_empty()) {
        tolerations(value, at, errors);
    }
    if let Some(value) = annotation(DELETION_COST)
        && !is_cost(value)
    {
        errors.invalid(&at.key(DELETION_COST), value, "must be a 32bit integer");
    }
    if let Some(value) = annotation(SECCOMP_POD) {
        seccomp_profile(value, &at.child(SECCOMP_POD), errors);
    }
    for (key, value) in entries(metadata, "annotations") {
        if key.starts_with(SECCOMP_CONTAINER) {
            seccomp_profile(value, &at.child(key), errors);
        }
    }
    for (key, value) in entries(metadata, "annotations") {
        if let Some(container) = key.strip_prefix(APP_ARMOR) {
            app_armor_profile(container, value, spec, &at.key(key), errors);
        }
    }
}

/// Tolerations were an annotation once; it must still make sense.
fn tolerations(value: &str, at: &At<'_>, errors: &mut ErrorList) {
    match decode(value.as_bytes(), Format::Json) {
        Err(error) => errors.invalid(at, TOLERATIONS, error.to_string()),
        Ok(decoded) => {
            let tolerations = decoded.value.as_array().map_or(&[][..], Vec::as_slice);
            validate_tolerations(tolerations, &at.child(TOLERATIONS), errors);
        }
    }
}

/// Whether a text is a cost of deletion: a number of 32 bits without leading zeros or plus.
fn is_cost(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let plain = value == "0" || digits.starts_with(|c: char| matches!(c, '1'..='9'));
    plain && value.parse::<i32>().is_ok()
}

fn seccomp_profile(value: &str, at: &At<'_>, errors: &mut ErrorList) {
    if matches!(value, "runtime/default" | "docker/default" | "unconfined") {
        return;
    }
    match value.strip_prefix("localhost/") {
        Some(path) => paths::descending(path, at, errors),
        None => errors.invalid(at, value, "must be a valid seccomp profile"),
    }
}

fn app_armor_profile(
    container: &str,
    value: &str,
    spec: &Value,
    at: &At<'_>,
    errors: &mut ErrorList,
) {
    let found = CONTAINER_LISTS
        .iter()
        .any(|key| list(spec, key).iter().any(|c| text(c, "name") == container));
    if !found {
        errors.invalid(at, container, "container not found");
    }
    let known = matches!(value, "" | "runtime/default" | "unconfined");
    if !known && !value.starts_with("localhost/") {
        let detail = format!("invalid AppArmor profile name: {value:?}");
        errors.invalid(at, value, detail);
    }
}

/// Reports seccomp profiles of which annotation and field say different things. `at` is where the
/// spec stands.
pub(crate) fn seccomp_matches(metadata: &Value, spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let annotation = |key: &str| {
        entries(metadata, "annotations").find_map(|(k, value)| (k == key).then_some(value))
    };
    if let Some(value) = annotation(SECCOMP_POD) {
        seccomp_match(value, spec, at, errors);
    }
    for key in CONTAINER_LISTS {
        let list_at = at.child(key);
        for (i, container) in list(spec, key).iter().enumerate() {
            let key = format!("{SECCOMP_CONTAINER}{}", text(container, "name"));
            if let Some(value) = annotation(&key) {
                seccomp_match(value, container, &list_at.index(i), errors);
            }
        }
    }
}

fn seccomp_match(value: &str, holder: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let context = get(holder, "securityContext");
    let Some(profile) = context.and_then(|c| get(c, "seccompProfile")) else {
        return;
    };
    let local = value.strip_prefix("localhost/");
    let fits = match text(profile, "type") {
        "Unconfined" => value == "unconfined",
        "RuntimeDefault" => matches!(value, "runtime/default" | "docker/default"),
        "Localhost" => local.is_some(),
        _ => return,
    };
    let context_at = at.child("securityContext");
    let at = context_at.child("seccompProfile");
    if !fits {
        errors.forbidden(
            &at.child("type"),
            "seccomp type in annotation and field must match",
        );
    } else if let Some(local) = local
        && local != text(profile, "localhostProfile")
    {
        errors.forbidden(
            &at.child("localhostProfile"),
            "seccomp profile in annotation and field must match",
        );
    }
}

/// Reports annotations that may not change on a pod that is there.
pub(crate) fn validate_update(pod: &Value, old: &Value, errors: &mut ErrorList) {
    let at = At::of("metadata.annotations");
    let (new, old) = (meta::annotations(pod), meta::annotations(old));
    for (key, value) in &new {
        if old.get(key) == Some(value) {
            continue;
        }
        if key.starts_with(APP_ARMOR) {
            let detail = if old.contains_key(key) {
                "may not remove or update AppArmor annotations"
            } else {
                "may not add AppArmor annotations"
            };
            errors.forbidden(&at.key(key), detail);
        }
        if *key == MIRROR {
            errors.forbidden(&at.key(key), "may not update mirror pod annotation");
        }
    }
    for key in old.keys().filter(|k| !new.contains_key(*k)) {
        if key.starts_with(APP_ARMOR) {
            errors.forbidden(
                &at.key(key),
                "may not remove or update AppArmor annotations",
            );
        }
        if *key == MIRROR {
            errors.forbidden(&at.key(key), "may not remove mirror pod annotation");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn created(annotations: Value, spec: Value) -> Vec<String> {
        let metadata = json!({"annotations": annotations});
        let mut errors = ErrorList::new();
        validate(
            &metadata,
            &spec,
            &At::of("metadata.annotations"),
            &mut errors,
        );
        seccomp_matches(&metadata, &spec, &At::of("spec"), &mut errors);
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rules() {
        let app_armor = format!("{APP_ARMOR}c");
        let spec = json!({"containers": [{"name": "c"}]});
        assert!(created(json!({&app_armor: "runtime/default"}), spec.clone()).is_empty());
        assert_eq!(
            created(json!({&app_armor: "x"}), json!({})),
            [
                format!(
                    "metadata.annotations[{app_armor}]: Invalid value: \"c\": container not found"
                ),
                format!(
                    "metadata.annotations[{app_armor}]: Invalid value: \"x\": invalid AppArmor \
                     profile name: \"x\""
                ),
            ]
        );
        assert_eq!(
            created(json!({MIRROR: "x"}), spec),
            [
                "metadata.annotations[kubernetes.io/config.mirror]: Invalid value: \"x\": must \
                 set spec.nodeName if mirror pod annotation is set"
            ]
        );
        let confined = json!({"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}});
        assert_eq!(
            created(json!({SECCOMP_POD: "unconfined"}), confined),
            [
                "spec.securityContext.seccompProfile.type: Forbidden: seccomp type in annotation \
                 and field must match"
            ]
        );
        let long = format!("{SECCOMP_CONTAINER}c");
        let both = created(json!({SECCOMP_POD: "x", long: "y"}), json!({}));
        assert!(both[0].contains("/pod: Invalid value: \"x\""), "{both:?}");
        for (value, want) in [
            ("5", ""),
            ("-3", ""),
            ("0", ""),
            ("+5", "must be a 32bit integer"),
            ("007", "must be a 32bit integer"),
            ("3000000000", "must be a 32bit integer"),
            ("", "must be a 32bit integer"),
        ] {
            let got = created(json!({DELETION_COST: value}), json!({}));
            let wanted = match want {
                "" => Vec::new(),
                want => vec![format!(
                    "metadata.annotations[{DELETION_COST}]: Invalid value: {value:?}: {want}"
                )],
            };
            assert_eq!(got, wanted);
        }
        assert_eq!(
            created(json!({TOLERATIONS: "x"}), json!({})),
            [format!(
                "metadata.annotations: Invalid value: \"{TOLERATIONS}\": invalid character 'x' \
                 looking for beginning of value"
            )]
        );
        assert!(created(json!({TOLERATIONS: "[]"}), json!({})).is_empty());
        assert!(
            created(json!({SECCOMP_POD: "x"}), json!({}))[0]
                .ends_with("Invalid value: \"x\": must be a valid seccomp profile")
        );
    }

    #[test]
    fn what_may_not_change() {
        let pod = |annotations: Value| json!({"metadata": {"annotations": annotations}});
        let key = format!("{APP_ARMOR}c");
        let mut errors = ErrorList::new();
        validate_update(
            &pod(json!({&key: "unconfined"})),
            &pod(json!({})),
            &mut errors,
        );
        validate_update(&pod(json!({})), &pod(json!({MIRROR: "x"})), &mut errors);
        let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                format!("metadata.annotations[{key}]: Forbidden: may not add AppArmor annotations"),
                format!(
                    "metadata.annotations[{MIRROR}]: Forbidden: may not remove mirror pod annotation"
                ),
            ]
        );
    }
}
