//! A disk that is full: writes are refused with a clear answer and change nothing, reads go on, and
//! when there is room again everything goes on.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use k8s_openapi::serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::Cluster;
use support::wire::{Answer, Wire};

const CONFIGMAPS: &str = "/api/v1/namespaces/default/configmaps";
const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
/// Of the disk.
const SIZE: &str = "size=24m";
/// Of an object.
const BYTES: usize = 300_000;
/// More objects than the disk has room for.
const MANY: usize = 200;

/// A small disk of its own: a file system in memory, which only root can mount.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path) -> Result<Self, String> {
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", SIZE, "tmpfs"])
            .arg(at)
            .output()
            .map_err(|error| error.to_string())?;
        if mount.status.success() {
            Ok(Self(at.to_owned()))
        } else {
            Err(String::from_utf8_lossy(&mount.stderr).into_owned())
        }
    }

    /// Takes all the room that is left.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = std::fs::File::create(&path).expect("a file");
        for size in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn configmap(name: &str, letter: &str) -> Value {
    let value = letter.repeat(BYTES);
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": value}})
}

fn create(wire: &Wire, name: &str) -> Answer {
    let body = configmap(name, "x").to_string();
    wire.send("POST", CONFIGMAPS, &JSON, body.as_bytes())
}

/// The names and versions of what is stored, each object of which must be whole.
#[track_caller]
fn stored(wire: &Wire) -> BTreeMap<String, String> {
    let answer = wire.send("GET", CONFIGMAPS, &[], b"");
    assert_eq!(answer.code, 200, "{}", answer.summary());
    let list = answer.json();
    let items = list["items"].as_array().expect("a list");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    items
        .iter()
        .filter(|item| item["metadata"]["name"] != "kube-root-ca.crt")
        .map(|item| {
            assert_eq!(item["data"]["a"], "x".repeat(BYTES), "half an object");
            let metadata = &item["metadata"];
            (text(&metadata["name"]), text(&metadata["resourceVersion"]))
        })
        .collect()
}

#[track_caller]
fn refused(answer: &Answer) {
    let summary = answer.summary();
    let clear = summary.starts_with("500 InternalError: Internal error occurred: ")
        && summary.to_lowercase().contains("no space");
    assert!(clear, "{summary}");
}

#[test]
fn a_full_disk_refuses_writes_and_loses_nothing() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let disk = match Disk::mount(directory.path()) {
        Ok(disk) => disk,
        Err(why) => {
            eprintln!("SKIPPED: no small disk can be mounted (only root can): {why}");
            return;
        }
    };
    let cluster = Cluster::start_in(directory);
    let wire = Wire::admin(&cluster);
    let mut acknowledged = BTreeMap::new();
    let mut refusal = None;
    for n in 0..MANY {
        let name = format!("object-{n}");
        let answer = create(&wire, &name);
        if answer.code != 201 {
            refusal = Some(answer);
            break;
        }
        let version = answer.json()["metadata"]["resourceVersion"].clone();
        acknowledged.insert(name, version.as_str().expect("a version").to_owned());
    }
    refused(&refusal.expect("the disk is full sooner or later"));
    assert!(acknowledged.len() > 5, "{acknowledged:?}");
    assert_eq!(stored(&wire), acknowledged);
    // An update is refused too, and the object stays as it was.
    let target = format!("{CONFIGMAPS}/object-0");
    let body = configmap("object-0", "y").to_string();
    refused(&wire.send("PUT", &target, &JSON, body.as_bytes()));
    assert_eq!(stored(&wire), acknowledged);
    // Deleting is how room is made; it works as long as the reserve lasts.
    let deleted = wire.send("DELETE", &target, &[], b"");
    assert_eq!(deleted.code, 200, "{}", deleted.summary());
    acknowledged.remove("object-0");
    assert_eq!(stored(&wire), acknowledged);

    // Without the reserve nothing at all can be written, and reads still go on.
    let filler = disk.fill();
    refused(&create(&wire, "late"));
    assert_eq!(stored(&wire), acknowledged);
    let ready = wire.send("GET", "/livez", &[], b"");
    assert_eq!(ready.code, 200);
    std::fs::remove_file(filler).expect("removed");
    let larger = Command::new("mount")
        .args(["-o", "remount,size=96m"])
        .arg(&disk.0)
        .status()
        .expect("mount runs");
    assert!(larger.success(), "remount");

    // With room again writes go on, without a new start.
    let create_again = |wire: &Wire, name: &str, acknowledged: &mut BTreeMap<String, String>| {
        let answer = create(wire, name);
        assert_eq!(answer.code, 201, "{}", answer.summary());
        let version = answer.json()["metadata"]["resourceVersion"].clone();
        acknowledged.insert(
            name.to_owned(),
            version.as_str().expect("a version").to_owned(),
        );
    };
    create_again(&wire, "after-1", &mut acknowledged);
    assert_eq!(stored(&wire), acknowledged);

    // A process that is killed on a full disk loses nothing that was acknowledged.
    let filler = disk.fill();
    refused(&create(&wire, "late"));
    let cluster = cluster.kill_and_meddle(|| std::fs::remove_file(&filler).expect("removed"));
    let wire = Wire::admin(&cluster);
    assert_eq!(stored(&wire), acknowledged);
    create_again(&wire, "after-2", &mut acknowledged);
    assert_eq!(stored(&wire), acknowledged);
    let (status, log) = cluster.stop();
    assert!(status.success(), "{status}\n{log}");
    assert!(!log.contains("panicked"), "{log}");
}
