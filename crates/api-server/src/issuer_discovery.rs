//! What others need to check this cluster's service-account tokens (OpenID Connect discovery).

use crate::plugin::{Endpoint, EndpointRequest, EndpointResponse};
use futures::future::{BoxFuture, ready};
use identity::TokenIssuer;
use model::status::Status;

const CONFIGURATION: &str = "/.well-known/openid-configuration";
const KEYS: &str = "/openid/v1/jwks";

/// Serves the issuer's configuration and its keys.
pub struct IssuerDiscovery {
    configuration: bytes::Bytes,
    keys: bytes::Bytes,
}

impl IssuerDiscovery {
    /// Serves for `issuer`; the keys are said to be at `server`, such as
    /// `https://192.0.2.1:6443`.
    pub fn new(issuer: &TokenIssuer, server: &str) -> Self {
        let keys_at = format!("{}{KEYS}", server.trim_end_matches('/'));
        Self {
            configuration: issuer.discovery(&keys_at).to_string().into(),
            keys: issuer.jwks().to_string().into(),
        }
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
        let (content_type, body) = if request.path == CONFIGURATION {
            ("application/json", &self.configuration)
        } else {
            ("application/jwk-set+json", &self.keys)
        };
        Box::pin(ready(Ok(EndpointResponse {
            code: 200,
            content_type,
            body: body.clone(),
            headers: vec![("cache-control", "public, max-age=3600".to_owned())],
        })))
    }
}
