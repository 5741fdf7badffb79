//! Tables for filters, scores and preemption, through the engine's front door.

mod filters;
mod nominated;
mod preemption;
mod scores;
mod volumes;

use crate::{Diagnosis, Engine, NodeInfo, Placement, PodInfo, Preemption};
use model::Value;
use serde_json::json;
use std::sync::Arc;

/// A cluster under construction.
pub(crate) struct World {
    pub(crate) engine: Engine,
}

/// Sets `value` into `object`, below what is there.
pub(crate) fn merge(object: &mut Value, value: Value) {
    match (object, value) {
        (Value::Object(map), Value::Object(more)) => {
            for (key, value) in more {
                merge(map.entry(key).or_insert(Value::Null), value);
            }
        }
        (place, value) => *place = value,
    }
}

/// A node with 4 CPUs, 8Gi and room for ten pods.
pub(crate) fn node(name: &str, extra: Value) -> Value {
    let mut node = json!({
        "metadata": { "name": name, "labels": { "kubernetes.io/hostname": name } },
        "spec": {},
        "status": { "allocatable": { "cpu": "4", "memory": "8Gi", "pods": "10" } },
    });
    merge(&mut node, extra);
    node
}

/// A pod in `default` that asks for nothing.
pub(crate) fn pod(name: &str, extra: Value) -> Value {
    let mut pod = json!({
        "metadata": { "name": name, "namespace": "default", "uid": name },
        "spec": { "containers": [{ "name": "c", "image": "i" }] },
    });
    merge(&mut pod, extra);
    pod
}

/// The pod with the label `app`.
pub(crate) fn labelled(mut pod: Value, app: &str) -> Value {
    merge(
        &mut pod,
        json!({ "metadata": { "labels": { "app": app } } }),
    );
    pod
}

/// A pod that asks for so much CPU at a priority.
pub(crate) fn busy(name: &str, cpu: &str, priority: i64) -> Value {
    pod(
        name,
        json!({ "spec": { "priority": priority, "containers": [
            { "resources": { "requests": { "cpu": cpu } } },
        ] } }),
    )
}

impl World {
    pub(crate) fn of(nodes: &[Value]) -> Self {
        let mut engine = Engine::new(7);
        for node in nodes {
            engine.cluster.set_node(NodeInfo::new(node));
        }
        Self { engine }
    }

    /// Puts a running pod onto a node.
    pub(crate) fn run(&mut self, pod: &Value, node: &str) -> Arc<PodInfo> {
        let mut pod = PodInfo::new(pod);
        pod.node_name = node.to_owned();
        let pod = Arc::new(pod);
        self.engine.cluster.set_pod(Arc::clone(&pod));
        pod
    }

    pub(crate) fn try_place(&mut self, pod: &Value) -> Result<Placement, Diagnosis> {
        self.engine.schedule(&PodInfo::new(pod))
    }

    /// The node, or the message.
    pub(crate) fn place(&mut self, pod: &Value) -> String {
        match self.try_place(pod) {
            Ok(placement) => placement.node,
            Err(diagnosis) => diagnosis.message(),
        }
    }

    pub(crate) fn preempt(&mut self, pod: &Value) -> Result<Preemption, String> {
        let info = PodInfo::new(pod);
        let mut diagnosis = match self.engine.schedule(&info) {
            Ok(placement) => panic!("fits on {}", placement.node),
            Err(diagnosis) => diagnosis,
        };
        self.engine.preempt(&info, &diagnosis).map_err(|refused| {
            diagnosis.preemption = Some(refused.message);
            diagnosis.message()
        })
    }
}
