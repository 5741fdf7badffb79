//! Webhook configurations.

use super::rules;
use crate::Value;
use crate::field::ErrorList;
use crate::kinds::core::fill;
use crate::kinds::webhook_client;
use crate::kinds::workload::field;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{get, int, list, text, texts};
use std::collections::BTreeSet;

const SIDE_EFFECTS: [&str; 2] = ["None", "NoneOnDryRun"];
/// Those that upstream would still store, of old objects.
const ALL_SIDE_EFFECTS: [&str; 4] = ["None", "NoneOnDryRun", "Some", "Unknown"];
const REVIEW_VERSIONS: [&str; 2] = ["v1", "v1beta1"];

/// Fills in the webhooks of a configuration.
pub(super) fn default(configuration: &mut Value, mutating: bool) {
    let Some(configuration) = configuration.as_object_mut() else {
        return;
    };
    for webhook in fill::maps(configuration, "webhooks") {
        fill::text(webhook, "failurePolicy", "Fail");
        rules::default(webhook, &["rules"]);
        fill::absent(webhook, "timeoutSeconds", 10);
        if mutating {
            fill::text(webhook, "reinvocationPolicy", "Never");
        }
        webhook_client::default(webhook);
    }
}

/// Reports what is wrong with a configuration. What an old one has wrong, its changes may keep.
pub(super) fn validate(configuration: &Value, mutating: bool, old: Option<&Value>) -> ErrorList {
    let mut errors = ErrorList::new();
    let list_at = At::of("webhooks");
    let unique = |configuration: &Value| {
        let mut seen = BTreeSet::new();
        let webhooks = list(configuration, "webhooks").iter();
        webhooks
            .map(|w| text(w, "name").to_owned())
            .all(|name| seen.insert(name))
    };
    let names_unique = old.is_none_or(unique);
    let recognized = old.is_none_or(|old| list(old, "webhooks").iter().all(any_recognized));
    let quiet = old.is_none_or(|old| {
        let mut webhooks = list(old, "webhooks").iter();
        webhooks.all(|webhook| SIDE_EFFECTS.contains(&text(webhook, "sideEffects")))
    });
    let mut seen = BTreeSet::new();
    for (i, webhook) in list(configuration, "webhooks").iter().enumerate() {
        let at = list_at.index(i);
        review_versions(webhook, recognized, &at, &mut errors);
        let effects: &[&str] = if quiet {
            &SIDE_EFFECTS
        } else {
            &ALL_SIDE_EFFECTS
        };
        side_effects(webhook, effects, &at, &mut errors);
        validate_webhook(webhook, mutating, &at, &mut errors);
        let name = text(webhook, "name");
        if names_unique && !name.is_empty() && !seen.insert(name) {
            errors.duplicate(&at.child("name"), name);
        }
    }
    errors
}

fn any_recognized(webhook: &Value) -> bool {
    texts(webhook, "admissionReviewVersions").any(|version| REVIEW_VERSIONS.contains(&version))
}

fn review_versions(webhook: &Value, recognized: bool, at: &At<'_>, errors: &mut ErrorList) {
    let at = at.child("admissionReviewVersions");
    let given = list(webhook, "admissionReviewVersions");
    let known = REVIEW_VERSIONS.join(", ");
    if given.is_empty() {
        errors.required(&at, format!("must specify one of {known}"));
        return;
    }
    let mut seen = BTreeSet::new();
    for (i, version) in texts(webhook, "admissionReviewVersions").enumerate() {
        if !seen.insert(version) {
            errors.invalid(&at.index(i), version, "duplicate version");
            continue;
        }
        let faults = names::dns1035_label(version);
        if !faults.is_empty() {
            errors.invalid(&at.index(i), version, faults.join(","));
        }
    }
    if recognized && !any_recognized(webhook) {
        let why = format!("must include at least one of {known}");
        errors.invalid(&at, given.to_vec(), why);
    }
}

fn side_effects(webhook: &Value, supported: &[&str], at: &At<'_>, errors: &mut ErrorList) {
    if get(webhook, "sideEffects").is_none() {
        let why = format!("must specify one of {}", supported.join(", "));
        errors.required(&at.child("sideEffects"), why);
    }
    rules::one_of(webhook, "sideEffects", supported, at, errors);
}

fn validate_webhook(webhook: &Value, mutating: bool, at: &At<'_>, errors: &mut ErrorList) {
    let name = text(webhook, "name");
    if name.is_empty() {
        errors.required(&at.child("name"), "");
    } else if let Some(why) = names::fully_qualified(name) {
        errors.invalid(&at.child("name"), name, why);
    }
    rules::validate(list(webhook, "rules"), &at.child("rules"), errors);
    rules::one_of(webhook, "failurePolicy", &["Fail", "Ignore"], at, errors);
    if let Some(seconds) = int(webhook, "timeoutSeconds").filter(|s| !(1..=30).contains(s)) {
        let at = at.child("timeoutSeconds");
        errors.invalid(
            &at,
            seconds,
            "the timeout value must be between 1 and 30 seconds",
        );
    }
    rules::validate_match(webhook, at, errors);
    if mutating {
        let supported = ["IfNeeded", "Never"];
        rules::one_of(webhook, "reinvocationPolicy", &supported, at, errors);
    }
    webhook_client::validate(
        field(webhook, "clientConfig"),
        &at.child("clientConfig"),
        errors,
    );
}
