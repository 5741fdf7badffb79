//! The defaults of pod specs, as upstream's `SetDefaults_*` and the defaults that its types
//! declare; shared by pods and every kind that embeds a pod template.

use super::{fill, pod_amounts};
use crate::{Map, Value};

/// Fills in a pod spec as it stands in a pod or in a template.
pub fn pod_spec(spec: &mut Map) {
    fill::text(spec, "dnsPolicy", "ClusterFirst");
    fill::text(spec, "restartPolicy", "Always");
    fill::empty_map(spec, "securityContext");
    fill::absent(spec, "terminationGracePeriodSeconds", 30);
    fill::text(spec, "schedulerName", "default-scheduler");
    fill::round_amounts(spec, "overhead");
    if let Some(resources) = fill::map(spec, "resources") {
        fill::round_amounts(resources, "limits");
        fill::round_amounts(resources, "requests");
    }
    service_account_alias(spec);
    for volume in fill::maps(spec, "volumes") {
        self::volume(volume);
    }
    for key in ["initContainers", "containers", "ephemeralContainers"] {
        for container in fill::maps(spec, key) {
            self::container(container);
        }
    }
}

/// What only pods get, not templates: requests from limits, service links, host ports.
pub fn pod_only(spec: &mut Map) {
    let host_network = spec.get("hostNetwork").and_then(Value::as_bool) == Some(true);
    for key in ["initContainers", "containers"] {
        for container in fill::maps(spec, key) {
            if let Some(resources) = fill::map(container, "resources") {
                requests_from_limits(resources);
            }
            if host_network {
                for port in fill::maps(container, "ports") {
                    if let Some(number) = port.get("containerPort").and_then(Value::as_i64) {
                        fill::number(port, "hostPort", number);
                    }
                }
            }
        }
    }
    pod_amounts::fill(spec);
    fill::absent(spec, "enableServiceLinks", true);
}

fn requests_from_limits(resources: &mut Map) {
    let Some(Value::Object(limits)) = resources.get("limits").cloned() else {
        return;
    };
    fill::empty_map(resources, "requests");
    if let Some(requests) = fill::map(resources, "requests") {
        for (name, amount) in limits {
            requests.entry(name).or_insert(amount);
        }
    }
}

/// `serviceAccount` is the old name of `serviceAccountName`; upstream always shows both.
pub fn service_account_alias(spec: &mut Map) {
    let name = match (
        fill::get(spec, "serviceAccountName"),
        fill::get(spec, "serviceAccount"),
    ) {
        ("", "") => return,
        ("", old) => old.to_owned(),
        (name, _) => name.to_owned(),
    };
    spec.insert("serviceAccountName".to_owned(), name.clone().into());
    spec.insert("serviceAccount".to_owned(), name.into());
}

fn container(container: &mut Map) {
    let policy = pull_policy(fill::get(container, "image"));
    fill::text(container, "imagePullPolicy", policy);
    fill::text(container, "terminationMessagePath", "/dev/termination-log");
    fill::text(container, "terminationMessagePolicy", "File");
    // A plain struct in Go, so always shown.
    fill::empty_map(container, "resources");
    if let Some(resources) = fill::map(container, "resources") {
        fill::round_amounts(resources, "limits");
        fill::round_amounts(resources, "requests");
    }
    for port in fill::maps(container, "ports") {
        fill::text(port, "protocol", "TCP");
    }
    for variable in fill::maps(container, "env") {
        if let Some(source) = fill::map(variable, "valueFrom") {
            field_ref(source);
        }
    }
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = fill::map(container, key) {
            fill::number(probe, "timeoutSeconds", 1);
            fill::number(probe, "periodSeconds", 10);
            fill::number(probe, "successThreshold", 1);
            fill::number(probe, "failureThreshold", 3);
            handler(probe);
        }
    }
    if let Some(lifecycle) = fill::map(container, "lifecycle") {
        for key in ["postStart", "preStop"] {
            if let Some(hook) = fill::map(lifecycle, key) {
                handler(hook);
            }
        }
    }
}

fn handler(handler: &mut Map) {
    if let Some(http) = fill::map(handler, "httpGet") {
        fill::text(http, "path", "/");
        fill::text(http, "scheme", "HTTP");
    }
    if let Some(grpc) = fill::map(handler, "grpc") {
        fill::absent(grpc, "service", "");
    }
}

fn field_ref(source: &mut Map) {
    if let Some(field) = fill::map(source, "fieldRef") {
        fill::text(field, "apiVersion", "v1");
    }
    if let Some(resource) = fill::map(source, "resourceFieldRef") {
        // A plain struct in Go, so always shown.
        fill::absent(resource, "divisor", "0");
    }
}

/// The pull policy of an image without one: `Always` for the tag `latest`, also when it is only
/// meant.
pub fn pull_policy(image: &str) -> &'static str {
    let (name, digest) = match image.split_once('@') {
        Some((name, _)) => (name, true),
        None => (image, false),
    };
    // A colon before the last slash belongs to the registry's port.
    let last = name.rsplit('/').next().unwrap_or_default();
    let tag = last.split_once(':').map(|(_, tag)| tag);
    let well_formed = !last.is_empty() && !name.bytes().any(|b| b.is_ascii_whitespace());
    match tag {
        Some("latest") if well_formed => "Always",
        None if !digest && well_formed => "Always",
        _ => "IfNotPresent",
    }
}

/// The fields of a volume that name its kind.
pub const VOLUME_SOURCES: &[&str] = &[
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "gitRepo",
    "glusterfs",
    "hostPath",
    "image",
    "iscsi",
    "nfs",
    "persistentVolumeClaim",
    "photonPersistentDisk",
    "portworxVolume",
    "projected",
    "quobyte",
    "rbd",
    "scaleIO",
    "secret",
    "storageos",
    "vsphereVolume",
];

const DEFAULT_MODE: i64 = 0o644;

fn volume(volume: &mut Map) {
    let has_source = VOLUME_SOURCES
        .iter()
        .any(|key| volume.get(*key).is_some_and(|v| !v.is_null()));
    if !has_source {
        fill::empty_map(volume, "emptyDir");
    }
    for key in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = fill::map(volume, key) {
            fill::absent(source, "defaultMode", DEFAULT_MODE);
        }
    }
    if let Some(downward) = fill::map(volume, "downwardAPI") {
        for item in fill::maps(downward, "items") {
            field_ref(item);
        }
    }
    if let Some(projected) = fill::map(volume, "projected") {
        for source in fill::maps(projected, "sources") {
            if let Some(token) = fill::map(source, "serviceAccountToken") {
                fill::absent(token, "expirationSeconds", 3600);
            }
            if let Some(downward) = fill::map(source, "downwardAPI") {
                for item in fill::maps(downward, "items") {
                    field_ref(item);
                }
            }
        }
    }
    if let Some(ephemeral) = fill::map(volume, "ephemeral")
        && let Some(template) = fill::map(ephemeral, "volumeClaimTemplate")
        && let Some(spec) = fill::map(template, "spec")
    {
        claim_spec(spec);
    }
    volume_source(volume);
}

/// The defaults of a claim's spec, also in templates of claims.
pub fn claim_spec(spec: &mut Map) {
    fill::absent(spec, "volumeMode", "Filesystem");
    if let Some(resources) = fill::map(spec, "resources") {
        fill::round_amounts(resources, "limits");
        fill::round_amounts(resources, "requests");
    }
}

/// The defaults of the volume sources that pods and persistent volumes share.
pub fn volume_source(holder: &mut Map) {
    if let Some(host_path) = fill::map(holder, "hostPath") {
        fill::absent(host_path, "type", "");
    }
    if let Some(iscsi) = fill::map(holder, "iscsi") {
        fill::text(iscsi, "iscsiInterface", "default");
    }
    if let Some(rbd) = fill::map(holder, "rbd") {
        fill::text(rbd, "pool", "rbd");
        fill::text(rbd, "user", "admin");
        fill::text(rbd, "keyring", "/etc/ceph/keyring");
    }
    if let Some(disk) = fill::map(holder, "azureDisk") {
        fill::absent(disk, "cachingMode", "ReadWrite");
        fill::absent(disk, "kind", "Shared");
        fill::absent(disk, "fsType", "ext4");
        fill::absent(disk, "readOnly", false);
    }
    if let Some(scale_io) = fill::map(holder, "scaleIO") {
        fill::text(scale_io, "storageMode", "ThinProvisioned");
        fill::text(scale_io, "fsType", "xfs");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pull_policies() {
        for (image, want) in [
            ("redis", "Always"),
            ("redis:latest", "Always"),
            ("redis:7", "IfNotPresent"),
            ("host:5000/redis", "Always"),
            ("host:5000/redis:7", "IfNotPresent"),
            ("redis@sha256:abc", "IfNotPresent"),
            ("redis:latest@sha256:abc", "Always"),
            ("", "IfNotPresent"),
        ] {
            assert_eq!(pull_policy(image), want, "{image}");
        }
    }

    #[test]
    fn a_full_pod_spec() {
        let mut spec = json!({
            "hostNetwork": true,
            "serviceAccount": "robot",
            "volumes": [
                {"name": "a"},
                {"name": "b", "secret": {"secretName": "s"}},
                {"name": "c", "projected": {"sources": [
                    {"serviceAccountToken": {"path": "t"}},
                    {"downwardAPI": {"items": [{"path": "p", "fieldRef": {"fieldPath": "f"}}]}},
                ]}},
                {"name": "d", "hostPath": {"path": "/x"}},
                {"name": "e", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
            ],
            "containers": [{
                "name": "c",
                "image": "redis",
                "ports": [{"containerPort": 80}],
                "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}},
                "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                "livenessProbe": {"httpGet": {"port": 80}, "periodSeconds": 5},
                "readinessProbe": {"grpc": {"port": 80}},
            }],
        });
        let map = spec.as_object_mut().unwrap();
        pod_spec(map);
        pod_only(map);
        assert_eq!(
            spec,
            json!({
                "hostNetwork": true,
                "serviceAccount": "robot",
                "serviceAccountName": "robot",
                "dnsPolicy": "ClusterFirst",
                "restartPolicy": "Always",
                "securityContext": {},
                "terminationGracePeriodSeconds": 30,
                "schedulerName": "default-scheduler",
                "enableServiceLinks": true,
                "volumes": [
                    {"name": "a", "emptyDir": {}},
                    {"name": "b", "secret": {"secretName": "s", "defaultMode": 420}},
                    {"name": "c", "projected": {"defaultMode": 420, "sources": [
                        {"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}},
                        {"downwardAPI": {"items": [
                            {"path": "p", "fieldRef": {"apiVersion": "v1", "fieldPath": "f"}}]}},
                    ]}},
                    {"name": "d", "hostPath": {"path": "/x", "type": ""}},
                    {"name": "e", "ephemeral": {"volumeClaimTemplate":
                        {"spec": {"volumeMode": "Filesystem"}}}},
                ],
                "containers": [{
                    "name": "c",
                    "image": "redis",
                    "imagePullPolicy": "Always",
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                    "ports": [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}],
                    "resources": {
                        "limits": {"cpu": "1", "memory": "1Gi"},
                        "requests": {"cpu": "500m", "memory": "1Gi"},
                    },
                    "env": [{"name": "A", "valueFrom":
                        {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}],
                    "livenessProbe": {
                        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
                        "periodSeconds": 5, "timeoutSeconds": 1, "successThreshold": 1,
                        "failureThreshold": 3,
                    },
                    "readinessProbe": {
                        "grpc": {"port": 80, "service": ""},
                        "periodSeconds": 10, "timeoutSeconds": 1, "successThreshold": 1,
                        "failureThreshold": 3,
                    },
                }],
            })
        );
    }
}
