//! Certificates and tokens over TLS: who gets in, and what the others are told.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use api_server::authorization::{Masters, OpenPaths, Union};
use api_server::identity_objects::CacheObjects;
use api_server::token_request::TokenRequests;
use api_server::{Config, Handle};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use identity::{
    Chain, ClientCertificates, ClientCredential, Clock, ObjectState, Objects, Pki, PodState,
    SecretState, ServiceAccountKeys, ServiceAccountTokens, ServingNames, Tls, TokenIssuer,
};
use model::Value;
use reference_models::store::MemoryStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

#[derive(Default)]
struct Late(OnceLock<CacheObjects>);

impl Objects for Late {
    fn service_account(&self, namespace: &str, name: &str) -> Option<ObjectState> {
        self.0.get()?.service_account(namespace, name)
    }
    fn pod(&self, namespace: &str, name: &str) -> Option<PodState> {
        self.0.get()?.pod(namespace, name)
    }
    fn secret(&self, namespace: &str, name: &str) -> Option<SecretState> {
        self.0.get()?.secret(namespace, name)
    }
    fn node(&self, name: &str) -> Option<ObjectState> {
        self.0.get()?.node(name)
    }
}

struct World {
    _directory: tempfile::TempDir,
    _handle: Handle,
    address: SocketAddr,
    pki: Pki,
}

fn credential(pki: &Pki, user: &str, groups: &[&str], now: i64) -> ClientCredential {
    let groups: Vec<String> = groups.iter().map(|g| (*g).to_owned()).collect();
    pki.issue_client(user, &groups, Duration::from_secs(600), now)
        .unwrap()
}

impl World {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let now = api_server::clock::now();
        let clock: Clock = Arc::new(api_server::clock::now);
        let pki = Pki::open(directory.path(), now).unwrap();
        let keys = Arc::new(ServiceAccountKeys::open(directory.path()).unwrap());
        let issuer = TokenIssuer::new("https://issuer", vec![], keys);
        let objects = Arc::new(Late::default());
        let chain = Chain::new(
            vec![
                Arc::new(ClientCertificates::new(&[pki.ca().clone()], clock.clone()).unwrap()),
                Arc::new(ServiceAccountTokens::new(
                    issuer.clone(),
                    objects.clone(),
                    clock,
                )),
            ],
            true,
        );
        let union = Union(vec![Arc::new(Masters), Arc::new(OpenPaths)]);
        let store = Arc::new(MemoryStore::new());
        let mut config = Config::new(store, Arc::new(chain), Arc::new(union));
        config.virtuals = api_server::reviews::all();
        config.virtuals.push(Arc::new(TokenRequests::new(issuer)));
        let mut handle = config.start().await.unwrap();
        let _ = objects.0.set(CacheObjects(handle.server().cache().clone()));
        let names = ServingNames::of_cluster("cluster.local", [10, 96, 0, 1].into());
        let tls = Tls::new(&pki.serving(&names, now).unwrap(), &[pki.ca().clone()]).unwrap();
        let address = handle
            .listen("127.0.0.1:0".parse().unwrap(), tls.config())
            .await
            .unwrap();
        Self {
            _directory: directory,
            _handle: handle,
            address,
            pki,
        }
    }

    async fn send(
        &self,
        client: Option<&ClientCredential>,
        token: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> (u16, Value) {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.pki.ca().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match client {
            None => builder.with_no_client_auth(),
            Some(c) => {
                let pem = c.certificate_pem.as_bytes();
                let key = PrivateKeyDer::from_pem_slice(c.key_pem.expose().as_bytes()).unwrap();
                builder
                    .with_client_auth_cert(vec![CertificateDer::from_pem_slice(pem).unwrap()], key)
                    .unwrap()
            }
        };
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("content-type", "application/json");
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = if body.is_null() {
            Bytes::new()
        } else {
            body.to_string().into()
        };
        let response = sender
            .send_request(request.body(Full::new(body)).unwrap())
            .await
            .unwrap();
        let code = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (code, serde_json::from_slice(&bytes).unwrap_or_default())
    }
}

const PODS: &str = "/api/v1/namespaces/default/pods";

#[tokio::test]
async fn certificates_are_judged_after_the_handshake() {
    let world = World::start().await;
    let other = tempfile::tempdir().unwrap();
    let now = api_server::clock::now();
    let stranger = Pki::open(other.path(), now).unwrap();
    let masters = ["system:masters"];
    let long_ago = now - 24 * 3600;
    for (what, client, code) in [
        ("none", None, 403),
        (
            "good",
            Some(credential(&world.pki, "root", &masters, now)),
            200,
        ),
        (
            "without rights",
            Some(credential(&world.pki, "jane", &["dev"], now)),
            403,
        ),
        (
            "another CA's",
            Some(credential(&stranger, "root", &masters, now)),
            401,
        ),
        (
            "ended",
            Some(credential(&world.pki, "root", &masters, long_ago)),
            401,
        ),
    ] {
        let (found, status) = world
            .send(client.as_ref(), "", "GET", PODS, &Value::Null)
            .await;
        assert_eq!(found, code, "{what}: {status}");
        if code == 401 {
            assert_eq!(status["message"], "Unauthorized", "nobody learns more");
            assert_eq!(status["reason"], "Unauthorized");
        }
    }
    // A stale certificate does not spoil what is open to everybody, nor the other way round.
    let bad = credential(&stranger, "root", &masters, now);
    let (code, _) = world
        .send(Some(&bad), "", "GET", "/version", &Value::Null)
        .await;
    assert_eq!(code, 401, "bad credentials are not no credentials");
}

#[tokio::test]
async fn tokens_live_as_long_as_what_they_are_bound_to() {
    let world = World::start().await;
    let now = api_server::clock::now();
    let root = credential(&world.pki, "root", &["system:masters"], now);
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    let account = json!({"kind": "ServiceAccount", "apiVersion": "v1",
        "metadata": {"name": "robot"}});
    let (code, _) = world
        .send(Some(&root), "", "POST", accounts, &account)
        .await;
    assert_eq!(code, 201);
    let request = |audiences: Value| {
        json!({"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
            "spec": {"audiences": audiences}})
    };
    let path = format!("{accounts}/robot/token");
    let issue = async |audiences: Value| {
        let body = request(audiences);
        let (code, answer) = world.send(Some(&root), "", "POST", &path, &body).await;
        assert_eq!(code, 201, "{answer}");
        answer["status"]["token"].as_str().unwrap().to_owned()
    };
    let token = issue(json!([])).await;
    let vault = issue(json!(["vault"])).await;
    let get = async |token: &str| {
        let (code, status) = world.send(None, token, "GET", PODS, &Value::Null).await;
        (
            code,
            status["message"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let (code, message) = get(&token).await;
    assert_eq!(code, 403);
    assert!(
        message.contains("\"system:serviceaccount:default:robot\""),
        "{message}"
    );
    assert_eq!(get(&vault).await.0, 401, "meant for others");
    assert_eq!(get(&format!("{token}x")).await.0, 401);
    assert_eq!(get("nonsense").await.0, 401);

    let review = json!({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1",
        "spec": {"token": vault, "audiences": ["vault"]}});
    let reviews = "/apis/authentication.k8s.io/v1/tokenreviews";
    let (_, answer) = world.send(Some(&root), "", "POST", reviews, &review).await;
    assert_eq!(answer["status"]["authenticated"], true, "{answer}");
    assert_eq!(answer["status"]["audiences"], json!(["vault"]));

    let one = format!("{accounts}/robot");
    let (code, _) = world
        .send(Some(&root), "", "DELETE", &one, &Value::Null)
        .await;
    assert_eq!(code, 200);
    assert_eq!(get(&token).await.0, 401, "the account is gone");
    let (code, _) = world
        .send(Some(&root), "", "POST", accounts, &account)
        .await;
    assert_eq!(code, 201);
    assert_eq!(get(&token).await.0, 401, "the account is another one");
}
