//! Rules of the pod as a whole.

use super::{c, check};
use serde_json::json;

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
            {"name": "kernel/a"}, {"name": "kernel/a"}]),
            )],
            vec![
                "spec.securityContext.sysctls[0].name: Invalid value: \"a..b\": must have at most",
                "spec.securityContext.sysctls[3].name: Duplicate value: \"kernel/a\"",
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
                "spec.restartPolicy: Unsupported value: \"X\": supported values: \"Always\", \"OnFailure\", \"Never\"",
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
                "spec.tolerations[0].operator: Invalid value: \"b\": value must be empty when \
                  `operator` is 'Exists'",
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
                "spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate \
                  value: \"{z, ScheduleAnyway}\"",
                "spec.topologySpreadConstraints[0].minDomains: Invalid value: 1: can only use \
                  minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
            ],
        ),
    ]);
}
