//! Policies of the whole cluster: pod security policies and priority classes.

use super::{BLANK, Check, Context, Run, Sink, cis, nsa, pss};
use crate::finding::Severity;
use model::{Value, meta};
use pod_security::psp::{Pass, Policy};
use serde_json::json;
use snapshot::Object;

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "RMP-PSP-001",
        title: "pod security policy allows everything",
        severity: Severity::High,
        what: "PodSecurityPolicies that allow privileged containers.",
        why: "Whoever may `use` it, and every service account that may, can run a pod that owns \
              its node.",
        fix: "allow `use` of it to nobody but what needs it, and give the rest a policy without \
              privileged",
        references: &[
            pss("privileged"),
            cis("5.2.2"),
            nsa("Pod security enforcement"),
        ],
        run: Run::Whole(allows_everything),
        ..BLANK
    },
    Check {
        id: "RMP-PSP-002",
        title: "pod security policy allows parts of the node",
        severity: Severity::Medium,
        what: "PodSecurityPolicies that allow host namespaces, host paths, host ports or all \
               capabilities, and no privileged containers.",
        why: "Each of them leads from the pod to its node.",
        fix: "remove what is not needed from the policy",
        references: &[
            pss("baseline"),
            cis("5.2.3"),
            cis("5.2.4"),
            cis("5.2.5"),
            cis("5.2.9"),
            cis("5.2.12"),
            cis("5.2.13"),
        ],
        run: Run::Whole(allows_parts),
        ..BLANK
    },
    Check {
        id: "RMP-PRI-001",
        title: "priority that pushes out all others",
        severity: Severity::Low,
        what: "PriorityClasses that preempt, are at the top of those that were written, and whose \
               use no ResourceQuota limits.",
        why: "Whoever may create pods in any namespace can have the pods of others stopped to \
              make room for his own.",
        fix: "set preemptionPolicy: Never, or limit the class with a ResourceQuota \
              (scopeSelector on PriorityClass) in every namespace that must not use it",
        references: &[super::reference(
            crate::finding::Framework::Kubernetes,
            "Limit Priority Class consumption by default",
        )],
        run: Run::Whole(preempts_all),
        ..BLANK
    },
    Check {
        id: "RMP-PRI-002",
        title: "preempting priority for everybody",
        severity: Severity::Medium,
        what: "PriorityClasses with globalDefault: true that preempt.",
        why: "Pods that name no class push out those that were there before the class.",
        fix: "set preemptionPolicy: Never or globalDefault: false",
        references: &[super::reference(
            crate::finding::Framework::Kubernetes,
            "Pod Priority and Preemption",
        )],
        run: Run::Whole(preempts_by_default),
        ..BLANK
    },
];

/// A capability that no list names, so that only a policy that allows all allows it.
const ANY_CAPABILITY: &str = "WHATEVER_THERE_IS";

/// What pods may ask of their node, with the words for it and the fields of a policy that refuse it.
/// The policy's engine says whether they do.
fn requests() -> [(Value, &'static str, &'static [&'static str]); 6] {
    let container =
        |context: Value| json!({"containers": [{"name": "c", "securityContext": context}]});
    let path = json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]});
    let any = json!({"capabilities": {"add": [ANY_CAPABILITY]}});
    [
        (
            container(json!({"privileged": true})),
            "privileged containers",
            &["privileged"],
        ),
        (
            json!({"hostPID": true}),
            "the node's processes",
            &["hostPID"],
        ),
        (json!({"hostIPC": true}), "the node's IPC", &["hostIPC"]),
        (
            json!({"hostNetwork": true}),
            "the node's network",
            &["hostNetwork"],
        ),
        (
            path,
            "all paths of the node",
            &["volumes", "allowedHostPaths"],
        ),
        (container(any), "all capabilities", &["allowedCapabilities"]),
    ]
}

/// What a policy allows of the node: words for it and the field that does. Nothing, if it cannot
/// be enforced: it then admits no pod.
fn allowed(policy: &Object) -> Vec<(&'static str, &'static str)> {
    let Ok(compiled) = Policy::new(&policy.value) else {
        return Vec::new();
    };
    let mut allowed = Vec::new();
    for (spec, words, controls) in requests() {
        let review = compiled.review(Pass::Validating, &json!({"metadata": {}, "spec": spec}));
        let is_refused = review.refusals.iter().any(|refusal| {
            let control = refusal.control.strip_prefix("spec.").unwrap_or_default();
            controls.contains(&control)
        });
        if let (false, Some(field)) = (is_refused, controls.first()) {
            allowed.push((words, *field));
        }
    }
    if !meta::list(&policy.value, &["spec", "hostPorts"]).is_empty() {
        allowed.push(("ports of the node", "hostPorts"));
    }
    allowed
}

fn allows_everything<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    for policy in context.written("policy", "podsecuritypolicies") {
        let allowed = allowed(policy);
        if allowed
            .first()
            .is_some_and(|(_, field)| *field == "privileged")
        {
            let words: Vec<&str> = allowed.iter().map(|(words, _)| *words).collect();
            let message = format!("allows {}", words.join(", "));
            sink.add(policy, "spec.privileged", message);
        }
    }
}

fn allows_parts<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    for policy in context.written("policy", "podsecuritypolicies") {
        let allowed = allowed(policy);
        if allowed.iter().any(|(_, field)| *field == "privileged") {
            continue;
        }
        for (words, field) in allowed {
            sink.add(policy, format!("spec.{field}"), format!("allows {words}"));
        }
    }
}

fn preempts(class: &Object) -> bool {
    meta::text(&class.value, &["preemptionPolicy"]) != "Never"
}

fn value(class: &Object) -> i64 {
    class
        .value
        .get("value")
        .and_then(Value::as_i64)
        .unwrap_or(0)
}

/// Whether a ResourceQuota speaks of the class.
fn is_limited(context: &Context<'_>, class: &Object) -> bool {
    context
        .snapshot
        .of("", "resourcequotas")
        .iter()
        .flat_map(|quota| meta::list(&quota.value, &["spec", "scopeSelector", "matchExpressions"]))
        .filter(|term| meta::text(term, &["scopeName"]) == "PriorityClass")
        .any(|term| {
            let values = meta::list(term, &["values"]);
            values.is_empty() || values.iter().any(|v| v.as_str() == Some(class.name()))
        })
}

fn preempts_all<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    let classes: Vec<&Object> = context
        .written("scheduling.k8s.io", "priorityclasses")
        .collect();
    let top = classes.iter().map(|class| value(class)).max().unwrap_or(0);
    for class in classes {
        let value = value(class);
        if value > 0 && value == top && preempts(class) && !is_limited(context, class) {
            let message = format!(
                "pods of priority {value} push out all that name no class, and anybody may use it"
            );
            sink.add(class, "value", message);
        }
    }
}

fn preempts_by_default<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    for class in context.written("scheduling.k8s.io", "priorityclasses") {
        let is_default = class.value.get("globalDefault") == Some(&Value::Bool(true));
        if is_default && preempts(class) && value(class) > 0 {
            let message = "every pod that names no class has it, and preempts";
            sink.add(class, "globalDefault", message);
        }
    }
}
