//! Who the cluster's own parts are, and how long the administrator's certificate is good.

use identity::{ClientCredential, Kubeconfig, Pki, PkiError};
use model::user::{MASTERS, NODES, UserInfo};
use std::path::Path;
use std::time::Duration;

/// The administrator's certificate is made anew at every start.
const ADMIN_TTL: Duration = Duration::from_secs(365 * 86_400);
const ADMIN: &str = "rampart-admin";

/// The server itself: makes what every cluster has.
pub(crate) fn server() -> UserInfo {
    UserInfo::new(
        "system:apiserver",
        [MASTERS, model::user::ALL_AUTHENTICATED],
    )
}

/// What all controllers look through.
pub(crate) fn controller_manager() -> UserInfo {
    UserInfo::new(
        "system:kube-controller-manager",
        [model::user::ALL_AUTHENTICATED],
    )
}

/// The scheduler.
pub(crate) fn scheduler() -> UserInfo {
    UserInfo::new("system:kube-scheduler", [model::user::ALL_AUTHENTICATED])
}

/// A node.
pub(crate) fn node(name: &str) -> UserInfo {
    UserInfo::new(
        format!("system:node:{name}"),
        [NODES, model::user::ALL_AUTHENTICATED],
    )
}

/// A controller, as a service account of `kube-system`.
pub(crate) fn controller(name: &str) -> UserInfo {
    UserInfo::new(
        format!("system:serviceaccount:kube-system:{name}"),
        [
            model::user::SERVICE_ACCOUNTS,
            "system:serviceaccounts:kube-system",
            model::user::ALL_AUTHENTICATED,
        ],
    )
}

/// Writes the administrator's kubeconfig with a new certificate.
pub(crate) fn write_admin(pki: &Pki, url: &str, path: &Path, now: i64) -> Result<(), PkiError> {
    let groups = [MASTERS.to_owned()];
    let credential: ClientCredential = pki.issue_client(ADMIN, &groups, ADMIN_TTL, now)?;
    Kubeconfig {
        cluster: crate::commands::CLUSTER,
        server: url,
        ca_pem: pki.ca_pem(),
        user: ADMIN,
        namespace: None,
        credential: &credential,
    }
    .write(path)
}
