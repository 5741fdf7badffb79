//! The claims of pods' ephemeral volumes.

use super::{Key, Outcome, Storage};
use crate::{Action, Target};
use model::{Value, meta};
use serde_json::json;

impl Storage {
    /// The next claim that a pod's ephemeral volumes lack, or why one of them cannot have its.
    pub fn ephemeral(&self, key: &Key) -> Outcome {
        let Some(pod) = self.pods.get(key).filter(|pod| !pod.is_terminating) else {
            return Outcome::done();
        };
        let (namespace, name) = key;
        for (volume, template) in &pod.templates {
            let claim = format!("{name}-{volume}");
            match self.claims.get(&(namespace.clone(), claim.clone())) {
                Some(known) if known.view.owner == pod.uid => {}
                Some(_) => {
                    let about = json!({
                        "apiVersion": "v1", "kind": "Pod",
                        "metadata": { "namespace": namespace, "name": name, "uid": pod.uid },
                    });
                    let message = format!(
                        "ephemeral volume {volume}: PVC {namespace}/{claim} was not created for \
                         pod {namespace}/{name} (pod is not owner)"
                    );
                    return Outcome::done().telling(&about, true, "FailedBinding", message);
                }
                None => {
                    let object = object(namespace, &claim, name, &pod.uid, template);
                    let target = Target::core("persistentvolumeclaims", namespace, &claim);
                    return Outcome::write(Action::Create(target, object));
                }
            }
        }
        Outcome::done()
    }
}

fn object(namespace: &str, name: &str, pod: &str, uid: &str, template: &Value) -> Value {
    let mut claim = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "ownerReferences": [{
                "apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid,
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": meta::at(template, &["spec"]).cloned().unwrap_or(Value::Null),
    });
    for field in ["annotations", "labels"] {
        if let Some(given) = meta::at(template, &["metadata", field]) {
            meta::set(&mut claim, &["metadata", field], given.clone());
        }
    }
    claim
}
