//! Which updates of pods are looked at: only those that change what the standards speak of, and of
//! that only images and ephemeral containers can be changed.

use model::{Value, meta};

/// Whether an update of a pod changes anything that the standards speak of.
pub(super) fn changes(new: &Value, old: &Value) -> bool {
    for list in ["containers", "initContainers"] {
        let (new_list, old_list) = (
            meta::list(new, &["spec", list]),
            meta::list(old, &["spec", list]),
        );
        if new_list.len() != old_list.len() {
            return true;
        }
        let mut pairs = new_list.iter().zip(old_list);
        if pairs.any(|(after, before)| after.get("image") != before.get("image")) {
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
                .is_none_or(|before| before.get("image") != after.get("image"))
        })
}
