use super::age::since;
use super::*;
use crate::registry::Registry;
use crate::resource::Resource;
use serde_json::json;
use std::sync::Arc;

/// 2024-01-01T00:00:00Z.
const NOW: i64 = 1_704_067_200;

fn resource(group: &str, plural: &str) -> Arc<Resource> {
    let registry = Registry::builtin();
    let found = registry
        .all()
        .iter()
        .find(|r| r.group == group && r.plural == plural);
    Arc::clone(found.unwrap())
}

/// The row as texts.
fn shown(group: &str, plural: &str, mut object: Value) -> Vec<String> {
    object["metadata"]["name"] = "x".into();
    object["metadata"]["creationTimestamp"] = "2023-12-31T23:59:00Z".into();
    let resource = resource(group, plural);
    let row = cells(&resource, &object, NOW);
    assert_eq!(row.len(), resource.columns.len(), "{plural}");
    row.iter()
        .map(|cell| match cell {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect()
}

#[test]
fn durations() {
    let (minute, hour, day) = (60, 3600, 86_400);
    let cases = [
        (-2, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (150, "2m30s"),
        (10 * minute, "10m"),
        (179 * minute, "179m"),
        (3 * hour, "3h"),
        (3 * hour + 5 * minute, "3h5m"),
        (8 * hour + 5 * minute, "8h"),
        (47 * hour, "47h"),
        (48 * hour, "2d"),
        (50 * hour, "2d2h"),
        (8 * day, "8d"),
        (729 * day, "729d"),
        (730 * day, "2y"),
        (735 * day, "2y5d"),
        (9 * 365 * day, "9y"),
    ];
    for (seconds, want) in cases {
        assert_eq!(human_duration(seconds), want, "{seconds}");
    }
    assert_eq!(since("", NOW), "<unknown>");
    assert_eq!(since("2023-12-31T23:59:58.123456Z", NOW), "2s");
}

fn pod(status: Value) -> Value {
    json!({
        "spec": {"containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "i"}, {"name": "j"}]},
        "status": status,
    })
}

#[test]
fn pods_say_how_they_are() {
    let running = json!({"running": {}});
    let cases = [
        (json!({"phase": "Pending"}), "0/2", "Pending", "0"),
        (
            json!({"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}),
            "0/2",
            "SchedulingGated",
            "0",
        ),
        (
            json!({"phase": "Pending", "initContainerStatuses": [
                {"name": "i", "state": {"waiting": {"reason": "PodInitializing"}}},
                {"name": "j", "state": {"waiting": {"reason": "PodInitializing"}}}]}),
            "0/2",
            "Init:0/2",
            "0",
        ),
        (
            json!({"phase": "Pending", "initContainerStatuses": [
                {"name": "i", "state": {"terminated": {"exitCode": 0}}},
                {"name": "j", "state": {"terminated": {"exitCode": 3}}, "restartCount": 2}]}),
            "0/2",
            "Init:ExitCode:3",
            "2",
        ),
        (
            json!({"phase": "Pending", "initContainerStatuses": [
                {"name": "i", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 4,
                 "lastState": {"terminated": {"finishedAt": "2023-12-31T23:55:00Z"}}}]}),
            "0/2",
            "Init:CrashLoopBackOff",
            "4 (5m ago)",
        ),
        (
            json!({"phase": "Running", "containerStatuses": [
                {"name": "a", "ready": true, "state": running},
                {"name": "b", "ready": true, "state": running}]}),
            "2/2",
            "Running",
            "0",
        ),
        (
            json!({"phase": "Running", "containerStatuses": [
                {"name": "a", "ready": true, "state": running},
                {"name": "b", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 2,
                 "lastState": {"terminated": {"finishedAt": "2023-12-31T23:55:00Z"}}}]}),
            "1/2",
            "CrashLoopBackOff",
            "2 (5m ago)",
        ),
        (
            json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [
                {"name": "a", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
                {"name": "b", "ready": true, "state": running}]}),
            "1/2",
            "Running",
            "0",
        ),
        (
            json!({"phase": "Running", "containerStatuses": [
                {"name": "a", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
                {"name": "b", "ready": true, "state": running}]}),
            "1/2",
            "NotReady",
            "0",
        ),
        (
            json!({"phase": "Succeeded", "containerStatuses": [
                {"name": "a", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]}),
            "0/2",
            "Completed",
            "0",
        ),
        (
            json!({"phase": "Failed", "containerStatuses": [
                {"name": "a", "state": {"terminated": {"exitCode": 137, "signal": 9}}}]}),
            "0/2",
            "Signal:9",
            "0",
        ),
        (
            json!({"phase": "Failed", "reason": "Evicted"}),
            "0/2",
            "Evicted",
            "0",
        ),
    ];
    for (status, ready, reason, restarts) in cases {
        let row = shown("", "pods", pod(status.clone()));
        assert_eq!(&row[..5], ["x", ready, reason, restarts, "60s"], "{status}");
    }
}

#[test]
fn sidecars_count_as_containers() {
    let row = shown(
        "",
        "pods",
        json!({
            "spec": {
                "containers": [{"name": "a"}],
                "initContainers": [{"name": "s", "restartPolicy": "Always"}],
            },
            "status": {
                "phase": "Running",
                "initContainerStatuses": [
                    {"name": "s", "started": true, "ready": true, "restartCount": 1, "state": {"running": {}}}],
                "containerStatuses": [{"name": "a", "ready": true, "state": {"running": {}}}],
            },
        }),
    );
    assert_eq!(&row[1..4], ["2/2", "Running", "1"]);
}

#[test]
fn pods_that_go_are_terminating() {
    let mut object = pod(json!({"phase": "Running"}));
    object["metadata"] = json!({"deletionTimestamp": "2024-01-01T00:00:00Z"});
    assert_eq!(shown("", "pods", object.clone())[2], "Terminating");
    object["status"] = json!({"phase": "Running", "reason": "NodeLost"});
    assert_eq!(shown("", "pods", object.clone())[2], "Unknown");
    object["status"] = json!({"phase": "Succeeded"});
    assert_eq!(shown("", "pods", object)[2], "Succeeded");
}

#[test]
fn wide_columns_of_pods() {
    let row = shown(
        "",
        "pods",
        json!({
            "spec": {"nodeName": "n", "readinessGates": [{"conditionType": "g"}, {"conditionType": "h"}]},
            "status": {"podIPs": [{"ip": "10.0.0.1"}], "conditions": [{"type": "g", "status": "True"}]},
        }),
    );
    assert_eq!(&row[5..], ["10.0.0.1", "n", "<none>", "1/2"]);
}

/// Group, plural, object, and the cells wanted.
type Case = (&'static str, &'static str, Value, &'static [&'static str]);

#[test]
fn rows_of_other_kinds() {
    let template =
        json!({"spec": {"containers": [{"name": "a", "image": "i"}, {"name": "b", "image": "j"}]}});
    let selector = json!({"matchLabels": {"app": "x"}});
    let cases: &[Case] = &[
        (
            "apps",
            "deployments",
            json!({"spec": {"replicas": 3, "selector": selector, "template": template},
                "status": {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1}}),
            &["x", "1/3", "2", "1", "60s", "a,b", "i,j", "app=x"],
        ),
        (
            "apps",
            "replicasets",
            json!({"spec": {"replicas": 3, "selector": selector, "template": template}, "status": {"replicas": 2}}),
            &["x", "3", "2", "0", "60s", "a,b", "i,j", "app=x"],
        ),
        (
            "",
            "replicationcontrollers",
            json!({"spec": {"replicas": 1, "selector": {"a": "b"}}}),
            &["x", "1", "0", "0", "60s", "", "", "a=b"],
        ),
        (
            "apps",
            "statefulsets",
            json!({"spec": {"replicas": 2}}),
            &["x", "0/2", "60s", "", ""],
        ),
        (
            "apps",
            "daemonsets",
            json!({"spec": {"selector": selector}, "status": {"desiredNumberScheduled": 4}}),
            &[
                "x", "4", "0", "0", "0", "0", "<none>", "60s", "", "", "app=x",
            ],
        ),
        (
            "apps",
            "controllerrevisions",
            json!({"revision": 7, "metadata": {"ownerReferences": [
                {"controller": true, "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d"}]}}),
            &["x", "daemonset.apps/d", "7", "60s"],
        ),
        (
            "batch",
            "jobs",
            json!({"spec": {"completions": 3, "selector": selector}, "status": {
                "succeeded": 3, "startTime": "2023-12-31T23:00:00Z", "completionTime": "2023-12-31T23:02:30Z",
                "conditions": [{"type": "Complete", "status": "True"}]}}),
            &["x", "Complete", "3/3", "2m30s", "60s", "", "", "app=x"],
        ),
        (
            "batch",
            "jobs",
            json!({"spec": {"parallelism": 4}, "status": {"conditions": [{"type": "FailureTarget", "status": "True"}]}}),
            &[
                "x",
                "FailureTarget",
                "0/1 of 4",
                "",
                "60s",
                "",
                "",
                "<none>",
            ],
        ),
        (
            "batch",
            "jobs",
            json!({"status": {"startTime": "2023-12-31T23:59:50Z"}}),
            &["x", "Running", "0/1", "10s", "60s", "", "", "<none>"],
        ),
        (
            "batch",
            "cronjobs",
            json!({"spec": {"schedule": "* * * * *", "suspend": false}, "status": {
                "active": [{}], "lastScheduleTime": "2023-12-31T23:59:30Z"}}),
            &[
                "x",
                "* * * * *",
                "<none>",
                "False",
                "1",
                "30s",
                "60s",
                "",
                "",
                "<none>",
            ],
        ),
        (
            "policy",
            "poddisruptionbudgets",
            json!({"spec": {"maxUnavailable": "25%"}, "status": {"disruptionsAllowed": 1}}),
            &["x", "N/A", "25%", "1", "60s"],
        ),
        (
            "policy",
            "podsecuritypolicies",
            json!({"spec": {"privileged": false, "seLinux": {"rule": "RunAsAny"}, "runAsUser": {"rule": "MustRunAsNonRoot"},
                "fsGroup": {"rule": "RunAsAny"}, "supplementalGroups": {"rule": "RunAsAny"}, "volumes": ["configMap", "secret"]}}),
            &[
                "x",
                "false",
                "",
                "RunAsAny",
                "MustRunAsNonRoot",
                "RunAsAny",
                "RunAsAny",
                "false",
                "configMap,secret",
            ],
        ),
        (
            "",
            "services",
            json!({"spec": {"type": "ClusterIP", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"],
                "ports": [{"port": 80, "protocol": "TCP"}, {"port": 53, "nodePort": 3053, "protocol": "UDP"}]}}),
            &[
                "x",
                "ClusterIP",
                "10.0.0.1",
                "<none>",
                "80/TCP,53:3053/UDP",
                "60s",
                "<none>",
            ],
        ),
        (
            "",
            "services",
            json!({"spec": {"type": "LoadBalancer", "selector": {"a": "b"}}}),
            &[
                "x",
                "LoadBalancer",
                "<none>",
                "<pending>",
                "<none>",
                "60s",
                "a=b",
            ],
        ),
        (
            "",
            "services",
            json!({"spec": {"type": "LoadBalancer", "externalIPs": ["9.9.9.9"]},
                "status": {"loadBalancer": {"ingress": [{"hostname": "h"}, {"ip": "1.2.3.4"}]}}}),
            &[
                "x",
                "LoadBalancer",
                "<none>",
                "1.2.3.4,h,9.9.9.9",
                "<none>",
                "60s",
                "<none>",
            ],
        ),
        (
            "",
            "endpoints",
            json!({"subsets": [{"addresses": [{"ip": "1.1.1.1"}, {"ip": "::1"}], "ports": [{"port": 80}, {"port": 81}]}]}),
            &["x", "1.1.1.1:80,[::1]:80,1.1.1.1:81 + 1 more...", "60s"],
        ),
        ("", "endpoints", json!({}), &["x", "<none>", "60s"]),
        (
            "discovery.k8s.io",
            "endpointslices",
            json!({"addressType": "IPv4", "ports": [{"port": 80}, {"name": "n"}, {}], "endpoints": [{"addresses": ["1.1.1.1"]}]}),
            &["x", "IPv4", "80,n,*", "1.1.1.1", "60s"],
        ),
        (
            "networking.k8s.io",
            "ingresses",
            json!({"spec": {"tls": [{}], "rules": [{"host": "a"}, {}, {"host": "b"}]}}),
            &["x", "<none>", "a,b", "", "80, 443", "60s"],
        ),
        (
            "networking.k8s.io",
            "ingressclasses",
            json!({"spec": {"controller": "c", "parameters": {"apiGroup": "g", "kind": "K", "name": "n"}}}),
            &["x", "c", "K.g/n", "60s"],
        ),
        (
            "networking.k8s.io",
            "networkpolicies",
            json!({"spec": {"podSelector": {}}}),
            &["x", "<none>", "60s"],
        ),
        (
            "networking.k8s.io",
            "servicecidrs",
            json!({"spec": {"cidrs": ["10.0.0.0/8", "fd00::/8"]}}),
            &["x", "10.0.0.0/8,fd00::/8", "60s"],
        ),
        (
            "networking.k8s.io",
            "ipaddresses",
            json!({"spec": {"parentRef": {"resource": "services", "namespace": "d", "name": "s"}}}),
            &["x", "services/d/s", "60s"],
        ),
        (
            "",
            "configmaps",
            json!({"data": {"a": "b"}, "binaryData": {"c": ""}}),
            &["x", "2", "60s"],
        ),
        (
            "",
            "secrets",
            json!({"type": "Opaque", "data": {"a": "cw=="}}),
            &["x", "Opaque", "1", "60s"],
        ),
        ("", "serviceaccounts", json!({}), &["x", "0", "60s"]),
        (
            "",
            "resourcequotas",
            json!({"status": {"hard": {"pods": "4", "limits.cpu": "2000m"}, "used": {"pods": "1"}}}),
            &["x", "pods: 1/4", "limits.cpu: 0/2", "60s"],
        ),
        (
            "",
            "namespaces",
            json!({"status": {"phase": "Active"}}),
            &["x", "Active", "60s"],
        ),
        (
            "",
            "nodes",
            json!({"metadata": {"labels": {"node-role.kubernetes.io/worker": "", "kubernetes.io/role": "etcd"}},
                "spec": {"unschedulable": true},
                "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": "v1.33.0"},
                    "addresses": [{"type": "InternalIP", "address": "10.1.1.1"}]}}),
            &[
                "x",
                "Ready,SchedulingDisabled",
                "etcd,worker",
                "60s",
                "v1.33.0",
                "10.1.1.1",
                "<none>",
                "<unknown>",
                "<unknown>",
                "<unknown>",
            ],
        ),
        (
            "",
            "events",
            json!({"lastTimestamp": "2023-12-31T23:59:50Z", "type": "Normal", "reason": "R", "message": " m\n", "count": 3,
                "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "spec"}, "source": {"component": "c", "host": "h"},
                "firstTimestamp": "2023-12-31T23:59:00Z"}),
            &[
                "10s", "Normal", "R", "pod/p", "spec", "c, h", "m", "60s", "3", "x",
            ],
        ),
        (
            "events.k8s.io",
            "events",
            json!({"eventTime": "2023-12-31T23:59:51.5Z", "note": "n", "regarding": {"kind": "Node"}, "reportingController": "c"}),
            &["9s", "", "", "node", "", "c", "n", "9s", "1", "x"],
        ),
        (
            "",
            "persistentvolumes",
            json!({"spec": {"capacity": {"storage": "1024Mi"}, "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain", "claimRef": {"namespace": "d", "name": "c"}, "storageClassName": "s"},
                "status": {"phase": "Bound"}}),
            &[
                "x", "1Gi", "RWO,RWX", "Retain", "Bound", "d/c", "s", "<unset>", "", "60s",
                "<unset>",
            ],
        ),
        (
            "",
            "persistentvolumeclaims",
            json!({"spec": {"volumeName": "v", "volumeMode": "Block"},
                "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOncePod"]}}),
            &[
                "x", "Bound", "v", "1Gi", "RWOP", "", "<unset>", "60s", "Block",
            ],
        ),
        (
            "storage.k8s.io",
            "storageclasses",
            json!({"provisioner": "p", "metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}),
            &["x (default)", "p", "Delete", "Immediate", "false", "60s"],
        ),
        (
            "storage.k8s.io",
            "csidrivers",
            json!({"spec": {"tokenRequests": [{"audience": "a"}, {"audience": ""}]}}),
            &[
                "x", "true", "false", "false", "a,", "false", "<none>", "60s",
            ],
        ),
        (
            "rbac.authorization.k8s.io",
            "rolebindings",
            json!({"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}, {"kind": "User", "name": "w"},
                {"kind": "ServiceAccount", "namespace": "n", "name": "s"}, {"kind": "Group", "name": "g"}]}),
            &["x", "Role/r", "60s", "u, w", "g", "n/s"],
        ),
        (
            "rbac.authorization.k8s.io",
            "roles",
            json!({}),
            &["x", "2023-12-31T23:59:00Z"],
        ),
        ("", "limitranges", json!({}), &["x", "2023-12-31T23:59:00Z"]),
        (
            "certificates.k8s.io",
            "certificatesigningrequests",
            json!({"spec": {"signerName": "s", "username": "u", "expirationSeconds": 3600},
                "status": {"certificate": "x", "conditions": [{"type": "Approved"}]}}),
            &["x", "60s", "s", "u", "60m", "Approved,Issued"],
        ),
        (
            "flowcontrol.apiserver.k8s.io",
            "prioritylevelconfigurations",
            json!({"spec": {"type": "Limited", "limited": {"nominalConcurrencyShares": 30}}}),
            &["x", "Limited", "30", "<none>", "<none>", "<none>", "60s"],
        ),
        (
            "apiregistration.k8s.io",
            "apiservices",
            json!({"spec": {"service": {"namespace": "n", "name": "s"}}, "status": {"conditions": [
                {"type": "Available", "status": "False", "reason": "R"}]}}),
            &["x", "n/s", "False (R)", "60s"],
        ),
        (
            "autoscaling",
            "horizontalpodautoscalers",
            json!({"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "maxReplicas": 5, "metrics": [
                {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}},
                {"type": "External", "external": {"target": {"averageValue": "3000m"}}},
                {"type": "Pods"}]},
                "status": {"currentReplicas": 2, "currentMetrics": [
                    {"resource": {"current": {"averageUtilization": 12}}}]}}),
            &[
                "x",
                "Deployment/d",
                "cpu: 12%/80%, <unknown>/3 (avg) + 1 more...",
                "<unset>",
                "5",
                "2",
                "60s",
            ],
        ),
        (
            "autoscaling",
            "horizontalpodautoscalers",
            json!({"apiVersion": "autoscaling/v1", "spec": {"targetCPUUtilizationPercentage": 70, "minReplicas": 1}}),
            &["x", "/", "cpu: <unknown>/70%", "1", "0", "0", "60s"],
        ),
    ];
    for (group, plural, object, want) in cases {
        assert_eq!(&shown(group, plural, object.clone()), want, "{plural}");
    }
}

#[test]
fn tables() {
    let pods = resource("", "pods");
    let object = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "uid": "u"},
        "spec": {},
        "status": {"phase": "Succeeded"},
    });
    let list_meta = json!({"resourceVersion": "5"});
    let made = |include| {
        table(
            &pods,
            [&object],
            list_meta.clone(),
            include,
            "v1",
            true,
            NOW,
        )
    };
    let table = made(IncludeObject::Metadata);
    assert_eq!(table["kind"], "Table");
    assert_eq!(table["apiVersion"], "meta.k8s.io/v1");
    assert_eq!(table["metadata"]["resourceVersion"], "5");
    assert_eq!(
        table["columnDefinitions"].as_array().unwrap().len(),
        table["rows"][0]["cells"].as_array().unwrap().len()
    );
    assert_eq!(table["columnDefinitions"][0]["format"], "name");
    assert_eq!(table["rows"][0]["conditions"][0]["type"], "Completed");
    assert_eq!(
        table["rows"][0]["object"],
        json!({
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": {"name": "p", "uid": "u"},
        })
    );
    assert_eq!(made(IncludeObject::Object)["rows"][0]["object"], object);
    assert!(made(IncludeObject::None)["rows"][0]["object"].is_null());
    assert_eq!(IncludeObject::parse("").unwrap(), IncludeObject::Metadata);
    assert!(IncludeObject::parse("Some").is_err());
}
