//! The scores of upstream's default profile, each 0 to 100 after normalisation, with its weight.

use crate::cluster::Cluster;
use crate::cycle::{Counts, ensure_constraint};
use crate::node::NodeInfo;
use crate::pod::PodInfo;
use crate::spread::{Constraint, HOSTNAME};
use crate::taint;
use crate::topology::{KeyId, NodeId, at};

/// The best score of a plugin.
pub(crate) const BEST: i64 = 100;

/// What one plugin gives to each of the nodes, in their order.
#[derive(Debug)]
pub(crate) struct Scored {
    pub(crate) plugin: &'static str,
    pub(crate) weight: i64,
    pub(crate) scores: Vec<i64>,
}

/// What a pod would like, with the groups that count it.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    constraints: Vec<Constraint>,
    groups: Vec<(u32, KeyId)>,
    preferred: Vec<(i64, u32, KeyId)>,
    is_own: bool,
}

/// Registers what scores count.
pub(crate) fn register(cluster: &mut Cluster, pod: &PodInfo) -> Wishes {
    let constraints = cluster.soft_constraints(pod);
    let mut groups = Vec::with_capacity(constraints.len());
    for constraint in &constraints {
        groups.push(ensure_constraint(cluster, constraint));
    }
    let mut preferred = Vec::new();
    for (weight, term) in &pod.affinity.preferred {
        let (group, key) = cluster.ensure_term(term);
        preferred.push((*weight, group, key));
    }
    Wishes {
        constraints,
        groups,
        preferred,
        is_own: !pod.spread.is_empty(),
    }
}

/// All scores of the nodes that passed the filters. Plugins to which the pod means nothing are
/// left out, as upstream skips them.
pub(crate) fn all(
    cluster: &Cluster,
    pod: &PodInfo,
    soft: &Wishes,
    feasible: &[NodeId],
) -> Vec<Scored> {
    let nodes: Vec<(NodeId, &NodeInfo)> = feasible
        .iter()
        .filter_map(|id| Some((*id, cluster.get(*id)?)))
        .collect();
    let mut scored = Vec::with_capacity(7);
    let mut add = |plugin, weight, scores: Option<Vec<i64>>| {
        if let Some(scores) = scores {
            scored.push(Scored {
                plugin,
                weight,
                scores,
            });
        }
    };
    add("TaintToleration", 3, Some(taints(pod, &nodes)));
    add("NodeAffinity", 2, node_affinity(pod, &nodes));
    add("NodeResourcesFit", 1, Some(least_allocated(pod, &nodes)));
    add("PodTopologySpread", 2, spread(cluster, pod, soft, &nodes));
    add("InterPodAffinity", 2, affinity(cluster, pod, soft, &nodes));
    add("NodeResourcesBalancedAllocation", 1, balanced(pod, &nodes));
    add("ImageLocality", 1, images(cluster, pod, &nodes));
    scored
}

/// Upstream's default normalisation: in relation to the highest.
fn relative(scores: &mut [i64], is_reversed: bool) {
    let most = scores.iter().copied().max().unwrap_or(0);
    for score in scores {
        let share = if most == 0 {
            0
        } else {
            score.saturating_mul(BEST) / most
        };
        *score = if is_reversed { BEST - share } else { share };
    }
}

fn taints(pod: &PodInfo, nodes: &[(NodeId, &NodeInfo)]) -> Vec<i64> {
    let mut scores: Vec<i64> = nodes
        .iter()
        .map(|(_, node)| {
            let disliked = taint::disliked(&pod.tolerations, &node.taints);
            i64::try_from(disliked).unwrap_or(i64::MAX)
        })
        .collect();
    relative(&mut scores, true);
    scores
}

fn node_affinity(pod: &PodInfo, nodes: &[(NodeId, &NodeInfo)]) -> Option<Vec<i64>> {
    if pod.preferred_nodes.is_empty() {
        return None;
    }
    let mut scores: Vec<i64> = nodes
        .iter()
        .map(|(_, node)| {
            pod.preferred_nodes
                .iter()
                .filter(|(_, term)| term.matches(&node.name, &node.labels))
                .map(|(weight, _)| weight)
                .sum()
        })
        .collect();
    relative(&mut scores, false);
    Some(scores)
}

/// The emptier, the better; containers without a request count as if they had a small one.
fn least_allocated(pod: &PodInfo, nodes: &[(NodeId, &NodeInfo)]) -> Vec<i64> {
    nodes
        .iter()
        .map(|(_, node)| {
            let has = &node.allocatable;
            let (mut sum, mut weights) = (0, 0);
            for (allocatable, used, own) in [
                (has.milli_cpu, node.scored.0, pod.scored.0),
                (has.memory, node.scored.1, pod.scored.1),
            ] {
                if allocatable <= 0 {
                    continue;
                }
                weights += 1;
                let requested = used.saturating_add(own);
                if requested <= allocatable {
                    sum += share(allocatable - requested, allocatable);
                }
            }
            if weights == 0 { 0 } else { sum / weights }
        })
        .collect()
}

/// `BEST` times `part` of `whole`, without overflow.
fn share(part: i64, whole: i64) -> i64 {
    match part.checked_mul(BEST) {
        Some(product) => product / whole,
        None => part / (whole / BEST).max(1),
    }
}

/// The nearer the shares of CPU and memory are to each other, the better.
fn balanced(pod: &PodInfo, nodes: &[(NodeId, &NodeInfo)]) -> Option<Vec<i64>> {
    let wants = &pod.requests;
    if wants.milli_cpu == 0 && wants.memory == 0 {
        return None;
    }
    let scores = nodes.iter().map(|(_, node)| {
        let (has, used) = (&node.allocatable, &node.requested);
        let fraction = |allocatable: i64, used: i64, own: i64| {
            let requested = used.saturating_add(own);
            (allocatable > 0).then(|| (requested as f64 / allocatable as f64).min(1.0))
        };
        let cpu = fraction(has.milli_cpu, used.milli_cpu, wants.milli_cpu);
        let memory = fraction(has.memory, used.memory, wants.memory);
        let deviation = match (cpu, memory) {
            (Some(cpu), Some(memory)) => ((cpu - memory) / 2.0).abs(),
            _ => 0.0,
        };
        ((1.0 - deviation) * BEST as f64) as i64
    });
    Some(scores.collect())
}

const MEBIBYTE: i64 = 1024 * 1024;

/// Nodes that have the pod's images already; an image that few nodes have counts less, so that
/// pods do not all go there.
fn images(cluster: &Cluster, pod: &PodInfo, nodes: &[(NodeId, &NodeInfo)]) -> Option<Vec<i64>> {
    let all = cluster.node_count().max(1) as f64;
    // An image counts as many bytes as its share of the nodes.
    let known: Vec<(&str, i64)> = pod
        .images
        .iter()
        .filter_map(|name| {
            let image = cluster.image(name)?;
            let share = image.nodes as f64 / all;
            Some((name.as_str(), (image.size as f64 * share) as i64))
        })
        .collect();
    if known.is_empty() {
        return None;
    }
    let least = 23 * MEBIBYTE;
    let containers = i64::try_from(pod.images.len()).unwrap_or(i64::MAX);
    let most = (1000 * MEBIBYTE).saturating_mul(containers);
    let scores = nodes.iter().map(|(_, node)| {
        let here = known
            .iter()
            .filter(|(name, _)| node.images.contains_key(*name));
        let sum: i64 = here.map(|(_, bytes)| bytes).sum();
        BEST * (sum.clamp(least, most) - least) / (most - least)
    });
    Some(scores.collect())
}

/// Fewer pods of the same kind in the domain are better; domains of keys with many values weigh
/// more.
fn spread(
    cluster: &Cluster,
    pod: &PodInfo,
    soft: &Wishes,
    nodes: &[(NodeId, &NodeInfo)],
) -> Option<Vec<i64>> {
    if soft.constraints.is_empty() {
        return None;
    }
    let topology = &cluster.topology;
    // The cluster's defaults count nodes that lack a key, too.
    let keys: Vec<KeyId> = if soft.is_own {
        soft.groups.iter().map(|(_, key)| *key).collect()
    } else {
        Vec::new()
    };
    let is_ignored = |id: NodeId| keys.iter().any(|key| topology.value(*key, id).is_none());
    let taking_part = nodes.iter().filter(|(id, _)| !is_ignored(*id)).count();
    let mut sums = vec![0.0_f64; nodes.len()];
    for (constraint, (group, key)) in soft.constraints.iter().zip(&soft.groups) {
        let Some(group) = cluster.groups.get(*group) else {
            continue;
        };
        let is_host = &*constraint.topology_key == HOSTNAME;
        let mut by_domain = Vec::new();
        let size = if is_host {
            taking_part
        } else {
            let counts = Counts {
                cluster,
                pod,
                keys: &keys,
            };
            by_domain = counts.by_domain(constraint, group, *key);
            // Nodes without the key that take part are one domain more.
            let mut seen = vec![false; by_domain.len() + 1];
            for (id, _) in nodes.iter().filter(|(id, _)| !is_ignored(*id)) {
                let place = topology.value(*key, *id).map_or(by_domain.len(), at);
                if let Some(seen) = seen.get_mut(place) {
                    *seen = true;
                }
            }
            seen.iter().filter(|seen| **seen).count()
        };
        let weight = ((size + 2) as f64).ln();
        for (sum, (id, _)) in sums.iter_mut().zip(nodes) {
            let Some(value) = topology.value(*key, *id) else {
                continue;
            };
            let count = if !constraint.counts() {
                0
            } else if is_host {
                group.on(*id)
            } else {
                by_domain.get(at(value)).copied().unwrap_or(0).max(0)
            };
            *sum += count as f64 * weight + (constraint.max_skew - 1) as f64;
        }
    }
    let mut scores: Vec<Option<i64>> = nodes
        .iter()
        .zip(&sums)
        .map(|((id, _), sum)| (!is_ignored(*id)).then(|| sum.round() as i64))
        .collect();
    let least = scores.iter().flatten().copied().min().unwrap_or(0);
    let most = scores.iter().flatten().copied().max().unwrap_or(0);
    for score in scores.iter_mut().flatten() {
        *score = if most == 0 {
            BEST
        } else {
            BEST * (most + least - *score) / most
        };
    }
    Some(scores.into_iter().map(|score| score.unwrap_or(0)).collect())
}

/// What the pod prefers of others and they of it.
fn affinity(
    cluster: &Cluster,
    pod: &PodInfo,
    soft: &Wishes,
    nodes: &[(NodeId, &NodeInfo)],
) -> Option<Vec<i64>> {
    let mut sums = vec![0_i64; nodes.len()];
    let mut is_any = false;
    let mut count = |key: KeyId, tally: &crate::tally::Tally, weight: i64| {
        is_any = true;
        for (sum, (id, _)) in sums.iter_mut().zip(nodes) {
            if let Some(value) = cluster.topology.value(key, *id) {
                *sum = sum.saturating_add(tally.get(value).saturating_mul(weight));
            }
        }
    };
    for (weight, group, key) in &soft.preferred {
        let tally = cluster.groups.get(*group).and_then(|g| g.tally(*key));
        if let Some(tally) = tally {
            count(*key, tally, *weight);
        }
    }
    for carried in cluster.preferring.about(pod, &cluster.namespaces) {
        count(carried.key, &carried.tally, 1);
    }
    if !is_any {
        return None;
    }
    let least = sums.iter().copied().min().unwrap_or(0);
    let most = sums.iter().copied().max().unwrap_or(0);
    let width = most.saturating_sub(least);
    for sum in &mut sums {
        *sum = if width > 0 {
            (BEST as f64 * (sum.saturating_sub(least) as f64 / width as f64)) as i64
        } else {
            0
        };
    }
    Some(sums)
}
