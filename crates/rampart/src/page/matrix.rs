//! Who may do what: subjects by resources, where a cell opens into verbs.

use super::html::visible;
use analysis::access::{self, Access, Cells, VERBS};
use rbac::Subject;
use serde_json::{Value, json};
use snapshot::{Snapshot, Standing};
use std::collections::HashMap;

/// How the browser shows it.
pub(super) const SCRIPT: &str = include_str!("matrix.js");

/// The resources that are shown before anybody asks for others: what leads to more.
const WORTH_SEEING: [(&str, &str, &str); 16] = [
    ("", "secrets", ""),
    ("", "pods", ""),
    ("", "pods", "exec"),
    ("apps", "deployments", ""),
    ("apps", "daemonsets", ""),
    ("batch", "cronjobs", ""),
    ("", "configmaps", ""),
    ("", "serviceaccounts", ""),
    ("", "serviceaccounts", "token"),
    ("", "namespaces", ""),
    ("", "nodes", ""),
    ("", "nodes", "proxy"),
    ("rbac.authorization.k8s.io", "roles", ""),
    ("rbac.authorization.k8s.io", "clusterroles", ""),
    ("rbac.authorization.k8s.io", "clusterrolebindings", ""),
    (
        "admissionregistration.k8s.io",
        "validatingwebhookconfigurations",
        "",
    ),
];

/// A matrix.
pub(crate) struct Matrix {
    data: Value,
}

impl Matrix {
    /// The matrix of all subjects. What many subjects have alike stands in it once.
    pub(crate) fn of(snapshot: &Snapshot, matrix: &access::Matrix) -> Self {
        let mut profiles: Vec<Value> = Vec::new();
        let mut places: HashMap<Vec<(usize, Cells)>, usize> = HashMap::new();
        let mut rows = Vec::new();
        for row in &matrix.rows {
            let cells: Vec<(usize, Cells)> = row.cells.iter().map(|(at, c)| (*at, *c)).collect();
            let place = *places.entry(cells).or_insert_with_key(|cells| {
                let cells = cells.iter().map(|(at, cells)| {
                    json!([at, bits(*cells, Access::Yes), bits(*cells, Access::Named)])
                });
                profiles.push(cells.collect());
                profiles.len() - 1
            });
            let bindings: Vec<_> = row
                .bindings
                .iter()
                .filter_map(|id| snapshot.get(*id))
                .collect();
            let given = bindings.iter().all(|b| b.standing == Standing::Given);
            let mut bindings: Vec<String> = bindings.iter().map(|b| visible(&b.title())).collect();
            bindings.sort_unstable();
            bindings.dedup();
            let (kind, name) = named(&row.subject);
            rows.push(json!({
                "k": kind,
                "n": visible(&name),
                "s": visible(&row.namespace),
                "p": place,
                "g": u8::from(given),
                "b": bindings,
            }));
        }
        let resources: Vec<String> = matrix
            .resources
            .iter()
            .map(|resource| visible(&resource.to_string()))
            .collect();
        let chosen: Vec<usize> = WORTH_SEEING
            .iter()
            .filter_map(|(group, name, sub)| {
                matrix
                    .resources
                    .iter()
                    .position(|r| r.group == *group && r.resource == *name && r.subresource == *sub)
            })
            .collect();
        Self {
            data: json!({
                "verbs": VERBS,
                "resources": resources,
                "chosen": chosen,
                "profiles": profiles,
                "rows": rows,
            }),
        }
    }

    pub(super) fn into_data(self) -> Value {
        self.data
    }
}

/// The kind of a subject, and its name.
pub(crate) fn named(subject: &Subject) -> (&'static str, String) {
    match subject {
        Subject::User(name) => ("User", name.clone()),
        Subject::Group(name) => ("Group", name.clone()),
        Subject::ServiceAccount { namespace, name } => {
            ("ServiceAccount", format!("{namespace}/{name}"))
        }
    }
}

/// The verbs of one degree, as bits in the order of [`VERBS`].
fn bits(cells: Cells, degree: Access) -> u32 {
    let verbs = (0..VERBS.len()).filter(|at| cells.access(*at) == degree);
    verbs.fold(0, |bits, at| bits | 1 << at)
}
