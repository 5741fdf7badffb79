//! SelfSubjectRulesReview: everything that the asker may do in a namespace, for display.

use crate::plugin::{Call, Virtual};
use futures::future::{BoxFuture, ready};
use model::Value;
use model::meta::text;
use model::status::Status;
use serde_json::json;

/// What the asker may do in a namespace.
pub(super) struct SelfSubjectRulesReview;

impl Virtual for SelfSubjectRulesReview {
    fn resource(&self) -> (&'static str, &'static str) {
        ("authorization.k8s.io", "selfsubjectrulesreviews")
    }

    fn create<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Value, Status>> {
        Box::pin(ready(review(&call)))
    }
}

fn review(call: &Call<'_>) -> Result<Value, Status> {
    let namespace = text(&call.object, &["spec", "namespace"]);
    if namespace.is_empty() {
        return Err(Status::bad_request("no namespace on request"));
    }
    let rules = call.services.authorizer.rules(call.user, namespace);
    let mut status = json!({
        "resourceRules": rules.resource,
        "nonResourceRules": rules.non_resource,
        "incomplete": rules.incomplete,
    });
    if let Some(map) = status.as_object_mut().filter(|_| !rules.error.is_empty()) {
        map.insert("evaluationError".to_owned(), rules.error.into());
    }
    // As upstream, the answer does not repeat the question.
    Ok(json!({
        "kind": "SelfSubjectRulesReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": {},
        "status": status,
    }))
}
