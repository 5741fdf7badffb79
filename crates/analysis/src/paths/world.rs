//! The objects that edges lead over, sorted for it.

use super::holdings::Holdings;
use super::policing::Policing;
use super::state::{Name, Scope};
use model::{Value, meta};
use snapshot::{Object, ObjectId, PodTemplate, Snapshot};
use std::collections::{BTreeMap, BTreeSet};

/// Whether pod security lets a privileged pod into a namespace.
pub type AdmitsPrivileged<'a> = dyn Fn(&str) -> bool + 'a;

/// A pod template as an attacker sees it.
#[derive(Debug)]
pub(crate) struct Pod<'a> {
    pub(crate) id: ObjectId,
    pub(crate) template: PodTemplate<'a>,
}

/// A cluster as an attacker sees it.
pub(crate) struct World<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) holdings: Holdings,
    /// Namespaces whose labels admit privileged pods.
    pub(crate) unguarded: BTreeSet<Name>,
    /// What PodSecurityPolicies leave of the power to create pods, if they are in force.
    pub(crate) policing: Option<Policing>,
    pub(crate) namespaces: BTreeSet<Name>,
    /// Names by namespace.
    pub(crate) accounts: BTreeMap<Name, BTreeSet<Name>>,
    pub(crate) secrets: BTreeMap<Name, BTreeSet<Name>>,
    pub(crate) pods: BTreeMap<Name, Vec<Pod<'a>>>,
    pub(crate) nodes: BTreeSet<Name>,
    /// Groups that a user is in beside those that follow from the name.
    pub(crate) further_groups: BTreeMap<Name, Vec<Name>>,
}

impl<'a> World<'a> {
    /// Sorts the objects of a snapshot.
    pub(crate) fn of(
        snapshot: &'a Snapshot,
        admits: &AdmitsPrivileged<'_>,
        is_policed: bool,
    ) -> Self {
        let namespaces: BTreeSet<Name> = snapshot.namespaces().map(Name::from).collect();
        let mut world = Self {
            snapshot,
            holdings: Holdings::of(snapshot),
            unguarded: namespaces.iter().filter(|n| admits(n)).cloned().collect(),
            policing: None,
            namespaces,
            accounts: names(snapshot.of("", "serviceaccounts")),
            secrets: names(snapshot.of("", "secrets")),
            pods: BTreeMap::new(),
            nodes: snapshot
                .of("", "nodes")
                .iter()
                .map(|node| node.name().into())
                .collect(),
            further_groups: BTreeMap::new(),
        };
        if is_policed {
            let policing = Policing::of(snapshot, &world.holdings, &world.accounts);
            world.policing = Some(policing);
        }
        // What a controller made is in the snapshot too, if it is one of a cluster: of a
        // workload and its pods, the pods count.
        let mut makers: BTreeSet<ObjectId> = BTreeSet::new();
        for template in snapshot.pod_templates() {
            let mut here = template.owner;
            // Owners cannot be their own owners for long: chains in the wild have three links.
            for _ in 0..8 {
                let Some(owner) = snapshot.owner(here) else {
                    break;
                };
                makers.extend(snapshot.id(owner));
                here = owner;
            }
        }
        for template in snapshot.pod_templates() {
            let Some(id) = snapshot.id(template.owner) else {
                continue;
            };
            if makers.contains(&id) || template.owner.is("", "podtemplates") {
                continue;
            }
            let namespace: Name = template.namespace().into();
            let secrets = world.secrets.entry(Name::clone(&namespace)).or_default();
            secrets.extend(secrets_of(&template).into_iter().map(|(name, _)| name));
            let node = meta::text(template.spec, &["nodeName"]);
            if !node.is_empty() {
                world.nodes.insert(node.into());
            }
            let pods = world.pods.entry(namespace).or_default();
            pods.push(Pod { id, template });
        }
        world
    }

    /// The namespaces of a scope.
    pub(crate) fn within<'s>(&'s self, scope: &'s Scope) -> Vec<&'s Name> {
        match scope {
            Some(namespace) => vec![namespace],
            None => self.namespaces.iter().collect(),
        }
    }

    /// The pods of a scope.
    pub(crate) fn pods_within<'s>(
        &'s self,
        scope: &Scope,
    ) -> impl Iterator<Item = &'s Pod<'a>> + use<'s, 'a> {
        let only = scope.clone();
        self.pods
            .iter()
            .filter(move |(namespace, _)| only.as_ref().is_none_or(|o| o == *namespace))
            .flat_map(|(_, pods)| pods)
    }
}

fn names(objects: &[Object]) -> BTreeMap<Name, BTreeSet<Name>> {
    let mut all: BTreeMap<Name, BTreeSet<Name>> = BTreeMap::new();
    for object in objects {
        let own = all.entry(object.namespace().into()).or_default();
        own.insert(object.name().into());
    }
    all
}

/// The secrets that the containers of a template can read, each with the field that says so.
/// Secrets that only the kubelet uses (of images and volume drivers) are not among them.
pub(crate) fn secrets_of(template: &PodTemplate<'_>) -> Vec<(Name, String)> {
    let mut all = Vec::new();
    let mut push = |name: &str, field: String| {
        if !name.is_empty() {
            all.push((Name::from(name), field));
        }
    };
    for (at, volume) in template.volumes() {
        let field = |rest: &str| template.field(&format!("volumes[{at}].{rest}"));
        push(
            meta::text(volume, &["secret", "secretName"]),
            field("secret.secretName"),
        );
        let sources = meta::list(volume, &["projected", "sources"]);
        for (index, source) in sources.iter().enumerate() {
            push(
                meta::text(source, &["secret", "name"]),
                field(&format!("projected.sources[{index}].secret.name")),
            );
        }
    }
    for container in template.containers() {
        for (at, env) in meta::list(container.value, &["env"]).iter().enumerate() {
            push(
                meta::text(env, &["valueFrom", "secretKeyRef", "name"]),
                container.field(&format!("env[{at}].valueFrom.secretKeyRef.name")),
            );
        }
        for (at, from) in meta::list(container.value, &["envFrom"]).iter().enumerate() {
            push(
                meta::text(from, &["secretRef", "name"]),
                container.field(&format!("envFrom[{at}].secretRef.name")),
            );
        }
    }
    all
}

/// Whether a pod gets a token for the API server, and the field that says so.
pub(crate) fn token_of(template: &PodTemplate<'_>) -> Option<String> {
    if template.automounts_token() {
        return Some(template.field("serviceAccountName"));
    }
    template.volumes().find_map(|(at, volume)| {
        let sources = meta::list(volume, &["projected", "sources"]);
        let index = sources.iter().position(|source| {
            source
                .get("serviceAccountToken")
                .is_some_and(|token| meta::text(token, &["audience"]).is_empty())
        })?;
        let rest = format!("volumes[{at}].projected.sources[{index}].serviceAccountToken");
        Some(template.field(&rest))
    })
}

/// Directories of a node from which the whole node follows.
const DECISIVE: [&str; 12] = [
    "/",
    "/dev",
    "/etc",
    "/etc/cni",
    "/etc/kubernetes",
    "/home",
    "/proc",
    "/root",
    "/run",
    "/usr",
    "/var",
    "/var/run",
];

/// A way from a pod to its node: the field, what it is, and whether it works for certain.
pub(crate) fn escapes_of(template: &PodTemplate<'_>) -> Vec<(String, String, bool)> {
    let mut all = Vec::new();
    for container in template.containers() {
        if let Some(setting) = container.security("privileged")
            && setting.is_true()
        {
            let text = format!(
                "leaves the privileged container {} for its node",
                container.name()
            );
            all.push((setting.path, text, true));
        }
        if let Some(added) = container.security("capabilities.add") {
            let host_pid = template.spec.get("hostPID") == Some(&Value::Bool(true));
            let enough = |name: &str| {
                matches!(name, "ALL" | "SYS_ADMIN" | "SYS_MODULE")
                    || (host_pid && name == "SYS_PTRACE")
            };
            let found = added
                .value
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .find(|name| enough(name.trim_start_matches("CAP_")));
            if let Some(name) = found {
                let text = format!("leaves container {} with {name}", container.name());
                all.push((added.path, text, name.ends_with("ALL")));
            }
        }
    }
    for (at, volume) in template.volumes() {
        let path = meta::text(volume, &["hostPath", "path"]);
        if path.is_empty() {
            continue;
        }
        let plain = match path.trim_end_matches('/') {
            "" => "/",
            plain => plain,
        };
        let certain = DECISIVE.contains(&plain)
            || plain.starts_with("/var/lib/kubelet")
            || plain.starts_with("/etc/kubernetes")
            || plain.ends_with(".sock");
        let field = template.field(&format!("volumes[{at}].hostPath.path"));
        all.push((field, format!("reaches the node's {path}"), certain));
    }
    all
}
