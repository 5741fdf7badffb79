//! Secrets at rest, keys, backups: what is on the disk.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use support::{Cluster, kubectls};

const VALUE: &str = "correct-horse-battery-staple";
/// The same in base64, as the API carries it.
const ENCODED: &str = "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ==";

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            all.extend(files(&path))
        } else {
            all.push(path)
        }
    }
    all
}

fn holds(file: &Path, text: &str) -> bool {
    let bytes = std::fs::read(file).unwrap_or_default();
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn no_file_holds_a_secret_and_no_file_is_open_to_others() {
    let program = kubectls().remove(0);
    let cluster = Cluster::start();
    let kubectl = cluster.kubectl(&program);
    let literal = format!("--from-literal=password={VALUE}");
    kubectl.ok(&["create", "secret", "generic", "s", &literal]);
    kubectl.ok(&["get", "secret", "s", "-o", "yaml"]);
    kubectl.ok(&["annotate", "secret", "s", "touched=yes"]);
    // Even a request that is refused leaves nothing behind.
    kubectl.fails(&["create", "secret", "generic", "s", &literal]);
    let data = cluster.data();
    let found = files(&data);
    assert!(found.iter().any(|f| f.ends_with("audit.log")), "{found:?}");
    for file in &found {
        for text in [VALUE, ENCODED, ENCODED.trim_end_matches('=')] {
            assert!(!holds(file, text), "{} holds the secret", file.display());
        }
        let mode = std::fs::metadata(file).expect("there").permissions().mode() & 0o077;
        let public = file.extension().is_some_and(|e| e == "crt" || e == "pub");
        assert!(mode == 0 || public, "{} has mode {mode:o}", file.display());
    }
    let (status, log) = cluster.stop();
    assert!(status.success(), "{status}: {log}");
    assert!(
        !log.contains(VALUE) && !log.contains(ENCODED),
        "the log holds the secret"
    );
}

#[test]
fn after_rotation_the_old_key_opens_nothing() {
    let program = kubectls().remove(0);
    let cluster = Cluster::start();
    let kubectl = cluster.kubectl(&program);
    let literal = format!("--from-literal=password={VALUE}");
    kubectl.ok(&["create", "secret", "generic", "s", &literal]);
    let keys = cluster.data().join("encryption/keys");
    let old = std::fs::read(&keys).expect("the key file");
    let data = cluster.data().display().to_string();
    let rotated = cluster.rampart(&["encryption", "rotate", "--data-dir", &data]);
    assert!(rotated.status.success(), "{rotated:?}");
    let path = "jsonpath={.data.password}";
    assert_eq!(kubectl.ok(&["get", "secret", "s", "-o", path]), ENCODED);
    let new = std::fs::read(&keys).expect("the key file");
    assert_ne!(old, new);
    // The cluster comes up again with the new key and not with the old one.
    let cluster = cluster.kill_and_restart();
    let kubectl = cluster.kubectl(&program);
    assert_eq!(kubectl.ok(&["get", "secret", "s", "-o", path]), ENCODED);
    let keys = cluster.data().join("encryption/keys");
    let error = cluster.fails_to_restart(|| std::fs::write(&keys, &old).expect("writable"));
    assert!(error.contains("key"), "{error}");
}

#[test]
fn backup_and_restore_while_the_cluster_runs() {
    let program = kubectls().remove(0);
    let cluster = Cluster::start();
    let kubectl = cluster.kubectl(&program);
    let data = cluster.data().display().to_string();
    let file = cluster.scratch().join("backup");
    let backup = file.display().to_string();
    kubectl.ok(&["create", "configmap", "kept", "--from-literal=a=1"]);
    kubectl.ok(&["create", "configmap", "changed", "--from-literal=a=1"]);
    let done = cluster.rampart(&["backup", "--data-dir", &data, "-o", &backup]);
    assert!(done.status.success(), "{done:?}");
    let mode = std::fs::metadata(&file)
        .expect("there")
        .permissions()
        .mode()
        & 0o777;
    assert_eq!(mode, 0o600);
    kubectl.ok(&["delete", "configmap", "kept"]);
    kubectl.ok(&[
        "patch",
        "configmap",
        "changed",
        "-p",
        "{\"data\":{\"a\":\"2\"}}",
    ]);
    kubectl.ok(&["create", "configmap", "new"]);
    let done = cluster.rampart(&["restore", "--data-dir", &data, &backup]);
    assert!(done.status.success(), "{done:?}");
    kubectl.ok(&["get", "configmap", "kept"]);
    let path = "jsonpath={.data.a}";
    assert_eq!(
        kubectl.ok(&["get", "configmap", "changed", "-o", path]),
        "1"
    );
    kubectl.fails(&["get", "configmap", "new"]);
    // A damaged backup changes nothing.
    let mut bytes = std::fs::read(&file).expect("the backup");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).expect("writable");
    let refused = cluster.rampart(&["restore", "--data-dir", &data, &backup]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    kubectl.ok(&["get", "configmap", "kept"]);
}

#[test]
fn a_data_directory_has_one_master() {
    let cluster = Cluster::start();
    let data = cluster.data().display().to_string();
    let second = cluster.rampart(&[
        "up",
        "--listen",
        "127.0.0.1:0",
        "--node",
        "off",
        "--data-dir",
        &data,
    ]);
    assert_eq!(second.status.code(), Some(2));
    let why = String::from_utf8_lossy(&second.stderr);
    assert!(why.contains("in use by process"), "{why}");
    // A directory with somebody else's files is left alone.
    let foreign = cluster.scratch().join("foreign");
    std::fs::create_dir_all(foreign.join("store")).expect("made");
    std::fs::write(foreign.join("store/thesis.doc"), "precious").expect("written");
    let path = foreign.display().to_string();
    let refused = cluster.rampart(&[
        "up",
        "--listen",
        "127.0.0.1:0",
        "--node",
        "off",
        "--data-dir",
        &path,
    ]);
    assert_eq!(refused.status.code(), Some(2));
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(why.contains("was not made by this store"), "{why}");
}

#[test]
fn token_keys_are_rotated_while_the_cluster_runs() {
    let program = kubectls().remove(0);
    let cluster = Cluster::start();
    let data = cluster.data().display().to_string();
    let keys = |cluster: &Cluster, verb: &str| {
        let done = cluster.rampart(&["serviceaccount-keys", verb, "--data-dir", &data]);
        assert!(done.status.success(), "{done:?}");
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let post = |cluster: &Cluster, path: &str, body: Value| {
        let file = cluster.scratch().join("body.json");
        std::fs::write(&file, body.to_string()).expect("written");
        let file = file.display().to_string();
        let kubectl = cluster.kubectl(&program);
        let answer = kubectl.ok(&["create", "--raw", path, "-f", &file]);
        serde_json::from_str::<Value>(&answer).expect("JSON")
    };
    let token = |cluster: &Cluster| {
        let path = "/api/v1/namespaces/default/serviceaccounts/default/token";
        let body = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600},
        });
        let answer = post(cluster, path, body);
        answer["status"]["token"]
            .as_str()
            .expect("a token")
            .to_owned()
    };
    let good = |cluster: &Cluster, token: &str| {
        let path = "/apis/authentication.k8s.io/v1/tokenreviews";
        let body = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
            "spec": {"token": token},
        });
        post(cluster, path, body)["status"]["authenticated"] == true
    };
    let raw = |path: &str| {
        let answer = cluster.kubectl(&program).ok(&["get", "--raw", path]);
        serde_json::from_str::<Value>(&answer).expect("JSON")
    };
    let found = raw("/.well-known/openid-configuration");
    assert_eq!(found["jwks_uri"], format!("{}/openid/v1/jwks", cluster.url));
    let before = keys(&cluster, "status");
    assert_eq!(before.len(), 1, "{before:?}");
    let old = token(&cluster);
    let after = keys(&cluster, "rotate");
    assert_eq!(after.len(), 2, "{after:?}");
    assert_eq!(after, keys(&cluster, "status"));
    assert!(
        after[0].ends_with("signs") && after[1].ends_with("verifies"),
        "{after:?}"
    );
    assert_eq!(before[0].split(' ').next(), after[1].split(' ').next());
    let new = token(&cluster);
    let header = |token: &str| token.split('.').next().unwrap_or_default().to_owned();
    assert_ne!(header(&old), header(&new), "the header names the key");
    assert!(good(&cluster, &old) && good(&cluster, &new));
    let shown = raw("/openid/v1/jwks");
    assert_eq!(shown["keys"].as_array().map(Vec::len), Some(2), "{shown}");
    // The same keys are there after a restart, and the old one goes when its file goes.
    let cluster = cluster.kill_and_restart();
    assert_eq!(after, keys(&cluster, "status"));
    assert!(good(&cluster, &old) && good(&cluster, &new));
    let id = after[1].split(' ').next().unwrap_or_default();
    let file = cluster.data().join(format!("pki/sa-{id}.pub"));
    std::fs::remove_file(file).expect("there");
    let cluster = cluster.kill_and_restart();
    assert!(!good(&cluster, &old) && good(&cluster, &new));
}
