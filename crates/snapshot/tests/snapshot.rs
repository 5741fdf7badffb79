//! What a snapshot makes of manifests.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

use model::decode::documents;
use model::registry::Registry;
use model::user::UserInfo;
use model::{Value, meta};
use rbac::Attributes;
use snapshot::{
    Builder, ContainerKind, Level, Options, Origin, PodTemplatePath, Problem, ProblemKind,
    Severity, Snapshot, Standing,
};
use std::sync::Arc;

fn options() -> Options {
    Options::manifests("default")
}

fn read_with(options: Options, text: &str) -> Snapshot {
    let mut builder = Builder::new(Arc::new(Registry::builtin()), options);
    let file = builder.file("a.yaml");
    for document in documents(text.as_bytes()) {
        builder.document(file, document.expect("YAML"));
    }
    builder.build()
}

fn read(text: &str) -> Snapshot {
    read_with(options(), text)
}

fn problems(snapshot: &Snapshot) -> Vec<(ProblemKind, u32)> {
    let line = |p: &Problem| p.location.as_ref().map_or(0, |l| l.line);
    snapshot
        .problems()
        .iter()
        .map(|p| (p.kind, line(p)))
        .collect()
}

const POD: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {app: web}}
spec:
  securityContext:
    runAsNonRoot: true
    runAsUser: 7
    windowsOptions: {hostProcess: true, runAsUserName: a}
  initContainers:
  - {name: i, image: i}
  - {name: s, image: s, restartPolicy: Always}
  containers:
  - name: c
    image: c
    securityContext:
      runAsUser: 0
      privileged: true
      windowsOptions: {runAsUserName: b}
";

#[test]
fn objects_are_what_a_server_would_hold() {
    let s = read(POD);
    assert!(s.problems().is_empty(), "{:?}", s.problems());
    let pod = s
        .find("", "pods", "default", "p")
        .expect("in the default namespace");
    assert_eq!(meta::namespace(&pod.value), "default");
    assert_eq!(meta::text(&pod.value, &["spec", "restartPolicy"]), "Always");
    assert!(!s.is_written(pod, "spec.restartPolicy"));
    assert!(s.is_written(pod, "spec.containers[0].image"));
    let at = s.locate_value(pod, "spec.containers[0].image").unwrap();
    assert_eq!((at.line, at.column, &POD[at.bytes]), (14, 12, "c"));
    // A field that is not there is shown at what is around it.
    let near = s
        .locate(pod, "spec.containers[0].resources.limits")
        .unwrap();
    assert_eq!((near.line, near.column), (13, 5));
    assert_eq!(
        Snapshot::field(pod, "spec.containers[0].image").unwrap(),
        "c"
    );
    assert_eq!(s.with_label("app", "web").count(), 1);
    assert_eq!(
        s.in_namespace("default")
            .filter(|o| o.standing == Standing::Written)
            .count(),
        1
    );
    let live = {
        let mut builder = Builder::new(Arc::new(Registry::builtin()), Options::cluster());
        builder.object((*pod.value).clone());
        builder.build()
    };
    assert_eq!(
        live.find("", "pods", "default", "p").unwrap().value,
        pod.value
    );
}

#[test]
fn containers_and_what_they_inherit() {
    let s = read(POD);
    let template = s.pod_templates().next().unwrap();
    let kinds: Vec<_> = template.containers().map(|c| (c.name(), c.kind)).collect();
    assert_eq!(
        kinds,
        [
            ("i", ContainerKind::Init),
            ("s", ContainerKind::Sidecar),
            ("c", ContainerKind::Main)
        ]
    );
    let c = template.containers().last().unwrap();
    let found = |field: &str| {
        c.security(field)
            .map(|s| (s.value.to_string(), s.level, s.path))
    };
    let own = |field: &str| format!("spec.containers[0].securityContext.{field}");
    assert_eq!(
        found("runAsUser"),
        Some(("0".into(), Level::Container, own("runAsUser")))
    );
    assert_eq!(
        found("runAsNonRoot"),
        Some((
            "true".into(),
            Level::Pod,
            "spec.securityContext.runAsNonRoot".into()
        ))
    );
    assert_eq!(
        found("windowsOptions.runAsUserName").unwrap().1,
        Level::Container
    );
    assert_eq!(found("windowsOptions.hostProcess").unwrap().1, Level::Pod);
    assert_eq!(found("readOnlyRootFilesystem"), None);
    let init = template.containers().next().unwrap();
    assert_eq!(init.security("runAsUser").unwrap().level, Level::Pod);
    assert_eq!(init.security("privileged"), None);
}

#[test]
fn what_the_server_mounts_is_not_the_author_s() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: c\n    \
                image: c\n    volumeMounts:\n    - {name: kube-api-access-abcde, mountPath: \
                /var/run/secrets/kubernetes.io/serviceaccount}\n    - {name: kube-api-access-own, \
                mountPath: /var/run/secrets/kubernetes.io/serviceaccount}\n  volumes:\n  - name: \
                kube-api-access-abcde\n    projected: {sources: [{serviceAccountToken: {path: token}}]}\n  - \
                name: kube-api-access-own\n    emptyDir: {}\n";
    let s = read(text);
    let template = s.pod_templates().next().unwrap();
    let volumes: Vec<usize> = template.volumes().map(|(index, _)| index).collect();
    assert_eq!(volumes, [1]);
    let container = template.containers().next().unwrap();
    let mounts: Vec<usize> = container.volume_mounts().map(|(index, _)| index).collect();
    assert_eq!(mounts, [1]);
    assert!(template.automounts_token());
}

#[test]
fn every_kind_with_a_pod_template() {
    let template = "{metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: c}]}}";
    let spec = format!("spec: {{selector: {{matchLabels: {{a: b}}}}, template: {template}}}");
    let cron =
        format!("spec: {{schedule: '* * * * *', jobTemplate: {{spec: {{template: {template}}}}}}}");
    for (api, kind, body, path) in [
        (
            "v1",
            "Pod",
            "spec: {containers: [{name: c, image: c}]}".to_owned(),
            "",
        ),
        (
            "v1",
            "PodTemplate",
            format!("template: {template}"),
            "template",
        ),
        (
            "v1",
            "ReplicationController",
            format!("spec: {{template: {template}}}"),
            "spec.template",
        ),
        ("apps/v1", "Deployment", spec.clone(), "spec.template"),
        ("apps/v1", "ReplicaSet", spec.clone(), "spec.template"),
        ("apps/v1", "StatefulSet", spec.clone(), "spec.template"),
        ("apps/v1", "DaemonSet", spec.clone(), "spec.template"),
        (
            "extensions/v1beta1",
            "Deployment",
            spec.clone(),
            "spec.template",
        ),
        (
            "batch/v1",
            "Job",
            format!("spec: {{template: {template}}}"),
            "spec.template",
        ),
        (
            "batch/v1",
            "CronJob",
            cron.clone(),
            "spec.jobTemplate.spec.template",
        ),
        (
            "batch/v1beta1",
            "CronJob",
            cron,
            "spec.jobTemplate.spec.template",
        ),
        ("x.io/v1", "Rollout", spec, "spec.template"),
    ] {
        let text = format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: n}}\n{body}\n");
        let custom = PodTemplatePath {
            group: "x.io".into(),
            kind: "Rollout".into(),
            path: "spec.template".into(),
        };
        let s = read_with(
            Options {
                pod_templates: vec![custom],
                ..options()
            },
            &text,
        );
        let templates: Vec<_> = s.pod_templates().collect();
        assert_eq!(templates.len(), 1, "{api} {kind}: {:?}", s.problems());
        let t = templates[0];
        assert_eq!(t.path, path, "{kind}");
        assert_eq!(t.containers().count(), 1);
        assert!(t.is_outermost());
        assert_eq!(t.service_account_name(), "default");
        let image = t.containers().next().unwrap().field("image");
        assert_eq!(
            Snapshot::field(t.owner, &image).unwrap(),
            "c",
            "{kind} {image}"
        );
        assert_eq!(t.owner.written.api_version(), api);
    }
}

#[test]
fn lists_are_flattened_in_place() {
    let s = read(
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    \
         name: a\n- apiVersion: v1\n  kind: PodList\n  items:\n  - metadata: {name: b}\n    spec: \
         {containers: [{name: c, image: i}]}\n",
    );
    assert!(s.problems().is_empty(), "{:?}", s.problems());
    let a = s.find("", "configmaps", "default", "a").unwrap();
    assert_eq!(s.locate(a, "metadata.name").unwrap().line, 7);
    let b = s.find("", "pods", "default", "b").unwrap();
    let image = s.locate_value(b, "spec.containers[0].image").unwrap();
    assert_eq!((image.line, image.column), (12, 42));
    let whole = s.locate(b, "").unwrap();
    assert_eq!((whole.line, whole.column), (11, 5));
}

#[test]
fn what_is_wrong_is_said_and_stops_nothing() {
    let s = read(
        "hello\n---\na: 1\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  \
         contaners: []\n  hostNetwork: sure\n---\napiVersion: x.io/v1\nkind: Thing\nmetadata: {name: \
         t}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: \
         ConfigMap\nmetadata: {name: a, name: a}\n---\napiVersion: v1\nkind: ConfigMap\n---\n\
         apiVersion: apps/v1beta2\nkind: Deployment\nmetadata: {name: d}\n---\napiVersion: v1\nkind: \
         Pod\nmetadata: text\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: g-}\ndta: {}\n",
    );
    assert_eq!(
        problems(&s),
        [
            (ProblemKind::NotAnObject, 1),
            (ProblemKind::NotAnObject, 3),
            (ProblemKind::UnknownField, 9),
            (ProblemKind::InvalidField, 10),
            (ProblemKind::UnknownKind, 13),
            (ProblemKind::DuplicateObject, 20),
            (ProblemKind::DuplicateField, 22),
            (ProblemKind::MissingName, 24),
            (ProblemKind::UnservedVersion, 27),
            (ProblemKind::InvalidField, 33),
            (ProblemKind::MissingName, 33),
            (ProblemKind::UnknownField, 38),
        ]
    );
    assert_eq!(s.worst_problem(), Some(Severity::Incomplete));
    assert!(s.find("apps", "deployments", "default", "d").is_some());
    assert!(s.find("x.io", "things", "", "t").is_some());
    assert!(
        s.find("", "configmaps", "default", "g-")
            .unwrap()
            .is_name_generated()
    );
}

#[test]
fn configuration_files_are_no_errors() {
    let s = read(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml]\n---\n\
         apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: []\n---\nreplicaCount: 1\n",
    );
    assert_eq!(
        problems(&s),
        [
            (ProblemKind::NotAnObject, 1),
            (ProblemKind::UnknownKind, 6),
            (ProblemKind::NotAnObject, 9),
        ]
    );
    assert_eq!(s.worst_problem(), Some(Severity::Warning));
}

#[test]
fn definitions_make_kinds_known() {
    let s = read(
        "apiVersion: x.io/v1\nkind: Gateway\nmetadata: {name: t}\n---\n\
         apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
         metadata: {name: gatewayz.x.io}\nspec:\n  group: x.io\n  scope: Namespaced\n  \
         names: {kind: Gateway, plural: gatewayz}\n  versions: [{name: v1, served: true, storage: true}]\n",
    );
    assert!(s.problems().is_empty(), "{:?}", s.problems());
    assert!(s.find("x.io", "gatewayz", "default", "t").is_some());
    assert_eq!(s.kinds().meant_by("gateway").unwrap().plural, "gatewayz");
    assert_eq!(s.kinds().meant_by("deploy").unwrap().group, "apps");
    assert_eq!(
        s.kinds().meant_by("events.events.k8s.io").unwrap().group,
        "events.k8s.io"
    );
}

#[test]
fn secrets_have_keys_and_no_values() {
    let s = read(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n  annotations:\n    \
         kubectl.kubernetes.io/last-applied-configuration: '{\"data\":{\"a\":\"aHVudGVyMg==\"}}'\n\
         data: {a: aHVudGVyMg==}\nstringData: {b: hunter2}\n",
    );
    let secret = s.find("", "secrets", "default", "s").unwrap();
    assert_eq!(secret.value["data"], serde_json::json!({"a": "", "b": ""}));
    let file = String::from_utf8(s.to_json().unwrap()).unwrap();
    assert!(
        !file.contains("hunter2") && !file.contains("aHVudGVyMg"),
        "{file}"
    );
    assert_eq!(secret.value["type"], "Opaque");
}

const ROLES: &str = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: gather, labels: {a: b}}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}
rules: []
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: part, labels: {a: b}}
rules:
- {apiGroups: ['x.io'], resources: [things], verbs: [poke]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: b, namespace: ns}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: gather}
subjects:
- {kind: User, name: nobody}
- {kind: ServiceAccount, name: robot}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: broken}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Robot, name: gather}
";

#[test]
fn roles_are_compiled_with_what_they_gather() {
    let s = read(ROLES);
    let user = UserInfo::new("system:serviceaccount:ns:robot", ["system:authenticated"]);
    let ask = Attributes::resource(&user, "poke", "x.io", "things").in_namespace("ns");
    let ruling = s.rbac().decide(&ask);
    assert!(ruling.allowed());
    let because: Vec<String> = s
        .because(&ruling.because().unwrap())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        because,
        [
            "RoleBinding ns/b subjects[1] (a.yaml:19:3)",
            "ClusterRole gather rules[0] (a.yaml:5:1)",
            "ClusterRole part rules[0] (a.yaml:11:3)",
        ]
    );
    assert_eq!(problems(&s), [(ProblemKind::InvalidField, 21)]);
    // The bootstrap policy is there, and can be left out.
    let discovery = Attributes::path(&user, "get", "/version");
    assert!(s.rbac().decide(&discovery).allowed());
    let alone = Options {
        with_given: false,
        ..options()
    };
    assert!(!read_with(alone, ROLES).rbac().decide(&discovery).allowed());
}

#[test]
fn roles_that_gather_each_other_settle() {
    let role = |name: &str, gathers: &str, verb: &str| {
        format!(
            "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: \
             {name}, labels: {{in: {name}}}}}\naggregationRule: {{clusterRoleSelectors: \
             [{{matchLabels: {{in: {gathers}}}}}]}}\nrules:\n- {{apiGroups: [''], resources: [pods], \
             verbs: [{verb}]}}\n"
        )
    };
    let bindings = "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: \
                    {name: b}\nroleRef: {kind: ClusterRole, name: aa}\nsubjects: [{kind: User, name: u}]\n\
                    ---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: \
                    {name: c}\nroleRef: {kind: ClusterRole, name: gone}\nsubjects: [{kind: User, name: u}]\n";
    // What an aggregating role holds itself is overwritten, so that such a circle holds nothing
    // that no other role brings in, as in a cluster.
    let s = read(&format!(
        "{}{}{bindings}",
        role("aa", "bb", "get"),
        role("bb", "aa", "list")
    ));
    let user = UserInfo::new("u", ["system:authenticated"]);
    let ask = Attributes::resource(&user, "delete", "", "pods");
    let ruling = s.rbac().decide(&ask);
    assert!(!ruling.allowed());
    assert!(
        ruling.reason().contains("\"gone\" not found"),
        "{}",
        ruling.reason()
    );
}

#[test]
fn what_every_cluster_has_is_told_apart() {
    let s = read("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ns}\n");
    let standing =
        |plural: &str, ns: &str, name: &str| s.find("", plural, ns, name).map(|o| o.standing);
    assert_eq!(standing("namespaces", "", "ns"), Some(Standing::Implied));
    assert_eq!(
        standing("namespaces", "", "kube-system"),
        Some(Standing::Given)
    );
    assert_eq!(
        standing("serviceaccounts", "ns", "default"),
        Some(Standing::Given)
    );
    assert_eq!(s.written().count(), 1);
    assert_eq!(s.namespaces().count(), 5);
    assert_eq!(
        s.namespace_labels("ns")["kubernetes.io/metadata.name"],
        "ns"
    );
}

#[test]
fn controllers_own_what_they_make() {
    let s = read(
        "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: r, uid: u1}\nspec: {selector: \
         {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, \
         image: c}]}}}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, ownerReferences: \
         [{apiVersion: apps/v1, kind: ReplicaSet, name: r, uid: u1, controller: true}]}\nspec: \
         {containers: [{name: c, image: c}]}\n",
    );
    let outermost: Vec<_> = s
        .pod_templates()
        .filter(|t| t.is_outermost())
        .map(|t| t.owner.title())
        .collect();
    assert_eq!(outermost, ["ReplicaSet default/r"]);
}

#[test]
fn files_round_trip() {
    let text =
        format!("{POD}---\n{ROLES}---\napiVersion: x.io/v1\nkind: T\nmetadata: {{name: t}}\n");
    let deep = format!(
        "---\napiVersion: y.io/v1\nkind: T\nmetadata: {{name: t}}\nspec: {}1{}\n",
        "[".repeat(120),
        "]".repeat(120)
    );
    for s in [read(&text), read(&format!("{text}{deep}"))] {
        assert_eq!(s.origin(), Origin::Manifests);
        let file = s.to_json().unwrap();
        let back = Snapshot::from_json(&file, Arc::new(Registry::builtin()), options()).unwrap();
        assert_eq!(back.objects().len(), s.objects().len());
        for (a, b) in back.objects().iter().zip(s.objects()) {
            assert_eq!(a.value, b.value);
            assert_eq!(a.standing, b.standing);
            assert_eq!(a.written, b.written);
            assert_eq!(a.kind.namespaced, b.kind.namespaced);
        }
        assert_eq!(problems(&back), problems(&s));
        assert_eq!(back.to_json().unwrap(), file);
        let pod = back.find("", "pods", "default", "p").unwrap();
        assert_eq!(back.locate(pod, "spec").unwrap().to_string(), "a.yaml:1:1");
    }
    let wrong = |text: &str| {
        Snapshot::from_json(text.as_bytes(), Arc::new(Registry::builtin()), options())
            .unwrap_err()
            .to_string()
    };
    assert!(wrong("{").contains("not a snapshot"));
    assert!(wrong("{\"schemaVersion\": \"rampart.snapshot/v9\"}").contains("v9"));
}

#[test]
fn no_object_makes_it_panic() {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z.:/]{0,6}".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 24, 4, |inner| {
        let key = prop_oneof![
            Just("metadata".to_owned()),
            Just("name".to_owned()),
            Just("labels".to_owned()),
            Just("spec".to_owned()),
            Just("template".to_owned()),
            Just("containers".to_owned()),
            Just("items".to_owned()),
            Just("rules".to_owned()),
            Just("subjects".to_owned()),
            Just("data".to_owned()),
            Just("securityContext".to_owned()),
            Just("annotations".to_owned()),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..5)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    });
    let registry = Arc::new(Registry::builtin());
    let kinds: Vec<(String, String)> = registry
        .all()
        .iter()
        .map(|r| {
            (
                model::resource::api_version(&r.group, &r.versions[0].name),
                r.kind.to_string(),
            )
        })
        .chain([
            ("v1".to_owned(), "List".to_owned()),
            ("x/v1".to_owned(), "Y".to_owned()),
        ])
        .collect();
    proptest!(ProptestConfig::with_cases(100), |(mut value in value, at in 0..kinds.len())| {
        if let Some(map) = value.as_object_mut() {
            map.insert("apiVersion".into(), kinds[at].0.clone().into());
            map.insert("kind".into(), kinds[at].1.clone().into());
        }
        for options in [options(), Options::cluster()] {
            let options = Options { with_given: false, ..options };
            let mut builder = Builder::new(Arc::clone(&registry), options);
            builder.object(value.clone());
            let s = builder.build();
            for t in s.pod_templates() {
                for c in t.containers() {
                    let _ = (c.security("runAsUser"), c.apparmor_annotation(), c.field("x"));
                }
                let _ = (t.automounts_token(), t.is_outermost());
            }
            prop_assert!(s.to_json().is_ok());
        }
    });
}

#[test]
fn manifests_are_laid_over_a_cluster() {
    let mut cluster = Builder::new(Arc::new(Registry::builtin()), Options::cluster());
    for value in documents(
        b"\
{apiVersion: v1, kind: Pod, metadata: {name: web-x, namespace: default, uid: p, ownerReferences: [
  {apiVersion: apps/v1, kind: Deployment, name: web, uid: d, controller: true}]}, spec: {nodeName: node-1}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: default, uid: d},
  spec: {replicas: 1}, status: {replicas: 1}}
",
    ) {
        cluster.object(value.expect("YAML").decoded.value);
    }
    let cluster = cluster.build();
    let manifests = read(
        "\
{apiVersion: v1, kind: Pod, metadata: {name: web-x}, spec: {}}
---
{apiVersion: v1, kind: Pod, metadata: {name: new}, spec: {}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 4}}
",
    );
    let both = cluster.with_applied(&manifests, Arc::new(Registry::builtin()), &[]);
    assert_eq!(both.origin(), Origin::Cluster);
    let find = |plural: &str, name: &str| {
        let group = if plural == "pods" { "" } else { "apps" };
        both.find(group, plural, "default", name)
            .expect("an object")
    };
    let (old, new, web) = (
        find("pods", "web-x"),
        find("pods", "new"),
        find("deployments", "web"),
    );
    // What runs goes on running, and still belongs to what was changed.
    assert_eq!(meta::text(&old.value, &["spec", "nodeName"]), "node-1");
    assert_eq!(both.owner(old).map(|owner| owner.name()), Some("web"));
    assert_eq!(web.value["spec"]["replicas"], 4);
    assert_eq!(web.value["status"]["replicas"], 1);
    let place = both.locate(new, "").expect("a place");
    assert_eq!((place.file.as_ref(), place.line), ("a.yaml", 3));
    assert!(both.problems().is_empty(), "{:?}", both.problems());
}
