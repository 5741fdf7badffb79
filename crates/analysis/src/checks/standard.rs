//! What the Pod Security Standards say of a pod, as the checks of the audit tell it: the verdict is
//! the engine's, asked once for each pod; a check adds its words, and whom a setting of the pod is
//! about.

use super::{Added, Pod, Sink};
use pod_security::Place;
use snapshot::{Container, Level, PodTemplate};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// A field that a control of the standards finds fault with.
pub(crate) struct Fault<'p, 'a> {
    /// The container that it is about; `None` if it is about the pod, or about none.
    pub(super) container: Option<&'p Container<'a>>,
    /// The path in the pod.
    pub(super) path: &'p str,
}

impl<'a> Pod<'a> {
    /// The fields that a check of the standards, by upstream's ID, finds fault with.
    fn places<'p>(&'p self, check: &str) -> impl Iterator<Item = &'p Place> {
        self.weaknesses
            .iter()
            .filter(move |violation| violation.check == check)
            .flat_map(|violation| &violation.fields)
    }

    /// Whether a check of the standards finds fault with a field, by its path in the pod.
    pub(super) fn is_fault(&self, check: &str, path: &str) -> bool {
        self.places(check).any(|place| place.path == path)
    }

    /// Whether a container is privileged.
    pub(super) fn is_privileged(&self, container: &Container<'a>) -> bool {
        let position = Some(container.position());
        self.places("privileged")
            .any(|place| place.container == position)
    }

    /// What a check of the standards finds fault with, for each container that it is about: a field
    /// of the pod's security context for those that inherit it, an annotation for the container
    /// that it names.
    pub(super) fn faults<'p>(&'p self, check: &str) -> Vec<Fault<'p, 'a>> {
        let mut faults = Vec::new();
        for place in self.places(check) {
            let path = place.path.as_str();
            if let Some(setting) = inherited(place) {
                let heirs = self.heirs(setting).map(Some);
                faults.extend(heirs.map(|container| Fault { container, path }));
                continue;
            }
            let container = if let Some(key) = path.strip_prefix("metadata.annotations[") {
                let name = key.trim_end_matches(']').rsplit('/').next();
                self.containers.iter().find(|c| Some(c.name()) == name)
            } else {
                self.containers
                    .iter()
                    .find(|c| Some(c.position()) == place.container)
            };
            faults.push(Fault { container, path });
        }
        faults
    }

    /// The fields of the pod's security context that the standards find fault with although each
    /// container has its own setting.
    pub(super) fn idle_faults(&self) -> BTreeSet<&str> {
        self.weaknesses
            .iter()
            .flat_map(|violation| &violation.fields)
            .filter(|place| {
                inherited(place).is_some_and(|setting| self.heirs(setting).next().is_none())
            })
            .map(|place| place.path.as_str())
            .collect()
    }

    /// The containers that take a setting over from the pod.
    fn heirs(&self, setting: &str) -> impl Iterator<Item = &Container<'a>> {
        self.containers.iter().filter(move |container| {
            let found = container.security(setting);
            found.is_some_and(|found| found.level == Level::Pod)
        })
    }

    /// The path in the owner of a field, by its path in the pod.
    pub(super) fn owner_path(&self, path: &str) -> String {
        owner_path(&self.template, path)
    }
}

/// The path in what makes a pod of a field, by its path in the pod.
pub(super) fn owner_path(template: &PodTemplate<'_>, path: &str) -> String {
    match path.strip_prefix("metadata.") {
        Some(rest) => template.metadata_field(rest),
        None => template.field(path.strip_prefix("spec.").unwrap_or(path)),
    }
}

impl<'a> Sink<'a, '_> {
    /// Adds a finding about a fault.
    pub(super) fn fault(
        &mut self,
        pod: &Pod<'a>,
        fault: &Fault<'_, 'a>,
        message: impl Into<Cow<'static, str>>,
    ) -> Added<'a, '_> {
        let added = self.add(pod.template.owner, pod.owner_path(fault.path), message);
        match fault.container {
            Some(container) => added.in_container(container.name()),
            None => added,
        }
    }
}

/// The setting of the pod's security context that a place is about, if containers inherit it.
fn inherited(place: &Place) -> Option<&str> {
    let rest = place.path.strip_prefix("spec.securityContext.")?;
    match rest.split(['.', '[']).next()? {
        // Its members are inherited one by one.
        "windowsOptions" => Some(rest),
        "sysctls" => None,
        whole => Some(whole),
    }
}
