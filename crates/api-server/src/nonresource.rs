//! Everything outside of API objects: discovery, OpenAPI, the version, the list of paths, and the
//! endpoints that are plugged in.

use crate::context::Context;
use crate::negotiation::{Representation, View, ViewVersion};
use crate::openapi;
use crate::plugin::EndpointRequest;
use crate::reply::Reply;
use crate::server::Server;
use http::header::{ACCEPT, HeaderName, IF_NONE_MATCH};
use http::{HeaderMap, Method};
use model::discovery as documents;
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
    headers: &HeaderMap,
    representation: Representation,
) -> Result<Reply, Status> {
    let text = |name: HeaderName| {
        let value = headers.get(name).and_then(|v| v.to_str().ok());
        value.unwrap_or_default()
    };
    let accept = text(ACCEPT);
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
    if !read {
        return Err(Status::no_such_path());
    }
    if openapi::serves(path) {
        let wanted = openapi::Wanted {
            path,
            hash: ctx.query.get("hash"),
            accept,
            known: text(IF_NONE_MATCH),
        };
        return openapi::serve(server, wanted).await;
    }
    let value = match path {
        "/version" | "/version/" => version(),
        "/" => index(server),
        _ => discovery(server, path, representation).ok_or_else(Status::no_such_path)?,
    };
    Ok(Reply::Value { code: 200, value })
}

/// The paths that are served.
fn index(server: &Server) -> model::Value {
    let mut paths: Vec<String> = server.endpoints.iter().flat_map(|e| e.paths()).collect();
    paths.extend(["/api", "/apis", "/version", "/openapi/v2", "/openapi/v3"].map(str::to_owned));
    for resource in server.services.registry.all() {
        for version in &resource.versions {
            let group = &resource.group;
            if group.is_empty() {
                paths.push(format!("/api/{}", version.name));
            } else {
                paths.push(format!("/apis/{group}"));
                paths.push(format!("/apis/{group}/{}", version.name));
            }
        }
    }
    paths.sort();
    paths.dedup();
    json!({ "paths": paths })
}

/// The discovery document at a path, if there is one.
fn discovery(server: &Server, path: &str, representation: Representation) -> Option<model::Value> {
    let registry = &server.services.registry;
    let aggregated = match (representation.view, representation.view_version) {
        (View::AggregatedDiscovery, ViewVersion::Stable) => Some("v2"),
        (View::AggregatedDiscovery, ViewVersion::Beta) => Some("v2beta1"),
        _ => None,
    };
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (parts.as_slice(), aggregated) {
        (["api"], Some(version)) => Some(documents::aggregated_core(registry, version)),
        (["apis"], Some(version)) => Some(documents::aggregated_groups(registry, version)),
        (["api"], None) => Some(documents::api_versions(registry, &server.address())),
        (["apis"], None) => Some(documents::group_list(registry)),
        (["api", version], _) => documents::resource_list(registry, "", version),
        (["apis", group], _) => documents::group(registry, group),
        (["apis", group, version], _) => documents::resource_list(registry, group, version),
        _ => None,
    }
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
