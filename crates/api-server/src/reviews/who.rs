//! TokenReview and SelfSubjectReview: who a token, or the asker, is.

use super::answer;
use crate::clock;
use crate::plugin::{Call, Virtual};
use futures::future::{BoxFuture, ready};
use identity::Credentials;
use model::Value;
use model::meta::{list, text};
use model::status::Status;
use model::user::UserInfo;
use serde_json::json;

/// Who a bearer token stands for.
pub(super) struct TokenReview;

/// Who the asker is.
pub(super) struct SelfSubjectReview;

impl Virtual for TokenReview {
    fn resource(&self) -> (&'static str, &'static str) {
        ("authentication.k8s.io", "tokenreviews")
    }

    fn create<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Value, Status>> {
        Box::pin(review(call))
    }
}

async fn review(call: Call<'_>) -> Result<Value, Status> {
    let token = text(&call.object, &["spec", "token"]);
    if token.is_empty() {
        return Err(Status::bad_request(
            "token is required for TokenReview in authentication",
        ));
    }
    let audiences: Vec<String> = list(&call.object, &["spec", "audiences"])
        .iter()
        .filter_map(|a| a.as_str().map(str::to_owned))
        .collect();
    let credentials = Credentials {
        bearer: Some(token),
        audiences: &audiences,
        ..Credentials::default()
    };
    let status = match call.services.authenticator.authenticate(&credentials).await {
        Ok(Some(identity)) => {
            // An authenticator that knows nothing of audiences vouches for none but the API's.
            let unknown =
                !audiences.is_empty() && !identity.audiences.iter().any(|a| audiences.contains(a));
            if unknown {
                return Err(Status::internal("error validating audiences"));
            }
            let mut status = json!({"authenticated": true, "user": user(&identity.user)});
            if let Some(map) = status
                .as_object_mut()
                .filter(|_| !identity.audiences.is_empty())
            {
                map.insert("audiences".to_owned(), identity.audiences.into());
            }
            status
        }
        Ok(None) => json!({"user": {}}),
        Err(rejection) => json!({
            "user": {},
            "error": format!("[invalid bearer token, {rejection}]"),
        }),
    };
    answer(call.object, status)
}

impl Virtual for SelfSubjectReview {
    fn resource(&self) -> (&'static str, &'static str) {
        ("authentication.k8s.io", "selfsubjectreviews")
    }

    fn create<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Value, Status>> {
        Box::pin(ready(Ok(json!({
            "kind": "SelfSubjectReview",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"creationTimestamp": clock::timestamp(clock::now())},
            "status": {"userInfo": user(call.user)},
        }))))
    }
}

/// The user as `authentication.k8s.io/v1` UserInfo.
fn user(user: &UserInfo) -> Value {
    serde_json::to_value(user).unwrap_or_default()
}
