//! `DefaultTolerationSeconds`: a pod stays five minutes on a node that is not ready or not
//! reachable, unless it says otherwise.

use crate::{Lookup, Operation, Plugin, Request};
use model::status::Status;
use model::{Value, meta};
use serde_json::json;

/// The plugin of upstream's name and rules.
#[derive(Debug, Default)]
pub struct DefaultTolerationSeconds;

const SECONDS: i64 = 300;
const TAINTS: [&str; 2] = [
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
];

impl Plugin for DefaultTolerationSeconds {
    fn name(&self) -> &'static str {
        "DefaultTolerationSeconds"
    }

    fn mutate(&self, request: &mut Request<'_>, _cluster: &dyn Lookup) -> Result<(), Status> {
        let pod = request.resource.group.is_empty() && request.resource.plural == "pods";
        let write = matches!(request.operation, Operation::Create | Operation::Update);
        if !pod || !write || !request.subresource.is_empty() {
            return Ok(());
        }
        for taint in TAINTS {
            let tolerations = meta::list(&request.object, &["spec", "tolerations"]);
            if tolerations
                .iter()
                .any(|toleration| tolerates(toleration, taint))
            {
                continue;
            }
            let added = json!({
                "key": taint,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": SECONDS,
            });
            let spec = meta::map_mut(&mut request.object, &["spec"]);
            match spec.get_mut("tolerations").and_then(Value::as_array_mut) {
                Some(list) => list.push(added),
                None => {
                    spec.insert("tolerations".to_owned(), Value::Array(vec![added]));
                }
            }
        }
        Ok(())
    }
}

fn tolerates(toleration: &Value, taint: &str) -> bool {
    let key = meta::text(toleration, &["key"]);
    let effect = meta::text(toleration, &["effect"]);
    (key.is_empty() || key == taint) && (effect.is_empty() || effect == "NoExecute")
}
