//! The smallest set of grants whose removal leaves no path.
//!
//! One grant may serve many edges, so that this is no flow problem but a hitting set: each path
//! must lose one of the grants (or, where several allow the same, all of those) that it needs.
//! Paths are found one by one: the smallest set that hits those found so far is taken away, and
//! if a path is left it is added. Once none is left the set is the smallest there is, because
//! even the paths found need that many. Where that takes too long, the grants on the narrower of
//! two borders are taken: around what needs no grant to reach, or around the goals.

use super::holdings::GrantId;
use super::network::Network;
use super::state::Edge;
use std::collections::{BTreeSet, HashSet};

/// How many paths are looked at before the border is taken.
const MAX_PATHS: usize = 300;
/// How many sets are tried for the paths found so far.
const MAX_TRIES: usize = 200_000;

/// What has to go.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    pub(crate) grants: BTreeSet<GrantId>,
    /// Goals that are reached without any grant that could be taken away.
    pub(crate) beyond: Vec<usize>,
    /// No smaller set has the effect.
    pub(crate) exact: bool,
    /// Every set with the effect has at least this many.
    pub(crate) at_least: usize,
}

type Choice = BTreeSet<GrantId>;

/// The sets of grants of which any one, taken away, breaks an edge.
fn choices<'a>(
    edge: &'a Edge,
    is_fixed: &'a impl Fn(GrantId) -> bool,
) -> impl Iterator<Item = Choice> + 'a {
    edge.needs
        .iter()
        .filter(|clause| !clause.iter().any(|need| is_fixed(need.grant)))
        .map(|clause| clause.iter().map(|need| need.grant).collect())
}

/// Finds the cut between the starts and the goals of a network. Grants that every cluster has
/// are not taken away.
pub(crate) fn cut(network: &mut Network, grants: usize, is_fixed: impl Fn(GrantId) -> bool) -> Cut {
    let goals = network.goals().to_vec();
    let removable: HashSet<GrantId> = (0..grants).filter(|grant| !is_fixed(*grant)).collect();
    let left = network.after_starts(&removable);
    let (beyond, within): (Vec<usize>, Vec<usize>) =
        goals.iter().partition(|goal| left.cost(**goal).is_some());
    network.set_goals(within);
    let mut cut = exact(network, &is_fixed)
        .unwrap_or_else(|at_least| border(network, &removable, &is_fixed, at_least));
    cut.beyond = beyond;
    network.set_goals(goals);
    cut
}

/// The smallest set, or at least how large it is.
fn exact(network: &Network, is_fixed: &impl Fn(GrantId) -> bool) -> Result<Cut, usize> {
    let mut paths: Vec<Vec<Choice>> = Vec::new();
    // Of a path that can be broken in one way only, that way is taken: nothing to search for.
    let mut forced = BTreeSet::new();
    let mut best = BTreeSet::new();
    for _ in 0..MAX_PATHS {
        let removed: HashSet<GrantId> = best.iter().copied().collect();
        let ways = network.to_goals(&removed);
        let nearest = network
            .starts
            .iter()
            .filter_map(|start| Some((ways.cost(*start)?, *start)))
            .min();
        let Some((_, start)) = nearest else {
            return Ok(Cut {
                at_least: best.len(),
                grants: best,
                beyond: Vec::new(),
                exact: true,
            });
        };
        let mut found: Vec<Choice> = network
            .path_from(start, &ways)
            .into_iter()
            .filter_map(|at| network.link(at))
            .flat_map(|link| choices(&link.edge, is_fixed))
            .collect();
        found.sort_unstable_by_key(|choice| (choice.len(), choice.first().copied()));
        found.dedup();
        match found.as_slice() {
            [only] => forced.extend(only),
            _ => paths.push(found),
        }
        let mut search = Search {
            paths: &paths,
            best: None,
            tries: MAX_TRIES,
        };
        search.run(&mut forced.clone());
        match search.best {
            Some(smallest) if search.tries > 0 => best = smallest,
            _ => return Err(best.len()),
        }
    }
    Err(best.len())
}

/// A search for the smallest set that hits all paths.
struct Search<'p> {
    paths: &'p [Vec<Choice>],
    best: Option<Choice>,
    tries: usize,
}

impl Search<'_> {
    fn run(&mut self, taken: &mut Choice) {
        if self.tries == 0 {
            return;
        }
        self.tries -= 1;
        let is_hit = |path: &&Vec<Choice>| path.iter().any(|choice| choice.is_subset(taken));
        // Paths that share nothing need a grant each.
        let mut apart: BTreeSet<GrantId> = BTreeSet::new();
        let mut more = 0;
        for path in self.paths.iter().filter(|path| !is_hit(path)) {
            let own = || path.iter().flatten().filter(|grant| !taken.contains(grant));
            if !own().any(|grant| apart.contains(grant)) {
                apart.extend(own());
                more += 1;
            }
        }
        let best = self.best.as_ref().map_or(usize::MAX, BTreeSet::len);
        if taken.len().saturating_add(more) >= best {
            return;
        }
        let open = self.paths.iter().filter(|path| !is_hit(path));
        let Some(path) = open.min_by_key(|path| path.len()) else {
            self.best = Some(taken.clone());
            return;
        };
        for choice in path {
            let added: Vec<GrantId> = choice.difference(taken).copied().collect();
            taken.extend(&added);
            self.run(taken);
            for grant in &added {
                taken.remove(grant);
            }
        }
    }
}

/// All grants on the narrower border; a bound, and not always the smallest set.
fn border(
    network: &Network,
    removable: &HashSet<GrantId>,
    is_fixed: &impl Fn(GrantId) -> bool,
    at_least: usize,
) -> Cut {
    let near = network.after_starts(removable);
    let far = network.to_goals(removable);
    let to_goals = network.to_goals(&HashSet::new());
    let mut around_starts = BTreeSet::new();
    let mut around_goals = BTreeSet::new();
    for link in &network.links {
        // The narrowest of what breaks the edge.
        let narrowest = || choices(&link.edge, is_fixed).min_by_key(BTreeSet::len);
        if near.cost(link.from).is_some()
            && near.cost(link.to).is_none()
            && to_goals.cost(link.to).is_some()
        {
            around_starts.extend(narrowest().into_iter().flatten());
        }
        if far.cost(link.to).is_some() && far.cost(link.from).is_none() {
            around_goals.extend(narrowest().into_iter().flatten());
        }
    }
    let grants = if around_goals.len() < around_starts.len() {
        around_goals
    } else {
        around_starts
    };
    Cut {
        grants,
        beyond: Vec::new(),
        exact: false,
        at_least,
    }
}
