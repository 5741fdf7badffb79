//! Rules of resource names and of requests and limits.

use crate::Value;
use crate::field::{ErrorList, FieldError};
use crate::validation::amounts::Amount;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{list, map, text};
use std::collections::BTreeSet;

/// Whether a name is one of Kubernetes' own: without a domain, or of a `kubernetes.io/` one.
pub fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Whether a name is that of huge pages of some size.
pub fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// Whether a name is one that vendors may use: a domain of their own, and room for `requests.`.
pub fn is_extended(name: &str) -> bool {
    !is_native(name)
        && !name.starts_with("requests.")
        && names::qualified_name(&format!("requests.{name}")).is_empty()
}

/// Whether more of a resource may be promised than there is.
pub fn is_overcommit_allowed(name: &str) -> bool {
    is_native(name) && !is_huge_page(name)
}

/// Whether amounts of a resource come in whole units.
pub fn is_integer(name: &str) -> bool {
    matches!(
        name,
        "pods"
            | "services"
            | "replicationcontrollers"
            | "resourcequotas"
            | "secrets"
            | "configmaps"
            | "persistentvolumeclaims"
            | "services.nodeports"
            | "services.loadbalancers"
    ) || is_extended(name)
}

/// Whether a name without a domain is a resource that Kubernetes knows anywhere.
pub fn is_standard(name: &str) -> bool {
    matches!(
        name,
        "cpu"
            | "memory"
            | "ephemeral-storage"
            | "storage"
            | "requests.cpu"
            | "requests.memory"
            | "requests.ephemeral-storage"
            | "requests.storage"
            | "limits.cpu"
            | "limits.memory"
            | "limits.ephemeral-storage"
            | "pods"
            | "services"
            | "replicationcontrollers"
            | "resourcequotas"
            | "secrets"
            | "configmaps"
            | "persistentvolumeclaims"
            | "services.nodeports"
            | "services.loadbalancers"
    ) || is_huge_page(name)
        || name.starts_with("requests.hugepages-")
}

/// Whether a name without a domain is a resource that containers may ask for.
pub fn is_standard_for_containers(name: &str) -> bool {
    matches!(name, "cpu" | "memory" | "ephemeral-storage") || is_huge_page(name)
}

/// Reports what is wrong with the name of a resource, which upstream shows without quotes.
pub fn invalid_name(name: &str, why: &str, at: &At<'_>, errors: &mut ErrorList) {
    errors.push(FieldError::invalid_name(&at.path(), name, why));
}

/// Reports a name that no resource can have.
pub fn validate_name(name: &str, at: &At<'_>, errors: &mut ErrorList) {
    let messages = names::qualified_name(name);
    if !messages.is_empty() {
        for message in messages {
            invalid_name(name, &message, at, errors);
        }
    } else if !name.contains('/') && !is_standard(name) {
        let why = "must be a standard resource type or fully qualified";
        invalid_name(name, why, at, errors);
    }
}

/// Reports a name that is none of a resource that containers may ask for.
pub fn validate_container_name(name: &str, at: &At<'_>, errors: &mut ErrorList) {
    validate_name(name, at, errors);
    if !name.contains('/') {
        if !is_standard_for_containers(name) {
            invalid_name(
                name,
                "must be a standard resource for containers",
                at,
                errors,
            );
        }
    } else if !is_native(name) && !is_extended(name) {
        let why = "doesn't follow extended resource name standard";
        invalid_name(name, why, at, errors);
    }
}

/// Reports an amount that is negative, or not whole where it must be.
pub fn validate_amount(name: &str, value: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let Some(amount) = Amount::of(value) else {
        return;
    };
    if amount.is_negative() {
        errors.invalid(at, shown(value), "must be greater than or equal to 0");
    }
    if is_integer(name) && !amount.is_whole() {
        errors.invalid(at, shown(value), "must be an integer");
    }
}

/// A quantity as messages show it: as text, also where it was written as a number.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Reports what is wrong with requests, limits and claims. `check_name` tells which resources may
/// be named there; `claims` are the names in the pod's `resourceClaims`.
pub fn validate_requirements(
    resources: &Value,
    check_name: fn(&str, &At<'_>, &mut ErrorList),
    claims: &BTreeSet<&str>,
    at: &At<'_>,
    errors: &mut ErrorList,
) {
    let limits_at = at.child("limits");
    let requests_at = at.child("requests");
    let limits = map(resources, "limits");
    let mut huge_pages = false;
    let mut compute = false;
    let mut note = |name: &str| {
        huge_pages |= is_huge_page(name);
        compute |= matches!(name, "cpu" | "memory");
    };
    for (name, value) in limits.into_iter().flatten() {
        let at = limits_at.key(name);
        check_name(name, &at, errors);
        validate_amount(name, value, &at, errors);
        validate_huge_pages(name, value, &at, errors);
        note(name);
    }
    for (name, value) in map(resources, "requests").into_iter().flatten() {
        let at = requests_at.key(name);
        check_name(name, &at, errors);
        validate_amount(name, value, &at, errors);
        match limits.and_then(|l| l.get(name)) {
            Some(limit) => {
                let (have, max) = (Amount::of(value), Amount::of(limit));
                let bound = if have != max && !is_overcommit_allowed(name) {
                    "must be equal to"
                } else if have > max {
                    "must be less than or equal to"
                } else {
                    ""
                };
                if !bound.is_empty() {
                    let detail = format!("{bound} {name} limit of {}", shown(limit));
                    errors.invalid(&requests_at, shown(value), detail);
                }
            }
            None if !is_overcommit_allowed(name) => errors.required(
                &limits_at,
                "Limit must be set for non overcommitable resources",
            ),
            None => {}
        }
        validate_huge_pages(name, value, &at, errors);
        note(name);
    }
    if huge_pages && !compute {
        errors.forbidden(at, "HugePages require cpu or memory");
    }
    validate_claims(resources, claims, &at.child("claims"), errors);
}

fn validate_huge_pages(name: &str, value: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let Some(size) = name.strip_prefix("hugepages-").and_then(Amount::parse) else {
        return;
    };
    if Amount::of(value).is_some_and(|amount| !amount.is_multiple_of(size)) {
        errors.invalid(
            at,
            shown(value),
            format!(
                "{} is not positive integer multiple of {name}",
                shown(value)
            ),
        );
    }
}

fn validate_claims(resources: &Value, known: &BTreeSet<&str>, at: &At<'_>, errors: &mut ErrorList) {
    let mut seen = BTreeSet::new();
    for (i, claim) in list(resources, "claims").iter().enumerate() {
        let at = at.index(i);
        let name = text(claim, "name");
        if name.is_empty() {
            errors.required(&at, "");
        } else if !seen.insert((name, text(claim, "request"))) {
            errors.duplicate(&at, name);
        } else if !known.contains(name) {
            // Upstream adds to the plain "not found" what would have been right.
            let names: Vec<&str> = known.iter().copied().collect();
            let detail = match names.as_slice() {
                [] => " which is empty".to_owned(),
                names => format!(": {}", names.join(", ")),
            };
            let mut error = FieldError::not_found(&at.path(), name);
            error.detail = format!("must be one of the names in pod.spec.resourceClaims{detail}");
            errors.add(error);
        }
    }
}
