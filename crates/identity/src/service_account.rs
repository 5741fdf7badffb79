//! Authentication by service-account token.

use crate::claims::{Claims, LEGACY_ISSUER, LegacyClaims, Reference};
use crate::issuer::{TokenIssuer, subject};
use crate::objects::{ObjectState, Objects};
use crate::{Authenticator, CREDENTIAL_ID, Clock, Credentials, Identity, Rejection, jwt};
use futures::future::BoxFuture;
use model::user::{SERVICE_ACCOUNTS, UserInfo};
use parking_lot::RwLock;
use ring::digest;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";
const NODE_UID: &str = "authentication.kubernetes.io/node-uid";
const SECRET_TYPE: &str = "kubernetes.io/service-account-token";

/// For how long after its deletion time an object still vouches for its tokens.
const DELETION_LEEWAY: i64 = 60;

/// Signatures that are remembered as good.
const MAX_REMEMBERED: usize = 8192;

/// Authenticates tokens that [`TokenIssuer`] issued, and the tokens in secrets.
///
/// A signature is checked once and remembered under the token's SHA-256 (a signature that was
/// good stays good); times, audiences and the objects that the token is bound to are checked at
/// every request.
pub struct ServiceAccountTokens {
    issuer: TokenIssuer,
    objects: Arc<dyn Objects>,
    clock: Clock,
    verified: RwLock<HashMap<[u8; 32], Arc<Verified>>>,
}

struct Verified {
    claims: Kind,
    user: UserInfo,
}

enum Kind {
    Bound(Box<Claims>),
    Legacy(LegacyClaims),
}

impl ServiceAccountTokens {
    /// Accepts the tokens of `issuer` whose objects are as the token says.
    pub fn new(issuer: TokenIssuer, objects: Arc<dyn Objects>, clock: Clock) -> Self {
        Self {
            issuer,
            objects,
            clock,
            verified: RwLock::default(),
        }
    }

    /// Who the token stands for, if it is meant for one of `audiences` (of the API itself, if
    /// none are given). `Ok(None)`: not a token of this issuer.
    pub fn identify(
        &self,
        token: &str,
        audiences: &[String],
    ) -> Result<Option<Identity>, Rejection> {
        let Some(verified) = self.verified(token)? else {
            return Ok(None);
        };
        let api = self.issuer.api_audiences();
        let requested = if audiences.is_empty() { api } else { audiences };
        let accepted: Vec<String> = match &verified.claims {
            // Tokens without audiences are the API's own.
            Kind::Legacy(_) => both(api, requested),
            Kind::Bound(claims) if claims.aud.as_slice().is_empty() => both(api, requested),
            Kind::Bound(claims) => both(claims.aud.as_slice(), requested),
        };
        if accepted.is_empty() {
            return Err(reject("the token is meant for other audiences"));
        }
        let now = (self.clock)();
        match &verified.claims {
            Kind::Bound(claims) => self.check(claims, now)?,
            Kind::Legacy(claims) => self.check_legacy(claims, token)?,
        }
        Ok(Some(Identity {
            user: verified.user.clone(),
            audiences: accepted,
        }))
    }

    fn verified(&self, token: &str) -> Result<Option<Arc<Verified>>, Rejection> {
        let mut key = [0; 32];
        key.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        if let Some(found) = self.verified.read().get(&key) {
            return Ok(Some(found.clone()));
        }
        let Some(parsed) = jwt::parse(token) else {
            return Ok(None);
        };
        let legacy = match parsed.issuer() {
            Some(iss) if iss == self.issuer.issuer() => false,
            Some(iss) if iss == LEGACY_ISSUER => true,
            _ => return Ok(None),
        };
        let payload = parsed
            .verify(self.issuer.keys().verification_keys())
            .ok_or_else(|| reject("the token's signature is not good"))?;
        let unreadable = |_| reject("the token's claims cannot be read");
        let verified = if legacy {
            let claims: LegacyClaims = serde_json::from_slice(payload).map_err(unreadable)?;
            Verified {
                user: legacy_user(&claims),
                claims: Kind::Legacy(claims),
            }
        } else {
            let claims: Claims = serde_json::from_slice(payload).map_err(unreadable)?;
            Verified {
                user: user(&claims),
                claims: Kind::Bound(Box::new(claims)),
            }
        };
        let verified = Arc::new(verified);
        let mut remembered = self.verified.write();
        if remembered.len() >= MAX_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(key, verified.clone());
        Ok(Some(verified))
    }

    fn check(&self, claims: &Claims, now: i64) -> Result<(), Rejection> {
        let private = &claims.kubernetes;
        let namespace = &private.namespace;
        if now >= claims.exp {
            return Err(reject("the token has expired"));
        }
        if now < claims.nbf || now < claims.iat {
            return Err(reject("the token is not valid yet"));
        }
        if claims.sub != subject(namespace, &private.serviceaccount.name) {
            return Err(reject("the token's subject is not its service account"));
        }
        let account = self
            .objects
            .service_account(namespace, &private.serviceaccount.name);
        alive("service account", account, &private.serviceaccount, now)?;
        if let Some(secret) = &private.secret {
            let found = self.objects.secret(namespace, &secret.name);
            alive("secret", found.map(|s| s.object), secret, now)?;
        }
        if let Some(pod) = &private.pod {
            let found = self.objects.pod(namespace, &pod.name);
            alive("pod", found.map(|p| p.object), pod, now)?;
        } else if let Some(node) = &private.node {
            // A pod's token names its node for information only and lives with the pod.
            alive("node", self.objects.node(&node.name), node, now)?;
        }
        Ok(())
    }

    fn check_legacy(&self, claims: &LegacyClaims, token: &str) -> Result<(), Rejection> {
        if claims.sub != subject(&claims.namespace, &claims.service_account) {
            return Err(reject("the token's subject is not its service account"));
        }
        let secret = self
            .objects
            .secret(&claims.namespace, &claims.secret)
            .filter(|s| s.object.deletion_timestamp.is_none() && s.kind == SECRET_TYPE)
            .ok_or_else(|| reject("the token's secret is gone"))?;
        // By digest, so that the time it takes says nothing about the secret's content.
        let hash = |text: &str| digest::digest(&digest::SHA256, text.as_bytes());
        let same = secret
            .token
            .as_ref()
            .is_some_and(|t| hash(t.expose()).as_ref() == hash(token).as_ref());
        if !same {
            return Err(reject("the token is not the one in its secret"));
        }
        if secret.invalid_since.is_some() {
            return Err(reject("the token's secret is marked as invalid"));
        }
        let account = self
            .objects
            .service_account(&claims.namespace, &claims.service_account)
            .filter(|a| a.deletion_timestamp.is_none())
            .ok_or_else(|| reject("the token's service account is gone"))?;
        if account.uid != claims.uid {
            return Err(reject("the token's service account is another one now"));
        }
        Ok(())
    }
}

impl Authenticator for ServiceAccountTokens {
    fn authenticate<'a>(
        &'a self,
        credentials: &'a Credentials<'a>,
    ) -> BoxFuture<'a, Result<Option<Identity>, Rejection>> {
        let answer = match credentials.bearer {
            Some(token) => self.identify(token, credentials.audiences),
            None => Ok(None),
        };
        Box::pin(std::future::ready(answer))
    }
}

fn reject(why: &str) -> Rejection {
    Rejection(format!("service account token: {why}"))
}

fn both(of: &[String], requested: &[String]) -> Vec<String> {
    of.iter()
        .filter(|a| requested.contains(a))
        .cloned()
        .collect()
}

fn alive(
    what: &str,
    found: Option<ObjectState>,
    expected: &Reference,
    now: i64,
) -> Result<(), Rejection> {
    let Some(found) = found else {
        return Err(reject(&format!("the {what} is gone")));
    };
    if found
        .deletion_timestamp
        .is_some_and(|at| at < now.saturating_sub(DELETION_LEEWAY))
    {
        return Err(reject(&format!("the {what} was deleted")));
    }
    if found.uid != expected.uid {
        return Err(reject(&format!("the {what} is another one now")));
    }
    Ok(())
}

fn account(namespace: &str, name: &str, uid: &str) -> UserInfo {
    UserInfo {
        name: subject(namespace, name),
        uid: uid.to_owned(),
        groups: vec![
            SERVICE_ACCOUNTS.to_owned(),
            format!("{SERVICE_ACCOUNTS}:{namespace}"),
        ],
        extra: BTreeMap::new(),
    }
}

fn user(claims: &Claims) -> UserInfo {
    let private = &claims.kubernetes;
    let of = &private.serviceaccount;
    let mut user = account(&private.namespace, &of.name, &of.uid);
    let mut add = |key: &str, value: String| {
        if !value.is_empty() {
            user.extra.insert(key.to_owned(), vec![value]);
        }
    };
    if !claims.jti.is_empty() {
        add(CREDENTIAL_ID, format!("JTI={}", claims.jti));
    }
    for (reference, name, uid) in [
        (&private.pod, POD_NAME, POD_UID),
        (&private.node, NODE_NAME, NODE_UID),
    ] {
        if let Some(reference) = reference {
            add(name, reference.name.clone());
            add(uid, reference.uid.clone());
        }
    }
    user
}

fn legacy_user(claims: &LegacyClaims) -> UserInfo {
    account(&claims.namespace, &claims.service_account, &claims.uid)
}

#[cfg(test)]
mod tests;
