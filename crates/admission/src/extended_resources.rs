//! `ExtendedResourceToleration`: pods that ask for an extended resource tolerate the taint of that
//! name, which keeps all others off the nodes that have it.

use crate::{Lookup, Operation, Plugin, Request, is_pod};
use model::kinds::core::resources::is_extended;
use model::status::Status;
use model::{Value, meta};
use serde_json::json;
use std::collections::BTreeSet;

/// The plugin of upstream's name and rules.
#[derive(Debug, Default)]
pub struct ExtendedResourceToleration;

impl Plugin for ExtendedResourceToleration {
    fn name(&self) -> &'static str {
        "ExtendedResourceToleration"
    }

    fn mutate(&self, request: &mut Request<'_>, _cluster: &dyn Lookup) -> Result<(), Status> {
        let write = matches!(request.operation, Operation::Create | Operation::Update);
        if !is_pod(request) || !write {
            return Ok(());
        }
        let mut names: BTreeSet<String> = BTreeSet::new();
        for list in ["containers", "initContainers"] {
            for container in meta::list(&request.object, &["spec", list]) {
                let requests = meta::strings(container, &["resources", "requests"]);
                let extended = requests.into_keys().filter(|name| is_extended(name));
                names.extend(extended.map(str::to_owned));
            }
        }
        let mut tolerations = meta::list(&request.object, &["spec", "tolerations"]).to_vec();
        let before = tolerations.len();
        for name in names {
            let tolerated = json!({ "key": name, "operator": "Exists", "effect": "NoSchedule" });
            if !tolerations.contains(&tolerated) {
                tolerations.push(tolerated);
            }
        }
        if tolerations.len() > before {
            let all = Value::Array(tolerations);
            meta::set(&mut request.object, &["spec", "tolerations"], all);
        }
        Ok(())
    }
}
