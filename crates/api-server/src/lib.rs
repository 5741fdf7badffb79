//! The Kubernetes API over TLS: request pipeline, watch cache, discovery, OpenAPI.

pub mod authorization;
pub mod cache;
pub mod encoding;
pub mod impersonation;
pub mod key;
pub mod negotiation;
pub mod plugin;
pub mod query;
pub mod request_info;
