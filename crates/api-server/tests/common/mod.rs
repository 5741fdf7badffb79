//! A real server on a free port, and a small client for it.
#![allow(dead_code, unreachable_pub, missing_docs)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use api_server::authorization::{Authorizer, Masters, OpenPaths, Union};
use api_server::{Config, Handle};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use identity::{Authenticator, Credentials, Identity, Rejection};
use model::Value;
use model::user::{ALL_AUTHENTICATED, ALL_UNAUTHENTICATED, ANONYMOUS, MASTERS, UserInfo};
use rbac::{Attributes, Decision};
use reference_models::store::MemoryStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The token is the user's name; `root` is in `system:masters`, `bad` is refused.
struct Tokens;

impl Authenticator for Tokens {
    fn authenticate<'a>(
        &'a self,
        credentials: &'a Credentials<'a>,
    ) -> BoxFuture<'a, Result<Option<Identity>, Rejection>> {
        Box::pin(async move {
            let user = match credentials.bearer {
                None => UserInfo::new(ANONYMOUS, [ALL_UNAUTHENTICATED]),
                Some("bad") => return Err(Rejection("a bad token".to_owned())),
                Some("root") => UserInfo::new("root", [MASTERS, ALL_AUTHENTICATED]),
                Some(name) => UserInfo::new(name, [ALL_AUTHENTICATED]),
            };
            Ok(Some(Identity {
                user,
                audiences: Vec::new(),
            }))
        })
    }
}

/// Lets `jane` read pods in the namespace `default`.
struct Jane;

impl rbac::Authorizer for Jane {
    fn authorize(&self, a: &Attributes<'_>) -> Decision {
        let may = a.user.name == "jane"
            && a.resource == "pods"
            && a.namespace == "default"
            && ["get", "list", "watch"].contains(&a.verb);
        if may {
            Decision::allow("")
        } else {
            Decision::no_opinion("")
        }
    }
}
impl Authorizer for Jane {}

pub struct Cluster {
    pub handle: Handle,
    pub store: Arc<MemoryStore>,
    pub address: SocketAddr,
    pub tls: Arc<ClientConfig>,
}

pub struct Answer {
    pub code: u16,
    pub headers: HeaderMap,
    pub bytes: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.bytes)))
    }

    pub fn message(&self) -> String {
        self.json()["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub fn revision(&self) -> String {
        self.json()["metadata"]["resourceVersion"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub fn names(&self) -> Vec<String> {
        let list = self.json();
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items
            .iter()
            .map(|i| i["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    }

    #[track_caller]
    pub fn expect(self, code: u16) -> Self {
        assert_eq!(self.code, code, "{}", String::from_utf8_lossy(&self.bytes));
        self
    }
}

pub fn tls() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate: CertificateDer<'static> = pair.cert.der().clone();
    let key = PrivateKeyDer::try_from(pair.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

pub fn config(store: Arc<MemoryStore>) -> Config {
    let authorizers: Vec<Arc<dyn Authorizer>> =
        vec![Arc::new(Masters), Arc::new(OpenPaths), Arc::new(Jane)];
    Config::new(store, Arc::new(Tokens), Arc::new(Union(authorizers)))
}

impl Cluster {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::on(Arc::new(MemoryStore::new()), change).await
    }

    pub async fn on(store: Arc<MemoryStore>, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config(store.clone());
        change(&mut config);
        let mut handle = config.start().await.unwrap();
        let (server, client) = tls();
        let address = handle
            .listen("127.0.0.1:0".parse().unwrap(), server)
            .await
            .unwrap();
        Self {
            handle,
            store,
            address,
            tls: client,
        }
    }

    pub async fn connect(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(self.tls.clone())
            .connect(name, stream)
            .await
            .unwrap()
    }

    /// Sends a request and returns the response when its head is there.
    pub async fn open(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> hyper::Response<Incoming> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(self.connect().await))
            .await
            .unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path)
            .header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).unwrap();
        sender.send_request(request).await.unwrap()
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let response = self.open(method, path, headers, body.into()).await;
        let (parts, body) = response.into_parts();
        Answer {
            code: parts.status.as_u16(),
            headers: parts.headers,
            bytes: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// As `root`, with a JSON body (`Null` for none).
    pub async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.send(method, path, &[("authorization", "Bearer root")], body)
            .await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, Value::Null).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, Value::Null).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, body).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.call("PUT", path, body).await
    }

    pub async fn patch(&self, path: &str, kind: &str, body: Value) -> Answer {
        let kind = format!("application/{kind}");
        let headers = [("authorization", "Bearer root"), ("content-type", &*kind)];
        self.send("PATCH", path, &headers, body.to_string()).await
    }

    pub async fn watch(&self, path: &str) -> Watch {
        let headers = [("authorization", "Bearer root")];
        let response = self.open("GET", path, &headers, Bytes::new()).await;
        assert_eq!(response.status(), 200);
        Watch {
            body: response.into_body(),
            buffer: Vec::new(),
        }
    }
}

/// An open watch.
pub struct Watch {
    body: Incoming,
    buffer: Vec<u8>,
}

impl Watch {
    /// The next event as `(type, object)`; `None` when the watch has ended.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let mut event: Value = serde_json::from_slice(&line).unwrap();
                let kind = event["type"].as_str().unwrap().to_owned();
                return Some((kind, event["object"].take()));
            }
            let frame = self.body.frame().await?.ok()?;
            self.buffer.extend_from_slice(frame.data_ref()?);
        }
    }

    /// The next event as `TYPE name`.
    pub async fn brief(&mut self) -> String {
        match self.next().await {
            None => "END".to_owned(),
            Some((kind, object)) => {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                format!("{kind} {name}")
            }
        }
    }
}

pub fn config_map(name: &str, labels: Value, data: Value) -> Value {
    serde_json::json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "labels": labels}, "data": data,
    })
}
