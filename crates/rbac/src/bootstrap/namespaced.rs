//! Roles and RoleBindings of `kube-system` and `kube-public`.

use super::DefaultSubject::{Account, User};
use super::{DefaultBinding, DefaultRole, DefaultSubject, READ, events, named, rule};
use crate::object::RoleKind;

const SYSTEM: &str = "kube-system";
const PUBLIC: &str = "kube-public";

/// All Roles.
pub fn roles() -> Vec<DefaultRole> {
    let leader_locking = |component: &str| {
        DefaultRole::new(
            format!("system::leader-locking-{component}"),
            vec![
                rule("watch", "core", "configmaps"),
                named("get update", "core", "configmaps", component),
                rule(
                    "create get list update watch",
                    "coordination.k8s.io",
                    "leases",
                ),
                rule(
                    "create get list update watch",
                    "coordination.k8s.io",
                    "leasecandidates",
                ),
            ],
        )
        .in_namespace(SYSTEM)
    };
    vec![
        DefaultRole::new(
            "system:controller:bootstrap-signer",
            vec![
                rule(READ, "core", "configmaps"),
                named("update", "core", "configmaps", "cluster-info"),
                events(),
            ],
        )
        .in_namespace(PUBLIC),
        DefaultRole::new(
            "extension-apiserver-authentication-reader",
            vec![named(
                READ,
                "core",
                "configmaps",
                "extension-apiserver-authentication",
            )],
        )
        .in_namespace(SYSTEM),
        leader_locking("kube-controller-manager"),
        leader_locking("kube-scheduler"),
        DefaultRole::new(
            "system:controller:bootstrap-signer",
            vec![rule(READ, "core", "secrets")],
        )
        .in_namespace(SYSTEM),
        DefaultRole::new(
            "system:controller:cloud-provider",
            vec![rule("create get list watch", "core", "configmaps")],
        )
        .in_namespace(SYSTEM),
        DefaultRole::new(
            "system:controller:token-cleaner",
            vec![rule("delete get list watch", "core", "secrets"), events()],
        )
        .in_namespace(SYSTEM),
    ]
}

/// All RoleBindings.
pub fn bindings() -> Vec<DefaultBinding> {
    let manager = User("system:kube-controller-manager");
    let scheduler = User("system:kube-scheduler");
    let account = |name: &str| Account(name.to_owned());
    let same =
        |namespace: &'static str, name: &str, subjects: Vec<DefaultSubject>| DefaultBinding {
            namespace,
            name: name.to_owned(),
            role_kind: RoleKind::Role,
            role: name.to_owned(),
            subjects,
        };
    vec![
        same(
            PUBLIC,
            "system:controller:bootstrap-signer",
            vec![account("bootstrap-signer")],
        ),
        DefaultBinding {
            name: "system::extension-apiserver-authentication-reader".to_owned(),
            ..same(
                SYSTEM,
                "extension-apiserver-authentication-reader",
                vec![manager.clone(), scheduler.clone()],
            )
        },
        same(
            SYSTEM,
            "system::leader-locking-kube-controller-manager",
            vec![
                manager,
                account("kube-controller-manager"),
                account("leader-election-controller"),
            ],
        ),
        same(
            SYSTEM,
            "system::leader-locking-kube-scheduler",
            vec![scheduler, account("kube-scheduler")],
        ),
        same(
            SYSTEM,
            "system:controller:bootstrap-signer",
            vec![account("bootstrap-signer")],
        ),
        same(
            SYSTEM,
            "system:controller:cloud-provider",
            vec![account("cloud-provider")],
        ),
        same(
            SYSTEM,
            "system:controller:token-cleaner",
            vec![account("token-cleaner")],
        ),
    ]
}
