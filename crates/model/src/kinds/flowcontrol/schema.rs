//! FlowSchemas.

use super::EXEMPT;
use crate::field::ErrorList;
use crate::kinds::core::fill;
use crate::kinds::workload::{self, field};
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{get, int, is_true, list, text, texts};
use crate::{Value, meta};

const PRECEDENCE_MAX: i64 = 10_000;

/// Fills in a flow schema.
pub(super) fn default(_version: &str, schema: &mut Value) {
    if let Some(spec) = workload::spec_mut(schema) {
        fill::number(spec, "matchingPrecedence", 1000);
    }
}

/// Reports what is wrong with a flow schema.
pub(super) fn validate(schema: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = field(schema, "spec");
    let at = At::of("spec");
    precedence(schema, spec, &at.child("matchingPrecedence"), &mut errors);
    if let Some(method) = get(spec, "distinguisherMethod") {
        let kind = text(method, "type");
        let supported = ["ByNamespace", "ByUser"];
        if !supported.contains(&kind) {
            let at = at.child("distinguisherMethod");
            errors.not_supported(&at.child("type"), kind, &supported);
        }
    }
    let level_at = at.child("priorityLevelConfiguration");
    let level = text(field(spec, "priorityLevelConfiguration"), "name");
    if level.is_empty() {
        errors.required(&level_at.child("name"), "must reference a priority level");
    } else {
        let faults = names::dns1123_subdomain(level);
        errors.invalid_each(&level_at.child("name"), level, faults);
    }
    let list_at = at.child("rules");
    for (i, rule) in list(spec, "rules").iter().enumerate() {
        validate_rule(rule, &list_at.index(i), &mut errors);
    }
    errors
}

fn precedence(schema: &Value, spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let number = int(spec, "matchingPrecedence").unwrap_or(0);
    if number <= 0 {
        errors.invalid(at, number, "must be a positive value");
    }
    if number > PRECEDENCE_MAX {
        let why = format!("must not be greater than {PRECEDENCE_MAX}");
        errors.invalid(at, number, why);
    }
    if number == 1 && meta::name(schema) != EXEMPT {
        let why = "only the schema named 'exempt' may have matchingPrecedence 1";
        errors.invalid(at, number, why);
    }
}

fn validate_rule(rule: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let subjects_at = at.child("subjects");
    let subjects = list(rule, "subjects");
    if subjects.is_empty() {
        errors.required(&subjects_at, "subjects must contain at least one value");
    }
    for (i, subject) in subjects.iter().enumerate() {
        validate_subject(subject, &subjects_at.index(i), errors);
    }
    let (resources, urls) = (list(rule, "resourceRules"), list(rule, "nonResourceRules"));
    if resources.is_empty() && urls.is_empty() {
        let why = "at least one of resourceRules and nonResourceRules has to be non-empty";
        errors.required(at, why);
    }
    let list_at = at.child("resourceRules");
    for (i, rule) in resources.iter().enumerate() {
        resource_rule(rule, &list_at.index(i), errors);
    }
    let list_at = at.child("nonResourceRules");
    for (i, rule) in urls.iter().enumerate() {
        let at = list_at.index(i);
        verbs(rule, &at, errors);
        let missing = "nonResourceURLs must contain at least one value";
        if all_or_named(
            rule,
            "nonResourceURLs",
            missing,
            "non-resource URLs",
            &at,
            errors,
        ) {
            let urls_at = at.child("nonResourceURLs");
            for (j, url) in texts(rule, "nonResourceURLs").enumerate() {
                path(url, &urls_at.index(j), errors);
            }
        }
    }
}

fn validate_subject(subject: &Value, at: &At<'_>, errors: &mut ErrorList) {
    const KINDS: [(&str, &str); 3] = [
        ("ServiceAccount", "serviceAccount"),
        ("User", "user"),
        ("Group", "group"),
    ];
    let kind = text(subject, "kind");
    if !KINDS.iter().any(|(name, _)| *name == kind) {
        errors.not_supported(&at.child("kind"), kind, &KINDS.map(|(name, _)| name));
        return;
    }
    for (name, key) in KINDS {
        let at = at.child(key);
        match (name == kind, get(subject, key)) {
            (true, None) => {
                let why = format!("{key} is required when subject kind is '{name}'");
                errors.required(&at, why);
            }
            (false, Some(_)) => {
                let why = format!("{key} is forbidden when subject kind is not '{name}'");
                errors.forbidden(&at, why);
            }
            (true, Some(who)) => subject_name(key, who, &at, errors),
            (false, None) => {}
        }
    }
}

fn subject_name(key: &str, who: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let name = text(who, "name");
    if name.is_empty() {
        errors.required(&at.child("name"), "");
    } else if key == "serviceAccount" && name != "*" {
        errors.invalid_each(&at.child("name"), name, names::dns1123_subdomain(name));
    }
    if key == "serviceAccount" {
        let namespace = text(who, "namespace");
        let at = at.child("namespace");
        if namespace.is_empty() {
            let why = "must specify namespace for service account";
            errors.required(&at, why);
        } else {
            errors.invalid_each(&at, namespace, names::dns1123_label(namespace));
        }
    }
}

fn verbs(rule: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let missing = "verbs must contain at least one value";
    all_or_named(rule, "verbs", missing, "verbs", at, errors);
}

/// Reports a list that is empty, or names things beside `*`; tells whether it names things only.
fn all_or_named(
    rule: &Value,
    key: &str,
    missing: &str,
    things: &str,
    at: &At<'_>,
    errors: &mut ErrorList,
) -> bool {
    let given = list(rule, key);
    let all = texts(rule, key).any(|one| one == "*");
    if given.is_empty() {
        errors.required(&at.child(key), missing);
    } else if all && given.len() > 1 {
        let why = format!("if '*' is present, must not specify other {things}");
        errors.invalid(&at.child(key), given.to_vec(), why);
    }
    !all
}

fn resource_rule(rule: &Value, at: &At<'_>, errors: &mut ErrorList) {
    verbs(rule, at, errors);
    for (key, missing, things) in [
        (
            "apiGroups",
            "resource rules must supply at least one api group",
            "api groups",
        ),
        (
            "resources",
            "resource rules must supply at least one resource",
            "resources",
        ),
    ] {
        all_or_named(rule, key, missing, things, at, errors);
    }
    if list(rule, "namespaces").is_empty() {
        if !is_true(rule, "clusterScope") {
            let why = "resource rules that are not cluster scoped must supply at least one \
                       namespace";
            errors.required(&at.child("namespaces"), why);
        }
    } else if all_or_named(rule, "namespaces", "", "namespaces", at, errors) {
        let at = at.child("namespaces");
        for (i, namespace) in texts(rule, "namespaces").enumerate() {
            let faults = names::dns1123_label(namespace);
            errors.invalid_each(&at.index(i), namespace, faults);
        }
    }
}

fn path(path: &str, at: &At<'_>, errors: &mut ErrorList) {
    let stars = path.bytes().filter(|b| *b == b'*').count();
    let why = if path.is_empty() {
        "must not be empty"
    } else if !path.starts_with('/') {
        "must start with slash"
    } else if path.contains(' ') {
        "must not contain white-space"
    } else if path.contains("//") {
        "must not contain double slash"
    } else if stars > 1 || (stars == 1 && !path.ends_with("/*")) {
        "wildcard can only do suffix matching"
    } else {
        return;
    };
    errors.invalid(at, path, why);
}

#[cfg(test)]
mod tests {
    use crate::kinds::check::{create, defaulted};
    use crate::patch::merge_patch;
    use serde_json::json;

    const KIND: (&str, &str) = ("flowcontrol.apiserver.k8s.io", "flowschemas");

    #[test]
    fn rules() {
        let rule = |rule| {
            let given = json!({"subjects": [{"kind": "User", "user": {"name": "*"}}],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}]});
            json!({"rules": [merge_patch(&given, &rule).unwrap()]})
        };
        let first = "spec.rules[0]";
        let cases = [
            (json!({}), String::new()),
            (rule(json!({})), String::new()),
            (
                json!({"matchingPrecedence": 1}),
                "spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1".to_owned(),
            ),
            (
                json!({"matchingPrecedence": 10_001, "distinguisherMethod": {"type": "x"}}),
                "spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000; spec.distinguisherMethod.type: Unsupported value: \"x\": supported values: \"ByNamespace\", \"ByUser\"".to_owned(),
            ),
            (
                json!({"priorityLevelConfiguration": null}),
                "spec.priorityLevelConfiguration.name: Required value: must reference a priority level".to_owned(),
            ),
            (
                rule(json!({"nonResourceRules": null})),
                format!("{first}: Required value: at least one of resourceRules and nonResourceRules has to be non-empty"),
            ),
            (
                rule(json!({"nonResourceRules": [{"verbs": ["*", "get"], "nonResourceURLs": ["/a*"]}]})),
                format!("{first}.nonResourceRules[0].verbs: Invalid value: []string{{\"*\", \"get\"}}: if '*' is present, must not specify other verbs; {first}.nonResourceRules[0].nonResourceURLs[0]: Invalid value: \"/a*\": wildcard can only do suffix matching"),
            ),
            (
                rule(json!({"resourceRules": [{"verbs": ["get"], "apiGroups": ["*"], "resources": ["pods"]}]})),
                format!("{first}.resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace"),
            ),
            (
                rule(json!({"subjects": [{"kind": "Group", "user": {"name": "a"}}]})),
                format!("{first}.subjects[0].user: Forbidden: user is forbidden when subject kind is not 'User'; {first}.subjects[0].group: Required value: group is required when subject kind is 'Group'"),
            ),
        ];
        for (spec, want) in cases {
            let given = json!({"spec": {"priorityLevelConfiguration": {"name": "p"}}});
            let given = merge_patch(&given, &json!({"spec": spec})).unwrap();
            let schema = defaulted(KIND.0, KIND.1, "v1", &given);
            assert_eq!(create(KIND.0, KIND.1, &schema).join("; "), want, "{schema}");
        }
    }
}
