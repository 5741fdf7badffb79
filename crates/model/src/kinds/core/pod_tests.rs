use super::*;
use crate::kinds::core::behavior;
use proptest::prelude::*;

fn minimal() -> Value {
    let mut pod = json!({
        "metadata": {"name": "p", "namespace": "n", "labels": {"app": "a"}},
        "spec": {"containers": [{"name": "c", "image": "redis"}]},
    });
    default("v1", &mut pod);
    prepare_create(&mut pod);
    pod
}

/// Sets the value at a JSON pointer, making maps on the way; numbers step into lists.
fn put(object: &mut Value, pointer: &str, value: Value) {
    let mut here = object;
    for step in pointer.split('/').skip(1) {
        here = match step.parse::<usize>() {
            Ok(i) => {
                if !here.is_array() {
                    *here = json!([]);
                }
                let list = here.as_array_mut().unwrap();
                while list.len() <= i {
                    list.push(json!({}));
                }
                &mut list[i]
            }
            Err(_) => {
                if !here.is_object() {
                    *here = json!({});
                }
                here.as_object_mut()
                    .unwrap()
                    .entry(step.replace("~1", "/"))
                    .or_insert(Value::Null)
            }
        };
    }
    *here = value;
}

fn texts(errors: &ErrorList) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

type Case = (Vec<(&'static str, Value)>, Vec<&'static str>);

/// Each case: the places to set, with what, and the beginnings of the errors that follow. Before
/// validation the defaults are filled in, as in a request.
fn check(cases: Vec<Case>) {
    for (changes, want) in cases {
        let mut pod = minimal();
        for (pointer, value) in &changes {
            put(&mut pod, pointer, value.clone());
        }
        default("v1", &mut pod);
        let got = texts(&validate_create(&pod));
        assert_eq!(got.len(), want.len(), "{changes:?}: {got:#?}");
        for (got, want) in got.iter().zip(want) {
            assert!(
                got.starts_with(want),
                "{changes:?}:\n got {got}\nwant {want}"
            );
        }
    }
}

const C: &str = "/spec/containers/0";

fn c(rest: &str) -> &'static str {
    // Leaked once per test case; keeps the tables readable.
    Box::leak(format!("{C}{rest}").into_boxed_str())
}

#[test]
fn a_minimal_pod_is_valid() {
    let pod = minimal();
    assert_eq!(texts(&validate_create(&pod)), Vec::<String>::new());
    assert_eq!(
        pod["status"],
        json!({"phase": "Pending", "qosClass": "BestEffort"})
    );
}

#[test]
fn containers() {
    check(vec![
        (
            vec![("/spec/containers", json!([]))],
            vec!["spec.containers: Required value"],
        ),
        (
            vec![(c("/name"), json!(""))],
            vec!["spec.containers[0].name: Required value"],
        ),
        (
            vec![(c("/name"), json!("A"))],
            vec!["spec.containers[0].name: Invalid value: \"A\": a lowercase RFC 1123 label"],
        ),
        (
            vec![(c("/image"), json!(""))],
            vec!["spec.containers[0].image: Required value"],
        ),
        (
            vec![(c("/image"), json!(" redis"))],
            vec![
                "spec.containers[0].image: Invalid value: \" redis\": must not have leading or \
                  trailing whitespace",
            ],
        ),
        (
            vec![("/spec/containers/1", json!({"name": "c", "image": "x"}))],
            vec!["spec.containers[1].name: Duplicate value: \"c\""],
        ),
        (
            vec![(c("/imagePullPolicy"), json!("Sometimes"))],
            vec![
                "spec.containers[0].imagePullPolicy: Unsupported value: \"Sometimes\": supported \
                  values: \"Always\", \"IfNotPresent\", \"Never\"",
            ],
        ),
        (
            vec![(c("/terminationMessagePolicy"), json!("X"))],
            vec!["spec.containers[0].terminationMessagePolicy: Unsupported value: \"X\""],
        ),
        (
            vec![(c("/restartPolicy"), json!("Always"))],
            vec![
                "spec.containers[0].restartPolicy: Forbidden: may not be set for non-init \
                  containers",
            ],
        ),
        (
            vec![(
                "/spec/ephemeralContainers/0",
                json!({"name": "e", "image": "x"}),
            )],
            vec!["spec.ephemeralContainers: Forbidden: cannot be set on create"],
        ),
    ]);
}

#[test]
fn init_containers() {
    let i = "/spec/initContainers/0";
    let base = json!({"name": "i", "image": "x"});
    check(vec![
        (vec![(i, base.clone())], vec![]),
        (
            vec![(i, json!({"name": "c", "image": "x"}))],
            vec!["spec.initContainers[0].name: Duplicate value: \"c\""],
        ),
        (
            vec![
                (i, base.clone()),
                ("/spec/initContainers/0/lifecycle", json!({})),
            ],
            vec![
                "spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers \
                  without restartPolicy=Always",
            ],
        ),
        (
            vec![
                (i, base.clone()),
                ("/spec/initContainers/0/restartPolicy", json!("Never")),
            ],
            vec![
                "spec.initContainers[0].restartPolicy: Unsupported value: \"Never\": supported \
                  values: \"Always\"",
            ],
        ),
        (
            vec![
                (i, base.clone()),
                ("/spec/initContainers/0/restartPolicy", json!("Always")),
                (
                    "/spec/initContainers/0/livenessProbe",
                    json!({"exec": {"command": ["x"]}}),
                ),
            ],
            vec![],
        ),
    ]);
}

#[test]
fn ports() {
    check(vec![
        (
            vec![(c("/ports/0"), json!({"containerPort": 80, "name": "http"}))],
            vec![],
        ),
        (
            vec![(c("/ports/0"), json!({"name": "http"}))],
            vec!["spec.containers[0].ports[0].containerPort: Required value"],
        ),
        (
            vec![(c("/ports/0"), json!({"containerPort": 65536}))],
            vec![
                "spec.containers[0].ports[0].containerPort: Invalid value: 65536: must be between \
                  1 and 65535, inclusive",
            ],
        ),
        (
            vec![(c("/ports/0"), json!({"containerPort": 1, "name": "-"}))],
            vec![
                "spec.containers[0].ports[0].name: Invalid value: \"-\": must contain at least",
                "spec.containers[0].ports[0].name: Invalid value: \"-\": must not begin",
            ],
        ),
        (
            vec![(c("/ports/0"), json!({"containerPort": 1, "protocol": "X"}))],
            vec![
                "spec.containers[0].ports[0].protocol: Unsupported value: \"X\": supported values: \
                  \"SCTP\", \"TCP\", \"UDP\"",
            ],
        ),
        (
            vec![
                (c("/ports/0"), json!({"containerPort": 1, "hostPort": 5})),
                (c("/ports/1"), json!({"containerPort": 2, "hostPort": 5})),
            ],
            vec!["spec.containers[0].ports[1].hostPort: Duplicate value: \"TCP//5\""],
        ),
        (
            vec![
                ("/spec/hostNetwork", json!(true)),
                (c("/ports/0"), json!({"containerPort": 1, "hostPort": 5})),
            ],
            vec![
                "spec.containers[0].ports[0].hostPort: Invalid value: 5: must match \
                 `containerPort` when `hostNetwork` is true",
            ],
        ),
        (
            vec![
                ("/spec/hostNetwork", json!(true)),
                (c("/ports/0"), json!({"containerPort": 1})),
            ],
            vec![],
        ),
    ]);
}

#[test]
fn environment() {
    check(vec![
        (
            vec![(c("/env/0"), json!({"name": "A", "value": "x"}))],
            vec![],
        ),
        (
            vec![(c("/env/0"), json!({"value": "x"}))],
            vec!["spec.containers[0].env[0].name: Required value"],
        ),
        (
            vec![(c("/env/0"), json!({"name": "A=B"}))],
            vec!["spec.containers[0].env[0].name: Invalid value: \"A=B\": a valid environment"],
        ),
        (
            vec![(c("/env/0"), json!({"name": "A", "valueFrom": {}}))],
            vec!["spec.containers[0].env[0].valueFrom: Invalid value: \"\": must specify one of"],
        ),
        (
            vec![(
                c("/env/0"),
                json!({"name": "A", "value": "x",
            "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}),
            )],
            vec![
                "spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be specified \
                  when `value` is not empty",
            ],
        ),
        (
            vec![(
                c("/env/0"),
                json!({"name": "A", "valueFrom": {"secretKeyRef": {}}}),
            )],
            vec![
                "spec.containers[0].env[0].valueFrom.secretKeyRef.name: Required value",
                "spec.containers[0].env[0].valueFrom.secretKeyRef.key: Required value",
            ],
        ),
        (
            vec![(
                c("/env/0"),
                json!({"name": "A",
            "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a']"}}}),
            )],
            vec![],
        ),
        (
            vec![(
                c("/env/0"),
                json!({"name": "A",
            "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}}),
            )],
            vec![
                "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: \
                  \"metadata.labels\": supported values: \"metadata.name\"",
            ],
        ),
        (
            vec![(
                c("/env/0"),
                json!({"name": "A",
            "valueFrom": {"fieldRef": {"fieldPath": "spec.x"}}}),
            )],
            vec![
                "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: \
                  \"spec.x\": error converting fieldPath: field label not supported: spec.x",
            ],
        ),
        (
            vec![(
                c("/env/0"),
                json!({"name": "A",
            "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "2"}}}),
            )],
            vec![
                "spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor: Invalid value: \
                  \"limits.cpu\": only divisor's values 1m and 1 are supported with the cpu \
                  resource",
            ],
        ),
        (
            vec![(c("/envFrom/0"), json!({"secretRef": {}}))],
            vec!["spec.containers[0].envFrom[0].secretRef.name: Required value"],
        ),
        (
            vec![(c("/envFrom/0"), json!({"prefix": "a="}))],
            vec![
                "spec.containers[0].envFrom[0].prefix: Invalid value: \"a=\"",
                "spec.containers[0].envFrom: Invalid value: \"\": must specify one of: \
                  `configMapRef` or `secretRef`",
            ],
        ),
    ]);
}

#[test]
fn probes_and_hooks() {
    check(vec![
        (
            vec![(c("/livenessProbe"), json!({}))],
            vec!["spec.containers[0].livenessProbe: Required value: must specify a handler type"],
        ),
        (
            vec![(c("/livenessProbe"), json!({"exec": {"command": []}}))],
            vec!["spec.containers[0].livenessProbe.exec.command: Required value"],
        ),
        (
            vec![(
                c("/livenessProbe"),
                json!({"exec": {"command": ["x"]}, "tcpSocket": {"port": 80}}),
            )],
            vec![
                "spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than \
                  1 handler type",
            ],
        ),
        (
            vec![(
                c("/livenessProbe"),
                json!({"tcpSocket": {"port": 0}, "successThreshold": 2, "periodSeconds": -1}),
            )],
            vec![
                "spec.containers[0].livenessProbe.tcpSocket.port: Invalid value: 0: must be \
                  between 1 and 65535, inclusive",
                "spec.containers[0].livenessProbe.periodSeconds: Invalid value: -1: must be \
                  greater than or equal to 0",
                "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
            ],
        ),
        (
            vec![(
                c("/readinessProbe"),
                json!({"httpGet": {"port": "http"}, "terminationGracePeriodSeconds": 1}),
            )],
            vec![
                "spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: \
                  1: must not be set for readinessProbes",
            ],
        ),
        (
            vec![(
                c("/startupProbe"),
                json!({"httpGet": {"port": 1, "scheme": "FTP",
            "httpHeaders": [{"name": "a b"}]}}),
            )],
            vec![
                "spec.containers[0].startupProbe.httpGet.scheme: Unsupported value: \"FTP\"",
                "spec.containers[0].startupProbe.httpGet.httpHeaders: Invalid value: \"a b\"",
            ],
        ),
        (
            vec![(c("/lifecycle/preStop"), json!({"sleep": {"seconds": 31}}))],
            vec![
                "spec.containers[0].lifecycle.preStop.sleep: Invalid value: 31: must be \
                  non-negative and less than terminationGracePeriodSeconds (30)",
            ],
        ),
        (
            vec![(c("/lifecycle/preStop"), json!({"exec": {"command": ["x"]}}))],
            vec![],
        ),
    ]);
}

#[test]
fn requests_and_limits() {
    check(vec![
        (
            vec![(
                c("/resources"),
                json!({"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}),
            )],
            vec![
                "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than \
                  or equal to cpu limit of 1",
            ],
        ),
        (
            vec![(c("/resources/limits"), json!({"cpu": "-1"}))],
            vec![
                "spec.containers[0].resources.limits[cpu]: Invalid value: \"-1\": must be greater \
                  than or equal to 0",
                "spec.containers[0].resources.requests[cpu]: Invalid value: \"-1\": must be \
                  greater than or equal to 0",
            ],
        ),
        (
            vec![(c("/resources/requests"), json!({"gpu": "1"}))],
            vec![
                "spec.containers[0].resources.requests[gpu]: Invalid value: \"gpu\": must be a \
                  standard resource type or fully qualified",
                "spec.containers[0].resources.requests[gpu]: Invalid value: \"gpu\": must be a \
                  standard resource for containers",
            ],
        ),
        (
            vec![(c("/resources/requests"), json!({"example.com/gpu": "1"}))],
            vec![
                "spec.containers[0].resources.limits: Required value: Limit must be set for non \
                  overcommitable resources",
            ],
        ),
        (
            vec![(
                c("/resources"),
                json!({"limits": {"example.com/gpu": "2"},
            "requests": {"example.com/gpu": "1"}}),
            )],
            vec![
                "spec.containers[0].resources.requests: Invalid value: \"1\": must be equal to \
                  example.com/gpu limit of 2",
            ],
        ),
        (
            vec![(c("/resources/limits"), json!({"example.com/gpu": "500m"}))],
            vec![
                "spec.containers[0].resources.limits[example.com/gpu]: Invalid value: \"500m\": \
                  must be an integer",
                "spec.containers[0].resources.requests[example.com/gpu]: Invalid value",
            ],
        ),
        (
            vec![(c("/resources/limits"), json!({"hugepages-2Mi": "4Mi"}))],
            vec!["spec.containers[0].resources: Forbidden: HugePages require cpu or memory"],
        ),
        (
            vec![(
                c("/resources/limits"),
                json!({"hugepages-2Mi": "4Mi", "memory": "1Gi"}),
            )],
            vec![],
        ),
    ]);
}

#[test]
fn volumes_and_mounts() {
    let v = "/spec/volumes/0";
    check(vec![
        (
            vec![
                (v, json!({"name": "v"})),
                (
                    c("/volumeMounts/0"),
                    json!({"name": "v", "mountPath": "/x"}),
                ),
            ],
            vec![],
        ),
        (
            vec![(
                c("/volumeMounts/0"),
                json!({"name": "v", "mountPath": "/x"}),
            )],
            vec!["spec.containers[0].volumeMounts[0].name: Not found: \"v\""],
        ),
        (
            vec![(v, json!({"name": "v", "secret": {}}))],
            vec!["spec.volumes[0].secret.secretName: Required value"],
        ),
        (
            vec![(
                v,
                json!({"name": "v", "emptyDir": {}, "hostPath": {"path": "/x"}}),
            )],
            vec!["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"],
        ),
        (
            vec![(v, json!({"name": "V"}))],
            vec!["spec.volumes[0].name: Invalid value: \"V\""],
        ),
        (
            vec![
                (v, json!({"name": "v"})),
                ("/spec/volumes/1", json!({"name": "v"})),
            ],
            vec!["spec.volumes[1].name: Duplicate value: \"v\""],
        ),
        (
            vec![(
                v,
                json!({"name": "v", "hostPath": {"path": "/a/../b", "type": "X"}}),
            )],
            vec![
                "spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'",
                "spec.volumes[0].hostPath.type: Unsupported value: \"X\"",
            ],
        ),
        (
            vec![(
                v,
                json!({"name": "v", "configMap": {"name": "c", "defaultMode": 512,
            "items": [{"key": "k", "path": "/abs"}]}}),
            )],
            vec![
                "spec.volumes[0].configMap.defaultMode: Invalid value: 512: must be a number \
                  between 0 and 0777 (octal), both inclusive",
                "spec.volumes[0].configMap.items[0].path: Invalid value: \"/abs\": must be a \
                  relative path",
            ],
        ),
        (
            vec![(
                v,
                json!({"name": "v", "projected": {"sources": [
            {"serviceAccountToken": {"path": "t", "expirationSeconds": 5}}]}}),
            )],
            vec![
                "spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: \
                  Invalid value: 5: may not specify a duration less than 10 minutes",
                "spec.volumes[0].projected.sources[0].serviceAccountToken: Forbidden: must not be \
                  specified when serviceAccountName is not set",
            ],
        ),
        (
            vec![(
                v,
                json!({"name": "v", "projected": {"sources": [
            {"secret": {"name": "a", "items": [{"key": "k", "path": "x"}]}},
            {"configMap": {"name": "b", "items": [{"key": "k", "path": "x"}]}}]}}),
            )],
            vec!["spec.volumes[0].projected: Invalid value: \"b\": conflicting duplicate paths"],
        ),
        (
            vec![(v, json!({"name": "v", "csi": {"driver": "a b"}}))],
            vec!["spec.volumes[0].csi.driver: Invalid value: \"a b\""],
        ),
        (
            vec![(v, json!({"name": "v", "image": {"reference": "x"}}))],
            vec!["spec.volumes[0].image.pullPolicy: Required value"],
        ),
        (
            vec![(
                v,
                json!({"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec":
            {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}}),
            )],
            vec![],
        ),
        (
            vec![
                (v, json!({"name": "v"})),
                (
                    c("/volumeMounts/0"),
                    json!({"name": "v", "mountPath": "/x", "subPath": "../a", "subPathExpr": "b",
                "mountPropagation": "Bidirectional", "recursiveReadOnly": "Enabled"}),
                ),
            ],
            vec![
                "spec.containers[0].volumeMounts.subPath: Invalid value: \"../a\": must not \
                  contain '..'",
                "spec.containers[0].volumeMounts[0].subPathExpr: Invalid value: \"b\": \
                  subPathExpr and subPath are mutually exclusive",
                "spec.containers[0].volumeMounts.mountPropagation: Forbidden: Bidirectional mount",
                "spec.containers[0].volumeMounts.recursiveReadOnly: Forbidden: may only be \
                  specified when readOnly is true",
                "spec.containers[0].volumeMounts.recursiveReadOnly: Forbidden: may only be \
                  specified when mountPropagation is None or not specified",
            ],
        ),
        (
            vec![
                (v, json!({"name": "v"})),
                (
                    c("/volumeDevices/0"),
                    json!({"name": "v", "devicePath": "/dev/x"}),
                ),
            ],
            vec![
                "spec.containers[0].volumeDevices[0].name: Invalid value: \"v\": can only use \
                  volume source type of PersistentVolumeClaim or Ephemeral for block mode",
            ],
        ),
    ]);
}

#[test]
fn security_contexts() {
    check(vec![
        (
            vec![(
                c("/securityContext"),
                json!({"privileged": true, "allowPrivilegeEscalation": false}),
            )],
            vec![
                "spec.containers[0].securityContext: Invalid value: \
                  {\"allowPrivilegeEscalation\":false,\"privileged\":true}: cannot set \
                  `allowPrivilegeEscalation` to false and `privileged` to true",
            ],
        ),
        (
            vec![(c("/securityContext"), json!({"runAsUser": -1}))],
            vec![
                "spec.containers[0].securityContext.runAsUser: Invalid value: -1: must be between \
                  0 and 2147483647, inclusive",
            ],
        ),
        (
            vec![(c("/securityContext"), json!({"procMount": "Unmasked"}))],
            vec![
                "spec.containers[0].securityContext.procMount: Invalid value: \"Unmasked\": \
                  `hostUsers` must be false to use `Unmasked`",
            ],
        ),
        (
            vec![(
                c("/securityContext/seccompProfile"),
                json!({"type": "Localhost"}),
            )],
            vec![
                "spec.containers[0].securityContext.seccompProfile.localhostProfile: Required \
                  value: must be set when seccomp type is Localhost",
            ],
        ),
        (
            vec![("/spec/securityContext/seccompProfile", json!({}))],
            vec![
                "spec.securityContext.seccompProfile.type: Required value: type is required when \
                  seccompProfile is set",
            ],
        ),
        (
            vec![(
                "/spec/securityContext/appArmorProfile",
                json!({"type": "RuntimeDefault", "localhostProfile": "x"}),
            )],
            vec![
                "spec.securityContext.appArmorProfile.localhostProfile: Invalid value: \"x\": can \
                  only be set when AppArmor type is Localhost",
            ],
        ),
        (
            vec![(
                "/spec/securityContext",
                json!({"fsGroupChangePolicy": "X",
            "supplementalGroupsPolicy": "Y", "supplementalGroups": [-5]}),
            )],
            vec![
                "spec.securityContext.supplementalGroups[0]: Invalid value: -5",
                "spec.securityContext.fsGroupChangePolicy: Unsupported value: \"X\": supported \
                  values: \"Always\", \"OnRootMismatch\"",
                "spec.securityContext.supplementalGroupsPolicy: Unsupported value: \"Y\": \
                  supported values: \"Merge\", \"Strict\"",
            ],
        ),
        (
            vec![(
                "/spec/securityContext/sysctls",
                json!([{"name": "a..b"}, {"name": "kernel.a"},
            {"name": "kernel/a"}]),
            )],
            vec![
                "spec.securityContext.sysctls[0].name: Invalid value: \"a..b\": must have at most",
                "spec.securityContext.sysctls[2].name: Duplicate value: \"kernel/a\"",
            ],
        ),
        (
            vec![
                ("/spec/shareProcessNamespace", json!(true)),
                ("/spec/hostPID", json!(true)),
            ],
            vec![
                "spec.securityContext.shareProcessNamespace: Invalid value: true: \
                  ShareProcessNamespace and HostPID cannot both be enabled",
            ],
        ),
        (
            vec![
                ("/spec/hostUsers", json!(false)),
                ("/spec/hostPID", json!(true)),
            ],
            vec!["spec.HostPID: Forbidden: when `pod.Spec.HostUsers` is false"],
        ),
        (
            vec![
                ("/spec/os/name", json!("windows")),
                ("/spec/securityContext/runAsUser", json!(1)),
                (c("/securityContext/privileged"), json!(false)),
            ],
            vec![
                "spec.securityContext.runAsUser: Forbidden: cannot be set for a windows pod",
                "spec.containers[0].securityContext.privileged: Forbidden: cannot be set for a \
                  windows pod",
            ],
        ),
        (
            vec![("/spec/os/name", json!("beos"))],
            vec!["spec.os: Unsupported value: \"beos\": supported values: \"linux\", \"windows\""],
        ),
        (
            vec![(
                c("/securityContext/windowsOptions"),
                json!({"hostProcess": true}),
            )],
            vec![
                "spec.hostNetwork: Invalid value: false: hostNetwork must be true if pod contains \
                  any hostProcess containers",
            ],
        ),
        (
            vec![(
                c("/securityContext/windowsOptions"),
                json!({"runAsUserName": "a\\b\\c"}),
            )],
            vec![
                "spec.containers[0].securityContext.windowsOptions.runAsUserName: Invalid value: \
                  \"a\\\\b\\\\c\": runAsUserName cannot contain more than one backslash",
            ],
        ),
    ]);
}

#[test]
fn dns_names_and_the_rest() {
    check(vec![
        (
            vec![("/spec/dnsPolicy", json!("None"))],
            vec![
                "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is \
                  None",
            ],
        ),
        (
            vec![("/spec/dnsPolicy", json!("X"))],
            vec!["spec.dnsPolicy: Unsupported value: \"X\""],
        ),
        (
            vec![(
                "/spec/dnsConfig",
                json!({"nameservers": ["x"], "searches": ["a_b.", ".", "A"],
            "options": [{}]}),
            )],
            vec![
                "spec.dnsConfig.nameservers[0]: Invalid value: \"x\": must be a valid IP address",
                "spec.dnsConfig.searches[2]: Invalid value: \"A\"",
                "spec.dnsConfig.options[0]: Required value: must not be empty",
            ],
        ),
        (
            vec![("/spec/restartPolicy", json!("X"))],
            vec![
                "spec.restartPolicy: Unsupported value: \"X\": supported values: \"Always\", \
                  \"Never\", \"OnFailure\"",
            ],
        ),
        (
            vec![("/spec/hostname", json!("a.b"))],
            vec!["spec.hostname: Invalid value: \"a.b\": must not contain dots"],
        ),
        (
            vec![("/spec/activeDeadlineSeconds", json!(0))],
            vec![
                "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, \
                  inclusive",
            ],
        ),
        (
            vec![(
                "/spec/hostAliases",
                json!([{"ip": "x", "hostnames": ["A"]}]),
            )],
            vec![
                "spec.hostAliases[0].ip: Invalid value: \"x\"",
                "spec.hostAliases[0].hostnames[0]: Invalid value: \"A\"",
            ],
        ),
        (
            vec![("/spec/preemptionPolicy", json!("X"))],
            vec!["spec.preemptionPolicy: Unsupported value: \"X\""],
        ),
        (
            vec![("/spec/nodeSelector", json!({"a": "b c"}))],
            vec!["spec.nodeSelector: Invalid value: \"b c\""],
        ),
        (
            vec![
                (
                    "/spec/schedulingGates",
                    json!([{"name": "a"}, {"name": "a"}]),
                ),
                ("/spec/nodeName", json!("x")),
            ],
            vec![
                "spec.schedulingGates[1]: Duplicate value: \"a\"",
                "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been \
                  cleared",
            ],
        ),
        (
            vec![("/spec/readinessGates", json!([{"conditionType": "a b"}]))],
            vec!["spec.readinessGates[0].conditionType: Invalid value: \"a b\""],
        ),
        (
            vec![("/spec/serviceAccountName", json!("A"))],
            vec!["spec.serviceAccountName: Invalid value: \"A\""],
        ),
    ]);
}

#[test]
fn placement() {
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    check(vec![
        (
            vec![("/spec/tolerations", json!([{"operator": "Equal"}]))],
            vec![
                "spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists \
                  when `key` is empty",
            ],
        ),
        (
            vec![(
                "/spec/tolerations",
                json!([{"key": "a", "operator": "Exists", "value": "b"}]),
            )],
            vec![
                "spec.tolerations[0].operator: Invalid value: {\"key\":\"a\",\"operator\":\
                  \"Exists\",\"value\":\"b\"}: value must be empty when `operator` is 'Exists'",
            ],
        ),
        (
            vec![(
                "/spec/tolerations",
                json!([{"key": "a", "tolerationSeconds": 1, "effect": "X"}]),
            )],
            vec![
                "spec.tolerations[0].effect: Invalid value: \"X\": effect must be 'NoExecute' \
                  when `tolerationSeconds` is set",
                "spec.tolerations[0].effect: Unsupported value: \"X\"",
            ],
        ),
        (
            vec![(
                "/spec/affinity/nodeAffinity",
                json!({required: {"nodeSelectorTerms": []}}),
            )],
            vec![
                "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.\
                  nodeSelectorTerms: Required value: must have at least one node selector term",
            ],
        ),
        (
            vec![(
                "/spec/affinity/nodeAffinity",
                json!({preferred: [{"weight": 0, "preference":
            {"matchExpressions": [{"key": "a", "operator": "Gt", "values": []}]}}]}),
            )],
            vec![
                "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].\
                  weight: Invalid value: 0: must be in the range 1-100",
                "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].\
                  preference.matchExpressions[0].values: Required value: must be specified single \
                  value when `operator` is 'Lt' or 'Gt'",
            ],
        ),
        (
            vec![("/spec/affinity/podAntiAffinity", json!({required: [{}]}))],
            vec![
                "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].\
                  topologyKey: Required value: can not be empty",
                "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].\
                  topologyKey: Invalid value: \"\": name part must be non-empty",
                "spec.affinity.podAntiAffinity",
            ],
        ),
        (
            vec![(
                "/spec/topologySpreadConstraints",
                json!([
            {"maxSkew": 0, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway",
             "minDomains": 1},
            {"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway"}]),
            )],
            vec![
                "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater \
                  than zero",
                "spec.topologySpreadConstraints[0].minDomains: Invalid value: 1: can only use \
                  minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
                "spec.topologySpreadConstraints[1].{topologyKey, whenUnsatisfiable}: Duplicate \
                  value: \"{z, ScheduleAnyway}\"",
            ],
        ),
    ]);
}

fn update(changes: &[(&str, Value)], subresource: &str) -> Vec<String> {
    let old = minimal();
    let mut new = old.clone();
    for (pointer, value) in changes {
        put(&mut new, pointer, value.clone());
    }
    prepare_update(&mut new, &old, subresource);
    texts(&validate_update(&new, &old, subresource))
}

#[test]
fn what_may_change() {
    assert!(update(&[], "").is_empty());
    assert!(update(&[(c("/image"), json!("nginx:1"))], "").is_empty());
    assert!(update(&[("/spec/activeDeadlineSeconds", json!(5))], "").is_empty());
    let more = json!([{"key": "a", "operator": "Exists"}]);
    assert!(update(&[("/spec/tolerations", more)], "").is_empty());
    assert!(update(&[("/metadata/labels/x", json!("y"))], "").is_empty());
    let got = update(&[(c("/command"), json!(["x"]))], "");
    assert_eq!(
        got,
        [
            "spec: Forbidden: pod updates may not change fields other than \
             `spec.containers[*].image`,`spec.initContainers[*].image`,\
             `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
             tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
             previously negative)\n  core.PodSpec{\n+ \tcontainers[0].command: [\"x\"],\n  }\n"
        ]
    );
    let got = update(
        &[(
            "/spec/containers/1",
            json!({"name": "d", "image": "x",
        "imagePullPolicy": "Always", "terminationMessagePolicy": "File"}),
        )],
        "",
    );
    assert_eq!(
        got,
        ["spec.containers: Forbidden: pod updates may not add or remove containers"]
    );
    assert!(update(&[("/spec/hostPID", json!(true))], "")[0].contains("+ \thostPID: true"));
    assert!(update(&[("/spec/serviceAccountName", json!("x"))], "")[0].starts_with("spec: Forb"));
}

#[test]
fn subresources_change_only_their_part() {
    let old = minimal();
    let mut new = old.clone();
    put(
        &mut new,
        "/spec/ephemeralContainers/0",
        json!({"name": "e", "image": "x"}),
    );
    put(&mut new, "/spec/hostPID", json!(true));
    default("v1", &mut new);
    prepare_update(&mut new, &old, "ephemeralcontainers");
    assert_eq!(new["spec"].get("hostPID"), None);
    assert!(validate_update(&new, &old, "ephemeralcontainers").is_empty());
    let mut removed = old.clone();
    prepare_update(&mut removed, &new, "ephemeralcontainers");
    assert_eq!(
        texts(&validate_update(&removed, &new, "ephemeralcontainers")),
        [
            "spec.ephemeralContainers: Forbidden: existing ephemeral containers \"e\" may not be \
             removed\n"
        ]
    );
    assert_eq!(
        update(
            &[(c("/resources"), json!({"requests": {"cpu": "1"}}))],
            "resize"
        ),
        [
            "spec: Invalid value: \"Burstable\": Pod QOS Class may not change as a result of resizing"
        ]
    );
    let image = update(&[(c("/image"), json!("other"))], "resize");
    assert!(image.is_empty(), "the image is kept: {image:?}");
}

#[test]
fn gates_and_label_keys() {
    let mut pod = minimal();
    put(&mut pod, "/spec/schedulingGates/0", json!({"name": "a"}));
    put(
        &mut pod,
        "/spec/affinity/podAffinity",
        json!({
        "requiredDuringSchedulingIgnoredDuringExecution":
            [{"topologyKey": "z", "labelSelector": {}, "matchLabelKeys": ["app", "none"]}]}),
    );
    prepare_create(&mut pod);
    assert_eq!(pod["status"]["conditions"][0]["reason"], "SchedulingGated");
    let term = &pod["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        [0];
    assert_eq!(
        term["labelSelector"]["matchExpressions"],
        json!([{"key": "app", "operator": "In", "values": ["a"]}])
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let keys = prop::sample::select(vec![
        "containers",
        "initContainers",
        "ephemeralContainers",
        "volumes",
        "name",
        "image",
        "env",
        "valueFrom",
        "fieldRef",
        "ports",
        "resources",
        "limits",
        "requests",
        "cpu",
        "securityContext",
        "sysctls",
        "affinity",
        "podAffinity",
        "nodeAffinity",
        "labelSelector",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "nodeSelectorTerms",
        "matchExpressions",
        "values",
        "tolerations",
        "topologySpreadConstraints",
        "projected",
        "sources",
        "items",
        "metadata",
        "spec",
        "status",
        "labels",
        "annotations",
        "finalizers",
        "data",
        "stringData",
        "subsets",
        "addresses",
        "template",
        "selector",
        "accessModes",
        "taints",
        "limits",
        "type",
        "hard",
        "scopes",
        "clusterIPs",
        "ipFamilies",
        "regarding",
        "podCIDRs",
        "host",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
        Just(json!("../'][\u{e9}")),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(keys.clone(), inner, 0..6).prop_map(|map| {
                Value::Object(map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            }),
        ]
    })
}

const KINDS: &[&str] = &[
    "bindings",
    "componentstatuses",
    "configmaps",
    "endpoints",
    "events",
    "limitranges",
    "namespaces",
    "nodes",
    "persistentvolumeclaims",
    "persistentvolumes",
    "pods",
    "podtemplates",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "serviceaccounts",
    "services",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_defaulting_is_idempotent(
        metadata in any_json(), spec in any_json(), status in any_json(), top in any_json(),
        old in any_json(),
    ) {
        let mut object = json!({"metadata": metadata, "spec": spec, "status": status});
        if let (Value::Object(object), Value::Object(top)) = (&mut object, top) {
            object.extend(top);
        }
        let old = json!({"metadata": old, "spec": old, "status": old});
        for kind in KINDS {
            let rules = crate::kinds::behavior("", kind);
            let mut object = object.clone();
            (rules.default)("v1", &mut object);
            let once = object.clone();
            (rules.default)("v1", &mut object);
            prop_assert_eq!(&once, &object, "{}", kind);
            for subresource in ["", "status", "ephemeralcontainers", "resize", "finalize"] {
                let mut object = object.clone();
                let _ = (rules.validate_update)(&object, &old, subresource);
                (rules.prepare_update)(&mut object, &old, subresource);
                let _ = (rules.validate_update)(&object, &old, subresource);
            }
            let _ = (rules.warnings)(&object, None);
            let _ = (rules.warnings)(&object, Some(&old));
            (rules.prepare_create)(&mut object);
            let _ = (rules.validate_create)(&object);
        }
    }
}
#[test]
fn every_kind_is_known() {
    for kind in KINDS {
        assert!(behavior(kind).is_some(), "{kind}");
    }
}
