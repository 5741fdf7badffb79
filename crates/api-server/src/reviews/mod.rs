//! Reviews: questions about who somebody is and what they may do, posted as objects and answered
//! in their status (`authentication.k8s.io` and `authorization.k8s.io`).

mod access;
mod question;
mod rules;
mod who;

use crate::plugin::Virtual;
use model::Value;
use model::status::Status;
use std::sync::Arc;

/// Every review that the server answers.
pub fn all() -> Vec<Arc<dyn Virtual>> {
    vec![
        Arc::new(access::SubjectAccessReview),
        Arc::new(access::LocalSubjectAccessReview),
        Arc::new(access::SelfSubjectAccessReview),
        Arc::new(rules::SelfSubjectRulesReview),
        Arc::new(who::TokenReview),
        Arc::new(who::SelfSubjectReview),
    ]
}

/// Puts the answer into the review.
fn answer(mut review: Value, status: Value) -> Result<Value, Status> {
    let map = review
        .as_object_mut()
        .ok_or_else(|| Status::bad_request("the body is not an object"))?;
    if !map.contains_key("metadata") {
        map.insert("metadata".to_owned(), serde_json::json!({}));
    }
    map.insert("status".to_owned(), status);
    Ok(review)
}

#[cfg(test)]
mod tests;
