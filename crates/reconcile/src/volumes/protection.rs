//! Claims that pods use and volumes that claims have are not deleted under them: their finalizers
//! stay as long.

use super::{Key, Outcome, PodUse, Storage, phase, update};
use model::{Value, meta};

/// What keeps a claim while a pod uses it.
pub const CLAIM_FINALIZER: &str = "kubernetes.io/pvc-protection";
/// What keeps a volume while a claim has it.
pub const VOLUME_FINALIZER: &str = "kubernetes.io/pv-protection";

/// The object with the finalizer that a living one has to have, or without it if nothing keeps
/// a dying one; none if it is as it has to be.
fn guarded(object: &Value, finalizer: &str, is_used: impl FnOnce() -> bool) -> Option<Value> {
    let finalizers = meta::list(object, &["metadata", "finalizers"]);
    let has = finalizers.iter().any(|known| known == finalizer);
    let is_going = meta::at(object, &["metadata", "deletionTimestamp"]).is_some();
    let mut after = finalizers.to_vec();
    match (is_going, has) {
        (false, false) => after.push(finalizer.into()),
        (true, true) if !is_used() => after.retain(|known| known != finalizer),
        _ => return None,
    }
    let mut object = object.clone();
    meta::set(&mut object, &["metadata", "finalizers"], after);
    Some(object)
}

impl Storage {
    /// Whether a claim is on its way out with nothing known to keep it: then the pods of its
    /// namespace have to be asked for, as what is known of them may be old.
    pub fn is_claim_to_go(&self, key: &Key) -> bool {
        self.claims.get(key).is_some_and(|claim| {
            let finalizers = meta::list(&claim.value, &["metadata", "finalizers"]);
            claim.view.is_terminating
                && finalizers.iter().any(|known| known == CLAIM_FINALIZER)
                && !self.users(&claim.view).any(|pod| pod.holds(&claim.view))
        })
    }

    /// What is to be done about a claim's finalizer. `pods` are those that its namespace has right
    /// now.
    pub fn protect_claim(&self, key: &Key, pods: &[PodUse]) -> Outcome {
        let Some(claim) = self.claims.get(key) else {
            return Outcome::done();
        };
        let is_used = || {
            let known = self.users(&claim.view);
            known.chain(pods).any(|pod| pod.holds(&claim.view))
        };
        let guarded = guarded(&claim.value, CLAIM_FINALIZER, is_used);
        Outcome::maybe(guarded.map(|claim| update("persistentvolumeclaims", claim)))
    }

    /// What is to be done about a volume's finalizer.
    pub fn protect_volume(&self, name: &str) -> Outcome {
        let Some(volume) = self.volumes.get(name) else {
            return Outcome::done();
        };
        let is_used = || phase(&volume.value) == "Bound";
        let guarded = guarded(&volume.value, VOLUME_FINALIZER, is_used);
        Outcome::maybe(guarded.map(|volume| update("persistentvolumes", volume)))
    }
}
