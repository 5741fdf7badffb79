//! CSIDrivers.

use crate::Value;
use crate::field::ErrorList;
use crate::kinds::core::fill;
use crate::validation::at::{At, Report};
use crate::validation::read::{get, int, list, same_field, text, texts};
use serde_json::json;

const POLICIES: &[&str] = &["File", "None", "ReadWriteOnceWithFSType"];
const MODES: &[&str] = &["Persistent", "Ephemeral"];

/// Fills in the defaults.
pub(super) fn default(_version: &str, driver: &mut Value) {
    let Some(spec) = driver.as_object_mut().and_then(|d| fill::map(d, "spec")) else {
        return;
    };
    fill::absent(spec, "attachRequired", true);
    fill::absent(spec, "podInfoOnMount", false);
    fill::absent(spec, "storageCapacity", false);
    fill::absent(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
    fill::absent(spec, "requiresRepublish", false);
    fill::absent(spec, "seLinuxMount", false);
    let modes = spec.get("volumeLifecycleModes").and_then(Value::as_array);
    if modes.is_none_or(Vec::is_empty) {
        spec.insert("volumeLifecycleModes".to_owned(), json!(["Persistent"]));
    }
}

/// Reports what is wrong with a driver.
pub(super) fn validate(driver: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let none = Value::Null;
    let spec = driver.get("spec").unwrap_or(&none);
    let at = At::of("spec");
    for (key, shown) in [
        // Upstream's name for the field in this message.
        ("attachRequired", "attachedRequired"),
        ("podInfoOnMount", "podInfoOnMount"),
        ("storageCapacity", "storageCapacity"),
    ] {
        if get(spec, key).is_none() {
            errors.required(&at.child(shown), "");
        }
    }
    if get(spec, "fsGroupPolicy").is_some() {
        let policy = text(spec, "fsGroupPolicy");
        if !POLICIES.contains(&policy) {
            errors.not_supported(&at.child("fsGroupPolicy"), policy, POLICIES);
        }
    }
    token_requests(spec, &at, &mut errors);
    for mode in texts(spec, "volumeLifecycleModes").filter(|m| !MODES.contains(m)) {
        errors.not_supported(&at.child("volumeLifecycleModes"), mode, MODES);
    }
    if get(spec, "seLinuxMount").is_none() {
        errors.required(&at.child("seLinuxMount"), "");
    }
    errors
}

fn token_requests(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let at = at.child("tokenRequests");
    let mut seen = Vec::new();
    for (i, request) in list(spec, "tokenRequests").iter().enumerate() {
        let at = at.index(i);
        let audience = text(request, "audience");
        if seen.contains(&audience) {
            errors.duplicate(&at.child("audience"), audience);
            continue;
        }
        seen.push(audience);
        let Some(seconds) = int(request, "expirationSeconds") else {
            continue;
        };
        let at = at.child("expirationSeconds");
        if seconds < 600 {
            errors.invalid(
                &at,
                seconds,
                "may not specify a duration less than 10 minutes",
            );
        }
        if seconds > 1 << 32 {
            errors.invalid(
                &at,
                seconds,
                "may not specify a duration larger than 2^32 seconds",
            );
        }
    }
}

/// Reports what is wrong with a changed driver.
pub(super) fn validate_update(driver: &Value, old: &Value) -> ErrorList {
    let mut errors = validate(driver);
    let none = Value::Null;
    let (spec, old) = (
        driver.get("spec").unwrap_or(&none),
        old.get("spec").unwrap_or(&none),
    );
    let at = At::of("spec");
    for (key, shown) in [
        ("attachRequired", "attachedRequired"),
        ("volumeLifecycleModes", "volumeLifecycleModes"),
    ] {
        if !same_field(spec, old, key) {
            let value = spec.get(key).cloned().unwrap_or_default();
            errors.invalid(&at.child(shown), value, "field is immutable");
        }
    }
    errors
}
