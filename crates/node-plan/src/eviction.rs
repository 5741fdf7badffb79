//! What a node does when it runs short: which pods it refuses, which it evicts, and what it tells
//! of itself.

mod messages;
pub mod storage;
#[cfg(test)]
mod tests;

pub use messages::{ContainerUsage, message};

use jiff::{SignedDuration, Timestamp};
use model::quantity::{Format, Quantity};
use model::{Value, meta};
use pod_resources::{QosClass, qos_class};
use std::collections::BTreeMap;

/// The reason of an evicted pod's status, of its refusal, and of the events.
pub const REASON: &str = "Evicted";
/// The reason of the condition `DisruptionTarget` of an evicted pod.
pub const DISRUPTION_REASON: &str = "TerminationByKubelet";
/// Seconds that a pod has when a hard threshold is met.
pub const HARD_GRACE: i64 = 1;
/// How long a node says that it is short after it was.
pub const TRANSITION: SignedDuration = SignedDuration::from_mins(5);

/// What a node watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    /// `memory.available`, in bytes.
    Memory,
    /// `nodefs.available`, in bytes: the disk of volumes and logs.
    NodeDisk,
    /// `nodefs.inodesFree`.
    NodeInodes,
    /// `imagefs.available`, in bytes: the disk of images and their changes.
    ImageDisk,
    /// `imagefs.inodesFree`.
    ImageInodes,
    /// `pid.available`.
    Pids,
}

impl Signal {
    /// Reads its name in a configuration.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "memory.available" => Self::Memory,
            "nodefs.available" => Self::NodeDisk,
            "nodefs.inodesFree" => Self::NodeInodes,
            "imagefs.available" => Self::ImageDisk,
            "imagefs.inodesFree" => Self::ImageInodes,
            "pid.available" => Self::Pids,
            _ => return None,
        })
    }

    /// What runs short, as messages call it.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::NodeDisk | Self::ImageDisk => "ephemeral-storage",
            Self::NodeInodes | Self::ImageInodes => "inodes",
            Self::Pids => "pids",
        }
    }

    /// What pods are ranked by, for `pod_resources::eviction_order`.
    pub fn shortage(self) -> pod_resources::Pressure {
        match self {
            Self::Memory => pod_resources::Pressure::Memory,
            Self::NodeDisk | Self::ImageDisk => pod_resources::Pressure::Disk,
            Self::NodeInodes | Self::ImageInodes => pod_resources::Pressure::Inodes,
            Self::Pids => pod_resources::Pressure::Processes,
        }
    }

    /// The condition of the node.
    pub fn condition(self) -> NodeCondition {
        match self {
            Self::Memory => NodeCondition::Memory,
            Self::Pids => NodeCondition::Pid,
            _ => NodeCondition::Disk,
        }
    }
}

/// A condition of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NodeCondition {
    /// `MemoryPressure`.
    Memory,
    /// `DiskPressure`.
    Disk,
    /// `PIDPressure`.
    Pid,
}

impl NodeCondition {
    /// The condition's type.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Memory => "MemoryPressure",
            Self::Disk => "DiskPressure",
            Self::Pid => "PIDPressure",
        }
    }

    /// The condition's reason and message.
    pub fn saying(self, holds: bool) -> (&'static str, &'static str) {
        match (self, holds) {
            (Self::Memory, true) => (
                "KubeletHasInsufficientMemory",
                "kubelet has insufficient memory available",
            ),
            (Self::Memory, false) => (
                "KubeletHasSufficientMemory",
                "kubelet has sufficient memory available",
            ),
            (Self::Disk, true) => ("KubeletHasDiskPressure", "kubelet has disk pressure"),
            (Self::Disk, false) => ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            (Self::Pid, true) => (
                "KubeletHasInsufficientPID",
                "kubelet has insufficient PID available",
            ),
            (Self::Pid, false) => (
                "KubeletHasSufficientPID",
                "kubelet has sufficient PID available",
            ),
        }
    }
}

/// An amount of a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// So much.
    Fixed(i64),
    /// A part of the capacity, from 0 to 1.
    Part(f32),
}

impl Amount {
    /// In the signal's unit.
    pub fn of(self, capacity: i64) -> i64 {
        match self {
            Self::Fixed(amount) => amount,
            // Upstream's precision; what is cut off is less than one unit in 2^24.
            Self::Part(part) => (capacity as f64 * f64::from(part)) as i64,
        }
    }
}

/// From where on a node is short of something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// Of what.
    pub signal: Signal,
    /// Less than this is available.
    pub value: Amount,
    /// How long that must hold before pods go; none for a hard threshold.
    pub grace: Option<SignedDuration>,
    /// How much more than `value` must be available before it is over.
    pub reclaim: Option<Amount>,
}

/// The thresholds of a kubelet that is told none: all of them hard.
pub fn default_thresholds() -> Vec<Threshold> {
    [
        (Signal::Memory, Amount::Fixed(100 << 20)),
        (Signal::NodeDisk, Amount::Part(0.1)),
        (Signal::NodeInodes, Amount::Part(0.05)),
        (Signal::ImageDisk, Amount::Part(0.15)),
        (Signal::ImageInodes, Amount::Part(0.05)),
    ]
    .into_iter()
    .map(|(signal, value)| Threshold {
        signal,
        value,
        grace: None,
        reclaim: None,
    })
    .collect()
}

/// What there is of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// What is available.
    pub available: i64,
    /// What there is in all.
    pub capacity: i64,
}

/// What a node is short of.
pub type Observations = BTreeMap<Signal, Observation>;

/// What is remembered from one look to the next.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    /// Since when each threshold is met, by its place in the list.
    since: BTreeMap<usize, Timestamp>,
    /// When the node was last short, by condition.
    last: BTreeMap<NodeCondition, Timestamp>,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verdict {
    /// What to remember.
    pub memory: Memory,
    /// The conditions that hold.
    pub pressures: Vec<NodeCondition>,
    /// The threshold to act on: remove what no pod needs (for disk: containers that ended, unused
    /// images), look again, and if it is still met evict the first that
    /// `pod_resources::eviction_order` names, and no other.
    pub act: Option<Threshold>,
}

/// Looks at what there is.
pub fn decide(
    thresholds: &[Threshold],
    observed: &Observations,
    memory: &Memory,
    now: Timestamp,
) -> Verdict {
    let mut since = BTreeMap::new();
    for (at, threshold) in thresholds.iter().enumerate() {
        let known = memory.since.get(&at).copied();
        if let Some(seen) = observed.get(&threshold.signal)
            && is_met(threshold, *seen, known.is_some())
        {
            since.insert(at, known.unwrap_or(now));
        }
    }
    let mut last = memory.last.clone();
    for threshold in since.keys().filter_map(|at| thresholds.get(*at)) {
        last.insert(threshold.signal.condition(), now);
    }
    let pressures = last
        .iter()
        .filter(|(_, at)| now.duration_since(**at) < TRANSITION)
        .map(|(pressure, _)| *pressure)
        .collect();
    // Memory comes first: it is gone the fastest.
    let act = since
        .iter()
        .filter_map(|(at, since)| Some((thresholds.get(*at)?, since)))
        .filter(|(threshold, since)| {
            threshold
                .grace
                .is_none_or(|grace| now.duration_since(**since) >= grace)
        })
        .min_by_key(|(threshold, _)| threshold.signal != Signal::Memory)
        .map(|(threshold, _)| *threshold);
    Verdict {
        memory: Memory { since, last },
        pressures,
        act,
    }
}

/// Whether a threshold is met; one that was met before is until its reclaim is there, too.
fn is_met(threshold: &Threshold, seen: Observation, before: bool) -> bool {
    let mut wanted = threshold.value.of(seen.capacity);
    if before && let Some(reclaim) = threshold.reclaim {
        wanted = wanted.saturating_add(reclaim.of(seen.capacity));
    }
    seen.available < wanted
}

/// Whether a node that is short takes a pod; the refusal's message if not (with [`REASON`]). Short
/// of memory alone it takes what requests something, and what tolerates it.
pub fn admit(pod: &Value, pressures: &[NodeCondition]) -> Result<(), String> {
    if pressures.is_empty() || pod_resources::is_critical(pod) {
        return Ok(());
    }
    if pressures == [NodeCondition::Memory] {
        let tolerates = meta::list(pod, &["spec", "tolerations"])
            .iter()
            .any(tolerates_memory);
        if qos_class(pod) != QosClass::BestEffort || tolerates {
            return Ok(());
        }
    }
    let names: Vec<&str> = pressures.iter().map(|pressure| pressure.kind()).collect();
    Err(format!("The node had condition: [{}]. ", names.join(" ")))
}

fn tolerates_memory(toleration: &Value) -> bool {
    let field = |key: &str| meta::text(toleration, &[key]);
    let exists = field("operator") == "Exists";
    matches!(field("effect"), "" | "NoSchedule")
        && match field("key") {
            "node.kubernetes.io/memory-pressure" => exists || field("value").is_empty(),
            "" => exists,
            _ => false,
        }
}

/// An amount in messages.
fn amount(value: i64) -> String {
    Quantity::from_units(value, Format::BinarySI).to_string()
}
