//! `ResourceQuota`: what a namespace may use in all. What a request takes is written into the
//! quota's status before the object is stored, so that two requests cannot take the same room.

use crate::{Charge, Lookup, Operation, Plugin, Request, forbidden};
use model::status::Status;
use model::{Value, meta};
use pod_resources::quota::{self, Kind};

/// The plugin of upstream's name and rules.
#[derive(Debug, Default)]
pub struct ResourceQuota;

impl Plugin for ResourceQuota {
    fn name(&self) -> &'static str {
        "ResourceQuota"
    }

    fn charge(
        &self,
        request: &Request<'_>,
        cluster: &dyn Lookup,
        settled: &[Charge],
    ) -> Result<Vec<Charge>, Status> {
        let kind = Kind {
            group: &request.resource.group,
            plural: &request.resource.plural,
        };
        let counts = match (request.operation, request.subresource) {
            (Operation::Create, "") => true,
            // Of a pod that is there only a resize changes what it uses.
            (Operation::Update, "") => quota::evaluates(kind) && kind.plural != "pods",
            (Operation::Update, "resize") => true,
            _ => false,
        };
        // Access reviews and the like are never stored.
        let stored = request.resource.verbs.iter().any(|verb| verb == "list");
        if !counts || !stored || request.namespace.is_empty() {
            return Ok(Vec::new());
        }
        let mut charges = Vec::new();
        for quota in cluster.list("", "resourcequotas", request.namespace) {
            let name = meta::name(&quota);
            if settled.iter().any(|charge| charge.name == name) {
                continue;
            }
            let used = quota::charge(&quota, kind, &request.object, request.old_object)
                .map_err(|why| forbidden(request, &why.to_string()))?;
            let Some(used) = used else {
                continue;
            };
            let mut object = Value::clone(&quota);
            meta::set(&mut object, &["status", "used"], quota::to_value(&used));
            charges.push(Charge {
                group: "",
                resource: "resourcequotas",
                namespace: request.namespace.to_owned(),
                name: name.to_owned(),
                object,
            });
        }
        Ok(charges)
    }
}
