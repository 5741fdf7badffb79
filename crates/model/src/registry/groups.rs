//! The named groups, in the order in which upstream's discovery lists them.

use super::builder::{Entry, Group};
use crate::resource::Resource;

/// A group that serves `v1` only.
const fn v1(name: &'static str, types: &'static str) -> Group {
    Group {
        name,
        types,
        versions: &["v1"],
    }
}

pub(super) fn resources() -> Vec<Resource> {
    [
        apiregistration(),
        apps(),
        events(),
        authentication(),
        authorization(),
        autoscaling(),
        batch(),
        certificates(),
        networking(),
        policy(),
        rbac(),
        storage(),
        admissionregistration(),
        apiextensions(),
        scheduling(),
        coordination(),
        node(),
        discovery(),
        flowcontrol(),
    ]
    .into_iter()
    .flatten()
    .map(Entry::done)
    .collect()
}

fn apiregistration() -> Vec<Entry> {
    let group = v1(
        "apiregistration.k8s.io",
        "io.k8s.kube-aggregator.pkg.apis.apiregistration",
    );
    vec![
        group
            .cluster("APIService", "apiservices")
            .category("api-extensions")
            .status(),
    ]
}

fn apps() -> Vec<Entry> {
    let group = v1("apps", "io.k8s.api.apps");
    let workload = |kind, plural, short: &'static str| {
        group
            .namespaced(kind, plural)
            .short(&[short])
            .all()
            .generation()
            .status()
    };
    vec![
        group.namespaced("ControllerRevision", "controllerrevisions"),
        workload("DaemonSet", "daemonsets", "ds"),
        workload("Deployment", "deployments", "deploy").scale(),
        workload("ReplicaSet", "replicasets", "rs")
            .scale()
            .selectable_at("status.replicas", &["status.replicas"], "0"),
        workload("StatefulSet", "statefulsets", "sts").scale(),
    ]
}

fn events() -> Vec<Entry> {
    let group = v1("events.k8s.io", "io.k8s.api.events");
    let event = group
        .namespaced("Event", "events")
        .short(&["ev"])
        .stored_as("", "events");
    // Field selectors read the stored form, a core/v1 Event, and stand in the order of that kind's.
    let fields: [(_, &[_]); 10] = [
        ("regarding.kind", &["involvedObject.kind"]),
        ("regarding.namespace", &["involvedObject.namespace"]),
        ("regarding.name", &["involvedObject.name"]),
        ("regarding.uid", &["involvedObject.uid"]),
        ("regarding.apiVersion", &["involvedObject.apiVersion"]),
        (
            "regarding.resourceVersion",
            &["involvedObject.resourceVersion"],
        ),
        ("regarding.fieldPath", &["involvedObject.fieldPath"]),
        ("reason", &["reason"]),
        ("reportingController", &["reportingComponent"]),
        ("type", &["type"]),
    ];
    vec![fields.into_iter().fold(event, |event, (field, paths)| {
        event.selectable_at(field, paths, "")
    })]
}

fn authentication() -> Vec<Entry> {
    let group = v1("authentication.k8s.io", "io.k8s.api.authentication");
    vec![
        group
            .cluster("SelfSubjectReview", "selfsubjectreviews")
            .create_only(),
        group.cluster("TokenReview", "tokenreviews").create_only(),
    ]
}

fn authorization() -> Vec<Entry> {
    let group = v1("authorization.k8s.io", "io.k8s.api.authorization");
    vec![
        group
            .namespaced("LocalSubjectAccessReview", "localsubjectaccessreviews")
            .create_only(),
        group
            .cluster("SelfSubjectAccessReview", "selfsubjectaccessreviews")
            .create_only(),
        group
            .cluster("SelfSubjectRulesReview", "selfsubjectrulesreviews")
            .create_only(),
        group
            .cluster("SubjectAccessReview", "subjectaccessreviews")
            .create_only(),
    ]
}

fn autoscaling() -> Vec<Entry> {
    let group = Group {
        name: "autoscaling",
        types: "io.k8s.api.autoscaling",
        versions: &["v2", "v1"],
    };
    vec![
        group
            .namespaced("HorizontalPodAutoscaler", "horizontalpodautoscalers")
            .short(&["hpa"])
            .all()
            .status(),
    ]
}

fn batch() -> Vec<Entry> {
    let group = v1("batch", "io.k8s.api.batch");
    vec![
        group
            .namespaced("CronJob", "cronjobs")
            .short(&["cj"])
            .all()
            .generation()
            .status(),
        group
            .namespaced("Job", "jobs")
            .all()
            .generation()
            .status()
            .selectable_at("status.successful", &["status.succeeded"], "0"),
    ]
}

fn certificates() -> Vec<Entry> {
    let group = v1("certificates.k8s.io", "io.k8s.api.certificates");
    vec![
        group
            .cluster("CertificateSigningRequest", "certificatesigningrequests")
            .short(&["csr"])
            .status()
            .update("approval")
            .selectable("spec.signerName"),
    ]
}

fn networking() -> Vec<Entry> {
    let group = v1("networking.k8s.io", "io.k8s.api.networking");
    vec![
        group.cluster("IngressClass", "ingressclasses").generation(),
        group
            .namespaced("Ingress", "ingresses")
            .short(&["ing"])
            .generation()
            .status(),
        group.cluster("IPAddress", "ipaddresses").short(&["ip"]),
        group
            .namespaced("NetworkPolicy", "networkpolicies")
            .short(&["netpol"])
            .generation(),
        group.cluster("ServiceCIDR", "servicecidrs").status(),
    ]
}

fn policy() -> Vec<Entry> {
    let types = "io.k8s.api.policy";
    let stable = v1("policy", types);
    let beta = Group {
        name: "policy",
        types,
        versions: &["v1beta1"],
    };
    vec![
        stable
            .namespaced("PodDisruptionBudget", "poddisruptionbudgets")
            .short(&["pdb"])
            .generation()
            .status(),
        beta.cluster("PodSecurityPolicy", "podsecuritypolicies")
            .short(&["psp"])
            .deprecated(
                "policy/v1beta1 PodSecurityPolicy is deprecated in v1.21+, \
                 unavailable in v1.25+",
            ),
    ]
}

fn rbac() -> Vec<Entry> {
    let group = v1("rbac.authorization.k8s.io", "io.k8s.api.rbac");
    vec![
        group.cluster("ClusterRoleBinding", "clusterrolebindings"),
        group.cluster("ClusterRole", "clusterroles"),
        group.namespaced("RoleBinding", "rolebindings"),
        group.namespaced("Role", "roles"),
    ]
}

fn storage() -> Vec<Entry> {
    let group = v1("storage.k8s.io", "io.k8s.api.storage");
    vec![
        group.cluster("CSIDriver", "csidrivers"),
        group.cluster("CSINode", "csinodes"),
        group.namespaced("CSIStorageCapacity", "csistoragecapacities"),
        group
            .cluster("StorageClass", "storageclasses")
            .short(&["sc"]),
        group
            .cluster("VolumeAttachment", "volumeattachments")
            .status(),
    ]
}

fn admissionregistration() -> Vec<Entry> {
    let group = v1(
        "admissionregistration.k8s.io",
        "io.k8s.api.admissionregistration",
    );
    let extension = |kind, plural| {
        group
            .cluster(kind, plural)
            .category("api-extensions")
            .generation()
    };
    vec![
        extension(
            "MutatingWebhookConfiguration",
            "mutatingwebhookconfigurations",
        ),
        extension("ValidatingAdmissionPolicy", "validatingadmissionpolicies").status(),
        extension(
            "ValidatingAdmissionPolicyBinding",
            "validatingadmissionpolicybindings",
        ),
        extension(
            "ValidatingWebhookConfiguration",
            "validatingwebhookconfigurations",
        ),
    ]
}

fn apiextensions() -> Vec<Entry> {
    let group = v1(
        "apiextensions.k8s.io",
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions",
    );
    vec![
        group
            .cluster("CustomResourceDefinition", "customresourcedefinitions")
            .short(&["crd", "crds"])
            .category("api-extensions")
            .generation()
            .status(),
    ]
}

fn scheduling() -> Vec<Entry> {
    let group = v1("scheduling.k8s.io", "io.k8s.api.scheduling");
    vec![
        group
            .cluster("PriorityClass", "priorityclasses")
            .short(&["pc"])
            .generation(),
    ]
}

fn coordination() -> Vec<Entry> {
    vec![v1("coordination.k8s.io", "io.k8s.api.coordination").namespaced("Lease", "leases")]
}

fn node() -> Vec<Entry> {
    vec![v1("node.k8s.io", "io.k8s.api.node").cluster("RuntimeClass", "runtimeclasses")]
}

fn discovery() -> Vec<Entry> {
    vec![
        v1("discovery.k8s.io", "io.k8s.api.discovery")
            .namespaced("EndpointSlice", "endpointslices")
            .generation(),
    ]
}

fn flowcontrol() -> Vec<Entry> {
    let group = v1("flowcontrol.apiserver.k8s.io", "io.k8s.api.flowcontrol");
    vec![
        group
            .cluster("FlowSchema", "flowschemas")
            .generation()
            .status(),
        group
            .cluster("PriorityLevelConfiguration", "prioritylevelconfigurations")
            .generation()
            .status(),
    ]
}
