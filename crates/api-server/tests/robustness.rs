//! Clients that are slow, silent, too many or hostile; handlers that panic; HTTP/2.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use admission::{Chain, Lookup, Plugin, Request};
use api_server::plugin::Telemetry;
use bytes::Bytes;
use common::{Cluster, config_map};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use model::status::Status;
use rustls::pki_types::ServerName;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

struct Panics;

impl Plugin for Panics {
    fn name(&self) -> &'static str {
        "Panics"
    }

    fn mutate(&self, request: &mut Request<'_>, _: &dyn Lookup) -> Result<(), Status> {
        assert!(request.name != "boom", "as the test wants it");
        Ok(())
    }
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Telemetry for Count {
    fn panicked(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_panic_is_one_clients_500() {
    let count = Arc::new(Count::default());
    let telemetry = count.clone();
    let cluster = Cluster::with(move |config| {
        config.admission = Chain::new(vec![Box::new(Panics)]);
        config.telemetry = telemetry;
    })
    .await;
    let answer = cluster
        .post(MAPS, config_map("boom", json!({}), json!({})))
        .await
        .expect(500);
    assert_eq!(answer.json()["reason"], "InternalError");
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    cluster
        .post(MAPS, config_map("fine", json!({}), json!({})))
        .await
        .expect(201);
}

#[tokio::test]
async fn too_many_requests_are_turned_away() {
    let cluster = Cluster::with(|config| config.limits.read_only = 0).await;
    let answer = cluster.get(MAPS).await.expect(429);
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(answer.json()["reason"], "TooManyRequests");
    // Writes and watches have places of their own.
    cluster
        .post(MAPS, config_map("a", json!({}), json!({})))
        .await
        .expect(201);
    let mut watch = cluster.watch(&format!("{MAPS}?watch=true")).await;
    assert_eq!(watch.brief().await, "ADDED a");
}

#[tokio::test]
async fn deep_bodies_are_refused() {
    let cluster = Cluster::start().await;
    let deep = format!("{{\"data\":{}1{}}}", "[".repeat(20_000), "]".repeat(20_000));
    let headers = [("authorization", "Bearer root")];
    cluster.send("POST", MAPS, &headers, deep).await.expect(400);
}

#[tokio::test]
async fn silent_and_slow_connections_are_closed() {
    let cluster = Cluster::with(|config| {
        config.limits.handshake = Duration::from_millis(50);
        config.limits.head = Duration::from_millis(50);
    })
    .await;
    // One that never begins its handshake.
    let mut silent = TcpStream::connect(cluster.address).await.unwrap();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
    // One that never ends its request's head.
    let mut slow = cluster.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n")
        .await
        .unwrap();
    slow.flush().await.unwrap();
    let mut rest = Vec::new();
    // The server may end the connection with or without saying goodbye.
    let _ = slow.read_to_end(&mut rest).await;
    assert!(!rest.starts_with(b"HTTP/1.1 2"));
    // One that sends no TLS at all.
    let mut foreign = TcpStream::connect(cluster.address).await.unwrap();
    foreign.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    let _ = foreign.read_to_end(&mut rest).await;
    cluster.get("/version").await.expect(200);
}

#[tokio::test]
async fn http2_carries_requests_and_watches_at_once() {
    let cluster = Cluster::start().await;
    let mut tls = (*cluster.tls).clone();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(cluster.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(tls))
        .connect(name, stream)
        .await
        .unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let get = |path: String| {
        let mut sender = sender.clone();
        async move {
            let request = hyper::Request::builder()
                .uri(format!("https://localhost{path}"))
                .header("authorization", "Bearer root")
                .body(Empty::<Bytes>::new())
                .unwrap();
            sender.send_request(request).await.unwrap()
        }
    };
    let mut watch = get(format!("{MAPS}?watch=true")).await.into_body();
    cluster
        .post(MAPS, config_map("a", json!({}), json!({})))
        .await
        .expect(201);
    let frame = watch.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(frame.starts_with(b"{\"type\":\"ADDED\""));
    let list = get(MAPS.to_owned()).await;
    assert_eq!(list.status(), 200);
    let body = list.into_body().collect().await.unwrap().to_bytes();
    assert!(body.ends_with(b"]}\n"));
    // Stopping ends the watch as a client expects it to end, not as an error.
    let stopping = tokio::spawn(cluster.handle.shutdown());
    while let Some(end) = watch.frame().await {
        assert!(end.unwrap().into_data().unwrap().is_empty());
    }
    drop(sender);
    stopping.await.unwrap();
}

#[tokio::test]
async fn large_lists_are_compressed_for_those_who_take_it() {
    let cluster = Cluster::start().await;
    let text = "x".repeat(100_000);
    for name in ["a", "b"] {
        let map = config_map(name, json!({}), json!({"k": text}));
        cluster.post(MAPS, map).await.expect(201);
    }
    let headers = [
        ("authorization", "Bearer root"),
        ("accept-encoding", "gzip"),
    ];
    let small = cluster
        .send("GET", &format!("{MAPS}/a"), &headers, "")
        .await
        .expect(200);
    assert!(small.headers.get("content-encoding").is_none());
    let large = cluster.send("GET", MAPS, &headers, "").await.expect(200);
    assert_eq!(large.headers["content-encoding"], "gzip");
    assert!(large.bytes.len() < 20_000);
    let plain = cluster.get(MAPS).await.expect(200);
    let length = plain.headers["content-length"].to_str().unwrap();
    assert_eq!(length, plain.bytes.len().to_string());
    let mut back = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(&large.bytes[..]);
    std::io::Read::read_to_end(&mut decoder, &mut back).unwrap();
    assert_eq!(back, plain.bytes);
}

#[tokio::test]
async fn a_restarted_server_serves_what_was_stored() {
    let cluster = Cluster::start().await;
    cluster
        .post(MAPS, config_map("a", json!({}), json!({})))
        .await
        .expect(201);
    let before = cluster.get(&format!("{MAPS}/a")).await.json();
    let store = cluster.store.clone();
    cluster.handle.shutdown().await;
    let again = Cluster::on(store, |_| {}).await;
    assert_eq!(again.get(&format!("{MAPS}/a")).await.json(), before);
}
