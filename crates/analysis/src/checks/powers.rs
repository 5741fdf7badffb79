//! Rights that lead to more rights. Whether a rule grants one, `rbac` decides.

use model::user::UserInfo;
use rbac::{Attributes, Rule};

/// A right that leads to more.
pub(super) struct Power {
    /// How it is told.
    pub(super) title: &'static str,
    verb: &'static str,
    group: &'static str,
    resource: &'static str,
    subresource: &'static str,
    /// An object's name with which alone the right is as bad; empty if there is none.
    even_named: &'static str,
    /// Whether it can be granted in one namespace.
    pub(super) is_namespaced: bool,
}

impl Power {
    /// Whether a rule alone grants it.
    pub(super) fn is_granted_by(&self, rule: &Rule) -> bool {
        // Rules do not look at who asks.
        let nobody = UserInfo::default();
        let asked = Attributes::resource(&nobody, self.verb, self.group, self.resource)
            .of_subresource(self.subresource);
        rule.allows(&asked)
            || (!self.even_named.is_empty() && rule.allows(&asked.named(self.even_named)))
    }
}

const fn power(
    title: &'static str,
    verb: &'static str,
    group: &'static str,
    resource: &'static str,
    subresource: &'static str,
) -> Power {
    Power {
        title,
        verb,
        group,
        resource,
        subresource,
        even_named: "",
        is_namespaced: true,
    }
}

/// A right on resources of the whole cluster.
const fn cluster(power: Power) -> Power {
    Power {
        is_namespaced: false,
        ..power
    }
}

const fn named(power: Power, name: &'static str) -> Power {
    Power {
        even_named: name,
        ..power
    }
}

const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";
const CERTIFICATES: &str = "certificates.k8s.io";

pub(super) const RAISING: &[Power] = &[
    power("escalate on roles", "escalate", RBAC, "roles", ""),
    cluster(power(
        "escalate on clusterroles",
        "escalate",
        RBAC,
        "clusterroles",
        "",
    )),
    power("bind on roles", "bind", RBAC, "roles", ""),
    named(
        power("bind on clusterroles", "bind", RBAC, "clusterroles", ""),
        "cluster-admin",
    ),
    cluster(power(
        "impersonate on users",
        "impersonate",
        "",
        "users",
        "",
    )),
    cluster(named(
        power("impersonate on groups", "impersonate", "", "groups", ""),
        "system:masters",
    )),
    power(
        "impersonate on serviceaccounts",
        "impersonate",
        "",
        "serviceaccounts",
        "",
    ),
];

pub(super) const READING_SECRETS: &[Power] = &[
    power("get on secrets", "get", "", "secrets", ""),
    power("list on secrets", "list", "", "secrets", ""),
    power("watch on secrets", "watch", "", "secrets", ""),
];

pub(super) const ENTERING_PODS: &[Power] = &[
    power("exec into pods", "create", "", "pods", "exec"),
    power("attach to pods", "create", "", "pods", "attach"),
    power("port-forward to pods", "create", "", "pods", "portforward"),
    power(
        "ephemeral containers of pods",
        "patch",
        "",
        "pods",
        "ephemeralcontainers",
    ),
];

pub(super) const MAKING_TOKENS: &[Power] = &[power(
    "create on serviceaccounts/token",
    "create",
    "",
    "serviceaccounts",
    "token",
)];

pub(super) const PROXYING_NODES: &[Power] = &[
    cluster(power("get on nodes/proxy", "get", "", "nodes", "proxy")),
    cluster(power(
        "create on nodes/proxy",
        "create",
        "",
        "nodes",
        "proxy",
    )),
];

pub(super) const APPROVING: &[Power] = &[
    cluster(power(
        "update on certificatesigningrequests/approval",
        "update",
        CERTIFICATES,
        "certificatesigningrequests",
        "approval",
    )),
    cluster(power(
        "patch on certificatesigningrequests/approval",
        "patch",
        CERTIFICATES,
        "certificatesigningrequests",
        "approval",
    )),
];

pub(super) const CHANGING_WEBHOOKS: &[Power] = &[
    webhook(
        "create on validating webhooks",
        "create",
        "validatingwebhookconfigurations",
    ),
    webhook(
        "update on validating webhooks",
        "update",
        "validatingwebhookconfigurations",
    ),
    webhook(
        "patch on validating webhooks",
        "patch",
        "validatingwebhookconfigurations",
    ),
    webhook(
        "create on mutating webhooks",
        "create",
        "mutatingwebhookconfigurations",
    ),
    webhook(
        "update on mutating webhooks",
        "update",
        "mutatingwebhookconfigurations",
    ),
    webhook(
        "patch on mutating webhooks",
        "patch",
        "mutatingwebhookconfigurations",
    ),
];

const fn webhook(title: &'static str, verb: &'static str, resource: &'static str) -> Power {
    cluster(power(title, verb, ADMISSION, resource, ""))
}

pub(super) const CREATING_VOLUMES: &[Power] = &[cluster(power(
    "create on persistentvolumes",
    "create",
    "",
    "persistentvolumes",
    "",
))];
