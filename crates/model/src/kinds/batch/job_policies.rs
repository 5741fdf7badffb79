//! When a job counts as failed or as done before all its pods are: `podFailurePolicy` and
//! `successPolicy`.

use super::indexes;
use crate::field::{ErrorList, FieldError};
use crate::kinds::core::fill;
use crate::kinds::workload::{counts, field};
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{get, int, list, text};
use crate::{Map, Value};
use std::collections::BTreeSet;

const RULES_MAX: usize = 20;
const CONDITIONS_MAX: usize = 20;
const EXIT_CODES_MAX: usize = 255;
/// The most bytes of a list of indexes.
const INDEXES_MAX: usize = 64 * 1024;
const ACTIONS: [&str; 4] = ["Count", "FailIndex", "FailJob", "Ignore"];

/// Fills in the policies of a job's spec.
pub(super) fn default(spec: &mut Map) {
    let Some(policy) = fill::map(spec, "podFailurePolicy") else {
        return;
    };
    for rule in fill::maps(policy, "rules") {
        for pattern in fill::maps(rule, "onPodConditions") {
            fill::text(pattern, "status", "True");
        }
    }
}

/// Reports what is wrong with the failure policy of a job's spec.
pub(super) fn failure(spec: &Value, policy: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let rules = list(policy, "rules");
    let rules_at = at.child("rules");
    if rules.len() > RULES_MAX {
        errors.too_many(&rules_at, rules.len(), RULES_MAX);
    }
    let pod = field(field(spec, "template"), "spec");
    let containers: BTreeSet<&str> = ["containers", "initContainers"]
        .into_iter()
        .flat_map(|key| list(pod, key))
        .map(|container| text(container, "name"))
        .collect();
    let per_index = get(spec, "backoffLimitPerIndex").is_some();
    for (i, rule) in rules.iter().enumerate() {
        let at = rules_at.index(i);
        action(text(rule, "action"), per_index, &at.child("action"), errors);
        let codes = get(rule, "onExitCodes");
        let conditions = list(rule, "onPodConditions");
        if let Some(codes) = codes {
            exit_codes(codes, &containers, &at.child("onExitCodes"), errors);
        }
        pod_conditions(conditions, &at.child("onPodConditions"), errors);
        let why = match (codes.is_some(), !conditions.is_empty()) {
            (true, true) => "specifying both OnExitCodes and OnPodConditions is not supported",
            (false, false) => "specifying one of OnExitCodes and OnPodConditions is required",
            _ => continue,
        };
        // Upstream leaves the value out.
        errors.add(FieldError::invalid_unshown(&at.path(), why));
    }
}

fn action(action: &str, per_index: bool, at: &At<'_>, errors: &mut ErrorList) {
    match action {
        "" => errors.required(at, format!("valid values: {}", quoted(&ACTIONS))),
        "FailIndex" if !per_index => {
            errors.invalid(at, action, "requires the backoffLimitPerIndex to be set");
        }
        known if ACTIONS.contains(&known) => {}
        other => errors.not_supported(at, other, &ACTIONS),
    }
}

/// A list as Go's `%q` prints it.
fn quoted(texts: &[&str]) -> String {
    let texts: Vec<_> = texts.iter().map(|text| format!("{text:?}")).collect();
    format!("[{}]", texts.join(" "))
}

fn exit_codes(codes: &Value, containers: &BTreeSet<&str>, at: &At<'_>, errors: &mut ErrorList) {
    one_of(codes, "operator", &["In", "NotIn"], at, errors);
    if let Some(name) = get(codes, "containerName").and_then(Value::as_str)
        && !containers.contains(name)
    {
        errors.invalid(
            &at.child("containerName"),
            name,
            "must be one of the container or initContainer names in the pod template",
        );
    }
    let values = list(codes, "values");
    let values_at = at.child("values");
    if values.is_empty() {
        let why = "at least one value is required";
        errors.invalid(&values_at, values.to_vec(), why);
    } else if values.len() > EXIT_CODES_MAX {
        errors.too_many(&values_at, values.len(), EXIT_CODES_MAX);
    }
    let mut seen = BTreeSet::new();
    let mut last = None;
    let mut ordered = true;
    for (i, code) in values.iter().map(|v| v.as_i64().unwrap_or(0)).enumerate() {
        let at = values_at.index(i);
        if !seen.insert(code) {
            errors.duplicate(&at, code);
        }
        ordered &= last.is_none_or(|last| last <= code);
        last = Some(code);
        if code == 0 && text(codes, "operator") == "In" {
            errors.invalid(&at, code, "must not be 0 for the In operator");
        }
    }
    if !ordered {
        errors.invalid(&values_at, values.to_vec(), "must be ordered");
    }
}

fn pod_conditions(conditions: &[Value], at: &At<'_>, errors: &mut ErrorList) {
    if conditions.len() > CONDITIONS_MAX {
        errors.too_many(at, conditions.len(), CONDITIONS_MAX);
    }
    for (i, condition) in conditions.iter().enumerate() {
        let at = at.index(i);
        let kind = text(condition, "type");
        errors.invalid_each(&at.child("type"), kind, names::qualified_name(kind));
        let supported = ["False", "True", "Unknown"];
        one_of(condition, "status", &supported, &at, errors);
    }
}

fn one_of(holder: &Value, key: &str, supported: &[&str], at: &At<'_>, errors: &mut ErrorList) {
    match text(holder, key) {
        "" => {
            let values = format!("valid values: {}", quoted(supported));
            errors.required(&at.child(key), values);
        }
        known if supported.contains(&known) => {}
        other => errors.not_supported(&at.child(key), other, supported),
    }
}

/// Reports what is wrong with the success policy of an indexed job's spec.
pub(super) fn success(spec: &Value, policy: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let rules = list(policy, "rules");
    let rules_at = at.child("rules");
    if rules.is_empty() {
        let why = "at least one rules must be specified when the successPolicy is specified";
        errors.required(&rules_at, why);
    }
    if rules.len() > RULES_MAX {
        errors.too_many(&rules_at, rules.len(), RULES_MAX);
    }
    let completions = int(spec, "completions").unwrap_or(0);
    for (i, rule) in rules.iter().enumerate() {
        success_rule(rule, completions, &rules_at.index(i), errors);
    }
}

fn success_rule(rule: &Value, completions: i64, at: &At<'_>, errors: &mut ErrorList) {
    let given = get(rule, "succeededIndexes").and_then(Value::as_str);
    let count = int(rule, "succeededCount");
    if given.is_none() && count.is_none() {
        let why = "at least one of succeededCount or succeededIndexes must be specified";
        errors.required(at, why);
    }
    let mut total = 0;
    if let Some(given) = given {
        let at = at.child("succeededIndexes");
        if given.len() > INDEXES_MAX {
            errors.too_long(&at, INDEXES_MAX);
        }
        match indexes::count(given, completions) {
            Ok(number) => total = number,
            Err(why) => {
                let why = format!("error parsing succeededIndexes: {why}");
                errors.invalid(&at, given, why);
            }
        }
    }
    let Some(count) = count else {
        return;
    };
    counts(rule, &["succeededCount"], at, errors);
    let at = at.child("succeededCount");
    if count > completions {
        let why = format!(
            "must be less than or equal to {completions} (the number of specified completions)"
        );
        errors.invalid(&at, count, why);
    }
    if given.is_some() && count > total {
        let why = format!(
            "must be less than or equal to {total} (the number of indexes in the specified \
             succeededIndexes field)"
        );
        errors.invalid(&at, count, why);
    }
}
