//! What holds for all pods, and the standards held against their slow model.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use model::Value;
use pod_security::psp::{Decision, Pass, Policies, Policy};
use pod_security::{Level, LevelVersion, Version, evaluate, strictest};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, json};
use std::collections::BTreeSet;

/// An object of some of these fields, each there about every other time.
fn some(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    fields
        .into_iter()
        .map(|(key, value)| (Just(key), proptest::option::of(value)))
        .collect::<Vec<_>>()
        .prop_map(|fields| {
            let set = fields
                .into_iter()
                .filter_map(|(key, value)| Some((key.to_owned(), value?)));
            Value::Object(set.collect::<Map<String, Value>>())
        })
        .boxed()
}

fn one(values: &[Value]) -> BoxedStrategy<Value> {
    select(values.to_vec()).boxed()
}

fn flag() -> BoxedStrategy<Value> {
    one(&[json!(true), json!(false)])
}

fn list(of: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    prop::collection::vec(of, 0..3)
        .prop_map(Value::from)
        .boxed()
}

fn profile() -> BoxedStrategy<Value> {
    one(&[
        json!({"type": "RuntimeDefault"}),
        json!({"type": "Localhost", "localhostProfile": "x"}),
        json!({"type": "Unconfined"}),
    ])
}

fn shared() -> Vec<(&'static str, BoxedStrategy<Value>)> {
    let id = || one(&[json!(0), json!(5), json!(1000)]);
    let selinux = some(vec![
        (
            "type",
            one(&[
                json!(""),
                json!("container_t"),
                json!("container_engine_t"),
                json!("x"),
            ]),
        ),
        ("user", one(&[json!(""), json!("u")])),
        ("level", one(&[json!("s0:c1,c2"), json!("s0:c2,c1")])),
    ]);
    vec![
        ("runAsNonRoot", flag()),
        ("runAsUser", id()),
        ("runAsGroup", id()),
        ("seccompProfile", profile()),
        ("appArmorProfile", profile()),
        ("seLinuxOptions", selinux),
        ("windowsOptions", some(vec![("hostProcess", flag())])),
    ]
}

fn container(name: &'static str) -> BoxedStrategy<Value> {
    let capability = || one(&["ALL", "NET_BIND_SERVICE", "CHOWN", "NET_RAW"].map(Value::from));
    let mut context = shared();
    context.extend([
        ("privileged", flag()),
        ("allowPrivilegeEscalation", flag()),
        ("readOnlyRootFilesystem", flag()),
        ("procMount", one(&[json!("Default"), json!("Unmasked")])),
        (
            "capabilities",
            some(vec![
                ("add", list(capability())),
                ("drop", list(capability())),
            ]),
        ),
    ]);
    let port = one(&[
        json!({"containerPort": 80}),
        json!({"hostPort": 80}),
        json!({"hostPort": 0}),
    ]);
    some(vec![
        ("securityContext", some(context)),
        ("ports", list(port)),
        (
            "volumeMounts",
            list(one(&[
                json!({"name": "v"}),
                json!({"name": "v", "readOnly": true}),
            ])),
        ),
    ])
    .prop_map(move |mut container| {
        container["name"] = json!(name);
        container
    })
    .boxed()
}

fn sysctl() -> BoxedStrategy<Value> {
    let names = [
        "kernel.shm_rmid_forced",
        "kernel.msgmax",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_rmem",
    ];
    one(&names.map(|name| json!({"name": name, "value": "1"})))
}

fn annotations() -> BoxedStrategy<Value> {
    let value = || one(&["runtime/default", "unconfined", "localhost/x", ""].map(Value::from));
    some(vec![
        ("container.apparmor.security.beta.kubernetes.io/a", value()),
        ("container.seccomp.security.alpha.kubernetes.io/a", value()),
        ("container.seccomp.security.alpha.kubernetes.io/z", value()),
        ("seccomp.security.alpha.kubernetes.io/pod", value()),
    ])
}

/// Pods that an API server could be sent, in and out of order.
fn pod() -> BoxedStrategy<Value> {
    let mut context = shared();
    context.extend([
        ("sysctls", list(sysctl())),
        ("fsGroup", one(&[json!(0), json!(5)])),
        ("supplementalGroups", list(one(&[json!(0), json!(5)]))),
    ]);
    let volume = one(&[
        json!({"name": "v", "hostPath": {"path": "/logs"}}),
        json!({"name": "v", "hostPath": {"path": "/etc"}}),
        json!({"name": "w", "emptyDir": {}}),
        json!({"name": "x", "nfs": {}}),
        json!({"name": "y", "csi": {"driver": "d"}}),
        json!({"name": "z", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}),
    ]);
    let spec = some(vec![
        ("securityContext", some(context)),
        ("hostNetwork", flag()),
        ("hostPID", flag()),
        ("hostIPC", flag()),
        ("hostUsers", flag()),
        ("volumes", list(volume)),
        (
            "initContainers",
            container("i").prop_map(|c| json!([c])).boxed(),
        ),
        (
            "ephemeralContainers",
            container("e").prop_map(|c| json!([c])).boxed(),
        ),
        ("runtimeClassName", one(&[json!("r"), json!("s")])),
    ]);
    (spec, annotations(), container("a"), container("b"))
        .prop_map(|(mut spec, annotations, a, b)| {
            spec["containers"] = json!([a, b]);
            json!({"metadata": {"name": "p", "annotations": annotations}, "spec": spec})
        })
        .boxed()
}

fn version() -> BoxedStrategy<Version> {
    let all: Vec<Version> = Version::all().collect();
    select(all).boxed()
}

/// A policy.
fn policy(name: &'static str) -> BoxedStrategy<Value> {
    let group = || {
        one(&[
            json!({"rule": "RunAsAny"}),
            json!({"rule": "MustRunAs", "ranges": [{"min": 5, "max": 9}]}),
            json!({"rule": "MayRunAs", "ranges": [{"min": 5, "max": 9}, {"min": 0, "max": 0}]}),
        ])
    };
    let user = one(&[
        json!({"rule": "RunAsAny"}),
        json!({"rule": "MustRunAs", "ranges": [{"min": 5, "max": 9}]}),
        json!({"rule": "MustRunAsNonRoot"}),
    ]);
    let selinux = one(&[
        json!({"rule": "RunAsAny"}),
        json!({"rule": "MustRunAs", "seLinuxOptions": {"level": "s0:c1,c2"}}),
    ]);
    let capability =
        |names: &[&str]| list(one(&names.iter().map(|n| json!(n)).collect::<Vec<_>>()));
    let kinds = ["*", "secret", "hostPath", "emptyDir", "csi", "nfs"];
    let spec = some(vec![
        ("privileged", flag()),
        ("hostNetwork", flag()),
        ("hostPID", flag()),
        ("hostIPC", flag()),
        ("readOnlyRootFilesystem", flag()),
        ("allowPrivilegeEscalation", flag()),
        ("runAsGroup", group()),
        ("hostPorts", list(one(&[json!({"min": 1, "max": 99})]))),
        ("volumes", list(one(&kinds.map(Value::from)))),
        ("allowedCapabilities", capability(&["*", "CHOWN", "ALL"])),
        ("defaultAddCapabilities", capability(&["CHOWN", "NET_RAW"])),
        ("requiredDropCapabilities", capability(&["ALL", "KILL"])),
        (
            "allowedProcMountTypes",
            list(one(&[json!("Unmasked"), json!("Default")])),
        ),
        ("allowedUnsafeSysctls", list(one(&[json!("*")]))),
        (
            "allowedHostPaths",
            list(one(&[
                json!({"pathPrefix": "/logs", "readOnly": true}),
                json!({"pathPrefix": "/"}),
            ])),
        ),
        (
            "allowedCSIDrivers",
            list(one(&[json!({"name": "d"}), json!({"name": "e"})])),
        ),
        (
            "runtimeClass",
            one(&[json!({"allowedRuntimeClassNames": ["r"], "defaultRuntimeClassName": "r"})]),
        ),
    ]);
    let allowed = || one(&["*", "runtime/default", "unconfined,localhost/x"].map(Value::from));
    let default = || one(&["runtime/default", "localhost/x"].map(Value::from));
    let annotations = some(vec![
        (
            "seccomp.security.alpha.kubernetes.io/allowedProfileNames",
            allowed(),
        ),
        (
            "seccomp.security.alpha.kubernetes.io/defaultProfileName",
            default(),
        ),
        (
            "apparmor.security.beta.kubernetes.io/allowedProfileNames",
            allowed(),
        ),
        (
            "apparmor.security.beta.kubernetes.io/defaultProfileName",
            default(),
        ),
    ]);
    let kept = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    let rules = (user, selinux, group(), group());
    (spec, annotations, rules, kept)
        .prop_map(move |(some, annotations, rules, kept)| {
            // Mostly open, with a few of the restrictions: else hardly a pod would be admitted.
            let any = json!({"rule": "RunAsAny"});
            let mut spec = json!({
                "privileged": true, "hostNetwork": true, "hostPID": true, "hostIPC": true,
                "allowedCapabilities": ["*"], "volumes": ["*"], "allowedUnsafeSysctls": ["*"],
                "allowedProcMountTypes": ["Default", "Unmasked"],
                "hostPorts": [{"min": 0, "max": 65535}],
                "runAsUser": any, "seLinux": any, "fsGroup": any, "supplementalGroups": any,
            });
            let mut all = some.as_object().cloned().unwrap_or_default();
            all.insert("runAsUser".into(), rules.0);
            all.insert("seLinux".into(), rules.1);
            all.insert("fsGroup".into(), rules.2);
            all.insert("supplementalGroups".into(), rules.3);
            for index in kept {
                let (key, value) = all.iter().nth(index.index(all.len())).expect("a field");
                spec[key] = value.clone();
            }
            let mut open = json!({"seccomp.security.alpha.kubernetes.io/allowedProfileNames": "*"});
            for (key, value) in annotations.as_object().into_iter().flatten() {
                open[key] = value.clone();
            }
            json!({"metadata": {"name": name, "annotations": open}, "spec": spec})
        })
        .boxed()
}

/// Changes that make a pod worse, each by itself against some level.
fn worsen(pod: &mut Value, how: usize) {
    let spec = &mut pod["spec"];
    let context = |spec: &mut Value| {
        let context = &mut spec["containers"][0]["securityContext"];
        if context.is_null() {
            *context = json!({});
        }
    };
    context(spec);
    match how {
        0 => spec["hostPID"] = json!(true),
        1 => spec["containers"][0]["securityContext"]["privileged"] = json!(true),
        2 => {
            spec["containers"][0]["securityContext"]["capabilities"] = json!({"add": ["SYS_ADMIN"]})
        }
        3 => spec["containers"][0]["securityContext"]["procMount"] = json!("Unmasked"),
        4 => spec["volumes"] = json!([{"name": "v", "hostPath": {"path": "/"}}]),
        5 => spec["containers"][0]["ports"] = json!([{"hostPort": 22}]),
        6 => spec["containers"][0]["securityContext"]["seLinuxOptions"] = json!({"user": "x"}),
        7 => {
            spec["containers"][0]["securityContext"]["appArmorProfile"] =
                json!({"type": "Unconfined"})
        }
        _ => {
            spec["securityContext"] = json!({"sysctls": [{"name": "kernel.msgmax"}]});
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_standards_are_those_of_the_model(
        mut pod in pod(),
        version in version(),
        os in select(vec!["", "linux", "windows"]),
    ) {
        if !os.is_empty() {
            pod["spec"]["os"] = json!({"name": os});
        }
        for level in Level::ALL {
            let policy = LevelVersion::new(level, version);
            let found = evaluate(policy, &pod["metadata"], &pod["spec"]);
            let ids: BTreeSet<&str> = found.iter().map(|v| v.check).collect();
            let want = reference_models::pod_security::failed(policy, &pod);
            prop_assert_eq!(ids, want, "{}: {}", policy, pod);
            for violation in found {
                prop_assert!(!violation.fields.is_empty(), "{:?}", violation);
                prop_assert!(!violation.reason.is_empty(), "{:?}", violation);
            }
        }
    }

    /// Pods for Windows are left out: upstream lets them pass checks of the restricted level that
    /// take the place of checks of the baseline level, and leaves it to validation to refuse what
    /// only Linux has.
    #[test]
    fn what_a_level_admits_the_looser_ones_admit(pod in pod(), version in version()) {
        let admits = |level| {
            let policy = LevelVersion::new(level, version);
            evaluate(policy, &pod["metadata"], &pod["spec"]).is_empty()
        };
        prop_assert!(admits(Level::Privileged));
        prop_assert!(!admits(Level::Restricted) || admits(Level::Baseline), "{}", pod);
        let strictest = strictest(version, &pod["metadata"], &pod["spec"]);
        prop_assert!(admits(strictest));
        let stricter = Level::ALL.into_iter().filter(|level| *level > strictest);
        prop_assert!(!stricter.into_iter().any(admits));
    }

    #[test]
    fn a_violation_never_makes_a_pod_acceptable(
        pod in pod(),
        how in 0..9_usize,
        version in version(),
    ) {
        let mut worse = pod;
        worsen(&mut worse, how);
        let policy = LevelVersion::new(Level::Baseline, version);
        prop_assert!(!evaluate(policy, &worse["metadata"], &worse["spec"]).is_empty());
    }

    #[test]
    fn what_was_admitted_is_admitted_again_as_it_is(
        pod in pod(),
        all in (policy("a"), policy("b")),
    ) {
        let policies = Policies::new([&all.0, &all.1]);
        if let Decision::Admitted { policy, pod: Some(pod), .. } =
            policies.admit(Pass::Mutating, &pod, |_| true)
        {
            for object in [&all.0, &all.1] {
                let compiled = Policy::new(object).expect("a policy");
                if compiled.name() == policy {
                    for pass in [Pass::Mutating, Pass::Validating] {
                        let review = compiled.review(pass, &pod);
                        prop_assert_eq!(&review.changes, &[]);
                        prop_assert_eq!(&review.refusals, &[]);
                    }
                }
            }
            let again = policies.admit(Pass::Validating, &pod, |_| true);
            prop_assert_eq!(again, Decision::Admitted { policy, changes: vec![], pod: None });
        }
    }

    #[test]
    fn policies_decide_as_the_model(pod in pod(), object in policy("a")) {
        let review = Policy::new(&object).expect("a policy").review(Pass::Mutating, &pod);
        let mut changed = pod;
        for change in &review.changes {
            change.apply(&mut changed);
        }
        let want = reference_models::pod_security_policy::admits(&object, &changed);
        prop_assert_eq!(
            review.refusals.is_empty(), want, "{:?}: {} {}", review.refusals, object, changed
        );
    }

    #[test]
    fn policies_do_not_overrule_what_is_set(pod in pod(), object in policy("a")) {
        let review = Policy::new(&object).expect("a policy").review(Pass::Mutating, &pod);
        for change in review.changes {
            // Capabilities are added to; all else is filled in where there is nothing.
            let field = change.field();
            if field.ends_with(".capabilities") {
                continue;
            }
            let mut place = &pod;
            for step in field.split(['.', '[']).filter(|_| field.starts_with("spec")) {
                place = match step.strip_suffix(']') {
                    Some(index) => &place[index.parse::<usize>().expect("an index")],
                    None => &place[step],
                };
            }
            if field.starts_with("spec") {
                prop_assert!(place.is_null(), "{:?}: {}", change, pod);
            }
        }
    }

    #[test]
    fn a_stricter_policy_admits_no_more(
        pod in pod(),
        object in policy("a"),
        flag in select(vec!["privileged", "hostNetwork", "hostPID", "hostIPC"]),
    ) {
        let admits = |object: &Value| {
            let policy = Policy::new(object).expect("a policy");
            policy.review(Pass::Mutating, &pod).refusals.is_empty()
        };
        let mut stricter = object.clone();
        stricter["spec"][flag] = json!(false);
        prop_assert!(!admits(&stricter) || admits(&object));
    }
}
