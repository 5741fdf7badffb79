//! What others need to check this cluster's service-account tokens (OpenID Connect discovery).

use crate::plugin::{Endpoint, EndpointRequest, EndpointResponse};
use futures::future::{BoxFuture, ready};
use identity::TokenIssuer;
use model::Value;
use model::status::Status;
use std::sync::OnceLock;

const CONFIGURATION: &str = "/.well-known/openid-configuration";
const KEYS: &str = "/openid/v1/jwks";

/// Serves the issuer's configuration and its keys.
pub struct IssuerDiscovery {
    issuer: TokenIssuer,
    server: OnceLock<String>,
}

impl IssuerDiscovery {
    /// Serves for `issuer`. Where the keys are is said once the address is known, with
    /// [`IssuerDiscovery::found_at`].
    pub fn new(issuer: TokenIssuer) -> Self {
        Self {
            issuer,
            server: OnceLock::new(),
        }
    }

    /// Says under which URL clients reach this server, such as `https://192.0.2.1:6443`; the keys
    /// are there, as upstream says of its external address. Only the first word counts.
    pub fn found_at(&self, server: &str) {
        let keys = format!("{}{KEYS}", server.trim_end_matches('/'));
        let _ = self.server.set(keys);
    }

    fn answer(&self, path: &str) -> Result<(&'static str, Value), Status> {
        if path == KEYS {
            return Ok(("application/jwk-set+json", self.issuer.jwks()));
        }
        let Some(keys) = self.server.get() else {
            return Err(Status::unavailable(
                "the server does not know its address yet",
            ));
        };
        Ok(("application/json", self.issuer.discovery(keys)))
    }
}

impl Endpoint for IssuerDiscovery {
    fn serves(&self, path: &str) -> bool {
        path == CONFIGURATION || path == KEYS
    }

    fn paths(&self) -> Vec<String> {
        vec![CONFIGURATION.to_owned(), KEYS.to_owned()]
    }

    fn get<'a>(
        &'a self,
        request: EndpointRequest<'a>,
    ) -> BoxFuture<'a, Result<EndpointResponse, Status>> {
        let answer = self
            .answer(request.path)
            .map(|(content_type, body)| EndpointResponse {
                code: 200,
                content_type,
                body: body.to_string().into(),
                headers: vec![("cache-control", "public, max-age=3600".to_owned())],
            });
        Box::pin(ready(answer))
    }
}
