//! Disruption budgets, with the status that their controller would give them as pods come and go.

use super::wanted::replicas;
use model::resource::split_api_version;
use model::{Value, meta};
use reconcile::disruption::{self, Owner};
use scheduling::{Engine, PodKey};
use serde_json::json;
use snapshot::{Object, Snapshot};
use std::collections::BTreeMap;

/// A budget with the pods that it covers.
struct Budget {
    value: Value,
    /// As far as budgets look at them.
    pods: BTreeMap<PodKey, Value>,
    /// Whether its pods are others than when its status was written.
    is_stale: bool,
}

/// All budgets of the input.
pub(super) struct Budgets<'a> {
    snapshot: &'a Snapshot,
    all: Vec<Budget>,
}

impl<'a> Budgets<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        let budgets = snapshot.of("policy", "poddisruptionbudgets").iter();
        let all = budgets.map(|budget| Budget {
            is_stale: meta::at(&budget.value, &["status", "disruptionsAllowed"]).is_none(),
            value: (*budget.value).clone(),
            pods: BTreeMap::new(),
        });
        Self {
            snapshot,
            all: all.collect(),
        }
    }

    /// A pod that is there from the start.
    pub(super) fn add(&mut self, key: &PodKey, pod: &Value) {
        self.covering(key, pod, |budget, seen| {
            budget.pods.insert(key.clone(), seen);
        });
    }

    /// A pod that was made meanwhile; it is not healthy yet.
    pub(super) fn comes(&mut self, key: &PodKey, pod: &Value) {
        self.covering(key, pod, |budget, mut seen| {
            meta::remove(&mut seen, &["status"]);
            meta::remove(&mut seen, &["spec"]);
            budget.pods.insert(key.clone(), seen);
            budget.is_stale = true;
        });
    }

    /// A pod is to go, and counts no longer.
    pub(super) fn goes(&mut self, key: &PodKey) {
        for budget in &mut self.all {
            if let Some(pod) = budget.pods.get_mut(key) {
                meta::set(pod, &["metadata", "deletionTimestamp"], "now");
                budget.is_stale = true;
            }
        }
    }

    /// A pod is no longer there.
    pub(super) fn is_gone(&mut self, key: &PodKey) {
        for budget in &mut self.all {
            budget.is_stale |= budget.pods.remove(key).is_some();
        }
    }

    fn covering(&mut self, key: &PodKey, pod: &Value, mut then: impl FnMut(&mut Budget, Value)) {
        for budget in &mut self.all {
            if meta::namespace(&budget.value) == key.namespace
                && !disruption::covered(&budget.value, std::slice::from_ref(pod)).is_empty()
            {
                then(budget, seen(pod));
            }
        }
    }

    /// Tells the engine what budgets allow now.
    pub(super) fn tell(&mut self, engine: &mut Engine, is_first: bool) {
        for budget in &mut self.all {
            if std::mem::take(&mut budget.is_stale) {
                let status = status(self.snapshot, budget);
                meta::set(&mut budget.value, &["status"], status);
            } else if !is_first {
                continue;
            }
            engine.set_budget(&budget.value);
        }
    }
}

/// What budgets look at. A pod with a node of which nothing is reported, as in files, is ready.
fn seen(pod: &Value) -> Value {
    let mut seen = json!({ "metadata": {} });
    for field in [
        "name",
        "namespace",
        "labels",
        "ownerReferences",
        "deletionTimestamp",
    ] {
        if let Some(value) = meta::at(pod, &["metadata", field]) {
            meta::set(&mut seen, &["metadata", field], value.clone());
        }
    }
    let conditions = meta::at(pod, &["status", "conditions"]).cloned();
    let has_node = !meta::text(pod, &["spec", "nodeName"]).is_empty();
    let ready = || has_node.then(|| json!([{ "type": "Ready", "status": "True" }]));
    if let Some(conditions) = conditions.or_else(ready) {
        meta::set(&mut seen, &["status", "conditions"], conditions);
    }
    seen
}

/// The status by the rules of the controller. Time stands still: evictions that were granted are
/// still on their way.
fn status(snapshot: &Snapshot, budget: &Budget) -> Value {
    let pods: Vec<&Value> = budget.pods.values().collect();
    let owners = disruption::owners(&budget.value, &pods).into_iter();
    let namespace = meta::namespace(&budget.value);
    let scales: BTreeMap<Owner, i64> = owners
        .filter_map(|owner| {
            let scale = scale(snapshot, namespace, &owner)?;
            Some((owner, scale))
        })
        .collect();
    match disruption::status(&budget.value, &pods, &scales, 0, "", |_| Some(0)) {
        Ok((status, _)) => status,
        Err(error) => disruption::failed(&budget.value, &error, ""),
    }
}

/// How many pods an owner wants; of a ReplicaSet that a Deployment made or would make, what that
/// wants.
fn scale(snapshot: &Snapshot, namespace: &str, owner: &Owner) -> Option<i64> {
    let (group, _) = split_api_version(&owner.api_version);
    let plurals: &[&str] = match (group, owner.kind.as_str()) {
        ("", "ReplicationController") => &["replicationcontrollers"],
        ("apps", "ReplicaSet") => &["replicasets", "deployments"],
        ("apps", "StatefulSet") => &["statefulsets"],
        _ => &[],
    };
    let mut found = plurals
        .iter()
        .filter_map(|plural| snapshot.find(group, plural, namespace, &owner.name));
    let object = found.next()?;
    let above: Option<&Object> = snapshot.owner(object);
    i64::try_from(replicas(above.unwrap_or(object))).ok()
}
