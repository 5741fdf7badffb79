//! Decisions with 10,000 roles and 50,000 bindings. The floor is 1 microsecond for a decision,
//! allowed or denied, however the bindings are spread, and 10 ms for who-can.

use criterion::{Criterion, criterion_group, criterion_main};
use model::user::UserInfo;
use rbac::object::{Binding, Role, RoleKind, RoleRef, Subject};
use rbac::{Attributes, Index, Rule};
use std::hint::black_box;

const ROLES: usize = 10_000;
const BINDINGS: usize = 50_000;

fn roles(index: &mut Index, count: usize) {
    for i in 0..count {
        index.upsert_role(&Role {
            namespace: String::new(),
            name: format!("role-{i:05}"),
            rules: vec![
                Rule::on(
                    ["get", "list", "watch"],
                    ["", "apps"],
                    ["pods", "deployments"],
                )
                .named([format!("object-{i}").as_str()]),
                Rule::on(
                    vec!["get".to_owned(), "list".to_owned()],
                    vec!["example.io".to_owned()],
                    vec![format!("things{i}"), format!("things{i}/status")],
                ),
            ],
        });
    }
}

fn bind(index: &mut Index, i: usize, namespace: &str, role: usize, subject: Subject) {
    index.upsert_binding(&Binding {
        namespace: namespace.to_owned(),
        name: format!("binding-{i:05}"),
        role_ref: RoleRef {
            kind: RoleKind::ClusterRole,
            name: format!("role-{role:05}"),
        },
        subjects: vec![subject],
    });
}

/// Each user has one binding, in one of 100 namespaces or for the whole cluster.
fn spread(role_count: usize, bindings: usize) -> Index {
    let mut index = Index::new();
    roles(&mut index, role_count);
    for i in 0..bindings {
        let namespace = if i % 2 == 0 {
            String::new()
        } else {
            format!("ns-{}", i % 100)
        };
        bind(
            &mut index,
            i,
            &namespace,
            i % role_count,
            Subject::User(format!("user-{i}")),
        );
    }
    index
}

/// All bindings are of one group, over all roles.
fn one_group() -> Index {
    let mut index = Index::new();
    roles(&mut index, ROLES);
    for i in 0..BINDINGS {
        let group = Subject::Group("system:authenticated".to_owned());
        bind(&mut index, i, "", i % ROLES, group);
    }
    index
}

/// All bindings are of one role, to as many users.
fn one_role() -> Index {
    let mut index = Index::new();
    roles(&mut index, ROLES);
    for i in 0..BINDINGS {
        bind(&mut index, i, "", 7, Subject::User(format!("user-{i}")));
    }
    index
}

/// All bindings are of one role to one group.
fn one_role_one_group() -> Index {
    let mut index = Index::new();
    roles(&mut index, ROLES);
    for i in 0..BINDINGS {
        let group = Subject::Group("system:authenticated".to_owned());
        bind(&mut index, i, "", 7, group);
    }
    index
}

fn decisions(c: &mut Criterion) {
    for (name, index, role) in [
        ("spread", spread(ROLES, BINDINGS), 4242),
        ("one group", one_group(), 4242),
        ("one role", one_role(), 7),
        ("one role, one group", one_role_one_group(), 7),
    ] {
        let user = UserInfo::new(
            "user-24242",
            ["dev", "team-a", "team-b", "system:authenticated"],
        );
        let thing = format!("things{role}");
        let yes = Attributes::resource(&user, "list", "example.io", &thing).in_namespace("ns-7");
        let object = format!("object-{role}");
        let named = Attributes::resource(&user, "get", "apps", "deployments")
            .in_namespace("ns-7")
            .named(&object);
        let no = Attributes::resource(&user, "delete", "", "pods").in_namespace("ns-7");
        let near = Attributes::resource(&user, "list", "", "pods").in_namespace("ns-7");
        assert!(index.decide(&yes).allowed(), "{name}");
        assert!(index.decide(&named).allowed(), "{name}");
        assert!(!index.decide(&no).allowed(), "{name}");
        assert!(!index.decide(&near).allowed(), "{name}");
        let mut group = c.benchmark_group(name);
        group.bench_function("allowed", |b| {
            b.iter(|| black_box(index.decide(black_box(&yes))))
        });
        group.bench_function("allowed by name", |b| {
            b.iter(|| black_box(index.decide(black_box(&named))));
        });
        group.bench_function("denied", |b| {
            b.iter(|| black_box(index.decide(black_box(&no))))
        });
        group.bench_function("nearly allowed", |b| {
            b.iter(|| black_box(index.decide(black_box(&near))));
        });
        group.bench_function("allowed, with the reason", |b| {
            b.iter(|| black_box(index.decide(black_box(&yes)).decision()));
        });
        group.bench_function("who can", |b| {
            b.iter(|| index.who_can(black_box(&yes)).map(black_box).count());
        });
        group.bench_function("replace a binding", |b| {
            let mut index = index.clone();
            let user = Subject::User("user-1".to_owned());
            b.iter(|| bind(&mut index, 25_000, "", role, black_box(user.clone())));
        });
        group.bench_function("replace a role", |b| {
            let mut index = index.clone();
            let role = Role {
                namespace: String::new(),
                name: format!("role-{role:05}"),
                rules: index
                    .role_rules("", &format!("role-{role:05}"))
                    .unwrap_or_default(),
            };
            b.iter(|| index.upsert_role(black_box(&role)));
        });
        group.finish();
    }
}

/// How the cost grows when each input doubles.
fn growth(c: &mut Criterion) {
    let user = UserInfo::new("user-24242", ["dev", "team-a", "system:authenticated"]);
    for (roles, bindings) in [
        (ROLES, BINDINGS),
        (2 * ROLES, BINDINGS),
        (4 * ROLES, BINDINGS),
        (ROLES, 2 * BINDINGS),
        (ROLES, 4 * BINDINGS),
    ] {
        let index = spread(roles, bindings);
        let thing = format!("things{}", 24_242 % roles);
        let asked = Attributes::resource(&user, "list", "example.io", &thing).in_namespace("ns-7");
        assert!(index.decide(&asked).allowed());
        let mut group = c.benchmark_group(format!("{roles} roles, {bindings} bindings"));
        group.bench_function("decision", |b| {
            b.iter(|| black_box(index.decide(black_box(&asked))));
        });
        group.bench_function("who can", |b| {
            b.iter(|| index.who_can(black_box(&asked)).map(black_box).count());
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_millis(900));
    targets = decisions, growth
}
criterion_main!(benches);
