use super::*;
use crate::{Attributes, Authorizer, Index};
use model::user::UserInfo;
use std::collections::BTreeSet;

fn index() -> Index {
    Index::from_objects(&objects()).unwrap()
}

#[test]
fn names_are_unique_and_every_binding_finds_its_role() {
    let mut seen = BTreeSet::new();
    for object in objects() {
        let key = (
            model::meta::text(&object, &["kind"]).to_owned(),
            model::meta::namespace(&object).to_owned(),
            model::meta::name(&object).to_owned(),
        );
        assert!(seen.insert(key.clone()), "{key:?} stands twice");
        assert_eq!(
            model::meta::labels(&object).get(BOOTSTRAPPING_LABEL),
            Some(&"rbac-defaults")
        );
    }
    let index = index();
    for binding in all_bindings() {
        let namespace = match binding.role_kind {
            RoleKind::Role => binding.namespace,
            RoleKind::ClusterRole => "",
        };
        assert!(
            index.role_rules(namespace, &binding.role).is_some(),
            "{} names no role",
            binding.name
        );
    }
}

#[test]
fn rules_are_sorted_and_say_something() {
    for role in roles() {
        assert_eq!(
            role.rules.is_empty(),
            role.aggregates.is_some(),
            "{}",
            role.name
        );
        for rule in &role.rules {
            for list in [
                &rule.verbs,
                &rule.resources,
                &rule.api_groups,
                &rule.non_resource_urls,
            ] {
                assert!(list.is_sorted(), "{}: {list:?}", role.name);
            }
            assert!(!rule.verbs.is_empty(), "{}", role.name);
            assert_ne!(
                rule.resources.is_empty(),
                rule.non_resource_urls.is_empty(),
                "{}",
                role.name
            );
            assert_eq!(
                rule.resources.is_empty(),
                rule.api_groups.is_empty(),
                "{}",
                role.name
            );
        }
    }
}

#[test]
fn anonymous_requests_reach_health_version_and_issuer_discovery_only() {
    let index = index();
    let anonymous = UserInfo::new("system:anonymous", ["system:unauthenticated"]);
    for (path, want) in [
        ("/healthz", true),
        ("/livez", true),
        ("/readyz", true),
        ("/version", true),
        ("/.well-known/openid-configuration", true),
        ("/openid/v1/jwks", true),
        ("/metrics", false),
        ("/api", false),
        ("/apis", false),
        ("/openapi/v3", false),
        ("/livez/ping", false),
        ("/", false),
    ] {
        let decision = index.authorize(&Attributes::path(&anonymous, "get", path));
        assert_eq!(decision.allowed(), want, "{path}");
    }
    let rules = index.rules_for(&anonymous, "default");
    assert!(rules.rules.iter().all(|rule| rule.resources.is_empty()));
}

#[test]
fn default_users_may_do_their_work() {
    let index = index();
    let who = |name: &str, groups: &[&str]| UserInfo::new(name, groups.iter().copied());
    let account = |name: &str| who(&format!("system:serviceaccount:kube-system:{name}"), &[]);
    for (user, verb, group, resource, sub, namespace, name, want) in [
        (
            who("root", &["system:masters"]),
            "escalate",
            "x.io",
            "y",
            "z",
            "n",
            "m",
            true,
        ),
        (
            who("jane", &["system:authenticated"]),
            "create",
            "authorization.k8s.io",
            "selfsubjectaccessreviews",
            "",
            "",
            "",
            true,
        ),
        (
            who("jane", &["system:authenticated"]),
            "get",
            "",
            "pods",
            "",
            "default",
            "",
            false,
        ),
        (
            who("system:kube-scheduler", &[]),
            "create",
            "",
            "pods",
            "binding",
            "n",
            "p",
            true,
        ),
        (
            who("system:kube-scheduler", &[]),
            "update",
            "coordination.k8s.io",
            "leases",
            "",
            "kube-system",
            "other",
            true,
        ),
        (
            who("system:kube-scheduler", &[]),
            "update",
            "coordination.k8s.io",
            "leases",
            "",
            "default",
            "other",
            false,
        ),
        (
            account("namespace-controller"),
            "deletecollection",
            "apps",
            "deployments",
            "",
            "n",
            "",
            true,
        ),
        (
            account("root-ca-cert-publisher"),
            "create",
            "",
            "configmaps",
            "",
            "n",
            "kube-root-ca.crt",
            true,
        ),
        (
            account("horizontal-pod-autoscaler"),
            "update",
            "apps",
            "deployments",
            "scale",
            "n",
            "d",
            true,
        ),
        (
            account("horizontal-pod-autoscaler"),
            "update",
            "apps",
            "deployments",
            "",
            "n",
            "d",
            false,
        ),
        (
            who("system:node:a", &["system:nodes"]),
            "get",
            "",
            "secrets",
            "",
            "n",
            "s",
            false,
        ),
    ] {
        let a = Attributes::resource(&user, verb, group, resource)
            .of_subresource(sub)
            .in_namespace(namespace)
            .named(name);
        assert_eq!(index.authorize(&a).allowed(), want, "{a:?}");
    }
}

#[test]
fn upstreams_own_components_get_what_upstream_gives_them() {
    const MANAGER: &str = "system:kube-controller-manager";
    const SCHEDULER: &str = "system:kube-scheduler";
    let index = index();
    let account = |name: &str| format!("system:serviceaccount:kube-system:{name}");
    let (expand, binder) = (
        account("expand-controller"),
        account("persistent-volume-binder"),
    );
    let (nodes, claims) = (
        account("node-controller"),
        account("pvc-protection-controller"),
    );
    let coordination = "coordination.k8s.io";
    let authentication = "extension-apiserver-authentication";
    for (user, verb, group, resource, sub, name, want) in [
        (
            SCHEDULER,
            "update",
            coordination,
            "leasecandidates",
            "",
            "a",
            true,
        ),
        (
            MANAGER,
            "create",
            coordination,
            "leasecandidates",
            "",
            "",
            true,
        ),
        (
            MANAGER,
            "update",
            "",
            "configmaps",
            "",
            "kube-controller-manager",
            true,
        ),
        (
            MANAGER,
            "update",
            "",
            "configmaps",
            "",
            "kube-scheduler",
            false,
        ),
        (SCHEDULER, "get", "", "configmaps", "", authentication, true),
        (
            SCHEDULER,
            "update",
            "",
            "configmaps",
            "",
            authentication,
            false,
        ),
        (&expand, "get", "", "services", "", "a", true),
        (&binder, "get", "", "services", "", "a", true),
        (&nodes, "get", coordination, "leases", "", "a", false),
        (
            &claims,
            "update",
            "",
            "persistentvolumeclaims",
            "status",
            "a",
            false,
        ),
    ] {
        let user = UserInfo::new(user, [""; 0]);
        let a = Attributes::resource(&user, verb, group, resource)
            .of_subresource(sub)
            .in_namespace("kube-system")
            .named(name);
        assert_eq!(index.authorize(&a).allowed(), want, "{a:?}");
    }
}
