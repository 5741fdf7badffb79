//! What is to be done about a volume.

use super::claim::{MIGRATED_TO, migrate, with_phase};
use super::plugins::{self, Deletion};
use super::{Kept, Next, Outcome, Storage, annotation, phase, update};
use crate::{Action, Target};
use model::{Value, meta};
use scheduling::{BOUND_BY_CONTROLLER, Claim, Volume};

/// On volumes: who made them.
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// Keeps a volume that a controller made until what is behind it is deleted.
const MADE_HERE: &str = "kubernetes.io/pv-controller";
/// The same, of makers outside.
const MADE_OUTSIDE: &str = "external-provisioner.volume.kubernetes.io/finalizer";

fn policy(volume: &Value) -> &str {
    meta::text(volume, &["spec", "persistentVolumeReclaimPolicy"])
}

/// The finalizers that a volume has to have, by who made it; none if it has them.
fn finalizers(volume: &Value) -> Option<Vec<Value>> {
    let kind = annotation(volume, PROVISIONED_BY)?;
    if meta::at(volume, &["metadata", "deletionTimestamp"]).is_some() {
        return None;
    }
    let before = meta::list(volume, &["metadata", "finalizers"]);
    let mut after = before.to_vec();
    if plugins::migrated(kind).is_some() {
        after.retain(|known| known != MADE_HERE);
    } else if kind.starts_with(plugins::IN_TREE) {
        let has = after.iter().any(|known| known == MADE_HERE);
        match policy(volume) {
            "Delete" if !has => after.push(MADE_HERE.into()),
            "Retain" | "Recycle" => after.retain(|known| known != MADE_HERE),
            _ => {}
        }
        after.retain(|known| known != MADE_OUTSIDE);
    }
    (after != before).then_some(after)
}

fn is_unpromised_phase(volume: &Value) -> bool {
    matches!(phase(volume), "Released" | "Failed")
}

impl Storage {
    /// What is to be done about a volume. `is_gone` says that it was made sure that the claim that
    /// it names is not there, whatever is known.
    pub fn volume(&self, name: &str, is_gone: bool) -> Outcome {
        let Some(volume) = self.volumes.get(name) else {
            return Outcome::done();
        };
        let value = &volume.value;
        let mut moved = value.clone();
        let mut is_moved = migrate(&mut moved, annotation(value, PROVISIONED_BY));
        if let Some(finalizers) = finalizers(&moved) {
            meta::set(&mut moved, &["metadata", "finalizers"], finalizers);
            is_moved = true;
        }
        if is_moved {
            return Outcome::write(update("persistentvolumes", moved));
        }
        let Some(promise) = volume
            .view
            .promise
            .as_ref()
            .filter(|promise| !promise.uid.is_empty())
        else {
            return Outcome::maybe(with_phase(value, "Available", ""));
        };
        let key = (promise.namespace.clone(), promise.name.clone());
        let claim = self.claims.get(&key);
        let claim = claim.filter(|claim| claim.view.uid == promise.uid);
        let Some(claim) = claim else {
            if !is_gone && !is_unpromised_phase(value) {
                return Outcome {
                    next: Next::Confirm(key),
                    notes: Vec::new(),
                };
            }
            return release(volume);
        };
        if claim.view.volume.is_empty() {
            self.half_bound(volume, claim)
        } else if claim.view.volume == name {
            Outcome::maybe(with_phase(value, "Bound", ""))
        } else if annotation(value, PROVISIONED_BY).is_some() && policy(value) == "Delete" {
            // It was made for the claim, which found another.
            release(volume)
        } else {
            Outcome::write(update("persistentvolumes", unbound(volume)))
        }
    }

    /// The claim does not know of the binding yet.
    fn half_bound(&self, volume: &Kept<Volume>, claim: &Kept<Claim>) -> Outcome {
        if !volume.view.differs_in_mode(&claim.view) {
            let key = (claim.view.namespace.clone(), claim.view.name.clone());
            return Outcome {
                next: Next::Claim(key),
                notes: Vec::new(),
            };
        }
        let to_volume = format!(
            "Cannot bind PersistentVolume to requested PersistentVolumeClaim {:?} due to \
             incompatible volumeMode.",
            claim.view.name
        );
        let to_claim = format!(
            "Cannot bind PersistentVolume {:?} to requested PersistentVolumeClaim due to \
             incompatible volumeMode.",
            meta::name(&volume.value)
        );
        Outcome::done()
            .telling(&volume.value, true, "VolumeMismatch", to_volume)
            .telling(&claim.value, true, "VolumeMismatch", to_claim)
    }
}

/// The volume, without the claim if a controller chose that, else free for a claim of its name.
fn unbound(volume: &Kept<Volume>) -> Value {
    let mut after = volume.value.clone();
    if annotation(&after, BOUND_BY_CONTROLLER).is_some() {
        meta::remove(&mut after, &["spec", "claimRef"]);
        let name = BOUND_BY_CONTROLLER;
        meta::remove(&mut after, &["metadata", "annotations", name]);
    } else {
        meta::remove(&mut after, &["spec", "claimRef", "uid"]);
    }
    after
}

/// The claim is gone: the volume is told so, and then its policy is followed.
fn release(volume: &Kept<Volume>) -> Outcome {
    let value = &volume.value;
    if !is_unpromised_phase(value) {
        return Outcome::maybe(with_phase(value, "Released", ""));
    }
    if annotation(value, MIGRATED_TO).is_some_and(|driver| !driver.is_empty()) {
        return Outcome::done();
    }
    let fail = |reason, message: &str| match with_phase(value, "Failed", message) {
        Some(write) => Outcome::write(write).telling(value, true, reason, message),
        None => Outcome::done(),
    };
    match policy(value) {
        "Retain" => Outcome::done(),
        "Recycle" => fail(
            "VolumeFailedRecycle",
            "No recycler plugin found for the volume!",
        ),
        "Delete" => match plugins::deletion(value, annotation(value, PROVISIONED_BY)) {
            Deletion::External => Outcome::done(),
            Deletion::Refused(why) => fail("VolumeFailedDelete", &why),
            Deletion::Now => delete(value),
        },
        _ => fail(
            "VolumeUnknownReclaimPolicy",
            "Volume has unrecognized PersistentVolumeReclaimPolicy",
        ),
    }
}

/// The volume is deleted first: once it is going, what keeps it can be taken away for good.
fn delete(volume: &Value) -> Outcome {
    if meta::at(volume, &["metadata", "deletionTimestamp"]).is_none() {
        let target = Target::core("persistentvolumes", "", meta::name(volume));
        return Outcome::write(Action::Delete(target, meta::uid(volume).to_owned(), None));
    }
    let finalizers = meta::list(volume, &["metadata", "finalizers"]);
    let mut rest = finalizers.to_vec();
    rest.retain(|known| known != MADE_HERE);
    if rest == finalizers {
        return Outcome::done();
    }
    let mut after = volume.clone();
    meta::set(&mut after, &["metadata", "finalizers"], rest);
    Outcome::write(update("persistentvolumes", after))
}
