//! One pod's way to a node: filters, scores, and the choice among the best.

use crate::budget::Budgets;
use crate::cluster::Cluster;
use crate::cycle::{self, View};
use crate::diagnosis::{Diagnosis, Refusal};
use crate::filter::Filters;
use crate::misfit::{Misfit, Plugin};
use crate::pod::PodInfo;
use crate::random::Random;
use crate::score;
use crate::topology::NodeId;
use model::Value;
use std::sync::Arc;

/// What a plugin gave to the chosen node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginScore {
    /// Upstream's name of the plugin.
    pub plugin: &'static str,
    /// 0 to 100.
    pub score: i64,
    /// What it counts.
    pub weight: i64,
}

/// Where a pod goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The node.
    pub node: String,
    /// How many nodes were looked at.
    pub evaluated: usize,
    /// How many of them it fits on.
    pub feasible: usize,
    /// Its scores; empty if there was no choice.
    pub scores: Vec<PluginScore>,
    /// How many nodes had the same score.
    pub equals: usize,
}

/// Upstream looks at no fewer nodes than this.
const LEAST_FEASIBLE: usize = 100;
/// … and at no smaller share of them, in percent.
const LEAST_PERCENTAGE: usize = 5;

/// The engine: the cluster's state and where it stands in going round the nodes.
#[derive(Debug)]
pub struct Engine {
    /// What is known of the cluster.
    pub cluster: Cluster,
    pub(crate) budgets: Budgets,
    pub(crate) random: Random,
    next_start: usize,
    percentage: usize,
}

impl Engine {
    /// An engine without nodes. All that upstream leaves to chance follows from the seed.
    pub fn new(seed: u64) -> Self {
        Self {
            cluster: Cluster::new(),
            budgets: Budgets::default(),
            random: Random::new(seed),
            next_start: 0,
            percentage: 0,
        }
    }

    /// Which percentage of the nodes is searched for feasible ones (`percentageOfNodesToScore`);
    /// 0 lets it follow from their number.
    #[must_use]
    pub fn with_percentage(mut self, percentage: u8) -> Self {
        self.percentage = usize::from(percentage.min(100));
        self
    }

    /// A PodDisruptionBudget with its status.
    pub fn set_budget(&mut self, budget: &Value) {
        self.budgets.set(budget);
    }

    /// A PodDisruptionBudget is gone.
    pub fn remove_budget(&mut self, namespace: &str, name: &str) {
        self.budgets.remove(namespace, name);
    }

    /// A pod was made to go, and no controller will say what that leaves of its budgets.
    pub fn note_disruption(&mut self, pod: &PodInfo) {
        self.budgets.note(pod);
    }

    /// How many feasible nodes are enough, as upstream's `numFeasibleNodesToFind`.
    fn enough(&self, nodes: usize) -> usize {
        if nodes < LEAST_FEASIBLE {
            return nodes;
        }
        let percentage = match self.percentage {
            0 => 50_usize.saturating_sub(nodes / 125).max(LEAST_PERCENTAGE),
            percentage => percentage,
        };
        (nodes.saturating_mul(percentage) / 100).max(LEAST_FEASIBLE)
    }

    /// Finds a node for the pod. Nothing is changed but the place where the next search starts;
    /// the caller binds the pod and then tells with `Cluster::set_pod`.
    pub fn schedule(&mut self, pod: &PodInfo) -> Result<Placement, Diagnosis> {
        self.cluster.refresh_order();
        let nodes = self.cluster.order().len();
        let mut diagnosis = Diagnosis {
            nodes,
            ..Diagnosis::default()
        };
        if nodes == 0 {
            return Err(diagnosis);
        }
        if let Some(refusal) = self.refuse(pod) {
            diagnosis.refusal = Some(refusal);
            return Err(diagnosis);
        }
        let registered = cycle::register(&mut self.cluster, pod);
        let soft = score::register(&mut self.cluster, pod);
        let view = View::new(&self.cluster, pod, &registered);
        let filters = Filters::new(&view);
        let nominated = match self.cluster.nomination(&pod.key) {
            Some(node) => Some(node),
            None => Some(pod.nominated_node.as_str()).filter(|node| !node.is_empty()),
        };
        let mut found = Search::default();
        if let Some(id) = nominated.and_then(|node| self.cluster.id(node)) {
            found.look(&filters, id);
        }
        if found.feasible.is_empty() {
            let refused = std::mem::take(&mut found.misfits).pop();
            let only = pod.required_nodes.names();
            let candidates: Vec<NodeId> = match &only {
                Some(names) => {
                    // What the nominated node lacks is told along, as upstream does.
                    let nominated = refused.as_ref().and_then(|(_, misfit)| misfit.plugin());
                    diagnosis.excluded_by = [Some(Plugin::NodeAffinity), nominated];
                    names
                        .iter()
                        .filter_map(|name| self.cluster.id(name))
                        .collect()
                }
                None => Vec::new(),
            };
            let order = if only.is_some() {
                &candidates
            } else {
                self.cluster.order()
            };
            let enough = self.enough(order.len());
            let start = self.next_start.checked_rem(order.len()).unwrap_or(0);
            let (before, after) = order.split_at(start);
            for id in after.iter().chain(before) {
                found.look(&filters, *id);
                if found.feasible.len() >= enough {
                    break;
                }
            }
            // What was said of the nominated node stands if the search does not come by it.
            found
                .misfits
                .extend(refused.filter(|(id, _)| !found.has(*id)));
            self.next_start = (self.next_start + found.evaluated()) % nodes;
        }
        if found.feasible.is_empty() {
            for (id, misfit) in found.misfits {
                if let Some(node) = self.cluster.get(id) {
                    diagnosis.ids.push(id);
                    let name = Arc::clone(&node.shared_name);
                    diagnosis.misfits.push((name, misfit));
                }
            }
            return Err(diagnosis);
        }
        let name = |id: NodeId| {
            let node = self.cluster.get(id);
            node.map(|node| node.name.clone()).unwrap_or_default()
        };
        let (evaluated, feasible) = (found.evaluated(), found.feasible.len());
        if let [only] = found.feasible.as_slice() {
            return Ok(Placement {
                node: name(*only),
                evaluated,
                feasible,
                scores: Vec::new(),
                equals: 1,
            });
        }
        let scored = score::all(&self.cluster, pod, &soft, &found.feasible);
        let mut sums = vec![0_i64; found.feasible.len()];
        for plugin in &scored {
            for (sum, score) in sums.iter_mut().zip(&plugin.scores) {
                *sum += plugin.weight * score;
            }
        }
        let most = sums.iter().copied().max().unwrap_or(0);
        let equals = sums.iter().filter(|sum| **sum == most).count();
        let drawn = self.random.below(equals);
        let best = sums
            .iter()
            .enumerate()
            .filter(|(_, sum)| **sum == most)
            .nth(drawn)
            .map_or(0, |(place, _)| place);
        Ok(Placement {
            node: found
                .feasible
                .get(best)
                .copied()
                .map(name)
                .unwrap_or_default(),
            evaluated,
            feasible,
            scores: at_place(&scored, best),
            equals,
        })
    }

    /// What can be said against the pod before looking at any node.
    fn refuse(&self, pod: &PodInfo) -> Option<Refusal> {
        if pod
            .required_nodes
            .names()
            .is_some_and(|names| names.is_empty())
        {
            return Some(Refusal {
                plugin: Plugin::NodeAffinity,
                message: "pod affinity terms conflict".to_owned(),
            });
        }
        let (plugin, message) = self.cluster.storage.refuse(pod)?;
        Some(Refusal { plugin, message })
    }

    /// What every node is to the pod, in the order of arrival: its scores among all that fit, or
    /// what keeps the pod off. Nothing is chosen; that claims cannot be used anywhere is not
    /// looked at.
    pub fn evaluate(&mut self, pod: &PodInfo) -> Vec<Verdict> {
        self.cluster.refresh_order();
        let registered = cycle::register(&mut self.cluster, pod);
        let soft = score::register(&mut self.cluster, pod);
        let view = View::new(&self.cluster, pod, &registered);
        let filters = Filters::new(&view);
        let mut found = Search::default();
        for id in self.cluster.order() {
            found.look(&filters, *id);
        }
        let scored = score::all(&self.cluster, pod, &soft, &found.feasible);
        let name = |id: NodeId| self.cluster.get(id).map(|node| node.name.clone());
        let mut verdicts = Vec::new();
        for (place, id) in found.feasible.iter().enumerate() {
            verdicts.extend(name(*id).map(|node| Verdict {
                node,
                result: Ok(at_place(&scored, place)),
            }));
        }
        for (id, misfit) in found.misfits {
            verdicts.extend(name(id).map(|node| Verdict {
                node,
                result: Err(misfit),
            }));
        }
        verdicts
    }
}

/// The scores of one of the nodes.
fn at_place(scored: &[score::Scored], place: usize) -> Vec<PluginScore> {
    scored
        .iter()
        .map(|plugin| PluginScore {
            plugin: plugin.plugin,
            score: plugin.scores.get(place).copied().unwrap_or(0),
            weight: plugin.weight,
        })
        .collect()
}

/// What a node is to a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The node.
    pub node: String,
    /// Its scores, or what keeps the pod off.
    pub result: Result<Vec<PluginScore>, Misfit>,
}

#[derive(Debug, Default)]
struct Search {
    feasible: Vec<NodeId>,
    misfits: Vec<(NodeId, Misfit)>,
}

impl Search {
    fn look(&mut self, filters: &Filters<'_>, id: NodeId) {
        let Some(node) = filters.view.cluster.get(id) else {
            return;
        };
        match filters.check_with_nominated(id, node, None) {
            None => self.feasible.push(id),
            Some(misfit) => self.misfits.push((id, misfit)),
        }
    }

    fn evaluated(&self) -> usize {
        self.feasible.len() + self.misfits.len()
    }

    fn has(&self, id: NodeId) -> bool {
        self.feasible.contains(&id) || self.misfits.iter().any(|(known, _)| *known == id)
    }
}
