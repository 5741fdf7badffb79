//! Any cluster, through a kubeconfig: its objects, read once and never written.
//!
//! Kubeconfig files, contexts, exec plugins, tokens, client certificates and the credentials of a
//! pod are `kube`'s to understand. Objects are read page by page, as they are served, by the
//! decoder that reads manifests.

mod discover;
mod list;

pub use list::{Progress, Reading};

use kube::config::{KubeConfigOptions, Kubeconfig};
use model::user::UserInfo;
use std::path::PathBuf;
use std::time::Duration;

/// How long a connection may take, and each answer.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(120);

/// Which cluster, and as whom.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// The kubeconfig file; without one, `$KUBECONFIG`, `~/.kube/config`, or the service account
    /// of the pod that this runs in.
    pub kubeconfig: Option<PathBuf>,
    /// The context; without one, the current one.
    pub context: Option<String>,
}

/// Why a cluster could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The kubeconfig is missing, or makes no sense.
    #[error("kubeconfig: {0}")]
    Kubeconfig(String),
    /// The cluster cannot be reached, or does not let the user in.
    #[error("{server}: {reason}")]
    Unreachable {
        /// The server's URL.
        server: String,
        /// What happened.
        reason: String,
    },
}

/// A connection to a cluster.
#[derive(Clone)]
pub struct Client {
    inner: kube::Client,
    server: String,
    namespace: String,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("server", &self.server)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Reads the kubeconfig. Nothing is sent yet.
    pub async fn connect(target: &Target) -> Result<Self, ClientError> {
        let wrong = |error: &dyn std::error::Error| ClientError::Kubeconfig(chain(error));
        let options = KubeConfigOptions {
            context: target.context.clone(),
            ..KubeConfigOptions::default()
        };
        let mut config = match (&target.kubeconfig, &target.context) {
            (Some(path), _) => {
                let file = Kubeconfig::read_from(path).map_err(|e| wrong(&e))?;
                kube::Config::from_custom_kubeconfig(file, &options)
                    .await
                    .map_err(|e| wrong(&e))?
            }
            (None, Some(_)) => kube::Config::from_kubeconfig(&options)
                .await
                .map_err(|e| wrong(&e))?,
            (None, None) => kube::Config::infer().await.map_err(|e| wrong(&e))?,
        };
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = Some(ANSWER);
        config.reset_reader_on_write = true;
        let server = config.cluster_url.to_string();
        let namespace = config.default_namespace.clone();
        let inner = kube::Client::try_from(config).map_err(|e| wrong(&e))?;
        Ok(Self {
            inner,
            server: server.trim_end_matches('/').to_owned(),
            namespace,
        })
    }

    /// The server's URL.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The namespace that the context chooses, else `default`.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Who the cluster takes the user for. The answer of a review, which is kept nowhere.
    pub async fn whoami(&self) -> Result<UserInfo, ClientError> {
        let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
        let body = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#;
        let request = http::Request::post(path)
            .header("Content-Type", "application/json")
            .body(body.as_bytes().to_vec())
            .map_err(|e| self.unreachable(chain(&e)))?;
        let review: model::Value = self
            .inner
            .request(request)
            .await
            .map_err(|e| self.unreachable(chain(&e)))?;
        let user = model::meta::at(&review, &["status", "userInfo"]).cloned();
        serde_json::from_value(user.unwrap_or_default()).map_err(|e| self.unreachable(chain(&e)))
    }

    fn unreachable(&self, reason: impl Into<String>) -> ClientError {
        ClientError::Unreachable {
            server: self.server.clone(),
            reason: reason.into(),
        }
    }
}

/// An error with what caused it, each text once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = cause.source();
    }
    text
}
