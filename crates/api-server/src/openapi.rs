//! The OpenAPI documents: `/openapi/v2`, `/openapi/v3` and what is below it.

use crate::reply::Reply;
use crate::server::Server;
use bytes::Bytes;
use model::openapi::{OpenApi, V2_PROTOBUF};
use model::status::Status;
use std::sync::Arc;

/// The media types of the v2 document, as messages list them.
const V2_SERVED: &str = "application/json, \
     application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
const JSON: &str = "application/json";

/// What a client says about the document that it wants.
pub struct Wanted<'a> {
    /// The path.
    pub path: &'a str,
    /// The `hash` in the address.
    pub hash: &'a str,
    /// The `Accept` header.
    pub accept: &'a str,
    /// The `If-None-Match` header.
    pub known: &'a str,
}

/// Whether a path is one of OpenAPI's.
pub fn serves(path: &str) -> bool {
    path == "/openapi/v2" || path == "/openapi/v3" || path.starts_with("/openapi/v3/")
}

enum Document {
    V2Json,
    V2Protobuf,
    Index,
    V3(String),
}

/// Answers a request for a document.
pub async fn serve(server: &Server, wanted: Wanted<'_>) -> Result<Reply, Status> {
    let hash = server.openapi_hash().to_owned();
    let document = match wanted.path {
        "/openapi/v2" => v2(wanted.accept)?,
        "/openapi/v3" => Document::Index,
        path => Document::V3(path.trim_start_matches("/openapi/v3/").to_owned()),
    };
    let (content_type, kind) = match document {
        Document::V2Protobuf => ("application/octet-stream", "p"),
        _ => (JSON, "j"),
    };
    let tag = format!("\"{hash}-{kind}\"");
    let addressed = matches!(document, Document::V3(_)) && !wanted.hash.is_empty();
    if addressed && wanted.hash != hash {
        return Ok(Reply::Document {
            code: 301,
            content_type: JSON.to_owned(),
            body: Bytes::new(),
            headers: vec![("location", format!("{}?hash={hash}", wanted.path))],
        });
    }
    let mut headers = vec![
        ("etag", tag.clone()),
        ("vary", "Accept-Encoding, Accept".to_owned()),
    ];
    if addressed {
        let forever = "public, immutable, max-age=31536000";
        headers.push(("cache-control", forever.to_owned()));
    }
    if wanted.known.split(',').any(|known| known.trim() == tag) {
        return Ok(Reply::Document {
            code: 304,
            content_type: content_type.to_owned(),
            body: Bytes::new(),
            headers,
        });
    }
    let registry = Arc::clone(&server.services.registry);
    let schema = server.schema;
    // Making a document takes long enough to hold up others on the same thread.
    let made = tokio::task::spawn_blocking(move || {
        let api = OpenApi::new(&registry, schema);
        match document {
            Document::V2Json => Some(api.v2_json()),
            Document::V2Protobuf => Some(api.v2_protobuf()),
            Document::Index => Some(api.index()),
            Document::V3(path) => api.v3(&path),
        }
    });
    let body = made
        .await
        .map_err(|_| Status::internal("the document could not be made"))?
        .ok_or_else(Status::no_such_path)?;
    Ok(Reply::Document {
        code: 200,
        content_type: content_type.to_owned(),
        body: body.into(),
        headers,
    })
}

/// The form of the v2 document: protobuf for those who name it, JSON for all others.
fn v2(accept: &str) -> Result<Document, Status> {
    if accept.is_empty() {
        return Ok(Document::V2Json);
    }
    for clause in accept.split(',') {
        match clause.split(';').next().unwrap_or_default().trim() {
            // Clients up to 1.26 know the second name only.
            V2_PROTOBUF | "application/com.github.proto-openapi.spec.v2.v1+protobuf" => {
                return Ok(Document::V2Protobuf);
            }
            JSON | "application/*" | "*/*" => return Ok(Document::V2Json),
            _ => {}
        }
    }
    Err(Status::not_acceptable(V2_SERVED))
}
