//! Pod templates, of every kind that carries one.

use crate::builder::join;
use crate::container::{Container, ContainerKind};
use crate::object::Object;
use crate::set::{Snapshot, field};
use crate::workloads::Place;
use model::{Value, meta};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What pods are made from: a Pod itself, or the template in a workload.
#[derive(Debug, Clone, Copy)]
pub struct PodTemplate<'a> {
    /// The object that carries it.
    pub owner: &'a Object,
    /// Where in the owner it is: empty for a Pod.
    pub path: &'a str,
    /// What tells it from the owner's other templates, such as `Worker`; empty if there can be no
    /// others.
    pub part: &'a str,
    /// Its `metadata`; null if it has none.
    pub metadata: &'a Value,
    /// Its `spec`.
    pub spec: &'a Value,
    snapshot: &'a Snapshot,
}

impl<'a> PodTemplate<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot, owner: &'a Object, at: &'a Place) -> Option<Self> {
        let template = field(&owner.value, &at.path)?;
        Some(Self {
            owner,
            path: &at.path,
            part: &at.part,
            metadata: template.get("metadata").unwrap_or(&Value::Null),
            spec: template.get("spec")?,
            snapshot,
        })
    }

    /// The snapshot that it is part of.
    pub fn snapshot(&self) -> &'a Snapshot {
        self.snapshot
    }

    /// The name that tells it from all others of the owner's kind and namespace: the owner's, and
    /// for one of several templates its part, in lower case as names are: `train-worker`.
    pub fn name(&self) -> Cow<'a, str> {
        match self.part {
            "" => Cow::Borrowed(self.owner.name()),
            part => Cow::Owned(format!("{}-{}", self.owner.name(), part.to_lowercase())),
        }
    }

    /// The namespace that its pods live in.
    pub fn namespace(&self) -> &'a str {
        self.owner.namespace()
    }

    /// The path in the owner of a field of the pod's spec: `spec.template.spec.hostNetwork`.
    pub fn field(&self, path: &str) -> String {
        join(&join(self.path, "spec"), path)
    }

    /// The path in the owner of a field of the pod's metadata.
    pub fn metadata_field(&self, path: &str) -> String {
        join(&join(self.path, "metadata"), path)
    }

    /// Whether no controller of the snapshot made the owner of another pod template: of a
    /// Deployment, its ReplicaSet and that one's Pods, the Deployment.
    pub fn is_outermost(&self) -> bool {
        let above = self.snapshot.owner(self.owner);
        above.is_none_or(|above| self.snapshot.pod_template(above).is_none())
    }

    /// The labels that its pods have.
    pub fn labels(&self) -> BTreeMap<&'a str, &'a str> {
        meta::strings(self.metadata, &["labels"])
    }

    /// The annotations that its pods have.
    pub fn annotations(&self) -> BTreeMap<&'a str, &'a str> {
        meta::strings(self.metadata, &["annotations"])
    }

    /// The name of the service account that its pods run as, `default` if none is named.
    pub fn service_account_name(&self) -> &'a str {
        ["serviceAccountName", "serviceAccount"]
            .into_iter()
            .map(|field| meta::text(self.spec, &[field]))
            .find(|name| !name.is_empty())
            .unwrap_or("default")
    }

    /// The service account that its pods run as, if it exists.
    pub fn service_account(&self) -> Option<&'a Object> {
        self.snapshot
            .service_account(self.namespace(), self.service_account_name())
    }

    /// Whether its pods get a token of their service account: the pod's own word, else the
    /// account's, else yes.
    pub fn automounts_token(&self) -> bool {
        let own = self.spec.get("automountServiceAccountToken");
        let account = || {
            let account = self.service_account()?;
            account.value.get("automountServiceAccountToken")?.as_bool()
        };
        own.and_then(Value::as_bool)
            .or_else(account)
            .unwrap_or(true)
    }

    /// All containers: init containers (with sidecars) in their order, then the main ones, then
    /// ephemeral ones.
    pub fn containers(&self) -> impl Iterator<Item = Container<'a>> + use<'a> {
        let template = *self;
        [
            ("initContainers", ContainerKind::Init),
            ("containers", ContainerKind::Main),
            ("ephemeralContainers", ContainerKind::Ephemeral),
        ]
        .into_iter()
        .flat_map(move |(list, kind)| {
            meta::list(template.spec, &[list])
                .iter()
                .enumerate()
                .filter(|(_, value)| value.is_object())
                .map(move |(index, value)| Container::new(template, list, kind, index, value))
        })
    }

    /// The volumes that were written, with their index in `volumes`. The volume with the service
    /// account's token that the API server adds to pods is left out: manifests do not have it (see
    /// [`PodTemplate::automounts_token`]).
    pub fn volumes(&self) -> impl Iterator<Item = (usize, &'a Value)> + use<'a> {
        meta::list(self.spec, &["volumes"])
            .iter()
            .enumerate()
            .filter(|(_, volume)| !is_injected(volume))
    }
}

/// Whether a volume is the one that the API server adds: `kube-api-access-` and five characters,
/// with projected sources and nothing else.
fn is_injected(volume: &Value) -> bool {
    has_injected_name(volume)
        && meta::list(volume, &["projected", "sources"])
            .iter()
            .any(|source| source.get("serviceAccountToken").is_some())
}

/// Whether a volume, or a mount of one, has the name that the API server gives to its own.
pub(crate) fn has_injected_name(value: &Value) -> bool {
    meta::text(value, &["name"])
        .strip_prefix("kube-api-access-")
        .is_some_and(|rest| rest.len() == 5)
}
