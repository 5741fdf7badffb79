//! A container of a pod template, and what it runs with in effect.

use crate::builder::join;
use crate::pods::{PodTemplate, has_injected_name};
use model::{Value, meta};
use serde::{Deserialize, Serialize};

/// The sorts of containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ContainerKind {
    /// Runs to its end before the pod starts.
    Init,
    /// An init container with `restartPolicy: Always`, which keeps running beside the main ones.
    Sidecar,
    /// A main container.
    Main,
    /// Added to a running pod for debugging.
    Ephemeral,
}

/// Where an effective setting was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// In the container's own security context.
    Container,
    /// In the pod's, which the container inherits.
    Pod,
}

/// A setting that is in effect, with the place where it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<'a> {
    /// The value.
    pub value: &'a Value,
    /// Where it was made.
    pub level: Level,
    /// The path in the owner of the template.
    pub path: String,
}

impl Setting<'_> {
    /// Whether it is `true`.
    pub fn is_true(&self) -> bool {
        *self.value == Value::Bool(true)
    }
}

/// A container of a pod template.
#[derive(Debug, Clone, Copy)]
pub struct Container<'a> {
    /// Its sort.
    pub kind: ContainerKind,
    /// The container.
    pub value: &'a Value,
    /// The template that it is part of.
    pub template: PodTemplate<'a>,
    list: &'static str,
    index: usize,
}

/// Where the API server mounts the service account's token.
const TOKEN_DIRECTORY: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// What a container inherits from the pod's security context where its own says nothing.
const INHERITED: [&str; 7] = [
    "appArmorProfile",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "seLinuxOptions",
    "seccompProfile",
    "windowsOptions",
];

impl<'a> Container<'a> {
    pub(crate) fn new(
        template: PodTemplate<'a>,
        list: &'static str,
        kind: ContainerKind,
        index: usize,
        value: &'a Value,
    ) -> Self {
        let is_sidecar =
            kind == ContainerKind::Init && meta::text(value, &["restartPolicy"]) == "Always";
        Self {
            kind: if is_sidecar {
                ContainerKind::Sidecar
            } else {
                kind
            },
            value,
            template,
            list,
            index,
        }
    }

    /// The list of the pod's spec that it is in, and its index there.
    pub fn position(&self) -> (&'static str, usize) {
        (self.list, self.index)
    }

    /// The name.
    pub fn name(&self) -> &'a str {
        meta::text(self.value, &["name"])
    }

    /// The image; empty if none is named.
    pub fn image(&self) -> &'a str {
        meta::text(self.value, &["image"])
    }

    /// The volume mounts that were written, with their index in `volumeMounts`: without the one of
    /// the token that the API server adds (see [`PodTemplate::automounts_token`]).
    pub fn volume_mounts(&self) -> impl Iterator<Item = (usize, &'a Value)> + use<'a> {
        meta::list(self.value, &["volumeMounts"])
            .iter()
            .enumerate()
            .filter(|(_, mount)| {
                let path = meta::text(mount, &["mountPath"]);
                path != TOKEN_DIRECTORY || !has_injected_name(mount)
            })
    }

    /// The path in the pod of one of its fields: `spec.containers[0].image`, wherever the template
    /// is in its owner.
    pub fn pod_field(&self, path: &str) -> String {
        join(&format!("spec.{}[{}]", self.list, self.index), path)
    }

    /// The path in the owner: `spec.template.spec.containers[0]`, or of a field of the container.
    pub fn field(&self, path: &str) -> String {
        let own = self
            .template
            .field(&format!("{}[{}]", self.list, self.index));
        join(&own, path)
    }

    /// A field of the security context as it is in effect: the container's own, else for fields
    /// that containers inherit, the pod's. `None` if neither says anything.
    ///
    /// The members of `windowsOptions` are inherited one by one: ask for
    /// `windowsOptions.hostProcess` and the like. Every other field is inherited as a whole.
    pub fn security(&self, field: &str) -> Option<Setting<'a>> {
        let steps: Vec<&str> = std::iter::once("securityContext")
            .chain(field.split('.'))
            .collect();
        let found = |value: &'a Value| meta::at(value, &steps).filter(|v| !v.is_null());
        let first = field.split('.').next().unwrap_or(field);
        if let Some(value) = found(self.value) {
            return Some(Setting {
                value,
                level: Level::Container,
                path: self.field(&format!("securityContext.{field}")),
            });
        }
        let is_whole = first != "windowsOptions";
        let own = meta::at(self.value, &["securityContext", first]);
        if !INHERITED.contains(&first) || (is_whole && own.is_some_and(|v| !v.is_null())) {
            return None;
        }
        let value = found(self.template.spec)?;
        Some(Setting {
            value,
            level: Level::Pod,
            path: self.template.field(&format!("securityContext.{field}")),
        })
    }

    /// The path of the container's own security context field: where a missing one belongs.
    pub fn security_field(&self, field: &str) -> String {
        self.field(&format!("securityContext.{field}"))
    }

    /// The AppArmor profile that the pod's annotation
    /// `container.apparmor.security.beta.kubernetes.io/NAME` sets, as `(value, path)`. A field, if
    /// there is one, counts before it.
    pub fn apparmor_annotation(&self) -> Option<(&'a str, String)> {
        let key = format!(
            "container.apparmor.security.beta.kubernetes.io/{}",
            self.name()
        );
        let value = meta::at(self.template.metadata, &["annotations", &key])?.as_str()?;
        let path = format!("annotations[{key}]");
        Some((value, self.template.metadata_field(&path)))
    }

    /// The seccomp profile that an annotation asks for, the container's own before the pod's, as
    /// `(value, path)`. API servers since 1.27 pay no attention to these annotations.
    pub fn seccomp_annotation(&self) -> Option<(&'a str, String)> {
        let own = format!(
            "container.seccomp.security.alpha.kubernetes.io/{}",
            self.name()
        );
        [own.as_str(), "seccomp.security.alpha.kubernetes.io/pod"]
            .into_iter()
            .find_map(|key| {
                let value = meta::at(self.template.metadata, &["annotations", key])?.as_str()?;
                let path = format!("annotations[{key}]");
                Some((value, self.template.metadata_field(&path)))
            })
    }
}
