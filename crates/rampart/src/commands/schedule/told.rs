//! How decisions are told: their reasons, and the objects that they come from.

use super::wanted::Wanted;
use super::{Decision, Score, Victim};
use crate::output::Because;
use scheduling::{Diagnosis, Placement, PodInfo, Preemption};
use snapshot::{Object, Snapshot};
use std::collections::BTreeMap;

/// The objects that decisions come from.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) input: &'a Snapshot,
    pub(super) nodes: &'a Snapshot,
}

/// Somebody who goes.
pub(super) fn victim(pod: &PodInfo, node: &str) -> Victim {
    Victim {
        namespace: pod.key.namespace.clone(),
        name: pod.key.name.clone(),
        priority: pod.priority,
        node: node.to_owned(),
    }
}

impl Told<'_> {
    /// The question about a pod, and whether it gets as far as the scheduler.
    pub(super) fn question(&self, wanted: &Wanted<'_>, pod: &PodInfo) -> (Decision, bool) {
        let key = &pod.key;
        let mut decision = Decision {
            question: format!("on which node does pod {}/{} run?", key.namespace, key.name),
            kind: wanted.owner.kind.kind.to_string(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            priority: pod.priority,
            allowed: false,
            is_open: false,
            node: None,
            nominated: None,
            reason: String::new(),
            preempts: Vec::new(),
            budgets_violated: 0,
            scores: Vec::new(),
            because: Vec::new(),
        };
        let cite = |field, reason| vec![cite(self.input, wanted.owner, field, reason)];
        if let Some(refusal) = &wanted.refusal {
            decision.reason = format!("not admitted: {refusal}");
            return (decision, false);
        }
        if pod.scheduler_name != scheduler::NAME {
            decision.reason = format!("left to the scheduler \"{}\"", pod.scheduler_name);
            decision.because = cite("spec.schedulerName", "another scheduler's pod");
            return (decision, false);
        }
        if pod.is_gated {
            decision.reason = "Scheduling is blocked due to non-empty scheduling gates".to_owned();
            decision.because = cite("spec.schedulingGates", "scheduling gates keep the pod");
        }
        (decision, true)
    }

    /// Why a pod makes others go, and why there.
    pub(super) fn preemption(&self, plan: &Preemption, diagnosis: &Diagnosis) -> Vec<Because> {
        let why = format!(
            "chosen of {} nodes on which preemption makes room",
            plan.candidates
        );
        let mut because = self.misfits(diagnosis);
        because.extend(self.cite_node(&plan.node, &why));
        because
    }

    /// The pod has a node, of `nodes` in all.
    pub(super) fn placed(&self, decision: &mut Decision, placement: &Placement, nodes: usize) {
        let total: i64 = placement.scores.iter().map(|s| s.score * s.weight).sum();
        let is_room_made =
            !decision.preempts.is_empty() && decision.nominated.as_ref() == Some(&placement.node);
        if is_room_made {
            decision.reason = format!("preemption makes room on {}", placement.node);
        } else {
            let mut reason = match placement.feasible {
                1 => format!("the only one that fits of {} nodes", placement.evaluated),
                fit => format!(
                    "the best of {fit} that fit, of {} nodes (score {total}, {} alike)",
                    placement.evaluated, placement.equals
                ),
            };
            if placement.evaluated < nodes {
                reason.push_str(&format!("; {nodes} in all"));
            }
            let node = self.cite_node(&placement.node, &reason);
            decision.because = node.into_iter().collect();
            decision.reason = reason;
        }
        decision.allowed = true;
        decision.node = Some(placement.node.clone());
        let scores = placement.scores.iter().map(|score| Score {
            plugin: score.plugin,
            score: score.score,
            weight: score.weight,
        });
        decision.scores = scores.collect();
    }

    /// One member for each reason, with the first node that it holds for.
    pub(super) fn misfits(&self, diagnosis: &Diagnosis) -> Vec<Because> {
        let mut reasons: BTreeMap<String, (&str, usize)> = BTreeMap::new();
        for (node, misfit) in &diagnosis.misfits {
            reasons.entry(misfit.to_string()).or_insert((&**node, 0)).1 += 1;
        }
        reasons
            .into_iter()
            .filter_map(|(reason, (node, count))| {
                let text = match count {
                    1 => reason,
                    count => format!("{reason} (and on {} more nodes)", count - 1),
                };
                self.cite_node(node, &text)
            })
            .collect()
    }

    fn cite_node(&self, name: &str, reason: &str) -> Option<Because> {
        let node = self.nodes.find("", "nodes", "", name)?;
        Some(cite(self.nodes, node, "", reason))
    }
}

fn cite(snapshot: &Snapshot, object: &Object, field: &str, reason: &str) -> Because {
    Because {
        reason: reason.to_owned(),
        citation: snapshot.cite(object, field),
    }
}
