//! The Kubernetes API over TLS: request pipeline, watch cache, discovery, OpenAPI.
