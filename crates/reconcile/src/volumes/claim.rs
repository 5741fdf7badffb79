//! What is to be done about a claim.

use super::{Kept, Key, Outcome, Storage, annotate, annotation, phase, plugins, update};
use crate::Action;
use model::quantity::Quantity;
use model::{Value, meta};
use scheduling::{BIND_COMPLETED, BOUND_BY_CONTROLLER, Claim, Seeker, Volume, find_volume};
use serde_json::json;

/// On claims and volumes: the driver that has taken over from the kind that is named.
pub(super) const MIGRATED_TO: &str = "pv.kubernetes.io/migrated-to";
/// On claims: who is asked for a volume …
const PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
/// … and by its name of old.
const OLD_PROVISIONER: &str = "volume.beta.kubernetes.io/storage-provisioner";
/// On volumes: what the claim had before the volume grew.
const SIZE_BEFORE: &str = "volume.alpha.kubernetes.io/pre-resize-capacity";

/// Sets or takes away the name of the driver that has taken over from `kind`. Says whether that
/// changed anything.
pub(super) fn migrate(object: &mut Value, kind: Option<&str>) -> bool {
    let Some(kind) = kind else {
        return false;
    };
    let driver = plugins::migrated(kind);
    if annotation(object, MIGRATED_TO) == driver {
        return false;
    }
    match driver {
        Some(driver) => annotate(object, MIGRATED_TO, driver),
        None => drop(meta::remove(
            object,
            &["metadata", "annotations", MIGRATED_TO],
        )),
    }
    true
}

fn asked(claim: &Value) -> Option<&str> {
    annotation(claim, PROVISIONER).or_else(|| annotation(claim, OLD_PROVISIONER))
}

/// A claim with another phase. With a volume it takes over what the volume is; without, it has
/// nothing. None if that changes nothing.
fn with_status(claim: &Value, to: &str, volume: Option<&Value>) -> Option<Value> {
    let mut after = claim.clone();
    let is_new = phase(claim) != to;
    meta::set(&mut after, &["status", "phase"], to);
    match volume {
        None => {
            for field in [
                "accessModes",
                "capacity",
                "currentVolumeAttributesClassName",
            ] {
                meta::remove(&mut after, &["status", field]);
            }
        }
        Some(volume) => {
            let modes = meta::at(volume, &["spec", "accessModes"]);
            let modes = modes.cloned().unwrap_or_else(|| json!([]));
            meta::set(&mut after, &["status", "accessModes"], modes);
            if is_new {
                let size = |object: &Value, path: &[&str]| {
                    Quantity::from_value(meta::at(object, path)?).ok()
                };
                let has = size(volume, &["spec", "capacity", "storage"])?;
                let had = size(claim, &["status", "capacity", "storage"]);
                if let Some(before) = annotation(volume, SIZE_BEFORE) {
                    let before = Quantity::parse(before).unwrap_or(has);
                    meta::set(&mut after, &["status", "capacity", "storage"], before);
                } else if had != Some(has) {
                    let capacity = meta::at(volume, &["spec", "capacity"])?.clone();
                    meta::set(&mut after, &["status", "capacity"], capacity);
                }
            }
        }
    }
    (after != *claim).then_some(after)
}

fn status(claim: &Value, to: &str, volume: Option<&Value>) -> Option<Action> {
    with_status(claim, to, volume).map(|claim| update("persistentvolumeclaims/status", claim))
}

fn pending(claim: &Value) -> Outcome {
    Outcome::maybe(status(claim, "Pending", None))
}

/// A volume with another phase; none if it has it already.
pub(super) fn with_phase(volume: &Value, to: &str, message: &str) -> Option<Action> {
    if phase(volume) == to {
        return None;
    }
    let mut after = volume.clone();
    meta::set(&mut after, &["status", "phase"], to);
    if message.is_empty() {
        meta::remove(&mut after, &["status", "message"]);
    } else {
        meta::set(&mut after, &["status", "message"], message);
    }
    Some(update("persistentvolumes/status", after))
}

/// The volume, promised to the claim by its UID; none if it is already.
fn promised(volume: &Kept<Volume>, claim: &Kept<Claim>) -> Option<Value> {
    let is_made = volume.view.promise.as_ref().is_some_and(|promise| {
        let own = &claim.view;
        (&promise.namespace, &promise.name, &promise.uid) == (&own.namespace, &own.name, &own.uid)
    });
    if is_made {
        return None;
    }
    let mut after = volume.value.clone();
    let reference = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": claim.view.namespace,
        "name": claim.view.name,
        "uid": claim.view.uid,
        "resourceVersion": meta::resource_version(&claim.value),
    });
    meta::set(&mut after, &["spec", "claimRef"], reference);
    // A promise that somebody else made stays theirs.
    if !volume.view.is_promised_to(&claim.view) && annotation(&after, BOUND_BY_CONTROLLER).is_none()
    {
        annotate(&mut after, BOUND_BY_CONTROLLER, "yes");
    }
    Some(after)
}

/// The claim, naming the volume for good; none if it does already.
fn completed(claim: &Kept<Claim>, volume: &str) -> Option<Value> {
    if claim.view.volume == volume && claim.view.is_completed {
        return None;
    }
    let mut after = claim.value.clone();
    if claim.view.volume != volume {
        meta::set(&mut after, &["spec", "volumeName"], volume);
        if annotation(&after, BOUND_BY_CONTROLLER).is_none() {
            annotate(&mut after, BOUND_BY_CONTROLLER, "yes");
        }
    }
    if !claim.view.is_completed {
        annotate(&mut after, BIND_COMPLETED, "yes");
    }
    Some(after)
}

/// The next write of a binding: the volume first, so that nobody else can have it.
fn bind(volume: &Kept<Volume>, claim: &Kept<Claim>) -> Outcome {
    let name = meta::name(&volume.value);
    let next = promised(volume, claim)
        .map(|volume| update("persistentvolumes", volume))
        .or_else(|| with_phase(&volume.value, "Bound", ""))
        .or_else(|| completed(claim, name).map(|claim| update("persistentvolumeclaims", claim)))
        .or_else(|| status(&claim.value, "Bound", Some(&volume.value)));
    Outcome::maybe(next)
}

impl Storage {
    /// What is to be done about a claim.
    pub fn claim(&self, key: &Key) -> Outcome {
        let Some(claim) = self.claims.get(key) else {
            return Outcome::done();
        };
        let mut moved = claim.value.clone();
        if migrate(&mut moved, asked(&claim.value)) {
            return Outcome::write(update("persistentvolumeclaims", moved));
        }
        if claim.view.is_completed {
            self.bound_claim(claim)
        } else if claim.view.volume.is_empty() {
            self.seeking_claim(claim)
        } else {
            self.choosing_claim(claim)
        }
    }

    /// A claim that takes any volume that will do.
    fn seeking_claim(&self, claim: &Kept<Claim>) -> Outcome {
        let class = self.classes.get(claim.view.class_name());
        let waits = class.is_some_and(|class| class.waits);
        let volumes = self.volumes.iter();
        let volumes = volumes.map(|(name, volume)| (name.as_str(), &volume.view));
        let found = find_volume(&claim.view, volumes, Seeker::Binder { waits });
        if let Some(volume) = found.and_then(|name| self.volumes.get(name)) {
            return bind(volume, claim);
        }
        if claim.view.class.is_none()
            && let Some(class) = self.default_class()
        {
            let mut after = claim.value.clone();
            meta::set(&mut after, &["spec", "storageClassName"], class);
            return Outcome::write(update("persistentvolumeclaims", after));
        }
        if waits && claim.view.selected_node.is_none() {
            let (reason, message) = self.why_wait(&claim.view);
            return pending(&claim.value).telling(&claim.value, false, reason, message);
        }
        if !claim.view.class_name().is_empty() {
            return self.provision(claim);
        }
        let message = "no persistent volumes available for this claim and no storage class is set";
        pending(&claim.value).telling(&claim.value, false, "FailedBinding", message)
    }

    /// What a claim waits for whose volume is chosen with its pod's node.
    fn why_wait(&self, claim: &Claim) -> (&'static str, String) {
        let waiting = self.users(claim);
        let waiting = waiting.filter(|pod| !pod.is_ended && !pod.has_node);
        let names: Vec<&str> = waiting.map(|pod| pod.key.1.as_str()).collect();
        let pods = match names.as_slice() {
            [] => {
                let message = "waiting for first consumer to be created before binding";
                return ("WaitForFirstConsumer", message.to_owned());
            }
            [_] => "pod",
            _ => "pods",
        };
        let message = format!("waiting for {pods} {} to be scheduled", names.join(","));
        ("WaitForPodScheduled", message)
    }

    /// A claim for which a volume has to be made.
    fn provision(&self, claim: &Kept<Claim>) -> Outcome {
        let name = claim.view.class_name();
        let provisioner = match self.classes.get(name) {
            None => Err(format!("storageclass.storage.k8s.io {name:?} not found")),
            Some(class) => plugins::provisioner(&class.provisioner),
        };
        let provisioner = match provisioner {
            Ok(provisioner) => provisioner,
            Err(why) => {
                return Outcome::done().telling(&claim.value, true, "ProvisioningFailed", why);
            }
        };
        if annotation(&claim.value, PROVISIONER) != Some(provisioner) {
            let mut after = claim.value.clone();
            annotate(&mut after, OLD_PROVISIONER, provisioner);
            annotate(&mut after, PROVISIONER, provisioner);
            migrate(&mut after, Some(provisioner));
            return Outcome::write(update("persistentvolumeclaims", after));
        }
        if let Some(why) = plugins::refusal(provisioner) {
            return Outcome::done().telling(&claim.value, true, "ProvisioningFailed", why);
        }
        let message = format!(
            "Waiting for a volume to be created either by the external provisioner \
             '{provisioner}' or manually by the system administrator. If volume creation is \
             delayed, please verify that the provisioner is running and correctly registered."
        );
        Outcome::done().telling(&claim.value, false, "ExternalProvisioning", message)
    }

    /// A claim that names the volume that it wants.
    fn choosing_claim(&self, claim: &Kept<Claim>) -> Outcome {
        let name = claim.view.volume.as_str();
        let Some(volume) = self.volumes.get(name) else {
            return pending(&claim.value);
        };
        if volume.view.promise.is_none()
            && let Some(why) = volume.view.mismatch(name, &claim.view)
        {
            let message = format!("Cannot bind to requested volume {name:?}: {why}");
            return pending(&claim.value).telling(&claim.value, true, "VolumeMismatch", message);
        }
        if volume.view.promise.is_none() || volume.view.is_promised_to(&claim.view) {
            return bind(volume, claim);
        }
        let message = format!("volume {name:?} already bound to a different claim.");
        let outcome = match annotation(&claim.value, BOUND_BY_CONTROLLER) {
            None => pending(&claim.value),
            Some(_) => Outcome::done(),
        };
        outcome.telling(&claim.value, true, "FailedBinding", message)
    }

    /// A claim that has had its volume.
    fn bound_claim(&self, claim: &Kept<Claim>) -> Outcome {
        let lost = |reason, message: &str| {
            if phase(&claim.value) == "Lost" {
                return Outcome::done();
            }
            let outcome = Outcome::maybe(status(&claim.value, "Lost", None));
            outcome.telling(&claim.value, true, reason, message)
        };
        if claim.view.volume.is_empty() {
            let message = "Bound claim has lost reference to PersistentVolume. Data on the volume \
                           is lost!";
            return lost("ClaimLost", message);
        }
        let Some(volume) = self.volumes.get(&claim.view.volume) else {
            let message = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
            return lost("ClaimLost", message);
        };
        match &volume.view.promise {
            Some(promise) if promise.uid != claim.view.uid => {
                let message =
                    "Two claims are bound to the same volume, this one is bound incorrectly";
                lost("ClaimMisbound", message)
            }
            _ => bind(volume, claim),
        }
    }
}
