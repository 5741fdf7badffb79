//! Claims and volumes as far as binding looks at them, and which volume a claim gets. The binder of
//! claims and the scheduler ask the same function, as upstream.

use crate::node_selector::NodeSelector;
use crate::scope::{self, selects};
use model::kinds::core::claim_spec::storage_class;
use model::quantity::Quantity;
use model::selector::LabelSelector;
use model::{Value, meta};
use std::collections::{BTreeMap, BTreeSet};

/// On claims: the binding is complete.
pub const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// On claims and volumes: a controller chose the other side, not a user.
pub const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
/// On claims: the node for which a volume is to be made.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// The provisioner of classes whose volumes are made by hand.
pub const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// A PersistentVolumeClaim.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its version, if that is a number: later versions have greater ones.
    pub version: Option<u64>,
    /// The volume that it names; empty if none.
    pub volume: String,
    /// The class that it names; empty names none on purpose.
    pub class: Option<String>,
    /// The binding is complete.
    pub is_completed: bool,
    /// Its volume is gone.
    pub is_lost: bool,
    /// It is being deleted.
    pub is_terminating: bool,
    /// The node for which a volume is to be made.
    pub selected_node: Option<String>,
    /// The UID of the controller that owns it; empty if none.
    pub owner: String,
    /// The access modes that it needs.
    pub modes: BTreeSet<String>,
    /// What it asks for.
    pub storage: Quantity,
    selector: Option<LabelSelector>,
    is_block: bool,
    attributes: String,
}

/// A PersistentVolume.
#[derive(Debug, Clone)]
pub struct Volume {
    /// Its version, if that is a number: later versions have greater ones.
    pub version: Option<u64>,
    /// The class that it is of; empty is none.
    pub class: String,
    /// The claim that it is bound or promised to.
    pub promise: Option<Promise>,
    /// The driver and the handle, if CSI provides it.
    pub csi: Option<(String, String)>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    modes: BTreeSet<String>,
    storage: Quantity,
    affinity: Option<NodeSelector>,
    is_available: bool,
    is_terminating: bool,
    is_block: bool,
    attributes: String,
}

/// The claim that a volume names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// The claim's namespace.
    pub namespace: String,
    /// The claim's name.
    pub name: String,
    /// The claim's UID; empty if whoever made the volume left it open.
    pub uid: String,
}

/// For whom a volume is sought.
#[derive(Debug, Clone, Copy)]
pub enum Seeker<'a> {
    /// The binder of claims. Claims that wait for a pod (`waits`) get only what is promised to them.
    Binder {
        /// The claim's class says to wait.
        waits: bool,
    },
    /// The scheduler, for a pod on a node with these labels.
    Node(&'a BTreeMap<String, String>),
}

fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    meta::at(object, &["metadata", "annotations", name]).and_then(Value::as_str)
}

fn texts(object: &Value, path: &[&str]) -> BTreeSet<String> {
    let texts = meta::list(object, path).iter();
    texts.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn amount(object: &Value, path: &[&str]) -> Quantity {
    let amount = meta::at(object, path).unwrap_or(&Value::Null);
    Quantity::from_value(amount).unwrap_or(Quantity::ZERO)
}

fn is_terminating(object: &Value) -> bool {
    meta::at(object, &["metadata", "deletionTimestamp"]).is_some()
}

impl Claim {
    /// Reads a claim.
    pub fn of(claim: &Value) -> Self {
        let text = |path: &[&str]| meta::text(claim, path).to_owned();
        let class = storage_class(claim);
        let owners = meta::list(claim, &["metadata", "ownerReferences"]);
        let owner = owners
            .iter()
            .find(|owner| meta::at(owner, &["controller"]).and_then(Value::as_bool) == Some(true));
        Self {
            namespace: text(&["metadata", "namespace"]),
            name: text(&["metadata", "name"]),
            uid: text(&["metadata", "uid"]),
            version: meta::resource_version(claim).parse().ok(),
            volume: text(&["spec", "volumeName"]),
            class: class.map(str::to_owned),
            is_completed: annotation(claim, BIND_COMPLETED).is_some(),
            is_lost: meta::text(claim, &["status", "phase"]) == "Lost",
            is_terminating: is_terminating(claim),
            selected_node: annotation(claim, SELECTED_NODE).map(str::to_owned),
            owner: owner
                .map_or("", |owner| meta::text(owner, &["uid"]))
                .to_owned(),
            modes: texts(claim, &["spec", "accessModes"]),
            storage: amount(claim, &["spec", "resources", "requests", "storage"]),
            selector: meta::at(claim, &["spec", "selector"]).map(scope::read),
            is_block: meta::text(claim, &["spec", "volumeMode"]) == "Block",
            attributes: text(&["spec", "volumeAttributesClassName"]),
        }
    }

    /// Whether the claim has its volume for good.
    pub fn is_bound(&self) -> bool {
        self.is_completed && !self.volume.is_empty()
    }

    /// The class; empty if it names none.
    pub fn class_name(&self) -> &str {
        self.class.as_deref().unwrap_or_default()
    }
}

impl Volume {
    /// Reads a volume. One that says nothing of its phase, as in a file, counts as available.
    pub fn of(volume: &Value) -> Self {
        let text = |path: &[&str]| meta::text(volume, path).to_owned();
        let promise = meta::at(volume, &["spec", "claimRef"]).map(|claim| {
            let text = |field: &str| meta::text(claim, &[field]).to_owned();
            Promise {
                namespace: text("namespace"),
                name: text("name"),
                uid: text("uid"),
            }
        });
        let csi = meta::at(volume, &["spec", "csi"]).map(|csi| {
            let text = |field: &str| meta::text(csi, &[field]).to_owned();
            (text("driver"), text("volumeHandle"))
        });
        let class = storage_class(volume).unwrap_or_default();
        let labels = meta::labels(volume).into_iter();
        let affinity = meta::at(volume, &["spec", "nodeAffinity", "required"]);
        Self {
            version: meta::resource_version(volume).parse().ok(),
            class: class.to_owned(),
            promise,
            csi,
            labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            modes: texts(volume, &["spec", "accessModes"]),
            storage: amount(volume, &["spec", "capacity", "storage"]),
            affinity: affinity.map(NodeSelector::of),
            is_available: matches!(meta::text(volume, &["status", "phase"]), "" | "Available"),
            is_terminating: is_terminating(volume),
            is_block: meta::text(volume, &["spec", "volumeMode"]) == "Block",
            attributes: text(&["spec", "volumeAttributesClassName"]),
        }
    }

    /// Whether the volume is bound or promised to this claim.
    pub fn is_promised_to(&self, claim: &Claim) -> bool {
        self.promise.as_ref().is_some_and(|promise| {
            promise.name == claim.name
                && promise.namespace == claim.namespace
                && (promise.uid.is_empty() || promise.uid == claim.uid)
        })
    }

    /// Whether a node with these labels reaches the volume.
    pub fn is_reached(&self, labels: &BTreeMap<String, String>) -> bool {
        // Upstream compares with labels only: terms about the node's name match nothing.
        let affinity = self.affinity.as_ref();
        affinity.is_none_or(|affinity| affinity.matches("", labels))
    }

    /// Whether one is a file system and the other a device.
    pub fn differs_in_mode(&self, claim: &Claim) -> bool {
        self.is_block != claim.is_block
    }

    /// Why a claim that names the volume cannot have it, in upstream's words.
    pub fn mismatch(&self, name: &str, claim: &Claim) -> Option<String> {
        let why = if self.is_terminating {
            return Some(format!("the volume is marked for deletion {name:?}"));
        } else if self.storage.value() < claim.storage.value() {
            "requested PV is too small"
        } else if self.class != claim.class_name() {
            "storageClassName does not match"
        } else if !self.attributes.is_empty() || !claim.attributes.is_empty() {
            "volumeAttributesClassName is not supported when the feature-gate \
             VolumeAttributesClass is disabled"
        } else if self.differs_in_mode(claim) {
            "incompatible volumeMode"
        } else if !claim.modes.is_subset(&self.modes) {
            "incompatible accessMode"
        } else {
            return None;
        };
        Some(why.to_owned())
    }

    /// Whether the volume is one that the claim could have, promised or not.
    fn suits(&self, claim: &Claim) -> bool {
        self.storage >= claim.storage
            && !self.differs_in_mode(claim)
            && self.attributes.is_empty()
            && !self.is_terminating
    }

    /// Whether the volume is free and as the claim wants it.
    fn is_free_for(&self, claim: &Claim) -> bool {
        let selector = claim.selector.as_ref();
        self.promise.is_none()
            && self.is_available
            && selector.is_none_or(|selector| selects(selector, &self.labels))
            && self.class == claim.class_name()
    }
}

/// The volume that a claim gets among `volumes`: the one that is promised to it, else the smallest
/// that will do, of several the first. The binder prefers volumes with fewer access modes.
pub fn find_volume<'a>(
    claim: &Claim,
    volumes: impl Iterator<Item = (&'a str, &'a Volume)>,
    seeker: Seeker<'_>,
) -> Option<&'a str> {
    // Classes of volume attributes are an alpha feature that is off.
    if !claim.attributes.is_empty() {
        return None;
    }
    let volumes = volumes.filter(|(_, volume)| volume.suits(claim));
    match seeker {
        Seeker::Node(labels) => {
            let of_class = volumes.filter(|(_, volume)| volume.class == claim.class_name());
            smallest(claim, of_class, Some(labels), true)
        }
        Seeker::Binder { waits } => {
            let mut by_modes: BTreeMap<_, Vec<_>> = BTreeMap::new();
            for (name, volume) in volumes {
                if claim.modes.is_subset(&volume.modes) {
                    let group = (volume.modes.len(), &volume.modes);
                    by_modes.entry(group).or_default().push((name, volume));
                }
            }
            by_modes
                .into_values()
                .find_map(|group| smallest(claim, group.into_iter(), None, !waits))
        }
    }
}

fn smallest<'a>(
    claim: &Claim,
    volumes: impl Iterator<Item = (&'a str, &'a Volume)>,
    labels: Option<&BTreeMap<String, String>>,
    takes_free: bool,
) -> Option<&'a str> {
    let is_reached = |volume: &Volume| labels.is_none_or(|labels| volume.is_reached(labels));
    let mut best: Option<(&str, &Volume)> = None;
    for (name, volume) in volumes {
        if volume.is_promised_to(claim) {
            // No other will do, even if this one cannot be had there.
            return is_reached(volume).then_some(name);
        }
        let is_smaller = best.is_none_or(|(_, best)| volume.storage < best.storage);
        if takes_free
            && is_smaller
            && volume.is_free_for(claim)
            && claim.modes.is_subset(&volume.modes)
            && is_reached(volume)
        {
            best = Some((name, volume));
        }
    }
    best.map(|(name, _)| name)
}
