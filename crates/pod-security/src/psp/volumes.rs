//! What policies refuse of volumes.

use crate::containers::{Pod, get};
use crate::psp::Refusal;
use crate::psp::policy::Policy;
use model::field::{FieldError, Path};
use model::{Value, meta};

/// The fields of volume sources in the order in which upstream looks for them, each with its name in
/// policies. Policies know nothing of `image`, which came later: only `*` allows it.
const SOURCES: [(&str, &str); 30] = [
    ("hostPath", "hostPath"),
    ("emptyDir", "emptyDir"),
    ("gcePersistentDisk", "gcePersistentDisk"),
    ("awsElasticBlockStore", "awsElasticBlockStore"),
    ("gitRepo", "gitRepo"),
    ("secret", "secret"),
    ("nfs", "nfs"),
    ("iscsi", "iscsi"),
    ("glusterfs", "glusterfs"),
    ("persistentVolumeClaim", "persistentVolumeClaim"),
    ("rbd", "rbd"),
    ("flexVolume", "flexVolume"),
    ("cinder", "cinder"),
    ("cephfs", "cephFS"),
    ("flocker", "flocker"),
    ("downwardAPI", "downwardAPI"),
    ("fc", "fc"),
    ("azureFile", "azureFile"),
    ("configMap", "configMap"),
    ("vsphereVolume", "vsphereVolume"),
    ("quobyte", "quobyte"),
    ("azureDisk", "azureDisk"),
    ("photonPersistentDisk", "photonPersistentDisk"),
    ("storageos", "storageos"),
    ("projected", "projected"),
    ("portworxVolume", "portworxVolume"),
    ("scaleIO", "scaleIO"),
    ("csi", "csi"),
    ("ephemeral", "ephemeral"),
    ("image", "image"),
];

pub(super) fn check(policy: &Policy, pod: &Pod<'_>, refusals: &mut Vec<Refusal>) {
    let allows = |kind: &str| policy.volumes.iter().any(|v| v == kind || v == "*");
    for (i, volume) in meta::list(pod.spec, &["volumes"]).iter().enumerate() {
        let at = Path::new("spec").child("volumes").index(i);
        let found = SOURCES
            .iter()
            .find_map(|(field, kind)| Some((*field, *kind, get(volume, field)?)));
        let Some((field, kind, source)) = found else {
            let name = meta::text(volume, &["name"]);
            let detail = format!("unknown volume type for volume: {name}");
            let error = FieldError::invalid(&at, "", detail);
            refusals.push(Refusal::new(error, at.as_str(), "spec.volumes"));
            continue;
        };
        let is_token = kind == "projected" && allows("secret") && is_service_account(source);
        if !allows(kind) && !is_token {
            let detail = format!("{kind} volumes are not allowed to be used");
            let error = FieldError::invalid(&at, kind, detail);
            let place = at.child(field);
            refusals.push(Refusal::new(error, place.as_str(), "spec.volumes"));
            continue;
        }
        match kind {
            "hostPath" => host_path(policy, pod, &at, volume, refusals),
            "flexVolume" => {
                refusals.extend(driver(
                    &policy.flex_drivers,
                    meta::text(source, &["driver"]),
                    &at.child("driver"),
                    "Flexvolume driver is not allowed to be used",
                    (
                        &at.child("flexVolume").child("driver"),
                        "allowedFlexVolumes",
                    ),
                ));
            }
            "csi" => {
                let at = at.child("csi").child("driver");
                refusals.extend(driver(
                    &policy.csi_drivers,
                    meta::text(source, &["driver"]),
                    &at,
                    "Inline CSI driver is not allowed to be used",
                    (&at, "allowedCSIDrivers"),
                ));
            }
            _ => {}
        }
    }
}

fn driver(
    allowed: &[String],
    driver: &str,
    at: &Path,
    detail: &str,
    (place, control): (&Path, &str),
) -> Option<Refusal> {
    let is_allowed = allowed.is_empty() || allowed.iter().any(|name| name == driver);
    let refusal = || {
        let error = FieldError::invalid(at, driver, detail);
        Refusal::new(error, place.as_str(), format!("spec.{control}"))
    };
    (!is_allowed).then(refusal)
}

fn host_path(
    policy: &Policy,
    pod: &Pod<'_>,
    at: &Path,
    volume: &Value,
    refusals: &mut Vec<Refusal>,
) {
    const CONTROL: &str = "spec.allowedHostPaths";
    if policy.host_paths.is_empty() {
        return;
    }
    let path = meta::text(volume, &["hostPath", "path"]);
    let allowing = || {
        let all = policy.host_paths.iter();
        all.filter(|allowed| is_below(path, &allowed.prefix))
    };
    if allowing().next().is_none() {
        let at = at.child("hostPath");
        refusals.push(Refusal::new(
            FieldError::invalid(&at.child("pathPrefix"), path, "is not allowed to be used"),
            at.child("path").as_str(),
            CONTROL,
        ));
        return;
    }
    if allowing().any(|allowed| !allowed.read_only) {
        return;
    }
    let name = meta::text(volume, &["name"]);
    for container in &pod.containers {
        let mounts = meta::list(container.value, &["volumeMounts"]).iter();
        for (i, mount) in mounts.enumerate() {
            let is_read_only = get(mount, "readOnly") == Some(&Value::Bool(true));
            if meta::text(mount, &["name"]) == name && !is_read_only {
                let field = container.field(&format!("volumeMounts[{i}].readOnly"));
                let error = FieldError::invalid(&Path::new(&field), false, "must be read-only");
                refusals.push(Refusal::new(error, field, CONTROL));
            }
        }
    }
}

/// Whether a path is `prefix` or below it. A slash at the end of either does not matter.
fn is_below(path: &str, prefix: &str) -> bool {
    let trim = |text: &'_ str| text.strip_suffix('/').unwrap_or(text).to_owned();
    let (path, prefix) = (trim(path), trim(prefix));
    let rest = path.strip_prefix(&prefix);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a projected volume is what the API server adds to pods for their service account.
/// Policies that allow secrets allow it: it took the place of a secret.
fn is_service_account(projected: &Value) -> bool {
    meta::list(projected, &["sources"]).iter().all(|source| {
        let part = |key| get(source, key);
        let is_known = ["serviceAccountToken", "configMap", "downwardAPI"]
            .into_iter()
            .any(|key| part(key).is_some());
        let token = part("serviceAccountToken").is_none_or(|token| {
            meta::text(token, &["path"]) == "token" && meta::text(token, &["audience"]).is_empty()
        });
        let certificates =
            part("configMap").is_none_or(|map| meta::text(map, &["name"]) == "kube-root-ca.crt");
        let namespace = part("downwardAPI").is_none_or(|api| {
            meta::list(api, &["items"]).iter().all(|item| {
                meta::text(item, &["path"]) == "namespace"
                    && meta::text(item, &["fieldRef", "apiVersion"]) == "v1"
                    && meta::text(item, &["fieldRef", "fieldPath"]) == "metadata.namespace"
            })
        });
        is_known && token && certificates && namespace
    })
}
