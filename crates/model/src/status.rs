//! API errors: the `Status` objects of `meta/v1`, with the reason, code, message and details that
//! kubectl and client-go expect (`k8s.io/apimachinery/pkg/api/errors`).

use crate::Value;
use crate::field::{ErrorList, FieldError};
use serde_json::json;
use std::fmt;

/// A failure as the API reports it. `Display` is its message.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// The HTTP status code.
    pub code: u16,
    /// The machine-readable reason (`metav1.StatusReason`).
    pub reason: &'static str,
    /// The sentence that kubectl prints.
    pub message: String,
    /// What the failure is about; empty parts are left out of the encoding.
    pub details: Box<Details>,
    /// The `metadata.continue` of an expired list, with which the client can go on; mostly empty.
    pub continue_token: String,
}

/// The `details` of a [`Status`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Details {
    /// The object's name.
    pub name: String,
    /// The object's API group.
    pub group: String,
    /// The resource (or for invalid objects the kind).
    pub kind: String,
    /// The object's UID.
    pub uid: String,
    /// One cause per offending field: reason, message, field.
    pub causes: Vec<Cause>,
    /// Seconds after which a retry makes sense.
    pub retry_after_seconds: u32,
}

/// One cause of a failure.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cause {
    /// `metav1.CauseType`, such as `FieldValueRequired`.
    pub reason: String,
    /// What is wrong.
    pub message: String,
    /// The field path; empty if the cause is no field.
    pub field: String,
}

impl std::error::Error for Status {}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// `plural` or `plural.group`, as messages name a resource.
pub fn qualified(group: &str, resource: &str) -> String {
    if group.is_empty() {
        resource.to_owned()
    } else {
        format!("{resource}.{group}")
    }
}

impl Status {
    /// A failure with nothing but its code, reason and message.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: Box::default(),
            continue_token: String::new(),
        }
    }

    fn about(mut self, group: &str, kind: &str, name: &str) -> Self {
        self.details.group = group.to_owned();
        self.details.kind = kind.to_owned();
        self.details.name = name.to_owned();
        self
    }

    /// 404: no such object.
    pub fn not_found(group: &str, resource: &str, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", qualified(group, resource));
        Self::new(404, "NotFound", message).about(group, resource, name)
    }

    /// 404: no such path.
    pub fn no_such_path() -> Self {
        Self::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
        )
    }

    /// 409: the name is taken.
    pub fn already_exists(group: &str, resource: &str, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", qualified(group, resource));
        Self::new(409, "AlreadyExists", message).about(group, resource, name)
    }

    /// 409: the request does not fit the object's present state.
    pub fn conflict(group: &str, resource: &str, name: &str, why: impl fmt::Display) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            qualified(group, resource)
        );
        Self::new(409, "Conflict", message).about(group, resource, name)
    }

    /// 409: the object was changed since it was read; the text client-go users know.
    pub fn stale(group: &str, resource: &str, name: &str) -> Self {
        Self::conflict(
            group,
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and \
             try again",
        )
    }

    /// 422: the object breaks the rules of its kind.
    pub fn invalid(group: &str, kind: &str, name: &str, errors: &ErrorList) -> Self {
        let list: Vec<String> = dedup(errors);
        let text = match list.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let message = format!("{} \"{name}\" is invalid: {text}", qualified(group, kind));
        let mut status = Self::new(422, "Invalid", message).about(group, kind, name);
        status.details.causes = errors
            .iter()
            .map(|e| Cause {
                reason: e.kind.cause().to_owned(),
                message: e.body(),
                field: if e.path.as_str().is_empty() {
                    "<nil>".to_owned()
                } else {
                    e.path.to_string()
                },
            })
            .collect();
        status
    }

    /// 403: the authorizer or an admission step says no.
    pub fn forbidden(group: &str, resource: &str, name: &str, why: impl fmt::Display) -> Self {
        let message = match (resource, name) {
            ("", _) => format!("forbidden: {why}"),
            (_, "") => format!("{} is forbidden: {why}", qualified(group, resource)),
            _ => format!(
                "{} \"{name}\" is forbidden: {why}",
                qualified(group, resource)
            ),
        };
        Self::new(403, "Forbidden", message).about(group, resource, name)
    }

    /// 401: who is asking could not be established.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 405: the resource does not have this verb.
    pub fn method_not_supported(group: &str, resource: &str, action: &str) -> Self {
        let message = format!(
            "{action} is not supported on resources of kind \"{}\"",
            qualified(group, resource)
        );
        Self::new(405, "MethodNotAllowed", message).about(group, resource, "")
    }

    /// 406: none of the representations that the client accepts is served.
    pub fn not_acceptable(accepted: &str) -> Self {
        Self::new(
            406,
            "NotAcceptable",
            format!("only the following media types are accepted: {accepted}"),
        )
    }

    /// 415: the body's media type is not understood.
    pub fn unsupported_media_type(accepted: &str) -> Self {
        Self::new(
            415,
            "UnsupportedMediaType",
            format!(
                "the body of the request was in an unknown format - accepted media types include: \
                 {accepted}"
            ),
        )
    }

    /// 410: the resource version is older than the history that is kept.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// 410: a watch that starts before the history that is kept.
    pub fn gone(message: impl Into<String>) -> Self {
        Self::new(410, "Gone", message)
    }

    /// 413: the body is larger than the server reads.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(413, "RequestEntityTooLarge", message)
    }

    /// 429: try again after `seconds`.
    pub fn too_many_requests(message: impl Into<String>, seconds: u32) -> Self {
        let mut status = Self::new(429, "TooManyRequests", message);
        status.details.retry_after_seconds = seconds;
        status
    }

    /// 500: the server failed; `why` must hold no secret value.
    pub fn internal(why: impl fmt::Display) -> Self {
        let mut status = Self::new(
            500,
            "InternalError",
            format!("Internal error occurred: {why}"),
        );
        status.details.causes = vec![Cause {
            message: why.to_string(),
            ..Cause::default()
        }];
        status
    }

    /// 503: the server cannot serve now.
    pub fn unavailable(why: impl Into<String>) -> Self {
        Self::new(503, "ServiceUnavailable", why)
    }

    /// 504: the request took longer than it may.
    pub fn timeout(why: impl fmt::Display) -> Self {
        Self::new(504, "Timeout", format!("Timeout: {why}"))
    }

    /// Whether this is the 404 of an object that does not exist.
    pub fn is_not_found(&self) -> bool {
        self.reason == "NotFound"
    }

    /// Whether this is a conflict over a resource version.
    pub fn is_conflict(&self) -> bool {
        self.reason == "Conflict"
    }

    /// Whether this says that the name is taken.
    pub fn is_already_exists(&self) -> bool {
        self.reason == "AlreadyExists"
    }

    /// The `v1` Status object.
    pub fn to_value(&self) -> Value {
        let mut details = serde_json::Map::new();
        let mut text = |key: &str, value: &str| {
            if !value.is_empty() {
                details.insert(key.to_owned(), value.into());
            }
        };
        text("name", &self.details.name);
        text("group", &self.details.group);
        text("kind", &self.details.kind);
        text("uid", &self.details.uid);
        if !self.details.causes.is_empty() {
            details.insert(
                "causes".to_owned(),
                self.details.causes.iter().map(Cause::to_value).collect(),
            );
        }
        if self.details.retry_after_seconds > 0 {
            details.insert(
                "retryAfterSeconds".to_owned(),
                self.details.retry_after_seconds.into(),
            );
        }
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        });
        // Upstream has no reason for failures that are of no class of its own.
        if let Some(map) = status.as_object_mut().filter(|_| !self.reason.is_empty()) {
            map.insert("reason".to_owned(), self.reason.into());
        }
        if let Some(map) = status.as_object_mut().filter(|_| !details.is_empty()) {
            map.insert("details".to_owned(), Value::Object(details));
        }
        if !self.continue_token.is_empty() {
            crate::meta::set(
                &mut status,
                &["metadata", "continue"],
                self.continue_token.as_str(),
            );
        }
        status
    }
}

impl Cause {
    fn to_value(&self) -> Value {
        let mut map = serde_json::Map::new();
        for (key, value) in [
            ("reason", &self.reason),
            ("message", &self.message),
            ("field", &self.field),
        ] {
            if !value.is_empty() {
                map.insert(key.to_owned(), value.as_str().into());
            }
        }
        Value::Object(map)
    }
}

fn dedup(errors: &[FieldError]) -> Vec<String> {
    let mut seen = Vec::new();
    for error in errors {
        let text = error.to_string();
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen
}
