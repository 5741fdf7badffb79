//! The ways of an attacker who has come to own a pod.

use super::super::paths::admits_privileged;
use crate::page::{Page, paths as page_paths};
use analysis::paths::{self, From, Goal, Paths, Query};
use snapshot::Snapshot;

/// How many ways to one goal are listed.
const MOST: usize = 50;

/// The ways to one sort of goal.
pub(super) struct Way {
    title: &'static str,
    /// In the summary, after their number.
    pub(super) tile: &'static str,
    /// Whether the goal is everything.
    pub(super) is_worst: bool,
    pub(super) found: Paths,
}

/// Looks for ways from any pod, and (to everything) from any subject.
pub(super) fn ways(snapshot: &Snapshot) -> Vec<Way> {
    let questions = [
        (
            From::AnyPod,
            Goal::ClusterAdmin,
            "From a pod to everything",
            "pods \u{2192} everything",
            true,
        ),
        (
            From::AnyPod,
            Goal::AnyNode,
            "From a pod to a node",
            "pods \u{2192} a node",
            true,
        ),
        (
            From::AnyPod,
            Goal::Anything,
            "From a pod to secrets, namespaces and whatever else is worth having",
            "goals within reach of pods",
            false,
        ),
        (
            From::Anything,
            Goal::ClusterAdmin,
            "From a user, group or service account to everything",
            "subjects or pods \u{2192} everything",
            false,
        ),
    ];
    let admits = |namespace: &str| admits_privileged(snapshot, namespace);
    questions
        .into_iter()
        .filter_map(|(from, to, title, tile, is_worst)| {
            let query = Query {
                from,
                groups: Vec::new(),
                to,
                max_length: None,
                most: MOST,
                policies_in_force: None,
            };
            // These questions name no object that could be missing.
            let found = paths::find(snapshot, &query, &admits).ok()?;
            Some(Way {
                title,
                tile,
                is_worst,
                found,
            })
        })
        .collect()
}

/// The section of all ways.
pub(super) fn write(page: &mut Page, ways: &[Way]) {
    let out = page.section("paths", "Attack paths");
    out.raw("<p>What an attacker can come to who has broken into a pod, or become a user: each ");
    out.raw("step with the grant or field that allows it, the shortest ways first, and the ");
    out.raw("smallest set of grants whose removal cuts all of them.</p>\n");
    for way in ways {
        out.element("h3", way.title);
        page_paths::write(out, &way.found);
    }
}
