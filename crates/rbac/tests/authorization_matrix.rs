//! What every bootstrap role allows on every registered resource, held against a reviewed file.
//!
//! A resource that is added to the registry has no row in the file, so that this fails until
//! somebody has looked at who reaches it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

use model::Value;
use model::meta;
use model::registry::Registry;
use model::user::UserInfo;
use rbac::bootstrap;
use rbac::object::{Binding, Role, RoleKind, RoleRef, Subject};
use rbac::{Attributes, Index};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

const FILE: &str = "tests/golden/authorization-matrix.txt";
const UPDATE: &str = "RAMPART_UPDATE_GOLDEN";

const HEAD: &str = "\
# What each role of the bootstrap policy allows, by registered resource (or path) and verb.
# A verb in brackets is allowed on objects of the given name only. Roles of a namespace are
# written NAMESPACE/NAME. Aggregated roles are shown with what they gather.
#
# `cargo test -p rbac --test authorization_matrix` compares this file with what the policy and
# the registry say; with the environment variable RAMPART_UPDATE_GOLDEN=1 it writes the file anew.
# Review every changed line: it is a change of who may do what.
";

/// Verbs that discovery does not list, and things that are no resources of their own.
const SPECIAL: &[(&str, &str, &[&str])] = &[
    (
        "rbac.authorization.k8s.io",
        "clusterroles",
        &["bind", "escalate"],
    ),
    ("rbac.authorization.k8s.io", "roles", &["bind", "escalate"]),
    ("", "serviceaccounts", &["impersonate"]),
    ("", "users", &["impersonate"]),
    ("", "groups", &["impersonate"]),
    ("authentication.k8s.io", "uids", &["impersonate"]),
    (
        "authentication.k8s.io",
        "userextras/scopes",
        &["impersonate"],
    ),
    (
        "certificates.k8s.io",
        "signers",
        &["approve", "attest", "sign"],
    ),
    (
        "certificates.k8s.io",
        "certificatesigningrequests/nodeclient",
        &["create"],
    ),
    (
        "certificates.k8s.io",
        "certificatesigningrequests/selfnodeclient",
        &["create"],
    ),
    ("policy", "podsecuritypolicies", &["use"]),
    ("", "nodes/log", &["get"]),
    ("", "nodes/metrics", &["get"]),
    ("", "nodes/stats", &["get"]),
    ("", "endpoints/restricted", &["create"]),
];

const PATHS: &[&str] = &[
    "/",
    "/.well-known/openid-configuration",
    "/api",
    "/api/v1",
    "/apis",
    "/apis/apps/v1",
    "/healthz",
    "/healthz/ping",
    "/livez",
    "/livez/ping",
    "/logs",
    "/metrics",
    "/metrics/slis",
    "/openapi/v2",
    "/openapi/v3",
    "/openid/v1/jwks",
    "/readyz",
    "/readyz/ping",
    "/version",
];

/// All roles, with what aggregated ones gather.
fn roles() -> Vec<Role> {
    let mut objects = bootstrap::objects();
    objects.retain(|o| meta::text(o, &["kind"]).ends_with("Role"));
    loop {
        let mut changed = false;
        for i in 0..objects.len() {
            let cluster_roles: Vec<&Value> = objects
                .iter()
                .filter(|o| meta::text(o, &["kind"]) == "ClusterRole")
                .collect();
            let rules = rbac::aggregate::aggregate(&objects[i], cluster_roles).unwrap();
            if let Some(rules) = rules {
                objects[i]["rules"] = serde_json::to_value(rules).unwrap();
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    let mut roles: Vec<Role> = objects
        .iter()
        .map(|o| Role::from_value(o).unwrap())
        .collect();
    roles.sort_by_key(display_name);
    roles
}

fn display_name(role: &Role) -> String {
    if role.namespace.is_empty() {
        role.name.clone()
    } else {
        format!("{}/{}", role.namespace, role.name)
    }
}

/// An index in which user `NAMESPACE/NAME` holds just the role of that name.
fn index(roles: &[Role]) -> Index {
    let mut index = Index::new();
    for role in roles {
        index.upsert_role(role);
        index.upsert_binding(&Binding {
            namespace: role.namespace.clone(),
            name: format!("only-{}", role.name),
            role_ref: RoleRef {
                kind: if role.namespace.is_empty() {
                    RoleKind::ClusterRole
                } else {
                    RoleKind::Role
                },
                name: role.name.clone(),
            },
            subjects: vec![Subject::User(display_name(role))],
        });
    }
    index
}

type Rows = BTreeMap<(String, String), BTreeSet<String>>;

/// The rows: group, resource (with subresource) and verbs.
fn rows() -> Rows {
    let mut rows = Rows::new();
    for resource in Registry::builtin().all() {
        let mut add = |path: String, verbs: &[model::resource::Text]| {
            let row = rows.entry((resource.group.to_string(), path)).or_default();
            row.extend(verbs.iter().map(ToString::to_string));
        };
        add(resource.plural.to_string(), &resource.verbs);
        for subresource in &resource.subresources {
            let path = format!("{}/{}", resource.plural, subresource.name);
            add(path, &subresource.verbs);
        }
    }
    for (group, path, verbs) in SPECIAL {
        let row = rows
            .entry(((*group).to_owned(), (*path).to_owned()))
            .or_default();
        row.extend(verbs.iter().map(ToString::to_string));
    }
    rows
}

fn matrix() -> String {
    let roles = roles();
    let index = index(&roles);
    let mut text = String::from(HEAD);
    for ((group, path), verbs) in rows() {
        let (resource, subresource) = path.split_once('/').unwrap_or((&path, ""));
        let _ = writeln!(text, "\n{}", model::status::qualified(&group, &path));
        for role in &roles {
            let user = UserInfo::new(display_name(role), [] as [&str; 0]);
            let may = |verb: &str, name: &str| {
                let a = Attributes::resource(&user, verb, &group, resource)
                    .of_subresource(subresource)
                    .in_namespace(&role.namespace)
                    .named(name);
                index.decide(&a).allowed()
            };
            let names: BTreeSet<&String> =
                role.rules.iter().flat_map(|r| &r.resource_names).collect();
            let mut allowed = Vec::new();
            for verb in &verbs {
                if may(verb, "") {
                    allowed.push(verb.clone());
                } else {
                    let of = names.iter().filter(|name| may(verb, name));
                    allowed.extend(of.map(|name| format!("{verb}[{name}]")));
                }
            }
            if !allowed.is_empty() {
                let _ = writeln!(text, "  {}: {}", display_name(role), allowed.join(" "));
            }
        }
    }
    for path in PATHS {
        let _ = writeln!(text, "\n{path}");
        for role in &roles {
            let user = UserInfo::new(display_name(role), [] as [&str; 0]);
            let may = |verb| index.decide(&Attributes::path(&user, verb, path)).allowed();
            let allowed: Vec<&str> = ["get", "post"].into_iter().filter(|v| may(v)).collect();
            if !allowed.is_empty() {
                let _ = writeln!(text, "  {}: {}", display_name(role), allowed.join(" "));
            }
        }
    }
    text
}

#[test]
fn every_role_on_every_resource() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let now = matrix();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&file, now).unwrap();
        return;
    }
    let reviewed = std::fs::read_to_string(&file).unwrap_or_default();
    let difference = reviewed
        .lines()
        .chain(std::iter::repeat("(end of the file)"))
        .zip(now.lines().chain(["(end of the matrix)"]))
        .enumerate()
        .find(|(_, (reviewed, now))| reviewed != now);
    if reviewed != now {
        panic!(
            "{FILE} is not what the bootstrap policy and the registry say; the first difference \
             (line, reviewed, now) is {difference:?}. See the head of the file."
        );
    }
}

#[test]
fn every_resource_has_rows() {
    let rows = rows();
    let resources = Registry::builtin();
    assert!(resources.all().len() > 50);
    for resource in resources.all() {
        let key = (resource.group.to_string(), resource.plural.to_string());
        assert!(!rows[&key].is_empty(), "{key:?} has no verbs");
    }
}
