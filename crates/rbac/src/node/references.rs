//! Which other objects a pod or persistent volume refers to, as far as a node needs them.

use model::{Value, meta};
use std::collections::BTreeSet;

/// The kinds that a node reads because a pod on it refers to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Referent {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
    /// A PersistentVolumeClaim.
    Claim,
    /// The ServiceAccount that the pod runs under.
    ServiceAccount,
}

/// The objects of the pod's namespace that it refers to, by kind and name. A mirror pod refers to
/// nothing: a node makes those itself, and must not give itself access that way.
pub fn of_pod(pod: &Value) -> BTreeSet<(Referent, String)> {
    if is_mirror(pod) {
        BTreeSet::new()
    } else {
        named_by(pod)
    }
}

/// The objects of the pod's namespace that it names, mirror pod or not.
pub fn named_by(pod: &Value) -> BTreeSet<(Referent, String)> {
    let mut all = BTreeSet::new();
    let mut add = |kind: Referent, name: &str| {
        if !name.is_empty() {
            all.insert((kind, name.to_owned()));
        }
    };
    let Some(spec) = meta::at(pod, &["spec"]) else {
        return all;
    };
    add(
        Referent::ServiceAccount,
        meta::text(spec, &["serviceAccountName"]),
    );
    for secret in meta::list(spec, &["imagePullSecrets"]) {
        add(Referent::Secret, meta::text(secret, &["name"]));
    }
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in meta::list(spec, &[list]) {
            for source in meta::list(container, &["envFrom"]) {
                add(Referent::Secret, meta::text(source, &["secretRef", "name"]));
                add(
                    Referent::ConfigMap,
                    meta::text(source, &["configMapRef", "name"]),
                );
            }
            for variable in meta::list(container, &["env"]) {
                let from = |kind| meta::text(variable, &["valueFrom", kind, "name"]);
                add(Referent::Secret, from("secretKeyRef"));
                add(Referent::ConfigMap, from("configMapKeyRef"));
            }
        }
    }
    for volume in meta::list(spec, &["volumes"]) {
        add(
            Referent::Secret,
            meta::text(volume, &["secret", "secretName"]),
        );
        add(
            Referent::Secret,
            meta::text(volume, &["azureFile", "secretName"]),
        );
        for driver in VOLUMES_WITH_SECRETS {
            add(
                Referent::Secret,
                meta::text(volume, &[driver, "secretRef", "name"]),
            );
        }
        add(
            Referent::Secret,
            meta::text(volume, &["csi", "nodePublishSecretRef", "name"]),
        );
        add(
            Referent::ConfigMap,
            meta::text(volume, &["configMap", "name"]),
        );
        for source in meta::list(volume, &["projected", "sources"]) {
            add(Referent::Secret, meta::text(source, &["secret", "name"]));
            add(
                Referent::ConfigMap,
                meta::text(source, &["configMap", "name"]),
            );
        }
        add(
            Referent::Claim,
            meta::text(volume, &["persistentVolumeClaim", "claimName"]),
        );
        if meta::at(volume, &["ephemeral"]).is_some() {
            let name = format!("{}-{}", meta::name(pod), meta::text(volume, &["name"]));
            add(Referent::Claim, &name);
        }
    }
    all
}

const VOLUMES_WITH_SECRETS: [&str; 7] = [
    "cephfs",
    "cinder",
    "flexVolume",
    "iscsi",
    "rbd",
    "scaleIO",
    "storageos",
];

/// Whether a pod mirrors a node's static pod.
pub(crate) fn is_mirror(pod: &Value) -> bool {
    meta::annotations(pod).contains_key("kubernetes.io/config.mirror")
}

/// The secrets, as `(namespace, name)`, that a node needs to mount a persistent volume. Where a
/// volume names no namespace, that of its claim counts.
pub fn of_volume(volume: &Value) -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    let Some(spec) = meta::at(volume, &["spec"]) else {
        return all;
    };
    let claim_namespace = meta::text(spec, &["claimRef", "namespace"]);
    let mut add = |namespace: &str, name: &str| {
        let namespace = if namespace.is_empty() {
            claim_namespace
        } else {
            namespace
        };
        if !name.is_empty() && !namespace.is_empty() {
            all.insert((namespace.to_owned(), name.to_owned()));
        }
    };
    add(
        meta::text(spec, &["azureFile", "secretNamespace"]),
        meta::text(spec, &["azureFile", "secretName"]),
    );
    let refs = VOLUMES_WITH_SECRETS
        .iter()
        .map(|driver| [*driver, "secretRef"])
        .chain(
            // The secrets of CSI calls that a node makes; those of controllers are not for it.
            [
                "nodePublishSecretRef",
                "nodeStageSecretRef",
                "nodeExpandSecretRef",
            ]
            .map(|r| ["csi", r]),
        );
    for [driver, reference] in refs {
        add(
            meta::text(spec, &[driver, reference, "namespace"]),
            meta::text(spec, &[driver, reference, "name"]),
        );
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pods() {
        let mut pod = json!({
            "metadata": {"name": "p", "namespace": "n"},
            "spec": {
                "serviceAccountName": "a",
                "imagePullSecrets": [{"name": "pull"}, {}],
                "initContainers": [{"envFrom": [{"secretRef": {"name": "from"}}]}],
                "containers": [{"env": [
                    {"name": "A", "value": "x"},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}},
                    {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "k"}}},
                ]}],
                "volumes": [
                    {"name": "v1", "secret": {"secretName": "vol"}},
                    {"name": "v2", "projected": {"sources": [
                        {"secret": {"name": "proj"}},
                        {"configMap": {"name": "projcm"}},
                        {"serviceAccountToken": {}},
                    ]}},
                    {"name": "v3", "persistentVolumeClaim": {"claimName": "c"}},
                    {"name": "v4", "ephemeral": {}},
                    {"name": "v5", "csi": {"nodePublishSecretRef": {"name": "csi"}}},
                    {"name": "v6", "rbd": {"secretRef": {"name": "rbd"}}},
                ],
            },
        });
        let names = |kind: Referent, pod: &Value| -> Vec<String> {
            of_pod(pod)
                .into_iter()
                .filter(|(k, _)| *k == kind)
                .map(|(_, name)| name)
                .collect()
        };
        assert_eq!(
            names(Referent::Secret, &pod),
            ["csi", "from", "key", "proj", "pull", "rbd", "vol"]
        );
        assert_eq!(names(Referent::ConfigMap, &pod), ["cm", "projcm"]);
        assert_eq!(names(Referent::Claim, &pod), ["c", "p-v4"]);
        assert_eq!(names(Referent::ServiceAccount, &pod), ["a"]);
        pod["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": ""});
        assert!(of_pod(&pod).is_empty());
        assert!(of_pod(&json!("nonsense")).is_empty());
    }

    #[test]
    fn volumes() {
        let volume = json!({"spec": {
            "claimRef": {"namespace": "n", "name": "c"},
            "rbd": {"secretRef": {"name": "a"}},
            "csi": {
                "nodeStageSecretRef": {"namespace": "m", "name": "b"},
                "controllerExpandSecretRef": {"namespace": "m", "name": "no"},
            },
        }});
        let want = [("m", "b"), ("n", "a")].map(|(n, s)| (n.to_owned(), s.to_owned()));
        assert_eq!(of_volume(&volume).into_iter().collect::<Vec<_>>(), want);
    }
}
