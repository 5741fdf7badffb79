//! Pods that have their node but whose claims have to get their volumes first: what is written for
//! them, and who waits until when.

use crate::carry_out::Attempt;
use crate::requests::Requests;
use crate::sources::Source;
use cluster_api::{PatchType, ResourceRef};
use model::status::Status;
use model::{Value, meta};
use scheduling::{
    BOUND_BY_CONTROLLER, Binding, Cluster, PodKey, Progress, Provision, SELECTED_NODE, VolumePlan,
};
use serde_json::json;
use std::collections::HashMap;

/// How long volumes are waited for, in milliseconds: upstream's default.
pub(crate) const PATIENCE: u64 = 600_000;

/// A pod whose claims are about to get their volumes.
#[derive(Debug)]
pub(crate) struct Claiming {
    pub(crate) pod: Value,
    pub(crate) key: PodKey,
    pub(crate) node: String,
    pub(crate) plan: VolumePlan,
    pub(crate) attempt: Attempt,
}

/// The pods whose volumes were asked for.
#[derive(Debug, Default)]
pub(crate) struct Awaited {
    pods: HashMap<PodKey, (Claiming, u64)>,
}

impl Awaited {
    /// From now on the pod waits, for as long as there is patience.
    pub(crate) fn add(&mut self, claiming: Claiming, now: u64) {
        let until = now.saturating_add(PATIENCE);
        self.pods.insert(claiming.key.clone(), (claiming, until));
    }

    /// When the patience with somebody ends.
    pub(crate) fn next_time(&self) -> Option<u64> {
        self.pods.values().map(|(_, until)| *until).min()
    }

    /// Takes out the pods that wait no longer, each with why it cannot be bound, if it cannot.
    pub(crate) fn ready(
        &mut self,
        cluster: &Cluster,
        is_waiting: impl Fn(&PodKey) -> bool,
        now: u64,
    ) -> Vec<(Claiming, Result<(), String>)> {
        let mut ends = Vec::new();
        for (key, (claiming, until)) in &self.pods {
            let namespace = &key.namespace;
            let end = match cluster.volume_progress(namespace, &claiming.plan, &claiming.node) {
                _ if !is_waiting(key) => Err("pod does not exist any more".to_owned()),
                Progress::Bound => Ok(()),
                Progress::Failed(why) => Err(why),
                Progress::Waiting if *until <= now => Err("context deadline exceeded".to_owned()),
                Progress::Waiting => continue,
            };
            ends.push((key.clone(), end));
        }
        ends.into_iter()
            .filter_map(|(key, end)| Some((self.pods.remove(&key)?.0, end)))
            .collect()
    }
}

impl Requests {
    /// Writes a plan. What was written is told in `written`, even if the rest could not be.
    pub(crate) async fn ask_volumes(
        &self,
        claiming: &Claiming,
        written: &mut Vec<(Source, Value)>,
    ) -> Result<(), Status> {
        let namespace = claiming.key.namespace.as_str();
        let bindings = claiming.plan.bindings.iter();
        for binding in bindings.filter(|binding| !binding.is_written) {
            let resource = ResourceRef::core("persistentvolumes");
            let patch = promise(namespace, binding);
            let volume = &self.cluster;
            let volume = volume.patch(&resource, None, &binding.volume, patch, PatchType::Merge);
            written.push((Source::Volumes, volume.await?));
        }
        let provisions = claiming.plan.provisions.iter();
        for provision in provisions.filter(|provision| !provision.is_asked) {
            let resource = ResourceRef::core("persistentvolumeclaims");
            let patch = selection(provision, &claiming.node);
            let name = &provision.claim;
            let claim = &self.cluster;
            let claim = claim.patch(&resource, Some(namespace), name, patch, PatchType::Merge);
            written.push((Source::Claims, claim.await?));
        }
        Ok(())
    }
}

/// The change that promises a volume, good for its known version only.
fn promise(namespace: &str, binding: &Binding) -> Value {
    let mut claim = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": namespace,
        "name": binding.claim,
        "uid": binding.claim_uid,
    });
    if let Some(version) = binding.claim_version {
        meta::set(&mut claim, &["resourceVersion"], version.to_string());
    }
    let mut patch = json!({ "spec": { "claimRef": claim } });
    if !binding.is_promised {
        let path = ["metadata", "annotations", BOUND_BY_CONTROLLER];
        meta::set(&mut patch, &path, "yes");
    }
    at_version(patch, binding.volume_version)
}

/// The change that asks for a volume for a node.
fn selection(provision: &Provision, node: &str) -> Value {
    let patch = json!({ "metadata": { "annotations": { SELECTED_NODE: node } } });
    at_version(patch, provision.version)
}

fn at_version(mut patch: Value, version: Option<u64>) -> Value {
    if let Some(version) = version {
        let path = ["metadata", "resourceVersion"];
        meta::set(&mut patch, &path, version.to_string());
    }
    patch
}
