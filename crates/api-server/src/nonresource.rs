//! Everything outside of API objects: discovery, OpenAPI, the version, the list of paths, and the
//! endpoints that are plugged in.

use crate::context::Context;
use crate::negotiation::Representation;
use crate::plugin::EndpointRequest;
use crate::reply::Reply;
use crate::server::Server;
use http::Method;
use model::status::Status;
use serde_json::json;

/// The Kubernetes version whose behaviour is served.
pub const GIT_VERSION: &str = concat!(
    "v1.33.0+rampart",
    env!("CARGO_PKG_VERSION_MAJOR"),
    ".",
    env!("CARGO_PKG_VERSION_MINOR")
);

/// Answers a request for a path.
pub async fn serve(
    server: &Server,
    ctx: &Context,
    method: &Method,
    accept: &str,
    representation: Representation,
) -> Result<Reply, Status> {
    let path = ctx.info.path.as_str();
    let read = matches!(*method, Method::GET | Method::HEAD);
    if let Some(endpoint) = server.endpoints.iter().find(|e| e.serves(path)) {
        if !read {
            return Err(crate::handlers::not_allowed());
        }
        let response = endpoint
            .get(EndpointRequest {
                path,
                query: &ctx.query,
                accept,
                user: &ctx.user,
                services: &server.services,
            })
            .await?;
        return Ok(Reply::Document {
            code: response.code,
            content_type: response.content_type.to_owned(),
            body: response.body,
            headers: response.headers,
        });
    }
    let _ = representation;
    if !read {
        return Err(Status::no_such_path());
    }
    let value = match path {
        "/version" | "/version/" => version(),
        "/" => {
            let mut paths: Vec<String> = server.endpoints.iter().flat_map(|e| e.paths()).collect();
            paths.extend(["/api", "/apis", "/version"].map(str::to_owned));
            paths.sort();
            json!({ "paths": paths })
        }
        _ => return Err(Status::no_such_path()),
    };
    Ok(Reply::Value { code: 200, value })
}

fn version() -> model::Value {
    json!({
        "major": "1",
        "minor": "33",
        "gitVersion": GIT_VERSION,
        "gitCommit": option_env!("RAMPART_COMMIT").unwrap_or(""),
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("linux/{}", arch()),
    })
}

/// The processor as Go names it.
fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
