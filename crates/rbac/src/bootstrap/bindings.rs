//! ClusterRoleBindings of people and components.

use super::DefaultBinding;
use super::DefaultSubject::{Account, Group, User};
use model::user::{ALL_AUTHENTICATED, ALL_UNAUTHENTICATED, MASTERS, SERVICE_ACCOUNTS};

/// The one binding that upstream does not have: anybody may read the service account issuer's
/// configuration and public keys. Upstream lets only service accounts read them and leaves the
/// rest to the administrator; relying parties outside the cluster, who verify tokens by them,
/// have no account here. There is nothing secret in them. Setting the autoupdate annotation of
/// this binding to `false` and removing its subjects closes it again.
pub const ISSUER_DISCOVERY: &str = "rampart:service-account-issuer-discovery";

/// All of them.
pub fn cluster_role_bindings() -> Vec<DefaultBinding> {
    let manager = User("system:kube-controller-manager");
    let scheduler = User("system:kube-scheduler");
    let mut all: Vec<DefaultBinding> = [
        ("cluster-admin", vec![Group(MASTERS)]),
        ("system:basic-user", vec![Group(ALL_AUTHENTICATED)]),
        ("system:discovery", vec![Group(ALL_AUTHENTICATED)]),
        ("system:kube-controller-manager", vec![manager]),
        ("system:kube-dns", vec![Account("kube-dns".to_owned())]),
        ("system:kube-scheduler", vec![scheduler.clone()]),
        ("system:monitoring", vec![Group("system:monitoring")]),
        // Nobody: nodes get this through the Node authorizer.
        ("system:node", vec![]),
        ("system:node-proxier", vec![User("system:kube-proxy")]),
        (
            "system:public-info-viewer",
            vec![Group(ALL_AUTHENTICATED), Group(ALL_UNAUTHENTICATED)],
        ),
        (
            "system:service-account-issuer-discovery",
            vec![Group(SERVICE_ACCOUNTS)],
        ),
        ("system:volume-scheduler", vec![scheduler]),
    ]
    .into_iter()
    .map(|(name, subjects)| DefaultBinding::cluster(name, subjects))
    .collect();
    all.push(DefaultBinding {
        name: ISSUER_DISCOVERY.to_owned(),
        ..DefaultBinding::cluster(
            "system:service-account-issuer-discovery",
            vec![Group(ALL_AUTHENTICATED), Group(ALL_UNAUTHENTICATED)],
        )
    });
    all
}
