//! Which updates of pods are looked at: only those that change what the standards speak of, and of
//! that only images, ephemeral containers and old seccomp annotations can be changed.

use model::{Value, meta};

const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";

/// Whether an update of a pod changes anything that the standards speak of.
pub(super) fn changes(new: &Value, old: &Value) -> bool {
    if annotation(new, SECCOMP_POD) != annotation(old, SECCOMP_POD) {
        return true;
    }
    for list in ["containers", "initContainers"] {
        let (new_list, old_list) = (
            meta::list(new, &["spec", list]),
            meta::list(old, &["spec", list]),
        );
        if new_list.len() != old_list.len() {
            return true;
        }
        let mut pairs = new_list.iter().zip(old_list);
        if pairs.any(|(after, before)| container(after, before, new, old)) {
            return true;
        }
    }
    let before = meta::list(old, &["spec", "ephemeralContainers"]);
    meta::list(new, &["spec", "ephemeralContainers"])
        .iter()
        .any(|after| {
            before
                .iter()
                .find(|before| meta::text(before, &["name"]) == meta::text(after, &["name"]))
                .is_none_or(|before| container(after, before, new, old))
        })
}

fn container(after: &Value, before: &Value, new: &Value, old: &Value) -> bool {
    if after.get("image") != before.get("image") {
        return true;
    }
    let key = format!("{SECCOMP_CONTAINER}{}", meta::text(after, &["name"]));
    annotation(new, &key) != annotation(old, &key)
}

fn annotation<'a>(pod: &'a Value, key: &str) -> &'a str {
    meta::text(pod, &["metadata", "annotations", key])
}
