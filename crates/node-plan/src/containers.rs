//! The containers of a pod, and the part that each plays.

use model::Value;
use model::validation::read::{list, text};

/// The part that a container plays in its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Runs to its end before what comes after it starts.
    Init,
    /// An init container with `restartPolicy: Always`: runs as long as the pod does.
    Sidecar,
    /// One of the pod's own containers.
    Regular,
    /// Added to a running pod to look into it; never restarted.
    Ephemeral,
}

/// A container of a pod's spec.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Container<'a> {
    /// Its part.
    pub role: Role,
    /// What the pod's spec says of it.
    pub spec: &'a Value,
}

impl<'a> Container<'a> {
    /// Its name.
    pub fn name(&self) -> &'a str {
        text(self.spec, "name")
    }
}

/// The containers of a pod in the order in which they start: init containers and sidecars as
/// listed, then the regular ones, then ephemeral ones.
pub fn all(pod: &Value) -> impl Iterator<Item = Container<'_>> {
    init(pod).chain(regular(pod)).chain(ephemeral(pod))
}

/// The init containers of a pod, sidecars among them, in the order in which they start.
pub fn init(pod: &Value) -> impl Iterator<Item = Container<'_>> {
    of(pod, "initContainers").map(|spec| Container {
        role: if text(spec, "restartPolicy") == "Always" {
            Role::Sidecar
        } else {
            Role::Init
        },
        spec,
    })
}

/// The pod's own containers.
pub fn regular(pod: &Value) -> impl Iterator<Item = Container<'_>> {
    of(pod, "containers").map(|spec| Container {
        role: Role::Regular,
        spec,
    })
}

/// The ephemeral containers of a pod.
pub fn ephemeral(pod: &Value) -> impl Iterator<Item = Container<'_>> {
    of(pod, "ephemeralContainers").map(|spec| Container {
        role: Role::Ephemeral,
        spec,
    })
}

fn of<'a>(pod: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    pod.get("spec")
        .map_or(&[][..], |spec| list(spec, field))
        .iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn containers_come_in_the_order_in_which_they_start() {
        let pod = json!({"spec": {
            "ephemeralContainers": [{"name": "e"}],
            "containers": [{"name": "a", "restartPolicy": "Always"}, {"name": "b"}],
            "initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}],
        }});
        let roles: Vec<(&str, Role)> = all(&pod).map(|c| (c.name(), c.role)).collect();
        assert_eq!(
            roles,
            [
                ("i", Role::Init),
                ("s", Role::Sidecar),
                ("a", Role::Regular),
                ("b", Role::Regular),
                ("e", Role::Ephemeral),
            ]
        );
        assert_eq!(all(&Value::Null).count(), 0);
    }
}
