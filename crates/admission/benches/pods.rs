//! What admission adds to the creation of a pod: the whole chain, both halves and the quotas, in a
//! namespace with labels, a limit range and a quota. It may add 50 microseconds.

#![allow(clippy::expect_used, reason = "benches build what they look for")]

use admission::{
    Chain, DefaultTolerationSeconds, LimitRanger, Lookup, NamespaceLifecycle, NoRecorder,
    NodeRestriction, Operation, Plugin, PodSecurity, PodSecurityConfig, PodSecurityPolicy,
    Priority, Request, ResourceQuota, RuntimeClass, ServiceAccount,
};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use model::registry::Registry;
use model::user::UserInfo;
use model::{Value, meta};
use pod_security::Level;
use rbac::{Attributes, Authorizer, Decision};
use serde_json::json;
use std::hint::black_box;
use std::sync::Arc;

/// The product's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Objects by plural name.
struct Cluster(Vec<(&'static str, Arc<Value>)>);

impl Lookup for Cluster {
    fn get(&self, _: &str, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let mut all = self.0.iter();
        let found = all.find(|(plural, object)| {
            *plural == resource
                && meta::namespace(object) == namespace
                && meta::name(object) == name
        });
        found.map(|(_, object)| Arc::clone(object))
    }

    fn list(&self, _: &str, resource: &str, _: &str) -> Vec<Arc<Value>> {
        let all = self.0.iter().filter(|(plural, _)| *plural == resource);
        all.map(|(_, object)| Arc::clone(object)).collect()
    }
}

/// Everybody may use every policy.
struct Everything;

impl Authorizer for Everything {
    fn authorize(&self, _: &Attributes<'_>) -> Decision {
        Decision::allow("")
    }
}

fn cluster() -> Cluster {
    let mut objects = vec![
        ("namespaces", json!({"metadata": {"name": "n"}})),
        (
            "serviceaccounts",
            json!({"metadata": {"name": "default", "namespace": "n"}}),
        ),
        (
            "limitranges",
            json!({"metadata": {"name": "l", "namespace": "n"}, "spec": {"limits": [{
                "type": "Container",
                "default": {"cpu": "1", "memory": "1Gi"},
                "defaultRequest": {"cpu": "500m"},
                "max": {"memory": "2Gi"},
            }]}}),
        ),
        (
            "resourcequotas",
            json!({
                "metadata": {"name": "q", "namespace": "n"},
                "spec": {"hard": {"pods": "10", "requests.cpu": "10"}},
                "status": {
                    "hard": {"pods": "10", "requests.cpu": "10"},
                    "used": {"pods": "1", "requests.cpu": "1"},
                },
            }),
        ),
    ];
    let any = json!({"rule": "RunAsAny"});
    for number in 0..5 {
        objects.push((
            "podsecuritypolicies",
            json!({
                "metadata": {"name": format!("p{number}")},
                "spec": {
                    "volumes": ["*"], "runAsUser": any, "seLinux": any, "fsGroup": any,
                    "supplementalGroups": any, "requiredDropCapabilities": ["ALL"],
                },
            }),
        ));
    }
    let objects = objects.into_iter();
    Cluster(
        objects
            .map(|(plural, object)| (plural, Arc::new(object)))
            .collect(),
    )
}

/// A pod of three containers, as it comes from its defaults.
fn pod() -> Value {
    let containers: Vec<Value> = (0..3)
        .map(|i| {
            json!({
                "name": format!("c{i}"),
                "image": "registry.example/app",
                "imagePullPolicy": "Always",
                "ports": [{"containerPort": 80, "protocol": "TCP"}],
                "resources": {"requests": {"cpu": "100m"}},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            })
        })
        .collect();
    json!({
        "metadata": {"name": "p", "namespace": "n", "labels": {"app": "web"}},
        "spec": {"containers": containers, "securityContext": {}, "restartPolicy": "Always"},
    })
}

fn admit(criterion: &mut Criterion) {
    let registry = Registry::builtin();
    let pods = registry.by_path("", "v1", "pods").expect("registered");
    let (cluster, user) = (cluster(), UserInfo::new("jane", ["dev"]));
    for (name, has_policies) in [("a pod", false), ("a pod, with PodSecurityPolicy", true)] {
        let security = PodSecurityConfig::enforcing(Level::Baseline);
        let mut plugins: Vec<Box<dyn Plugin>> = vec![
            Box::new(NamespaceLifecycle),
            Box::new(LimitRanger),
            Box::new(ServiceAccount),
            Box::new(NodeRestriction::new(Arc::new(Everything))),
            Box::new(PodSecurity::new(security, Arc::new(NoRecorder))),
        ];
        if has_policies {
            plugins.push(Box::new(PodSecurityPolicy::new(Arc::new(Everything))));
        }
        plugins.push(Box::new(Priority));
        plugins.push(Box::new(DefaultTolerationSeconds));
        plugins.push(Box::new(RuntimeClass));
        plugins.push(Box::new(ResourceQuota::default()));
        let chain = Chain::new(plugins);
        criterion.bench_function(name, |bencher| {
            bencher.iter_batched(
                pod,
                |object| {
                    let mut request = Request {
                        operation: Operation::Create,
                        resource: pods,
                        subresource: "",
                        namespace: "n",
                        name: "p",
                        object,
                        old_object: None,
                        user: &user,
                        dry_run: false,
                        warnings: Vec::new(),
                        audit_annotations: Vec::new(),
                    };
                    chain.mutate(&mut request, &cluster).expect("admitted");
                    chain.validate(&mut request, &cluster).expect("admitted");
                    let charges = chain.charge(&request, &cluster, &[]).expect("room");
                    black_box((request.object, request.warnings, charges))
                },
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, admit);
criterion_main!(benches);
