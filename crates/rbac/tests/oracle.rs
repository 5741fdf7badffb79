//! The index against the reference model: after any sequence of changes, every question has the
//! same answer for the same reason.

use model::user::UserInfo;
use proptest::prelude::*;
use rbac::object::{Binding, Role, RoleKind, RoleRef, Subject};
use rbac::{Attributes, Index, Rule};
use reference_models::rbac::{Allowed, Policy};

#[derive(Debug, Clone)]
enum Change {
    Role(Role),
    NoRole(String, String),
    Binding(Binding),
    NoBinding(String, String),
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(texts).prop_map(str::to_owned)
}

fn some_of(texts: &'static [&'static str], max: usize) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(one_of(texts), 0..=max)
}

const VERBS: &[&str] = &["get", "list", "create", "proxy", "*"];
const GROUPS: &[&str] = &["", "apps", "x.io", "*"];
const RESOURCES: &[&str] = &[
    "pods", "pods/log", "*/log", "secrets", "*/scale", "pods/*", "*",
];
const NAMES: &[&str] = &["a", "b", "", "*"];
const URLS: &[&str] = &["/a", "/a/*", "/a/b*", "/a**", "*", "/gr\u{fc}n*", "/gr*"];
const NAMESPACES: &[&str] = &["", "n1", "n2"];
const USERS: &[&str] = &["u1", "u2", "system:serviceaccount:n1:a", "g1"];
const TEAMS: &[&str] = &["g1", "g2", "g3", "u1"];

fn rule() -> impl Strategy<Value = Rule> {
    (
        some_of(VERBS, 2),
        some_of(GROUPS, 2),
        some_of(RESOURCES, 2),
        prop_oneof![3 => Just(Vec::new()), 1 => some_of(NAMES, 2)],
        prop_oneof![3 => Just(Vec::new()), 1 => some_of(URLS, 2)],
    )
        .prop_map(
            |(verbs, api_groups, resources, resource_names, non_resource_urls)| Rule {
                verbs,
                api_groups,
                resources,
                resource_names,
                non_resource_urls,
            },
        )
}

/// Mostly small roles, sometimes one with more rules than are scanned, sometimes a rule with more
/// combinations than get keys.
fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let wide = rule().prop_map(|rule| Rule {
        resource_names: if rule.resource_names.is_empty() {
            Vec::new()
        } else {
            (0..600)
                .map(|i| format!("n{i}"))
                .chain(rule.resource_names)
                .collect()
        },
        ..rule
    });
    prop_oneof![
        20 => prop::collection::vec(rule(), 0..4),
        1 => prop::collection::vec(rule(), 49..60),
        2 => prop::collection::vec(wide, 1..3),
    ]
}

fn subject() -> impl Strategy<Value = Subject> {
    prop_oneof![
        one_of(USERS).prop_map(Subject::User),
        one_of(TEAMS).prop_map(Subject::Group),
        (one_of(&["n1", "n2"]), one_of(&["a", "b"]))
            .prop_map(|(namespace, name)| Subject::ServiceAccount { namespace, name }),
    ]
}

fn role_name() -> impl Strategy<Value = String> {
    (0..40u8).prop_map(|i| format!("r{i}"))
}

/// With `crowded`, all bindings are of one group and most for the whole cluster, so that it holds
/// more roles than are asked one by one.
fn binding(crowded: bool) -> impl Strategy<Value = Binding> {
    let subjects = if crowded {
        Just(vec![Subject::Group("g1".to_owned())]).boxed()
    } else {
        prop::collection::vec(subject(), 0..3).boxed()
    };
    let namespace = if crowded {
        one_of(&["", "", "n1"]).boxed()
    } else {
        one_of(NAMESPACES).boxed()
    };
    (namespace, 0..80u8, any::<bool>(), role_name(), subjects).prop_map(
        |(namespace, i, cluster, role, subjects)| Binding {
            role_ref: RoleRef {
                kind: if cluster || namespace.is_empty() {
                    RoleKind::ClusterRole
                } else {
                    RoleKind::Role
                },
                name: role,
            },
            namespace,
            name: format!("b{i}"),
            subjects,
        },
    )
}

fn change(crowded: bool) -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (one_of(NAMESPACES), role_name(), rules())
            .prop_map(|(namespace, name, rules)| Change::Role(Role { namespace, name, rules })),
        1 => (one_of(NAMESPACES), role_name()).prop_map(|(ns, n)| Change::NoRole(ns, n)),
        8 => binding(crowded).prop_map(Change::Binding),
        3 => (one_of(NAMESPACES), 0..80u8)
            .prop_map(|(ns, i)| Change::NoBinding(ns, format!("b{i}"))),
    ]
}

#[derive(Debug, Clone)]
struct Question {
    user: UserInfo,
    verb: String,
    group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
    path: String,
}

fn question() -> impl Strategy<Value = Question> {
    (
        (one_of(USERS), some_of(TEAMS, 3)),
        one_of(&["get", "list", "create", "proxy", "delete", "*"]),
        one_of(&["", "apps", "x.io", "y.io", "*"]),
        one_of(&["pods", "secrets", "nodes", "*"]),
        one_of(&["", "", "log", "scale", "status"]),
        one_of(&["", "n1", "n2", "n3"]),
        one_of(&["", "a", "b", "c", "n7"]),
        one_of(&[
            "",
            "",
            "",
            "/a",
            "/a/b",
            "/a/bc",
            "/a*",
            "/gr\u{fc}n/x",
            "/gr\u{fb}n",
            "*",
        ]),
    )
        .prop_map(
            |((user, teams), verb, group, resource, subresource, namespace, name, path)| Question {
                user: UserInfo::new(user, teams),
                verb,
                group,
                resource,
                subresource,
                namespace,
                name,
                path,
            },
        )
}

impl Question {
    fn attributes(&self) -> Attributes<'_> {
        if !self.path.is_empty() {
            return Attributes::path(&self.user, &self.verb, &self.path);
        }
        Attributes::resource(&self.user, &self.verb, &self.group, &self.resource)
            .of_subresource(&self.subresource)
            .in_namespace(&self.namespace)
            .named(&self.name)
    }
}

fn apply(change: &Change, index: &mut Index, policy: &mut Policy) {
    match change {
        Change::Role(role) => {
            index.upsert_role(role);
            let key = (role.namespace.clone(), role.name.clone());
            policy.roles.insert(key, role.clone());
        }
        Change::NoRole(namespace, name) => {
            index.remove_role(namespace, name);
            policy.roles.remove(&(namespace.clone(), name.clone()));
        }
        Change::Binding(binding) => {
            index.upsert_binding(binding);
            let key = (binding.namespace.clone(), binding.name.clone());
            policy.bindings.insert(key, binding.clone());
        }
        Change::NoBinding(namespace, name) => {
            index.remove_binding(namespace, name);
            policy.bindings.remove(&(namespace.clone(), name.clone()));
        }
    }
}

fn as_allowed(because: rbac::Because<'_>) -> Allowed {
    Allowed {
        namespace: because.binding_namespace.to_owned(),
        binding: because.binding.to_owned(),
        rule: because.rule,
        subject: because.subject.to_subject(),
    }
}

fn missing_reason(policy: &Policy, a: &Attributes<'_>) -> String {
    let errors: Vec<String> = policy
        .missing(a)
        .iter()
        .map(|(kind, name)| {
            let kind = kind.as_str().to_lowercase();
            format!("{kind}.rbac.authorization.k8s.io \"{name}\" not found")
        })
        .collect();
    match errors.as_slice() {
        [] => String::new(),
        [one] => format!("RBAC: {one}"),
        many => format!("RBAC: [{}]", many.join(", ")),
    }
}

fn compare(changes: &[Change], questions: &[Question]) -> Result<(), TestCaseError> {
    let (mut index, mut policy) = (Index::new(), Policy::default());
    for (i, change) in changes.iter().enumerate() {
        apply(change, &mut index, &mut policy);
        if i % 40 != 0 && i + 1 != changes.len() {
            continue;
        }
        for question in questions {
            let a = question.attributes();
            let got = index.decide(&a);
            let want = policy.authorize(&a);
            prop_assert_eq!(
                got.because().map(as_allowed),
                want.clone(),
                "{:?}",
                question
            );
            prop_assert_eq!(got.allowed(), want.is_some());
            if want.is_none() {
                prop_assert_eq!(got.reason(), missing_reason(&policy, &a));
            }
            prop_assert_eq!(
                index.who_can(&a).map(as_allowed).collect::<Vec<_>>(),
                policy.who_can(&a)
            );
            // Forwards and backwards are one answer: whoever may is listed, and nobody else.
            let user = &question.user;
            let is_listed = index
                .who_can(&a)
                .map(as_allowed)
                .any(|grant| match grant.subject {
                    Subject::User(name) => name == user.name,
                    Subject::Group(name) => user.groups.contains(&name),
                    Subject::ServiceAccount { namespace, name } => {
                        user.name == format!("system:serviceaccount:{namespace}:{name}")
                    }
                });
            prop_assert_eq!(is_listed, got.allowed(), "{:?}", question);
            let rules = index.rules_for(&question.user, a.namespace);
            prop_assert_eq!(
                rules.rules.iter().any(|rule| rule.allows(&a)),
                want.is_some()
            );
        }
    }
    prop_assert_eq!(index.len(), (policy.roles.len(), policy.bindings.len()));

    // Taking everything away again leaves nothing behind.
    for (namespace, name) in policy.bindings.keys() {
        index.remove_binding(namespace, name);
    }
    for (namespace, name) in policy.roles.keys() {
        index.remove_role(namespace, name);
    }
    prop_assert!(index.is_pristine());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn index_agrees_with_the_model(
        changes in prop::collection::vec(change(false), 0..160),
        questions in prop::collection::vec(question(), 16),
    ) {
        compare(&changes, &questions)?;
    }

    #[test]
    fn a_group_with_many_roles_is_no_exception(
        changes in prop::collection::vec(change(true), 100..300),
        mut questions in prop::collection::vec(question(), 16),
    ) {
        for question in &mut questions {
            question.user.groups.push("g1".to_owned());
        }
        compare(&changes, &questions)?;
    }
}

#[test]
fn reasons_are_upstreams() {
    let mut index = Index::new();
    let role = |namespace: &str, name: &str, rules| Role {
        namespace: namespace.into(),
        name: name.into(),
        rules,
    };
    let bind = |namespace: &str, name: &str, kind, role: &str, subjects| Binding {
        namespace: namespace.into(),
        name: name.into(),
        role_ref: RoleRef {
            kind,
            name: role.into(),
        },
        subjects,
    };
    index.upsert_role(&role(
        "",
        "cluster-admin",
        vec![Rule::on(["*"], ["*"], ["*"])],
    ));
    index.upsert_binding(&bind(
        "",
        "cluster-admin",
        RoleKind::ClusterRole,
        "cluster-admin",
        vec![Subject::Group("system:masters".into())],
    ));
    index.upsert_role(&role(
        "default",
        "list-pods",
        vec![Rule::on(["get", "list"], [""], ["pods"])],
    ));
    index.upsert_binding(&bind(
        "default",
        "list-pods",
        RoleKind::Role,
        "list-pods",
        vec![Subject::account("default", "rbac-example")],
    ));
    let masters = UserInfo::new("admin", ["system:masters"]);
    let robot = UserInfo::new(
        "system:serviceaccount:default:rbac-example",
        [] as [&str; 0],
    );
    let human = UserInfo::new("rbac-example", [] as [&str; 0]);
    let list = |user| {
        let a = Attributes::resource(user, "list", "", "pods").in_namespace("default");
        index.decide(&a).decision()
    };
    assert_eq!(
        list(&masters).reason,
        r#"RBAC: allowed by ClusterRoleBinding "cluster-admin" of ClusterRole "cluster-admin" to Group "system:masters""#
    );
    assert_eq!(
        list(&robot).reason,
        r#"RBAC: allowed by RoleBinding "list-pods/default" of Role "list-pods" to ServiceAccount "rbac-example/default""#
    );
    assert_eq!(list(&human), rbac::Decision::no_opinion(""));

    // A role that does not exist is an error only to those whom its binding names.
    let mut index = index.clone();
    index.upsert_binding(&bind(
        "",
        "broken",
        RoleKind::ClusterRole,
        "x",
        vec![Subject::User("rbac-example".into())],
    ));
    let ask = Attributes::resource(&human, "list", "", "pods").in_namespace("default");
    let no = r#"clusterrole.rbac.authorization.k8s.io "x" not found"#;
    assert_eq!(index.decide(&ask).reason(), format!("RBAC: {no}"));
    index.upsert_binding(&bind(
        "default",
        "broken",
        RoleKind::Role,
        "y",
        vec![Subject::User("rbac-example".into())],
    ));
    assert_eq!(
        index.decide(&ask).reason(),
        format!(r#"RBAC: [{no}, role.rbac.authorization.k8s.io "y" not found]"#)
    );
    let robot = Attributes::resource(&robot, "delete", "", "pods").in_namespace("default");
    assert_eq!(index.decide(&robot).reason(), "");
}
