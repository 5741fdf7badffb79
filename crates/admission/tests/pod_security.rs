//! `PodSecurity`: what is refused, warned of, noted and counted.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod common;

use admission::{
    ConfigError, Evaluation, NoRecorder, PodSecurity, PodSecurityConfig, Recorder, Subject,
};
use common::{Ask, Cluster, resource};
use model::Value;
use model::resource::Resource;
use pod_security::Level;
use proptest::prelude::*;
use serde_json::json;
use std::sync::{Arc, Mutex};

const ENFORCE: &str = "pod-security.kubernetes.io/enforce-policy";
const AUDIT: &str = "pod-security.kubernetes.io/audit-violations";
const EXEMPT: &str = "pod-security.kubernetes.io/exempt";
const ERROR: &str = "pod-security.kubernetes.io/error";

const PRIVILEGED: &str =
    "privileged (container \"c\" must not set securityContext.privileged=true)";

fn pods() -> &'static Resource {
    resource("", "v1", "pods")
}

fn namespaces() -> &'static Resource {
    resource("", "v1", "namespaces")
}

fn plugin(config: Value) -> PodSecurity {
    let mut whole = json!({
        "kind": "PodSecurityConfiguration",
        "apiVersion": "pod-security.admission.config.k8s.io/v1",
    });
    for key in ["defaults", "exemptions"] {
        if let Some(value) = config.get(key) {
            whole[key] = value.clone();
        }
    }
    let config = PodSecurityConfig::from_value(&whole).expect("a good configuration");
    PodSecurity::new(config, Arc::new(NoRecorder))
}

/// Upstream's, as it is without a configuration.
fn upstream() -> PodSecurity {
    plugin(json!({}))
}

fn spec(privileged: bool) -> Value {
    let context = match privileged {
        true => json!({ "privileged": true }),
        false => json!({
            "allowPrivilegeEscalation": false,
            "runAsNonRoot": true,
            "capabilities": { "drop": ["ALL"] },
            "seccompProfile": { "type": "RuntimeDefault" },
        }),
    };
    json!({ "containers": [{ "name": "c", "image": "i", "securityContext": context }] })
}

fn pod(spec: Value) -> Value {
    json!({ "metadata": { "name": "p", "namespace": "n" }, "spec": spec })
}

fn label(mode: &str, value: &str) -> Value {
    json!({ format!("pod-security.kubernetes.io/{mode}"): value })
}

#[test]
fn what_is_enforced_is_refused() {
    let cluster = Cluster::with_labels(label("enforce", "baseline"));
    let done = Ask::create(pods(), pod(spec(true))).of(&upstream(), &cluster);
    assert_eq!(
        done.message(),
        format!("pods \"p\" is forbidden: violates PodSecurity \"baseline:latest\": {PRIVILEGED}")
    );
    assert_eq!(done.note(ENFORCE), Some("baseline:latest"));
    // Nobody audits: the label `enforce` makes for warnings only, and those go unsaid here.
    assert_eq!((done.note(AUDIT), done.warnings.len()), (None, 0));
    let good = Ask::create(pods(), pod(spec(false))).of(&upstream(), &cluster);
    assert!(good.verdict.is_ok() && good.warnings.is_empty());
    assert_eq!(good.note(ENFORCE), Some("baseline:latest"));
}

#[test]
fn what_is_audited_and_warned_of_is_said() {
    let labels = json!({
        "pod-security.kubernetes.io/audit": "baseline",
        "pod-security.kubernetes.io/warn": "baseline",
        "pod-security.kubernetes.io/warn-version": "v1.20",
    });
    let cluster = Cluster::with_labels(labels);
    let done = Ask::create(pods(), pod(spec(true))).of(&upstream(), &cluster);
    assert!(done.verdict.is_ok());
    let text = |version: &str| format!("would violate PodSecurity \"{version}\": {PRIVILEGED}");
    assert_eq!(done.note(AUDIT), Some(text("baseline:latest").as_str()));
    assert_eq!(done.note(ENFORCE), Some("privileged:latest"));
    assert_eq!(done.warnings, [text("baseline:v1.20")]);
}

#[test]
fn templates_are_warned_of_and_never_refused() {
    let labels = json!({
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/audit": "baseline",
    });
    let cluster = Cluster::with_labels(labels);
    let template = json!({ "spec": spec(true) });
    let in_spec = json!({ "metadata": { "name": "w" }, "spec": { "template": template } });
    for (group, version, plural) in [
        ("", "v1", "replicationcontrollers"),
        ("apps", "v1", "deployments"),
        ("apps", "v1", "replicasets"),
        ("apps", "v1", "statefulsets"),
        ("apps", "v1", "daemonsets"),
        ("batch", "v1", "jobs"),
        ("batch", "v1", "cronjobs"),
        ("", "v1", "podtemplates"),
    ] {
        let object = match plural {
            "cronjobs" => json!({ "spec": { "jobTemplate": in_spec } }),
            "podtemplates" => json!({ "template": template }),
            _ => in_spec.clone(),
        };
        let done =
            Ask::create(resource(group, version, plural), object.clone()).of(&upstream(), &cluster);
        let want = format!("would violate PodSecurity \"baseline:latest\": {PRIVILEGED}");
        assert!(done.verdict.is_ok());
        assert_eq!(done.warnings, [want.as_str()], "{plural}");
        assert_eq!(done.note(AUDIT), Some(want.as_str()));
        assert_eq!(done.note(ENFORCE), None);
        assert_eq!(done.object, object, "nothing is changed");
        let scaled = Ask {
            subresource: "status",
            ..Ask::create(resource(group, version, plural), object)
        };
        assert!(scaled.of(&upstream(), &cluster).warnings.is_empty());
    }
    let bare = json!({ "metadata": { "name": "w" }, "spec": {} });
    let done = Ask::create(resource("", "v1", "replicationcontrollers"), bare);
    assert!(done.of(&upstream(), &cluster).warnings.is_empty());
}

#[test]
fn exemptions() {
    let cluster = || Cluster::with_labels(label("enforce", "restricted"));
    for (exempt, by) in [
        (json!({ "namespaces": ["n"] }), "namespace"),
        (json!({ "usernames": ["jane"] }), "user"),
        (json!({ "runtimeClasses": ["kata"] }), "runtimeClass"),
    ] {
        let plugin = plugin(json!({ "exemptions": exempt }));
        let mut spec = spec(true);
        spec["runtimeClassName"] = "kata".into();
        let done = Ask::create(pods(), pod(spec)).of(&plugin, &cluster());
        assert!(done.verdict.is_ok(), "{by}");
        assert_eq!(done.note(EXEMPT), Some(by));
        assert_eq!(done.note(ENFORCE), None);
    }
}

#[test]
fn updates_count_if_they_change_what_counts() {
    let cluster = Cluster::with_labels(label("enforce", "baseline"));
    let old = pod(spec(true));
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut new = old.clone();
        change(&mut new);
        new
    };
    let ephemeral = json!([{ "name": "e", "image": "i" }]);
    for (what, new, subresource, refused) in [
        ("nothing", old.clone(), "", false),
        (
            "a label",
            changed(&|p| p["metadata"]["labels"] = json!({ "a": "b" })),
            "",
            false,
        ),
        (
            "an image",
            changed(&|p| p["spec"]["containers"][0]["image"] = "j".into()),
            "",
            true,
        ),
        (
            "an annotation of old",
            changed(&|p| {
                p["metadata"]["annotations"] =
                    json!({ "seccomp.security.alpha.kubernetes.io/pod": "unconfined" });
            }),
            "",
            false,
        ),
        (
            "a new ephemeral container",
            changed(&|p| p["spec"]["ephemeralContainers"] = ephemeral.clone()),
            "ephemeralcontainers",
            true,
        ),
        (
            "a status",
            changed(&|p| p["spec"]["containers"][0]["image"] = "j".into()),
            "status",
            false,
        ),
    ] {
        let ask = Ask {
            subresource,
            ..Ask::update(pods(), old.clone(), new)
        };
        let done = ask.of(&upstream(), &cluster);
        assert_eq!(done.verdict.is_err(), refused, "{what}: {}", done.message());
    }
}

#[test]
fn labels_of_namespaces_make_sense() {
    let namespace = |labels: Value| json!({ "metadata": { "name": "n", "labels": labels } });
    let wrong = || namespace(label("enforce", "strict"));
    let none = Cluster::default();
    let done = Ask::create(namespaces(), wrong()).of(&upstream(), &none);
    let status = done.verdict.expect_err("refused");
    assert_eq!(status.code, 422);
    assert_eq!(
        status.message,
        "Namespace \"n\" is invalid: \
         metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \"strict\": must be one \
         of privileged, baseline, restricted"
    );
    let version = namespace(label("warn-version", "1.20"));
    let done = Ask::update(namespaces(), namespace(json!({})), version).of(&upstream(), &none);
    assert_eq!(
        done.message(),
        "Namespace \"n\" is invalid: metadata.labels[pod-security.kubernetes.io/warn-version]: \
         Invalid value: \"1.20\": must be \"latest\" or \"v1.x\""
    );
    // What was wrong before may stay so, and pods are then held to the strictest.
    let done = Ask::update(namespaces(), wrong(), wrong()).of(&upstream(), &none);
    assert!(done.verdict.is_ok());
    let cluster = Cluster::with_labels(label("enforce", "strict"));
    let done = Ask::create(pods(), pod(spec(true))).of(&upstream(), &cluster);
    assert!(done.message().contains("\"restricted:latest\""));
    assert_eq!(
        done.note(ERROR),
        Some(
            "Failed to parse policy: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid \
             value: \"strict\": must be one of privileged, baseline, restricted"
        )
    );
}

#[test]
fn pods_that_are_there_are_told_of() {
    let mut cluster = Cluster::with_labels(json!({}));
    for name in ["web-2", "web-1", "web-3", "db", "good", "other"] {
        let mut pod = pod(spec(name != "good"));
        pod["metadata"]["name"] = name.into();
        if name == "db" {
            pod["spec"]["hostNetwork"] = true.into();
        }
        if name == "other" {
            pod["metadata"]["namespace"] = "elsewhere".into();
        }
        cluster = cluster.and("pods", pod);
    }
    let namespace = |labels: Value| json!({ "metadata": { "name": "n", "labels": labels } });
    let change = |from: Value, to: Value, plugin: &PodSecurity| {
        let done = Ask::update(namespaces(), namespace(from), namespace(to)).of(plugin, &cluster);
        assert!(done.verdict.is_ok());
        done.warnings
    };
    assert_eq!(
        change(json!({}), label("enforce", "baseline"), &upstream()),
        [
            "existing pods in namespace \"n\" violate the new PodSecurity enforce level \
             \"baseline:latest\"",
            "db: host namespaces, privileged",
            "web-1 (and 2 other pods): privileged",
        ]
    );
    for (from, to) in [
        (label("enforce", "baseline"), label("enforce", "baseline")),
        (label("enforce", "restricted"), label("enforce", "baseline")),
        (label("enforce", "baseline"), label("enforce", "privileged")),
        (json!({}), label("warn", "restricted")),
    ] {
        assert!(change(from, to, &upstream()).is_empty());
    }
    let exempt = plugin(json!({ "exemptions": { "namespaces": ["n"] } }));
    assert_eq!(
        change(json!({}), label("enforce", "baseline"), &exempt),
        [
            "namespace \"n\" is exempt from Pod Security, and the policy (enforce=baseline:latest) \
             will be ignored"
        ]
    );
}

#[test]
fn of_very_many_pods_one_of_each_controller_is_looked_at_first() {
    let mut cluster = Cluster::with_labels(json!({}));
    for n in 0..3100 {
        let mut pod = pod(spec(false));
        pod["metadata"]["name"] = format!("web-{n}").into();
        pod["metadata"]["ownerReferences"] = json!([{ "uid": "w", "controller": true }]);
        cluster = cluster.and("pods", pod);
    }
    let mut last = pod(spec(true));
    last["metadata"]["name"] = "last".into();
    let cluster = cluster.and("pods", last);
    let to = json!({ "metadata": { "name": "n", "labels": label("enforce", "baseline") } });
    let from = json!({ "metadata": { "name": "n" } });
    let done = Ask::update(namespaces(), from, to).of(&upstream(), &cluster);
    assert_eq!(
        done.warnings,
        [
            "new PodSecurity enforce level only checked against the first 3000 of 3101 existing pods",
            "existing pods in namespace \"n\" violate the new PodSecurity enforce level \
             \"baseline:latest\"",
            "last: privileged",
        ]
    );
}

#[test]
fn the_default_is_baseline_and_warns_of_what_is_not_restricted() {
    let cluster = Cluster::with_labels(json!({}));
    let plain = || pod(json!({ "containers": [{ "name": "c", "image": "i" }] }));
    let with = |level| PodSecurity::new(PodSecurityConfig::enforcing(level), Arc::new(NoRecorder));
    for (level, privileged, plain_ok, warned) in [
        (Level::Privileged, true, true, false),
        (Level::Baseline, false, true, true),
        (Level::Restricted, false, false, false),
    ] {
        let done = Ask::create(pods(), pod(spec(true))).of(&with(level), &cluster);
        assert_eq!(done.verdict.is_ok(), privileged, "{level}");
        let done = Ask::create(pods(), plain()).of(&with(level), &cluster);
        assert_eq!(done.verdict.is_ok(), plain_ok, "{level}");
        assert_eq!(!done.warnings.is_empty(), warned, "{level}");
    }
    let system = Ask {
        namespace: "kube-system",
        ..Ask::create(pods(), pod(spec(true)))
    };
    assert!(system.of(&with(Level::Baseline), &cluster).verdict.is_ok());
}

#[test]
fn configurations() {
    let read = |text: Value| PodSecurityConfig::from_value(&text);
    for version in ["v1", "v1beta1", "v1alpha1"] {
        let config = read(json!({
            "kind": "PodSecurityConfiguration",
            "apiVersion": format!("pod-security.admission.config.k8s.io/{version}"),
            "defaults": { "enforce": "baseline", "enforce-version": "v1.25", "warn": "" },
            "exemptions": { "usernames": ["a"], "namespaces": [], "runtimeClasses": ["k"] },
        }))
        .expect("good");
        assert_eq!(config.defaults.enforce.to_string(), "baseline:v1.25");
        assert_eq!(config.defaults.warn.to_string(), "privileged:latest");
        assert!(config.exemptions.usernames.contains("a"));
    }
    let broken = |key: &str, value: Value| {
        read(json!({
            "kind": "PodSecurityConfiguration",
            "apiVersion": "pod-security.admission.config.k8s.io/v1",
            key: value,
        }))
        .expect_err("refused")
        .to_string()
    };
    for (key, value, why) in [
        ("default", json!({}), "unknown field \"default\""),
        (
            "defaults",
            json!({ "enforced": "x" }),
            "unknown field \"defaults.enforced\"",
        ),
        (
            "defaults",
            json!({ "warn": "strict" }),
            "defaults.warn: Invalid value: \"strict\": must be one of privileged, baseline, restricted",
        ),
        (
            "defaults",
            json!([]),
            "defaults: Invalid value: []: must be an object",
        ),
        (
            "exemptions",
            json!({ "namespaces": ["Not A Name"] }),
            "exemptions.namespaces[0]: Invalid value: \"Not A Name\": must be the name of a namespace",
        ),
        (
            "exemptions",
            json!({ "usernames": ["a", "a"] }),
            "exemptions.usernames[1]: Invalid value: \"a\": is there twice",
        ),
        (
            "exemptions",
            json!({ "usernames": [""] }),
            "exemptions.usernames[0]: Invalid value: \"\": must not be empty",
        ),
    ] {
        assert_eq!(broken(key, value), why);
    }
    assert!(matches!(read(json!({})), Err(ConfigError::Kind { .. })));
}

#[derive(Default)]
struct Counts(Mutex<Vec<String>>);

impl Recorder for Counts {
    fn evaluated(&self, e: &Evaluation<'_>) {
        let Subject {
            operation,
            resource,
            subresource,
        } = e.subject;
        let (level, version) = (e.policy.level, e.version());
        self.0.lock().expect("whole").push(format!(
            "{} {} {level}:{version} {operation} {resource} {subresource}",
            e.mode, e.allowed
        ));
    }

    fn exempted(&self, subject: Subject<'_>) {
        self.0
            .lock()
            .expect("whole")
            .push(format!("exempt {}", subject.resource));
    }

    fn failed(&self, fatal: bool, subject: Subject<'_>) {
        self.0
            .lock()
            .expect("whole")
            .push(format!("failed {fatal} {}", subject.resource));
    }
}

#[test]
fn everything_is_counted() {
    let counts = Arc::new(Counts::default());
    let plugin = PodSecurity::new(PodSecurityConfig::default(), counts.clone());
    let labels = json!({
        "pod-security.kubernetes.io/enforce": "privileged",
        "pod-security.kubernetes.io/audit": "baseline",
        "pod-security.kubernetes.io/warn": "baseline",
        "pod-security.kubernetes.io/warn-version": "v1.99",
    });
    let ask = || Ask::create(pods(), pod(spec(true)));
    let _ = ask().of(&plugin, &Cluster::with_labels(labels));
    let _ = ask().of(&plugin, &Cluster::with_labels(json!({})));
    let _ = ask().of(&plugin, &Cluster::with_labels(label("enforce", "x")));
    let _ = ask().of(&plugin, &Cluster::default());
    let seen = std::mem::take(&mut *counts.0.lock().expect("whole"));
    assert_eq!(
        seen,
        [
            "enforce true privileged:latest create pod ",
            "audit false baseline:latest create pod ",
            "warn false baseline:future create pod ",
            "enforce true privileged:latest create pod ",
            "failed false pod",
            "enforce false restricted:latest create pod ",
            "failed true pod",
        ]
    );
}

/// Ways to make a pod worse, each of which baseline refuses.
fn worse(pod: &mut Value, how: usize) {
    let container = &mut pod["spec"]["containers"][0];
    match how {
        0 => container["securityContext"]["privileged"] = true.into(),
        1 => pod["spec"]["hostNetwork"] = true.into(),
        2 => pod["spec"]["hostPID"] = true.into(),
        3 => container["ports"] = json!([{ "containerPort": 1, "hostPort": 1 }]),
        4 => pod["spec"]["volumes"] = json!([{ "name": "v", "hostPath": { "path": "/" } }]),
        5 => container["securityContext"]["capabilities"] = json!({ "add": ["SYS_ADMIN"] }),
        6 => container["securityContext"]["procMount"] = "Unmasked".into(),
        _ => pod["spec"]["securityContext"]["seccompProfile"] = json!({ "type": "Unconfined" }),
    }
}

proptest! {
    #[test]
    fn a_further_violation_never_makes_a_pod_acceptable(
        before in prop::collection::vec(0_usize..8, 0..5),
        added in 0_usize..8,
        level in prop::sample::select(&["baseline", "restricted"][..]),
        privileged in any::<bool>(),
    ) {
        let cluster = Cluster::with_labels(label("enforce", level));
        let mut object = pod(spec(privileged));
        for how in before {
            worse(&mut object, how);
        }
        worse(&mut object, added);
        let second = Ask::create(pods(), object).of(&upstream(), &cluster);
        prop_assert!(second.verdict.is_err());
    }
}
