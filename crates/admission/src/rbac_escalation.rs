//! Nobody grants what they do not hold: writes of roles and bindings. Upstream does this in the
//! storage of these kinds; here it is a step of the chain.

use crate::{Lookup, Operation, Plugin, Request};
use model::status::Status;
use rbac::escalation::{Write, check_binding, check_role_escalation};
use std::sync::Arc;

/// What the plugin asks of whoever holds the compiled index.
pub trait RbacView: Send + Sync {
    /// Calls `visit` with the index as it is and the whole authorizer chain.
    fn read(&self, visit: &mut dyn FnMut(&rbac::Index, &dyn rbac::Authorizer));
}

/// The plugin.
pub struct RbacEscalation {
    view: Arc<dyn RbacView>,
}

impl RbacEscalation {
    /// A plugin that decides by `view`.
    pub fn new(view: Arc<dyn RbacView>) -> Self {
        Self { view }
    }
}

impl Plugin for RbacEscalation {
    fn name(&self) -> &'static str {
        "RBACEscalation"
    }

    fn validate(&self, request: &mut Request<'_>, _cluster: &dyn Lookup) -> Result<(), Status> {
        let write = matches!(request.operation, Operation::Create | Operation::Update);
        if request.resource.group != "rbac.authorization.k8s.io" || !write {
            return Ok(());
        }
        let subject = Write {
            user: request.user,
            namespace: request.namespace,
            name: if request.operation == Operation::Create {
                ""
            } else {
                request.name
            },
            object: &request.object,
            old: request.old_object,
        };
        let role = matches!(&*request.resource.plural, "roles" | "clusterroles");
        let mut verdict = Ok(());
        self.view.read(&mut |index, authorizer| {
            verdict = if role {
                check_role_escalation(&subject, index, authorizer)
            } else {
                check_binding(&subject, index, authorizer)
            };
        });
        verdict
    }
}
