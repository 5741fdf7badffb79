//! What a container may use of its node.

use super::{BLANK, Check, Pod, Run, Sink, kubeaudit, kubesec, nsa};
use crate::finding::Severity;
use model::{Value, meta};
use snapshot::{Container, ContainerKind};

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "RMP-RES-001",
        title: "no memory limit",
        severity: Severity::Medium,
        what: "Containers without resources.limits.memory, of their own, of the pod, or by a \
               LimitRange of the namespace.",
        why: "One leak or one hostile request takes all memory of the node, and the kernel kills \
              what it likes, pods of others among it.",
        fix: "set resources.limits.memory",
        example: "resources:\n  requests: {memory: 128Mi}\n  limits: {memory: 256Mi}",
        references: &[
            nsa("Resource policies"),
            kubeaudit("limits"),
            kubesec("LimitsMemory"),
        ],
        run: Run::Pods(|pod, sink| missing(pod, sink, "limits", "memory")),
        ..BLANK
    },
    Check {
        id: "RMP-RES-002",
        title: "no CPU limit",
        severity: Severity::Info,
        what: "Containers without resources.limits.cpu, of their own, of the pod, or by a \
               LimitRange of the namespace.",
        why: "It can use all CPU that is idle. Requests guarantee others their share, so that \
              many do without limits on purpose.",
        fix: "set resources.limits.cpu, or disable this check",
        example: "resources:\n  requests: {cpu: 100m}\n  limits: {cpu: 500m}",
        references: &[
            nsa("Resource policies"),
            kubeaudit("limits"),
            kubesec("LimitsCPU"),
        ],
        run: Run::Pods(|pod, sink| missing(pod, sink, "limits", "cpu")),
        ..BLANK
    },
    Check {
        id: "RMP-RES-003",
        title: "no requests",
        severity: Severity::Low,
        what: "Containers without requests of CPU or memory, of their own, of the pod, or by a \
               LimitRange of the namespace.",
        why: "The scheduler takes them to need nothing, puts too many on a node, and they are \
              the first to be evicted.",
        fix: "set resources.requests for CPU and memory",
        example: "resources:\n  requests: {cpu: 100m, memory: 128Mi}",
        references: &[kubesec("RequestsCPU"), kubesec("RequestsMemory")],
        run: Run::Pods(no_requests),
        ..BLANK
    },
    Check {
        id: "RMP-RES-004",
        title: "volume that many nodes write",
        severity: Severity::Info,
        what: "volumeClaimTemplates of a StatefulSet with other access modes than ReadWriteOnce \
               and ReadWriteOncePod.",
        why: "Each pod of a StatefulSet has its own volume; a mode for many nodes lets others \
              mount it at the same time.",
        fix: "use ReadWriteOnce or ReadWriteOncePod",
        references: &[kubesec("VolumeClaimAccessModeReadWriteOnce")],
        run: Run::Pods(claims),
        ..BLANK
    },
    Check {
        id: "RMP-RES-005",
        title: "namespace without quota",
        severity: Severity::Info,
        what: "Namespaces in which pods run and that have neither a ResourceQuota nor a \
               LimitRange.",
        why: "Whoever may create pods in it can take everything the cluster has.",
        fix: "create a ResourceQuota and a LimitRange in the namespace",
        references: &[nsa("Resource policies")],
        run: Run::Whole(no_quota),
        ..BLANK
    },
];

/// Whether a LimitRange of the namespace gives containers the resource by default.
fn is_defaulted(pod: &Pod<'_>, list: &str, resource: &str) -> bool {
    let namespace = pod.template.namespace();
    let ranges = pod.snapshot().of_namespace("", "limitranges", namespace);
    // A default limit is a default request as well.
    let fields: &[&str] = match list {
        "limits" => &["default"],
        _ => &["defaultRequest", "default"],
    };
    ranges
        .iter()
        .flat_map(|range| meta::list(&range.value, &["spec", "limits"]))
        .filter(|limit| meta::text(limit, &["type"]) == "Container")
        .any(|limit| {
            fields
                .iter()
                .any(|field| meta::at(limit, &[field, resource]).is_some())
        })
}

fn has(pod: &Pod<'_>, container: &Container<'_>, list: &str, resource: &str) -> bool {
    let path = ["resources", list, resource];
    meta::at(container.value, &path).is_some()
        || meta::at(pod.template.spec, &path).is_some()
        // What has a limit has a request.
        || (list == "requests" && meta::at(container.value, &["resources", "limits", resource]).is_some())
        || is_defaulted(pod, list, resource)
}

/// Containers whose resources can be set.
fn sized<'p, 'a>(pod: &'p Pod<'a>) -> impl Iterator<Item = &'p Container<'a>> {
    pod.containers
        .iter()
        .filter(|container| container.kind != ContainerKind::Ephemeral)
}

fn missing<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>, list: &str, resource: &str) {
    for container in sized(pod) {
        if !has(pod, container, list, resource) {
            let message = match resource {
                "memory" => "may use all memory of its node",
                _ => "may use all idle CPU of its node",
            };
            sink.container(container, &format!("resources.{list}.{resource}"), message);
        }
    }
}

fn no_requests<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for container in sized(pod) {
        let lacking: Vec<&str> = ["cpu", "memory"]
            .into_iter()
            .filter(|resource| !has(pod, container, "requests", resource))
            .collect();
        if !lacking.is_empty() {
            let message = format!("requests no {}", lacking.join(" and no "));
            sink.container(container, "resources.requests", message);
        }
    }
}

fn claims<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    let owner = pod.template.owner;
    let claims = meta::list(&owner.value, &["spec", "volumeClaimTemplates"]);
    for (index, claim) in claims.iter().enumerate() {
        let modes = meta::list(claim, &["spec", "accessModes"]);
        let other = modes
            .iter()
            .filter_map(Value::as_str)
            .find(|mode| !matches!(*mode, "ReadWriteOnce" | "ReadWriteOncePod"));
        if let Some(mode) = other {
            let field = format!("spec.volumeClaimTemplates[{index}].spec.accessModes");
            sink.add(owner, field, format!("asks for {mode}"));
        }
    }
}

fn no_quota<'a>(context: &super::Context<'a>, sink: &mut Sink<'a, '_>) {
    for namespace in super::namespaces::with_pods(context) {
        let name = namespace.object.name();
        let has = |plural| !context.snapshot.of_namespace("", plural, name).is_empty();
        if !has("resourcequotas") && !has("limitranges") {
            let message = "nothing limits what its pods use together";
            namespace.finding(sink, message);
        }
    }
}
