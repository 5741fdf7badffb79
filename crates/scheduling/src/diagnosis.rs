//! What came out for every node, and the one message made of it.

use crate::misfit::{Misfit, Plugin};
use crate::topology::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Why a pod fits nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// How many nodes there are.
    pub nodes: usize,
    /// By node, what the first filter that failed says.
    pub misfits: Vec<(Arc<str>, Misfit)>,
    /// The numbers of these nodes, so that preemption need not look them up.
    pub(crate) ids: Vec<NodeId>,
    /// What was said before any node was looked at; then no node was.
    pub refusal: Option<Refusal>,
    /// The plugins that are said to have excluded all nodes which `misfits` does not name.
    pub excluded_by: [Option<Plugin>; 2],
    /// What preemption said.
    pub preemption: Option<String>,
}

/// A reason that has nothing to do with single nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The plugin that says so.
    pub plugin: Plugin,
    /// Upstream's text.
    pub message: String,
}

impl Diagnosis {
    /// The plugins that refused, whose events can change the answer.
    pub fn plugins(&self) -> BTreeSet<Plugin> {
        let nodes = self
            .misfits
            .iter()
            .filter_map(|(_, misfit)| misfit.plugin());
        let refusal = self.refusal.iter().map(|refusal| refusal.plugin);
        let excluded = self.excluded_by.into_iter().flatten();
        nodes.chain(refusal).chain(excluded).collect()
    }

    /// The message of the condition and the event, as upstream's `FitError`.
    pub fn message(&self) -> String {
        if self.nodes == 0 {
            return "no nodes available to schedule pods".to_owned();
        }
        let mut text = match &self.refusal {
            Some(refusal) => format!("0/{} nodes are available: {}.", self.nodes, refusal.message),
            None => {
                let plugins = self.excluded_by.iter().flatten();
                let names: BTreeSet<&str> = plugins.map(|plugin| plugin.name()).collect();
                let names: Vec<&str> = names.into_iter().collect();
                let absent = (!names.is_empty())
                    .then(|| format!("node(s) didn't satisfy plugin(s) [{}]", names.join(" ")));
                let misfits = self.misfits.iter().map(|(_, misfit)| misfit);
                histogram(self.nodes, misfits, absent.as_deref())
            }
        };
        if let Some(preemption) = &self.preemption {
            text.push_str(" preemption: ");
            text.push_str(preemption);
        }
        text
    }
}

/// How often each reason was given; `absent` is the reason of the nodes that are not among the
/// misfits. The parts are sorted as texts, as upstream does.
pub(crate) fn histogram<'a>(
    nodes: usize,
    misfits: impl Iterator<Item = &'a Misfit>,
    absent: Option<&str>,
) -> String {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut seen = 0;
    for misfit in misfits {
        seen += 1;
        misfit.each(|text| match reasons.get_mut(text) {
            Some(count) => *count += 1,
            None => {
                reasons.insert(text.to_owned(), 1);
            }
        });
    }
    if let Some(text) = absent
        && seen < nodes
    {
        *reasons.entry(text.to_owned()).or_default() += nodes - seen;
    }
    let mut parts: Vec<String> = reasons
        .iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    parts.sort_unstable();
    if parts.is_empty() {
        return format!("0/{nodes} nodes are available:");
    }
    format!("0/{nodes} nodes are available: {}.", parts.join(", "))
}
