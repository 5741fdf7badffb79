//! From a handler's answer to bytes: the last step of the pipeline, and with the first the only
//! one that knows HTTP.

pub mod body;
pub mod table;
pub mod watch;
pub mod yaml;

pub use body::Body;

use crate::negotiation::{Media, Representation, View, ViewVersion};
use crate::reply::{List, Object, Reply};
use crate::served::Served;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER, VARY};
use http::{Response, StatusCode};
use model::Value;
use model::status::Status;
use serde_json::json;

/// Bodies of fewer bytes are not worth compressing.
const GZIP_FROM: u64 = 128 << 10;

const DISCOVERY_V2: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const DISCOVERY_V2BETA1: &str =
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

/// A response to a request that was answered with `reply`.
pub fn respond(
    reply: Reply,
    representation: Representation,
    gzip: bool,
) -> Result<Response<Body>, Status> {
    let media = representation.media;
    // A client that asks for it may still get the plain document, where there is no other.
    let aggregated = matches!(
        &reply,
        Reply::Value { value, .. }
            if value.get("kind").is_some_and(|k| k == "APIGroupDiscoveryList")
    );
    let (code, body) = match reply {
        Reply::Object {
            code,
            served,
            object,
        } => (code, one(&served, object, representation)?),
        Reply::List(list) => (200, many(list, representation)?),
        Reply::Watch(watch) => {
            let body = watch::WatchBody::new(watch, representation);
            let mut response = Response::new(Body::Watch(Box::new(body)));
            content_type(&mut response, Media::Json.content_type());
            return Ok(response);
        }
        Reply::Value { code, value } => (code, Body::Full(write(&value, representation))),
        Reply::Document {
            code,
            content_type: kind,
            body,
            headers,
        } => {
            let mut response = compressed(code, Body::Full(body), gzip);
            content_type(&mut response, &kind);
            for (name, value) in headers {
                if let Ok(value) = HeaderValue::from_str(&value) {
                    response.headers_mut().insert(name, value);
                }
            }
            return Ok(response);
        }
    };
    let mut response = compressed(code, body, gzip);
    let kind = match (representation.view, representation.view_version) {
        (View::AggregatedDiscovery, ViewVersion::Stable) if aggregated => DISCOVERY_V2,
        (View::AggregatedDiscovery, ViewVersion::Beta) if aggregated => DISCOVERY_V2BETA1,
        _ => media.content_type(),
    };
    content_type(&mut response, kind);
    Ok(response)
}

/// The response of a request that failed.
pub fn fail(status: &Status, representation: Representation) -> Response<Body> {
    let plain = Representation {
        view: View::Whole,
        ..representation
    };
    let body = Body::Full(write(&status.to_value(), plain));
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    content_type(&mut response, plain.media.content_type());
    let after = status.details.retry_after_seconds;
    if after > 0 {
        response.headers_mut().insert(RETRY_AFTER, after.into());
    }
    response
}

fn compressed(code: u16, body: Body, gzip: bool) -> Response<Body> {
    let gzip = gzip && body.length().is_some_and(|len| len > GZIP_FROM);
    let mut response = Response::new(if gzip { body.gzipped() } else { body });
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::OK);
    if gzip {
        let headers = response.headers_mut();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    response
}

fn content_type(response: &mut Response<Body>, kind: &str) {
    if let Ok(value) = HeaderValue::from_str(kind) {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
}

/// A value in the agreed form.
pub fn write(value: &Value, representation: Representation) -> Bytes {
    match (representation.media, representation.pretty) {
        (Media::Yaml, _) => yaml::to_yaml(value).into(),
        (Media::Json, false) => {
            let mut out = value.to_string();
            out.push('\n');
            out.into()
        }
        (Media::Json, true) => format!("{value:#}").into(),
    }
}

fn is_plain(served: &Served, representation: Representation) -> bool {
    served.native
        && representation.view == View::Whole
        && representation.media == Media::Json
        && !representation.pretty
}

fn one(served: &Served, object: Object, representation: Representation) -> Result<Body, Status> {
    let value = match object {
        Object::Cached(cached) if is_plain(served, representation) => {
            return Ok(Body::Full(cached.bytes().clone()));
        }
        Object::Cached(cached) => served.read(&cached)?,
        Object::Value(value) => value,
    };
    let version = representation.view_version;
    let shown = match representation.view {
        View::Whole | View::AggregatedDiscovery => value,
        View::Metadata => table::partial(value, version),
        View::Table => {
            let revision = model::meta::resource_version(&value).to_owned();
            table::table(
                &served.resource,
                &[value],
                json!({ "resourceVersion": revision }),
                crate::reply::Include::Metadata,
                version,
                true,
            )
        }
    };
    Ok(Body::Full(write(&shown, representation)))
}

fn many(list: List, representation: Representation) -> Result<Body, Status> {
    let mut metadata = json!({ "resourceVersion": list.revision.to_string() });
    if let Some(map) = metadata.as_object_mut() {
        if !list.next.is_empty() {
            map.insert("continue".to_owned(), list.next.clone().into());
        }
        if let Some(remaining) = list.remaining {
            map.insert("remainingItemCount".to_owned(), remaining.into());
        }
    }
    let served = &list.served;
    if is_plain(served, representation) {
        let head = format!(
            "{{\"kind\":\"{}\",\"apiVersion\":\"{}\",\"metadata\":{metadata},\"items\":[",
            served.resource.list_kind,
            served.api_version(),
        );
        return Ok(Body::List(body::ListBody::new(head.into(), list.objects)));
    }
    let objects = list
        .objects
        .iter()
        .map(|object| served.read(object))
        .collect::<Result<Vec<_>, _>>()?;
    let version = representation.view_version;
    let shown = match representation.view {
        View::Table => table::table(
            &served.resource,
            &objects,
            metadata,
            list.include,
            version,
            true,
        ),
        View::Metadata => table::partial_list(objects.into_iter(), metadata, version),
        View::Whole | View::AggregatedDiscovery => json!({
            "kind": served.resource.list_kind,
            "apiVersion": served.api_version(),
            "metadata": metadata,
            "items": objects,
        }),
    };
    Ok(Body::Full(write(&shown, representation)))
}
