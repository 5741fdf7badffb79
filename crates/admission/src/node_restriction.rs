//! `NodeRestriction`: a node writes its own objects only. The rules stand in
//! `rbac::node::restriction`; this is their place in the chain.

use crate::{Lookup, Operation, Plugin, Request, forbidden};
use model::status::Status;
use model::{Value, meta};
use rbac::node::restriction::{self, Objects, Write, check, check_certificate_request};
use rbac::{Attributes, Authorizer};
use std::sync::Arc;

/// The right that lets a node have tokens for audiences that its pods do not ask for.
const AUDIENCE_VERB: &str = "request-serviceaccounts-token-audience";

/// The plugin of upstream's name and rules.
pub struct NodeRestriction {
    authorizer: Arc<dyn Authorizer>,
}

impl NodeRestriction {
    /// A plugin that asks `authorizer` which further audiences a node may have tokens for.
    pub fn new(authorizer: Arc<dyn Authorizer>) -> Self {
        Self { authorizer }
    }
}

struct Seen<'a> {
    cluster: &'a dyn Lookup,
    authorizer: &'a dyn Authorizer,
}

impl Objects for Seen<'_> {
    fn pod(&self, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.cluster.get("", "pods", namespace, name)
    }

    fn node(&self, name: &str) -> Option<Arc<Value>> {
        self.cluster.get("", "nodes", "", name)
    }

    fn claim(&self, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.cluster
            .get("", "persistentvolumeclaims", namespace, name)
    }

    fn volume(&self, name: &str) -> Option<Arc<Value>> {
        self.cluster.get("", "persistentvolumes", "", name)
    }

    fn driver(&self, name: &str) -> Option<Arc<Value>> {
        self.cluster.get("storage.k8s.io", "csidrivers", "", name)
    }

    fn may_request_audience(&self, write: &Write<'_>, audience: &str) -> bool {
        let question = Attributes::resource(write.user, AUDIENCE_VERB, "", audience)
            .in_namespace(write.namespace)
            .named(write.name);
        self.authorizer.authorize(&question).allowed()
    }
}

impl Plugin for NodeRestriction {
    fn name(&self) -> &'static str {
        "NodeRestriction"
    }

    // Before anything is validated, as upstream.
    fn mutate(&self, request: &mut Request<'_>, cluster: &dyn Lookup) -> Result<(), Status> {
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
        let seen = Seen {
            cluster,
            authorizer: self.authorizer.as_ref(),
        };
        check(&write, &seen)?;
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
