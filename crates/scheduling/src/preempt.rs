//! Preemption: whose going would make room for a pod that fits nowhere, at the least harm.

use crate::cycle::{self, Change, View};
use crate::diagnosis::{Diagnosis, histogram};
use crate::engine::Engine;
use crate::filter::Filters;
use crate::misfit::Misfit;
use crate::node::NodeInfo;
use crate::pod::{PodInfo, started_before};
use crate::topology::NodeId;
use std::cmp::Ordering;
use std::sync::Arc;

/// Which pods must go so that a pod fits on a node.
#[derive(Debug, Clone)]
pub struct Preemption {
    /// The node.
    pub node: String,
    /// Who must go, the most important first. Never empty; all of lower priority than the pod.
    pub victims: Vec<Arc<PodInfo>>,
    /// How many of them a disruption budget wanted to keep.
    pub violations: usize,
    /// Pods of lower priority that wait for the node and must be told not to any more.
    pub displaced: Vec<Arc<PodInfo>>,
    /// How many nodes were candidates.
    pub candidates: usize,
}

/// Why no pod is made to go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// Upstream's text, for `Diagnosis::preemption`.
    pub message: String,
    /// Whether the node that the pod was nominated for before is of no use to it any more.
    pub clears_nomination: bool,
}

impl Refused {
    fn ineligible(message: &str) -> Self {
        Self {
            message: message.to_owned(),
            clears_nomination: false,
        }
    }
}

/// What is done to find candidates, as in upstream's defaults.
const CANDIDATES_PERCENTAGE: usize = 10;
const LEAST_CANDIDATES: usize = 100;

struct Candidate {
    id: NodeId,
    victims: Vec<Arc<PodInfo>>,
    violations: usize,
}

impl Engine {
    /// Looks for the pods whose going would make room. `diagnosis` is what `schedule` said of the
    /// pod.
    pub fn preempt(&mut self, pod: &PodInfo, diagnosis: &Diagnosis) -> Result<Preemption, Refused> {
        self.cluster.refresh_order();
        self.may_preempt(pod, diagnosis)?;
        let hopeful: Vec<NodeId> = diagnosis
            .misfits
            .iter()
            .zip(&diagnosis.ids)
            .filter(|((_, misfit), _)| misfit.is_resolvable())
            .filter(|((name, _), id)| {
                // Another node may have the number by now.
                let node = self.cluster.get(**id);
                node.is_some_and(|node| Arc::ptr_eq(&node.shared_name, name) || node.name == **name)
            })
            .map(|(_, id)| *id)
            .collect();
        let registered = cycle::register(&mut self.cluster, pod);
        let start = self.random.below(hopeful.len());
        let view = View::new(&self.cluster, pod, &registered);
        let filters = Filters::new(&view);
        let wanted = (hopeful.len() * CANDIDATES_PERCENTAGE / 100)
            .max(LEAST_CANDIDATES)
            .min(hopeful.len());
        let (before, after) = hopeful.split_at(start.min(hopeful.len()));
        let (mut harmless, mut harmful) = (Vec::new(), Vec::new());
        let mut misfits: Vec<Misfit> = Vec::new();
        for id in after.iter().chain(before) {
            match self.victims(&filters, *id) {
                Ok(candidate) if candidate.violations == 0 => harmless.push(candidate),
                // More than that upstream does not keep.
                Ok(candidate) if harmful.len() < wanted => harmful.push(candidate),
                Ok(_) => {}
                Err(misfit) => misfits.push(misfit),
            }
            if !harmless.is_empty() && harmless.len() + harmful.len() >= wanted {
                break;
            }
        }
        harmless.append(&mut harmful);
        let candidates = harmless.len();
        let Some(best) = pick(harmless) else {
            let message = histogram(
                diagnosis.nodes,
                misfits.iter(),
                Some("Preemption is not helpful for scheduling"),
            );
            return Err(Refused {
                message,
                clears_nomination: true,
            });
        };
        let node = self.cluster.get(best.id).map(|node| node.name.clone());
        let node = node.unwrap_or_default();
        let waiting = self.cluster.nominated(&node).iter();
        Ok(Preemption {
            victims: best.victims,
            violations: best.violations,
            displaced: waiting
                .filter(|other| other.priority < pod.priority)
                .cloned()
                .collect(),
            candidates,
            node,
        })
    }

    /// Whether the pod may make others go at all, or go (again) while those it made go last time
    /// are still ending.
    fn may_preempt(&self, pod: &PodInfo, diagnosis: &Diagnosis) -> Result<(), Refused> {
        if pod.never_preempts {
            return Err(Refused::ineligible(
                "not eligible due to preemptionPolicy=Never.",
            ));
        }
        let nominated = match self.cluster.nomination(&pod.key) {
            Some(node) => node,
            None => pod.nominated_node.as_str(),
        };
        let Some(node) = self.cluster.node(nominated) else {
            return Ok(());
        };
        let is_hopeless = diagnosis.refusal.is_some()
            || match diagnosis
                .misfits
                .iter()
                .find(|(name, _)| **name == *nominated)
            {
                Some((_, misfit)) => !misfit.is_resolvable(),
                None => true,
            };
        let is_ending = node
            .pods()
            .iter()
            .any(|other| other.priority < pod.priority && other.is_preempted);
        if is_ending && !is_hopeless {
            return Err(Refused::ineligible(
                "not eligible due to a terminating pod on the nominated node.",
            ));
        }
        Ok(())
    }

    /// The pods of a node that would have to go, or what keeps the pod off even without them.
    fn victims(&self, filters: &Filters<'_>, id: NodeId) -> Result<Candidate, Misfit> {
        let pod = filters.view.pod;
        let Some(node) = self.cluster.get(id) else {
            return Err(Misfit::NoVictims);
        };
        let mut potential: Vec<Arc<PodInfo>> = node
            .pods()
            .iter()
            .filter(|other| other.priority < pod.priority)
            .cloned()
            .collect();
        if potential.is_empty() {
            return Err(Misfit::NoVictims);
        }
        let mut change = Change::none(filters.view, id);
        potential.iter().for_each(|other| change.remove(other));
        if let Some(misfit) = filters.check_with_nominated(id, node, Some(&change)) {
            return Err(misfit);
        }
        potential.sort_by(|a, b| importance(a, b));
        let (breaking, free) = self.budgets.part(potential);
        let mut victims = Vec::new();
        let is_mixed = !breaking.is_empty() && !free.is_empty();
        for other in &breaking {
            reprieve(filters, id, node, other, &mut change, &mut victims);
        }
        let violations = victims.len();
        for other in &free {
            reprieve(filters, id, node, other, &mut change, &mut victims);
        }
        if is_mixed {
            victims.sort_by(|a, b| importance(a, b));
        }
        if victims.is_empty() {
            return Err(Misfit::NoVictims);
        }
        Ok(Candidate {
            id,
            victims,
            violations,
        })
    }
}

/// Lets a pod stay if there is room for it beside the preemptor.
fn reprieve(
    filters: &Filters<'_>,
    id: NodeId,
    node: &NodeInfo,
    other: &Arc<PodInfo>,
    change: &mut Change<'_>,
    victims: &mut Vec<Arc<PodInfo>>,
) {
    change.restore(other);
    if filters
        .check_with_nominated(id, node, Some(change))
        .is_some()
    {
        change.remove(other);
        victims.push(Arc::clone(other));
    }
}

/// The most important first; equal ones by name, where upstream's order is that of a list whose
/// order means nothing.
fn importance(a: &PodInfo, b: &PodInfo) -> Ordering {
    if a.is_more_important(b) {
        Ordering::Less
    } else if b.is_more_important(a) {
        Ordering::Greater
    } else {
        a.key.cmp(&b.key)
    }
}

/// The offset that keeps negative priorities from making many victims look like few.
const OFFSET: i128 = i32::MAX as i128 + 1;

/// Upstream's order of preference among candidates; the first of equals.
fn pick(candidates: Vec<Candidate>) -> Option<Candidate> {
    let mut best: Option<Candidate> = None;
    for candidate in candidates {
        let is_better = match &best {
            None => true,
            Some(best) => compare(&candidate, best) == Ordering::Less,
        };
        if is_better {
            best = Some(candidate);
        }
    }
    best
}

fn compare(a: &Candidate, b: &Candidate) -> Ordering {
    let highest = |c: &Candidate| c.victims.first().map_or(i64::MIN, |pod| pod.priority);
    let sum = |c: &Candidate| -> i128 {
        let priorities = c
            .victims
            .iter()
            .map(|pod| i128::from(pod.priority) + OFFSET);
        priorities.sum()
    };
    let started = |c: &Candidate| -> String {
        let top = highest(c);
        let mut times = c.victims.iter().filter(|pod| pod.priority == top);
        let mut earliest = times
            .next()
            .map(|pod| pod.start_time.as_str())
            .unwrap_or("");
        for pod in times {
            if started_before(&pod.start_time, earliest) {
                earliest = &pod.start_time;
            }
        }
        earliest.to_owned()
    };
    a.violations
        .cmp(&b.violations)
        .then_with(|| highest(a).cmp(&highest(b)))
        .then_with(|| sum(a).cmp(&sum(b)))
        .then_with(|| a.victims.len().cmp(&b.victims.len()))
        .then_with(|| {
            let (a, b) = (started(a), started(b));
            if started_before(&b, &a) {
                Ordering::Less
            } else if started_before(&a, &b) {
                Ordering::Greater
            } else {
                Ordering::Equal
            }
        })
}
