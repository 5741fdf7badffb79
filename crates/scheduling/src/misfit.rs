//! Why a pod cannot run on a node, in upstream's words.

use std::fmt;
use std::sync::Arc;

/// The plugins of upstream's default profile that filter, by their names there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Plugin {
    /// Cordoned nodes.
    NodeUnschedulable,
    /// `spec.nodeName`.
    NodeName,
    /// Taints.
    TaintToleration,
    /// Node selector and node affinity.
    NodeAffinity,
    /// Host ports.
    NodePorts,
    /// Requests.
    NodeResourcesFit,
    /// Disks that cannot be shared.
    VolumeRestrictions,
    /// How many volumes a node can have.
    NodeVolumeLimits,
    /// Claims and the volumes for them.
    VolumeBinding,
    /// Zones of volumes.
    VolumeZone,
    /// Topology spread constraints.
    PodTopologySpread,
    /// Pod affinity and anti-affinity.
    InterPodAffinity,
}

impl Plugin {
    /// All of them, in the order in which they filter.
    pub const ALL: [Self; 12] = [
        Self::NodeUnschedulable,
        Self::NodeName,
        Self::TaintToleration,
        Self::NodeAffinity,
        Self::NodePorts,
        Self::NodeResourcesFit,
        Self::VolumeRestrictions,
        Self::NodeVolumeLimits,
        Self::VolumeBinding,
        Self::VolumeZone,
        Self::PodTopologySpread,
        Self::InterPodAffinity,
    ];

    /// Upstream's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::NodeUnschedulable => "NodeUnschedulable",
            Self::NodeName => "NodeName",
            Self::TaintToleration => "TaintToleration",
            Self::NodeAffinity => "NodeAffinity",
            Self::NodePorts => "NodePorts",
            Self::NodeResourcesFit => "NodeResourcesFit",
            Self::VolumeRestrictions => "VolumeRestrictions",
            Self::NodeVolumeLimits => "NodeVolumeLimits",
            Self::VolumeBinding => "VolumeBinding",
            Self::VolumeZone => "VolumeZone",
            Self::PodTopologySpread => "PodTopologySpread",
            Self::InterPodAffinity => "InterPodAffinity",
        }
    }
}

/// Which resources a node has too little of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shortage {
    /// It cannot take one more pod.
    pub pods: bool,
    /// CPU.
    pub cpu: bool,
    /// Memory.
    pub memory: bool,
    /// Local storage.
    pub ephemeral_storage: bool,
    /// Others by name.
    pub scalars: Vec<Arc<str>>,
}

impl Shortage {
    /// Whether there is one.
    pub fn is_any(&self) -> bool {
        self.pods || self.cpu || self.memory || self.ephemeral_storage || !self.scalars.is_empty()
    }
}

/// Why claims cannot have their volumes on a node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unbindable {
    /// A bound volume cannot be reached from the node.
    pub unreached: bool,
    /// There is no volume for a claim, and none can be made.
    pub none_available: bool,
    /// A volume could be made were there room for it.
    pub no_space: bool,
    /// A claim is bound to a volume that does not exist.
    pub lost: bool,
}

impl Unbindable {
    /// Whether there is a reason.
    pub fn is_any(self) -> bool {
        self.unreached || self.none_available || self.no_space || self.lost
    }
}

/// Why a pod cannot run on a node: what the first filter that fails says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// The node is cordoned and the pod does not tolerate that.
    Unschedulable,
    /// `spec.nodeName` names another node.
    NodeName,
    /// A taint that the pod does not tolerate.
    Taint(Arc<str>, Arc<str>),
    /// Node selector or required affinity.
    NodeAffinity,
    /// A host port that is taken.
    Ports,
    /// Too little of some resources.
    Resources(Shortage),
    /// A disk that another pod there has.
    DiskConflict,
    /// A `ReadWriteOncePod` claim that another pod has.
    ReadWriteOncePod,
    /// More volumes than the node can have.
    TooManyVolumes,
    /// The pod's claims cannot have their volumes there.
    Volumes(Unbindable),
    /// A bound volume is in another zone.
    VolumeZone,
    /// The node lacks a topology key of a spread constraint.
    SpreadKey,
    /// A spread constraint.
    Spread,
    /// Required pod affinity.
    Affinity,
    /// Required pod anti-affinity of the pod.
    AntiAffinity,
    /// Required pod anti-affinity of pods that are there.
    ExistingAntiAffinity,
    /// Preemption: no pod of lower priority is there.
    NoVictims,
}

impl Misfit {
    /// The plugin that says so; none for what preemption says.
    pub fn plugin(&self) -> Option<Plugin> {
        Some(match self {
            Self::Unschedulable => Plugin::NodeUnschedulable,
            Self::NodeName => Plugin::NodeName,
            Self::Taint(..) => Plugin::TaintToleration,
            Self::NodeAffinity => Plugin::NodeAffinity,
            Self::Ports => Plugin::NodePorts,
            Self::Resources(_) => Plugin::NodeResourcesFit,
            Self::DiskConflict | Self::ReadWriteOncePod => Plugin::VolumeRestrictions,
            Self::TooManyVolumes => Plugin::NodeVolumeLimits,
            Self::Volumes(_) => Plugin::VolumeBinding,
            Self::VolumeZone => Plugin::VolumeZone,
            Self::SpreadKey | Self::Spread => Plugin::PodTopologySpread,
            Self::Affinity | Self::AntiAffinity | Self::ExistingAntiAffinity => {
                Plugin::InterPodAffinity
            }
            Self::NoVictims => return None,
        })
    }

    /// Whether removing pods from the node could help; else upstream's status is
    /// `UnschedulableAndUnresolvable`.
    pub fn is_resolvable(&self) -> bool {
        match self {
            Self::Resources(_)
            | Self::Ports
            | Self::DiskConflict
            | Self::ReadWriteOncePod
            | Self::TooManyVolumes
            | Self::Spread
            | Self::AntiAffinity
            | Self::ExistingAntiAffinity => true,
            Self::Unschedulable
            | Self::NodeName
            | Self::Taint(..)
            | Self::NodeAffinity
            | Self::Volumes(_)
            | Self::VolumeZone
            | Self::SpreadKey
            | Self::Affinity
            | Self::NoVictims => false,
        }
    }

    /// Tells each reason by itself.
    pub(crate) fn each(&self, mut tell: impl FnMut(&str)) {
        if let Self::Resources(shortage) = self {
            if shortage.pods {
                tell("Too many pods");
            }
            for (is_short, text) in [
                (shortage.cpu, "Insufficient cpu"),
                (shortage.memory, "Insufficient memory"),
                (shortage.ephemeral_storage, "Insufficient ephemeral-storage"),
            ] {
                if is_short {
                    tell(text);
                }
            }
            for name in &shortage.scalars {
                tell(&format!("Insufficient {name}"));
            }
        } else if let Self::Volumes(faults) = self {
            for (is_it, text) in [
                (
                    faults.unreached,
                    "node(s) didn't match PersistentVolume's node affinity",
                ),
                (
                    faults.none_available,
                    "node(s) didn't find available persistent volumes to bind",
                ),
                (faults.no_space, "node(s) did not have enough free storage"),
                (
                    faults.lost,
                    "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",
                ),
            ] {
                if is_it {
                    tell(text);
                }
            }
        } else if let Self::Taint(key, value) = self {
            tell(&format!("node(s) had untolerated taint {{{key}: {value}}}"));
        } else {
            tell(self.text());
        }
    }

    /// The text of those that have only one.
    fn text(&self) -> &'static str {
        match self {
            Self::Taint(..) | Self::Resources(_) | Self::Volumes(_) => "",
            Self::Unschedulable => "node(s) were unschedulable",
            Self::NodeName => "node(s) didn't match the requested node name",
            Self::NodeAffinity => "node(s) didn't match Pod's node affinity/selector",
            Self::Ports => "node(s) didn't have free ports for the requested pod ports",
            Self::DiskConflict => "node(s) had no available disk",
            Self::ReadWriteOncePod => {
                "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod \
                 access mode"
            }
            Self::TooManyVolumes => "node(s) exceed max volume count",
            Self::VolumeZone => "node(s) had no available volume zone",
            Self::SpreadKey => {
                "node(s) didn't match pod topology spread constraints (missing required label)"
            }
            Self::Spread => "node(s) didn't match pod topology spread constraints",
            Self::Affinity => "node(s) didn't match pod affinity rules",
            Self::AntiAffinity => "node(s) didn't match pod anti-affinity rules",
            Self::ExistingAntiAffinity => {
                "node(s) didn't satisfy existing pods anti-affinity rules"
            }
            Self::NoVictims => "No preemption victims found for incoming pod",
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut texts = Vec::new();
        self.each(|text| texts.push(text.to_owned()));
        f.write_str(&texts.join(", "))
    }
}
