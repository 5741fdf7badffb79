//! `NodeRestriction`: a node writes its own objects only. The rules stand in
//! `rbac::node::restriction`; this is their place in the chain.

use crate::{Lookup, Operation, Plugin, Request, forbidden};
use model::status::Status;
use model::{Value, meta};
use rbac::node::restriction::{self, Objects, Write, check, check_certificate_request};
use std::sync::Arc;

/// The plugin of upstream's name and rules.
#[derive(Debug, Default)]
pub struct NodeRestriction;

struct Seen<'a>(&'a dyn Lookup);

impl Objects for Seen<'_> {
    fn pod(&self, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.0.get("", "pods", namespace, name)
    }

    fn node(&self, name: &str) -> Option<Arc<Value>> {
        self.0.get("", "nodes", "", name)
    }
}

impl Plugin for NodeRestriction {
    fn name(&self) -> &'static str {
        "NodeRestriction"
    }

    fn validate(&self, request: &mut Request<'_>, cluster: &dyn Lookup) -> Result<(), Status> {
        let operation = match request.operation {
            Operation::Create => restriction::Operation::Create,
            Operation::Update => restriction::Operation::Update,
            Operation::Delete => restriction::Operation::Delete,
            Operation::Connect => return Ok(()),
        };
        let write = Write {
            user: request.user,
            operation,
            group: &request.resource.group,
            resource: &request.resource.plural,
            subresource: request.subresource,
            namespace: request.namespace,
            name: request.name,
            object: &request.object,
            old: request.old_object,
        };
        check(&write, &Seen(cluster))?;
        let signing = request.resource.plural == "certificatesigningrequests"
            && request.operation == Operation::Create;
        if !signing {
            return Ok(());
        }
        let signer = meta::text(&request.object, &["spec", "signerName"]);
        let name = crate::certificates::common_name(&request.object).unwrap_or_default();
        check_certificate_request(request.user, signer, &name)
            .map_err(|why| forbidden(request, &why))
    }
}
