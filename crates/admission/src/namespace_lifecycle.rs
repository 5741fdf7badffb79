//! `NamespaceLifecycle`: nothing new in a namespace that is missing or going away, and the
//! namespaces that the cluster itself lives in stay.

use crate::{Lookup, Operation, Plugin, Request, forbidden};
use model::meta;
use model::status::{Cause, Status};

/// Namespaces that cannot be deleted.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

/// The plugin of upstream's name and rules.
#[derive(Debug, Default)]
pub struct NamespaceLifecycle;

impl Plugin for NamespaceLifecycle {
    fn name(&self) -> &'static str {
        "NamespaceLifecycle"
    }

    // Before anything else looks at the namespace, as upstream.
    fn mutate(&self, request: &mut Request<'_>, cluster: &dyn Lookup) -> Result<(), Status> {
        let resource = request.resource;
        let is_namespace = resource.group.is_empty() && resource.plural == "namespaces";
        if is_namespace {
            let immortal = request.operation == Operation::Delete
                && request.subresource.is_empty()
                && IMMORTAL.contains(&request.name);
            return if immortal {
                Err(forbidden(request, "this namespace may not be deleted"))
            } else {
                Ok(())
            };
        }
        // Access reviews may ask about namespaces that do not exist.
        let review = resource.group == "authorization.k8s.io";
        if request.namespace.is_empty() || review || request.operation != Operation::Create {
            return Ok(());
        }
        let Some(namespace) = cluster.get("", "namespaces", "", request.namespace) else {
            return Err(Status::not_found("", "namespaces", request.namespace));
        };
        let terminating = meta::text(&namespace, &["status", "phase"]) == "Terminating"
            || meta::at(&namespace, &["metadata", "deletionTimestamp"]).is_some();
        if !terminating {
            return Ok(());
        }
        let name = request.namespace;
        let mut status = forbidden(
            request,
            &format!(
                "unable to create new content in namespace {name} because it is being terminated"
            ),
        );
        status.details.causes.push(Cause {
            reason: "NamespaceTerminating".to_owned(),
            message: format!("namespace {name} is being terminated"),
            field: "metadata.namespace".to_owned(),
        });
        Err(status)
    }
}
