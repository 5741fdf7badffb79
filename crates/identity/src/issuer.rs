//! Issuing service-account tokens, and what others need to verify them (OpenID discovery).

use crate::claims::{Audience, Claims, LEGACY_ISSUER, LegacyClaims, Private, Reference};
use crate::keys::ServiceAccountKeys;
use crate::pki::PkiError;
use crate::{Sensitive, jwt};
use model::user::SERVICE_ACCOUNT_PREFIX;
use serde_json::{Value, json};
use std::sync::{Arc, PoisonError, RwLock};

/// The lifetime that the ServiceAccount admission plugin asks for. Clients from before bound
/// tokens never reload theirs, so such a token lives longer and tells when it should have been
/// replaced.
const WARN_ONLY_SECONDS: i64 = 3607;
const EXTENDED_SECONDS: i64 = 365 * 24 * 3600;

/// Issues tokens in the name of the cluster.
#[derive(Debug, Clone)]
pub struct TokenIssuer {
    issuer: String,
    api_audiences: Vec<String>,
    /// Clones share them, so that all take part in a rotation.
    keys: Arc<RwLock<Arc<ServiceAccountKeys>>>,
}

/// The object that a token lives and dies with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    /// The account alone.
    None,
    /// A pod, and the node that it runs on, if any.
    Pod(Reference, Option<Reference>),
    /// A secret of any type.
    Secret(Reference),
    /// A node.
    Node(Reference),
}

/// What a token is to say.
#[derive(Debug, Clone)]
pub struct TokenSpec<'a> {
    /// The account's namespace.
    pub namespace: &'a str,
    /// The account.
    pub service_account: Reference,
    /// Who may accept it; the API server if empty.
    pub audiences: &'a [String],
    /// For how long.
    pub expiration_seconds: i64,
    /// What it is bound to.
    pub binding: Binding,
}

/// A new token.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// The token.
    pub token: Sensitive,
    /// The end of the asked-for lifetime, in seconds since the Unix epoch; the token itself may
    /// be accepted for longer (see [`TokenIssuer::issue`]).
    pub expires: i64,
    /// The token's id, as the audit log knows it.
    pub id: String,
}

impl TokenIssuer {
    /// An issuer of the given URL, whose own API accepts the given audiences (the issuer URL if
    /// there are none).
    pub fn new(issuer: &str, api_audiences: Vec<String>, keys: Arc<ServiceAccountKeys>) -> Self {
        let api_audiences = if api_audiences.is_empty() {
            vec![issuer.to_owned()]
        } else {
            api_audiences
        };
        Self {
            issuer: issuer.to_owned(),
            api_audiences,
            keys: Arc::new(RwLock::new(keys)),
        }
    }

    /// The issuer URL.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The audiences that the API accepts, and the default of requests that name none.
    pub fn api_audiences(&self) -> &[String] {
        &self.api_audiences
    }

    /// The keys.
    pub fn keys(&self) -> Arc<ServiceAccountKeys> {
        // A key set is put there whole, so it is sound whoever panicked.
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&keys)
    }

    /// Signs and verifies with `keys` from now on, here and in every clone of this issuer.
    pub fn replace_keys(&self, keys: Arc<ServiceAccountKeys>) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// Issues a token from `now` on. As upstream, a pod's token for the API with the lifetime
    /// that admission asks for (3607 s) is accepted for a year, so that clients that never
    /// reload it go on working, and carries `warnafter`; it still dies with its pod.
    pub fn issue(&self, spec: &TokenSpec<'_>, now: i64) -> Result<IssuedToken, PkiError> {
        let audiences = if spec.audiences.is_empty() {
            &self.api_audiences
        } else {
            spec.audiences
        };
        let expires = now.saturating_add(spec.expiration_seconds);
        let extended = matches!(spec.binding, Binding::Pod(..))
            && spec.expiration_seconds == WARN_ONLY_SECONDS
            && audiences.iter().all(|a| self.api_audiences.contains(a));
        let (exp, warnafter) = if extended {
            (now.saturating_add(EXTENDED_SECONDS), Some(expires))
        } else {
            (expires, None)
        };
        let (pod, secret, node) = match spec.binding.clone() {
            Binding::None => (None, None, None),
            Binding::Pod(pod, node) => (Some(pod), None, node),
            Binding::Secret(secret) => (None, Some(secret), None),
            Binding::Node(node) => (None, None, Some(node)),
        };
        let id = uuid::Uuid::new_v4().to_string();
        let claims = Claims {
            aud: Audience::Many(audiences.to_vec()),
            exp,
            iat: now,
            iss: self.issuer.clone(),
            jti: id.clone(),
            kubernetes: Private {
                namespace: spec.namespace.to_owned(),
                node,
                pod,
                secret,
                serviceaccount: spec.service_account.clone(),
                warnafter,
            },
            nbf: now,
            sub: subject(spec.namespace, &spec.service_account.name),
        };
        Ok(IssuedToken {
            token: jwt::sign(&self.keys(), &claims)?,
            expires,
            id,
        })
    }

    /// The token for a secret of type `kubernetes.io/service-account-token`. It has no end of its
    /// own; it is good while the secret holds it and the account lives.
    pub fn issue_for_secret(
        &self,
        namespace: &str,
        secret: &str,
        service_account: &Reference,
    ) -> Result<Sensitive, PkiError> {
        let claims = LegacyClaims {
            iss: LEGACY_ISSUER.to_owned(),
            namespace: namespace.to_owned(),
            secret: secret.to_owned(),
            service_account: service_account.name.clone(),
            uid: service_account.uid.clone(),
            sub: subject(namespace, &service_account.name),
        };
        jwt::sign(&self.keys(), &claims)
    }

    /// The document at `/.well-known/openid-configuration`, with the key set at `jwks_uri`.
    pub fn discovery(&self, jwks_uri: &str) -> Value {
        let keys = self.keys();
        let mut algorithms: Vec<&str> = keys
            .verification_keys()
            .iter()
            .map(|k| k.algorithm().name())
            .collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        json!({
            "issuer": self.issuer,
            "jwks_uri": jwks_uri,
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": algorithms,
        })
    }

    /// The document at `/openid/v1/jwks`.
    pub fn jwks(&self) -> Value {
        let keys = self.keys();
        let keys = keys.verification_keys();
        json!({"keys": keys.iter().map(crate::VerificationKey::jwk).collect::<Vec<_>>()})
    }
}

pub(crate) fn subject(namespace: &str, name: &str) -> String {
    format!("{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}")
}
