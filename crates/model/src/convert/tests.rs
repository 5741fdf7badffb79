use super::*;
use crate::registry::Registry;
use serde_json::json;

#[test]
fn events_of_both_groups_are_the_same_objects() {
    let registry = Registry::builtin();
    let resource = registry.by_path("events.k8s.io", "v1", "events").unwrap();
    let core = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "a", "namespace": "b"},
        "involvedObject": {"kind": "Pod", "name": "p"},
        "message": "hello",
        "source": {"component": "kubelet"},
        "firstTimestamp": "2024-01-01T00:00:00Z",
        "lastTimestamp": "2024-01-01T00:00:01Z",
        "count": 2,
        "type": "Normal",
        "reason": "Started",
        "eventTime": null,
        "reportingComponent": "kubelet",
        "reportingInstance": "n",
        "series": {"count": 3},
    });
    let mut served = core.clone();
    from_storage(&mut served, resource, "v1");
    assert_eq!(
        served,
        json!({
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": "a", "namespace": "b"},
            "regarding": {"kind": "Pod", "name": "p"},
            "note": "hello",
            "deprecatedSource": {"component": "kubelet"},
            "deprecatedFirstTimestamp": "2024-01-01T00:00:00Z",
            "deprecatedLastTimestamp": "2024-01-01T00:00:01Z",
            "deprecatedCount": 2,
            "type": "Normal",
            "reason": "Started",
            "eventTime": null,
            "reportingController": "kubelet",
            "reportingInstance": "n",
            "series": {"count": 3},
        })
    );
    to_storage(&mut served, resource, "v1");
    assert_eq!(served, core);
    assert!(!is_stored_form(resource, "v1"));
}

fn hpa() -> Value {
    json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "a", "annotations": {"keep": "me"}},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"},
            "minReplicas": 1,
            "maxReplicas": 5,
            "metrics": [
                {"type": "Resource", "resource": {"name": "memory",
                    "target": {"type": "AverageValue", "averageValue": "1Gi"}}},
                {"type": "Pods", "pods": {"metric": {"name": "q", "selector": {"matchLabels": {"a": "b"}}},
                    "target": {"type": "AverageValue", "averageValue": "10"}}},
                {"type": "External", "external": {"metric": {"name": "e"},
                    "target": {"type": "Value", "value": "30"}}},
                {"type": "Object", "object": {"metric": {"name": "o"},
                    "describedObject": {"kind": "Service", "name": "s"},
                    "target": {"type": "AverageValue", "averageValue": "3"}}},
                {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "c",
                    "target": {"type": "Utilization", "averageUtilization": 50}}},
                {"type": "Resource", "resource": {"name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": 80}}},
            ],
            "behavior": {"scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max",
                "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}]}},
        },
        "status": {
            "currentReplicas": 2,
            "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu",
                "current": {"averageUtilization": 12, "averageValue": "5m"}}}],
            "conditions": [{"type": "AbleToScale", "status": "True"}],
        },
    })
}

#[test]
fn autoscalers_round_trip_through_the_older_version() {
    let registry = Registry::builtin();
    let resource = registry
        .by_path("autoscaling", "v1", "horizontalpodautoscalers")
        .unwrap();
    let mut object = hpa();
    from_storage(&mut object, resource, "v1");
    assert_eq!(object["apiVersion"], "autoscaling/v1");
    assert_eq!(object["spec"]["targetCPUUtilizationPercentage"], 80);
    assert_eq!(object["status"]["currentCPUUtilizationPercentage"], 12);
    assert!(object["spec"].get("metrics").is_none());
    let behavior = &object["metadata"]["annotations"]["autoscaling.alpha.kubernetes.io/behavior"];
    assert!(
        behavior.as_str().unwrap().contains("\"ScaleUp\""),
        "{behavior}"
    );
    to_storage(&mut object, resource, "v1");
    assert_eq!(object, hpa());
}

#[test]
fn the_older_autoscaler_becomes_the_newer() {
    let mut object = json!({
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "a", "annotations": {
            "autoscaling.alpha.kubernetes.io/metrics": "not json",
        }},
        "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 70},
        "status": {"currentCPUUtilizationPercentage": 5},
    });
    between_versions("autoscaling", "horizontalpodautoscalers")(&mut object, "v1", "v2");
    assert_eq!(
        object["spec"],
        json!({"maxReplicas": 3, "metrics": [{"type": "Resource", "resource": {"name": "cpu",
            "target": {"type": "Utilization", "averageUtilization": 70}}}]})
    );
    assert_eq!(
        object["status"]["currentMetrics"][0]["resource"]["current"]["averageUtilization"],
        5
    );
    assert!(object["metadata"].get("annotations").is_none());
}
