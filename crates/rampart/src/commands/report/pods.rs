//! How pods are guarded: the level of the Pod Security Standards that admits each, and its quality
//! of service.

use crate::page::table::Column;
use crate::page::{Page, Table, Widget};
use crate::pods::pods;
use model::registry::Registry;
use pod_security::{Level, LevelVersion, Version, evaluate, strictest};
use snapshot::{Snapshot, Standing};
use std::collections::BTreeMap;

/// The section of all pods.
pub(super) fn write(page: &mut Page, snapshot: &Snapshot) {
    let out = page.section("pods", "Pods");
    let registry = Registry::builtin();
    let mut table = Table::new(&[
        Column::badge("Level").filtered(),
        Column::text("Quality of service").filtered(),
        Column::text("Kind").filtered(),
        Column::code("Namespace").filtered(),
        Column::code("Name"),
        Column::code("Service account").filtered(),
        Column::code("Where"),
        Column::text("Keeps it from restricted").in_detail(),
        Column::text("Reason of its class").in_detail(),
        Column::text("Would not be admitted").in_detail(),
    ]);
    let restricted = LevelVersion::new(Level::Restricted, Version::Latest);
    let mut levels: BTreeMap<&'static str, usize> = BTreeMap::new();
    for pod in pods(snapshot, &registry) {
        let template = pod.template;
        let owner = template.owner;
        if !template.is_outermost() || owner.standing == Standing::Given {
            continue;
        }
        let (metadata, spec) = (template.metadata, template.spec);
        let level = strictest(Version::Latest, metadata, spec).as_str();
        *levels.entry(level).or_default() += 1;
        let violations: Vec<String> = evaluate(restricted, metadata, spec)
            .iter()
            .map(|violation| format!("{}: {violation}", violation.level.as_str()))
            .collect();
        let verdict = pod_resources::explain(&pod.value);
        let place = snapshot.locate(owner, "").map(|at| at.to_string());
        table.row(&[
            level,
            verdict.class.as_str(),
            &owner.kind.kind,
            owner.namespace(),
            owner.name(),
            template.service_account_name(),
            &place.unwrap_or_default(),
            &violations.join("\n"),
            verdict.reason,
            pod.refusal.as_deref().unwrap_or_default(),
        ]);
    }
    if table.is_empty() {
        out.raw("<p>There are no pods.</p>\n");
        return;
    }
    out.raw("<p>The strictest level of the Pod Security Standards that admits each: ");
    for (at, level) in ["privileged", "baseline", "restricted"].iter().enumerate() {
        out.raw(if at == 0 { "" } else { ", " });
        out.count(levels.get(level).copied().unwrap_or_default());
        out.raw(" ").raw(level);
    }
    out.raw(".</p>\n");
    page.widget("pods", Widget::Table(table));
}
