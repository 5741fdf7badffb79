//! Rules of containers.

use super::{c, check};
use serde_json::json;

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
                "spec.containers[0].env[0].valueFrom.secretKeyRef.name: Invalid value: \"\": a lowercase",
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
                "spec.containers[0].resources.requests[gpu]: Invalid value: gpu: must be a \
                  standard resource type or fully qualified",
                "spec.containers[0].resources.requests[gpu]: Invalid value: gpu: must be a \
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
