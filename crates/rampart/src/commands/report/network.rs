//! What the network lets through.

use crate::page::table::Column;
use crate::page::{Page, Table, Widget};
use analysis::network::SnapshotNetwork;
use snapshot::Snapshot;

/// The section of the network.
pub(super) fn write(page: &mut Page, snapshot: &Snapshot, network: &SnapshotNetwork<'_>) {
    let out = page.section("network", "Network");
    let policies = snapshot.of(network_policy::GROUP, "networkpolicies").len();
    out.raw("<p>").count(policies).raw(if policies == 1 {
        " network policy"
    } else {
        " network policies"
    });
    out.raw(". What they leave open, and where they do not do what they seem to:</p>\n");
    let mut table = Table::new(&[
        Column::badge("Severity").filtered(),
        Column::code("Code").filtered(),
        Column::text("Kind").filtered(),
        Column::code("Namespace").filtered(),
        Column::code("Name"),
        Column::text("Found"),
        Column::code("Where"),
    ]);
    let mut findings = analysis::lint::lint(snapshot, network);
    findings.sort_by_key(|linted| std::cmp::Reverse(linted.finding.severity));
    for linted in findings {
        let (finding, cited) = (&linted.finding, &linted.citation);
        let of =
            |text: fn(&snapshot::Citation) -> String| cited.as_ref().map_or(String::new(), text);
        table.row(&[
            finding.severity.as_str(),
            linted.code.as_str(),
            &of(|c| c.kind.clone()),
            // Namespaces are about themselves.
            &of(|c| {
                let own = if c.kind == "Namespace" {
                    &c.name
                } else {
                    &c.namespace
                };
                own.clone()
            }),
            &of(|c| c.name.clone()),
            &finding.message,
            &of(|c| {
                c.location
                    .as_ref()
                    .map_or_else(|| c.field.clone(), ToString::to_string)
            }),
        ]);
    }
    if table.is_empty() {
        out.raw("<p class=\"good\">Nothing was found.</p>\n");
    } else {
        page.widget("network", Widget::Table(table));
    }
    let exposed = super::exposure::table(snapshot);
    let out = page.body();
    out.element("h3", "Open to the outside");
    if exposed.is_empty() {
        out.raw("<p>No service, ingress or port of a node is open to the outside.</p>\n");
    } else {
        page.widget("exposure", Widget::Table(exposed));
    }
}
