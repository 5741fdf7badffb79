//! A request's way: who sends it, as whom it acts, whether it may, what it does. Each step takes
//! the context and gives the next value or a `Status`; only the outer two functions know HTTP.

use crate::auditing::{self, Facts, Record};
use crate::authorization::{attributes, judge};
use crate::context::{BodySource, Context};
use crate::handlers;
use crate::impersonation::impersonate;
use crate::negotiation::{Offer, Representation, negotiate};
use crate::nonresource;
use crate::plugin::Outcome;
use crate::query::Query;
use crate::render::{self, Body};
use crate::reply::Reply;
use crate::request_body::RequestBody;
use crate::request_info::RequestInfo;
use crate::server::Server;
use crate::transport::Connection;
use futures::FutureExt;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue,
    USER_AGENT, WARNING,
};
use http::{HeaderMap, Method, Request, Response};
use hyper::body::Incoming;
use identity::{Credentials, Identity};
use model::status::Status;
use model::user::UserInfo;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};
use tokio::sync::SemaphorePermit;

const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");
/// How long a connection's certificate counts as checked.
const IDENTITY_FOR: Duration = Duration::from_secs(10);

/// What is known of a request before anything is asked of it.
struct Head {
    method: Method,
    headers: HeaderMap,
    facts: Facts,
}

impl Head {
    fn text(&self, name: HeaderName) -> &str {
        self.headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
    }
}

/// What the steps found out, for the audit log and the response.
#[derive(Default)]
struct Trace {
    record: Record,
    warnings: Vec<String>,
    dry_run: bool,
}

/// Answers a request.
pub async fn handle(
    server: &Server,
    connection: &Connection,
    request: Request<Incoming>,
) -> Response<Body> {
    let began = Instant::now();
    let (parts, incoming) = request.into_parts();
    let body = RequestBody::new(incoming, parts.version, &parts.headers);
    let uri = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let info = RequestInfo::new(&parts.method, parts.uri.path(), &query);
    let mut head = Head {
        facts: Facts {
            id: uuid::Uuid::new_v4().hyphenated().to_string(),
            uri: uri.to_owned(),
            sources: sources(&parts.headers, connection),
            user_agent: String::new(),
            at: auditing::now(),
        },
        method: parts.method,
        headers: parts.headers,
    };
    head.facts.user_agent = head.text(USER_AGENT).to_owned();
    server.telemetry.started(&info);
    let mut trace = Trace::default();
    let mut representation = Representation::default();
    let work = admitted(
        server,
        connection,
        &head,
        &info,
        query,
        BodySource::Wire(body),
        &mut trace,
        &mut representation,
    );
    let result = match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(_) => {
            server.telemetry.panicked();
            let failure = Status::internal("the server panicked on this request");
            std::mem::take(&mut trace.record).panicked(&failure);
            Err(failure)
        }
    };
    let gzip = head.text(ACCEPT_ENCODING).contains("gzip");
    let result = result.and_then(|reply| render::respond(reply, representation, gzip));
    let (mut response, failure) = match result {
        Ok(response) => (response, None),
        Err(status) => (render::fail(&status, representation), Some(status)),
    };
    let code = response.status().as_u16();
    trace
        .record
        .responded(code, failure.as_ref(), response.body_mut());
    set_headers(&head.facts.id, &trace.warnings, &mut response);
    server.telemetry.finished(&Outcome {
        info: &info,
        code,
        elapsed: began.elapsed(),
        bytes: response.body().length(),
        dry_run: trace.dry_run,
    });
    if head.method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    response
}

/// The addresses that a request came from, as far as its headers say, the connection's last.
fn sources(headers: &HeaderMap, connection: &Connection) -> Vec<String> {
    let forwarded = headers.get("x-forwarded-for").or(headers.get("x-real-ip"));
    let mut sources: Vec<String> = forwarded
        .and_then(|v| v.to_str().ok())
        .into_iter()
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|address| address.parse::<std::net::IpAddr>().is_ok())
        .map(str::to_owned)
        .collect();
    if sources.last() != Some(&connection.peer) {
        sources.push(connection.peer.clone());
    }
    sources
}

fn set_headers(id: &str, warnings: &[String], response: &mut Response<Body>) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(AUDIT_ID, id);
    }
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-cache, private"));
    for warning in crate::warnings::headers(warnings) {
        if let Ok(value) = HeaderValue::from_str(&warning) {
            headers.append(WARNING, value);
        }
    }
}

/// Takes the request's place among those in flight, and sees to it that it ends in time.
#[allow(clippy::too_many_arguments)]
async fn admitted(
    server: &Server,
    connection: &Connection,
    head: &Head,
    info: &RequestInfo,
    query: Query,
    body: BodySource,
    trace: &mut Trace,
    representation: &mut Representation,
) -> Result<Reply, Status> {
    let _place = place(server, info)?;
    let work = run(
        server,
        connection,
        head,
        info,
        query,
        body,
        trace,
        representation,
    );
    if info.long_running() {
        return work.await;
    }
    match tokio::time::timeout(server.limits.request, work).await {
        Ok(result) => result,
        Err(_) => Err(Status::timeout(
            "request did not complete within the allotted timeout",
        )),
    }
}

/// A place among the requests in flight; 429 if there is none.
pub(crate) fn place<'a>(
    server: &'a Server,
    info: &RequestInfo,
) -> Result<Option<SemaphorePermit<'a>>, Status> {
    if info.long_running() {
        return Ok(None);
    }
    let mutating = !info.read_only();
    let places = if mutating {
        &server.mutating
    } else {
        &server.read_only
    };
    places.try_acquire().map(Some).map_err(|_| {
        server.telemetry.dropped(mutating);
        Status::too_many_requests("Too many requests, please try again later.", 1)
    })
}

#[allow(clippy::too_many_arguments)]
async fn run(
    server: &Server,
    connection: &Connection,
    head: &Head,
    info: &RequestInfo,
    query: Query,
    body: BodySource,
    trace: &mut Trace,
    representation: &mut Representation,
) -> Result<Reply, Status> {
    let facts = &head.facts;
    // Agreed on first, so that refusals are written as the client wants them too; that nothing
    // can be agreed on is said only to those who may ask.
    let agreed = representation_of(head, info, &query);
    *representation = agreed.clone().unwrap_or_default();
    let user = match authenticate(server, connection, head).await {
        Ok(user) => user,
        Err(status) => {
            let nobody = UserInfo::default();
            auditing::refused(server, facts, (&nobody, None), info, &status);
            return Err(status);
        }
    };
    trace.record = Record::begin(server, facts, &user, info);
    let target = impersonate(&user, &head.headers, server.authorizer());
    let target = match target {
        Ok(target) => target,
        Err(status) => {
            let answer = Err(status.clone());
            let who = (&user, None);
            trace.record.authorized(server, facts, who, info, &answer);
            return Err(status);
        }
    };
    if let Some(target) = &target {
        trace.record.impersonated(target);
    }
    let acting = target.as_ref().unwrap_or(&user);
    let question = attributes(acting, info);
    let began = Instant::now();
    let decision = server.authorizer().authorize(&question);
    server
        .telemetry
        .authorized(&decision.verdict, began.elapsed());
    let answer = judge(decision, &question);
    let who = (&user, target.as_ref());
    trace.record.authorized(server, facts, who, info, &answer);
    let user = target.unwrap_or(user);
    answer?;
    if info.is_resource {
        agreed?;
    }
    let mut ctx = Context {
        info: info.clone(),
        query,
        user,
        content_type: head.text(CONTENT_TYPE).to_owned(),
        user_agent: facts.user_agent.clone(),
        warnings: Vec::new(),
        audit_annotations: Vec::new(),
        request_body: None,
    };
    trace.dry_run = ctx.query.find("dryRun").is_some();
    let result = if info.is_resource {
        handlers::dispatch(server, &mut ctx, body).await
    } else {
        nonresource::serve(server, &ctx, &head.method, &head.headers, *representation).await
    };
    trace.record.handled(&ctx);
    trace.warnings = ctx.warnings;
    result
}

/// How the client wants its answer.
fn representation_of(
    head: &Head,
    info: &RequestInfo,
    query: &Query,
) -> Result<Representation, Status> {
    let offer = if info.is_resource {
        Offer::Objects
    } else {
        Offer::Discovery
    };
    let agent = head.facts.user_agent.as_str();
    let pretty = match query.find("pretty") {
        Some(_) => query.flag("pretty"),
        None => ["curl/", "Wget/", "Mozilla/5.0"]
            .iter()
            .any(|human| agent.starts_with(human)),
    };
    negotiate(head.text(ACCEPT), offer).map(|agreed| Representation { pretty, ..agreed })
}

/// Who sends the request; 401 if its credentials are not good.
async fn authenticate(
    server: &Server,
    connection: &Connection,
    head: &Head,
) -> Result<UserInfo, Status> {
    let bearer = bearer(head.text(AUTHORIZATION));
    // A certificate is checked once in a while per connection, not on every request.
    let by_certificate = bearer.is_none() && !connection.certificates.is_empty();
    if by_certificate
        && let Some((at, user)) = &*connection.identity.lock()
        && at.elapsed() < IDENTITY_FOR
    {
        return Ok(user.clone());
    }
    let credentials = Credentials {
        bearer,
        certificates: &connection.certificates,
        audiences: &[],
    };
    match server
        .services
        .authenticator
        .authenticate(&credentials)
        .await
    {
        Ok(Some(Identity { user, .. })) => {
            if by_certificate {
                *connection.identity.lock() = Some((Instant::now(), user.clone()));
            }
            Ok(user)
        }
        Ok(None) => Err(Status::unauthorized()),
        Err(rejection) => {
            tracing::info!(peer = %connection.peer, %rejection, "unauthenticated");
            Err(Status::unauthorized())
        }
    }
}

/// The token of an `Authorization` header.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bearer_tokens_are_taken() {
        for (header, want) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer ", None),
            ("", None),
        ] {
            assert_eq!(bearer(header), want);
        }
    }
}
