//! Requests byte by byte: what no well-behaved client sends.

use super::Cluster;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use k8s_openapi::serde_json::{self, Value};
use kube::config::Kubeconfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Longer than anything here takes; a hang is a failure, not a wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// A TLS connection.
pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A client of one cluster with one certificate, or with none.
#[derive(Clone)]
pub(crate) struct Wire {
    address: SocketAddr,
    config: Arc<ClientConfig>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body, which must be JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    /// `code reason: message` of an answer that is a `Status`, `code` of another one.
    pub(crate) fn summary(&self) -> String {
        let code = self.code;
        match serde_json::from_slice::<Value>(&self.body) {
            Ok(status) if status["kind"] == "Status" => {
                let text = |field: &str| status[field].as_str().unwrap_or_default().to_owned();
                let mut out = format!("{code} {}: {}", text("reason"), text("message"));
                if status["status"] == "Failure" && status["code"] != code {
                    let _ = write!(out, " (the Status says {})", status["code"]);
                }
                out
            }
            Ok(_) => code.to_string(),
            Err(_) => format!("{code} without JSON"),
        }
    }

    /// The texts of the warnings.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let values = self.headers.get_all("warning").iter();
        values
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect()
    }
}

impl Wire {
    /// The administrator.
    pub(crate) fn admin(cluster: &Cluster) -> Self {
        Self::with_certificate_of(cluster, &cluster.kubeconfig())
    }

    /// A client of the cluster with the certificate of a kubeconfig, maybe another cluster's.
    pub(crate) fn with_certificate_of(cluster: &Cluster, kubeconfig: &Path) -> Self {
        let file = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
        let user = file.auth_infos[0].auth_info.clone().expect("a user");
        // As a document, since the type guards the key against being read.
        let user = serde_json::to_value(&user).expect("a document");
        let data = |field: &str| decoded(user[field].as_str().expect("a text"));
        let certificate = data("client-certificate-data");
        let key = data("client-key-data");
        Self::new(cluster, Some((certificate, key)))
    }

    /// A client with a certificate and its key in PEM.
    pub(crate) fn with_certificate(cluster: &Cluster, certificate: Vec<u8>, key: Vec<u8>) -> Self {
        Self::new(cluster, Some((certificate, key)))
    }

    /// Nobody.
    pub(crate) fn anonymous(cluster: &Cluster) -> Self {
        Self::new(cluster, None)
    }

    fn new(cluster: &Cluster, credential: Option<(Vec<u8>, Vec<u8>)>) -> Self {
        let file = Kubeconfig::read_from(cluster.kubeconfig()).expect("a kubeconfig");
        let server = file.clusters[0].cluster.clone().expect("a cluster");
        let ca = decoded(&server.certificate_authority_data.expect("an authority"));
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(&ca).expect("PEM"))
            .expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocols")
            .with_root_certificates(roots);
        let config = match credential {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_slice(&certificate).expect("PEM")],
                    PrivateKeyDer::from_pem_slice(&key).expect("PEM"),
                )
                .expect("a certificate and its key"),
        };
        let address = cluster.url.strip_prefix("https://").expect("a URL");
        Self {
            address: address.parse().expect("an address"),
            config: Arc::new(config),
        }
    }

    /// A TCP connection without anything on it.
    pub(crate) fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        stream.set_write_timeout(Some(PATIENCE)).expect("set");
        stream
    }

    /// A TLS connection that speaks the given protocol, after its handshake.
    pub(crate) fn connect(&self, protocol: &str) -> Stream {
        let mut config = (*self.config).clone();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let name = ServerName::from(self.address.ip());
        let session = ClientConnection::new(Arc::new(config), name).expect("a session");
        let mut stream = StreamOwned::new(session, self.tcp());
        stream.conn.complete_io(&mut stream.sock).expect("TLS");
        stream
    }

    /// Sends a request over a connection of its own, all of it before the answer is read.
    #[track_caller]
    pub(crate) fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut stream = self.connect("http/1.1");
        let mut head =
            format!("{method} {target} HTTP/1.1\r\nhost: rampart\r\nconnection: close\r\n");
        let own_length = headers.iter().any(|(name, _)| *name == "transfer-encoding");
        if !own_length && (!body.is_empty() || !matches!(method, "GET" | "DELETE")) {
            let _ = write!(head, "content-length: {}\r\n", body.len());
        }
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).expect("sent");
        stream.write_all(body).expect("sent");
        stream.flush().expect("sent");
        read_answer(&mut stream)
    }

    /// Sends a request over HTTP/2.
    pub(crate) fn send_http2(&self, request: http::Request<Bytes>) -> Answer {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let (head, body) = self.begin_http2(request).await.into_parts();
            let body = body.collect().await.expect("a whole answer").to_bytes();
            Answer {
                code: head.status.as_u16(),
                headers: head.headers,
                body: body.to_vec(),
            }
        })
    }

    /// Opens a watch over HTTP/2; the thread ends with it, and gives what was sent.
    pub(crate) fn watch_http2(&self, url: &str) -> JoinHandle<String> {
        let wire = self.clone();
        let request = http::Request::get(url).body(Bytes::new());
        let request = request.expect("a request");
        let (begun, beginning) = std::sync::mpsc::channel();
        let watch = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async {
                let mut body = wire.begin_http2(request).await.into_body();
                let mut text = Vec::new();
                while let Some(frame) = body.frame().await {
                    let frame = frame.expect("no reset");
                    text.extend_from_slice(frame.data_ref().expect("data"));
                    let _ = begun.send(());
                }
                String::from_utf8(text).expect("text")
            })
        });
        beginning.recv().expect("the watch begins");
        watch
    }

    async fn begin_http2(
        &self,
        request: http::Request<Bytes>,
    ) -> http::Response<hyper::body::Incoming> {
        let mut config = (*self.config).clone();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let name = ServerName::from(self.address.ip());
        let tcp = tokio::net::TcpStream::connect(self.address)
            .await
            .expect("the server listens");
        let tls = connector.connect(name, tcp).await.expect("TLS");
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls))
                .await
                .expect("HTTP/2");
        tokio::spawn(connection);
        let answer = sender.send_request(request.map(Full::new)).await;
        answer.expect("an answer")
    }
}

fn decoded(text: &str) -> Vec<u8> {
    STANDARD.decode(text).expect("base64")
}

/// Sends a request and reads the answer up to the end of its head.
#[track_caller]
pub(crate) fn ask(stream: &mut Stream, request: &str) -> String {
    stream.write_all(request.as_bytes()).expect("sent");
    stream.flush().expect("sent");
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a head");
        head.extend_from_slice(&byte);
    }
    String::from_utf8(head).expect("a head in ASCII")
}

/// Reads an answer up to the end of the connection, which must be a clean one.
#[track_caller]
pub(crate) fn read_answer(stream: &mut impl Read) -> Answer {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        let seen = String::from_utf8_lossy(&bytes);
        panic!("the connection ended with {error} after {seen:?}");
    }
    parse_answer(&bytes)
}

/// An answer, with everything that follows its head as the body.
#[track_caller]
pub(crate) fn parse_answer(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no head: {:?}", String::from_utf8_lossy(bytes)));
    let head = String::from_utf8(bytes[..end].to_vec()).expect("a head in ASCII");
    let mut lines = head.split("\r\n");
    let first = lines.next().expect("a status line");
    let code = first.split(' ').nth(1).and_then(|code| code.parse().ok());
    let mut headers = http::HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header");
        headers.append(
            http::HeaderName::from_bytes(name.as_bytes()).expect("a name"),
            http::HeaderValue::from_bytes(value.as_bytes()).expect("a value"),
        );
    }
    let rest = &bytes[end + 4..];
    let chunked = headers.get("transfer-encoding").is_some();
    Answer {
        code: code.unwrap_or_else(|| panic!("no status: {first}")),
        body: if chunked {
            unchunked(rest)
        } else {
            rest.to_vec()
        },
        headers,
    }
}

/// The content of a chunked body, which must have its end.
#[track_caller]
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n");
        let line = line.expect("the body ends with a last chunk");
        let size = std::str::from_utf8(&rest[..line]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a size");
        let chunk = &rest[line + 2..];
        out.extend_from_slice(&chunk[..size]);
        assert_eq!(&chunk[size..size + 2], b"\r\n", "a chunk's end");
        rest = &chunk[size + 2..];
        if size == 0 {
            assert!(rest.is_empty(), "bytes after the last chunk");
            return out;
        }
    }
}
