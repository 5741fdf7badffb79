//! Claims, volumes, storage classes and the limits of nodes, as the cluster's objects tell them, and
//! what follows for the nodes that a pod can run on.

mod plan;

pub use plan::{Binding, Progress, Provision, VolumePlan};

use crate::claim::{Claim, Volume};
use crate::misfit::{Misfit, Plugin};
use crate::node::NodeInfo;
use crate::pod::PodInfo;
use crate::volumes::ClaimName;
use foldhash::HashMap;
use model::{Value, meta};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A StorageClass.
#[derive(Debug, Clone)]
struct Class {
    provisioner: String,
    waits_for_consumer: bool,
    /// Alternatives, each of labels with the values that will do; none is everywhere.
    topologies: Vec<Vec<(String, Vec<String>)>>,
}

type Name = (String, String);

/// What is known of storage.
#[derive(Debug, Default)]
pub(crate) struct Storage {
    claims: HashMap<Name, Claim>,
    volumes: BTreeMap<String, Volume>,
    classes: HashMap<String, Class>,
    /// By node, how many volumes of a driver it can have.
    limits: HashMap<String, HashMap<String, i64>>,
    /// How many placed pods use a claim.
    users: HashMap<Name, i64>,
    /// Claims and volumes that are taken to be as they are about to be written, as they are.
    unwritten_claims: HashMap<Name, Claim>,
    unwritten_volumes: HashMap<String, Volume>,
}

fn name(object: &Value) -> Name {
    let namespace = meta::namespace(object).to_owned();
    (namespace, meta::name(object).to_owned())
}

impl Storage {
    pub(crate) fn set_claim(&mut self, claim: &Value) {
        let read = Claim::of(claim);
        let key = name(claim);
        let is_older = |known: &Claim| known.uid != read.uid || known.version <= read.version;
        // While something is about to be written, only what came after it counts.
        let is_news = match self.unwritten_claims.get(&key) {
            Some(before) => before.uid != read.uid || before.version < read.version,
            None => self.claims.get(&key).is_none_or(is_older),
        };
        if is_news {
            self.unwritten_claims.remove(&key);
            self.claims.insert(key, read);
        }
    }

    pub(crate) fn remove_claim(&mut self, namespace: &str, name: &str) {
        let key = (namespace.to_owned(), name.to_owned());
        self.claims.remove(&key);
        self.unwritten_claims.remove(&key);
    }

    pub(crate) fn set_volume(&mut self, volume: &Value) {
        let read = Volume::of(volume);
        let name = meta::name(volume);
        let is_news = match self.unwritten_volumes.get(name) {
            Some(before) => before.version < read.version,
            None => {
                let known = self.volumes.get(name);
                known.is_none_or(|known| known.version <= read.version)
            }
        };
        if is_news {
            self.unwritten_volumes.remove(name);
            self.volumes.insert(name.to_owned(), read);
        }
    }

    pub(crate) fn remove_volume(&mut self, name: &str) {
        self.volumes.remove(name);
        self.unwritten_volumes.remove(name);
    }

    pub(crate) fn set_class(&mut self, class: &Value) {
        let topologies = meta::list(class, &["allowedTopologies"]);
        let topology = |topology: &Value| {
            let expressions = meta::list(topology, &["matchLabelExpressions"]).iter();
            expressions
                .map(|expression| {
                    let values = meta::list(expression, &["values"]).iter();
                    let values = values.filter_map(Value::as_str).map(str::to_owned);
                    let key = meta::text(expression, &["key"]).to_owned();
                    (key, values.collect())
                })
                .collect()
        };
        let read = Class {
            provisioner: meta::text(class, &["provisioner"]).to_owned(),
            waits_for_consumer: meta::text(class, &["volumeBindingMode"]) == "WaitForFirstConsumer",
            topologies: topologies.iter().map(topology).collect(),
        };
        self.classes.insert(meta::name(class).to_owned(), read);
    }

    pub(crate) fn remove_class(&mut self, name: &str) {
        self.classes.remove(name);
    }

    pub(crate) fn set_csi_node(&mut self, node: &Value) {
        let drivers = meta::list(node, &["spec", "drivers"]).iter();
        let limits = drivers
            .filter_map(|driver| {
                let count = meta::at(driver, &["allocatable", "count"])?.as_i64()?;
                Some((meta::text(driver, &["name"]).to_owned(), count))
            })
            .collect();
        self.limits.insert(meta::name(node).to_owned(), limits);
    }

    pub(crate) fn remove_csi_node(&mut self, name: &str) {
        self.limits.remove(name);
    }

    /// A pod that uses claims came to a node (`sign` 1) or left it (-1).
    pub(crate) fn count(&mut self, pod: &PodInfo, sign: i64) {
        for claim in pod.volumes.named() {
            let name = (pod.key.namespace.clone(), claim.to_owned());
            let users = self.users.entry(name.clone()).or_default();
            *users += sign;
            if *users <= 0 {
                self.users.remove(&name);
            }
        }
    }

    fn claim(&self, pod: &PodInfo, name: &str) -> Option<&Claim> {
        let name = (pod.key.namespace.clone(), name.to_owned());
        self.claims.get(&name)
    }

    /// The driver and the identity of the volume behind a claim, for the limits of drivers.
    fn handle(&self, pod: &PodInfo, name: &str) -> Option<(&str, String)> {
        let claim = self.claim(pod, name)?;
        if let Some(volume) = self.volumes.get(&claim.volume) {
            let (driver, handle) = volume.csi.as_ref()?;
            return Some((driver, handle.clone()));
        }
        // Not made yet, or gone; it counts as one of its own.
        let class = self.classes.get(claim.class_name())?;
        let own = format!("{}/{name}", pod.key.namespace);
        Some((&class.provisioner, own))
    }

    /// What can be said against the pod's claims before looking at any node.
    pub(crate) fn refuse(&self, pod: &PodInfo) -> Option<(Plugin, String)> {
        let missing = |name: &str| format!("persistentvolumeclaim \"{name}\" not found");
        let lacking = |name: &&str| self.claim(pod, name).is_none();
        if let Some(name) = pod.volumes.named().find(lacking) {
            return Some((Plugin::VolumeRestrictions, missing(name)));
        }
        for ClaimName { name, is_ephemeral } in &pod.volumes.claims {
            let fault = match self.claim(pod, name) {
                None if *is_ephemeral => Some(format!(
                    "waiting for ephemeral volume controller to create the persistentvolumeclaim \
                     \"{name}\""
                )),
                None => Some(missing(name)),
                Some(claim) if claim.is_lost => Some(format!(
                    "persistentvolumeclaim \"{name}\" bound to non-existent persistentvolume \
                     \"{}\"",
                    claim.volume
                )),
                Some(claim) if claim.is_terminating => {
                    Some(format!("persistentvolumeclaim \"{name}\" is being deleted"))
                }
                Some(claim) if *is_ephemeral && claim.owner != pod.key.uid => {
                    let namespace = &pod.key.namespace;
                    Some(format!(
                        "PVC {namespace}/{name} was not created for pod {namespace}/{} (pod is not \
                         owner)",
                        pod.key.name
                    ))
                }
                Some(_) => None,
            };
            if let Some(fault) = fault {
                return Some((Plugin::VolumeBinding, fault));
            }
        }
        let is_immediate = |claim: &Claim| {
            let class = self.classes.get(claim.class_name());
            !claim.is_bound()
                && (!claim.volume.is_empty()
                    || !class.is_some_and(|class| class.waits_for_consumer))
        };
        let mut claims = pod.volumes.claims.iter();
        if claims.any(|claim| self.claim(pod, &claim.name).is_some_and(is_immediate)) {
            let text = "pod has unbound immediate PersistentVolumeClaims";
            return Some((Plugin::VolumeBinding, text.to_owned()));
        }
        let mut named = pod.volumes.named().filter_map(|name| self.claim(pod, name));
        let lost = named
            .find(|claim| !claim.volume.is_empty() && !self.volumes.contains_key(&claim.volume))?;
        let text = format!("persistentvolume \"{}\" not found", lost.volume);
        Some((Plugin::VolumeZone, text))
    }

    /// Whether another pod has a claim that only one pod may have. `shift` says how many of the
    /// users of the pod's claims are thought away or added.
    fn is_taken(&self, pod: &PodInfo, shift: i64) -> bool {
        let is_used = |name: &&str| {
            let name = (pod.key.namespace.clone(), (*name).to_owned());
            self.users.contains_key(&name)
        };
        let used = self.exclusive(pod).into_iter().filter(is_used).count();
        // Upstream does not look at those that come to be used, unless it looks at disks as well.
        let is_looked_at = used > 0 || !pod.volumes.disks.is_empty();
        is_looked_at && i64::try_from(used).unwrap_or(i64::MAX) + shift > 0
    }

    /// The pod's claims that only one pod may have.
    fn exclusive<'a>(&self, pod: &'a PodInfo) -> BTreeSet<&'a str> {
        let is_exclusive = |name: &&str| {
            let claim = self.claim(pod, name);
            claim.is_some_and(|claim| claim.modes.contains("ReadWriteOncePod"))
        };
        pod.volumes.named().filter(is_exclusive).collect()
    }

    /// How often another pod uses the pod's exclusive claims.
    pub(crate) fn shared(&self, pod: &PodInfo, other: &PodInfo) -> i64 {
        if pod.key.namespace != other.key.namespace {
            return 0;
        }
        let exclusive = self.exclusive(pod);
        let shared = other
            .volumes
            .named()
            .filter(|name| exclusive.contains(name));
        i64::try_from(shared.count()).unwrap_or(i64::MAX)
    }

    /// What keeps the pod's volumes off a node. `there` are the pods that the node has, `shift` as
    /// in `is_taken`.
    pub(crate) fn check(
        &self,
        pod: &PodInfo,
        node: &NodeInfo,
        there: &[&Arc<PodInfo>],
        shift: i64,
    ) -> Option<Misfit> {
        let volumes = &pod.volumes;
        let conflicts = |other: &&Arc<PodInfo>| {
            let theirs = &other.volumes.disks;
            let mut own = volumes.disks.iter();
            own.any(|disk| theirs.iter().any(|other| disk.conflicts(other)))
        };
        if there.iter().any(conflicts) {
            return Some(Misfit::DiskConflict);
        }
        if self.is_taken(pod, shift) {
            return Some(Misfit::ReadWriteOncePod);
        }
        if self.exceeds(pod, node, there) {
            return Some(Misfit::TooManyVolumes);
        }
        if let Err(faults) = self.plan(pod, node) {
            return Some(Misfit::Volumes(faults));
        }
        let mut bound = volumes.named().filter_map(|name| {
            let claim = self.claim(pod, name)?;
            self.volumes.get(&claim.volume)
        });
        bound
            .any(|volume| !in_zone(volume, node))
            .then_some(Misfit::VolumeZone)
    }

    fn exceeds(&self, pod: &PodInfo, node: &NodeInfo, there: &[&Arc<PodInfo>]) -> bool {
        let Some(limits) = self
            .limits
            .get(&node.name)
            .filter(|limits| !limits.is_empty())
        else {
            return false;
        };
        let handles = |pod: &PodInfo| -> BTreeSet<(String, String)> {
            let claims = pod.volumes.claims.iter();
            claims
                .filter_map(|claim| self.handle(pod, &claim.name))
                .map(|(driver, handle)| (driver.to_owned(), handle))
                .collect()
        };
        let mut fresh = handles(pod);
        if fresh.is_empty() {
            return false;
        }
        let used: BTreeSet<(String, String)> = there.iter().flat_map(|pod| handles(pod)).collect();
        fresh.retain(|handle| !used.contains(handle));
        limits.iter().any(|(driver, limit)| {
            let count = |set: &BTreeSet<(String, String)>| {
                let count = set.iter().filter(|(of, _)| of == driver).count();
                i64::try_from(count).unwrap_or(i64::MAX)
            };
            let more = count(&fresh);
            more > 0 && count(&used).saturating_add(more) > *limit
        })
    }
}

/// Labels of volumes that say where they are, each with the label of a node that says the same
/// where the node lacks the volume's.
const PLACES: [(&str, &str); 4] = [
    (
        "failure-domain.beta.kubernetes.io/zone",
        "topology.kubernetes.io/zone",
    ),
    (
        "failure-domain.beta.kubernetes.io/region",
        "topology.kubernetes.io/region",
    ),
    ("topology.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    (
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/region",
    ),
];

/// Whether a node is where a volume is; a node that does not say where it is counts as near.
fn in_zone(volume: &Volume, node: &NodeInfo) -> bool {
    let mut places = PLACES.iter();
    if !places.any(|(label, _)| node.labels.contains_key(*label)) {
        return true;
    }
    PLACES.iter().all(|(label, newer)| {
        // Volumes in several zones name them all; a list with a gap says nothing.
        let zones = volume.labels.get(*label).into_iter();
        let zones: Vec<&str> = zones
            .flat_map(|zones| zones.split("__"))
            .map(str::trim)
            .collect();
        let here = node.labels.get(*label).or_else(|| node.labels.get(*newer));
        zones.is_empty()
            || zones.contains(&"")
            || here.is_some_and(|here| zones.contains(&here.as_str()))
    })
}
