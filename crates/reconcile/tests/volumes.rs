//! The binder of claims, on a small cluster that carries out what it decides.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

use model::{Value, meta};
use proptest::prelude::*;
use reconcile::Action;
use reconcile::volumes::{Key, Next, Note, Outcome, PodUse, Storage};
use serde_json::json;
use std::collections::BTreeMap;

/// Objects by resource, namespace and name, with the versions that a server gives them.
#[derive(Default)]
struct World {
    storage: Storage,
    objects: BTreeMap<(&'static str, String, String), Value>,
    version: u64,
    writes: usize,
    notes: Vec<Note>,
}

const CLAIMS: &str = "persistentvolumeclaims";
const VOLUMES: &str = "persistentvolumes";

impl World {
    fn put(&mut self, mut object: Value) {
        self.version += 1;
        meta::set(
            &mut object,
            &["metadata", "resourceVersion"],
            self.version.to_string(),
        );
        let resource = match meta::text(&object, &["kind"]) {
            "PersistentVolumeClaim" => {
                self.storage.set_claim(object.clone());
                CLAIMS
            }
            _ => {
                self.storage.set_volume(object.clone());
                VOLUMES
            }
        };
        let namespace = meta::namespace(&object).to_owned();
        let name = meta::name(&object).to_owned();
        self.objects.insert((resource, namespace, name), object);
    }

    fn remove_claim(&mut self, name: &str) {
        let key = ("n".to_owned(), name.to_owned());
        self.objects.remove(&(CLAIMS, key.0.clone(), key.1.clone()));
        self.storage.remove_claim(&key);
    }

    fn remove_volume(&mut self, name: &str) {
        self.objects
            .remove(&(VOLUMES, String::new(), name.to_owned()));
        self.storage.remove_volume(name);
    }

    fn claim(&self, name: &str) -> &Value {
        &self.objects[&(CLAIMS, "n".to_owned(), name.to_owned())]
    }

    fn volume(&self, name: &str) -> &Value {
        &self.objects[&(VOLUMES, String::new(), name.to_owned())]
    }

    fn act(&mut self, action: Action) {
        self.writes += 1;
        assert!(self.writes < 1_000, "no end: {action:?}");
        match action {
            Action::Update(target, object) => {
                let resource = target.resource.split('/').next().expect("one");
                let resource = if resource == CLAIMS { CLAIMS } else { VOLUMES };
                let key = (resource, target.namespace, target.name);
                let before = &self.objects[&key];
                assert_eq!(
                    meta::resource_version(before),
                    meta::resource_version(&object),
                    "writes are about the newest version"
                );
                // A write of the status changes the status alone, any other all else.
                let is_status = target.resource.ends_with("/status");
                let (mut after, other) = match is_status {
                    true => (before.clone(), &object),
                    false => (object.clone(), before),
                };
                let status = other.get("status").cloned().unwrap_or_else(|| json!({}));
                meta::set(&mut after, &["status"], status);
                assert_ne!(after, *before, "a write that changes nothing");
                assert_eq!(after, object, "a write of both halves: {}", target.resource);
                self.put(after);
            }
            Action::Delete(target, uid, _) => {
                let volume = self.volume(&target.name).clone();
                assert_eq!(meta::uid(&volume), uid);
                if meta::list(&volume, &["metadata", "finalizers"]).is_empty() {
                    self.remove_volume(&target.name);
                } else {
                    let mut going = volume;
                    meta::set(&mut going, &["metadata", "deletionTimestamp"], "now");
                    self.put(going);
                }
            }
            other => panic!("{other:?}"),
        }
    }

    /// Follows one question to its end.
    fn follow(&mut self, mut ask: impl FnMut(&Storage, bool) -> Outcome) {
        let mut is_gone = false;
        loop {
            let outcome = ask(&self.storage, is_gone);
            self.notes.extend(outcome.notes);
            match outcome.next {
                Next::Done | Next::Claim(_) => return,
                Next::Confirm(_) => is_gone = true,
                Next::Write(action) => self.act(action),
            }
        }
    }

    fn work(&mut self, claims: &[Key], volumes: &[String]) {
        for key in claims {
            self.follow(|storage, _| storage.claim(key));
        }
        for name in volumes {
            self.follow(|storage, is_gone| storage.volume(name, is_gone));
        }
    }

    /// Asks about everything until nothing is written any more.
    fn settle(&mut self) {
        loop {
            let before = self.writes;
            let claims: Vec<Key> = self.storage.claims().cloned().collect();
            let volumes: Vec<String> = self.storage.volumes().cloned().collect();
            self.work(&claims, &volumes);
            if self.writes == before {
                return;
            }
        }
    }

    fn told(&self, reason: &str) -> Vec<&str> {
        let notes = self.notes.iter().filter(|note| note.reason == reason);
        notes.map(|note| note.message.as_str()).collect()
    }
}

fn merge(object: &mut Value, extra: Value) {
    match (object, extra) {
        (Value::Object(object), Value::Object(extra)) => {
            for (key, value) in extra {
                merge(object.entry(key).or_insert(Value::Null), value);
            }
        }
        (object, extra) => *object = extra,
    }
}

fn claim(name: &str, extra: Value) -> Value {
    let mut claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": { "name": name, "namespace": "n", "uid": format!("uid-{name}") },
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "",
            "resources": { "requests": { "storage": "2Gi" } }, "volumeMode": "Filesystem",
        },
        "status": { "phase": "Pending" },
    });
    merge(&mut claim, extra);
    claim
}

fn volume(name: &str, extra: Value) -> Value {
    let mut volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": { "name": name, "uid": format!("uid-{name}") },
        "spec": {
            "accessModes": ["ReadWriteOnce"], "capacity": { "storage": "2Gi" },
            "persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem",
            "local": { "path": "/x" },
        },
        "status": { "phase": "Available" },
    });
    merge(&mut volume, extra);
    volume
}

fn class(name: &str, waits: bool, provisioner: &str) -> Value {
    let mode = if waits {
        "WaitForFirstConsumer"
    } else {
        "Immediate"
    };
    json!({ "metadata": { "name": name }, "volumeBindingMode": mode, "provisioner": provisioner })
}

fn spec(fields: Value) -> Value {
    json!({ "spec": fields })
}

fn size(size: &str) -> Value {
    spec(json!({ "capacity": { "storage": size } }))
}

fn promise(name: &str, uid: &str) -> Value {
    let mut promise = json!({ "namespace": "n", "name": name });
    if !uid.is_empty() {
        promise["uid"] = uid.into();
    }
    spec(json!({ "claimRef": promise }))
}

/// Which volume the claim `c` gets.
fn bound(claim: Value, volumes: Vec<Value>) -> String {
    let mut world = World::default();
    world
        .storage
        .set_class(&class("wait", true, "kubernetes.io/no-provisioner"));
    volumes.into_iter().for_each(|volume| world.put(volume));
    world.put(claim);
    world.settle();
    let name = meta::text(world.claim("c"), &["spec", "volumeName"]).to_owned();
    if meta::text(world.claim("c"), &["status", "phase"]) != "Bound" {
        return String::new();
    }
    let volume = world.volume(&name);
    assert_eq!(volume["spec"]["claimRef"]["uid"], "uid-c");
    assert_eq!(volume["status"]["phase"], "Bound");
    name
}

#[test]
fn a_claim_gets_the_volume_that_fits_best() {
    let plain = || claim("c", json!({}));
    let asking = |fields: Value| claim("c", spec(fields));
    let labelled = |name: &str, tier: &str| {
        volume(name, json!({ "metadata": { "labels": { "tier": tier } } }))
    };
    let modes = |name: &str, modes: &[&str]| volume(name, spec(json!({ "accessModes": modes })));
    let table: Vec<(&str, Value, Vec<Value>, &str)> = vec![
        ("nothing there", plain(), vec![], ""),
        ("just enough", plain(), vec![volume("a", json!({}))], "a"),
        ("too small", plain(), vec![volume("a", size("2047Mi"))], ""),
        (
            "the smallest that fits",
            plain(),
            vec![
                volume("a", size("9Gi")),
                volume("b", size("3Gi")),
                volume("c", size("1Gi")),
            ],
            "b",
        ),
        (
            "of another class",
            plain(),
            vec![volume("a", spec(json!({ "storageClassName": "x" })))],
            "",
        ),
        (
            "of the same class",
            asking(json!({ "storageClassName": "x" })),
            vec![
                volume("a", json!({})),
                volume("b", spec(json!({ "storageClassName": "x" }))),
            ],
            "b",
        ),
        (
            "the annotation of old goes before the field",
            claim(
                "c",
                json!({ "metadata": { "annotations": {
                "volume.beta.kubernetes.io/storage-class": "x" } } }),
            ),
            vec![
                volume("a", json!({})),
                volume("b", spec(json!({ "storageClassName": "x" }))),
            ],
            "b",
        ),
        (
            "an access mode too few",
            plain(),
            vec![modes("a", &["ReadOnlyMany"])],
            "",
        ),
        (
            "more access modes than asked for, only if there is nothing closer",
            plain(),
            vec![
                volume(
                    "a",
                    json!({ "spec": { "accessModes": ["ReadWriteOnce", "ReadWriteMany"] } }),
                ),
                volume("b", size("50Gi")),
            ],
            "b",
        ),
        (
            "all modes are needed",
            asking(json!({ "accessModes": ["ReadWriteOnce", "ReadOnlyMany"] })),
            vec![
                modes("a", &["ReadWriteOnce"]),
                modes("b", &["ReadOnlyMany", "ReadWriteOnce"]),
            ],
            "b",
        ),
        (
            "a device is no file system",
            asking(json!({ "volumeMode": "Block" })),
            vec![
                volume("a", json!({})),
                volume("b", spec(json!({ "volumeMode": "Block" }))),
            ],
            "b",
        ),
        (
            "labels are asked for",
            asking(json!({ "selector": { "matchLabels": { "tier": "gold" } } })),
            vec![labelled("a", "iron"), labelled("b", "gold")],
            "b",
        ),
        (
            "not available yet is made available first",
            plain(),
            vec![volume("a", json!({ "status": { "phase": "Pending" } }))],
            "a",
        ),
        (
            "on its way out",
            plain(),
            vec![volume(
                "a",
                json!({ "metadata": { "deletionTimestamp": "now" } }),
            )],
            "",
        ),
        (
            "promised to it, though larger",
            plain(),
            vec![
                volume("a", json!({})),
                volume(
                    "b",
                    json!({ "spec": { "capacity": { "storage": "9Gi" },
                    "claimRef": { "namespace": "n", "name": "c" } } }),
                ),
            ],
            "b",
        ),
        (
            "promised to another",
            plain(),
            vec![volume("a", promise("d", ""))],
            "",
        ),
        (
            "promised to one of its name before",
            plain(),
            vec![volume("a", promise("c", "old"))],
            "",
        ),
        (
            "a promise does not make it larger",
            plain(),
            vec![volume(
                "a",
                json!({ "spec": { "capacity": { "storage": "1Gi" },
                "claimRef": { "namespace": "n", "name": "c" } } }),
            )],
            "",
        ),
        (
            "named by the claim",
            asking(json!({ "volumeName": "b" })),
            vec![volume("a", json!({})), volume("b", size("9Gi"))],
            "b",
        ),
        (
            "waits for a pod",
            asking(json!({ "storageClassName": "wait" })),
            vec![volume("a", spec(json!({ "storageClassName": "wait" })))],
            "",
        ),
        (
            "waits no longer with a promise",
            asking(json!({ "storageClassName": "wait" })),
            vec![volume(
                "a",
                json!({ "spec": { "storageClassName": "wait",
                "claimRef": { "namespace": "n", "name": "c", "uid": "uid-c" } } }),
            )],
            "a",
        ),
        (
            "waiting is no matter where the claim names the volume",
            asking(json!({ "storageClassName": "wait", "volumeName": "a" })),
            vec![volume("a", spec(json!({ "storageClassName": "wait" })))],
            "a",
        ),
    ];
    for (what, claim, volumes, expected) in table {
        assert_eq!(bound(claim, volumes), expected, "{what}");
    }
}

#[test]
fn a_binding_is_written_on_both_sides_and_says_who_chose() {
    let mut world = World::default();
    world.put(volume("v", size("5Gi")));
    world.put(claim("c", json!({})));
    world.settle();
    let (volume_after, claim_after) = (world.volume("v").clone(), world.claim("c").clone());
    let yes = json!({ "pv.kubernetes.io/bound-by-controller": "yes" });
    assert_eq!(volume_after["metadata"]["annotations"], yes);
    assert_eq!(
        volume_after["spec"]["claimRef"]["kind"],
        "PersistentVolumeClaim"
    );
    assert_eq!(claim_after["spec"]["volumeName"], "v");
    assert_eq!(
        claim_after["metadata"]["annotations"],
        json!({
            "pv.kubernetes.io/bound-by-controller": "yes",
            "pv.kubernetes.io/bind-completed": "yes",
        })
    );
    assert_eq!(
        claim_after["status"],
        json!({ "phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": { "storage": "5Gi" } })
    );
    assert_eq!(world.writes, 4, "volume, its status, claim, its status");

    // What users chose stays theirs.
    let mut world = World::default();
    world.put(volume("v", promise("c", "")));
    world.put(claim("c", spec(json!({ "volumeName": "v" }))));
    world.settle();
    assert_eq!(world.volume("v")["metadata"].get("annotations"), None);
    assert_eq!(world.volume("v")["spec"]["claimRef"]["uid"], "uid-c");
    assert_eq!(
        world.claim("c")["metadata"]["annotations"],
        json!({ "pv.kubernetes.io/bind-completed": "yes" })
    );
}

#[test]
fn what_keeps_a_claim_waiting_is_told() {
    let cases: Vec<(Value, Option<Value>, &str, &str)> = vec![
        (
            json!({}),
            None,
            "FailedBinding",
            "no persistent volumes available for this claim and no storage class is set",
        ),
        (
            spec(json!({ "storageClassName": "wait" })),
            None,
            "WaitForFirstConsumer",
            "waiting for first consumer to be created before binding",
        ),
        (
            spec(json!({ "storageClassName": "gone" })),
            None,
            "ProvisioningFailed",
            "storageclass.storage.k8s.io \"gone\" not found",
        ),
        (
            spec(json!({ "storageClassName": "hand" })),
            None,
            "ProvisioningFailed",
            "no volume plugin matched name: kubernetes.io/no-provisioner",
        ),
        (
            spec(json!({ "storageClassName": "csi" })),
            None,
            "ExternalProvisioning",
            "Waiting for a volume to be created either by the external provisioner \
             'disk.example.com' or manually by the system administrator. If volume creation is \
             delayed, please verify that the provisioner is running and correctly registered.",
        ),
        (
            json!({ "spec": { "storageClassName": "wait" }, "metadata": { "annotations": {
                "volume.kubernetes.io/selected-node": "a" } } }),
            None,
            "ProvisioningFailed",
            "no volume plugin matched name: kubernetes.io/no-provisioner",
        ),
        (
            spec(json!({ "volumeName": "v" })),
            Some(size("1Gi")),
            "VolumeMismatch",
            "Cannot bind to requested volume \"v\": requested PV is too small",
        ),
        (
            spec(json!({ "volumeName": "v" })),
            Some(spec(json!({ "storageClassName": "x" }))),
            "VolumeMismatch",
            "Cannot bind to requested volume \"v\": storageClassName does not match",
        ),
        (
            spec(json!({ "volumeName": "v" })),
            Some(spec(json!({ "volumeMode": "Block" }))),
            "VolumeMismatch",
            "Cannot bind to requested volume \"v\": incompatible volumeMode",
        ),
        (
            spec(json!({ "volumeName": "v" })),
            Some(spec(json!({ "accessModes": ["ReadOnlyMany"] }))),
            "VolumeMismatch",
            "Cannot bind to requested volume \"v\": incompatible accessMode",
        ),
        (
            spec(json!({ "volumeName": "v" })),
            Some(promise("d", "")),
            "FailedBinding",
            "volume \"v\" already bound to a different claim.",
        ),
    ];
    for (extra, there, reason, message) in cases {
        let mut world = World::default();
        world
            .storage
            .set_class(&class("wait", true, "kubernetes.io/no-provisioner"));
        world
            .storage
            .set_class(&class("hand", false, "kubernetes.io/no-provisioner"));
        world
            .storage
            .set_class(&class("csi", false, "disk.example.com"));
        if let Some(extra) = there {
            world.put(volume("v", extra));
        }
        world.put(claim("c", extra.clone()));
        world.settle();
        assert_eq!(
            world.told(reason).first(),
            Some(&message),
            "{extra}: {:?}",
            world.notes
        );
        assert_eq!(
            world.claim("c")["status"],
            json!({ "phase": "Pending" }),
            "{extra}"
        );
        let asked = meta::annotations(world.claim("c"))
            .get("volume.kubernetes.io/storage-provisioner")
            .copied();
        let expected = (reason == "ExternalProvisioning").then_some("disk.example.com");
        assert_eq!(asked, expected, "{extra}");
    }
}

#[test]
fn pods_that_wait_for_the_claim_are_named() {
    let mut world = World::default();
    world
        .storage
        .set_class(&class("wait", true, "kubernetes.io/no-provisioner"));
    world.put(claim("c", spec(json!({ "storageClassName": "wait" }))));
    for (name, node, phase) in [
        ("p", "", ""),
        ("q", "", ""),
        ("r", "a", ""),
        ("s", "", "Failed"),
    ] {
        let pod = json!({
            "metadata": { "name": name, "namespace": "n", "uid": name },
            "spec": { "nodeName": node, "volumes": [
                { "name": "v", "persistentVolumeClaim": { "claimName": "c" } },
            ] },
            "status": { "phase": phase },
        });
        world
            .storage
            .set_pod(PodUse::of(&pod).expect("has a claim"));
    }
    world.settle();
    assert_eq!(
        world.told("WaitForPodScheduled"),
        ["waiting for pods p,q to be scheduled"]
    );
    world.storage.remove_pod(&("n".to_owned(), "q".to_owned()));
    world.settle();
    let expected = "waiting for pod p to be scheduled";
    assert_eq!(world.told("WaitForPodScheduled").last(), Some(&expected));
}

#[test]
fn a_claim_without_a_class_gets_the_newest_default_one_later() {
    let mut world = World::default();
    world.put(claim("c", spec(json!({ "storageClassName": null }))));
    world.put(claim("none", json!({})));
    world.settle();
    for (name, made) in [
        ("old", "2024-01-01T00:00:00Z"),
        ("new", "2025-01-01T00:00:00Z"),
    ] {
        let mut class = class(name, true, "disk.example.com");
        class["metadata"]["creationTimestamp"] = made.into();
        class["metadata"]["annotations"] =
            json!({ "storageclass.kubernetes.io/is-default-class": "true" });
        world.storage.set_class(&class);
    }
    world.settle();
    assert_eq!(world.claim("c")["spec"]["storageClassName"], "new");
    assert_eq!(world.claim("none")["spec"]["storageClassName"], "");
}

#[test]
fn a_class_of_a_kind_that_a_driver_took_over_asks_the_driver() {
    let mut world = World::default();
    world
        .storage
        .set_class(&class("ebs", false, "kubernetes.io/aws-ebs"));
    world.put(claim("c", spec(json!({ "storageClassName": "ebs" }))));
    world.settle();
    let annotations = meta::annotations(world.claim("c"));
    assert_eq!(
        annotations["volume.kubernetes.io/storage-provisioner"],
        "ebs.csi.aws.com"
    );
}

#[test]
fn directories_of_a_node_are_asked_for_and_refused() {
    let mut world = World::default();
    world
        .storage
        .set_class(&class("dir", false, "kubernetes.io/host-path"));
    world.put(claim("c", spec(json!({ "storageClassName": "dir" }))));
    world.settle();
    let annotations = meta::annotations(world.claim("c"));
    let asked = annotations["volume.kubernetes.io/storage-provisioner"];
    assert_eq!(asked, "kubernetes.io/host-path");
    let why = "Failed to create provisioner: provisioning in volume plugin \
               \"kubernetes.io/host-path\" is disabled";
    assert_eq!(world.told("ProvisioningFailed").first(), Some(&why));
}

#[test]
fn a_bound_claim_without_its_volume_is_lost() {
    let mut world = World::default();
    world.put(volume("v", json!({})));
    world.put(claim("c", json!({})));
    world.settle();
    world.remove_volume("v");
    world.settle();
    assert_eq!(world.claim("c")["status"], json!({ "phase": "Lost" }));
    assert_eq!(
        world.told("ClaimLost"),
        ["Bound claim has lost its PersistentVolume. Data on the volume is lost!"]
    );
    // It may come back, and does not belong to somebody else then.
    world.put(volume("v", promise("d", "uid-d")));
    world.put(claim("d", spec(json!({ "volumeName": "v" }))));
    world.settle();
    assert_eq!(world.claim("d")["status"]["phase"], "Bound");
    assert_eq!(world.claim("c")["status"]["phase"], "Lost");
}

#[test]
fn what_becomes_of_a_volume_without_its_claim_is_its_policy() {
    let failed = |message: &str| json!({ "phase": "Failed", "message": message });
    let released = json!({ "phase": "Released" });
    let path = |path: &str| json!({ "local": null, "hostPath": { "path": path } });
    let cases: Vec<(&str, Value, Value, Option<Value>)> = vec![
        ("Retain", json!({}), json!({}), Some(released.clone())),
        (
            "Delete",
            json!({}),
            json!({}),
            Some(failed(
                "error getting deleter volume plugin for volume \"v\": no volume plugin matched",
            )),
        ),
        (
            "Delete",
            json!({ "local": null, "nfs": { "server": "s", "path": "/" } }),
            json!({}),
            Some(failed(
                "error getting deleter volume plugin for volume \"v\": no deletable volume plugin \
                 matched",
            )),
        ),
        (
            "Delete",
            path("/srv/x"),
            json!({}),
            Some(failed(
                "host_path deleter only supports /tmp/.+ but received provided /srv/x",
            )),
        ),
        ("Delete", path("/tmp/x"), json!({}), None),
        (
            "Delete",
            json!({ "local": null, "csi": { "driver": "d", "volumeHandle": "h" } }),
            json!({}),
            Some(released.clone()),
        ),
        (
            "Delete",
            json!({}),
            json!({ "pv.kubernetes.io/provisioned-by": "disk.example.com" }),
            Some(released.clone()),
        ),
        (
            "Delete",
            json!({}),
            json!({ "pv.kubernetes.io/provisioned-by": "kubernetes.io/gce-pd" }),
            Some(released.clone()),
        ),
        (
            "Recycle",
            json!({}),
            json!({}),
            Some(failed("No recycler plugin found for the volume!")),
        ),
    ];
    for (policy, source, annotations, expected) in cases {
        let mut world = World::default();
        let mut extra = json!({
            "metadata": { "annotations": annotations },
            "spec": { "persistentVolumeReclaimPolicy": policy },
        });
        merge(&mut extra["spec"], source);
        world.put(volume("v", extra.clone()));
        world.put(claim("c", json!({})));
        world.settle();
        assert_eq!(world.claim("c")["status"]["phase"], "Bound", "{extra}");
        world.remove_claim("c");
        world.settle();
        let after = world.objects.get(&(VOLUMES, String::new(), "v".to_owned()));
        assert_eq!(
            after.map(|volume| volume["status"].clone()),
            expected,
            "{extra}"
        );
        // A claim of the same name is another claim.
        let mut other = claim("c", json!({}));
        other["metadata"]["uid"] = "another".into();
        world.put(other);
        world.settle();
        assert_eq!(world.claim("c")["status"]["phase"], "Pending", "{extra}");
    }
}

#[test]
fn a_volume_that_was_made_here_is_kept_until_it_is_deleted() {
    let mut world = World::default();
    let made = json!({
        "metadata": {
            "annotations": { "pv.kubernetes.io/provisioned-by": "kubernetes.io/host-path" },
        },
        "spec": {
            "persistentVolumeReclaimPolicy": "Delete",
            "local": null, "hostPath": { "path": "/tmp/x" },
        },
    });
    world.put(volume("v", made));
    world.put(claim("c", json!({})));
    world.settle();
    let finalizers = &world.volume("v")["metadata"]["finalizers"];
    assert_eq!(*finalizers, json!(["kubernetes.io/pv-controller"]));
    world.remove_claim("c");
    world.settle();
    let after = world.volume("v");
    assert_eq!(
        after["metadata"]["finalizers"],
        json!([]),
        "the server removes it now"
    );
    assert_eq!(after["metadata"]["deletionTimestamp"], "now");
}

#[test]
fn a_claim_bound_elsewhere_sets_a_volume_free() {
    for (by_controller, is_kept) in [(true, false), (false, true)] {
        let mut world = World::default();
        let mut spare = volume("spare", promise("c", "uid-c"));
        if by_controller {
            meta::set(
                &mut spare,
                &[
                    "metadata",
                    "annotations",
                    "pv.kubernetes.io/bound-by-controller",
                ],
                "yes",
            );
        }
        world.put(volume("v", json!({})));
        world.put(claim("c", spec(json!({ "volumeName": "v" }))));
        world.settle();
        world.put(spare);
        world.settle();
        let spare = world.volume("spare");
        assert_eq!(spare["status"]["phase"], "Available");
        let left = meta::at(spare, &["spec", "claimRef"]);
        assert_eq!(left.is_some(), is_kept);
        assert!(left.is_none_or(|left| left.get("uid").is_none()));
    }
}

fn any_claim(place: usize) -> impl Strategy<Value = Value> {
    let volumes = prop::option::weighted(0.2, 0..4_usize);
    let classes = prop::sample::select(vec![json!(""), json!("x"), json!("wait"), Value::Null]);
    (volumes, classes, 1..4_u8, any::<bool>(), any::<bool>()).prop_map(
        move |(volume, class, size, many, completed)| {
            let mut made = claim(
                &format!("c{place}"),
                spec(json!({
                    "storageClassName": class,
                    "resources": { "requests": { "storage": format!("{size}Gi") } },
                    "accessModes": [if many { "ReadWriteMany" } else { "ReadWriteOnce" }],
                })),
            );
            if let Some(volume) = volume {
                made["spec"]["volumeName"] = format!("v{volume}").into();
                if completed {
                    made["metadata"]["annotations"] =
                        json!({ "pv.kubernetes.io/bind-completed": "yes" });
                }
            }
            made
        },
    )
}

fn any_volume(place: usize) -> impl Strategy<Value = Value> {
    let promises = prop::option::weighted(0.4, (0..4_usize, 0..3_u8));
    let classes = prop::sample::select(vec!["", "x", "wait"]);
    let policies = prop::sample::select(vec!["Retain", "Delete", "Recycle"]);
    let phases = prop::sample::select(vec!["Pending", "Available", "Released", "Bound"]);
    (
        promises,
        classes,
        policies,
        phases,
        1..4_u8,
        any::<[bool; 3]>(),
    )
        .prop_map(
            move |(to, class, policy, phase, size, [many, by_controller, made])| {
                let mut extra = json!({
                    "spec": {
                        "storageClassName": class,
                        "capacity": { "storage": format!("{size}Gi") },
                        "persistentVolumeReclaimPolicy": policy,
                        "accessModes": if many {
                            json!(["ReadWriteOnce", "ReadWriteMany"])
                        } else {
                            json!(["ReadWriteOnce"])
                        },
                    },
                    "status": { "phase": phase },
                    "metadata": { "annotations": {} },
                });
                if let Some((claim, uid)) = to {
                    let uid = match uid {
                        0 => String::new(),
                        1 => format!("uid-c{claim}"),
                        _ => "another".to_owned(),
                    };
                    merge(&mut extra, promise(&format!("c{claim}"), &uid));
                }
                if by_controller {
                    extra["metadata"]["annotations"]["pv.kubernetes.io/bound-by-controller"] =
                        "yes".into();
                }
                if made {
                    extra["metadata"]["annotations"]["pv.kubernetes.io/provisioned-by"] =
                        "disk.example.com".into();
                }
                volume(&format!("v{place}"), extra)
            },
        )
}

fn any_world() -> impl Strategy<Value = (Vec<Value>, Vec<Value>, Vec<usize>)> {
    let claims: Vec<_> = (0..4).map(any_claim).collect();
    let volumes: Vec<_> = (0..4).map(any_volume).collect();
    (claims, volumes, prop::collection::vec(0..8_usize, 0..24))
}

proptest! {
    /// Whatever there is and in whatever order it is looked at: no volume is two claims', what is
    /// bound is bound on both sides, and at the end nothing more is written.
    #[test]
    fn no_volume_is_bound_twice((claims, volumes, order) in any_world()) {
        let mut world = World::default();
        world.storage.set_class(&class("wait", true, "disk.example.com"));
        world.storage.set_class(&class("x", false, "disk.example.com"));
        claims.into_iter().chain(volumes).for_each(|object| world.put(object));
        for place in order {
            let claims: Vec<Key> = world.storage.claims().skip(place).take(1).cloned().collect();
            let volumes = world.storage.volumes();
            let volumes: Vec<String> = volumes.skip(place % 4).take(1).cloned().collect();
            world.work(&claims, if place < 4 { &[] } else { &volumes });
        }
        world.settle();
        let mut taken = BTreeMap::new();
        for ((resource, _, name), object) in &world.objects {
            if *resource != CLAIMS || object["status"]["phase"] != "Bound" {
                continue;
            }
            let volume = meta::text(object, &["spec", "volumeName"]).to_owned();
            let other = taken.insert(volume.clone(), name.clone());
            prop_assert_eq!(other, None, "{} is bound twice", volume);
            let volume = world.volume(&volume);
            prop_assert_eq!(&volume["spec"]["claimRef"]["uid"], &object["metadata"]["uid"]);
            prop_assert_eq!(&volume["status"]["phase"], "Bound");
        }
        let before = world.writes;
        world.settle();
        prop_assert_eq!(world.writes, before, "a second look changes nothing");
    }
}
