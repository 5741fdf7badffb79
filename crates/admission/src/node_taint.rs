//! `TaintNodesByCondition`: new nodes take no pods until the node controller has seen that they are
//! ready.

use crate::{Lookup, Operation, Plugin, Request};
use model::status::Status;
use model::{Value, meta};
use serde_json::json;

/// The plugin of upstream's name and rules.
#[derive(Debug, Default)]
pub struct TaintNodesByCondition;

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const EFFECT: &str = "NoSchedule";

impl Plugin for TaintNodesByCondition {
    fn name(&self) -> &'static str {
        "TaintNodesByCondition"
    }

    fn mutate(&self, request: &mut Request<'_>, _cluster: &dyn Lookup) -> Result<(), Status> {
        let resource = request.resource;
        let is_node = resource.group.is_empty() && resource.plural == "nodes";
        let is_new = request.operation == Operation::Create && request.subresource.is_empty();
        if !is_node || !is_new {
            return Ok(());
        }
        let is_it = |taint: &Value| {
            let text = |key| meta::text(taint, &[key]);
            (text("key"), text("effect")) == (NOT_READY, EFFECT)
        };
        let mut taints = meta::list(&request.object, &["spec", "taints"]).to_vec();
        if !taints.iter().any(is_it) {
            taints.push(json!({ "key": NOT_READY, "effect": EFFECT }));
            meta::set(&mut request.object, &["spec", "taints"], taints);
        }
        Ok(())
    }
}
