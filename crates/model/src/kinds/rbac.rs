//! `rbac.authorization.k8s.io`: roles and their bindings. That nobody may grant what they do not
//! hold is checked elsewhere, where the authorizer is at hand.

use super::core::fill;
use super::neutral;
use crate::Value;
use crate::field::ErrorList;
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::read::{get, is_blank, list, same_field, text};
use crate::validation::{names, selector};

const GROUP: &str = "rbac.authorization.k8s.io";

/// The rules of `plural`, if it is a kind of this group.
pub fn behavior(plural: &str) -> Option<Behavior> {
    Some(match plural {
        "roles" => Behavior {
            validate_create: |role| validate_role(role, true),
            validate_update: |role, _, _| validate_role(role, true),
            ..neutral()
        },
        "clusterroles" => Behavior {
            validate_create: |role| validate_role(role, false),
            validate_update: |role, _, _| validate_role(role, false),
            ..neutral()
        },
        "rolebindings" => Behavior {
            default: default_binding,
            validate_create: |binding| validate_binding(binding, true),
            validate_update: |binding, old, _| validate_binding_update(binding, old, true),
            ..neutral()
        },
        "clusterrolebindings" => Behavior {
            default: default_binding,
            validate_create: |binding| validate_binding(binding, false),
            validate_update: |binding, old, _| validate_binding_update(binding, old, false),
            ..neutral()
        },
        _ => return None,
    })
}

fn default_binding(_version: &str, binding: &mut Value) {
    let Some(binding) = binding.as_object_mut() else {
        return;
    };
    if let Some(role) = fill::map(binding, "roleRef") {
        fill::text(role, "apiGroup", GROUP);
    }
    for subject in fill::maps(binding, "subjects") {
        if matches!(fill::get(subject, "kind"), "User" | "Group") {
            fill::text(subject, "apiGroup", GROUP);
        }
    }
}

fn validate_role(role: &Value, namespaced: bool) -> ErrorList {
    let mut errors = ErrorList::new();
    let rules = At::of("rules");
    for (i, rule) in list(role, "rules").iter().enumerate() {
        validate_rule(rule, namespaced, &rules.index(i), &mut errors);
    }
    if let Some(aggregation) = get(role, "aggregationRule").filter(|_| !namespaced) {
        let at = At::of("aggregationRule.clusterRoleSelectors");
        let selectors = list(aggregation, "clusterRoleSelectors");
        if selectors.is_empty() {
            errors.required(
                &at,
                "at least one clusterRoleSelector required if aggregationRule is non-nil",
            );
        }
        for (i, one) in selectors.iter().enumerate() {
            selector::validate(one, &at.index(i), &mut errors);
        }
    }
    errors
}

fn validate_rule(rule: &Value, namespaced: bool, at: &At<'_>, errors: &mut ErrorList) {
    if list(rule, "verbs").is_empty() {
        errors.required(&at.child("verbs"), "verbs must contain at least one value");
    }
    let urls = list(rule, "nonResourceURLs");
    if !urls.is_empty() {
        let at = at.child("nonResourceURLs");
        if namespaced {
            errors.invalid(
                &at,
                urls.to_vec(),
                "namespaced rules cannot apply to non-resource URLs",
            );
        }
        let resources = ["apiGroups", "resources", "resourceNames"];
        if !resources.iter().all(|key| list(rule, key).is_empty()) {
            errors.invalid(
                &at,
                urls.to_vec(),
                "rules cannot apply to both regular resources and non-resource URLs",
            );
        }
        return;
    }
    if list(rule, "apiGroups").is_empty() {
        errors.required(
            &at.child("apiGroups"),
            "resource rules must supply at least one api group",
        );
    }
    if list(rule, "resources").is_empty() {
        errors.required(
            &at.child("resources"),
            "resource rules must supply at least one resource",
        );
    }
}

fn validate_binding(binding: &Value, namespaced: bool) -> ErrorList {
    let mut errors = ErrorList::new();
    let none = Value::Null;
    let role = binding.get("roleRef").unwrap_or(&none);
    let at = At::of("roleRef");
    if text(role, "apiGroup") != GROUP {
        errors.not_supported(&at.child("apiGroup"), text(role, "apiGroup"), &[GROUP]);
    }
    let kinds: &[&str] = if namespaced {
        &["Role", "ClusterRole"]
    } else {
        &["ClusterRole"]
    };
    if !kinds.contains(&text(role, "kind")) {
        errors.not_supported_in_order(&at.child("kind"), text(role, "kind"), kinds);
    }
    let name = text(role, "name");
    if name.is_empty() {
        errors.required(&at.child("name"), "");
    } else {
        errors.invalid_each(&at.child("name"), name, names::path_segment(name));
    }
    let at = At::of("subjects");
    for (i, subject) in list(binding, "subjects").iter().enumerate() {
        validate_subject(subject, namespaced, &at.index(i), &mut errors);
    }
    errors
}

fn validate_subject(subject: &Value, namespaced: bool, at: &At<'_>, errors: &mut ErrorList) {
    let (name, group) = (text(subject, "name"), text(subject, "apiGroup"));
    if name.is_empty() {
        errors.required(&at.child("name"), "");
    }
    match text(subject, "kind") {
        "ServiceAccount" => {
            if !name.is_empty() {
                let faults = names::dns1123_subdomain(name);
                errors.invalid_each(&at.child("name"), name, faults);
            }
            if !group.is_empty() {
                errors.not_supported(&at.child("apiGroup"), group, &[""]);
            }
            if !namespaced && is_blank(subject.get("namespace")) {
                errors.required(&at.child("namespace"), "");
            }
        }
        "User" | "Group" => {
            if group != GROUP {
                errors.not_supported(&at.child("apiGroup"), group, &[GROUP]);
            }
        }
        kind => errors.not_supported_in_order(
            &at.child("kind"),
            kind,
            &["ServiceAccount", "User", "Group"],
        ),
    }
}

fn validate_binding_update(binding: &Value, old: &Value, namespaced: bool) -> ErrorList {
    let mut errors = validate_binding(binding, namespaced);
    if !same_field(binding, old, "roleRef") {
        let role = binding.get("roleRef").cloned().unwrap_or_default();
        errors.invalid(&At::of("roleRef"), role, "cannot change roleRef");
    }
    errors
}

#[cfg(test)]
mod tests {
    use crate::kinds::check::{create, defaulted, update};
    use serde_json::json;

    const GROUP: &str = "rbac.authorization.k8s.io";

    #[test]
    fn roles() {
        let cases = [
            (
                json!({"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}),
                vec![],
            ),
            (json!({"rules": null}), vec![]),
            (
                json!({"rules": [{}]}),
                vec![
                    "rules[0].verbs: Required value: verbs must contain at least one value",
                    "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
                    "rules[0].resources: Required value: resource rules must supply at least one resource",
                ],
            ),
            (
                json!({"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"], "resources": ["pods"]}]}),
                vec![
                    "rules[0].nonResourceURLs: Invalid value: []string{\"/x\"}: namespaced rules cannot apply to non-resource URLs",
                    "rules[0].nonResourceURLs: Invalid value: []string{\"/x\"}: rules cannot apply to both regular resources and non-resource URLs",
                ],
            ),
        ];
        for (role, want) in cases {
            assert_eq!(create(GROUP, "roles", &role), want, "{role}");
        }
        let role = json!({"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]});
        assert!(create(GROUP, "clusterroles", &role).is_empty());
        assert_eq!(
            create(GROUP, "clusterroles", &json!({"aggregationRule": {}})),
            [
                "aggregationRule.clusterRoleSelectors: Required value: at least one \
              clusterRoleSelector required if aggregationRule is non-nil"
            ]
        );
    }

    #[test]
    fn bindings() {
        let binding = json!({
            "roleRef": {"kind": "Role", "name": "r"},
            "subjects": [
                {"kind": "User", "name": "u"},
                {"kind": "Group", "name": "g"},
                {"kind": "ServiceAccount", "name": "s"},
            ],
        });
        let filled = defaulted(GROUP, "rolebindings", "v1", &binding);
        assert_eq!(filled["roleRef"]["apiGroup"], GROUP);
        assert_eq!(filled["subjects"][0]["apiGroup"], GROUP);
        assert!(filled["subjects"][2].get("apiGroup").is_none());
        assert!(create(GROUP, "rolebindings", &filled).is_empty());
        assert_eq!(
            create(GROUP, "clusterrolebindings", &filled),
            [
                "roleRef.kind: Unsupported value: \"Role\": supported values: \"ClusterRole\"",
                "subjects[2].namespace: Required value",
            ]
        );
        let bad = json!({
            "roleRef": {"apiGroup": "x", "kind": "Role", "name": "a/b"},
            "subjects": [
                {"kind": "Robot", "name": ""},
                {"kind": "ServiceAccount", "name": "S", "apiGroup": "x"},
            ],
        });
        let errors = create(GROUP, "rolebindings", &bad);
        let starts = [
            "roleRef.apiGroup: Unsupported value: \"x\": supported values: \"rbac.authorization.k8s.io\"",
            "roleRef.name: Invalid value: \"a/b\": may not contain '/'",
            "subjects[0].name: Required value",
            "subjects[0].kind: Unsupported value: \"Robot\": supported values: \"ServiceAccount\", \"User\", \"Group\"",
            "subjects[1].name: Invalid value: \"S\": a lowercase RFC 1123 subdomain",
            "subjects[1].apiGroup: Unsupported value: \"x\": supported values: \"\"",
        ];
        assert_eq!(errors.len(), starts.len(), "{errors:?}");
        for (error, start) in errors.iter().zip(starts) {
            assert!(error.starts_with(start), "{error}");
        }
    }

    #[test]
    fn the_role_of_a_binding_stays() {
        let old = json!({"roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "a"}});
        let new = json!({"roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "b"}});
        assert!(update(GROUP, "rolebindings", &old, &old, "").is_empty());
        let errors = update(GROUP, "rolebindings", &new, &old, "");
        assert_eq!(errors.len(), 1);
        assert!(errors[0].starts_with("roleRef: Invalid value: "));
        assert!(errors[0].ends_with(": cannot change roleRef"));
    }
}
