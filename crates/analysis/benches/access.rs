//! Access questions over a whole cluster. The floors: paths over 5,000 subjects in under 1 s, and
//! the whole access matrix of 10,000 roles and 50,000 bindings in under 1 s.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench may stop at what cannot be"
)]

use analysis::access::{Matrix, resources};
use analysis::graph::{Filter, graph, placed};
use analysis::paths::{Query, find};
use criterion::{Criterion, criterion_group, criterion_main};
use model::registry::Registry;
use rbac::object::GROUP;
use serde_json::{Value, json};
use snapshot::{Builder, Options, Snapshot};
use std::hint::black_box;
use std::sync::Arc;

/// As objects of a cluster: what manifests have to go through costs more than the questions.
fn snapshot(objects: impl IntoIterator<Item = Value>) -> Snapshot {
    let mut builder = Builder::new(Arc::new(Registry::builtin()), Options::cluster());
    for object in objects {
        builder.object(object);
    }
    builder.build()
}

fn role(name: &str, namespace: &str, rules: &Value) -> Value {
    let kind = if namespace.is_empty() {
        "ClusterRole"
    } else {
        "Role"
    };
    json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "rules": rules,
    })
}

fn binding(name: &str, namespace: &str, kind: &str, role: &str, subject: &Value) -> Value {
    let own = if namespace.is_empty() {
        "ClusterRoleBinding"
    } else {
        "RoleBinding"
    };
    json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": own,
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"apiGroup": GROUP, "kind": kind, "name": role},
        "subjects": [subject],
    })
}

/// Accounts with a role each, in 100 namespaces, and a pod for every fifth.
fn subjects(count: usize) -> Snapshot {
    let mut all = vec![json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "gold", "namespace": "ns-0"},
    })];
    for i in 0..count {
        let namespace = format!("ns-{}", i % 100);
        let (verb, resource) = [
            ("get", "pods"),
            ("create", "pods"),
            ("list", "configmaps"),
            ("create", "pods/exec"),
            ("create", "serviceaccounts/token"),
        ][i % 5];
        let account = format!("account-{i}");
        let metadata = json!({"name": account, "namespace": namespace});
        let name = format!("role-{i}");
        let rules = json!([{"verbs": [verb], "apiGroups": [""], "resources": [resource]}]);
        let subject = json!({"kind": "ServiceAccount", "name": account, "namespace": namespace});
        all.push(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}));
        all.push(role(&name, &namespace, &rules));
        all.push(binding(&name, &namespace, "Role", &name, &subject));
        if i % 5 == 0 {
            all.push(json!({
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": metadata,
                "spec": {
                    "serviceAccountName": account,
                    "containers": [{"name": "c", "image": "i"}],
                },
            }));
        }
    }
    snapshot(all)
}

/// Roles and bindings as the decisions of `rbac` are measured on.
fn roles(roles: usize, bindings: usize) -> Snapshot {
    let mut all = Vec::new();
    for i in 0..roles {
        let things = format!("things{i}");
        let rules = json!([
            {"verbs": ["get", "list", "watch"], "apiGroups": ["", "apps"],
             "resources": ["pods", "deployments"], "resourceNames": [format!("object-{i}")]},
            {"verbs": ["get", "list"], "apiGroups": ["example.io"], "resources": [things]},
        ]);
        all.push(role(&format!("role-{i}"), "", &rules));
    }
    for i in 0..bindings {
        let namespace = if i % 2 == 0 {
            String::new()
        } else {
            format!("ns-{}", i % 100)
        };
        let subject = json!({"apiGroup": GROUP, "kind": "User", "name": format!("user-{i}")});
        let role = format!("role-{}", i % roles);
        let name = format!("binding-{i}");
        all.push(binding(&name, &namespace, "ClusterRole", &role, &subject));
    }
    snapshot(all)
}

fn access(c: &mut Criterion) {
    for count in [2500, 5000, 10_000] {
        let cluster = subjects(count);
        for from in ["serviceaccount/ns-1/account-1", "*"] {
            let query = Query {
                from: from.parse().expect("a start"),
                groups: Vec::new(),
                to: "secret/ns-0/gold".parse().expect("a goal"),
                max_length: None,
                most: 20,
                policies_in_force: None,
            };
            c.bench_function(&format!("paths, {count} subjects, from {from}"), |b| {
                b.iter(|| find(black_box(&cluster), &query, &|_| true));
            });
        }
    }
    for (role_count, bindings) in [
        (10_000, 50_000),
        (20_000, 50_000),
        (40_000, 50_000),
        (10_000, 100_000),
        (10_000, 200_000),
    ] {
        let cluster = roles(role_count, bindings);
        let id = format!("matrix of {role_count} roles and {bindings} bindings");
        c.bench_function(&id, |b| {
            b.iter(|| Matrix::of(black_box(&cluster), resources(&cluster), None));
        });
    }
    let cluster = roles(1000, 2000);
    c.bench_function("graph of 5,000 nodes, placed", |b| {
        b.iter(|| placed(&graph(black_box(&cluster), &Filter::default())));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = access
}
criterion_main!(benches);
