//! `LimitRanger`: the LimitRanges of a namespace fill in what containers ask for, and bound what
//! pods and claims may ask for.

use crate::{Lookup, Operation, Plugin, Request, forbidden};
use model::status::Status;
use model::{Value, meta};
use pod_resources::limit_range;
use std::sync::Arc;

/// The plugin of upstream's name and rules.
#[derive(Debug, Default)]
pub struct LimitRanger;

/// What limits speak of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    Pod,
    Claim,
}

impl Subject {
    fn of(request: &Request<'_>) -> Option<Self> {
        let going = |old: &Value| meta::at(old, &["metadata", "deletionTimestamp"]).is_some();
        if !request.resource.group.is_empty() || request.old_object.is_some_and(going) {
            return None;
        }
        let plural = request.resource.plural.as_ref();
        // Of a pod that is there only a resize changes what it asks for.
        match (plural, request.operation, request.subresource) {
            ("pods", Operation::Create, "") | ("pods", Operation::Update, "resize") => {
                Some(Self::Pod)
            }
            ("persistentvolumeclaims", Operation::Create | Operation::Update, "") => {
                Some(Self::Claim)
            }
            _ => None,
        }
    }
}

impl Plugin for LimitRanger {
    fn name(&self) -> &'static str {
        "LimitRanger"
    }

    fn mutate(&self, request: &mut Request<'_>, cluster: &dyn Lookup) -> Result<(), Status> {
        if Subject::of(request) == Some(Subject::Pod) {
            for range in ranges(request, cluster) {
                limit_range::fill(&range, &mut request.object);
            }
        }
        Ok(())
    }

    fn validate(&self, request: &mut Request<'_>, cluster: &dyn Lookup) -> Result<(), Status> {
        let Some(subject) = Subject::of(request) else {
            return Ok(());
        };
        for range in ranges(request, cluster) {
            let errors = match subject {
                Subject::Pod => limit_range::check_pod(&range, &request.object),
                Subject::Claim => limit_range::check_claim(&range, &request.object),
            };
            match errors.as_slice() {
                [] => {}
                [one] => return Err(forbidden(request, one)),
                all => return Err(forbidden(request, &format!("[{}]", all.join(", ")))),
            }
        }
        Ok(())
    }
}

fn ranges(request: &Request<'_>, cluster: &dyn Lookup) -> Vec<Arc<Value>> {
    cluster.list("", "limitranges", request.namespace)
}
