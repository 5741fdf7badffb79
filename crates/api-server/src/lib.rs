//! The Kubernetes API over TLS: request pipeline, watch cache, discovery, OpenAPI.
//!
//! [`Config`] says what a server is made of, [`Handle`] is a running one. A request goes through
//! [`pipeline`]; what it does is in [`handlers`]; what it reads is in [`cache`]; what others plug
//! in stands in [`plugin`].

pub mod auditing;
pub mod authorization;
pub mod cache;
pub mod clock;
pub mod context;
pub mod encoding;
pub mod handlers;
pub mod health;
pub mod identity_objects;
pub mod impersonation;
pub mod issuer_discovery;
pub mod key;
pub mod live_authorizers;
pub mod local;
pub mod lookup;
pub mod metrics;
pub mod negotiation;
pub mod nonresource;
pub mod openapi;
pub mod pipeline;
pub mod plugin;
pub mod query;
pub mod render;
pub mod reply;
pub mod request_body;
pub mod request_info;
pub mod reviews;
pub mod served;
pub mod server;
mod start;
pub mod token_request;
pub mod transport;
mod warnings;

pub use start::{Config, Handle};
