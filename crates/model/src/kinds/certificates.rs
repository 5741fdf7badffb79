//! `certificates.k8s.io`: certificate signing requests. Signatures are checked where the
//! cryptography is; here the form is.

mod pem;

use super::neutral;
use crate::field::ErrorList;
use crate::resource::Behavior;
use crate::user::UserInfo;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{get, int, text, texts};
use crate::{Value, meta};
use serde_json::json;

const USAGES: &[&str] = &[
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];
/// Conditions that are only ever true.
const FINAL: [&str; 3] = ["Approved", "Denied", "Failed"];
/// Those of them that are an approver's.
const DECISIONS: [&str; 2] = ["Approved", "Denied"];
const LEGACY_SIGNER: &str = "kubernetes.io/legacy-unknown";
const SIGNER_MAX: usize = 571;

/// The rules of `plural`, if it is a kind of this group.
pub fn behavior(plural: &str) -> Option<Behavior> {
    (plural == "certificatesigningrequests").then(|| Behavior {
        prepare_update,
        validate_create: |request| validate(request, None),
        validate_update,
        validate_name: |_, _| Vec::new(),
        ..neutral()
    })
}

/// Writes down who asks for the certificate. What the client said of that is dropped. The API
/// server calls this for every new request, before admission.
pub fn set_requestor(request: &mut Value, user: &UserInfo) {
    for key in ["username", "uid", "groups", "extra"] {
        meta::remove(request, &["spec", key]);
    }
    let mut set = |key: &str, value: Value| meta::set(request, &["spec", key], value);
    set("username", user.name.as_str().into());
    if !user.uid.is_empty() {
        set("uid", user.uid.as_str().into());
    }
    if !user.groups.is_empty() {
        set("groups", user.groups.clone().into());
    }
    if !user.extra.is_empty() {
        set("extra", json!(user.extra));
    }
}

/// The request itself never changes; of its status, `approval` changes the conditions only, and
/// `status` cannot reword a decision that was made.
fn prepare_update(request: &mut Value, old: &Value, subresource: &str) {
    if let Some(spec) = old.get("spec") {
        meta::set(request, &["spec"], spec.clone());
    }
    match subresource {
        "approval" => {
            let conditions = meta::remove(request, &["status", "conditions"]);
            let status = old.get("status").cloned().unwrap_or_else(|| json!({}));
            meta::set(request, &["status"], status);
            meta::remove(request, &["status", "conditions"]);
            if let Some(conditions) = conditions {
                meta::set(request, &["status", "conditions"], conditions);
            }
        }
        "status" => {
            for kind in DECISIONS {
                keep_decision(request, old, kind);
            }
        }
        _ => {}
    }
}

/// Puts the old conditions of a type in the place of the new ones, if there are as many.
fn keep_decision(request: &mut Value, old: &Value, kind: &str) {
    let before = of_type(old, kind);
    if before.is_empty() || of_type(request, kind).len() != before.len() {
        return;
    }
    let conditions = request.pointer_mut("/status/conditions");
    let now = conditions.and_then(Value::as_array_mut);
    let now = now
        .into_iter()
        .flatten()
        .filter(|c| text(c, "type") == kind);
    for (condition, before) in now.zip(before) {
        condition.clone_from(before);
    }
}

/// Writes the times into the conditions of a changed request that came without: `now` (RFC 3339)
/// for when a condition was last touched, and for when it last turned what it was before if it
/// still says the same.
pub fn stamp_conditions(request: &mut Value, old: &Value, now: &str) {
    let conditions = request.pointer_mut("/status/conditions");
    let conditions = conditions.and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten() {
        if text(condition, "lastTransitionTime").is_empty() {
            let turned = of_type(old, text(condition, "type"))
                .into_iter()
                .filter(|before| text(before, "status") == text(condition, "status"))
                .map(|before| text(before, "lastTransitionTime"))
                .find(|time| !time.is_empty());
            meta::set(condition, &["lastTransitionTime"], turned.unwrap_or(now));
        }
        if text(condition, "lastUpdateTime").is_empty() {
            meta::set(condition, &["lastUpdateTime"], now);
        }
    }
}

/// Reports what is wrong with a request. Faults that the old one has already are let pass.
fn validate(request: &Value, old: Option<&Value>) -> ErrorList {
    let mut errors = ErrorList::new();
    let none = Value::Null;
    let spec = request.get("spec").unwrap_or(&none);
    let old_spec = old.and_then(|o| o.get("spec")).unwrap_or(&none);
    let at = At::of("spec");
    if let Err(why) = pem::certificate_request(text(spec, "request")) {
        errors.invalid(&at.child("request"), text(spec, "request"), why);
    }
    usages(spec, old_spec, &at.child("usages"), &mut errors);
    let signer = text(spec, "signerName");
    let signer_at = at.child("signerName");
    if signer == LEGACY_SIGNER && text(old_spec, "signerName") != LEGACY_SIGNER {
        errors.invalid(
            &signer_at,
            signer,
            "the legacy signerName is not allowed via this API version",
        );
    } else {
        signer_name(signer, &signer_at, &mut errors);
    }
    if let Some(seconds) = int(spec, "expirationSeconds").filter(|s| *s < 600) {
        errors.invalid(
            &at.child("expirationSeconds"),
            seconds,
            "may not specify a duration less than 600 seconds (10 minutes)",
        );
    }
    conditions(request, old, &mut errors);
    let certificate = meta::text(request, &["status", "certificate"]);
    let unchanged = old.is_some_and(|o| meta::text(o, &["status", "certificate"]) == certificate);
    if !unchanged && let Err(why) = pem::certificates(certificate) {
        errors.invalid(&At::of("status.certificate"), "<certificate data>", why);
    }
    errors
}

fn usages(spec: &Value, old: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let given: Vec<_> = texts(spec, "usages").collect();
    let before: Vec<_> = texts(old, "usages").collect();
    if given.is_empty() {
        errors.required(at, "");
    }
    let twice = |list: &[&str], i: usize| list.iter().take(i).any(|u| Some(u) == list.get(i));
    if before.iter().all(|usage| USAGES.contains(usage)) {
        for (i, usage) in given.iter().enumerate() {
            if !USAGES.contains(usage) {
                errors.not_supported(&at.index(i), *usage, USAGES);
            }
        }
    }
    if !(0..before.len()).any(|i| twice(&before, i)) {
        for (i, usage) in given.iter().enumerate() {
            if twice(&given, i) {
                errors.duplicate(&at.index(i), *usage);
            }
        }
    }
}

/// Reports a name that is not of the form `example.com/signer-name`.
pub(crate) fn signer_name(name: &str, at: &At<'_>, errors: &mut ErrorList) {
    if name.is_empty() {
        errors.required(at, "");
        return;
    }
    let Some((domain, path)) = name.split_once('/').filter(|(_, p)| !p.contains('/')) else {
        errors.invalid(
            at,
            name,
            "must be a fully qualified domain and path of the form 'example.com/signer-name'",
        );
        return;
    };
    if domain.len() > names::SUBDOMAIN_MAX {
        errors.too_long(at, names::SUBDOMAIN_MAX);
    }
    // Only the first bad label of each half is named.
    let mut labels = |half: &str, check: fn(&str) -> Vec<String>| {
        for label in half.split('.') {
            let faults = check(label);
            if !faults.is_empty() {
                for fault in faults {
                    errors.invalid(at, half, format!("validating label {label:?}: {fault}"));
                }
                break;
            }
        }
    };
    labels(domain, names::dns1123_label);
    labels(path, names::dns1123_subdomain);
    if !domain.contains('.') {
        errors.invalid(
            at,
            domain,
            "should be a domain with at least two segments separated by dots",
        );
    }
    if name.len() > SIGNER_MAX {
        errors.too_long(at, SIGNER_MAX);
    }
}

fn of_type<'a>(request: &'a Value, r#type: &str) -> Vec<&'a Value> {
    meta::list(request, &["status", "conditions"])
        .iter()
        .filter(|c| text(c, "type") == r#type)
        .collect()
}

fn conditions(request: &Value, old: Option<&Value>, errors: &mut ErrorList) {
    let at = At::of("status.conditions");
    let none = Value::Null;
    let old = old.unwrap_or(&none);
    let has = |r#type: &str| !of_type(old, r#type).is_empty();
    let both_before = has("Approved") && has("Denied");
    let given = meta::list(request, &["status", "conditions"]);
    for (i, condition) in given.iter().enumerate() {
        let at = at.index(i);
        let (kind, status) = (text(condition, "type"), text(condition, "status"));
        if kind.is_empty() && !has("") {
            errors.required(&at.child("type"), "");
        }
        let allowed: &[&str] = if FINAL.contains(&kind) {
            &["True"]
        } else {
            &["False", "True", "Unknown"]
        };
        if status.is_empty() {
            errors.required(&at.child("status"), "");
        } else if !allowed.contains(&status) {
            errors.not_supported(&at.child("status"), status, allowed);
        }
        let earlier = |r#type: &str| given.iter().take(i).any(|c| text(c, "type") == r#type);
        let contradicts =
            (kind == "Approved" && earlier("Denied")) || (kind == "Denied" && earlier("Approved"));
        if contradicts && !both_before {
            errors.invalid(
                &at.child("type"),
                kind,
                "Approved and Denied conditions are mutually exclusive",
            );
        }
        if earlier(kind) && of_type(old, kind).len() < 2 {
            errors.duplicate(&at.child("type"), kind);
        }
    }
}

fn validate_update(request: &Value, old: &Value, subresource: &str) -> ErrorList {
    let mut errors = validate(request, Some(old));
    let at = At::of("status.conditions");
    for kind in FINAL {
        if of_type(request, kind).len() < of_type(old, kind).len() {
            let detail = format!("updates may not remove a condition of type {kind:?}");
            errors.forbidden(&at, detail);
        }
    }
    if subresource != "approval" {
        for kind in DECISIONS {
            let (new, before) = (of_type(request, kind), of_type(old, kind));
            if new.len() > before.len() {
                let detail = format!("updates may not add a condition of type {kind:?}");
                errors.forbidden(&at, detail);
            } else if new.len() == before.len() && new != before {
                let detail = format!("updates may not modify a condition of type {kind:?}");
                errors.forbidden(&at, detail);
            }
        }
    }
    let certificate = |r: &Value| {
        let status = get(r, "status").cloned().unwrap_or_default();
        text(&status, "certificate").to_owned()
    };
    let (new, before) = (certificate(request), certificate(old));
    if new != before {
        let at = At::of("status.certificate");
        if subresource != "status" {
            errors.forbidden(&at, "updates may not set certificate content");
        } else if !before.is_empty() {
            errors.forbidden(&at, "updates may not modify existing certificate content");
        }
    }
    errors
}

#[cfg(test)]
mod tests;
