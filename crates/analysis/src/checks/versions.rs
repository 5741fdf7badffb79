//! API versions that are gone or going.

use super::{BLANK, Check, Context, Parameter, Run, Sink, kubeaudit};
use crate::finding::Severity;
use snapshot::Object;

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "RMP-API-001",
        title: "removed API version",
        severity: Severity::Medium,
        what: "Objects in an API version that Kubernetes no longer serves.",
        why: "An upstream API server refuses the manifest; what it was to guard is not guarded.",
        fix: "write the object in the version that is served",
        references: &[kubeaudit("deprecatedapis")],
        parameters: &[VERSION],
        run: Run::Whole(removed),
        ..BLANK
    },
    Check {
        id: "RMP-API-002",
        title: "deprecated API version",
        severity: Severity::Low,
        what: "Objects in an API version that Kubernetes will no longer serve in a later version.",
        why: "The manifest stops working at an upgrade.",
        fix: "write the object in the version that stays",
        references: &[kubeaudit("deprecatedapis")],
        parameters: &[VERSION],
        run: Run::Whole(deprecated),
        ..BLANK
    },
];

const VERSION: Parameter = Parameter {
    name: "version",
    what: "the Kubernetes version that is meant",
    default: &["1.33"],
};

/// A version of kinds that went: group and version, kinds (all of the group's if empty), the
/// minor version in which it was deprecated and no longer served, and what to use.
struct Gone {
    version: &'static str,
    kinds: &'static [&'static str],
    deprecated: u32,
    removed: u32,
    instead: &'static str,
}

const fn gone(
    version: &'static str,
    kinds: &'static [&'static str],
    deprecated: u32,
    removed: u32,
    instead: &'static str,
) -> Gone {
    Gone {
        version,
        kinds,
        deprecated,
        removed,
        instead,
    }
}

/// The deprecation guide of Kubernetes.
const GONE: &[Gone] = &[
    gone(
        "extensions/v1beta1",
        &["Ingress"],
        14,
        22,
        "networking.k8s.io/v1",
    ),
    gone(
        "extensions/v1beta1",
        &["NetworkPolicy"],
        9,
        16,
        "networking.k8s.io/v1",
    ),
    gone(
        "extensions/v1beta1",
        &["PodSecurityPolicy"],
        10,
        16,
        "Pod Security Admission",
    ),
    gone(
        "extensions/v1beta1",
        &["DaemonSet", "Deployment", "ReplicaSet"],
        9,
        16,
        "apps/v1",
    ),
    gone("apps/v1beta1", &[], 9, 16, "apps/v1"),
    gone("apps/v1beta2", &[], 9, 16, "apps/v1"),
    gone(
        "admissionregistration.k8s.io/v1beta1",
        &[
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
        ],
        16,
        22,
        "admissionregistration.k8s.io/v1",
    ),
    gone(
        "apiextensions.k8s.io/v1beta1",
        &[],
        16,
        22,
        "apiextensions.k8s.io/v1",
    ),
    gone(
        "apiregistration.k8s.io/v1beta1",
        &[],
        19,
        22,
        "apiregistration.k8s.io/v1",
    ),
    gone(
        "authentication.k8s.io/v1beta1",
        &["TokenReview"],
        19,
        22,
        "authentication.k8s.io/v1",
    ),
    gone(
        "authorization.k8s.io/v1beta1",
        &[],
        19,
        22,
        "authorization.k8s.io/v1",
    ),
    gone(
        "certificates.k8s.io/v1beta1",
        &["CertificateSigningRequest"],
        19,
        22,
        "certificates.k8s.io/v1",
    ),
    gone(
        "coordination.k8s.io/v1beta1",
        &["Lease"],
        19,
        22,
        "coordination.k8s.io/v1",
    ),
    gone(
        "networking.k8s.io/v1beta1",
        &["Ingress", "IngressClass"],
        19,
        22,
        "networking.k8s.io/v1",
    ),
    gone(
        "rbac.authorization.k8s.io/v1alpha1",
        &[],
        17,
        22,
        "rbac.authorization.k8s.io/v1",
    ),
    gone(
        "rbac.authorization.k8s.io/v1beta1",
        &[],
        17,
        22,
        "rbac.authorization.k8s.io/v1",
    ),
    gone(
        "scheduling.k8s.io/v1beta1",
        &[],
        14,
        22,
        "scheduling.k8s.io/v1",
    ),
    gone(
        "storage.k8s.io/v1beta1",
        &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"],
        19,
        22,
        "storage.k8s.io/v1",
    ),
    gone("batch/v1beta1", &["CronJob"], 21, 25, "batch/v1"),
    gone(
        "discovery.k8s.io/v1beta1",
        &["EndpointSlice"],
        21,
        25,
        "discovery.k8s.io/v1",
    ),
    gone(
        "events.k8s.io/v1beta1",
        &["Event"],
        19,
        25,
        "events.k8s.io/v1",
    ),
    gone("autoscaling/v2beta1", &[], 22, 25, "autoscaling/v2"),
    gone(
        "policy/v1beta1",
        &["PodDisruptionBudget"],
        21,
        25,
        "policy/v1",
    ),
    gone(
        "policy/v1beta1",
        &["PodSecurityPolicy"],
        21,
        25,
        "Pod Security Admission",
    ),
    gone(
        "node.k8s.io/v1beta1",
        &["RuntimeClass"],
        22,
        25,
        "node.k8s.io/v1",
    ),
    gone("autoscaling/v2beta2", &[], 23, 26, "autoscaling/v2"),
    gone(
        "flowcontrol.apiserver.k8s.io/v1beta1",
        &[],
        23,
        26,
        "flowcontrol.apiserver.k8s.io/v1",
    ),
    gone(
        "storage.k8s.io/v1beta1",
        &["CSIStorageCapacity"],
        24,
        27,
        "storage.k8s.io/v1",
    ),
    gone(
        "flowcontrol.apiserver.k8s.io/v1beta2",
        &[],
        26,
        29,
        "flowcontrol.apiserver.k8s.io/v1",
    ),
    gone(
        "flowcontrol.apiserver.k8s.io/v1beta3",
        &[],
        29,
        32,
        "flowcontrol.apiserver.k8s.io/v1",
    ),
    gone(
        "v1",
        &["ComponentStatus"],
        19,
        u32::MAX,
        "the metrics of the components",
    ),
    gone(
        "v1",
        &["Endpoints"],
        33,
        u32::MAX,
        "discovery.k8s.io/v1 EndpointSlice",
    ),
];

fn find(object: &Object) -> Option<&'static Gone> {
    let version = object.written.api_version();
    let kind = &*object.written.kind;
    GONE.iter().find(|gone| {
        gone.version == version && (gone.kinds.is_empty() || gone.kinds.contains(&kind))
    })
}

/// The minor version that is configured.
fn minor(sink: &Sink<'_, '_>) -> u32 {
    sink.values("version")
        .next()
        .and_then(|version| {
            version
                .trim_start_matches('v')
                .split('.')
                .nth(1)?
                .parse()
                .ok()
        })
        .unwrap_or(33)
}

fn removed<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    let minor = minor(sink);
    for object in context.snapshot.written() {
        if let Some(gone) = find(object)
            && gone.removed <= minor
        {
            let message = format!(
                "{} {} is not served since 1.{}",
                gone.version, object.written.kind, gone.removed
            );
            sink.add(object, "apiVersion", message)
                .fix(format!("use {}", gone.instead));
        }
    }
}

fn deprecated<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    let minor = minor(sink);
    for object in context.snapshot.written() {
        // Endpoints are made by controllers, not by hand.
        if let Some(gone) = find(object)
            && gone.removed > minor
            && gone.deprecated <= minor
            && object.source.is_some()
        {
            let message = format!(
                "{} {} is deprecated since 1.{}",
                gone.version, object.written.kind, gone.deprecated
            );
            sink.add(object, "apiVersion", message)
                .fix(format!("use {}", gone.instead));
        }
    }
}
