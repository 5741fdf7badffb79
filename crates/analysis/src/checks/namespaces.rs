//! What guards a namespace.

use super::{Added, BLANK, Check, Context, Run, Sink, cis, kubeaudit, nsa, pss};
use crate::finding::Severity;
use model::Value;
use model::meta;
use network_policy::Direction;
use pod_security::{Level, NamespacePolicy, labels};
use snapshot::{Object, Standing};
use std::borrow::Cow;

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "RMP-NS-001",
        title: "no default deny of incoming traffic",
        severity: Severity::Medium,
        what: "Namespaces without a NetworkPolicy that selects all pods and limits ingress.",
        why: "Every pod of the cluster reaches every port of the namespace's pods, also of those \
              that are added later.",
        fix: "create a NetworkPolicy with podSelector: {} and policyTypes: [Ingress] in the \
              namespace, and allow what is needed with further ones",
        example: "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: default-deny-ingress\n  namespace: NAMESPACE\nspec:\n  podSelector: {}\n  policyTypes: [Ingress]",
        references: &[cis("5.3.2"), nsa("Network policies"), kubeaudit("netpols")],
        kubeaudit_override: "allow-non-default-deny-ingress-network-policy",
        run: Run::Whole(no_ingress),
        ..BLANK
    },
    Check {
        id: "RMP-NS-002",
        title: "no default deny of outgoing traffic",
        severity: Severity::Low,
        what: "Namespaces without a NetworkPolicy that selects all pods and limits egress.",
        why: "Whoever gets into a pod reaches the whole cluster and the internet from there, to \
              look further and to carry data away.",
        fix: "create a NetworkPolicy with podSelector: {} and policyTypes: [Egress] in the \
              namespace, and allow DNS and what else is needed",
        example: "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: default-deny-egress\n  namespace: NAMESPACE\nspec:\n  podSelector: {}\n  policyTypes: [Egress]",
        references: &[cis("5.3.2"), nsa("Network policies"), kubeaudit("netpols")],
        kubeaudit_override: "allow-non-default-deny-egress-network-policy",
        run: Run::Whole(no_egress),
        ..BLANK
    },
    Check {
        id: "RMP-NS-003",
        title: "no Pod Security level",
        severity: Severity::Medium,
        what: "Namespaces without the label pod-security.kubernetes.io/enforce.",
        why: "Unless the API server is configured otherwise, privileged pods are admitted.",
        fix: "label the namespace pod-security.kubernetes.io/enforce: baseline, or restricted \
              (`rampart pss` says what its pods reach)",
        example: "metadata:\n  labels:\n    pod-security.kubernetes.io/enforce: restricted",
        references: &[
            cis("5.2.1"),
            nsa("Pod security enforcement"),
            pss("Pod Security Admission"),
        ],
        run: Run::Whole(no_level),
        ..BLANK
    },
    Check {
        id: "RMP-NS-004",
        title: "privileged Pod Security level",
        severity: Severity::Medium,
        what: "Namespaces with pod-security.kubernetes.io/enforce: privileged.",
        why: "Pods that own their node are admitted.",
        fix: "use baseline or restricted; keep what needs more in a namespace of its own",
        references: &[
            cis("5.2.1"),
            nsa("Pod security enforcement"),
            pss("Pod Security Admission"),
        ],
        run: Run::Whole(privileged_level),
        ..BLANK
    },
    Check {
        id: "RMP-NS-005",
        title: "Pod Security label that says nothing",
        severity: Severity::Medium,
        what: "Labels pod-security.kubernetes.io/* of namespaces whose value is no level, or no \
               version.",
        why: "The API server refuses the namespace, or holds its pods to what nobody meant: an \
              unknown level to enforce is restricted, one to warn of or to audit is privileged, \
              an unknown version is the latest.",
        fix: "use privileged, baseline or restricted as levels, latest or v1.N as versions",
        example: "metadata:\n  labels:\n    pod-security.kubernetes.io/enforce: restricted\n    pod-security.kubernetes.io/enforce-version: latest",
        references: &[
            cis("5.2.1"),
            nsa("Pod security enforcement"),
            pss("Pod Security Admission"),
        ],
        run: Run::Whole(unreadable_label),
        ..BLANK
    },
    Check {
        id: "RMP-NS-006",
        title: "pod that its namespace refuses",
        severity: Severity::Medium,
        what: "Pods, and workloads that make pods, which the Pod Security level of their own \
               namespace refuses.",
        why: "The workload is accepted and no pod of it ever starts; pods that are there already \
              run on until they are replaced, and are not then.",
        fix: "give the pod what the level asks for (`rampart fix --level`), or move it to a \
              namespace of its own with the level it needs",
        references: &[
            cis("5.2.1"),
            nsa("Pod security enforcement"),
            pss("Pod Security Admission"),
        ],
        run: Run::Whole(refused_pods),
        ..BLANK
    },
];

/// A namespace that somebody answers for: it was written, or pods were written into it.
pub(super) struct Used<'a> {
    pub(super) object: &'a Object,
    /// The first pod template in it, if one was written.
    pub(super) pod: Option<&'a Object>,
}

impl<'a> Used<'a> {
    /// Adds a finding about the namespace; where no file defines it, a pod in it shows the place.
    pub(super) fn finding<'s>(
        &self,
        sink: &'s mut Sink<'a, '_>,
        message: impl Into<Cow<'static, str>>,
    ) -> Added<'a, 's> {
        let added = sink.add(self.object, "metadata.name", message);
        match self.pod {
            Some(pod) if self.object.source.is_none() => added.shown_at(pod, "metadata.namespace"),
            _ => added,
        }
    }
}

/// The namespaces that belong to the control plane.
const SYSTEM: [&str; 3] = ["kube-node-lease", "kube-public", "kube-system"];

/// The namespaces that somebody answers for, by name.
pub(super) fn used<'a>(context: &Context<'a>) -> Vec<Used<'a>> {
    let snapshot = context.snapshot;
    snapshot
        .of("", "namespaces")
        .iter()
        .filter(|namespace| !SYSTEM.contains(&namespace.name()))
        .map(|object| Used {
            object,
            pod: context.templates(object.name()).first().map(|t| t.owner),
        })
        .filter(|used| used.object.standing == Standing::Written || used.pod.is_some())
        .collect()
}

/// Those of them in which pods run.
pub(super) fn with_pods<'a>(context: &Context<'a>) -> Vec<Used<'a>> {
    let mut all = used(context);
    all.retain(|namespace| namespace.pod.is_some());
    all
}

fn without_default_deny<'a>(
    context: &Context<'a>,
    sink: &mut Sink<'a, '_>,
    direction: Direction,
    message: &'static str,
) {
    if !super::was_read(context.snapshot, "networkpolicies.networking.k8s.io") {
        return;
    }
    let (network, _) = context.network();
    let network = network.network();
    for namespace in used(context) {
        let denies = network.denies_by_default(namespace.object.name(), direction);
        if !denies {
            namespace.finding(sink, message);
        }
    }
}

fn no_ingress<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    let message = "its pods are reached from everywhere unless a policy selects them";
    without_default_deny(context, sink, Direction::Ingress, message);
}

fn no_egress<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    let message = "its pods reach everything unless a policy selects them";
    without_default_deny(context, sink, Direction::Egress, message);
}

fn no_level<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    for namespace in used(context) {
        let labels = meta::labels(&namespace.object.value);
        if !labels.contains_key(labels::ENFORCE) {
            namespace.finding(
                sink,
                "admits privileged pods: no Pod Security level is enforced",
            );
        }
    }
}

fn privileged_level<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    for namespace in context.written("", "namespaces") {
        let labels = meta::labels(&namespace.value);
        if !labels.contains_key(labels::ENFORCE) {
            continue;
        }
        let label = |key: &str| labels.get(key).copied();
        let (policy, _) = NamespacePolicy::default().with_labels(label);
        if policy.enforce.level == Level::Privileged {
            let field = format!("metadata.labels[{}]", labels::ENFORCE);
            sink.add(namespace, field, "admits every pod");
        }
    }
}

fn refused_pods<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    for namespace in with_pods(context) {
        let labels = meta::labels(&namespace.object.value);
        if !labels.contains_key(labels::ENFORCE) {
            continue;
        }
        let label = |key: &str| labels.get(key).copied();
        let (policy, _) = NamespacePolicy::default().with_labels(label);
        for template in context.templates(namespace.object.name()) {
            let violations =
                pod_security::evaluate(policy.enforce, template.metadata, template.spec);
            let fields = violations.iter().flat_map(|violation| &violation.fields);
            let first = fields.map(|place| place.path.as_str()).next();
            if !violations.is_empty() {
                let message = pod_security::standards::refusal(policy.enforce, &violations);
                let path = super::standard::owner_path(template, first.unwrap_or("spec"));
                sink.add(template.owner, path, message);
            }
        }
    }
}

fn unreadable_label<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    for namespace in context.written("", "namespaces") {
        let labels = meta::labels(&namespace.value);
        let label = |key: &str| labels.get(key).copied();
        let (_, errors) = NamespacePolicy::default().with_labels(label);
        for error in errors {
            let value = error.value.as_ref().and_then(Value::as_str);
            let message = format!("{:?} {}", value.unwrap_or_default(), error.detail);
            sink.add(namespace, error.path.as_str(), message);
        }
    }
}
