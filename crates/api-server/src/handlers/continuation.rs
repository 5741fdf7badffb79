//! The tokens with which a list goes on after its limit: the revision and the key to start at.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::status::Status;
use serde::{Deserialize, Serialize};

const VERSION: &str = "meta.k8s.io/v1";

#[derive(Serialize, Deserialize)]
struct Token {
    #[serde(default)]
    v: String,
    #[serde(default)]
    rv: i64,
    #[serde(default)]
    start: String,
}

/// Where a list goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continuation {
    /// At which revision; `None` for the newest (after the client accepted an inconsistent list).
    pub revision: Option<u64>,
    /// From which key on, below the list's prefix.
    pub start: String,
}

impl Continuation {
    /// The token.
    pub fn encode(&self) -> String {
        let token = Token {
            v: VERSION.to_owned(),
            rv: self
                .revision
                .map_or(-1, |r| i64::try_from(r).unwrap_or(i64::MAX)),
            start: self.start.clone(),
        };
        // A struct of two texts and a number is always written.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).unwrap_or_default())
    }

    /// Reads a token.
    pub fn decode(text: &str) -> Result<Self, Status> {
        let bad = |why: &str| Status::bad_request(format!("continue key is not valid: {why}"));
        let bytes = URL_SAFE_NO_PAD
            .decode(text.trim_end_matches('='))
            .map_err(|e| bad(&e.to_string()))?;
        let token: Token = serde_json::from_slice(&bytes).map_err(|e| bad(&e.to_string()))?;
        if token.v != VERSION {
            return Err(bad(&format!(
                "server does not recognize this encoded version \"{}\"",
                token.v
            )));
        }
        if token.rv == 0 {
            return Err(bad(
                "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
            ));
        }
        let outside = token
            .start
            .split('/')
            .any(|part| matches!(part, "." | ".."));
        if token.start.is_empty() || token.start.starts_with('/') || outside {
            return Err(bad(&format!(
                "encoded start key \"{}\" is not below the list",
                token.start.escape_debug()
            )));
        }
        Ok(Self {
            revision: u64::try_from(token.rv).ok(),
            start: token.start,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_back_and_foreign_ones_refused() {
        for revision in [None, Some(7)] {
            let token = Continuation {
                revision,
                start: "default/web\0".to_owned(),
            };
            assert_eq!(Continuation::decode(&token.encode()).unwrap(), token);
        }
        let encode = |json: &str| URL_SAFE_NO_PAD.encode(json);
        for text in [
            "%%%".to_owned(),
            encode("[]"),
            encode(r#"{"v":"meta.k8s.io/v9","rv":1,"start":"a"}"#),
            encode(r#"{"v":"meta.k8s.io/v1","rv":0,"start":"a"}"#),
            encode(r#"{"v":"meta.k8s.io/v1","rv":1,"start":""}"#),
            encode(r#"{"v":"meta.k8s.io/v1","rv":1,"start":"../secrets/a"}"#),
        ] {
            assert_eq!(Continuation::decode(&text).unwrap_err().code, 400, "{text}");
        }
    }
}
