//! The places where other parts of Rampart plug into the server: virtual resources (reviews,
//! token requests), endpoints outside of the API (health, metrics, issuer discovery), and those
//! who count and log requests.

use crate::authorization::Authorizer;
use crate::cache::Cache;
use crate::query::Query;
use crate::request_info::RequestInfo;
use bytes::Bytes;
use futures::future::BoxFuture;
use identity::Authenticator;
use model::Value;
use model::registry::Registry;
use model::resource::Resource;
use model::status::Status;
use model::user::UserInfo;
use rbac::Verdict;
use std::sync::Arc;
use std::time::Duration;

/// What plug-ins may ask of the server.
pub struct Services {
    /// The resources that are served.
    pub registry: Arc<Registry>,
    /// The authenticator chain.
    pub authenticator: Arc<dyn Authenticator>,
    /// The authorizer chain.
    pub authorizer: Arc<dyn Authorizer>,
    /// Every stored object.
    pub cache: Arc<Cache>,
    /// The same, parsed, as admission plugins see it.
    pub lookup: Arc<dyn admission::Lookup>,
}

/// A post to a virtual resource or subresource.
pub struct Call<'a> {
    /// Who asks; already authorized for the `create` itself.
    pub user: &'a UserInfo,
    /// What is asked. `info.name` and `info.namespace` come from the path.
    pub info: &'a RequestInfo,
    /// The body: of the right kind, without unknown fields, defaulted.
    pub object: Value,
    /// Whether nothing may be changed.
    pub dry_run: bool,
    /// Annotations for the audit event; the answer may add to them.
    pub notes: &'a mut Vec<(String, String)>,
    /// What the server offers.
    pub services: &'a Services,
}

/// A resource (or subresource) whose objects are questions: a post is answered, nothing is
/// stored. The kinds themselves stand in the registry.
pub trait Virtual: Send + Sync {
    /// The `(group, plural)` that it answers for; of a subresource `plural/subresource`, such as
    /// `("", "serviceaccounts/token")`.
    fn resource(&self) -> (&'static str, &'static str);
    /// Answers. The result is sent with code 201.
    fn create<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Value, Status>>;
}

/// A request to an [`Endpoint`].
pub struct EndpointRequest<'a> {
    /// The path.
    pub path: &'a str,
    /// The parameters.
    pub query: &'a Query,
    /// The `Accept` header.
    pub accept: &'a str,
    /// Who asks; already authorized for the path.
    pub user: &'a UserInfo,
    /// What the server offers.
    pub services: &'a Services,
}

/// What an [`Endpoint`] answers.
pub struct EndpointResponse {
    /// The HTTP status code.
    pub code: u16,
    /// The `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
}

/// Something served outside of `/api` and `/apis`, for GET and HEAD.
pub trait Endpoint: Send + Sync {
    /// Whether it answers for that path.
    fn serves(&self, path: &str) -> bool;
    /// The paths that it answers for, as listed at `/`.
    fn paths(&self) -> Vec<String>;
    /// Answers.
    fn get<'a>(
        &'a self,
        request: EndpointRequest<'a>,
    ) -> BoxFuture<'a, Result<EndpointResponse, Status>>;
}

/// How a request ended, as [`Telemetry`] hears of it.
pub struct Outcome<'a> {
    /// What was asked.
    pub info: &'a RequestInfo,
    /// The HTTP status code.
    pub code: u16,
    /// How long it took until the response began.
    pub elapsed: Duration,
    /// The bytes of the response's body, if known when it begins.
    pub bytes: Option<u64>,
    /// Whether `dryRun` was asked for.
    pub dry_run: bool,
}

/// Those who count requests. Every method is called on the request's own task and must be quick.
pub trait Telemetry: Send + Sync {
    /// A request was read; it will end with exactly one [`Telemetry::finished`].
    fn started(&self, _info: &RequestInfo) {}
    /// The response to a request began.
    fn finished(&self, _outcome: &Outcome<'_>) {}
    /// The authorizer chain answered whether a request may be made.
    fn authorized(&self, _verdict: &Verdict, _elapsed: Duration) {}
    /// A request was turned away before it was looked at, because too many are in flight.
    fn dropped(&self, _mutating: bool) {}
    /// A handler panicked; the client got a 500.
    fn panicked(&self) {}
    /// A watch began (`open`) or ended.
    fn watch(&self, _resource: &Resource, _open: bool) {}
    /// That many events were handed to a watcher of the resource.
    fn watch_events(&self, _resource: &Resource, _events: usize) {}
    /// A connection was accepted (`open`) or has ended.
    fn connection(&self, _open: bool) {}
}

/// Counts nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoTelemetry;

impl Telemetry for NoTelemetry {}
