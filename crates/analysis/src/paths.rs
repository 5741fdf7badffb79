//! The ways from a subject to a goal: what an attacker who has come to be the one can do to get
//! to the other.
//!
//! States ("acts as", "runs code in", "knows", "is root on") are linked by techniques. Who may use
//! a technique is asked of `rbac`, rule by rule, so that every link names all grants that allow
//! it. Groups that follow from a name (`system:authenticated`, those of service accounts) count.
//!
//! What is not in the snapshot cannot be a step: the groups that a login system puts a user in,
//! pods that do not exist yet, objects of other API servers. Nodes that no object names are `*`:
//! root on a node of the attacker's choice.

mod cut;
mod dot;
mod expand;
mod holdings;
mod network;
mod policing;
mod powers;
mod query;
mod state;
mod together;
mod world;

pub use dot::dot;
pub(crate) use dot::quoted;
pub use policing::are_policies_in_force;
pub use query::{From, Goal, QueryError};
pub use world::AdmitsPrivileged;

use holdings::GrantId;
use network::Network;
use serde::Serialize;
use snapshot::{Citation, Snapshot};
use state::State;
use std::collections::HashSet;
use world::World;

/// How many steps the listing of all paths may take.
const EFFORT: usize = 2_000_000;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Query {
    /// Where the attacker begins.
    pub from: From,
    /// Groups that a user is in, beside those that follow from the name.
    pub groups: Vec<String>,
    /// What the attacker wants.
    pub to: Goal,
    /// Lists all paths of at most this length, instead of the shortest.
    pub max_length: Option<u32>,
    /// How many paths are listed at most.
    pub most: usize,
    /// Whether pods are held to PodSecurityPolicies; unless it is said, [`are_policies_in_force`]
    /// says it.
    pub policies_in_force: Option<bool>,
}

/// The ways that there are.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Paths {
    /// Paths, short ones first: of one start and goal all that are shortest (or as long as was
    /// asked for), otherwise a shortest one for each start or goal.
    pub paths: Vec<Path>,
    /// Whether there are more than are listed.
    pub truncated: bool,
    /// What would have to go so that no path is left.
    pub cut: CutSet,
    /// How many states and links were looked at. Not part of the answer, which is the same for
    /// manifests and for a cluster that has nodes and system pods besides.
    #[serde(skip)]
    pub examined: Examined,
}

/// How large the question was.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Examined {
    /// What can be reached from the start.
    pub states: usize,
    /// The links between that.
    pub links: usize,
}

/// One way.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Path {
    /// Where it begins.
    pub from: String,
    /// Where it ends.
    pub to: String,
    /// How many steps; those that may fail count double, memberships nothing.
    pub length: u32,
    /// Whether every step works for certain, and not only if something else helps.
    pub certain: bool,
    /// The steps.
    pub steps: Vec<Step>,
}

/// One step of a way.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What the attacker holds before it.
    pub from: String,
    /// And after it.
    pub to: String,
    /// The technique's stable name, such as `create-pod`.
    pub technique: &'static str,
    /// What the attacker does.
    pub text: String,
    /// Whether it works for certain.
    pub certain: bool,
    /// Whether each of its grants has others beside it that allow the same.
    pub alternatives: usize,
    /// The objects that allow it: of each grant that is needed the first.
    pub because: Vec<Citation>,
}

/// What would have to go.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CutSet {
    /// The grants: subjects to be taken out of bindings.
    pub grants: Vec<CutGrant>,
    /// Whether no smaller set has the effect.
    pub exact: bool,
    /// Every set with the effect has at least this many grants.
    pub at_least: usize,
    /// Goals that stay within reach whatever is taken away: what leads there is in pods, or given
    /// in every cluster.
    pub unavoidable: Vec<String>,
}

/// A subject of a binding.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CutGrant {
    /// In upstream's words: `RoleBinding "b/ns" of Role "r" to User "u"`.
    pub text: String,
    /// The binding, with the subject's field.
    #[serde(flatten)]
    pub binding: Option<Citation>,
}

/// Answers a question. `admits_privileged` tells of a namespace whether pod security lets a
/// privileged pod in.
pub fn find(
    snapshot: &Snapshot,
    query: &Query,
    admits_privileged: &AdmitsPrivileged<'_>,
) -> Result<Paths, QueryError> {
    let is_policed = query
        .policies_in_force
        .unwrap_or_else(|| are_policies_in_force(snapshot));
    let mut world = World::of(snapshot, admits_privileged, is_policed);
    let starts = query.from.states(&mut world, &query.groups)?;
    query.to.prepare(&mut world);
    let begun: HashSet<State> = starts.iter().cloned().collect();
    let is_goal = |state: &State| query.to.is_met(state) && !begun.contains(state);
    let past_goals = matches!(query.to, Goal::Anything);
    let mut network = Network::explore(&world, starts, is_goal, past_goals);
    if past_goals {
        network.drop_goals_within(&State::AnyNode, |state| matches!(state, State::Node(_)));
    }
    let (chains, truncated) = chains(&network, query);
    let mut paths: Vec<Path> = chains
        .iter()
        .filter_map(|chain| path(&world, &network, chain))
        .collect();
    if query.max_length.is_none() {
        paths.sort_by_key(|path| (path.length, !path.certain));
    }
    let grants = world.holdings.grants.len();
    let is_fixed = |id: GrantId| world.holdings.grants.get(id).is_none_or(|g| g.fixed);
    let cut = cut::cut(&mut network, grants, is_fixed);
    Ok(Paths {
        paths,
        truncated,
        cut: CutSet {
            grants: cut
                .grants
                .iter()
                .filter_map(|id| cut_grant(&world, *id))
                .collect(),
            exact: cut.exact,
            at_least: cut.at_least,
            unavoidable: cut
                .beyond
                .iter()
                .filter_map(|at| Some(world.title(network.states.get(*at)?)))
                .collect(),
        },
        examined: Examined {
            states: network.states.len(),
            links: network.links.len(),
        },
    })
}

/// The chains of links to be listed.
fn chains(network: &Network, query: &Query) -> (Vec<Vec<usize>>, bool) {
    let nothing = HashSet::new();
    let mut chains: Vec<(u32, Vec<usize>)> = Vec::new();
    if let Some(limit) = query.max_length {
        let listing = network.simple_paths(limit, query.most, EFFORT);
        return (listing.paths, listing.truncated);
    }
    if matches!(query.to, Goal::Anything) {
        let ways = network.after_starts(&nothing);
        for goal in network.goals() {
            if let Some(cost) = ways.cost(*goal) {
                chains.push((cost, network.path_to(*goal, &ways)));
            }
        }
    } else {
        let ways = network.to_goals(&nothing);
        if let [start] = network.starts.as_slice() {
            let limit = ways.cost(*start);
            let listing = limit.map(|limit| network.simple_paths(limit, query.most, EFFORT));
            let listing = listing.unwrap_or_default();
            return (listing.paths, listing.truncated);
        }
        for start in &network.starts {
            if let Some(cost) = ways.cost(*start) {
                chains.push((cost, network.path_from(*start, &ways)));
            }
        }
    }
    chains.sort_by_key(|(cost, _)| *cost);
    let truncated = chains.len() > query.most;
    chains.truncate(query.most);
    let chains = chains.into_iter().map(|(_, chain)| chain).collect();
    (chains, truncated)
}

/// A chain in words: what leads through passing states is one step.
fn path(world: &World<'_>, network: &Network, chain: &[usize]) -> Option<Path> {
    let links = || chain.iter().filter_map(|at| network.link(*at));
    let state = |at: usize| network.states.get(at);
    let mut steps: Vec<Step> = Vec::new();
    let mut begun: Option<Step> = None;
    for link in links() {
        let (from, to) = (state(link.from)?, state(link.to)?);
        let mut step = begun.take().unwrap_or_else(|| Step {
            from: world.title(from),
            to: String::new(),
            technique: link.edge.technique,
            text: String::new(),
            certain: true,
            alternatives: 0,
            because: Vec::new(),
        });
        if !link.edge.text.is_empty() {
            if !step.text.is_empty() {
                step.text.push(' ');
            }
            step.text.push_str(&link.edge.text);
        }
        if step.technique.is_empty() {
            step.technique = link.edge.technique;
        }
        step.certain &= link.edge.certain;
        for clause in &link.edge.needs {
            step.alternatives += clause.len().saturating_sub(1);
            step.because.extend(
                clause
                    .first()
                    .into_iter()
                    .flat_map(|need| world.cite(*need)),
            );
        }
        for fact in &link.edge.facts {
            let object = world.snapshot.get(fact.object);
            step.because
                .extend(object.map(|object| world.snapshot.cite(object, &fact.field)));
        }
        if to.is_passing() {
            begun = Some(step);
        } else {
            step.to = world.title(to);
            steps.push(step);
        }
    }
    Some(Path {
        from: steps.first()?.from.clone(),
        to: steps.last()?.to.clone(),
        length: links().map(|link| link.cost).sum(),
        certain: steps.iter().all(|step| step.certain),
        steps,
    })
}

fn cut_grant(world: &World<'_>, id: GrantId) -> Option<CutGrant> {
    let grant = world.holdings.grants.get(id)?;
    let because = grant.because(0);
    Some(CutGrant {
        text: because.to_string(),
        binding: world.snapshot.because(&because).into_iter().next(),
    })
}

#[cfg(test)]
mod tests;
