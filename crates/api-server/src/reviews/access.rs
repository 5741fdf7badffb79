//! SubjectAccessReview and its two narrower forms.

use super::answer;
use super::question::{Form, attributes, check, field_selector, subject};
use crate::authorization::Authorizer;
use crate::plugin::{Call, Services, Virtual};
use futures::future::{BoxFuture, ready};
use model::status::Status;
use model::user::UserInfo;
use model::{Map, Value};
use rbac::Verdict;

/// What another user may do.
pub(super) struct SubjectAccessReview;

/// What another user may do in one namespace; whoever may create these there need not be trusted
/// with the rest of the cluster.
pub(super) struct LocalSubjectAccessReview;

/// What the asker may do.
pub(super) struct SelfSubjectAccessReview;

impl Virtual for SubjectAccessReview {
    fn resource(&self) -> (&'static str, &'static str) {
        ("authorization.k8s.io", "subjectaccessreviews")
    }

    fn create<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Value, Status>> {
        Box::pin(ready(about_another(call, Form::Subject)))
    }
}

impl Virtual for LocalSubjectAccessReview {
    fn resource(&self) -> (&'static str, &'static str) {
        ("authorization.k8s.io", "localsubjectaccessreviews")
    }

    fn create<'a>(&'a self, mut call: Call<'a>) -> BoxFuture<'a, Result<Value, Status>> {
        Box::pin(ready(
            in_namespace(&mut call.object, &call.info.namespace)
                .and_then(|()| about_another(call, Form::Local)),
        ))
    }
}

impl Virtual for SelfSubjectAccessReview {
    fn resource(&self) -> (&'static str, &'static str) {
        ("authorization.k8s.io", "selfsubjectaccessreviews")
    }

    fn create<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Value, Status>> {
        Box::pin(ready(about(call.object, call.user, call.services)))
    }
}

fn about(review: Value, user: &UserInfo, services: &Services) -> Result<Value, Status> {
    check(&review, Form::Own)?;
    let status = decide(&review, user, services.authorizer.as_ref());
    answer(review, status)
}

fn about_another(call: Call<'_>, form: Form) -> Result<Value, Status> {
    check(&call.object, form)?;
    let user = subject(&call.object);
    let status = decide(&call.object, &user, call.services.authorizer.as_ref());
    answer(call.object, status)
}

/// The object's namespace is the path's; one that says otherwise is refused.
fn in_namespace(review: &mut Value, namespace: &str) -> Result<(), Status> {
    let Some(map) = review.as_object_mut() else {
        return Ok(());
    };
    let metadata = map
        .entry("metadata")
        .or_insert_with(|| Value::Object(Map::new()));
    if metadata.is_null() {
        *metadata = Value::Object(Map::new());
    }
    let Some(metadata) = metadata.as_object_mut() else {
        return Ok(());
    };
    let own = metadata.get("namespace").and_then(Value::as_str);
    match own.unwrap_or_default() {
        "" => {
            metadata.insert("namespace".to_owned(), namespace.into());
            Ok(())
        }
        own if own == namespace => Ok(()),
        _ => Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        )),
    }
}

fn decide(review: &Value, user: &UserInfo, authorizer: &dyn Authorizer) -> Value {
    let selector = field_selector(review);
    let decision = authorizer.authorize(&attributes(review, user, selector.as_ref()));
    let mut status = Map::new();
    status.insert(
        "allowed".to_owned(),
        (decision.verdict == Verdict::Allow).into(),
    );
    if decision.verdict == Verdict::Deny {
        status.insert("denied".to_owned(), true.into());
    }
    if !decision.reason.is_empty() {
        status.insert("reason".to_owned(), decision.reason.into());
    }
    Value::Object(status)
}
