//! All states that can be reached, numbered, and the searches over them.

use super::holdings::GrantId;
use super::state::{Edge, Need, State};
use super::world::World;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

/// A link between two numbered states.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) edge: Edge,
    /// Steps out of passing states, and from a subject to its groups, are free; uncertain ones
    /// count double.
    pub(crate) cost: u32,
}

/// Everything that can be reached from some states.
#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(crate) states: Vec<State>,
    pub(crate) links: Vec<Link>,
    out: Vec<Vec<usize>>,
    into: Vec<Vec<usize>>,
    pub(crate) starts: Vec<usize>,
    goals: Vec<usize>,
    is_goal: Vec<bool>,
}

/// Cheapest ways between each state and some others.
#[derive(Debug)]
pub(crate) struct Ways {
    pub(crate) costs: Vec<u32>,
    /// The link next to the state.
    via: Vec<Option<usize>>,
}

impl Ways {
    /// The cost for a state; none if there is no way.
    pub(crate) fn cost(&self, state: usize) -> Option<u32> {
        self.costs.get(state).copied().filter(|cost| *cost != FAR)
    }
}

/// What no search reaches.
const FAR: u32 = u32::MAX;

/// Some paths, and whether there are more.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Each a chain of links.
    pub(crate) paths: Vec<Vec<usize>>,
    pub(crate) truncated: bool,
}

impl Network {
    /// Explores from the starts. Goals are not explored further unless all of them are asked
    /// for.
    pub(crate) fn explore(
        world: &World<'_>,
        starts: Vec<State>,
        is_goal: impl Fn(&State) -> bool,
        past_goals: bool,
    ) -> Self {
        let mut network = Self::default();
        let mut numbers: HashMap<State, usize> = HashMap::new();
        for state in starts {
            let number = network.number(state, &mut numbers);
            // A state that was met before has a smaller number.
            if number == network.starts.len() {
                network.starts.push(number);
            }
        }
        let mut goals = Vec::new();
        let mut next = 0;
        while let Some(state) = network.states.get(next).cloned() {
            let goal = is_goal(&state);
            if goal {
                goals.push(next);
            }
            if !goal || past_goals {
                for edge in world.edges(&state) {
                    let to = network.number(edge.to.clone(), &mut numbers);
                    let free = state.is_passing() || edge.technique == "member";
                    let cost = if free { 0 } else { 1 } + u32::from(!edge.certain);
                    let link = network.links.len();
                    network.links.push(Link {
                        from: next,
                        to,
                        edge,
                        cost,
                    });
                    if let Some(out) = network.out.get_mut(next) {
                        out.push(link);
                    }
                    if let Some(into) = network.into.get_mut(to) {
                        into.push(link);
                    }
                }
            }
            next += 1;
        }
        network.set_goals(goals);
        network
    }

    fn number(&mut self, state: State, numbers: &mut HashMap<State, usize>) -> usize {
        *numbers.entry(state.clone()).or_insert_with(|| {
            self.states.push(state);
            self.out.push(Vec::new());
            self.into.push(Vec::new());
            self.states.len() - 1
        })
    }

    pub(crate) fn goals(&self) -> &[usize] {
        &self.goals
    }

    pub(crate) fn link(&self, at: usize) -> Option<&Link> {
        self.links.get(at)
    }

    /// If `whole` is within reach, takes from the goals what is only a part of it.
    pub(crate) fn drop_goals_within(&mut self, whole: &State, is_part: impl Fn(&State) -> bool) {
        if self.states.contains(whole) {
            let states = &self.states;
            let is_kept = |goal: &usize| states.get(*goal).is_some_and(|state| !is_part(state));
            let goals = self.goals.iter().copied().filter(is_kept).collect();
            self.set_goals(goals);
        }
    }

    /// Makes these states the goals.
    pub(crate) fn set_goals(&mut self, goals: Vec<usize>) {
        self.is_goal = vec![false; self.states.len()];
        for goal in &goals {
            if let Some(flag) = self.is_goal.get_mut(*goal) {
                *flag = true;
            }
        }
        self.goals = goals;
    }

    fn is_goal(&self, state: usize) -> bool {
        self.is_goal.get(state).copied().unwrap_or_default()
    }

    /// The cheapest ways from every state to the nearest goal without the removed grants.
    pub(crate) fn to_goals(&self, removed: &HashSet<GrantId>) -> Ways {
        self.ways(&self.goals, &self.into, removed, |link| link.from)
    }

    /// The cheapest ways from the nearest start to every state.
    pub(crate) fn after_starts(&self, removed: &HashSet<GrantId>) -> Ways {
        self.ways(&self.starts, &self.out, removed, |link| link.to)
    }

    fn ways(
        &self,
        seeds: &[usize],
        next: &[Vec<usize>],
        removed: &HashSet<GrantId>,
        end: impl Fn(&Link) -> usize,
    ) -> Ways {
        let mut costs = vec![FAR; self.states.len()];
        let mut via = vec![None; self.states.len()];
        let mut queue = BinaryHeap::new();
        for seed in seeds {
            if let Some(cost) = costs.get_mut(*seed) {
                *cost = 0;
                queue.push(Reverse((0, *seed)));
            }
        }
        while let Some(Reverse((cost, here))) = queue.pop() {
            if costs.get(here).is_none_or(|known| *known < cost) {
                continue;
            }
            for at in next.get(here).into_iter().flatten() {
                let Some(link) = self.links.get(*at) else {
                    continue;
                };
                if !is_alive(&link.edge, removed) {
                    continue;
                }
                let there = end(link);
                let sum = cost.saturating_add(link.cost);
                if let (Some(known), Some(via)) = (costs.get_mut(there), via.get_mut(there))
                    && sum < *known
                {
                    *known = sum;
                    *via = Some(*at);
                    queue.push(Reverse((sum, there)));
                }
            }
        }
        Ways { costs, via }
    }

    /// The links from a state to its nearest goal, by what [`Network::to_goals`] found.
    pub(crate) fn path_from(&self, start: usize, ways: &Ways) -> Vec<usize> {
        let mut path = Vec::new();
        let mut here = start;
        while let Some(at) = ways.via.get(here).copied().flatten()
            && let Some(link) = self.links.get(at)
        {
            path.push(at);
            here = link.to;
        }
        path
    }

    /// The links from the nearest start to a state, by what [`Network::after_starts`] found.
    pub(crate) fn path_to(&self, goal: usize, ways: &Ways) -> Vec<usize> {
        let mut path = Vec::new();
        let mut here = goal;
        while let Some(at) = ways.via.get(here).copied().flatten()
            && let Some(link) = self.links.get(at)
        {
            path.push(at);
            here = link.from;
        }
        path.reverse();
        path
    }

    /// All paths from a start to a goal that pass no state twice and cost at most `limit`, cheap
    /// ones first; no more than `most`, and after no more than `effort` steps.
    pub(crate) fn simple_paths(&self, limit: u32, most: usize, mut effort: usize) -> Listing {
        let costs = self.to_goals(&HashSet::new()).costs;
        let mut listing = Listing::default();
        // One round per length, so that what is cut off is the longest.
        let nearest = self
            .starts
            .iter()
            .filter_map(|start| costs.get(*start))
            .min();
        let Some(&nearest) = nearest else {
            return listing;
        };
        for exact in nearest..=limit {
            if nearest == FAR {
                break;
            }
            for start in &self.starts {
                let mut path = Vec::new();
                let mut seen = HashSet::from([*start]);
                let mut stack = vec![(*start, 0_u32, 0_usize)];
                while let Some((here, spent, turn)) = stack.last_mut() {
                    if effort == 0 || listing.paths.len() >= most {
                        listing.truncated = true;
                        return listing;
                    }
                    effort -= 1;
                    let (here, spent) = (*here, *spent);
                    let is_goal = self.is_goal(here);
                    if is_goal && *turn == 0 && spent == exact {
                        listing.paths.push(path.clone());
                    }
                    let link = self
                        .out
                        .get(here)
                        .and_then(|out| out.get(*turn))
                        .filter(|_| !is_goal);
                    let Some(at) = link else {
                        stack.pop();
                        path.pop();
                        seen.remove(&here);
                        continue;
                    };
                    *turn += 1;
                    let Some(link) = self.links.get(*at) else {
                        continue;
                    };
                    let rest = costs.get(link.to).copied().unwrap_or(FAR);
                    let sum = spent.saturating_add(link.cost).saturating_add(rest);
                    if sum <= exact && seen.insert(link.to) {
                        path.push(*at);
                        stack.push((link.to, spent.saturating_add(link.cost), 0));
                    }
                }
            }
        }
        listing
    }
}

/// Whether an edge still works without some grants.
pub(crate) fn is_alive(edge: &Edge, removed: &HashSet<GrantId>) -> bool {
    removed.is_empty()
        || edge
            .needs
            .iter()
            .all(|clause| clause.iter().any(|n: &Need| !removed.contains(&n.grant)))
}
