use super::*;
use model::Value;
use model::registry::Registry;
use proptest::prelude::*;
use serde_json::json;
use snapshot::{Builder, Options};
use std::sync::Arc;

fn snapshot(objects: impl IntoIterator<Item = Value>) -> Snapshot {
    let registry = Arc::new(Registry::builtin());
    let mut builder = Builder::new(registry, Options::manifests("default"));
    for object in objects {
        builder.object(object);
    }
    builder.build()
}

fn ask(snapshot: &Snapshot, from: &str, to: &str) -> Paths {
    let query = Query {
        from: from.parse().unwrap(),
        groups: Vec::new(),
        to: to.parse().unwrap(),
        max_length: None,
        most: 100,
        policies_in_force: None,
    };
    let guarded = |namespace: &str| {
        !snapshot
            .namespace_labels(namespace)
            .contains_key("pod-security.kubernetes.io/enforce")
    };
    find(snapshot, &query, &guarded).unwrap()
}

/// A role of `rules` in `namespace` (or, without one, for the whole cluster), bound to the
/// service account `app/robot`.
fn granted(name: &str, namespace: &str, rules: Value) -> [Value; 2] {
    let (role, binding) = if namespace.is_empty() {
        ("ClusterRole", "ClusterRoleBinding")
    } else {
        ("Role", "RoleBinding")
    };
    let group = "rbac.authorization.k8s.io";
    [
        json!({
            "apiVersion": format!("{group}/v1"),
            "kind": role,
            "metadata": {"name": name, "namespace": namespace},
            "rules": rules,
        }),
        json!({
            "apiVersion": format!("{group}/v1"),
            "kind": binding,
            "metadata": {"name": name, "namespace": namespace},
            "roleRef": {"apiGroup": group, "kind": role, "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": "app"}],
        }),
    ]
}

fn rule(verbs: &[&str], group: &str, resources: &[&str]) -> Value {
    json!([{"verbs": verbs, "apiGroups": [group], "resources": resources}])
}

/// A namespace that admits no privileged pods, with two accounts, a secret, and a pod of the
/// account `boss` that has the secret; `boss` is bound to cluster-admin.
fn cluster() -> Vec<Value> {
    vec![
        json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": "app",
                "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
            },
        }),
        json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "robot", "namespace": "app"},
        }),
        json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "boss", "namespace": "app"},
        }),
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "gold", "namespace": "app"},
        }),
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "throne", "namespace": "app"},
            "spec": {
                "serviceAccountName": "boss",
                "containers": [{
                    "name": "c",
                    "image": "i",
                    "envFrom": [{"secretRef": {"name": "gold"}}],
                }],
            },
        }),
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "app"},
            "spec": {
                "selector": {"matchLabels": {"a": "b"}},
                "template": {
                    "metadata": {"labels": {"a": "b"}},
                    "spec": {"containers": [{"name": "c", "image": "i"}]},
                },
            },
        }),
    ]
}

fn boss() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "boss"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "cluster-admin",
        },
        "subjects": [{"kind": "ServiceAccount", "name": "boss", "namespace": "app"}],
    })
}

fn techniques(paths: &Paths) -> Vec<Vec<&'static str>> {
    let mut all: Vec<Vec<&str>> = paths
        .paths
        .iter()
        .map(|path| path.steps.iter().map(|step| step.technique).collect())
        .collect();
    all.sort_unstable();
    all
}

const ROBOT: &str = "serviceaccount/app/robot";
const GOLD: &str = "secret/app/gold";
const RBAC: &str = "rbac.authorization.k8s.io";

#[test]
fn one_grant_is_enough() {
    for (name, rules, to, want) in [
        ("none", rule(&["get", "list"], "", &["pods"]), GOLD, None),
        (
            "get",
            rule(&["get"], "", &["secrets"]),
            GOLD,
            Some("read-secret"),
        ),
        (
            "list",
            rule(&["list"], "", &["secrets"]),
            GOLD,
            Some("read-secret"),
        ),
        (
            "watch",
            rule(&["watch"], "", &["secrets"]),
            GOLD,
            Some("read-secret"),
        ),
        (
            "other name",
            json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"],
                    "resourceNames": ["tin"]}]),
            GOLD,
            None,
        ),
        (
            "pod",
            rule(&["create"], "", &["pods"]),
            GOLD,
            Some("create-pod"),
        ),
        (
            "job",
            rule(&["create"], "batch", &["jobs"]),
            GOLD,
            Some("create-pod"),
        ),
        (
            "cron",
            rule(&["create"], "batch", &["cronjobs"]),
            GOLD,
            Some("create-pod"),
        ),
        (
            "patch",
            rule(&["patch"], "apps", &["deployments"]),
            GOLD,
            Some("change-workload"),
        ),
        // There is none that could be changed.
        (
            "no such",
            rule(&["patch"], "apps", &["daemonsets"]),
            GOLD,
            None,
        ),
        (
            "exec",
            rule(&["create"], "", &["pods/exec"]),
            GOLD,
            Some("exec"),
        ),
        (
            "exec by get",
            rule(&["get"], "", &["pods/exec"]),
            GOLD,
            Some("exec"),
        ),
        (
            "attach",
            rule(&["create"], "", &["pods/attach"]),
            GOLD,
            Some("attach"),
        ),
        (
            "forward",
            rule(&["create"], "", &["pods/portforward"]),
            GOLD,
            Some("port-forward"),
        ),
        (
            "debug",
            rule(&["patch"], "", &["pods/ephemeralcontainers"]),
            GOLD,
            Some("debug"),
        ),
        (
            "image",
            rule(&["update"], "", &["pods"]),
            GOLD,
            Some("replace-image"),
        ),
        (
            "token",
            rule(&["create"], "", &["serviceaccounts/token"]),
            "serviceaccount/app/boss",
            Some("create-token"),
        ),
        (
            "impersonate",
            rule(&["impersonate"], "", &["serviceaccounts"]),
            "serviceaccount/app/boss",
            Some("impersonate"),
        ),
        (
            "token secret",
            rule(&["create", "get"], "", &["secrets"]),
            "serviceaccount/app/boss",
            Some("token-secret"),
        ),
        // Creating secrets shows none.
        (
            "write only",
            rule(&["create"], "", &["secrets"]),
            "serviceaccount/app/boss",
            None,
        ),
        // The namespace admits no privileged pods.
        ("node", rule(&["create"], "", &["pods"]), "node/*", None),
    ] {
        let objects = cluster().into_iter().chain(granted("grant", "app", rules));
        let snapshot = snapshot(objects);
        let paths = ask(&snapshot, ROBOT, to);
        let first = paths.paths.first().and_then(|path| path.steps.first());
        assert_eq!(first.map(|step| step.technique), want, "{name}: {paths:#?}");
        if want.is_some() {
            let cited = &first.unwrap().because;
            assert!(cited.iter().any(|c| c.name == "grant"), "{name}: {cited:?}");
            let cut: Vec<&str> = paths.cut.grants.iter().map(|g| g.text.as_str()).collect();
            let grant = r#"RoleBinding "grant/app" of Role "grant" to ServiceAccount "robot/app""#;
            assert_eq!((cut, paths.cut.exact), (vec![grant], true), "{name}");
        }
    }
}

#[test]
fn ways_to_the_whole_cluster() {
    let csr = json!([
        {"verbs": ["create"], "apiGroups": ["certificates.k8s.io"],
         "resources": ["certificatesigningrequests"]},
        {"verbs": ["update"], "apiGroups": ["certificates.k8s.io"],
         "resources": ["certificatesigningrequests/approval"]},
        {"verbs": ["approve"], "apiGroups": ["certificates.k8s.io"], "resources": ["signers"],
         "resourceNames": ["kubernetes.io/kube-apiserver-client"]},
    ]);
    let half = json!([csr[0], csr[1]]);
    let groups = json!([
        {"verbs": ["impersonate"], "apiGroups": [""], "resources": ["groups"]},
        {"verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"],
         "resourceNames": ["somebody"]},
    ]);
    let bind = json!([
        {"verbs": ["create"], "apiGroups": [RBAC], "resources": ["clusterrolebindings"]},
        {"verbs": ["bind"], "apiGroups": [RBAC], "resources": ["clusterroles"],
         "resourceNames": ["cluster-admin"]},
    ]);
    let bind_view = json!([
        {"verbs": ["create"], "apiGroups": [RBAC], "resources": ["clusterrolebindings"]},
        {"verbs": ["bind"], "apiGroups": [RBAC], "resources": ["clusterroles"],
         "resourceNames": ["view"]},
    ]);
    for (name, rules, want) in [
        ("everything", rule(&["*"], "*", &["*"]), Some("everything")),
        (
            "escalate",
            rule(&["escalate", "patch"], RBAC, &["clusterroles"]),
            Some("escalate"),
        ),
        (
            "escalate alone",
            rule(&["escalate"], RBAC, &["clusterroles"]),
            None,
        ),
        ("bind", bind, Some("bind")),
        ("bind view", bind_view, None),
        (
            "bindings alone",
            rule(&["create"], RBAC, &["clusterrolebindings"]),
            None,
        ),
        ("groups", groups, Some("impersonate")),
        (
            "groups alone",
            rule(&["impersonate"], "", &["groups"]),
            None,
        ),
        // The user `ruler` may do everything.
        ("certificates", csr, Some("certificate")),
        ("no signer", half, None),
        (
            "users",
            rule(&["impersonate"], "", &["users"]),
            Some("impersonate"),
        ),
    ] {
        let mut ruler = boss();
        ruler["subjects"] = json!([{"kind": "User", "name": "ruler"}]);
        let granted = granted("grant", "", rules);
        let snapshot = snapshot(cluster().into_iter().chain(granted).chain([ruler]));
        let paths = ask(&snapshot, ROBOT, "cluster-admin");
        let first = paths.paths.first().and_then(|path| path.steps.first());
        assert_eq!(first.map(|step| step.technique), want, "{name}: {paths:#?}");
    }
}

#[test]
fn pods_lead_on() {
    let mut objects = cluster();
    objects.push(boss());
    let snapshot = snapshot(objects);
    let paths = ask(&snapshot, "pod/app/throne", "cluster-admin");
    assert_eq!(techniques(&paths), [["mounted-token", "everything"]]);
    let paths = ask(&snapshot, "pod/*", GOLD);
    assert_eq!(techniques(&paths), [["mounted-secret"]]);
    // Nothing that could be taken away leads there: the pod has the secret.
    assert_eq!(paths.cut.unavoidable, [GOLD]);
    assert!(paths.cut.grants.is_empty());
    assert_eq!(ask(&snapshot, ROBOT, "*").paths.len(), 0);
}

#[test]
fn privileged_pods_lead_to_nodes_where_they_are_admitted() {
    let mut objects = cluster();
    objects.extend(granted("grant", "app", rule(&["create"], "", &["pods"])));
    objects[0]["metadata"]["labels"] = json!({});
    let node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "n", "labels": {"node-role.kubernetes.io/control-plane": ""}},
    });
    objects.push(node);
    let snapshot = snapshot(objects);
    let paths = ask(&snapshot, ROBOT, "node/n");
    assert_eq!(techniques(&paths), [["create-pod", "pick-node"]]);
    let paths = ask(&snapshot, ROBOT, "cluster-admin");
    assert_eq!(
        techniques(&paths),
        [["create-pod", "pick-node", "control-plane"]]
    );
}

#[test]
fn two_ways_need_two_cuts_and_a_shared_grant_one() {
    let mut objects = cluster();
    objects.extend(granted("a", "app", rule(&["get"], "", &["secrets"])));
    objects.extend(granted("b", "app", rule(&["create"], "", &["pods"])));
    let two = ask(&snapshot(objects.clone()), ROBOT, GOLD);
    assert_eq!(two.paths.len(), 2);
    assert_eq!((two.cut.grants.len(), two.cut.exact), (2, true));
    // Both ways begin with one step: from the pod of the account.
    let mut objects = cluster();
    let rules = json!([
        {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]},
        {"verbs": ["create"], "apiGroups": [""], "resources": ["pods"]},
    ]);
    objects.extend(granted("a", "app", rules));
    let one = ask(&snapshot(objects), ROBOT, GOLD);
    assert_eq!(one.paths.len(), 2);
    assert_eq!((one.cut.grants.len(), one.cut.exact), (1, true));
}

#[test]
fn starts_and_goals_are_understood() {
    for (text, good) in [
        ("serviceaccount/a/b", true),
        ("user/system:serviceaccount:a:b", true),
        ("user/a/b", true),
        ("group/system:masters", true),
        ("pod/*", true),
        ("deployment/a/b", true),
        ("*", true),
        ("", false),
        ("user/", false),
        ("group/", false),
        ("serviceaccount/a", false),
        ("pod//b", false),
    ] {
        assert_eq!(text.parse::<From>().is_ok(), good, "{text}");
    }
    for (text, good) in [
        ("secret/a/b", true),
        ("cluster-admin", true),
        ("node/*", true),
        ("node/n", true),
        ("*", true),
        ("secret/a", false),
        ("node/", false),
        ("pod/a/b", false),
    ] {
        assert_eq!(text.parse::<Goal>().is_ok(), good, "{text}");
    }
}

#[test]
fn pictures_are_quoted() {
    let mut objects = cluster();
    objects.extend(granted("a", "app", rule(&["get"], "", &["secrets"])));
    let picture = dot(&ask(&snapshot(objects), ROBOT, GOLD));
    assert!(
        picture.contains(r#""serviceaccount/app/robot" -> "secret/app/gold""#),
        "{picture}"
    );
    assert_eq!(dot::quoted("a\"b\\\n\u{1b}"), "\"a\\\"b\\\\\\n\u{fffd}\"");
}

/// Rules of a few verbs on a few resources that matter.
fn some_rules() -> impl Strategy<Value = Value> {
    let verbs = prop::sample::subsequence(
        vec![
            "get",
            "create",
            "patch",
            "impersonate",
            "escalate",
            "bind",
            "approve",
        ],
        1..3,
    );
    let resources = prop::sample::subsequence(
        vec![
            "secrets",
            "pods",
            "pods/exec",
            "serviceaccounts",
            "serviceaccounts/token",
            "users",
            "groups",
            "roles",
            "clusterroles",
            "rolebindings",
            "clusterrolebindings",
            "nodes/proxy",
        ],
        1..4,
    );
    (verbs, resources).prop_map(|(verbs, resources)| {
        json!([{"verbs": verbs, "apiGroups": ["", RBAC], "resources": resources}])
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Without the grants of the cut there is no path; without any one of them less there is.
    #[test]
    fn the_cut_cuts_and_nothing_in_it_is_idle(
        all in prop::collection::vec((some_rules(), any::<bool>()), 1..5),
    ) {
        let build = |without: &[String]| {
            let mut objects = cluster();
            objects.push(boss());
            for (at, (rules, in_cluster)) in all.iter().enumerate() {
                let name = format!("g{at}");
                let namespace = if *in_cluster { "" } else { "app" };
                let [role, binding] = granted(&name, namespace, rules.clone());
                objects.push(role);
                if !without.contains(&name) {
                    objects.push(binding);
                }
            }
            objects.retain(|object| {
                let is_boss = object["metadata"]["name"] == "boss"
                    && object["kind"] == "ClusterRoleBinding";
                !(is_boss && without.contains(&"boss".to_owned()))
            });
            snapshot(objects)
        };
        for goal in [GOLD, "cluster-admin"] {
            let paths = ask(&build(&[]), ROBOT, goal);
            prop_assert!(paths.cut.unavoidable.is_empty());
            prop_assert!(paths.cut.exact);
            prop_assert_eq!(paths.paths.is_empty(), paths.cut.grants.is_empty());
            let cut: Vec<String> = paths
                .cut
                .grants
                .iter()
                .map(|grant| grant.binding.as_ref().unwrap().name.clone())
                .collect();
            prop_assert!(ask(&build(&cut), ROBOT, goal).paths.is_empty());
            for spared in 0..cut.len() {
                let mut fewer = cut.clone();
                fewer.remove(spared);
                prop_assert!(!ask(&build(&fewer), ROBOT, goal).paths.is_empty());
            }
        }
    }
}

/// A policy that allows privileged pods or does not.
fn policy(name: &str, privileged: bool) -> Value {
    let any = json!({"rule": "RunAsAny"});
    json!({
        "apiVersion": "policy/v1beta1",
        "kind": "PodSecurityPolicy",
        "metadata": {"name": name},
        "spec": {
            "privileged": privileged, "volumes": ["secret"], "runAsUser": any, "seLinux": any,
            "fsGroup": any, "supplementalGroups": any,
        },
    })
}

fn use_of(names: &[&str]) -> Value {
    json!([{
        "verbs": ["use"], "apiGroups": ["policy"], "resources": ["podsecuritypolicies"],
        "resourceNames": names,
    }])
}

/// As `ask`, where policies are in force or are not.
fn ask_policed(snapshot: &Snapshot, from: &str, to: &str, in_force: Option<bool>) -> Paths {
    let query = Query {
        from: from.parse().unwrap(),
        groups: Vec::new(),
        to: to.parse().unwrap(),
        max_length: None,
        most: 100,
        policies_in_force: in_force,
    };
    find(snapshot, &query, &|_| true).unwrap()
}

#[test]
fn policies_in_force_limit_who_makes_pods() {
    const ROBOT: &str = "serviceaccount/app/robot";
    let mut objects = cluster();
    objects.extend([policy("plain", false), policy("wide", true)]);
    objects.extend(granted("maker", "app", rule(&["create"], "", &["pods"])));
    let ways = |objects: &[Value], to: &str, in_force| {
        let snapshot = snapshot(objects.to_vec());
        let found = ask_policed(&snapshot, ROBOT, to, in_force);
        found.paths.first().map(|path| path.steps[0].because.len())
    };
    // Of manifests nothing says that policies are in force.
    assert_eq!(ways(&objects, "node/*", None), Some(2));
    assert_eq!(ways(&objects, "secret/app/gold", Some(false)), Some(2));
    // Where they are, nobody may use one.
    assert_eq!(ways(&objects, "node/*", Some(true)), None);
    assert_eq!(ways(&objects, "secret/app/gold", Some(true)), None);
    // The plain one admits a pod with the secret, and none that gets to the node. The grant of its
    // use is a part of the step.
    objects.extend(granted("use-plain", "app", use_of(&["plain"])));
    assert_eq!(ways(&objects, "secret/app/gold", Some(true)), Some(4));
    assert_eq!(ways(&objects, "node/*", Some(true)), None);
    objects.extend(granted("use-wide", "app", use_of(&["wide"])));
    let found = ask_policed(&snapshot(objects.clone()), ROBOT, "node/*", Some(true));
    let step = &found.paths[0].steps[0];
    assert_eq!(step.technique, "create-pod");
    let bindings: Vec<&str> = step
        .because
        .iter()
        .filter(|citation| citation.kind == "RoleBinding")
        .map(|citation| citation.name.as_str())
        .collect();
    assert!(bindings.contains(&"maker") && bindings.contains(&"use-wide"));
    // To take away either is enough.
    assert_eq!(found.cut.grants.len(), 1, "{:?}", found.cut);
}

#[test]
fn workloads_need_an_account_that_may_use_a_policy() {
    const BOSS: &str = "user/maker";
    let mut objects = cluster();
    objects.push(policy("wide", true));
    for (name, rules) in [
        ("deployer", rule(&["create"], "apps", &["deployments"])),
        ("use-wide", use_of(&["wide"])),
    ] {
        let [role, mut binding] = granted(name, "app", rules);
        binding["subjects"] = json!([{
            "kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "maker",
        }]);
        objects.extend([role, binding]);
    }
    let asked = |objects: &[Value]| {
        let snapshot = snapshot(objects.to_vec());
        ask_policed(&snapshot, BOSS, "node/*", Some(true))
            .paths
            .len()
    };
    // The user may use it, and the controller that creates the pods may not.
    assert_eq!(asked(&objects), 0);
    objects.extend(granted("use-wide-too", "app", use_of(&["wide"])));
    assert_eq!(asked(&objects), 1);
}

#[test]
fn pods_show_that_policies_are_in_force() {
    let mut objects = cluster();
    assert!(!are_policies_in_force(&snapshot(objects.clone())));
    objects.push(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "admitted", "namespace": "app",
            "annotations": {"kubernetes.io/psp": "wide"},
        },
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }));
    assert!(are_policies_in_force(&snapshot(objects)));
}
