//! Who may do what, and why: the matrix and the picture of roles and bindings.

use crate::page::{Matrix, Page, Picture, Widget};
use analysis::access::{self, resources};
use analysis::graph::{Filter, Graph, graph};
use snapshot::Snapshot;

/// With more nodes than this, rules are left out of the picture.
const WITH_RULES: usize = 5_000;

/// With more nodes than this, there is no picture.
const WITH_PICTURE: usize = 40_000;

/// The sections of the matrix and the picture.
pub(super) fn write(page: &mut Page, snapshot: &Snapshot) {
    let out = page.section("access", "Access");
    out.raw("<p>What bindings give to users, groups and service accounts. Members of ");
    out.raw("<code>system:masters</code> may do everything, whatever the roles say; members of a ");
    out.raw("group what the group may.</p>\n");
    let matrix = access::Matrix::of(snapshot, resources(snapshot), None);
    super::powers::write(out, snapshot, &matrix);
    page.widget("access", Widget::Matrix(Matrix::of(snapshot, &matrix)));

    let out = page.section("graph", "Roles and bindings");
    let drawn = |with_rules| {
        let filter = Filter {
            with_rules,
            ..Filter::default()
        };
        graph(snapshot, &filter)
    };
    let with_rules = drawn(true);
    let picture: Graph = if with_rules.nodes.len() > WITH_RULES {
        drawn(false)
    } else {
        with_rules
    };
    if picture.nodes.is_empty() {
        out.raw("<p>There are no bindings but those that every cluster has.</p>\n");
    } else if picture.nodes.len() > WITH_PICTURE {
        out.raw("<p>The picture would have ")
            .count(picture.nodes.len());
        out.raw(
            " nodes. <code>rampart graph -o html -n NAMESPACE</code> draws a part of it.</p>\n",
        );
    } else {
        out.raw("<p class=\"faint\">What every cluster has is left out. A click shows what is ");
        out.raw("connected; the wheel zooms once the picture was clicked. Dashed in red: what ");
        out.raw("is named and does not exist.</p>\n");
        page.widget("graph", Widget::Picture(Picture::of(&picture)));
    }
}
