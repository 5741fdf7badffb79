//! Nobody grants what they do not hold: the checks of writes to roles and bindings.
//!
//! Who may `escalate` a role may write any rules into it, and who may `bind` a role may bind it
//! without holding its rules; members of `system:masters` may do everything. Everyone else needs
//! the rules themselves, in the namespace of the role or binding.

use crate::index::aggregate_errors;
use crate::object::{Binding, GROUP, RoleKind, rules_of};
use crate::resolve::RuleResolver;
use crate::rule::{ALL, Rule, compact_rules, url_covers};
use crate::{Attributes, Authorizer};
use model::go::{quoted, quoted_list};
use model::status::Status;
use model::user::{MASTERS, UserInfo};
use model::{Value, meta};
use std::collections::BTreeSet;

/// Rules that break down into more single permissions than this, taken together, are compared as
/// they are with each rule that is held, so that a small request cannot cause much work.
const SINGLE_PERMISSIONS: usize = 20_000;

/// A create or update of a role or binding.
#[derive(Debug, Clone, Copy)]
pub struct Write<'a> {
    /// Who asks.
    pub user: &'a UserInfo,
    /// The request's namespace; empty for ClusterRoles and ClusterRoleBindings.
    pub namespace: &'a str,
    /// The name in the request's path; empty for creates.
    pub name: &'a str,
    /// The object as it would be stored.
    pub object: &'a Value,
    /// The object as it is, for updates.
    pub old: Option<&'a Value>,
}

/// The single permissions of `wanted` that no rule of `held` covers, as rules with one verb, one
/// group and one resource (and at most one name), or one verb and one URL.
pub fn uncovered(held: &[Rule], wanted: &[Rule]) -> Vec<Rule> {
    let mut missing = Vec::new();
    let mut budget = SINGLE_PERMISSIONS;
    for rule in wanted {
        if held.iter().any(|h| covers(h, rule)) {
            continue;
        }
        let Some(rest) = budget.checked_sub(permission_count(rule)) else {
            missing.push(rule.clone());
            continue;
        };
        budget = rest;
        let related: Vec<&Rule> = held
            .iter()
            .filter(|h| meet(&h.verbs, &rule.verbs))
            .filter(|h| meet(&h.api_groups, &rule.api_groups) || !h.non_resource_urls.is_empty())
            .collect();
        for_each_permission(rule, |single| {
            if !related.iter().any(|h| covers(h, &single)) {
                missing.push(single);
            }
        });
    }
    missing
}

/// Whether some member of `wanted` may be covered by `held`.
fn meet(held: &[String], wanted: &[String]) -> bool {
    held.iter().any(|h| h == ALL || wanted.contains(h))
}

fn permission_count(rule: &Rule) -> usize {
    let per_verb = rule
        .api_groups
        .len()
        .saturating_mul(rule.resources.len())
        .saturating_mul(rule.resource_names.len().max(1))
        .saturating_add(rule.non_resource_urls.len());
    per_verb.saturating_mul(rule.verbs.len())
}

fn for_each_permission(rule: &Rule, mut each: impl FnMut(Rule)) {
    for group in &rule.api_groups {
        for resource in &rule.resources {
            for verb in &rule.verbs {
                let single = || Rule::on([verb], [group], [resource]);
                if rule.resource_names.is_empty() {
                    each(single());
                }
                for name in &rule.resource_names {
                    each(single().named([name]));
                }
            }
        }
    }
    for url in &rule.non_resource_urls {
        for verb in &rule.verbs {
            each(Rule::on_urls([verb], [url]));
        }
    }
}

/// Whether one held rule covers all of another rule.
fn covers(held: &Rule, wanted: &Rule) -> bool {
    has_all(&held.verbs, &wanted.verbs)
        && has_all(&held.api_groups, &wanted.api_groups)
        && covers_resources(&held.resources, &wanted.resources)
        && wanted
            .non_resource_urls
            .iter()
            .all(|url| held.non_resource_urls.iter().any(|h| url_covers(h, url)))
        && (held.resource_names.is_empty()
            || !wanted.resource_names.is_empty()
                && wanted
                    .resource_names
                    .iter()
                    .all(|name| held.resource_names.contains(name)))
}

fn has_all(held: &[String], wanted: &[String]) -> bool {
    held.iter().any(|h| h == ALL) || wanted.iter().all(|w| held.contains(w))
}

fn covers_resources(held: &[String], wanted: &[String]) -> bool {
    held.iter().any(|h| h == ALL)
        || wanted.iter().all(|w| {
            held.contains(w)
                || w.split('/').nth(1).is_some_and(|subresource| {
                    held.iter()
                        .any(|h| h.strip_prefix("*/") == Some(subresource))
                })
        })
}

/// Checks that `user`, who holds `held`, may grant `wanted`; the error is upstream's message.
/// `errors` are those met while resolving `held`.
pub fn check_grant(
    user: &UserInfo,
    held: &[Rule],
    errors: &[String],
    wanted: &[Rule],
) -> Result<(), String> {
    let missing = uncovered(held, wanted);
    if missing.is_empty() {
        return Ok(());
    }
    let lines: BTreeSet<String> = compact_rules(missing).iter().map(Rule::compact).collect();
    let lines: Vec<String> = lines.into_iter().collect();
    let mut message = format!(
        "user {} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
        quoted(&user.name),
        quoted_list(&user.groups),
        lines.join("\n")
    );
    if !errors.is_empty() {
        message.push_str("; resolution errors: [");
        message.push_str(&aggregate_errors(errors));
        message.push(']');
    }
    Err(message)
}

/// Checks a create or update of a Role or ClusterRole: unless the user may `escalate` it, they
/// must hold its rules; and to gather rules by label they must hold everything.
///
/// `authorizer` is the server's whole chain, which decides on `escalate`.
pub fn check_role_escalation(
    write: &Write<'_>,
    roles: &dyn RuleResolver,
    authorizer: &dyn Authorizer,
) -> Result<(), Status> {
    let kind = if write.namespace.is_empty() {
        RoleKind::ClusterRole
    } else {
        RoleKind::Role
    };
    if write.user.in_group(MASTERS)
        || only_collection_changes(write)
        || may(write, authorizer, "escalate", kind, write.name)
    {
        return Ok(());
    }
    let name = meta::name(write.object);
    let forbidden = |why: &str| Status::forbidden(GROUP, kind.plural(), name, why);
    let wanted =
        rules_of(write.object).map_err(|e| Status::bad_request(format!("invalid role: {e}")))?;
    let held = roles.rules_for(write.user, write.namespace);
    check_grant(write.user, &held.rules, &held.errors, &wanted).map_err(|e| forbidden(&e))?;
    let aggregates = |object: &Value| meta::at(object, &["aggregationRule"]).is_some();
    if kind == RoleKind::ClusterRole
        && (aggregates(write.object) || write.old.is_some_and(aggregates))
    {
        let everything = [Rule::on([ALL], [ALL], [ALL]), Rule::on_urls([ALL], [ALL])];
        if !uncovered(&held.rules, &everything).is_empty() {
            return Err(forbidden(
                "must have cluster-admin privileges to use the aggregationRule",
            ));
        }
    }
    Ok(())
}

/// Checks a create or update of a RoleBinding or ClusterRoleBinding: unless the user may `bind`
/// the role, they must hold its rules. A role that does not exist is a 404 to those who may not
/// `bind` it.
pub fn check_binding(
    write: &Write<'_>,
    roles: &dyn RuleResolver,
    authorizer: &dyn Authorizer,
) -> Result<(), Status> {
    if write.user.in_group(MASTERS) || only_collection_changes(write) {
        return Ok(());
    }
    let binding = Binding::from_value(write.object)
        .map_err(|e| Status::bad_request(format!("invalid binding: {e}")))?;
    let role = &binding.role_ref;
    if may(write, authorizer, "bind", role.kind, &role.name) {
        return Ok(());
    }
    let role_namespace = match role.kind {
        RoleKind::Role => write.namespace,
        RoleKind::ClusterRole => "",
    };
    let wanted = roles
        .role_rules(role_namespace, &role.name)
        .ok_or_else(|| Status::not_found(GROUP, role.kind.plural(), &role.name))?;
    let held = roles.rules_for(write.user, write.namespace);
    check_grant(write.user, &held.rules, &held.errors, &wanted).map_err(|why| {
        let plural = if write.namespace.is_empty() {
            "clusterrolebindings"
        } else {
            "rolebindings"
        };
        Status::forbidden(GROUP, plural, &binding.name, why)
    })
}

fn may(
    write: &Write<'_>,
    authorizer: &dyn Authorizer,
    verb: &str,
    kind: RoleKind,
    name: &str,
) -> bool {
    let a = Attributes::resource(write.user, verb, GROUP, kind.plural())
        .in_namespace(write.namespace)
        .named(name);
    authorizer.authorize(&a).allowed()
}

/// Whether an update changes only what garbage collection needs to change: owners, finalizers
/// and the record of who set which field.
fn only_collection_changes(write: &Write<'_>) -> bool {
    let Some(old) = write.old else {
        return false;
    };
    let stripped = |object: &Value| {
        let mut object = object.clone();
        for field in ["ownerReferences", "finalizers", "managedFields"] {
            meta::remove(&mut object, &["metadata", field]);
        }
        object
    };
    stripped(write.object) == stripped(old)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Index;
    use crate::object::{Role, RoleRef, Subject};
    use serde_json::json;

    #[test]
    fn coverage() {
        let pods = Rule::on(["get", "list"], [""], ["pods"]);
        let named = Rule::on(["get"], [""], ["pods"]).named(["a"]);
        for (held, wanted, missing) in [
            (vec![pods.clone()], vec![pods.clone()], 0),
            (vec![], vec![pods.clone()], 2),
            (
                vec![Rule::on(["get"], [""], ["pods"])],
                vec![pods.clone()],
                1,
            ),
            // Two rules cover one together.
            (
                vec![
                    Rule::on(["get"], [""], ["pods"]),
                    Rule::on(["list"], [""], ["pods"]),
                ],
                vec![pods.clone()],
                0,
            ),
            (vec![Rule::on(["*"], ["*"], ["*"])], vec![pods.clone()], 0),
            (vec![pods.clone()], vec![Rule::on(["*"], [""], ["pods"])], 1),
            (vec![pods.clone()], vec![named.clone()], 0),
            (
                vec![named.clone()],
                vec![Rule::on(["get"], [""], ["pods"])],
                1,
            ),
            (vec![named.clone()], vec![named.clone()], 0),
            (
                vec![Rule::on(["get"], [""], ["*/log"])],
                vec![Rule::on(["get"], [""], ["pods/log", "pods/exec"])],
                1,
            ),
            (
                vec![Rule::on_urls(["get"], ["/a/*"])],
                vec![Rule::on_urls(["get"], ["/a/b", "/a/*", "/a"])],
                1,
            ),
            (
                vec![Rule::on(["*"], ["*"], ["*"])],
                vec![Rule::on_urls(["get"], ["/"])],
                1,
            ),
            // Nothing is granted by a rule without verbs.
            (vec![], vec![Rule::on([], [""], ["pods"])], 0),
        ] {
            assert_eq!(
                uncovered(&held, &wanted).len(),
                missing,
                "{held:?} {wanted:?}"
            );
        }
    }

    #[test]
    fn a_small_request_does_not_break_down_into_billions() {
        let many = |prefix: &str| {
            (0..2_000)
                .map(|i| format!("{prefix}{i}"))
                .collect::<Vec<_>>()
        };
        let broad = Rule::on(many("v"), many("g"), many("r")).named(many("n"));
        let wanted = [broad];
        assert_eq!(uncovered(&[], &wanted), wanted);
        assert!(uncovered(&[Rule::on(["*"], ["*"], ["*"])], &wanted).is_empty());
    }

    fn setup() -> Index {
        let mut index = Index::new();
        let role = |namespace: &str, name: &str, rules| Role {
            namespace: namespace.into(),
            name: name.into(),
            rules,
        };
        index.upsert_role(&role(
            "",
            "all",
            vec![Rule::on(["*"], ["*"], ["*"]), Rule::on_urls(["*"], ["*"])],
        ));
        index.upsert_role(&role(
            "n",
            "secrets",
            vec![Rule::on(["get"], [""], ["secrets"])],
        ));
        index.upsert_role(&role(
            "n",
            "editor",
            vec![
                Rule::on(["create", "update"], [GROUP], ["roles", "rolebindings"]),
                Rule::on(["get"], [""], ["pods"]),
            ],
        ));
        index.upsert_role(&role(
            "n",
            "binder",
            vec![
                Rule::on(["bind"], [GROUP], ["roles"]).named(["secrets"]),
                Rule::on(["escalate"], [GROUP], ["roles"]).named(["own"]),
            ],
        ));
        for (namespace, name, kind, subject) in [
            ("", "all", RoleKind::ClusterRole, "root"),
            ("n", "editor", RoleKind::Role, "x"),
            ("n", "editor2", RoleKind::Role, "y"),
            ("n", "binder", RoleKind::Role, "y"),
        ] {
            index.upsert_binding(&Binding {
                namespace: namespace.into(),
                name: format!("{name}-{subject}"),
                role_ref: RoleRef {
                    kind,
                    name: name.trim_end_matches('2').into(),
                },
                subjects: vec![Subject::User(subject.into())],
            });
        }
        index
    }

    fn user(name: &str) -> UserInfo {
        UserInfo::new(name, ["g"])
    }

    fn role(verb: &str) -> Value {
        json!({
            "metadata": {"name": "own", "namespace": "n"},
            "rules": [{"verbs": [verb], "apiGroups": [""], "resources": ["secrets"]}],
        })
    }

    #[test]
    fn roles() {
        let index = setup();
        let check = |who: &UserInfo, object: &Value, old: Option<&Value>| {
            let write = Write {
                user: who,
                namespace: "n",
                name: if old.is_some() { "own" } else { "" },
                object,
                old,
            };
            check_role_escalation(&write, &index, &index)
        };
        let error = check(&user("x"), &role("get"), None).unwrap_err();
        assert_eq!(error.code, 403);
        assert_eq!(
            error.message,
            "roles.rbac.authorization.k8s.io \"own\" is forbidden: user \"x\" (groups=[\"g\"]) is \
             attempting to grant RBAC permissions not currently held:\n\
             {APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\"]}"
        );
        assert!(check(&user("root"), &role("get"), None).is_ok());
        // `escalate` on one name does not reach creates, which have none.
        assert!(check(&user("y"), &role("get"), None).is_err());
        assert!(check(&user("y"), &role("get"), Some(&role("list"))).is_ok());
        assert!(check(&user("x"), &role("get"), Some(&role("list"))).is_err());
        let mut collected = role("get");
        collected["metadata"]["finalizers"] = json!(["a/b"]);
        assert!(check(&user("x"), &collected, Some(&role("get"))).is_ok());
        let masters = UserInfo::new("m", [MASTERS]);
        assert!(check(&masters, &role("get"), None).is_ok());
    }

    #[test]
    fn aggregation_needs_everything() {
        let index = setup();
        let object = json!({
            "metadata": {"name": "a"},
            "aggregationRule": {"clusterRoleSelectors": [{}]},
            "rules": [],
        });
        let check = |who: &str| {
            let user = user(who);
            let write = Write {
                user: &user,
                namespace: "",
                name: "",
                object: &object,
                old: None,
            };
            check_role_escalation(&write, &index, &index)
        };
        assert_eq!(
            check("x").unwrap_err().message,
            "clusterroles.rbac.authorization.k8s.io \"a\" is forbidden: must have cluster-admin \
             privileges to use the aggregationRule"
        );
        assert!(check("root").is_ok());
    }

    #[test]
    fn bindings() {
        let index = setup();
        let check = |who: &str, kind: &str, role: &str| {
            let object = json!({
                "metadata": {"name": "b", "namespace": "n"},
                "roleRef": {"apiGroup": GROUP, "kind": kind, "name": role},
            });
            let user = user(who);
            let write = Write {
                user: &user,
                namespace: "n",
                name: "",
                object: &object,
                old: None,
            };
            check_binding(&write, &index, &index)
        };
        assert!(check("x", "Role", "editor").is_ok(), "held");
        let error = check("x", "Role", "secrets").unwrap_err();
        assert!(error.message.starts_with(
            "rolebindings.rbac.authorization.k8s.io \"b\" is forbidden: user \"x\" (groups="
        ));
        assert!(check("y", "Role", "secrets").is_ok(), "bind");
        let error = check("x", "ClusterRole", "none").unwrap_err();
        assert_eq!(error.code, 404);
        assert_eq!(
            error.message,
            "clusterroles.rbac.authorization.k8s.io \"none\" not found"
        );
        assert!(
            check("root", "ClusterRole", "none").is_ok(),
            "* includes bind"
        );
    }
}
