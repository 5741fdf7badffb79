//! Who holds what leads to more: the rows of the matrix that somebody should look at first.

use crate::page::{self, Html};
use analysis::access::{Access, Matrix, Row, VERBS};
use snapshot::{Snapshot, Standing};
use std::collections::BTreeSet;

/// How many holders are named.
const NAMED: usize = 8;

/// A power: one of the verbs on one of the resources.
struct Power {
    title: &'static str,
    verbs: &'static [&'static str],
    /// By group, plural name and subresource.
    resources: &'static [(&'static str, &'static str, &'static str)],
}

const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";
const WRITE: &[&str] = &["create", "update", "patch"];

const POWERS: &[Power] = &[
    Power {
        title: "read secrets",
        verbs: &["get", "list", "watch"],
        resources: &[("", "secrets", "")],
    },
    Power {
        title: "make pods",
        verbs: WRITE,
        resources: &[
            ("", "pods", ""),
            ("", "replicationcontrollers", ""),
            ("apps", "daemonsets", ""),
            ("apps", "deployments", ""),
            ("apps", "replicasets", ""),
            ("apps", "statefulsets", ""),
            ("batch", "cronjobs", ""),
            ("batch", "jobs", ""),
        ],
    },
    Power {
        title: "run commands in pods",
        verbs: &["get", "create", "update", "patch"],
        resources: &[
            ("", "pods", "exec"),
            ("", "pods", "attach"),
            ("", "pods", "ephemeralcontainers"),
        ],
    },
    Power {
        title: "make tokens of service accounts",
        verbs: &["create"],
        resources: &[("", "serviceaccounts", "token")],
    },
    Power {
        title: "act as others",
        verbs: &["impersonate"],
        resources: &[
            ("", "users", ""),
            ("", "groups", ""),
            ("", "serviceaccounts", ""),
        ],
    },
    Power {
        title: "give roles beyond their own",
        verbs: &["bind", "escalate"],
        resources: &[(RBAC, "roles", ""), (RBAC, "clusterroles", "")],
    },
    Power {
        title: "write bindings",
        verbs: WRITE,
        resources: &[
            (RBAC, "rolebindings", ""),
            (RBAC, "clusterrolebindings", ""),
        ],
    },
    Power {
        title: "reach nodes through the API",
        verbs: &["get", "create", "update", "patch"],
        resources: &[("", "nodes", "proxy")],
    },
    Power {
        title: "write admission webhooks",
        verbs: WRITE,
        resources: &[
            (ADMISSION, "mutatingwebhookconfigurations", ""),
            (ADMISSION, "validatingwebhookconfigurations", ""),
        ],
    },
    Power {
        title: "approve certificates",
        verbs: &["update", "patch"],
        resources: &[(
            "certificates.k8s.io",
            "certificatesigningrequests",
            "approval",
        )],
    },
];

impl Power {
    /// The degree in which a row of the matrix has it.
    fn held(&self, matrix: &Matrix, row: &Row) -> Access {
        let mut most = Access::No;
        for (at, cells) in &row.cells {
            let Some(resource) = matrix.resources.get(*at) else {
                continue;
            };
            let names = (
                resource.group.as_str(),
                resource.resource.as_str(),
                resource.subresource.as_str(),
            );
            if !self.resources.contains(&names) {
                continue;
            }
            for (place, verb) in VERBS.iter().enumerate() {
                if self.verbs.contains(verb) {
                    most = most.max(cells.access(place));
                }
            }
        }
        most
    }
}

/// Writes a table of powers with their holders, but for those that every cluster has.
pub(super) fn write(out: &mut Html, snapshot: &Snapshot, matrix: &Matrix) {
    let rows: Vec<&Row> = matrix
        .rows
        .iter()
        .filter(|row| {
            let mut bindings = row.bindings.iter().filter_map(|id| snapshot.get(*id));
            bindings.any(|binding| binding.standing != Standing::Given)
        })
        .collect();
    let mut found = Vec::new();
    for power in POWERS {
        let holders: BTreeSet<String> = rows
            .iter()
            .filter_map(|row| {
                let named = match power.held(matrix, row) {
                    Access::No => return None,
                    Access::Named => " (by name)",
                    Access::Yes => "",
                };
                let place = match row.namespace.as_str() {
                    "" => String::new(),
                    namespace => format!(" in {namespace}"),
                };
                let (kind, name) = page::matrix::named(&row.subject);
                Some(format!("{kind} {name}{place}{named}"))
            })
            .collect();
        if !holders.is_empty() {
            found.push((power.title, holders));
        }
    }
    if found.is_empty() {
        out.raw("<p class=\"good\">Nobody but who does in every cluster may read secrets, make ");
        out.raw("pods, act as others or do anything else that leads to more.</p>\n");
        return;
    }
    out.raw("<table class=\"plain\" id=\"powers\">\n<thead><tr><th scope=\"col\">Who may</th>");
    out.raw("<th scope=\"col\" class=\"number\">How many</th>");
    out.raw("<th scope=\"col\">Among them</th></tr></thead>\n<tbody>\n");
    for (title, holders) in found {
        out.raw("<tr><td>")
            .raw(title)
            .raw("</td><td class=\"number\">");
        out.count(holders.len()).raw("</td><td class=\"code\">");
        for (at, holder) in holders.iter().take(NAMED).enumerate() {
            out.raw(if at == 0 { "<bdi>" } else { ", <bdi>" });
            out.text(holder).raw("</bdi>");
        }
        out.raw("</td></tr>\n");
    }
    out.raw("</tbody></table>\n");
}
