//! `PersistentVolumeClaimResize`: a claim may ask for more only if it is bound and its class says
//! that volumes can grow.

use crate::{Lookup, Operation, Plugin, Request, forbidden};
use model::kinds::core::claim_spec::storage_class;
use model::quantity::Quantity;
use model::status::Status;
use model::{Value, meta};

/// The plugin of upstream's name and rules.
#[derive(Debug, Default)]
pub struct PersistentVolumeClaimResize;

fn size(claim: &Value) -> Quantity {
    let size = meta::at(claim, &["spec", "resources", "requests", "storage"]);
    let size = size.unwrap_or(&Value::Null);
    Quantity::from_value(size).unwrap_or(Quantity::ZERO)
}

fn can_grow(claim: &Value, before: &Value, cluster: &dyn Lookup) -> bool {
    let name = storage_class(claim).unwrap_or_default();
    if name.is_empty() || Some(name) != storage_class(before) {
        return false;
    }
    let class = cluster.get("storage.k8s.io", "storageclasses", "", name);
    class.is_some_and(|class| {
        meta::at(&class, &["allowVolumeExpansion"]).and_then(Value::as_bool) == Some(true)
    })
}

impl Plugin for PersistentVolumeClaimResize {
    fn name(&self) -> &'static str {
        "PersistentVolumeClaimResize"
    }

    fn validate(&self, request: &mut Request<'_>, cluster: &dyn Lookup) -> Result<(), Status> {
        let resource = request.resource;
        let is_it = resource.group.is_empty()
            && resource.plural == "persistentvolumeclaims"
            && request.subresource.is_empty()
            && request.operation == Operation::Update;
        let Some(before) = request.old_object.filter(|_| is_it) else {
            return Ok(());
        };
        if size(&request.object) <= size(before) {
            return Ok(());
        }
        if meta::text(before, &["status", "phase"]) != "Bound" {
            let why = "Only bound persistent volume claims can be expanded";
            return Err(forbidden(request, why));
        }
        if !can_grow(&request.object, before, cluster) {
            let why = "only dynamically provisioned pvc can be resized and the storageclass that \
                       provisions the pvc must support resize";
            return Err(forbidden(request, why));
        }
        Ok(())
    }
}
