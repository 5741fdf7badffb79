//! A request on its way through the pipeline.

use crate::query::Query;
use crate::request_body::RequestBody;
use crate::request_info::RequestInfo;
use bytes::Bytes;
use model::Value;
use model::status::Status;
use model::user::UserInfo;

/// What is known of a request once it is clear who sends it and that it may be carried out.
pub struct Context {
    /// What is asked.
    pub info: RequestInfo,
    /// With which parameters.
    pub query: Query,
    /// By whom (after impersonation).
    pub user: UserInfo,
    /// How the body is written.
    pub content_type: String,
    /// The client's program, for managed fields.
    pub user_agent: String,
    /// Texts for `Warning:` headers.
    pub warnings: Vec<String>,
    /// Annotations for the audit event.
    pub audit_annotations: Vec<(String, String)>,
    /// The body as it was read, for the audit event.
    pub request_body: Option<Bytes>,
}

impl Context {
    /// Reads the body and remembers it for the audit event; one of more than `limit` bytes is a
    /// 413.
    pub async fn read(&mut self, body: BodySource, limit: usize) -> Result<Payload, Status> {
        let payload = body.read(limit).await?;
        if let Payload::Bytes(bytes) = &payload {
            self.request_body = (!bytes.is_empty()).then(|| bytes.clone());
        }
        Ok(payload)
    }
}

/// A request's body.
pub enum BodySource {
    /// Still on the wire.
    Wire(RequestBody),
    /// From a caller in this process, already parsed.
    Parsed(Value),
    /// There is none.
    None,
}

/// A body that was read.
pub enum Payload {
    /// As it came.
    Bytes(Bytes),
    /// As a caller in this process gave it.
    Value(Value),
}

impl Payload {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Value(value) => value.is_null(),
        }
    }
}

impl BodySource {
    async fn read(self, limit: usize) -> Result<Payload, Status> {
        match self {
            Self::Parsed(value) => Ok(Payload::Value(value)),
            Self::None => Ok(Payload::Bytes(Bytes::new())),
            Self::Wire(body) => body.read(limit).await.map(Payload::Bytes),
        }
    }
}
