//! Kubeconfig files with embedded certificates.

use crate::{ClientCredential, PkiError, Sensitive, write_private};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::Path;

/// What goes into a kubeconfig of one cluster, one user and one context, which is the current one.
#[derive(Debug, Clone)]
pub struct Kubeconfig<'a> {
    /// The cluster's name.
    pub cluster: &'a str,
    /// The server's URL, such as `https://127.0.0.1:6443`.
    pub server: &'a str,
    /// The CA certificate in PEM.
    pub ca_pem: &'a str,
    /// The user entry's name; the context is `USER@CLUSTER`.
    pub user: &'a str,
    /// The context's namespace, if it is to have one.
    pub namespace: Option<&'a str>,
    /// The user's certificate and key.
    pub credential: &'a ClientCredential,
}

impl Kubeconfig<'_> {
    /// The file's content (YAML). It holds the user's private key.
    pub fn render(&self) -> Sensitive {
        let context = scalar(&format!("{}@{}", self.user, self.cluster));
        let cluster = scalar(self.cluster);
        let user = scalar(self.user);
        let namespace = self
            .namespace
            .map(|n| format!("    namespace: {}\n", scalar(n)))
            .unwrap_or_default();
        Sensitive::new(format!(
            "apiVersion: v1\n\
             kind: Config\n\
             clusters:\n\
             - cluster:\n    \
                 certificate-authority-data: {ca}\n    \
                 server: {server}\n  \
               name: {cluster}\n\
             contexts:\n\
             - context:\n    \
                 cluster: {cluster}\n\
             {namespace}    \
                 user: {user}\n  \
               name: {context}\n\
             current-context: {context}\n\
             preferences: {{}}\n\
             users:\n\
             - name: {user}\n  \
               user:\n    \
                 client-certificate-data: {certificate}\n    \
                 client-key-data: {key}\n",
            ca = STANDARD.encode(self.ca_pem),
            server = scalar(self.server),
            certificate = STANDARD.encode(&self.credential.certificate_pem),
            key = STANDARD.encode(self.credential.key_pem.expose()),
        ))
    }

    /// Writes the file with mode 0600, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), PkiError> {
        write_private(path, self.render().expose().as_bytes())
    }
}

/// A YAML scalar in double quotes: JSON's escapes are YAML's.
fn scalar(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
