//! Everyday kubectl, as on upstream.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use support::{field, with_every_kubectl};

const POD: &str = "{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {app: web}}, spec: \
                   {containers: [{name: c, image: nginx, resources: {limits: {cpu: 1, memory: \
                   1Gi}}}]}}";

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  replicas: 2
  selector:
    matchLabels: {app: shop}
  template:
    metadata:
      labels: {app: shop}
    spec:
      containers:
      - name: a
        image: a:1
      - name: b
        image: b:1
";

#[test]
fn objects_are_shown_in_every_form() {
    with_every_kubectl(|_, kubectl| {
        kubectl.apply(POD);
        kubectl.ok(&["wait", "--for=condition=Ready", "pod/web", "--timeout=30s"]);
        let wide = kubectl.ok(&["get", "pods", "-o", "wide"]);
        let (head, row) = wide.split_once('\n').expect("a header and a row");
        assert_eq!(
            head.split_whitespace().collect::<Vec<_>>().join(" "),
            "NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES"
        );
        assert!(
            row.starts_with("web") && row.contains("1/1") && row.contains("Running"),
            "{row}"
        );
        let yaml = kubectl.ok(&["get", "pod", "web", "-o", "yaml"]);
        assert!(yaml.contains("qosClass: Guaranteed"), "{yaml}");
        assert_eq!(
            kubectl.ok(&["get", "pods", "-l", "app=web", "-o", "name"]),
            "pod/web\n"
        );
        assert_eq!(
            kubectl.ok(&["get", "pods", "-l", "app!=web", "-o", "name"]),
            ""
        );
        let selected = [
            "get",
            "pods",
            "--field-selector=status.phase=Running",
            "-o",
            "name",
        ];
        assert_eq!(kubectl.ok(&selected), "pod/web\n");
        let described = kubectl.ok(&["describe", "pod", "web"]);
        for part in [
            "Successfully assigned default/web to simulated",
            "QoS Class:",
            "Guaranteed",
        ] {
            assert!(described.contains(part), "{part}: {described}");
        }
        assert!(kubectl.ok(&["get", "events"]).contains("Scheduled"));
        assert!(
            kubectl
                .ok(&["describe", "node", "simulated"])
                .contains("rampart.dev/Simulated")
        );
        let missing = kubectl.fails(&["get", "pod", "none"]);
        assert_eq!(
            missing.trim(),
            "Error from server (NotFound): pods \"none\" not found"
        );
        let all = kubectl.ok(&["get", "all"]);
        assert!(
            all.contains("pod/web") && all.contains("service/kubernetes"),
            "{all}"
        );
        // Paging gives the same as one list.
        for n in 0..7 {
            kubectl.ok(&[
                "create",
                "configmap",
                &format!("page-{n}"),
                "--from-literal=a=b",
            ]);
        }
        let whole = kubectl.ok(&["get", "configmaps", "-o", "name"]);
        assert_eq!(
            kubectl.ok(&["get", "configmaps", "-o", "name", "--chunk-size=2"]),
            whole
        );
    });
}

#[test]
fn watches_follow_changes() {
    with_every_kubectl(|_, kubectl| {
        let mut watch = kubectl
            .command(&["get", "configmaps", "-w", "-o", "name", "-l", "watched"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl runs");
        let mut lines = BufReader::new(watch.stdout.take().expect("piped")).lines();
        kubectl.ok(&["create", "configmap", "first"]);
        kubectl.ok(&["label", "configmap", "first", "watched=yes"]);
        let mut next = || lines.next().expect("the watch goes on").expect("text");
        assert_eq!(next(), "configmap/first");
        kubectl.ok(&["annotate", "configmap", "first", "note=x"]);
        assert_eq!(next(), "configmap/first");
        watch.kill().expect("killed");
        watch.wait().expect("ended");
    });
}

#[test]
fn changes_in_every_way() {
    with_every_kubectl(|_, kubectl| {
        assert_eq!(kubectl.apply(DEPLOYMENT), "deployment.apps/shop created\n");
        assert_eq!(
            kubectl.apply(DEPLOYMENT),
            "deployment.apps/shop unchanged\n"
        );
        let shop = "deployment/shop";
        assert_eq!(
            field(kubectl, shop, ".spec.strategy.rollingUpdate.maxSurge"),
            "25%"
        );
        // A strategic merge patch merges containers by name; a merge patch replaces the list.
        let patch = |kind: &str, patch: &str| {
            kubectl.ok(&["patch", shop, "--type", kind, "-p", patch]);
        };
        patch(
            "strategic",
            r#"{"spec":{"template":{"spec":{"containers":[{"name":"b","image":"b:2"}]}}}}"#,
        );
        let images = ".spec.template.spec.containers[*].image";
        assert_eq!(field(kubectl, shop, images), "a:1 b:2");
        patch(
            "json",
            r#"[{"op":"replace","path":"/spec/replicas","value":5}]"#,
        );
        assert_eq!(field(kubectl, shop, ".spec.replicas"), "5");
        patch(
            "merge",
            r#"{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"c:1"}]}}}}"#,
        );
        assert_eq!(field(kubectl, shop, images), "c:1");
        assert_eq!(field(kubectl, shop, ".metadata.generation"), "4");
        kubectl.ok(&["scale", shop, "--replicas=3"]);
        assert_eq!(field(kubectl, shop, ".spec.replicas"), "3");
        kubectl.ok(&["set", "image", shop, "c=c:9"]);
        assert_eq!(field(kubectl, shop, images), "c:9");
        kubectl.ok(&["label", shop, "tier=front"]);
        kubectl.ok(&["annotate", shop, "note=hello"]);
        kubectl.ok(&["label", shop, "tier-"]);
        assert_eq!(field(kubectl, shop, ".metadata.annotations.note"), "hello");
        assert_eq!(field(kubectl, shop, ".metadata.labels.tier"), "");
        // kubectl edit with an editor that changes one thing.
        let edited = kubectl
            .command(&["edit", shop])
            .env("KUBE_EDITOR", "sed -i s/c:9/c:10/")
            .output()
            .expect("kubectl runs");
        assert!(edited.status.success(), "{edited:?}");
        assert_eq!(field(kubectl, shop, images), "c:10");
        // diff says 1 where there is a difference and changes nothing.
        let (same, diff, _) = kubectl.run_with_input(&["diff", "-f", "-"], DEPLOYMENT);
        assert!(
            !same && diff.contains("-  replicas: 3") && diff.contains("+  replicas: 2"),
            "{diff}"
        );
        let (replaced, _, why) = kubectl.run_with_input(&["replace", "-f", "-"], DEPLOYMENT);
        assert!(replaced, "{why}");
        assert_eq!(field(kubectl, shop, images), "a:1 b:1");
        kubectl.ok(&["delete", shop]);
        kubectl.fails(&["get", shop]);
    });
}

#[test]
fn dry_runs_change_nothing() {
    with_every_kubectl(|_, kubectl| {
        let (tried, _, why) =
            kubectl.run_with_input(&["apply", "--dry-run=server", "-f", "-"], DEPLOYMENT);
        assert!(tried, "{why}");
        kubectl.fails(&["get", "deployment", "shop"]);
        kubectl.apply(DEPLOYMENT);
        kubectl.ok(&["delete", "deployment", "shop", "--dry-run=server"]);
        kubectl.ok(&["get", "deployment", "shop"]);
    });
}

#[test]
fn server_side_apply_knows_who_owns_what() {
    with_every_kubectl(|_, kubectl| {
        let map = |value: &str| {
            format!(
                "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: m}}, data: {{a: {value}}}}}"
            )
        };
        let apply = |manager: &str, value: &str, force: bool| {
            let owner = format!("--field-manager={manager}");
            let mut arguments = vec!["apply", "--server-side", owner.as_str(), "-f", "-"];
            if force {
                arguments.push("--force-conflicts");
            }
            kubectl.run_with_input(&arguments, &map(value))
        };
        assert!(apply("one", "x", false).0);
        assert!(apply("two", "x", false).0, "the same value is shared");
        let (done, _, why) = apply("two", "z", false);
        assert!(
            !done && why.contains("conflict with \"one\"") && why.contains(".data.a"),
            "{why}"
        );
        assert!(apply("two", "z", true).0);
        assert_eq!(field(kubectl, "configmap/m", ".data.a"), "z");
        let (done, _, why) = apply("one", "x", false);
        assert!(!done && why.contains("conflict with \"two\""), "{why}");
    });
}

#[test]
fn deletions_take_what_belongs_to_them() {
    with_every_kubectl(|_, kubectl| {
        kubectl.ok(&["create", "namespace", "team"]);
        kubectl.ok(&["create", "configmap", "owner", "-n", "team"]);
        let uid = kubectl.ok(&[
            "get",
            "configmap",
            "owner",
            "-n",
            "team",
            "-o",
            "jsonpath={.metadata.uid}",
        ]);
        let owned = |name: &str| {
            format!(
                "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}, namespace: team, \
                 ownerReferences: [{{apiVersion: v1, kind: ConfigMap, name: owner, uid: {uid}, \
                 blockOwnerDeletion: true}}]}}}}"
            )
        };
        kubectl.apply(&owned("dependent"));
        kubectl.ok(&[
            "delete",
            "configmap",
            "owner",
            "-n",
            "team",
            "--cascade=foreground",
        ]);
        kubectl.fails(&["get", "configmap", "dependent", "-n", "team"]);
        // The default namespace's account and CA are there, and come back.
        kubectl.ok(&["get", "serviceaccount", "default", "-n", "team"]);
        kubectl.ok(&["delete", "configmap", "kube-root-ca.crt", "-n", "team"]);
        kubectl.ok(&[
            "create",
            "secret",
            "generic",
            "s",
            "-n",
            "team",
            "--from-literal=k=v",
        ]);
        kubectl.ok(&["delete", "namespace", "team", "--timeout=60s"]);
        kubectl.fails(&["get", "namespace", "team"]);
        kubectl.fails(&["get", "secret", "s", "-n", "team"]);
        let refused = kubectl.fails(&["delete", "namespace", "kube-system"]);
        assert!(
            refused.contains("this namespace may not be deleted"),
            "{refused}"
        );
    });
}

#[test]
fn the_api_describes_itself() {
    with_every_kubectl(|_, kubectl| {
        let resources = kubectl.ok(&["api-resources", "--no-headers"]);
        for name in [
            "pods",
            "deployments",
            "podsecuritypolicies",
            "networkpolicies",
            "leases",
        ] {
            assert!(
                resources.lines().any(|l| l.starts_with(name)),
                "{name}: {resources}"
            );
        }
        let versions = kubectl.ok(&["api-versions"]);
        for version in ["v1", "apps/v1", "autoscaling/v2", "policy/v1beta1"] {
            assert!(
                versions.lines().any(|l| l == version),
                "{version}: {versions}"
            );
        }
        let explained = kubectl.ok(&["explain", "pod.spec.containers.securityContext"]);
        assert!(explained.contains("runAsNonRoot"), "{explained}");
        let recursive = kubectl.ok(&["explain", "deployment", "--recursive"]);
        assert!(recursive.contains("matchLabels"), "{recursive}");
        assert!(kubectl.ok(&["explain", "psp.spec"]).contains("privileged"));
        assert!(kubectl.ok(&["cluster-info"]).contains("is running at"));
        assert!(
            kubectl.ok(&["version"]).contains("1.33") || kubectl.ok(&["version"]).contains("33")
        );
        assert_eq!(kubectl.ok(&["get", "--raw", "/readyz"]), "ok");
        assert!(
            kubectl
                .ok(&["get", "--raw", "/metrics"])
                .contains("apiserver_request_total")
        );
    });
}

#[test]
fn mistakes_are_named() {
    with_every_kubectl(|_, kubectl| {
        let refused = |manifest: &str| {
            let arguments = ["apply", "--validate=false", "-f", "-"];
            let (done, _, why) = kubectl.run_with_input(&arguments, manifest);
            assert!(!done, "{manifest}");
            why
        };
        let why = refused("{apiVersion: v1, kind: ConfigMap, metadata: {name: Upper}}");
        assert!(
            why.contains("metadata.name: Invalid value: \"Upper\": a lowercase RFC 1123 subdomain"),
            "{why}"
        );
        let why = refused(
            "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c}]}}",
        );
        assert!(
            why.contains("spec.containers[0].image: Required value"),
            "{why}"
        );
        let why =
            refused("{apiVersion: v1, kind: Secret, metadata: {name: s}, type: kubernetes.io/tls}");
        assert!(why.contains("data[tls.crt]: Required value"), "{why}");
        let (done, _, why) = kubectl.run_with_input(
            &["apply", "--validate=true", "-f", "-"],
            "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: \
             i}], nonsense: 1}}",
        );
        assert!(!done && why.contains("nonsense"), "{why}");
        kubectl.ok(&["create", "configmap", "frozen", "--from-literal=a=b"]);
        kubectl.ok(&["patch", "configmap", "frozen", "-p", "{\"immutable\":true}"]);
        let why = kubectl.fails(&[
            "patch",
            "configmap",
            "frozen",
            "-p",
            "{\"data\":{\"a\":\"c\"}}",
        ]);
        assert!(
            why.contains("field is immutable when `immutable` is set"),
            "{why}"
        );
    });
}

#[test]
fn rbac_by_hand() {
    with_every_kubectl(|_, kubectl| {
        kubectl.ok(&[
            "create",
            "clusterrole",
            "look",
            "--verb=get,list",
            "--resource=pods",
        ]);
        kubectl.ok(&[
            "create",
            "clusterrolebinding",
            "look",
            "--clusterrole=look",
            "--user=ann",
        ]);
        assert_eq!(
            kubectl.ok(&["auth", "can-i", "get", "pods", "--as=ann", "-A"]),
            "yes\n"
        );
        assert!(
            !kubectl
                .run(&["auth", "can-i", "delete", "pods", "--as=ann"])
                .0
        );
        // Nobody grants what they do not hold.
        kubectl.ok(&[
            "create",
            "clusterrole",
            "make-roles",
            "--verb=create",
            "--resource=roles.rbac.authorization.k8s.io",
        ]);
        kubectl.ok(&[
            "create",
            "clusterrolebinding",
            "m",
            "--clusterrole=make-roles",
            "--user=ann",
        ]);
        let arguments = [
            "create",
            "role",
            "grab",
            "--verb=get",
            "--resource=secrets",
            "--as=ann",
        ];
        let why = kubectl.fails(&arguments);
        assert!(
            why.contains("attempting to grant RBAC permissions not currently held"),
            "{why}"
        );
        let reconcile = "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: r, \
                         namespace: default}, rules: [{apiGroups: [''], resources: [pods], verbs: \
                         [get]}]}";
        let (done, _, why) = kubectl.run_with_input(&["auth", "reconcile", "-f", "-"], reconcile);
        assert!(done, "{why}");
        // Aggregation: what is labelled for edit is in edit.
        kubectl.ok(&[
            "create",
            "clusterrole",
            "extra",
            "--verb=get",
            "--resource=leases",
        ]);
        kubectl.ok(&[
            "label",
            "clusterrole",
            "extra",
            "rbac.authorization.k8s.io/aggregate-to-view=true",
        ]);
        kubectl.ok(&[
            "create",
            "clusterrolebinding",
            "v",
            "--clusterrole=view",
            "--user=bob",
        ]);
        assert_eq!(
            kubectl.ok(&["auth", "can-i", "list", "deployments", "--as=bob"]),
            "yes\n"
        );
    });
}

/// Commands that came after kubectl 1.20.
#[test]
fn what_only_newer_kubectl_has() {
    with_every_kubectl(|_, kubectl| {
        if !kubectl
            .ok(&["create", "token", "--help"])
            .contains("service account token")
        {
            eprintln!("SKIP: this kubectl has no `create token`");
            return;
        }
        let who = kubectl.ok(&[
            "auth",
            "whoami",
            "-o",
            "jsonpath={.status.userInfo.username}",
        ]);
        assert_eq!(who, "rampart-admin");
        let token = kubectl.ok(&["create", "token", "default"]);
        let with_token = |token: &str, arguments: &[&str]| {
            let flag = format!("--token={}", token.trim());
            let server = field(kubectl, "configmap/kube-root-ca.crt", ".data.ca\\.crt");
            assert!(server.starts_with("-----BEGIN CERTIFICATE-----"));
            let config = std::fs::read_to_string(&kubectl.kubeconfig).expect("readable");
            let url = config
                .lines()
                .find_map(|l| l.trim().strip_prefix("server: "))
                .expect("a server")
                .trim_matches('"')
                .to_owned();
            let url = format!("--server={url}");
            let mut all = vec!["--insecure-skip-tls-verify", flag.as_str(), url.as_str()];
            all.extend(arguments);
            kubectl.with("/dev/null".into()).run(&all)
        };
        let (done, who, why) = with_token(
            &token,
            &[
                "auth",
                "whoami",
                "-o",
                "jsonpath={.status.userInfo.username}",
            ],
        );
        assert!(done, "{why}");
        assert_eq!(who, "system:serviceaccount:default:default");
        // The token dies with its account.
        kubectl.ok(&["create", "serviceaccount", "brief"]);
        let token = kubectl.ok(&["create", "token", "brief"]);
        assert!(with_token(&token, &["auth", "whoami"]).0);
        kubectl.ok(&["delete", "serviceaccount", "brief"]);
        let (done, _, why) = with_token(&token, &["get", "--raw", "/api"]);
        assert!(!done && why.contains("Unauthorized"), "{why}");
        // One letter changed, and it is nobody's.
        let token = kubectl.ok(&["create", "token", "default"]);
        let mut forged = token.trim().to_owned().into_bytes();
        let last = forged.len() - 5;
        forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).expect("ASCII");
        assert!(!with_token(&forged, &["auth", "whoami"]).0);
    });
}
