//! Whatever stands in a manifest, no analysis panics.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use analysis::access::{Matrix, resources};
use analysis::network::SnapshotNetwork;
use analysis::{graph, paths, score};
use model::Value;
use proptest::prelude::*;
use serde_json::json;
use support::{audit, snapshot};

/// The workshop, and workloads, bindings and policies of all kinds.
const MANIFESTS: &[&str] = &[
    include_str!("../../rampart/tests/workshop/05-rolebinding.yaml"),
    include_str!("../../rampart/tests/workshop/06-rbac-example.yaml"),
    include_str!("../../rampart/tests/workshop/07-secret.yaml"),
    include_str!("../../rampart/tests/workshop/08-secret-volume-pod.yaml"),
    include_str!("../../rampart/tests/workshop/09-secret-env-pod.yaml"),
    include_str!("../../rampart/tests/workshop/10-psp-privileged.yaml"),
    include_str!("../../rampart/tests/workshop/11-qos.yaml"),
    include_str!("../../rampart/tests/workshop/12-priority.yaml"),
    include_str!("../../rampart/tests/workshop/13-networkpolicy-default-deny.yaml"),
    include_str!("../../rampart/tests/same_answers/more.yaml"),
];

fn objects() -> Vec<Value> {
    let documents = MANIFESTS
        .iter()
        .flat_map(|text| model::decode::documents(text.as_bytes()));
    let values = documents.map(|document| document.expect("YAML").decoded.value);
    values.filter(Value::is_object).collect()
}

/// Replaces the node that comes `at`th, counted through all that are left.
fn replace(value: &mut Value, at: &mut usize, by: &Value) -> bool {
    if *at == 0 {
        *value = by.clone();
        return true;
    }
    *at -= 1;
    match value {
        Value::Object(map) => map.values_mut().any(|value| replace(value, at, by)),
        Value::Array(items) => items.iter_mut().any(|value| replace(value, at, by)),
        _ => false,
    }
}

fn nodes(value: &Value) -> usize {
    1 + match value {
        Value::Object(map) => map.values().map(nodes).sum(),
        Value::Array(items) => items.iter().map(nodes).sum(),
        _ => 0,
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|n| json!(n)),
        prop::sample::select(vec![
            "",
            "*",
            "/",
            "..",
            "a/b",
            "default",
            "system:masters",
            "1e999",
            "-1",
            "99999999999999999999",
            "Unconfined",
            "hostPort",
            "v1",
            "\u{0}",
            "\u{e9}\u{10ffff}",
            "169.254.169.254/99",
            "::/0",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(
                prop::sample::select(vec!["name", "kind", "key", "*", "", "metadata", "spec"]),
                inner,
                0..4
            )
            .prop_map(|map| map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn nothing_panics(
        spoils in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any_value()), 1..12),
    ) {
        let mut objects = objects();
        for (object, node, by) in spoils {
            let object = object.get(&objects).clone();
            let mut spoilt = object;
            let mut at = node.index(nodes(&spoilt));
            replace(&mut spoilt, &mut at, &by);
            objects.push(spoilt);
        }
        // The last of a name counts.
        let text: Vec<String> = objects.iter().map(|object| format!("{object}\n")).collect();
        let snapshot = snapshot(&text.concat());
        let report = audit(&snapshot, "");
        for finding in &report.findings {
            prop_assert!(!finding.message.is_empty() && !finding.fingerprint().is_empty());
        }
        let scores = score::own::score(&snapshot, &report.findings);
        prop_assert!(score::own::overall(&scores).is_some_and(|overall| overall <= 100));
        score::kubesec::score(&snapshot, None);
        let matrix = Matrix::of(&snapshot, resources(&snapshot), None);
        drop(matrix);
        let filter = graph::Filter { with_rules: true, ..graph::Filter::default() };
        let drawn = graph::graph(&snapshot, &filter);
        graph::svg(&drawn);
        let query = paths::Query {
            from: "*".parse().expect("a start"),
            groups: Vec::new(),
            to: "*".parse().expect("a goal"),
            max_length: None,
            most: 20,
            policies_in_force: None,
        };
        prop_assert!(paths::find(&snapshot, &query, &|_| true).is_ok());
        let network = SnapshotNetwork::new(&snapshot);
        for finding in network.network().lint() {
            network.cite_finding(&finding);
        }
    }
}
