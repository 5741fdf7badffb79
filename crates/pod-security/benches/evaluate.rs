//! What holding a pod to the standards and to policies costs. Pod admission may add 50 microseconds.

#![allow(clippy::indexing_slicing, reason = "benches build what they index")]

use criterion::{Criterion, criterion_group, criterion_main};
use model::Value;
use pod_security::psp::{Pass, Policies};
use pod_security::{Level, LevelVersion, Version, evaluate};
use serde_json::json;
use std::hint::black_box;

/// A pod with as many containers and volumes, in order at the restricted level, or at none.
fn pod(containers: usize, is_good: bool) -> Value {
    let context = if is_good {
        json!({
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
        })
    } else {
        json!({"privileged": true, "capabilities": {"add": ["SYS_ADMIN", "NET_RAW"]}})
    };
    let all = (0..containers).map(|i| {
        json!({
            "name": format!("c{i}"),
            "image": "registry.example/app",
            "ports": [{"containerPort": 80}],
            "securityContext": context,
        })
    });
    let volumes = (0..containers).map(|i| json!({"name": format!("v{i}"), "emptyDir": {}}));
    json!({
        "metadata": {"name": "p", "annotations": {"a": "b"}},
        "spec": {
            "securityContext": {
                "runAsNonRoot": is_good,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": all.collect::<Vec<_>>(),
            "volumes": volumes.collect::<Vec<_>>(),
        },
    })
}

fn standards(criterion: &mut Criterion) {
    let policy = LevelVersion::new(Level::Restricted, Version::Latest);
    for (name, pod) in [
        ("restricted, 3 containers, admitted", pod(3, true)),
        ("restricted, 3 containers, refused", pod(3, false)),
        ("restricted, 6 containers, admitted", pod(6, true)),
        ("restricted, 12 containers, admitted", pod(12, true)),
        ("restricted, 30 containers, admitted", pod(30, true)),
    ] {
        criterion.bench_function(name, |bencher| {
            let (metadata, spec) = (&pod["metadata"], &pod["spec"]);
            bencher.iter(|| black_box(evaluate(policy, black_box(metadata), black_box(spec))));
        });
    }
}

fn policies(criterion: &mut Criterion) {
    for count in [10, 20, 40] {
        admitted_by_the_last(criterion, count);
    }
}

fn admitted_by_the_last(criterion: &mut Criterion, count: usize) {
    let any = json!({"rule": "RunAsAny"});
    let all: Vec<Value> = (0..count)
        .map(|i| {
            json!({"metadata": {"name": format!("p{i:02}")}, "spec": {
                "privileged": false,
                "allowPrivilegeEscalation": false,
                "requiredDropCapabilities": ["ALL"],
                "volumes": if i == count - 1 { json!(["*"]) } else { json!(["secret"]) },
                "runAsUser": {"rule": "MustRunAsNonRoot"},
                "seLinux": any, "supplementalGroups": any, "fsGroup": any,
            }})
        })
        .collect();
    let mut all = all;
    if let Some(last) = all.last_mut() {
        last["metadata"]["annotations"] =
            json!({"seccomp.security.alpha.kubernetes.io/allowedProfileNames": "*"});
    }
    let policies = Policies::new(&all);
    let pod = pod(3, true);
    let id = format!("{count} policies of which the last admits");
    criterion.bench_function(&id, |bencher| {
        bencher.iter(|| {
            let decision = policies.admit(Pass::Mutating, black_box(&pod), |_| true);
            assert!(decision.policy().is_some());
            decision
        });
    });
}

criterion_group!(benches, standards, policies);
criterion_main!(benches);
