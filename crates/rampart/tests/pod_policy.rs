//! Pods under policy, with real kubectl: what pod security and PodSecurityPolicy let in.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use support::{Cluster, Kubectl, kubectls, workshop};

/// Calls `test` with every kubectl, each on a cluster that was started with these arguments.
fn with_clusters(arguments: &[&str], test: impl Fn(&Cluster, &Kubectl<'_>)) {
    for program in kubectls() {
        eprintln!("with {}", program.display());
        let cluster = Cluster::start_with(arguments);
        test(&cluster, &cluster.kubectl(&program));
    }
}

fn pod(name: &str, rest: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{containers: \
         [{{name: c, image: i{rest}}}]}}}}"
    )
}

const PRIVILEGED: &str = ", securityContext: {privileged: true}";

#[test]
fn namespaces_say_what_their_pods_must_keep() {
    with_clusters(&[], |cluster, kubectl| {
        let create = ["create", "-f", "-"];
        let (succeeded, _, said) = kubectl.run_with_input(&create, &pod("bad", PRIVILEGED));
        assert!(!succeeded);
        assert!(
            said.trim_end().ends_with(
                "pods \"bad\" is forbidden: violates PodSecurity \"baseline:latest\": privileged \
                 (container \"c\" must not set securityContext.privileged=true)"
            ),
            "{said}"
        );
        let (succeeded, _, said) = kubectl.run_with_input(&create, &pod("plain", ""));
        let warned = "would violate PodSecurity \"restricted:latest\": allowPrivilegeEscalation != \
                      false (container \"c\" must set securityContext.allowPrivilegeEscalation=false), \
                      unrestricted capabilities (container \"c\" must set \
                      securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or \
                      container \"c\" must set securityContext.runAsNonRoot=true), seccompProfile \
                      (pod or container \"c\" must set securityContext.seccompProfile.type to \
                      \"RuntimeDefault\" or \"Localhost\")";
        assert!(
            succeeded && said.contains(&format!("Warning: {warned}")),
            "{said}"
        );
        let (succeeded, _, said) = kubectl.run(&["create", "deployment", "web", "--image=nginx"]);
        assert!(
            succeeded && said.contains("Warning: would violate PodSecurity"),
            "{said}"
        );

        let label = |level: &str, more: &[&str]| {
            let label = format!("pod-security.kubernetes.io/enforce={level}");
            let mut arguments = vec!["label", "--overwrite", "ns", "default", label.as_str()];
            arguments.extend(more);
            kubectl.run(&arguments)
        };
        for more in [&["--dry-run=server"][..], &[]] {
            let (succeeded, _, said) = label("restricted", more);
            assert!(succeeded, "{said}");
            let lines: Vec<&str> = said.lines().collect();
            assert_eq!(
                lines,
                [
                    "Warning: existing pods in namespace \"default\" violate the new PodSecurity \
                     enforce level \"restricted:latest\"",
                    "Warning: plain: allowPrivilegeEscalation != false, unrestricted capabilities, \
                     runAsNonRoot != true, seccompProfile",
                ]
            );
        }
        let (succeeded, _, said) = label("strict", &[]);
        assert!(!succeeded);
        assert!(
            said.contains("must be one of privileged, baseline, restricted"),
            "{said}"
        );
        let (succeeded, _, said) = kubectl.run_with_input(&create, &pod("plain-2", ""));
        assert!(
            !succeeded && said.contains("violates PodSecurity \"restricted:latest\""),
            "{said}"
        );
        label("privileged", &[]);
        kubectl.apply(&pod("bad", PRIVILEGED));

        // Refused or not, it was noted and counted.
        for note in [
            "\"pod-security.kubernetes.io/enforce-policy\":\"baseline:latest\"",
            "\"pod-security.kubernetes.io/enforce-policy\":\"restricted:latest\"",
            "\"pod-security.kubernetes.io/audit-violations\":\"would violate PodSecurity",
        ] {
            let log = cluster.data().join("audit.log");
            until(note, || {
                kubectl.ok(&["get", "--raw", "/livez"]);
                std::fs::read_to_string(&log).is_ok_and(|log| log.contains(note))
            });
        }
        let page = kubectl.ok(&["get", "--raw", "/metrics"]);
        for line in [
            "pod_security_evaluations_total{decision=\"deny\",mode=\"enforce\",\
             policy_level=\"baseline\",policy_version=\"latest\",request_operation=\"create\",\
             resource=\"pod\",subresource=\"\"} 1",
            "pod_security_evaluations_total{decision=\"deny\",mode=\"warn\",\
             policy_level=\"restricted\",policy_version=\"latest\",request_operation=\"create\",\
             resource=\"controller\",subresource=\"\"} 1",
        ] {
            assert!(page.contains(line), "{line}");
        }
    });
}

#[test]
fn the_configuration_file_counts() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("admission.yaml");
    std::fs::write(
        &file,
        "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n\
         - name: PodSecurity\n  configuration:\n    \
         apiVersion: pod-security.admission.config.k8s.io/v1\n    \
         kind: PodSecurityConfiguration\n    defaults: {enforce: baseline}\n    \
         exemptions: {usernames: [ann]}\n",
    )
    .expect("writable");
    let file = file.display().to_string();
    with_clusters(&["--admission-control-config-file", &file], |_, kubectl| {
        let bad = pod("bad", PRIVILEGED);
        let (succeeded, ..) = kubectl.run_with_input(&["create", "-f", "-"], &bad);
        assert!(!succeeded);
        allow_everything(kubectl, "ann");
        let (succeeded, _, said) = kubectl.run_with_input(&["create", "--as=ann", "-f", "-"], &bad);
        assert!(succeeded && said.is_empty(), "{said}");
    });
}

/// Lets a user edit in every namespace, which does not include the use of policies.
fn allow_everything(kubectl: &Kubectl<'_>, user: &str) {
    let user = format!("--user={user}");
    kubectl.ok(&[
        "create",
        "clusterrolebinding",
        "edit",
        "--clusterrole=edit",
        &user,
    ]);
}

const RESTRICTIVE: &str = "{apiVersion: policy/v1beta1, kind: PodSecurityPolicy, metadata: {name: \
    restrictive}, spec: {privileged: false, allowPrivilegeEscalation: false, volumes: [secret, \
    projected], runAsUser: {rule: MustRunAsNonRoot}, seLinux: {rule: RunAsAny}, supplementalGroups: \
    {rule: RunAsAny}, fsGroup: {rule: RunAsAny}}}";

/// Lets the service accounts of `default` use a policy.
fn bind(kubectl: &Kubectl<'_>, policy: &str) {
    let (name, role) = (
        format!("--resource-name={policy}"),
        format!("--clusterrole={policy}"),
    );
    let use_it = ["create", "clusterrole", policy, "--verb=use"];
    kubectl.ok(&[
        &use_it[..],
        &["--resource=podsecuritypolicies.policy", &name],
    ]
    .concat());
    let group = "--group=system:serviceaccounts:default";
    kubectl.ok(&["create", "rolebinding", policy, &role, group]);
}

#[test]
fn a_pod_needs_a_policy_that_its_account_may_use() {
    let arguments = [
        "--enable-admission-plugins=PodSecurityPolicy",
        "--pod-security-default=privileged",
    ];
    with_clusters(&arguments, |_, kubectl| {
        allow_everything(kubectl, "ann");
        let create =
            |manifest: &str| kubectl.run_with_input(&["create", "--as=ann", "-f", "-"], manifest);
        let refused = |manifest: &str, want: &str| {
            let (succeeded, _, said) = create(manifest);
            assert!(!succeeded, "{manifest}");
            assert!(said.trim_end().ends_with(want), "{said}");
        };
        refused(
            &pod("p", ""),
            "pods \"p\" is forbidden: PodSecurityPolicy: no providers available to validate pod request",
        );
        kubectl.apply(RESTRICTIVE);
        refused(
            &pod("p", ""),
            "pods \"p\" is forbidden: PodSecurityPolicy: unable to admit pod: []",
        );
        bind(kubectl, "restrictive");
        refused(
            &pod("p", PRIVILEGED),
            "pods \"p\" is forbidden: PodSecurityPolicy: unable to admit pod: \
             [spec.containers[0].securityContext.privileged: Invalid value: true: Privileged \
             containers are not allowed]",
        );

        // Of two policies the one counts that leaves the pod as it is.
        let facts = |pod: &str| {
            let path = "jsonpath={.metadata.annotations.kubernetes\\.io/psp} \
                        {.spec.containers[0].securityContext.runAsNonRoot} \
                        {.spec.containers[0].securityContext.allowPrivilegeEscalation}";
            kubectl.ok(&["get", "pod", pod, "-o", path])
        };
        let (succeeded, _, said) = create(&pod("filled", ""));
        assert!(succeeded, "{said}");
        assert_eq!(facts("filled"), "restrictive true false");
        let privileged = workshop_file("10-");
        kubectl.ok(&["apply", "-f", &privileged]);
        bind(kubectl, "privileged");
        let (succeeded, _, said) = create(&pod("p", PRIVILEGED));
        assert!(succeeded, "{said}");
        assert_eq!(facts("p"), "privileged  ");
        let (succeeded, _, said) = create(&pod("plain", ""));
        assert!(succeeded, "{said}");
        assert_eq!(facts("plain"), "privileged  ");
        kubectl.ok(&[
            "wait",
            "--for=condition=Ready",
            "pods",
            "--all",
            "--timeout=60s",
        ]);

        // Policies hold for changes too: without the policy that let it in the pod stays as it is.
        kubectl.ok(&["delete", "rolebinding", "privileged"]);
        let image = ["set", "image", "--as=ann", "pod/p", "c=other"];
        let said = kubectl.fails(&image);
        assert!(
            said.contains("PodSecurityPolicy: unable to validate pod: ["),
            "{said}"
        );
        // Whoever administers the cluster may use every policy.
        kubectl.ok(&["set", "image", "pod/p", "c=other"]);
    });
}

fn workshop_file(number: &str) -> String {
    let files = workshop();
    let mut found = files.iter().map(|file| file.display().to_string());
    let found = found.find(|file| file.contains(&format!("/{number}")));
    found.expect("a file of the workshop")
}

/// Narrower than the pods of the workshop: no secrets as volumes, and nobody is root.
const NARROW: &str = "{apiVersion: policy/v1beta1, kind: PodSecurityPolicy, metadata: {name: \
    narrow}, spec: {privileged: false, allowPrivilegeEscalation: false, volumes: [configMap, \
    projected], runAsUser: {rule: MustRunAsNonRoot}, seLinux: {rule: RunAsAny}, supplementalGroups: \
    {rule: RunAsAny}, fsGroup: {rule: RunAsAny}}}";

/// Everything there is, but the use of policies.
const ALL_BUT_USE: &str = "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: \
    {name: all-but-use}, rules: [{apiGroups: ['*'], resources: ['*'], verbs: [get, list, watch, \
    create, update, patch, delete, bind, escalate]}]}";

/// The pods that exist, each with the policy that let it in.
fn policies_of_pods(kubectl: &Kubectl<'_>) -> Vec<String> {
    let path = "jsonpath={range .items[*]}{.metadata.name} \
                {.metadata.annotations.kubernetes\\.io/psp}{'\\n'}{end}";
    let text = kubectl.ok(&["get", "pods", "-A", "-o", path]);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn the_workshop_gets_the_verdicts_of_its_policies() {
    let arguments = [
        "--enable-admission-plugins=PodSecurityPolicy",
        "--pod-security-default=privileged",
    ];
    let secret = "pods \"secret-volume-pod\" is forbidden: PodSecurityPolicy: unable to admit pod: \
                  [spec.volumes[0]: Invalid value: \"secret\": secret volumes are not allowed to be \
                  used]";
    let none = |pod: &str| {
        format!("pods \"{pod}\" is forbidden: PodSecurityPolicy: unable to admit pod: []")
    };
    with_clusters(&arguments, |_, kubectl| {
        kubectl.apply(NARROW);
        bind(kubectl, "narrow");
        kubectl.apply(ALL_BUT_USE);
        let binding = [
            "create",
            "clusterrolebinding",
            "ann",
            "--clusterrole=all-but-use",
        ];
        kubectl.ok(&[&binding[..], &["--user=ann"]].concat());
        // What is said of pods that are refused, of each by itself.
        let apply = |number: &str, more: &[&str]| -> Vec<String> {
            let file = workshop_file(number);
            let arguments = [&["apply", "-f", file.as_str()][..], more].concat();
            let (succeeded, _, said) = kubectl.run(&arguments);
            let refusals = said.lines().filter_map(|line| {
                let at = line.find("pods \"")?;
                line.contains("PodSecurityPolicy")
                    .then(|| line[at..].to_owned())
            });
            let refusals: Vec<String> = refusals.collect();
            assert_eq!(succeeded, refusals.is_empty(), "{number}: {said}");
            refusals
        };
        let as_ann = &["--as=ann"][..];
        for number in ["01", "02", "03", "04", "05", "06", "07", "09", "12", "13"] {
            assert_eq!(apply(number, as_ann), Vec::<String>::new(), "{number}");
        }
        assert_eq!(apply("08", as_ann), [secret]);
        // No account of that namespace may use a policy.
        let elsewhere = ["qos-demo", "qos-demo-2", "qos-demo-3"].map(none);
        assert_eq!(apply("11", as_ann), elsewhere);
        let narrow = [
            "nginx narrow",
            "rbac-example narrow",
            "secret-env-pod narrow",
        ];
        assert_eq!(policies_of_pods(kubectl), narrow);

        // The administrator may use every policy, wherever the pod is; there is one.
        assert_eq!(apply("08", &[]), [secret]);
        assert_eq!(apply("11", &[]), Vec::<String>::new());
        let demos = ["qos-demo narrow", "qos-demo-2 narrow", "qos-demo-3 narrow"];
        let mut all = [&narrow[..], &demos].concat();
        all.sort_unstable();
        assert_eq!(policies_of_pods(kubectl), all);

        // A policy that nobody may use changes nothing for those who make pods.
        assert_eq!(apply("10", as_ann), Vec::<String>::new());
        assert_eq!(apply("08", as_ann), [secret]);
        for namespace in ["default", "qos-example"] {
            kubectl.ok(&["delete", "pods", "--all", "-n", namespace]);
        }
        let use_it = ["create", "clusterrole", "privileged", "--verb=use"];
        let policy = [
            "--resource=podsecuritypolicies.policy",
            "--resource-name=privileged",
        ];
        kubectl.ok(&[&use_it[..], &policy].concat());
        let binding = [
            "create",
            "clusterrolebinding",
            "privileged",
            "--clusterrole=privileged",
        ];
        kubectl.ok(&[&binding[..], &["--group=system:serviceaccounts"]].concat());
        for number in ["06", "08", "09", "11", "12"] {
            assert_eq!(apply(number, as_ann), Vec::<String>::new(), "{number}");
        }
        let wait = ["wait", "--for=condition=Ready", "pods", "--all", "-A"];
        kubectl.ok(&[&wait[..], &["--timeout=60s"]].concat());
        assert_eq!(
            policies_of_pods(kubectl),
            [
                "nginx privileged",
                "qos-demo privileged",
                "qos-demo-2 privileged",
                "qos-demo-3 privileged",
                "rbac-example privileged",
                "secret-env-pod privileged",
                "secret-volume-pod privileged",
            ]
        );
    });
}

/// Asks again until it is so; each question takes kubectl a moment.
#[track_caller]
fn until(what: &str, is_so: impl Fn() -> bool) {
    assert!((0..300).any(|_| is_so()), "never: {what}");
}

#[test]
fn namespaces_have_limits_and_quotas() {
    with_clusters(&[], |_, kubectl| {
        kubectl.ok(&["create", "namespace", "small"]);
        kubectl.apply(
            "{apiVersion: v1, kind: LimitRange, metadata: {name: l, namespace: small}, spec: {limits: \
             [{type: Container, default: {cpu: 200m}, max: {cpu: \"1\"}}]}}",
        );
        let hard = "--hard=pods=3,limits.cpu=500m,count/configmaps=2";
        kubectl.ok(&["create", "quota", "q", "-n", "small", hard]);
        let used = |name: &str| {
            let path = format!("jsonpath={{.status.used.{name}}}");
            kubectl.ok(&["get", "quota", "q", "-n", "small", "-o", &path])
        };
        // Until it has been counted for the first time a quota limits nothing.
        until("the quota is counted", || used("pods") == "0");
        let create = |name: &str, rest: &str| {
            let create = ["create", "-n", "small", "-f", "-"];
            kubectl.run_with_input(&create, &pod(name, rest))
        };
        let (succeeded, _, said) = create("one", "");
        assert!(succeeded, "{said}");
        let (succeeded, _, said) = create("two", "");
        assert!(succeeded, "{said}");
        assert_eq!(
            (used("pods"), used("limits\\.cpu")),
            ("2".to_owned(), "400m".to_owned())
        );
        let said = create("three", "").2;
        assert!(
            said.trim_end().ends_with(
                "pods \"three\" is forbidden: exceeded quota: q, requested: limits.cpu=200m, used: \
                 limits.cpu=400m, limited: limits.cpu=500m"
            ),
            "{said}"
        );
        let said = create("big", ", resources: {limits: {cpu: \"2\"}}").2;
        assert!(
            said.trim_end().ends_with(
                "pods \"big\" is forbidden: maximum cpu usage per Container is 1, but limit is 2"
            ),
            "{said}"
        );
        // One config map is there already: the one with the cluster's certificate.
        let map = ["create", "configmap", "-n", "small"];
        kubectl.ok(&[&map[..], &["a"]].concat());
        let said = kubectl.fails(&[&map[..], &["b"]].concat());
        assert!(
            said.contains("exceeded quota: q, requested: count/configmaps=1"),
            "{said}"
        );
        // What goes makes room.
        kubectl.ok(&[
            "delete",
            "pod",
            "one",
            "-n",
            "small",
            "--grace-period=0",
            "--force",
        ]);
        until("there is room again", || used("pods") == "1");
        let (succeeded, _, said) = create("three", "");
        assert!(succeeded, "{said}");
    });
}

#[test]
fn unknown_plugins_are_refused() {
    for (flag, name, why) in [
        (
            "--enable-admission-plugins",
            "PodSecurityPolice",
            "is unknown; there are ",
        ),
        (
            "--disable-admission-plugins",
            "NamespaceLifecycle",
            "cannot be turned off",
        ),
    ] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_rampart"))
            .args(["up", "--listen", "127.0.0.1:0", flag, name, "--data-dir"])
            .arg(directory.path().join("data"))
            .output()
            .expect("rampart runs");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(why) && said.contains(name), "{said}");
    }
}
