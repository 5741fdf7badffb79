//! How the claims of a pod get their volumes on a node: what would have to be written, and how far
//! it has come.

use super::Storage;
use crate::claim::{Claim, NO_PROVISIONER, Promise, Seeker, find_volume};
use crate::misfit::Unbindable;
use crate::node::NodeInfo;
use crate::pod::PodInfo;

/// A volume that is to be promised to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The claim, in the pod's namespace.
    pub claim: String,
    /// The claim's UID.
    pub claim_uid: String,
    /// The claim's version.
    pub claim_version: Option<u64>,
    /// The volume.
    pub volume: String,
    /// The volume's version: the promise is good only if nobody has changed the volume since.
    pub volume_version: Option<u64>,
    /// Somebody promised the volume to the claim before, if by its name only.
    pub is_promised: bool,
    /// … and by its UID: nothing has to be written.
    pub is_written: bool,
}

/// A claim for which a volume is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provision {
    /// The claim, in the pod's namespace.
    pub claim: String,
    /// The claim's version.
    pub version: Option<u64>,
    /// The claim says so already.
    pub is_asked: bool,
}

/// How the claims of a pod that goes to a node get their volumes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VolumePlan {
    /// Claims that get volumes that there are.
    pub bindings: Vec<Binding>,
    /// Claims for which a volume is to be made.
    pub provisions: Vec<Provision>,
}

impl VolumePlan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty() && self.provisions.is_empty()
    }
}

/// How far a plan has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// All claims have their volumes.
    Bound,
    /// Some do not yet.
    Waiting,
    /// They will not get them like this; why, in upstream's words.
    Failed(String),
}

impl Storage {
    /// How the pod's claims get their volumes if it goes to the node.
    pub(crate) fn plan(&self, pod: &PodInfo, node: &NodeInfo) -> Result<VolumePlan, Unbindable> {
        let mut faults = Unbindable::default();
        let mut plan = VolumePlan::default();
        let own = pod.volumes.claims.iter();
        let own = own.filter_map(|claim| self.claim(pod, &claim.name));
        let (bound, waiting): (Vec<&Claim>, Vec<&Claim>) = own.partition(|claim| claim.is_bound());
        // The first that is amiss is told.
        for claim in bound {
            match self.volumes.get(&claim.volume) {
                None => faults.lost = true,
                Some(volume) => faults.unreached = !volume.is_reached(&node.labels),
            }
            if faults.is_any() {
                break;
            }
        }
        let is_here = |to: &String| *to == node.name;
        let mut selected = waiting
            .iter()
            .filter_map(|claim| claim.selected_node.as_ref());
        if !selected.all(is_here) {
            faults.none_available = true;
            return Err(faults);
        }
        let (made, mut sought): (Vec<&Claim>, Vec<&Claim>) = waiting
            .into_iter()
            .partition(|claim| claim.selected_node.is_some());
        // The smallest claims choose first.
        sought.sort_by_key(|claim| claim.storage);
        let mut rest = made;
        for claim in sought {
            let taken = |name: &str| plan.bindings.iter().any(|taken| taken.volume == name);
            let free = self
                .volumes
                .iter()
                .map(|(name, volume)| (name.as_str(), volume));
            let free = free.filter(|(name, _)| !taken(name));
            match find_volume(claim, free, Seeker::Node(&node.labels)) {
                Some(volume) => plan.bindings.push(self.binding(claim, volume)),
                None => rest.push(claim),
            }
        }
        for claim in rest {
            if !self.can_provide(claim, node) {
                faults.none_available = true;
                break;
            }
            plan.provisions.push(Provision {
                claim: claim.name.clone(),
                version: claim.version,
                is_asked: claim.selected_node.is_some(),
            });
        }
        if faults.is_any() {
            Err(faults)
        } else {
            Ok(plan)
        }
    }

    /// Whether a new volume can be made for the claim that the node reaches.
    fn can_provide(&self, claim: &Claim, node: &NodeInfo) -> bool {
        let Some(class) = self.classes.get(claim.class_name()) else {
            return false;
        };
        let is_there = |topology: &Vec<(String, Vec<String>)>| {
            topology.iter().all(|(key, values)| {
                let label = node.labels.get(key);
                label.is_some_and(|label| values.contains(label))
            })
        };
        !matches!(class.provisioner.as_str(), "" | NO_PROVISIONER)
            && (class.topologies.is_empty() || class.topologies.iter().any(is_there))
    }

    fn binding(&self, claim: &Claim, name: &str) -> Binding {
        let volume = self.volumes.get(name);
        let promise = volume.and_then(|volume| volume.promise.as_ref());
        Binding {
            claim: claim.name.clone(),
            claim_uid: claim.uid.clone(),
            claim_version: claim.version,
            volume: name.to_owned(),
            volume_version: volume.and_then(|volume| volume.version),
            is_promised: promise.is_some(),
            is_written: promise.is_some_and(|promise| promise.uid == claim.uid),
        }
    }

    /// From now on the plan counts as written, so that no other pod is given the same volumes.
    pub(crate) fn assume(&mut self, namespace: &str, plan: &VolumePlan, node: &str) {
        for binding in plan.bindings.iter().filter(|binding| !binding.is_written) {
            if let Some(volume) = self.volumes.get_mut(&binding.volume) {
                let before = volume.clone();
                volume.promise = Some(Promise {
                    namespace: namespace.to_owned(),
                    name: binding.claim.clone(),
                    uid: binding.claim_uid.clone(),
                });
                let name = binding.volume.clone();
                self.unwritten_volumes.entry(name).or_insert(before);
            }
        }
        for provision in plan.provisions.iter().filter(|claim| !claim.is_asked) {
            let key = (namespace.to_owned(), provision.claim.clone());
            if let Some(claim) = self.claims.get_mut(&key) {
                let before = claim.clone();
                claim.selected_node = Some(node.to_owned());
                self.unwritten_claims.entry(key).or_insert(before);
            }
        }
    }

    /// What of the plan was not written will not be.
    pub(crate) fn revert(&mut self, namespace: &str, plan: &VolumePlan) {
        for binding in &plan.bindings {
            if let Some(before) = self.unwritten_volumes.remove(&binding.volume) {
                self.volumes.insert(binding.volume.clone(), before);
            }
        }
        for provision in &plan.provisions {
            let key = (namespace.to_owned(), provision.claim.clone());
            if let Some(before) = self.unwritten_claims.remove(&key) {
                self.claims.insert(key, before);
            }
        }
    }

    /// How far a plan has come that was written.
    pub(crate) fn progress(&self, namespace: &str, plan: &VolumePlan, node: &NodeInfo) -> Progress {
        let claim = |name: &str| {
            let key = (namespace.to_owned(), name.to_owned());
            let missing =
                || format!("could not find v1.PersistentVolumeClaim \"{namespace}/{name}\"");
            self.claims.get(&key).ok_or_else(missing)
        };
        let unreached = |name: &str| {
            let volume = self.volumes.get(name);
            let is_unreached = volume.is_some_and(|volume| !volume.is_reached(&node.labels));
            is_unreached.then(|| {
                format!(
                    "pv {name:?} node affinity doesn't match node {:?}: no matching \
                     NodeSelectorTerms",
                    node.name
                )
            })
        };
        for binding in &plan.bindings {
            let name = binding.volume.as_str();
            let Some(volume) = self.volumes.get(name) else {
                let why = "failed to check binding: could not find v1.PersistentVolume";
                return Progress::Failed(format!("{why} {name:?}"));
            };
            let claim = match claim(&binding.claim) {
                Ok(claim) => claim,
                Err(why) => return Progress::Failed(format!("failed to check binding: {why}")),
            };
            if let Some(why) = unreached(name) {
                return Progress::Failed(why);
            }
            if volume.promise.as_ref().is_none_or(|to| to.uid.is_empty()) {
                return Progress::Failed(format!("ClaimRef got reset for pv {name:?}"));
            }
            if !claim.is_bound() {
                return Progress::Waiting;
            }
        }
        for provision in &plan.provisions {
            let name = provision.claim.as_str();
            let claim = match claim(name) {
                Ok(claim) => claim,
                Err(why) => {
                    return Progress::Failed(format!("failed to check provisioning pvc: {why}"));
                }
            };
            if claim.selected_node.as_ref() != Some(&node.name) {
                return Progress::Failed(format!("provisioning failed for PVC {name:?}"));
            }
            if let Some(why) = unreached(&claim.volume) {
                return Progress::Failed(why);
            }
            if !claim.is_bound() || !self.volumes.contains_key(&claim.volume) {
                return Progress::Waiting;
            }
        }
        Progress::Bound
    }
}
