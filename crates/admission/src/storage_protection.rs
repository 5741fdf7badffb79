//! `StorageObjectInUseProtection`: claims and volumes are made with the finalizer that keeps them
//! while they are in use. Controllers take it away.

use crate::{Lookup, Operation, Plugin, Request};
use model::meta;
use model::status::Status;

/// The plugin of upstream's name and rules.
#[derive(Debug, Default)]
pub struct StorageObjectInUseProtection;

/// What keeps objects of a core resource.
fn finalizer(plural: &str) -> Option<&'static str> {
    match plural {
        "persistentvolumes" => Some("kubernetes.io/pv-protection"),
        "persistentvolumeclaims" => Some("kubernetes.io/pvc-protection"),
        _ => None,
    }
}

impl Plugin for StorageObjectInUseProtection {
    fn name(&self) -> &'static str {
        "StorageObjectInUseProtection"
    }

    fn mutate(&self, request: &mut Request<'_>, _: &dyn Lookup) -> Result<(), Status> {
        let resource = request.resource;
        let is_new = request.operation == Operation::Create && request.subresource.is_empty();
        if !is_new || !resource.group.is_empty() {
            return Ok(());
        }
        let Some(finalizer) = finalizer(&resource.plural) else {
            return Ok(());
        };
        let path = ["metadata", "finalizers"];
        let mut finalizers = meta::list(&request.object, &path).to_vec();
        if !finalizers.iter().any(|known| known == finalizer) {
            finalizers.push(finalizer.into());
            meta::set(&mut request.object, &path, finalizers);
        }
        Ok(())
    }
}
