//! JSON Web Tokens in compact form (RFC 7515, 7519), signed by a service-account key.

use crate::keys::{ServiceAccountKeys, VerificationKey};
use crate::pki::PkiError;
use crate::sensitive::Sensitive;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// Longer tokens are refused unread; ours are around 1 KiB.
const MAX_LENGTH: usize = 16 * 1024;

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    kid: String,
    /// Extensions that must be understood; none are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crit: Option<serde_json::Value>,
}

/// A token that was taken apart but whose signature is not checked yet.
pub(crate) struct Unverified<'a> {
    header: Header,
    signed: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// Signs `claims`.
pub(crate) fn sign(
    keys: &ServiceAccountKeys,
    claims: &impl Serialize,
) -> Result<Sensitive, PkiError> {
    let (kid, algorithm) = keys.signer();
    let header = Header {
        alg: algorithm.name().to_owned(),
        kid: kid.to_owned(),
        crit: None,
    };
    let encode = |json: Result<Vec<u8>, serde_json::Error>| {
        json.map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
            .map_err(PkiError::crypto)
    };
    let mut token = encode(serde_json::to_vec(&header))?;
    token.push('.');
    token.push_str(&encode(serde_json::to_vec(claims))?);
    let signature = keys.sign(token.as_bytes())?;
    token.push('.');
    token.push_str(&URL_SAFE_NO_PAD.encode(signature));
    Ok(Sensitive::new(token))
}

/// Takes a token apart; `None` if it is no JWT (and so perhaps another authenticator's token).
pub(crate) fn parse(token: &str) -> Option<Unverified<'_>> {
    if token.len() > MAX_LENGTH {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    if payload.contains('.') {
        return None;
    }
    // The decoder is strict: no padding, no bits beyond the data, so that there is one text per
    // token.
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
    Some(Unverified {
        header: serde_json::from_slice(&decode(header)?).ok()?,
        signed,
        payload: decode(payload)?,
        signature: decode(signature)?,
    })
}

impl Unverified<'_> {
    /// The issuer that the token names. Nothing else may be believed before [`Self::verify`].
    pub(crate) fn issuer(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Issuer {
            iss: String,
        }
        serde_json::from_slice::<Issuer>(&self.payload)
            .ok()
            .map(|i| i.iss)
    }

    /// The claims, if one of the keys signed them with its own algorithm. A key id narrows the
    /// choice if one of the keys has it.
    pub(crate) fn verify(&self, keys: &[VerificationKey]) -> Option<&[u8]> {
        if self.header.crit.is_some() {
            return None;
        }
        let known = keys.iter().any(|k| k.id() == self.header.kid);
        keys.iter()
            .filter(|k| !known || k.id() == self.header.kid)
            .filter(|k| k.algorithm().name() == self.header.alg)
            .any(|k| k.verifies(self.signed.as_bytes(), &self.signature))
            .then_some(&self.payload)
    }
}
