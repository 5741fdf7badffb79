//! Which capabilities containers may add, and must drop.

use super::Finding;
use crate::containers::{Container, Place, Pod};
use crate::level::Version;
use crate::wording::{Sorted, containers, quoted};
use model::meta;

/// What container runtimes give to containers anyway, without `NET_RAW`: what the baseline level
/// lets containers add.
pub const DEFAULT_CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Containers that add what they may not.
#[derive(Default)]
struct Added<'a> {
    containers: Vec<&'a str>,
    capabilities: Sorted<'a>,
}

impl<'a> Added<'a> {
    fn visit(&mut self, container: &Container<'a>, allowed: &[&str], fields: &mut Vec<Place>) {
        let mut is_bad = false;
        let Some(context) = container.context else {
            return;
        };
        let added = meta::list(context, &["capabilities", "add"]);
        for (i, capability) in added.iter().enumerate() {
            let name = capability.as_str().unwrap_or_default();
            if !allowed.contains(&name) {
                is_bad = true;
                self.capabilities.insert(name);
                fields.push(container.place(&format!("capabilities.add[{i}]")));
            }
        }
        if is_bad {
            self.containers.push(container.name);
        }
    }

    fn text(&self) -> String {
        format!(
            "{} must not include {} in securityContext.capabilities.add",
            containers(&self.containers),
            quoted(&self.capabilities)
        )
    }
}

pub(super) fn baseline(pod: &Pod<'_>, _: Version) -> Option<Finding> {
    let mut added = Added::default();
    let mut fields = Vec::new();
    for container in &pod.containers {
        added.visit(container, &DEFAULT_CAPABILITIES, &mut fields);
    }
    if added.containers.is_empty() {
        return None;
    }
    Finding::new("non-default capabilities", added.text(), fields)
}

pub(super) fn restricted(pod: &Pod<'_>, version: Version) -> Option<Finding> {
    if version.has(25) && pod.is_windows() {
        return None;
    }
    let mut added = Added::default();
    let mut keeping = Vec::new();
    let mut fields = Vec::new();
    for container in &pod.containers {
        let dropped = container
            .context
            .map_or(&[][..], |c| meta::list(c, &["capabilities", "drop"]));
        if !dropped.iter().any(|c| c.as_str() == Some("ALL")) {
            keeping.push(container.name);
            fields.push(container.place("capabilities.drop"));
        }
        added.visit(container, &["NET_BIND_SERVICE"], &mut fields);
    }
    let mut details = Vec::new();
    if !keeping.is_empty() {
        let who = containers(&keeping);
        details.push(format!(
            "{who} must set securityContext.capabilities.drop=[\"ALL\"]"
        ));
    }
    if !added.containers.is_empty() {
        details.push(added.text());
    }
    if details.is_empty() {
        return None;
    }
    Finding::new("unrestricted capabilities", details.join("; "), fields)
}
