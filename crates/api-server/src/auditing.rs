//! The audit log's view of a request, from its sender being known to its end.

use crate::context::Context;
use crate::negotiation::body_format;
use crate::render::Body;
use crate::request_info::RequestInfo;
use crate::server::Server;
use audit::{Attributes, Entry, Received};
use bytes::Bytes;
use model::Value;
use model::decode::decode;
use model::status::Status;
use model::user::UserInfo;
use serde::Deserialize;
use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

/// How a request came.
pub struct Facts {
    /// Its id, also sent as the `Audit-ID` header.
    pub id: String,
    /// Path and query as sent.
    pub uri: String,
    /// The client's addresses.
    pub sources: Vec<String>,
    /// The client's program.
    pub user_agent: String,
    /// When it was read, in microseconds since the Unix epoch.
    pub at: i64,
}

/// The time in microseconds since the Unix epoch.
pub fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|d| i64::try_from(d.as_micros()).ok())
        .unwrap_or(0)
}

/// What is written about one request; writes nothing if there is no log.
#[derive(Default)]
pub struct Record {
    entry: Option<Entry>,
}

fn received<'a>(facts: &'a Facts, user: &'a UserInfo, info: &'a RequestInfo) -> Received<'a> {
    Received {
        id: &facts.id,
        attributes: Attributes {
            user,
            verb: info.verb,
            is_resource: info.is_resource,
            group: &info.group,
            version: &info.version,
            resource: &info.resource,
            subresource: &info.subresource,
            namespace: &info.namespace,
            name: &info.name,
            path: &info.path,
        },
        uri: &facts.uri,
        source_ips: &facts.sources,
        user_agent: &facts.user_agent,
        at: facts.at,
    }
}

impl Record {
    /// Takes up a request whose sender is known.
    pub fn begin(server: &Server, facts: &Facts, user: &UserInfo, info: &RequestInfo) -> Self {
        let auditor = server.auditor.as_ref();
        Self {
            entry: auditor.and_then(|a| a.begin(&received(facts, user, info))),
        }
    }

    /// The user acts as another.
    pub fn impersonated(&mut self, user: &UserInfo) {
        if let Some(entry) = &mut self.entry {
            entry.impersonated(user);
        }
    }

    /// The authorizers' answer to `user`, or to the one that `user` acts as. A refusal is written
    /// even if no rule of the policy wants the request, where the policy says so.
    pub fn authorized(
        &mut self,
        server: &Server,
        facts: &Facts,
        (user, acting): (&UserInfo, Option<&UserInfo>),
        info: &RequestInfo,
        answer: &Result<String, Status>,
    ) {
        let reason = answer.as_deref().unwrap_or_default();
        match (&mut self.entry, answer) {
            (Some(entry), _) => entry.authorized(answer.is_ok(), reason),
            (None, Err(status)) => refused(server, facts, (user, acting), info, status),
            (None, Ok(_)) => {}
        }
    }

    /// What the handler learned.
    pub fn handled(&mut self, ctx: &Context) {
        let Some(entry) = &mut self.entry else {
            return;
        };
        for (key, value) in &ctx.audit_annotations {
            entry.annotate(key, value);
        }
        if !entry.wants_request() {
            return;
        }
        if let Some(object) = ctx.request_body.as_ref().and_then(|b| parse(ctx, b)) {
            entry.request_object(object);
        }
    }

    /// The response is known. Of a watch, the record goes with its body and ends when that does.
    pub fn responded(self, code: u16, failure: Option<&Status>, body: &mut Body) {
        let Some(mut entry) = self.entry else {
            return;
        };
        match body {
            Body::Watch(watch) => {
                entry.response_started(code);
                watch.keep(entry);
                return;
            }
            Body::Full(bytes) if failure.is_none() => respond_object(&mut entry, bytes),
            Body::Full(_) | Body::List(_) | Body::Gzip(_) => {}
        }
        entry.complete(code, failure);
    }

    /// The request was answered within the process.
    pub fn answered(self, code: u16, failure: Option<&Status>) {
        if let Some(entry) = self.entry {
            entry.complete(code, failure);
        }
    }

    /// A watch began within the process; the record ends when it is dropped.
    pub fn started(&mut self) {
        if let Some(entry) = &mut self.entry {
            entry.response_started(200);
        }
    }

    /// The handler panicked.
    pub fn panicked(self, failure: &Status) {
        if let Some(entry) = self.entry {
            entry.panicked(failure);
        }
    }
}

/// The names of an object; the rest is passed over.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    metadata: Names<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Names<'a> {
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    uid: Cow<'a, str>,
    #[serde(borrow, default)]
    resource_version: Cow<'a, str>,
}

fn respond_object(entry: &mut Entry, bytes: &Bytes) {
    if entry.lacks_name()
        && let Ok(Named { metadata }) = serde_json::from_slice::<Named<'_>>(bytes)
    {
        entry.about(&metadata.name, &metadata.uid, &metadata.resource_version);
    }
    if entry.wants_response()
        && let Ok(object) = serde_json::from_slice::<Value>(bytes)
    {
        entry.response_object(object);
    }
}

fn parse(ctx: &Context, body: &Bytes) -> Option<Value> {
    let format =
        body_format(&ctx.content_type)
            .ok()
            .unwrap_or(if ctx.content_type.contains("yaml") {
                model::decode::Format::Yaml
            } else {
                model::decode::Format::Json
            });
    decode(body, format).ok().map(|d| d.value)
}

/// A request was refused before or without anything being written about it.
pub fn refused(
    server: &Server,
    facts: &Facts,
    (user, acting): (&UserInfo, Option<&UserInfo>),
    info: &RequestInfo,
    status: &Status,
) {
    if let Some(auditor) = &server.auditor {
        auditor.refused(&received(facts, user, info), acting, status);
    }
}
