//! A request on its way through the pipeline.

use crate::query::Query;
use crate::request_info::RequestInfo;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
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
    Wire(Incoming),
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
        let mut incoming = match self {
            Self::Parsed(value) => return Ok(Payload::Value(value)),
            Self::None => return Ok(Payload::Bytes(Bytes::new())),
            Self::Wire(incoming) => incoming,
        };
        let too_large = || Status::too_large(format!("Request entity too large: limit is {limit}"));
        if incoming.size_hint().lower() > limit as u64 {
            return Err(too_large());
        }
        let mut first = Bytes::new();
        let mut all: Option<BytesMut> = None;
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|e| {
                Status::bad_request(format!("the request's body could not be read: {e}"))
            })?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let have = all.as_ref().map_or(first.len(), BytesMut::len);
            if have + data.len() > limit {
                return Err(too_large());
            }
            match &mut all {
                Some(all) => all.extend_from_slice(&data),
                None if first.is_empty() => first = data,
                None => {
                    let mut joined = BytesMut::with_capacity((first.len() + data.len()) * 2);
                    joined.extend_from_slice(&first);
                    joined.extend_from_slice(&data);
                    all = Some(joined);
                }
            }
        }
        Ok(Payload::Bytes(all.map_or(first, BytesMut::freeze)))
    }
}
