//! Which repairs are made of which findings, and what holds of all of them.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use analysis::audit::{Config, Date, Options as AuditOptions};
use analysis::fix::{File, Fixed, Options, run};
use model::registry::Registry;
use pod_security::Level;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeMap;
use std::sync::Arc;
use support::{audit, snapshot};

fn fix_with(text: &str, level: Option<Level>, config: &str) -> (String, Fixed) {
    let config = Config::parse(config.as_bytes()).expect("a configuration");
    let settings = config.settings().expect("settings");
    let file = File {
        name: "test.yaml",
        text: text.as_bytes(),
    };
    let options = Options {
        audit: AuditOptions {
            settings: &settings,
            baseline: None,
            today: Date::of_epoch_seconds(1_798_761_600),
            workers: 1,
        },
        level,
    };
    let reading = snapshot::Options::manifests("default");
    let registry = Arc::new(Registry::builtin());
    let fixed = run(snapshot(text), &[file], &registry, &reading, options);
    let new = String::from_utf8(fixed.texts[0].to_vec()).expect("UTF-8");
    (new, fixed)
}

/// The repairs that are made, as `CHECK FIELD CHANGE`.
fn repairs(fixed: &Fixed) -> Vec<String> {
    fixed
        .repairs
        .iter()
        .map(|r| format!("{} {}", r.field, r.change))
        .collect()
}

fn why(fixed: &Fixed, id: &str) -> Vec<String> {
    let of = fixed.refused.iter().filter(|r| r.id == id);
    of.map(|r| r.unclear.clone()).collect()
}

/// A pod with lines of its spec, and of its container.
fn pod(spec: &str, container: &str) -> String {
    let lines = |text: &str, pad: &str| -> String {
        text.lines().map(|line| format!("{pad}{line}\n")).collect()
    };
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nspec:\n{}  containers:\n  - name: c\n    image: i\n{}",
        lines(spec, "  "),
        lines(container, "    ")
    )
}

#[test]
fn a_pod_without_settings_gets_what_is_safe() {
    let (new, fixed) = fix_with(&pod("", ""), None, "");
    assert_eq!(
        new,
        pod("", "securityContext:\n  allowPrivilegeEscalation: false")
            + "  securityContext:\n    seccompProfile:\n      type: RuntimeDefault\n  \
               automountServiceAccountToken: false\n"
    );
    assert_eq!(
        (fixed.pods[0].before, fixed.pods[0].after),
        ("baseline", "baseline")
    );
    let (new, fixed) = fix_with(&pod("", ""), Some(Level::Restricted), "");
    assert_eq!(fixed.pods[0].after, "restricted");
    assert_eq!(fixed.pods[0].reaches, Some(true));
    assert!(
        new.contains("\n  securityContext:\n    runAsNonRoot: true\n"),
        "{new}"
    );
    assert!(new.contains("\n        drop: [ALL]\n"), "{new}");
}

#[test]
fn what_somebody_wrote_is_left_unless_a_level_is_asked_for() {
    let written = pod(
        "securityContext: {seccompProfile: {type: Unconfined}, runAsNonRoot: false}\n\
         automountServiceAccountToken: true",
        "securityContext:\n  allowPrivilegeEscalation: true # sudo",
    );
    let (new, fixed) = fix_with(&written, None, "");
    assert_eq!(new, written);
    for id in [
        "RMP-ISO-001",
        "RMP-POD-003",
        "RMP-POD-004",
        "RMP-POD-005",
        "RMP-SA-001",
    ] {
        assert_eq!(why(&fixed, id).len(), 1, "{id}");
    }
    let (new, fixed) = fix_with(&written, Some(Level::Restricted), "");
    assert_eq!(fixed.pods[0].after, "restricted");
    assert!(new.contains("{seccompProfile: {type: RuntimeDefault}, runAsNonRoot: true}"));
    assert!(new.contains("  allowPrivilegeEscalation: false # sudo\n"));
    // That is for the token's reader to say, whatever the level.
    assert!(new.contains("automountServiceAccountToken: true"));
    let (_, fixed) = fix_with(&written, Some(Level::Baseline), "");
    assert_eq!(fixed.pods[0].after, "baseline");
    assert_eq!(why(&fixed, "RMP-POD-004").len(), 1);
}

#[test]
fn other_users_than_root_lose_what_they_do_not_have() {
    let (_, fixed) = fix_with(&pod("securityContext: {runAsUser: 10001}", ""), None, "");
    assert_eq!(
        repairs(&fixed),
        [
            "spec.securityContext.seccompProfile.type seccompProfile.type: RuntimeDefault",
            "spec.containers[0].securityContext.allowPrivilegeEscalation \
             securityContext.allowPrivilegeEscalation: false",
            "spec.automountServiceAccountToken spec.automountServiceAccountToken: false",
            "spec.securityContext.runAsNonRoot securityContext.runAsNonRoot: true",
            // Once they cannot gain rights.
            "spec.containers[0].securityContext.capabilities.drop capabilities.drop: + ALL",
        ]
    );
    assert_eq!(fixed.pods[0].after, "restricted");
}

#[test]
fn whose_capabilities_or_privileges_matter_keeps_them() {
    let privileged = pod("", "securityContext: {privileged: true}");
    let (new, fixed) = fix_with(&privileged, Some(Level::Restricted), "");
    assert!(
        !new.contains("allowPrivilegeEscalation") && !new.contains("runAsNonRoot"),
        "{new}"
    );
    assert_eq!(fixed.pods[0].reaches, Some(false));
    assert!(fixed.pods[0].because.contains("privileged"));
    let admin = pod("", "securityContext: {capabilities: {add: [SYS_ADMIN]}}");
    let (new, _) = fix_with(&admin, None, "");
    assert!(!new.contains("allowPrivilegeEscalation"), "{new}");
    let added = pod(
        "securityContext: {runAsUser: 1000}",
        "securityContext:\n  allowPrivilegeEscalation: false\n  capabilities:\n    drop:\n    - 'KILL' # c\n    add: [NET_BIND_SERVICE]",
    );
    let (new, _) = fix_with(&added, None, "");
    assert!(new.contains("    - 'KILL' # c\n        - 'ALL'\n"), "{new}");
    assert!(new.contains("        add: [NET_BIND_SERVICE]\n"), "{new}");
}

#[test]
fn one_container_that_needs_root_does_not_decide_for_others() {
    let two = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: a\n    image: a\n    securityContext: {runAsUser: 0}\n  - name: b\n    image: b\n    securityContext: {runAsUser: 1000}\n";
    let (_, fixed) = fix_with(two, None, "");
    let non_root: Vec<_> = repairs(&fixed)
        .into_iter()
        .filter(|r| r.contains("runAsNonRoot"))
        .collect();
    assert_eq!(
        non_root,
        ["spec.containers[1].securityContext.runAsNonRoot securityContext.runAsNonRoot: true"]
    );
}

#[test]
fn tokens_stay_with_those_who_have_rights() {
    let binding = "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: b, namespace: default}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}\nsubjects:\n";
    for (subject, is_taken) in [
        (
            "- {kind: ServiceAccount, name: default, namespace: default}\n",
            false,
        ),
        (
            "- {kind: Group, name: 'system:serviceaccounts', apiGroup: rbac.authorization.k8s.io}\n",
            false,
        ),
        (
            "- {kind: User, name: 'system:serviceaccount:default:default', apiGroup: rbac.authorization.k8s.io}\n",
            false,
        ),
        (
            "- {kind: ServiceAccount, name: default, namespace: other}\n",
            true,
        ),
        (
            "- {kind: ServiceAccount, name: robot, namespace: default}\n",
            true,
        ),
    ] {
        let text = format!("{}{binding}{subject}", pod("", ""));
        let (new, _) = fix_with(&text, None, "");
        assert_eq!(new.contains("automount"), is_taken, "{subject}");
    }
}

#[test]
fn namespaces_enforce_what_their_pods_keep_to() {
    let namespace = "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: ns # mine\n";
    let inside = |text: String| text.replace("name: p\n", "name: p\n  namespace: ns\n");
    for (pod, level, label) in [
        (pod("", ""), None, "baseline"),
        (pod("", ""), Some(Level::Restricted), "restricted"),
        (pod("hostNetwork: true", ""), None, ""),
    ] {
        let text = inside(pod) + namespace;
        let (new, fixed) = fix_with(&text, level, "");
        let line = format!("    pod-security.kubernetes.io/enforce: {label}\n");
        assert_eq!(
            new.ends_with(&line),
            !label.is_empty(),
            "{new} {:?}",
            why(&fixed, "RMP-NS-003")
        );
        assert_eq!(why(&fixed, "RMP-NS-003").is_empty(), !label.is_empty());
    }
    let (new, fixed) = fix_with(namespace, None, "");
    assert_eq!(new, namespace);
    assert_eq!(why(&fixed, "RMP-NS-003").len(), 1);
}

#[test]
fn versions_with_an_equal_successor_are_renamed() {
    let role = "apiVersion: \"rbac.authorization.k8s.io/v1beta1\" # old\nkind: Role\nmetadata: {name: r}\nrules: []\n";
    assert_eq!(fix_with(role, None, "").0, role.replace("v1beta1", "v1"));
    let budget = |selector: &str| {
        format!(
            "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {{name: r}}\nspec: {{minAvailable: 1, selector: {selector}}}\n"
        )
    };
    let fine = budget("{matchLabels: {a: b}}");
    assert_eq!(fix_with(&fine, None, "").0, fine.replace("v1beta1", "v1"));
    // An empty selector has changed its meaning.
    assert_eq!(fix_with(&budget("{}"), None, "").0, budget("{}"));
    let ingress = "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: r}\nspec: {backend: {serviceName: a, servicePort: 1}}\n";
    assert_eq!(fix_with(ingress, None, "").0, ingress);
    let deployment = "apiVersion: apps/v1beta2\nkind: Deployment\nmetadata: {name: r}\nspec:\n  template:\n    metadata: {labels: {a: b}}\n    spec: {containers: [{name: a, image: a}]}\n";
    let selected = deployment.replace(
        "spec:\n  t",
        "spec:\n  selector: {matchLabels: {a: b}}\n  t",
    );
    let (new, fixed) = fix_with(&selected, None, "");
    assert!(
        new.contains("apps/v1\n") && new.contains("securityContext"),
        "{new} {:?}",
        fixed.refused
    );
}

#[test]
fn what_is_excused_or_not_looked_for_is_left() {
    let annotated = pod("", "").replace(
        "  name: p\n",
        "  name: p\n  annotations: {rampart.dev/ignore-RMP-POD-004: sudo is needed}\n",
    );
    let (new, _) = fix_with(&annotated, Some(Level::Restricted), "");
    assert!(!new.contains("allowPrivilegeEscalation"), "{new}");
    let (_, fixed) = fix_with(&pod("", ""), None, "only: [RMP-POD-004]");
    assert_eq!(fixed.repairs.len(), 1);
}

#[test]
fn shared_text_is_left_and_said_so() {
    let shared = "apiVersion: v1\nkind: List\nitems:\n- &pod\n  apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n  spec: &spec\n    containers: [{name: a, image: a}]\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: b}\n  spec: *spec\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: c}\n  spec:\n    containers:\n    - {name: a, image: a}\n";
    let (new, fixed) = fix_with(shared, None, "");
    // Up to the third pod nothing changes.
    let head = shared
        .split(
            "- apiVersion: v1
  kind: Pod
  metadata: {name: c}",
        )
        .next();
    assert!(new.starts_with(head.expect("a part")), "{new}");
    let reasons = why(&fixed, "RMP-POD-004");
    assert_eq!(reasons.len(), 2);
    assert!(reasons[0].contains("anchor"), "{reasons:?}");
    let of_c = fixed.repairs.iter().filter(|r| r.object.name == "c");
    assert_eq!(of_c.count(), fixed.repairs.len());
    assert!(!fixed.repairs.is_empty());
}

fn security(of_container: bool) -> BoxedStrategy<String> {
    let mut fields = vec![
        ("runAsNonRoot", vec!["true", "false"]),
        ("runAsUser", vec!["0", "1000"]),
        (
            "seccompProfile",
            vec!["{type: RuntimeDefault}", "{type: Unconfined}"],
        ),
        ("appArmorProfile", vec!["{type: Unconfined}"]),
    ];
    if of_container {
        fields.extend([
            ("privileged", vec!["true"]),
            ("allowPrivilegeEscalation", vec!["true", "false"]),
            (
                "capabilities",
                vec![
                    "{drop: [ALL]}",
                    "{drop: [\"KILL\"]}",
                    "{add: [SYS_ADMIN]}",
                    "{}",
                    "",
                ],
            ),
        ]);
    }
    let some: Vec<_> = fields
        .into_iter()
        .map(|(key, values)| (Just(key), proptest::option::weighted(0.3, select(values))))
        .collect();
    (some, 0..3_usize)
        .prop_map(|(fields, how)| {
            let set: Vec<String> = fields
                .into_iter()
                .filter_map(|(key, value)| Some(format!("{key}: {}", value?)))
                .collect();
            match how {
                0 if set.is_empty() => String::new(),
                0 => format!("securityContext: {{{}}} # why\n", set.join(", ")),
                _ if set.is_empty() => "securityContext:\n".to_owned(),
                _ => format!("securityContext: # why\n  {}\n", set.join("\n  ")),
            }
        })
        .boxed()
}

fn pods() -> impl Strategy<Value = String> {
    let container = security(true);
    let containers = proptest::collection::vec(container, 1..3);
    let spec = (
        security(false),
        select(vec![
            "",
            "hostNetwork: true\n",
            "automountServiceAccountToken: true\n",
        ]),
        containers,
        select(vec!["", "os: {name: windows}\n"]),
    );
    let object = (spec, any::<bool>(), any::<bool>());
    proptest::collection::vec(object, 1..4).prop_map(|objects| {
        let mut text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: ns}\n".to_owned();
        for (n, ((security, more, containers, os), in_n, is_workload)) in
            objects.into_iter().enumerate()
        {
            let mut spec = format!("{security}{more}{os}containers:\n");
            for (c, container) in containers.iter().enumerate() {
                spec.push_str(&format!("- name: c{c} # a container\n  image: i\n"));
                spec.extend(container.lines().map(|line| format!("  {line}\n")));
            }
            let namespace = if in_n { "ns" } else { "default" };
            let (head, pad) = if is_workload {
                ("apiVersion: apps/v1beta2\nkind: Deployment\n", "      ")
            } else {
                ("apiVersion: v1\nkind: Pod\n", "  ")
            };
            text.push_str(&format!(
                "---\n# object {n}\n{head}metadata:\n  name: p{n}\n  namespace: {namespace}\nspec:\n"
            ));
            if is_workload {
                text.push_str("  selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}}\n    spec:\n");
            }
            text.extend(spec.lines().map(|line| format!("{pad}{line}\n")));
        }
        text
    })
}

fn fingerprints(text: &str) -> BTreeMap<String, usize> {
    let snapshot = snapshot(text);
    let mut counts = BTreeMap::new();
    for finding in audit(&snapshot, "").findings {
        *counts.entry(finding.fingerprint()).or_default() += 1;
    }
    counts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn repairs_never_make_it_worse_and_end(
        text in pods(),
        level in proptest::option::of(select(vec![Level::Baseline, Level::Restricted])),
    ) {
        let (new, fixed) = fix_with(&text, level, "");
        let (before, after) = (fingerprints(&text), fingerprints(&new));
        for (fingerprint, count) in &after {
            let old = before.get(fingerprint).copied().unwrap_or_default();
            prop_assert!(*count <= old, "{} is new in\n{}", fingerprint, new);
        }
        let left: usize = fixed.left.values().sum();
        prop_assert_eq!(left, after.values().sum::<usize>());
        prop_assert_eq!(left, fixed.refused.len());
        let repaired: usize = fixed.repairs.iter().map(|r| r.findings).sum();
        prop_assert_eq!(before.values().sum::<usize>() - left, repaired);
        for pod in &fixed.pods {
            let order = |level| ["privileged", "baseline", "restricted"].iter().position(|l| *l == level);
            prop_assert!(order(pod.after) >= order(pod.before));
        }
        prop_assert_eq!(text.matches('#').count(), new.matches('#').count());
        let (again, second) = fix_with(&new, level, "");
        prop_assert_eq!(&again, &new);
        prop_assert!(second.repairs.is_empty());
        prop_assert_eq!(second.left, fixed.left);
    }
}
