use super::*;
use model::Value;
use model::registry::Registry;
use serde_json::json;
use snapshot::{Builder, Options};
use std::sync::Arc;

fn snapshot(objects: impl IntoIterator<Item = Value>) -> Snapshot {
    let mut builder = Builder::new(Arc::new(Registry::builtin()), Options::manifests("default"));
    for object in objects {
        builder.object(object);
    }
    builder.build()
}

fn binding(name: &str, role: &str, subject: Value) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": "n"},
        "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": role},
        "subjects": [subject],
    })
}

fn example() -> Snapshot {
    snapshot([
        json!({
            "apiVersion": format!("{GROUP}/v1"),
            "kind": "Role",
            "metadata": {"name": "reader", "namespace": "n"},
            "rules": [
                {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]},
                {"verbs": ["delete"], "apiGroups": [""], "resources": ["secrets"],
                 "resourceNames": ["</script><b>"]},
            ],
        }),
        binding(
            "a",
            "reader",
            json!({"apiGroup": GROUP, "kind": "User", "name": "jane \"x\""}),
        ),
        binding(
            "b",
            "gone",
            json!({"kind": "ServiceAccount", "name": "ghost", "namespace": "n"}),
        ),
    ])
}

fn labels(graph: &Graph) -> Vec<String> {
    let mark = |node: &Node| if node.missing { "!" } else { "" };
    let nodes = graph.nodes.iter();
    nodes.map(|n| format!("{}{}", mark(n), n.label)).collect()
}

#[test]
fn filters() {
    let snapshot = example();
    let all = |filter: Filter| labels(&graph(&snapshot, &filter));
    assert_eq!(
        all(Filter::default()),
        [
            "!ServiceAccount n/ghost",
            "User jane \"x\"",
            "RoleBinding n/a",
            "RoleBinding n/b",
            "!Role n/gone",
            "Role n/reader",
        ]
    );
    let jane = ["User jane \"x\"", "RoleBinding n/a", "Role n/reader"];
    for filter in [
        Filter {
            subjects: vec!["jane \"x\"".into()],
            ..Filter::default()
        },
        Filter {
            roles: vec!["reader".into()],
            ..Filter::default()
        },
        Filter {
            verbs: vec!["get".into()],
            ..Filter::default()
        },
    ] {
        assert_eq!(all(filter.clone()), jane, "{filter:?}");
    }
    let rules = all(Filter {
        verbs: vec!["delete".into()],
        with_rules: true,
        ..Filter::default()
    });
    assert_eq!(
        rules.last().unwrap(),
        "delete secrets (core) [</script><b>]"
    );
    assert_eq!(rules.len(), 4);
    let elsewhere = Filter {
        namespace: Some("other".into()),
        ..Filter::default()
    };
    assert!(all(elsewhere).is_empty());
    let given = all(Filter {
        with_given: true,
        ..Filter::default()
    });
    assert!(given.contains(&"ClusterRole cluster-admin".to_owned()));
}

#[test]
fn names_stay_names_in_every_form() {
    let filter = Filter {
        with_rules: true,
        ..Filter::default()
    };
    let graph = graph(&example(), &filter);
    assert!(dot(&graph).contains(r#"label="User jane \"x\"""#));
    assert!(mermaid(&graph).contains(r##""User jane #34;x#34;""##));
    let svg = svg(&graph);
    assert!(
        svg.contains("&lt;/script&gt;") && !svg.contains("</script>"),
        "{svg}"
    );
}

#[test]
fn nodes_of_a_column_do_not_overlap() {
    let filter = Filter {
        with_given: true,
        with_rules: true,
        ..Filter::default()
    };
    let graph = graph(&example(), &filter);
    let (places, width, height) = layout::places(&graph);
    let mut columns: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for place in &places {
        assert!(
            place.x + place.width <= width && place.y + 22 <= height,
            "{place:?}"
        );
        columns.entry(place.x).or_default().push(place.y);
    }
    assert_eq!(columns.len(), 4);
    for rows in columns.values_mut() {
        rows.sort_unstable();
        assert!(rows.windows(2).all(|pair| pair[1] - pair[0] >= 30));
    }
}
