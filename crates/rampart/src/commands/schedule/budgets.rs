//! Disruption budgets, with the status that their controller would give them as pods come and go.

use super::wanted::replicas;
use model::resource::split_api_version;
use model::selector::LabelSelector;
use model::{Value, meta};
use reconcile::disruption::{self, CoveredPod, DisruptionError, Owner, Scale, Scales};
use scheduling::{Engine, PodKey};
use snapshot::Snapshot;
use std::collections::BTreeMap;

/// A budget with the pods that it covers.
struct Budget {
    value: Value,
    selector: LabelSelector,
    pods: BTreeMap<PodKey, CoveredPod>,
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
            selector: disruption::selector(&budget.value),
            value: (*budget.value).clone(),
            pods: BTreeMap::new(),
        });
        Self {
            snapshot,
            all: all.collect(),
        }
    }

    /// A pod that is there from the start. With a node and without a word of its conditions, as in
    /// files, it is ready.
    pub(super) fn add(&mut self, key: &PodKey, pod: &Value) {
        let mut seen = CoveredPod::new(pod);
        let has_node = !meta::text(pod, &["spec", "nodeName"]).is_empty();
        seen.is_ready |= has_node && meta::at(pod, &["status", "conditions"]).is_none();
        for budget in self.covering(key, &seen) {
            budget.pods.insert(key.clone(), seen.clone());
        }
    }

    /// A pod that was made meanwhile; it is not ready yet.
    pub(super) fn comes(&mut self, key: &PodKey, pod: &Value) {
        let mut seen = CoveredPod::new(pod);
        seen.is_ready = false;
        seen.is_going = false;
        for budget in self.covering(key, &seen) {
            budget.pods.insert(key.clone(), seen.clone());
            budget.is_stale = true;
        }
    }

    /// A pod is to go, and counts no longer.
    pub(super) fn goes(&mut self, key: &PodKey) {
        for budget in &mut self.all {
            if let Some(pod) = budget.pods.get_mut(key) {
                pod.is_going = true;
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

    fn covering(&mut self, key: &PodKey, pod: &CoveredPod) -> impl Iterator<Item = &mut Budget> {
        self.all.iter_mut().filter(|budget| {
            meta::namespace(&budget.value) == key.namespace && pod.is_covered(&budget.selector)
        })
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

/// The status by the rules of the controller. Time stands still: evictions that were granted are
/// still on their way.
fn status(snapshot: &Snapshot, budget: &Budget) -> Value {
    let pods: Vec<&CoveredPod> = budget.pods.values().collect();
    let namespace = meta::namespace(&budget.value);
    let owners = pods.iter().filter_map(|pod| pod.owner.clone());
    let scales: Scales = owners
        .map(|owner| {
            let scale = scale(snapshot, namespace, &owner);
            (owner, scale)
        })
        .collect();
    match disruption::report(&budget.value, &pods, &scales, 0, "", |_| Some(0)) {
        Ok(report) => report.status,
        Err(error) => disruption::failed(&budget.value, &error, ""),
    }
}

/// How many pods an owner wants; of a ReplicaSet that a Deployment made or would make, what that
/// wants.
fn scale(
    snapshot: &Snapshot,
    namespace: &str,
    owner: &Owner,
) -> Result<Option<Scale>, DisruptionError> {
    let (group, _) = split_api_version(&owner.api_version);
    let plurals: &[&str] = match (group, owner.kind.as_str()) {
        ("", "ReplicationController") => &["replicationcontrollers"],
        ("apps", "ReplicaSet") => &["replicasets", "deployments"],
        ("apps", "StatefulSet") => &["statefulsets"],
        _ => return Err(DisruptionError::NoScale(owner.kind.clone())),
    };
    let mut found = plurals
        .iter()
        .filter_map(|plural| snapshot.find(group, plural, namespace, &owner.name));
    let Some(object) = found.next() else {
        return Ok(None);
    };
    let counted = snapshot.owner(object).unwrap_or(object);
    Ok(Some(Scale {
        // In files a name is as good as a UID.
        uid: format!("{} {}", counted.kind.kind, counted.name()),
        replicas: i64::try_from(replicas(counted)).unwrap_or(i64::MAX),
    }))
}
