//! The core group.

use super::builder::{Entry, Group, gvk};
use crate::resource::{Resource, SubresourceKind};

pub(super) fn resources() -> Vec<Resource> {
    let core = Group {
        name: "",
        types: "io.k8s.api.core",
        versions: &["v1"],
    };
    let streams = &["create", "get"];
    [
        core.namespaced("Binding", "bindings").create_only(),
        core.cluster("ComponentStatus", "componentstatuses")
            .short(&["cs"])
            .verbs(&["get", "list"])
            .deprecated("v1 ComponentStatus is deprecated in v1.19+"),
        core.namespaced("ConfigMap", "configmaps").short(&["cm"]),
        core.namespaced("Endpoints", "endpoints")
            .short(&["ep"])
            .deprecated(
                "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
            ),
        event_fields(core.namespaced("Event", "events").short(&["ev"])),
        core.namespaced("LimitRange", "limitranges")
            .short(&["limits"]),
        core.cluster("Namespace", "namespaces")
            .short(&["ns"])
            .no_collection_delete()
            .status()
            .sub("finalize", SubresourceKind::Update, None, &["update"])
            .selectable("status.phase")
            .selectable_at("name", &["metadata.name"], ""),
        core.cluster("Node", "nodes")
            .short(&["no"])
            .status()
            .proxy("NodeProxyOptions")
            .selectable_at("spec.unschedulable", &["spec.unschedulable"], "false"),
        core.namespaced("PersistentVolumeClaim", "persistentvolumeclaims")
            .short(&["pvc"])
            .status()
            .selectable_at("name", &["metadata.name"], ""),
        core.cluster("PersistentVolume", "persistentvolumes")
            .short(&["pv"])
            .status()
            .selectable_at("name", &["metadata.name"], ""),
        core.namespaced("Pod", "pods")
            .short(&["po"])
            .all()
            .generation()
            .status()
            .update("ephemeralcontainers")
            .update("resize")
            .sub(
                "binding",
                SubresourceKind::Binding,
                Some(gvk("", "v1", "Binding")),
                &["create"],
            )
            .sub(
                "eviction",
                SubresourceKind::Eviction,
                Some(gvk("policy", "v1", "Eviction")),
                &["create"],
            )
            .connect("attach", "PodAttachOptions", streams)
            .connect("exec", "PodExecOptions", streams)
            .connect("portforward", "PodPortForwardOptions", streams)
            .proxy("PodProxyOptions")
            .sub("log", SubresourceKind::Connect, None, &["get"])
            .selectable("spec.nodeName")
            .selectable("spec.restartPolicy")
            .selectable("spec.schedulerName")
            .selectable("spec.serviceAccountName")
            .selectable_at("spec.hostNetwork", &["spec.hostNetwork"], "false")
            .selectable("status.phase")
            .selectable("status.podIP")
            .selectable("status.podIPs")
            .selectable("status.nominatedNodeName"),
        core.namespaced("PodTemplate", "podtemplates").generation(),
        core.namespaced("ReplicationController", "replicationcontrollers")
            .short(&["rc"])
            .all()
            .generation()
            .status()
            .scale()
            .selectable_at("status.replicas", &["status.replicas"], "0"),
        core.namespaced("ResourceQuota", "resourcequotas")
            .short(&["quota"])
            .status()
            .selectable_at("name", &["metadata.name"], ""),
        core.namespaced("Secret", "secrets").selectable("type"),
        core.namespaced("ServiceAccount", "serviceaccounts")
            .short(&["sa"])
            .sub(
                "token",
                SubresourceKind::Token,
                Some(gvk("authentication.k8s.io", "v1", "TokenRequest")),
                &["create"],
            ),
        core.namespaced("Service", "services")
            .short(&["svc"])
            .all()
            .status()
            .proxy("ServiceProxyOptions")
            .selectable("spec.clusterIP")
            .selectable("spec.type"),
    ]
    .into_iter()
    .map(Entry::done)
    .collect()
}

fn event_fields(entry: Entry) -> Entry {
    [
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "type",
    ]
    .into_iter()
    .fold(entry, Entry::selectable)
    .selectable_at("source", &["source.component", "reportingComponent"], "")
}
