//! Secrets of type `kubernetes.io/service-account-token`: filled with a token of their account,
//! and removed with it (upstream's tokens-controller).

use crate::{Action, Target};
use model::{Value, meta};

/// The type of the secrets this is about.
pub const TYPE: &str = "kubernetes.io/service-account-token";
/// The annotation that names the account.
pub const NAME_ANNOTATION: &str = "kubernetes.io/service-account.name";
/// The annotation that holds the account's UID.
pub const UID_ANNOTATION: &str = "kubernetes.io/service-account.uid";

/// What a token secret needs.
#[derive(Debug, Clone, PartialEq)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// A token (and the account's UID, the namespace and the CA) written into it.
    Token,
    /// To be deleted: its account is gone.
    Remove(Action),
}

/// What `secret` needs, given the UID of the account it names, if that exists, and the cluster's
/// CA certificate (base64, as secrets hold it).
pub fn reconcile(secret: &Value, account_uid: Option<&str>, certificate: &str) -> Need {
    let annotations = meta::annotations(secret);
    if annotations
        .get(NAME_ANNOTATION)
        .is_none_or(|name| name.is_empty())
    {
        return Need::Nothing;
    }
    if meta::text(secret, &["type"]) != TYPE
        || meta::at(secret, &["metadata", "deletionTimestamp"]).is_some()
    {
        return Need::Nothing;
    }
    let wanted = annotations.get(UID_ANNOTATION).copied().unwrap_or_default();
    match account_uid {
        Some(uid) if wanted.is_empty() || wanted == uid => {
            let data = |key: &str| meta::text(secret, &["data", key]);
            let complete = wanted == uid
                && !data("token").is_empty()
                && !data("namespace").is_empty()
                && data("ca.crt") == certificate;
            if complete { Need::Nothing } else { Need::Token }
        }
        // Without a UID of its own, the secret may have come before its account.
        None if wanted.is_empty() => Need::Nothing,
        _ => Need::Remove(Action::Delete(
            Target::core("secrets", meta::namespace(secret), meta::name(secret)),
            meta::uid(secret).to_owned(),
            None,
        )),
    }
}
