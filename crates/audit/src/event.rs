//! Events as they stand in the log (`audit.k8s.io/v1` Event).

use crate::policy::Level;
use model::Value;
use model::user::UserInfo;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// When in a request's life an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Stage {
    /// The request was read, nothing was decided yet.
    RequestReceived,
    /// The response's head was sent, its body goes on (watches).
    ResponseStarted,
    /// The response was sent.
    ResponseComplete,
    /// The handler failed in a way that it must not.
    Panic,
}

impl Stage {
    /// All stages in order.
    pub const ALL: [Self; 4] = [
        Self::RequestReceived,
        Self::ResponseStarted,
        Self::ResponseComplete,
        Self::Panic,
    ];

    /// The name as it stands in policies and events.
    pub fn name(self) -> &'static str {
        match self {
            Self::RequestReceived => "RequestReceived",
            Self::ResponseStarted => "ResponseStarted",
            Self::ResponseComplete => "ResponseComplete",
            Self::Panic => "Panic",
        }
    }
}

/// What a request is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectReference {
    /// The resource's plural name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// The namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The name; of objects with a generated name, known from the response on.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The UID, where the request names it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// The API group; empty for the core group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_group: String,
    /// The API version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// The resource version, where the request names it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource_version: String,
    /// The subresource.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subresource: String,
}

/// One event.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// `Event`.
    pub kind: &'static str,
    /// `audit.k8s.io/v1`.
    #[serde(rename = "apiVersion")]
    pub api_version: &'static str,
    /// How much was to be written.
    pub level: Level,
    /// The request's id, the same in all its events and in the `Audit-ID` header.
    #[serde(rename = "auditID")]
    pub audit_id: String,
    /// When in the request's life.
    pub stage: Stage,
    /// Path and query, without secrets.
    #[serde(rename = "requestURI")]
    pub request_uri: String,
    /// The verb.
    pub verb: String,
    /// Who asked.
    pub user: UserInfo,
    /// Whom they acted as.
    #[serde(rename = "impersonatedUser", skip_serializing_if = "Option::is_none")]
    pub impersonated_user: Option<UserInfo>,
    /// Where the request came from, the first address being the client's own word if there are
    /// proxies.
    #[serde(rename = "sourceIPs", skip_serializing_if = "Vec::is_empty")]
    pub source_ips: Vec<String>,
    /// The client's word for itself.
    #[serde(rename = "userAgent", skip_serializing_if = "String::is_empty")]
    pub user_agent: String,
    /// What it was about; none for other than resource requests.
    #[serde(rename = "objectRef", skip_serializing_if = "Option::is_none")]
    pub object_ref: Option<ObjectReference>,
    /// The outcome: a `metav1.Status`, with no more than the code if all went well.
    #[serde(rename = "responseStatus", skip_serializing_if = "Option::is_none")]
    pub response_status: Option<Value>,
    /// The object in the request, from level `Request` on.
    #[serde(rename = "requestObject", skip_serializing_if = "Option::is_none")]
    pub request_object: Option<Value>,
    /// The object in the response, at level `RequestResponse`.
    #[serde(rename = "responseObject", skip_serializing_if = "Option::is_none")]
    pub response_object: Option<Value>,
    /// When the request came, in microseconds since the Unix epoch.
    #[serde(rename = "requestReceivedTimestamp", serialize_with = "micro_time")]
    pub request_received: i64,
    /// When the stage was reached, in microseconds since the Unix epoch.
    #[serde(rename = "stageTimestamp", serialize_with = "micro_time")]
    pub stage_time: i64,
    /// What authorization, admission and others had to say.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// `metav1.MicroTime`: RFC 3339 in UTC with six decimals.
fn micro_time<S: Serializer>(micros: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    match jiff::Timestamp::from_microsecond(*micros) {
        Ok(at) => serializer.collect_str(&format_args!("{at:.6}")),
        Err(_) => serializer.serialize_none(),
    }
}
