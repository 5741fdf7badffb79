//! Roles that grant more than is safe.

use super::powers::{self, Power};
use super::{BLANK, Check, Context, Run, Sink, cis, nsa, some_of};
use crate::finding::Severity;
use rbac::Rule;
use rbac::object::{GROUP, rules_of};
use snapshot::{Citation, Object};
use std::collections::HashSet;

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "RMP-RBAC-001",
        title: "wildcard in a role",
        severity: Severity::High,
        what: "Roles with `*` for verbs, resources or API groups together with verbs that change \
               something.",
        why: "A wildcard grants what exists now and whatever is added later: subresources, custom \
              resources, and verbs such as escalate and impersonate.",
        fix: "name the verbs, resources and API groups that are needed",
        references: &[cis("5.1.3"), nsa("Authentication and authorization")],
        run: Run::Whole(wildcards),
        ..BLANK
    },
    Check {
        id: "RMP-RBAC-002",
        title: "may raise its own rights",
        severity: Severity::High,
        what: "Roles that grant escalate or bind on roles, or impersonate.",
        why: "With escalate or bind one gives oneself any right; with impersonate one acts as \
              anybody, system:masters included.",
        fix: "remove the verb, or limit it to single objects with resourceNames",
        references: &[cis("5.1.8"), nsa("Authentication and authorization")],
        run: Run::Whole(|context, sink| grants(context, sink, powers::RAISING)),
        ..BLANK
    },
    Check {
        id: "RMP-RBAC-003",
        title: "reads secrets",
        severity: Severity::High,
        what: "Roles that grant get, list or watch on all secrets.",
        why: "list and watch show the values as get does. Secrets hold passwords, keys and the \
              tokens of service accounts, with which one acts as these.",
        fix: "name the secrets in resourceNames with the verb get, or mount them into the pod",
        references: &[cis("5.1.2"), nsa("Authentication and authorization")],
        run: Run::Whole(|context, sink| grants(context, sink, powers::READING_SECRETS)),
        ..BLANK
    },
    Check {
        id: "RMP-RBAC-004",
        title: "gets into running pods",
        severity: Severity::Medium,
        what: "Roles that grant exec, attach, port-forward or ephemeral containers of pods.",
        why: "Inside a pod one has its secrets, its token and its network.",
        fix: "remove the subresources, or grant them for a limited time",
        references: &[nsa("Authentication and authorization")],
        run: Run::Whole(|context, sink| grants(context, sink, powers::ENTERING_PODS)),
        ..BLANK
    },
    Check {
        id: "RMP-RBAC-005",
        title: "makes tokens of service accounts",
        severity: Severity::High,
        what: "Roles that grant create on serviceaccounts/token.",
        why: "One acts as any service account in reach.",
        fix: "limit it to single accounts with resourceNames",
        references: &[cis("5.1.13")],
        run: Run::Whole(|context, sink| grants(context, sink, powers::MAKING_TOKENS)),
        ..BLANK
    },
    Check {
        id: "RMP-RBAC-006",
        title: "reaches kubelets through nodes/proxy",
        severity: Severity::High,
        what: "Roles that grant nodes/proxy.",
        why: "The kubelet's API runs commands in every pod of the node, past admission and audit.",
        fix: "remove nodes/proxy; nodes/metrics and nodes/stats suffice for monitoring",
        references: &[cis("5.1.10")],
        run: Run::Whole(|context, sink| grants(context, sink, powers::PROXYING_NODES)),
        ..BLANK
    },
    Check {
        id: "RMP-RBAC-007",
        title: "approves certificates",
        severity: Severity::High,
        what: "Roles that grant update or patch on certificatesigningrequests/approval.",
        why: "One issues oneself a certificate as anybody.",
        fix: "remove the right; leave approval to the controller",
        references: &[cis("5.1.11")],
        run: Run::Whole(|context, sink| grants(context, sink, powers::APPROVING)),
        ..BLANK
    },
    Check {
        id: "RMP-RBAC-008",
        title: "changes admission webhooks",
        severity: Severity::High,
        what: "Roles that grant create, update or patch on webhook configurations.",
        why: "A webhook sees every object that is written, secrets among them, and a mutating one \
              changes them.",
        fix: "remove the right",
        references: &[cis("5.1.12")],
        run: Run::Whole(|context, sink| grants(context, sink, powers::CHANGING_WEBHOOKS)),
        ..BLANK
    },
    Check {
        id: "RMP-RBAC-009",
        title: "creates persistent volumes",
        severity: Severity::Medium,
        what: "Roles that grant create on persistentvolumes.",
        why: "A hostPath volume behind a claim brings the node's files into pods that may have \
              no hostPath volumes.",
        fix: "remove the right; let a provisioner create volumes",
        references: &[cis("5.1.9")],
        run: Run::Whole(|context, sink| grants(context, sink, powers::CREATING_VOLUMES)),
        ..BLANK
    },
];

/// A role that somebody wrote, with its own rules and their places among all.
pub(super) type OwnRules<'a> = (&'a Object, Vec<(usize, Rule)>);

/// Roles that somebody wrote, with their rules. Rules that an aggregating role gathered are left
/// to the role that they were written in.
pub(super) fn own_rules<'a>(context: &Context<'a>) -> Vec<OwnRules<'a>> {
    ["clusterroles", "roles"]
        .into_iter()
        .flat_map(|plural| context.written(GROUP, plural))
        .filter_map(|role| {
            let rules = rules_of(&role.value).ok()?;
            let sources = context.snapshot.rule_sources(role);
            let sources = sources.iter().filter_map(|s| rules_of(&s.value).ok());
            let gathered: HashSet<Rule> = sources.flatten().collect();
            let own = rules
                .into_iter()
                .enumerate()
                .filter(|(_, rule)| !gathered.contains(rule))
                .collect();
            Some((role, own))
        })
        .collect()
}

/// How bad a grant is, and to whom it is made: all of it in the whole cluster, less in one
/// namespace, little as long as nobody has it.
fn reach<'a>(
    context: &Context<'a>,
    role: &'a Object,
    base: Severity,
) -> (Severity, String, Vec<Citation>) {
    let Some(uses) = context.uses(role) else {
        let text = "; nobody is bound to it yet".to_owned();
        return (base.min(Severity::Low), text, Vec::new());
    };
    let (severity, bindings, place) = if uses.cluster.is_empty() {
        (base.lowered(), &uses.namespaced, "")
    } else {
        (base, &uses.cluster, " in the whole cluster")
    };
    let names: Vec<&str> = bindings.iter().map(|b| b.name()).collect();
    let text = format!("{place}, through {}", some_of(&names));
    let because = bindings
        .iter()
        .take(5)
        .map(|binding| context.snapshot.cite(binding, "roleRef"))
        .collect();
    (severity, text, because)
}

fn is_star(list: &[String]) -> bool {
    list.iter().any(|text| text == "*")
}

/// Whether a rule grants everything: nothing more need be said of it.
fn is_everything(rule: &Rule) -> bool {
    is_star(&rule.verbs)
        && is_star(&rule.resources)
        && is_star(&rule.api_groups)
        && rule.resource_names.is_empty()
}

fn wildcards<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    const READING: [&str; 3] = ["get", "list", "watch"];
    for (role, rules) in context.own_rules() {
        for (index, rule) in rules {
            let only_reads = rule.verbs.iter().all(|v| READING.contains(&v.as_str()));
            if only_reads || rule.resources.is_empty() || !rule.resource_names.is_empty() {
                continue;
            }
            let starred: Vec<&str> = [
                ("verbs", &rule.verbs),
                ("resources", &rule.resources),
                ("apiGroups", &rule.api_groups),
            ]
            .into_iter()
            .filter(|(_, list)| is_star(list))
            .map(|(field, _)| field)
            .collect();
            let Some(first) = starred.first() else {
                continue;
            };
            let base = if is_everything(rule) {
                Severity::High
            } else {
                Severity::Medium
            };
            let (severity, bound, because) = reach(context, role, base);
            let what = if is_everything(rule) {
                "everything".to_owned()
            } else {
                format!("`*` in {}", starred.join(" and "))
            };
            sink.add(
                role,
                format!("rules[{index}].{first}"),
                format!("grants {what}{bound}"),
            )
            .severity(severity)
            .because(because);
        }
    }
}

fn grants<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>, powers: &[Power]) {
    for (role, rules) in context.own_rules() {
        let is_cluster_role = role.namespace().is_empty();
        for (index, rule) in rules {
            if is_everything(rule) {
                continue;
            }
            let held: Vec<&str> = powers
                .iter()
                .filter(|power| is_cluster_role || power.is_namespaced)
                .filter(|power| power.is_granted_by(rule))
                .map(|power| power.title)
                .collect();
            if held.is_empty() {
                continue;
            }
            let (severity, bound, because) = reach(context, role, sink.check.severity);
            let field = if rule.resources.is_empty() {
                format!("rules[{index}]")
            } else {
                format!("rules[{index}].resources")
            };
            sink.add(role, field, format!("grants {}{bound}", held.join(", ")))
                .severity(severity)
                .because(because);
        }
    }
}
