//! Images from registries and archives. The registry is a small one of the test's own.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[allow(dead_code, reason = "each test program uses a part of it")]
mod support;

use flate2::Compression;
use flate2::write::GzEncoder;
use node_api::{Credentials, Error, Images, Runtime};
use node_linux::{ImageStore, Mirror, Registries};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use support::{digest, layer, on_node, open_images};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What a registry serves, by path below `/v2/`.
#[derive(Default)]
struct Registry {
    content: Mutex<BTreeMap<String, (&'static str, Vec<u8>)>>,
    /// The header that is asked for.
    authorization: Option<&'static str>,
    requests: Mutex<Vec<String>>,
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

impl Registry {
    /// Publishes an image of one layer under `app:1`; the digest of its index.
    fn publish(&self) -> String {
        let plain = layer(b"not a program");
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&plain).unwrap();
        let layer = gzip.finish().unwrap();
        let config = serde_json::json!({
            "architecture": "amd64", "os": "linux",
            "config": { "Env": ["A=b"], "Entrypoint": ["/bin/app"], "Cmd": null },
            "rootfs": { "type": "layers", "diff_ids": [digest(&plain)] },
        })
        .to_string()
        .into_bytes();
        let descriptor = |kind: &str, bytes: &[u8]| serde_json::json!({ "mediaType": kind, "digest": digest(bytes), "size": bytes.len() });
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &layer)],
        })
        .to_string()
        .into_bytes();
        let entry = |architecture: &str, bytes: &[u8]| {
            let mut entry = descriptor(MANIFEST, bytes);
            entry["platform"] = serde_json::json!({ "os": "linux", "architecture": architecture });
            entry
        };
        let index = serde_json::json!({
            "schemaVersion": 2, "mediaType": INDEX,
            "manifests": [entry("s390x", b"other"), entry("amd64", &manifest), entry("arm64", &manifest)],
        })
        .to_string()
        .into_bytes();
        let id = digest(&index);
        let mut content = self.content.lock().unwrap();
        for blob in [layer, config] {
            let path = format!("app/blobs/{}", digest(&blob));
            content.insert(path, ("application/octet-stream", blob));
        }
        content.insert(
            format!("app/manifests/{}", digest(&manifest)),
            (MANIFEST, manifest),
        );
        content.insert(format!("app/manifests/{id}"), (INDEX, index.clone()));
        content.insert("app/manifests/1".into(), (INDEX, index));
        id
    }

    /// Changes one byte of everything of a kind.
    fn corrupt(&self, path: impl Fn(&str) -> bool) {
        for (name, (_, bytes)) in self.content.lock().unwrap().iter_mut() {
            if path(name) {
                let last = bytes.len() - 2;
                bytes[last] ^= 1;
            }
        }
    }

    fn fetched(&self, what: &str) -> usize {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|path| path.contains(what)).count()
    }

    /// Serves from now on; its name.
    async fn serve(self: &Arc<Self>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let name = listener.local_addr().unwrap().to_string();
        let registry = Arc::clone(self);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let registry = Arc::clone(&registry);
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await?);
                    }
                    let answer = registry.answer(&String::from_utf8_lossy(&head));
                    stream.write_all(&answer).await?;
                    stream.shutdown().await
                });
            }
        });
        name
    }

    fn answer(&self, head: &str) -> Vec<u8> {
        let path = head.split(' ').nth(1).unwrap();
        let path = path.strip_prefix("/v2/").unwrap_or_default().to_owned();
        self.requests.lock().unwrap().push(path.clone());
        let authorized = self.authorization.is_none_or(|wanted| {
            head.lines().any(|line| {
                line.to_lowercase().starts_with("authorization:") && line.ends_with(wanted)
            })
        });
        let content = self.content.lock().unwrap().get(&path).cloned();
        let (status, kind, body) = match (authorized, path.as_str(), content) {
            (false, ..) => (
                "401 Unauthorized",
                "application/json",
                b"{\"errors\":[]}".to_vec(),
            ),
            (true, "", _) => ("200 OK", "application/json", b"{}".to_vec()),
            (true, _, Some((kind, body))) => ("200 OK", kind, body),
            (true, _, None) => (
                "404 Not Found",
                "application/json",
                b"{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"\"}]}".to_vec(),
            ),
        };
        let mut answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
             WWW-Authenticate: Basic realm=\"r\"\r\nConnection: close\r\n\r\n",
            body.len()
        )
        .into_bytes();
        answer.extend(body);
        answer
    }
}

/// Runs a test with a store, or says why it does not.
fn with_store<F: Future<Output = ()>>(test: impl FnOnce(tempfile::TempDir) -> F) {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: unpacking images takes root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test(dir));
}

fn open(dir: &Path) -> ImageStore {
    open_images(dir, Registries::default())
}

#[test]
fn an_image_is_pulled_by_tag_and_digest_and_not_fetched_twice() {
    with_store(|dir| async move {
        let registry = Arc::new(Registry::default());
        let index = registry.publish();
        let host = registry.serve().await;
        let images = open(dir.path());
        let image = images.pull(&format!("{host}/app:1"), &[]).await.unwrap();
        assert_eq!(image.names, [format!("{host}/app:1")]);
        assert_eq!(image.digests, [format!("{host}/app@{index}")]);
        assert_eq!(image.config.entrypoint, ["/bin/app"]);
        assert_eq!(
            (image.config.env.as_slice(), image.config.cmd.len()),
            (&["A=b".into()][..], 0)
        );
        let by_digest = format!("{host}/app@{index}");
        let again = images.pull(&by_digest, &[]).await.unwrap();
        assert_eq!(again.id, image.id);
        // The configuration twice, the layer once.
        assert_eq!(registry.fetched("blobs"), 3);
        drop(images);
        let images = open(dir.path());
        for name in [&image.id, &image.names[0], &by_digest] {
            assert_eq!(
                images.image(name).await.unwrap().unwrap().id,
                image.id,
                "{name}"
            );
        }
        let user = images.resolve_user(&image.id, "app").await.unwrap();
        assert_eq!(
            (user.uid, user.gid, user.additional_gids),
            (1000, 1001, vec![7])
        );
        images.remove_image(&image.id).await.unwrap();
        assert!(images.collect_garbage().await.unwrap() > 0);
        assert_eq!(images.usage().await.unwrap().bytes, 0);
    });
}

#[test]
fn what_is_not_what_its_digest_says_is_refused() {
    with_store(|dir| async move {
        for kind in ["blobs/", "manifests/sha256"] {
            let registry = Arc::new(Registry::default());
            let index = registry.publish();
            registry.corrupt(|path| path.contains(kind));
            let host = registry.serve().await;
            let images = open(&dir.path().join(kind));
            for reference in [format!("{host}/app:1"), format!("{host}/app@{index}")] {
                let error = images.pull(&reference, &[]).await.unwrap_err();
                assert!(matches!(error, Error::Corrupt { .. }), "{kind} {error:?}");
            }
            assert_eq!(images.images().await.unwrap(), []);
            let layers = dir.path().join(kind).join("images/layers");
            assert_eq!(fs::read_dir(layers).unwrap().count(), 0, "{kind}");
        }
    });
}

#[test]
fn credentials_are_tried_in_turn_and_not_shown_to_mirrors() {
    with_store(|dir| async move {
        let registry = Arc::new(Registry {
            authorization: Some("Basic dTpw"),
            ..Registry::default()
        });
        registry.publish();
        let host = registry.serve().await;
        let name = format!("{host}/app:1");
        let basic = |password: &str| Credentials::Basic {
            username: "u".into(),
            password: password.into(),
        };
        let images = open(dir.path());
        for credentials in [&[][..], &[basic("wrong")]] {
            let error = images.pull(&name, credentials).await.unwrap_err();
            assert!(matches!(error, Error::Unauthorized(_)), "{error:?}");
        }
        images
            .pull(&name, &[basic("wrong"), basic("p")])
            .await
            .unwrap();

        let mirror = Arc::new(Registry::default());
        mirror.publish();
        let at = mirror.serve().await;
        let mirrors = |host: String| Mirror {
            host,
            plain_http: true,
        };
        let registries = Registries {
            mirrors: [("registry.invalid".into(), vec![mirrors(host), mirrors(at)])].into(),
            ..Registries::default()
        };
        let images = open_images(&dir.path().join("mirrored"), registries);
        let name = "registry.invalid/app:1";
        let image = images.pull(name, &[basic("p")]).await.unwrap();
        assert_eq!(image.names, [name]);
    });
}

#[test]
fn what_a_registry_does_not_have_is_not_found_and_a_wrong_name_is_wrong() {
    with_store(|dir| async move {
        let registry = Arc::new(Registry::default());
        let host = registry.serve().await;
        let images = open(dir.path());
        let error = images
            .pull(&format!("{host}/app:2"), &[])
            .await
            .unwrap_err();
        assert!(error.is_not_found(), "{error:?}");
        for name in ["UPPER/case", "", "a b"] {
            let error = images.pull(name, &[]).await.unwrap_err();
            assert!(matches!(error, Error::Invalid(_)), "{name:?}: {error:?}");
        }
    });
}

#[test]
fn an_image_in_use_stays() {
    on_node(|node| async move {
        let sandbox = node.sandbox().await;
        let id = node.started(&sandbox, node.config("c", "sleep 1000")).await;
        let kept = node.images.remove_image(support::IMAGE).await;
        assert!(matches!(kept, Err(Error::Conflict(_))), "{kept:?}");
        assert_eq!(node.images.collect_garbage().await.unwrap(), 0);
        assert_eq!(node.exec(&id, &["true"]).await.0, 0);
        node.runtime.remove_sandbox(&sandbox.id).await.unwrap();
        node.images.remove_image(support::IMAGE).await.unwrap();
        assert!(node.images.collect_garbage().await.unwrap() > 0);
    });
}
