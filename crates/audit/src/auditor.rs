//! One request's way through the audit log.

use crate::event::{Event, ObjectReference, Stage};
use crate::log::Log;
use crate::policy::{Attributes, Level, Policy, Ruling};
use crate::redact;
use model::Value;
use model::status::Status;
use model::user::UserInfo;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The current time in microseconds since the Unix epoch, as the composition root provides it.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// As upstream, longer user agents are cut.
const MAX_USER_AGENT: usize = 1024;

/// A request whose sender is known.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// The request's id (the `Audit-ID` header, or a new UUID).
    pub id: &'a str,
    /// What rules look at.
    pub attributes: Attributes<'a>,
    /// Path and query as sent.
    pub uri: &'a str,
    /// Where it came from: the addresses of `X-Forwarded-For` and `X-Real-Ip`, if any, then the
    /// connection's.
    pub source_ips: &'a [String],
    /// The `User-Agent` header.
    pub user_agent: &'a str,
    /// When it was read, in microseconds since the Unix epoch.
    pub at: i64,
}

/// Writes events about requests as its policy says.
#[derive(Clone)]
pub struct Auditor {
    policy: Arc<Policy>,
    log: Arc<Log>,
    clock: Clock,
}

impl Auditor {
    /// Writes to `log` what `policy` asks for.
    pub fn new(policy: Policy, log: Arc<Log>, clock: Clock) -> Self {
        Self {
            policy: Arc::new(policy),
            log,
            clock,
        }
    }

    /// The log.
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Takes up a request that was just authenticated, and writes the `RequestReceived` event.
    /// `None`: nothing is to be written about it; if it is refused later, the caller says so to
    /// [`Self::refused`].
    pub fn begin(&self, request: &Received<'_>) -> Option<Entry> {
        let ruling = self.policy.decide(&request.attributes);
        self.log.counters().count_level(ruling.level);
        if ruling.level == Level::None {
            return None;
        }
        let entry = self.entry(request, ruling);
        entry.write(Stage::RequestReceived);
        Some(entry)
    }

    /// A request that no rule wanted was refused (401 or 403): written at `Metadata` if the
    /// policy records refusals. `impersonated` is the user that the sender wanted to act as.
    pub fn refused(
        &self,
        request: &Received<'_>,
        impersonated: Option<&UserInfo>,
        status: &Status,
    ) {
        if !self.policy.records_refusals() {
            return;
        }
        let mut entry = self.entry(request, Policy::refusal_ruling());
        if let Some(user) = impersonated {
            entry.impersonated(user);
        }
        if status.code == 403 {
            entry.authorized(false, "");
        }
        entry.complete(status.code, Some(status));
    }

    fn entry(&self, request: &Received<'_>, ruling: Ruling) -> Entry {
        let a = &request.attributes;
        let object_ref = a.is_resource.then(|| ObjectReference {
            resource: a.resource.to_owned(),
            namespace: a.namespace.to_owned(),
            name: a.name.to_owned(),
            api_group: a.group.to_owned(),
            api_version: a.version.to_owned(),
            subresource: a.subresource.to_owned(),
            ..ObjectReference::default()
        });
        Entry {
            ruling,
            finished: false,
            log: self.log.clone(),
            clock: self.clock.clone(),
            event: Event {
                kind: "Event",
                api_version: "audit.k8s.io/v1",
                level: ruling.level,
                audit_id: request.id.to_owned(),
                stage: Stage::RequestReceived,
                request_uri: redact::uri(request.uri),
                verb: a.verb.to_owned(),
                user: a.user.clone(),
                impersonated_user: None,
                source_ips: request.source_ips.to_vec(),
                user_agent: cut(request.user_agent),
                object_ref,
                response_status: None,
                request_object: None,
                response_object: None,
                request_received: request.at,
                stage_time: request.at,
                annotations: BTreeMap::new(),
            },
        }
    }
}

fn cut(user_agent: &str) -> String {
    if user_agent.len() <= MAX_USER_AGENT {
        return user_agent.to_owned();
    }
    let end = (0..=MAX_USER_AGENT)
        .rev()
        .find(|i| user_agent.is_char_boundary(*i))
        .unwrap_or(0);
    format!("{}...TRUNCATED", user_agent.get(..end).unwrap_or_default())
}

/// A request that is being followed. An entry that is dropped unfinished (the client went away, a
/// watch ended) writes its last event then.
pub struct Entry {
    event: Event,
    ruling: Ruling,
    finished: bool,
    log: Arc<Log>,
    clock: Clock,
}

impl Entry {
    /// Whether the object in the request is wanted.
    pub fn wants_request(&self) -> bool {
        self.event.level >= Level::Request
    }

    /// Whether the object in the response is wanted.
    pub fn wants_response(&self) -> bool {
        self.event.level >= Level::RequestResponse
    }

    /// The object (or patch, or options) in the request. Secret values are taken out; nothing is
    /// kept below level `Request`.
    pub fn request_object(&mut self, object: Value) {
        if self.wants_request() {
            self.event.request_object = Some(self.clean(object));
        }
    }

    /// The object in the response. Secret values are taken out; nothing is kept below level
    /// `RequestResponse`.
    pub fn response_object(&mut self, object: Value) {
        if self.wants_response() {
            self.event.response_object = Some(self.clean(object));
        }
    }

    fn clean(&self, mut object: Value) -> Value {
        if let Some(about) = &self.event.object_ref {
            redact::object(
                &mut object,
                &about.api_group,
                &about.resource,
                &about.subresource,
            );
        }
        if self.ruling.omit_managed_fields {
            redact::managed_fields(&mut object);
        }
        object
    }

    /// The user acts as another.
    pub fn impersonated(&mut self, user: &UserInfo) {
        self.event.impersonated_user = Some(user.clone());
    }

    /// Whether the request is about an object that it did not name: one that is created.
    pub fn lacks_name(&self) -> bool {
        let about = self.event.object_ref.as_ref();
        about.is_some_and(|about| about.name.is_empty()) && self.event.verb == "create"
    }

    /// The object is known now, if the request did not name it.
    pub fn about(&mut self, name: &str, uid: &str, resource_version: &str) {
        if let Some(about) = &mut self.event.object_ref {
            for (slot, value) in [
                (&mut about.name, name),
                (&mut about.uid, uid),
                (&mut about.resource_version, resource_version),
            ] {
                if slot.is_empty() {
                    *slot = value.to_owned();
                }
            }
        }
    }

    /// Adds an annotation; as upstream, the first value of a key stays.
    pub fn annotate(&mut self, key: &str, value: &str) {
        if !self.event.annotations.contains_key(key) {
            self.event
                .annotations
                .insert(key.to_owned(), value.to_owned());
        }
    }

    /// The authorizer's answer, under upstream's annotation keys.
    pub fn authorized(&mut self, allowed: bool, reason: &str) {
        let decision = if allowed { "allow" } else { "forbid" };
        self.annotate("authorization.k8s.io/decision", decision);
        self.annotate("authorization.k8s.io/reason", reason);
    }

    /// The head of a long response was sent.
    pub fn response_started(&mut self, code: u16) {
        self.event.response_status = Some(json!({"metadata": {}, "code": code}));
        self.write_now(Stage::ResponseStarted);
    }

    /// The response was sent.
    pub fn complete(mut self, code: u16, failure: Option<&Status>) {
        self.finished = true;
        self.event.response_status = Some(outcome(code, failure));
        self.write_now(Stage::ResponseComplete);
    }

    /// The handler panicked; the client gets a 500.
    pub fn panicked(mut self, failure: &Status) {
        self.finished = true;
        self.event.response_status = Some(outcome(500, Some(failure)));
        self.write_now(Stage::Panic);
    }

    fn write_now(&mut self, stage: Stage) {
        self.event.stage_time = (self.clock)();
        self.event.stage = stage;
        self.write(stage);
    }

    fn write(&self, stage: Stage) {
        if self.ruling.writes(stage) {
            self.log.write(&self.event);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.finished {
            self.write_now(Stage::ResponseComplete);
        }
    }
}

fn outcome(code: u16, failure: Option<&Status>) -> Value {
    let Some(failure) = failure else {
        return json!({"metadata": {}, "code": code});
    };
    let mut value = failure.to_value();
    if let Value::Object(map) = &mut value {
        // Inside of an event it is a plain struct and no object of its own.
        map.remove("kind");
        map.remove("apiVersion");
    }
    value
}

#[cfg(test)]
mod tests;
