//! The pods that a cluster would have: those that are there, and those that workloads still have
//! to make.

use crate::pods::{Pod, pods};
use model::decode::Position;
use model::registry::Registry;
use model::{Value, meta};
use scheduling::{NodeInfo, PodInfo};
use serde_json::json;
use snapshot::{Object, ObjectId, Snapshot};
use std::collections::BTreeMap;

/// A pod with what it was made of.
pub(super) struct Wanted<'a> {
    pub(super) value: Value,
    pub(super) owner: &'a Object,
    pub(super) refusal: Option<String>,
    /// When a controller makes another one if it goes.
    pub(super) replaced: Replaced,
}

/// When there is another pod in place of one that is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replaced {
    /// Nobody makes one.
    Never,
    /// As soon as it is to go.
    AtOnce,
    /// When it is gone: the new one has its name.
    WhenGone,
}

impl Replaced {
    fn by(owner: &Object) -> Self {
        if owner.is("apps", "statefulsets") {
            Self::WhenGone
        } else {
            Self::AtOnce
        }
    }
}

/// All pods as admission would let them in, in the order in which they came: those of a cluster by
/// the time of their creation, those of manifests as they are written. A DaemonSet has one on each of `nodes` that suits it.
pub(super) fn all<'a>(
    snapshot: &'a Snapshot,
    registry: &'a Registry,
    nodes: &[&NodeInfo],
) -> Vec<Wanted<'a>> {
    let mut there: BTreeMap<ObjectId, Vec<&str>> = BTreeMap::new();
    for pod in snapshot.of("", "pods") {
        if !has_ended(&pod.value)
            && let Some(id) = outermost(snapshot, pod).and_then(|owner| snapshot.id(owner))
        {
            let node = meta::text(&pod.value, &["spec", "nodeName"]);
            there.entry(id).or_default().push(node);
        }
    }
    let mut wanted = Vec::new();
    for pod in pods(snapshot, registry) {
        let owner = pod.template.owner;
        if pod.template.path.is_empty() {
            if !has_ended(&owner.value) {
                wanted.push(existing(snapshot, pod));
            }
            continue;
        }
        let have = snapshot.id(owner).and_then(|id| there.get(&id));
        let have = have.map_or(&[][..], Vec::as_slice);
        if owner.is("apps", "daemonsets") {
            let missing = nodes
                .iter()
                .filter(|node| !have.contains(&node.name.as_str()));
            let pods = missing.map(|node| (node, daemon(&pod, &node.name)));
            let suits = pods.filter(|(node, pod)| PodInfo::new(&pod.value).suits(node));
            wanted.extend(suits.map(|(_, pod)| pod));
        } else {
            let missing = replicas(owner).saturating_sub(have.len() as u64);
            wanted.extend((0..missing).map(|number| replica(&pod, number)));
        }
    }
    // Stable, so that the pods of one object keep their order.
    wanted.sort_by_cached_key(arrival);
    wanted
}

/// What the order of arrival goes by: what is only written comes after what is there.
fn arrival(wanted: &Wanted<'_>) -> (bool, String, Option<(usize, u32, Position)>) {
    let created = meta::text(&wanted.value, &["metadata", "creationTimestamp"]);
    let source = wanted
        .owner
        .source
        .as_ref()
        .map(|source| (source.file.index(), source.document, source.start));
    (created.is_empty(), created.to_owned(), source)
}

fn has_ended(pod: &Value) -> bool {
    matches!(
        meta::text(pod, &["status", "phase"]),
        "Succeeded" | "Failed"
    )
}

/// What made the object, and what made that, up to what nothing made.
fn outermost<'a>(snapshot: &'a Snapshot, object: &'a Object) -> Option<&'a Object> {
    // Owners do not go in circles in a cluster; in files they may.
    let mut above = snapshot.owner(object)?;
    for _ in 0..8 {
        match snapshot.owner(above) {
            Some(next) => above = next,
            None => break,
        }
    }
    Some(above)
}

/// How many pods at once a workload wants.
pub(super) fn replicas(owner: &Object) -> u64 {
    let number = |path: &[&str]| meta::at(&owner.value, path).and_then(Value::as_u64);
    let job = |base: &[&str]| {
        let below = |field| {
            let path: Vec<&str> = base.iter().copied().chain([field]).collect();
            number(&path)
        };
        let parallel = below("parallelism").unwrap_or(1);
        below("completions").map_or(parallel, |completions| parallel.min(completions))
    };
    match (owner.group(), owner.resource()) {
        ("batch", "jobs") => job(&["spec"]),
        ("batch", "cronjobs") => job(&["spec", "jobTemplate", "spec"]),
        ("", "podtemplates") => 0,
        _ => number(&["spec", "replicas"]).unwrap_or(1),
    }
}

fn existing<'a>(snapshot: &'a Snapshot, pod: Pod<'a>) -> Wanted<'a> {
    let owner = pod.template.owner;
    let mut value = pod.value;
    if let Some(status) = owner.value.get("status") {
        meta::set(&mut value, &["status"], status.clone());
    }
    named(&mut value, owner.namespace(), owner.name());
    Wanted {
        value,
        owner,
        refusal: pod.refusal,
        replaced: snapshot.owner(owner).map_or(Replaced::Never, Replaced::by),
    }
}

fn named(pod: &mut Value, namespace: &str, name: &str) {
    meta::set(pod, &["metadata", "namespace"], namespace);
    meta::set(pod, &["metadata", "name"], name);
}

fn replica<'a>(pod: &Pod<'a>, number: u64) -> Wanted<'a> {
    let owner = pod.template.owner;
    let mut value = pod.value.clone();
    let name = format!("{}-{number}", owner.name());
    named(&mut value, owner.namespace(), &name);
    // Pods of a Deployment belong to its ReplicaSet, which selects as the Deployment does.
    let kind = match &*owner.kind.kind {
        "Deployment" => "ReplicaSet",
        kind => kind,
    };
    let version = meta::text(&owner.value, &["apiVersion"]);
    meta::set(
        &mut value,
        &["metadata", "ownerReferences"],
        json!([{
            "apiVersion": version, "kind": kind, "name": owner.name(), "uid": "", "controller": true,
        }]),
    );
    Wanted {
        value,
        owner,
        refusal: pod.refusal.clone(),
        replaced: Replaced::by(owner),
    }
}

/// What the DaemonSet controller adds to its pods.
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

fn daemon<'a>(pod: &Pod<'a>, node: &str) -> Wanted<'a> {
    let owner = pod.template.owner;
    let mut wanted = replica(pod, 0);
    let name = format!("{}-{node}", owner.name());
    named(&mut wanted.value, owner.namespace(), &name);
    let mut tolerations = meta::list(&wanted.value, &["spec", "tolerations"]).to_vec();
    tolerations.extend(
        TOLERATED
            .iter()
            .map(|(key, effect)| json!({ "key": key, "operator": "Exists", "effect": effect })),
    );
    meta::set(&mut wanted.value, &["spec", "tolerations"], tolerations);
    let path = [
        "spec",
        "affinity",
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
    ];
    let field = json!({ "key": "metadata.name", "operator": "In", "values": [node] });
    let terms = meta::at(&wanted.value, &path)
        .map(|selector| meta::list(selector, &["nodeSelectorTerms"]))
        .unwrap_or_default();
    let terms: Vec<Value> = if terms.is_empty() {
        vec![json!({ "matchFields": [field] })]
    } else {
        let bound = |term: &Value| {
            let mut term = term.clone();
            meta::set(&mut term, &["matchFields"], json!([field]));
            term
        };
        terms.iter().map(bound).collect()
    };
    meta::set(
        &mut wanted.value,
        &path,
        json!({ "nodeSelectorTerms": terms }),
    );
    wanted
}
