//! Clients that are not who they say, that dawdle, or that are there when the server stops; and
//! data directories that are not what they should be.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use identity::{Binding, Pki, Reference, ServiceAccountKeys, TokenIssuer, TokenSpec};
use k8s_openapi::serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::Cluster;
use support::wire::{Stream, Wire, ask, parse_answer, read_answer};

const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
const CONFIGMAPS: &str = "/api/v1/namespaces/default/configmaps";
const HOUR: i64 = 3600;

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.expect("a clock").as_secs()).expect("a time")
}

#[test]
fn tokens_that_are_no_good() {
    let cluster = Cluster::start();
    let wire = Wire::admin(&cluster);
    let nobody = Wire::anonymous(&cluster);
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    let post = |target: &str, object: &Value| {
        let headers = [("content-type", "application/json")];
        let answer = wire.send("POST", target, &headers, object.to_string().as_bytes());
        assert_eq!(answer.code, 201, "{}", answer.summary());
        answer.json()
    };
    let account = post(accounts, &json!({"metadata": {"name": "robot"}}));
    let uid = account["metadata"]["uid"].as_str().expect("a uid");
    let request = |audiences: &Value| {
        let body = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"audiences": audiences},
        });
        let answer = post(&format!("{accounts}/robot/token"), &body);
        answer["status"]["token"]
            .as_str()
            .expect("a token")
            .to_owned()
    };
    let ask = |token: &str| {
        let header = format!("Bearer {token}");
        nobody
            .send("GET", CONFIGMAPS, &[("authorization", &header)], b"")
            .summary()
    };
    // The same keys as the server's.
    let issuer = |directory: &std::path::Path, issuer: &str| {
        let keys = ServiceAccountKeys::open(directory).expect("keys");
        TokenIssuer::new(issuer, Vec::new(), Arc::new(keys))
    };
    let ours = issuer(&cluster.data().join("pki"), ISSUER);
    let issue = |issuer: &TokenIssuer, uid: &str, from: i64| {
        let spec = TokenSpec {
            namespace: "default",
            service_account: Reference::new("robot", uid),
            audiences: &[],
            expiration_seconds: HOUR,
            binding: Binding::None,
        };
        let token = issuer.issue(&spec, from).expect("a token");
        token.token.expose().to_owned()
    };

    // Good ones, so that the others fail for the right reason.
    let known = "403 Forbidden: configmaps is forbidden: User \
                 \"system:serviceaccount:default:robot\" cannot list resource \"configmaps\" in \
                 API group \"\" in the namespace \"default\"";
    let good = request(&Value::Null);
    assert_eq!(ask(&good), known);
    assert_eq!(ask(&issue(&ours, uid, now())), known);

    let refused = "401 Unauthorized: Unauthorized";
    let parts: Vec<&str> = good.split('.').collect();
    let [head, claims, signature] = parts[..] else {
        panic!("no token: {good}");
    };
    // Another first letter changes the first bits; the last one may hold bits that do not count.
    let tampered = |part: &str| {
        let other = if part.starts_with('A') { "B" } else { "A" };
        format!("{other}{}", &part[1..])
    };
    let unsigned = "eyJhbGciOiJub25lIn0";
    let foreign = issuer(&cluster.scratch().join("foreign"), ISSUER);
    let stranger = issuer(&cluster.data().join("pki"), "https://elsewhere");
    for (why, token) in [
        ("no token", "nonsense".to_owned()),
        ("nothing between the dots", "..".to_owned()),
        (
            "another head",
            format!("{}.{claims}.{signature}", tampered(head)),
        ),
        (
            "other claims",
            format!("{head}.{}.{signature}", tampered(claims)),
        ),
        (
            "another signature",
            format!("{head}.{claims}.{}", tampered(signature)),
        ),
        ("no signature", format!("{head}.{claims}.")),
        ("unsigned", format!("{unsigned}.{claims}.")),
        ("a part too many", format!("{good}.{signature}")),
        ("very long", "x".repeat(30_000)),
        ("another audience", request(&json!(["somebody-else"]))),
        ("expired", issue(&ours, uid, now() - 2 * HOUR)),
        ("not valid yet", issue(&ours, uid, now() + 2 * HOUR)),
        (
            "another account of that name",
            issue(&ours, "another", now()),
        ),
        ("another key", issue(&foreign, uid, now())),
        ("another issuer", issue(&stranger, uid, now())),
    ] {
        assert_eq!(ask(&token), refused, "{why}");
    }
    let deleted = wire.send("DELETE", &format!("{accounts}/robot"), &[], b"");
    assert_eq!(deleted.code, 200, "{}", deleted.summary());
    assert_eq!(ask(&good), refused, "of an account that is gone");
}

#[test]
fn certificates_that_are_no_good() {
    let cluster = Cluster::start();
    let other = Cluster::start();
    let ask = |wire: &Wire| wire.send("GET", CONFIGMAPS, &[], b"").summary();
    assert_eq!(ask(&Wire::admin(&cluster)), "200");
    let refused = "401 Unauthorized: Unauthorized";
    let foreign = Wire::with_certificate_of(&cluster, &other.kubeconfig());
    assert_eq!(ask(&foreign), refused, "of another cluster");
    let pki = Pki::load(&cluster.data().join("pki"), now()).expect("a PKI");
    let groups = ["system:masters".to_owned()];
    let issue = |from: i64| {
        let hour = Duration::from_secs(3600);
        pki.issue_client("admin", &groups, hour, from)
            .expect("a certificate")
    };
    let with = |from: i64| {
        let credential = issue(from);
        let key = credential.key_pem.expose().as_bytes().to_vec();
        Wire::with_certificate(&cluster, credential.certificate_pem.into_bytes(), key)
    };
    assert_eq!(ask(&with(now())), "200");
    assert_eq!(ask(&with(now() - 2 * HOUR)), refused, "expired");
    assert_eq!(ask(&with(now() + 2 * HOUR)), refused, "not valid yet");
    // Without a certificate a request is anonymous, not refused out of hand.
    let nobody = ask(&Wire::anonymous(&cluster));
    assert!(
        nobody.starts_with(
            "403 Forbidden: configmaps is forbidden: User \"system:anonymous\" cannot list"
        ),
        "{nobody}"
    );
}

/// Writes one byte after the other, with a moment in between in which the server may hang up;
/// whether it did before the bytes came to an end.
fn dribble(stream: &mut (impl Read + Write), bytes: &[u8]) -> bool {
    for byte in bytes {
        if stream
            .write_all(&[*byte])
            .and_then(|()| stream.flush())
            .is_err()
        {
            return true;
        }
        match stream.read(&mut [0; 64]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return true,
        }
    }
    false
}

/// Waits for the end of a connection on which the server has nothing to say. How it ends does not
/// matter.
fn await_end(stream: &mut impl Read) {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        let waits = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        assert!(!waits, "the server still waits: {error}");
    }
}

#[test]
fn clients_that_say_nothing_or_dawdle_are_dropped_while_others_are_served() {
    let cluster = Cluster::start_with(&["--header-timeout", "1s"]);
    let wire = Wire::admin(&cluster);
    let served = || assert_eq!(wire.send("GET", "/readyz", &[], b"").code, 200);
    let mut silent = wire.tcp();
    let mut half_greeting = wire.tcp();
    half_greeting.write_all(&[0x16, 3, 1, 2]).expect("sent");
    let mut silent_http1 = wire.connect("http/1.1");
    let mut half_head = wire.connect("http/1.1");
    half_head.write_all(b"GET / HTTP/1.1\r\nho").expect("sent");
    half_head.flush().expect("sent");
    let mut silent_http2 = wire.connect("h2");
    let mut half_preface = wire.connect("h2");
    half_preface.write_all(b"PRI * HTTP/2.0\r\n").expect("sent");
    half_preface.flush().expect("sent");
    // One that has been served, and then says nothing.
    let mut idle = wire.connect("http/1.1");
    let head = ask(&mut idle, "GET /readyz HTTP/1.1\r\nhost: rampart\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    served();
    let pace = Some(Duration::from_millis(20));
    let mut dribbling = wire.connect("http/1.1");
    dribbling.sock.set_read_timeout(pace).expect("set");
    let head = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(3_000));
    assert!(
        dribble(&mut dribbling, head.as_bytes()),
        "the whole head was waited for"
    );
    let mut dribbling = wire.connect("h2");
    dribbling.sock.set_read_timeout(pace).expect("set");
    let frames = [b"PRI".as_slice(), &[b' '; 3_000]].concat();
    assert!(
        dribble(&mut dribbling, &frames),
        "the whole preface was waited for"
    );
    served();
    await_end(&mut silent);
    await_end(&mut half_greeting);
    await_end(&mut silent_http1);
    await_end(&mut half_head);
    await_end(&mut silent_http2);
    await_end(&mut half_preface);
    await_end(&mut idle);
    served();
}

#[test]
fn what_is_no_http_is_refused() {
    let cluster = Cluster::start();
    let wire = Wire::admin(&cluster);
    let raw = |bytes: &[u8]| {
        let mut stream = wire.connect("http/1.1");
        stream.write_all(bytes).expect("sent");
        stream.flush().expect("sent");
        read_answer(&mut stream).code
    };
    assert_eq!(raw(b"nonsense\r\n\r\n"), 400);
    assert_eq!(
        raw(b"GET /readyz HTTP/1.1\r\nhost: a\r\nbad header\r\n\r\n"),
        400
    );
    assert_eq!(
        raw(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"),
        400
    );
    let long = format!(
        "GET /readyz HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
        "y".repeat(1 << 20)
    );
    assert_eq!(raw(long.as_bytes()), 431);
    // Plain text where TLS is expected: Go's answer is a 400, ours is TLS's own alert.
    let mut plain = wire.tcp();
    plain
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .expect("sent");
    await_end(&mut plain);
    assert_eq!(wire.send("GET", "/readyz", &[], b"").code, 200);
}

/// Opens a watch of ConfigMaps and reads up to the first object; what was read.
fn open_watch(wire: &Wire) -> (Stream, Vec<u8>) {
    let mut stream = wire.connect("http/1.1");
    let request = format!("GET {CONFIGMAPS}?watch=true HTTP/1.1\r\nhost: rampart\r\n\r\n");
    let head = ask(&mut stream, &request);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let mut read = head.into_bytes();
    let mut byte = [0];
    while !read.ends_with(b"}\n\r\n") {
        stream.read_exact(&mut byte).expect("an event");
        read.push(byte[0]);
    }
    (stream, read)
}

#[test]
fn sigterm_ends_watches_cleanly_and_waits_for_nobody() {
    let cluster = Cluster::start();
    let wire = Wire::admin(&cluster);
    let mut watches: Vec<_> = (0..3).map(|_| open_watch(&wire)).collect();
    let over_http2 = wire.watch_http2(&format!("{}{CONFIGMAPS}?watch=true", cluster.url));
    // These have no request under way.
    let silent = wire.tcp();
    let mut half_greeting = wire.tcp();
    half_greeting.write_all(&[0x16, 3, 1, 2]).expect("sent");
    let silent_http1 = wire.connect("http/1.1");
    let silent_http2 = wire.connect("h2");
    let mut half_head = wire.connect("http/1.1");
    half_head.write_all(b"GET / HTTP/1.1\r\nho").expect("sent");
    half_head.flush().expect("sent");
    let mut idle = wire.connect("http/1.1");
    ask(&mut idle, "GET /readyz HTTP/1.1\r\nhost: rampart\r\n\r\n");
    let (status, log) = cluster.stop();
    assert!(status.success(), "{status}");
    assert!(!log.contains("still open"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
    for (stream, read) in &mut watches {
        stream.read_to_end(read).expect("a clean end");
        let answer = parse_answer(read);
        let text = String::from_utf8(answer.body).expect("text");
        assert!(
            text.lines()
                .all(|line| line.starts_with("{\"type\":\"ADDED\"")),
            "{text}"
        );
    }
    let events = over_http2.join().expect("a clean end");
    assert!(events.contains("\"type\":\"ADDED\""), "{events}");
    drop((silent, silent_http1, silent_http2));
}

#[test]
fn a_damaged_store_is_refused_and_left_as_it_is() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 4] = [
        ("zeros at the beginning", |bytes| bytes[..4096].fill(0)),
        ("cut short", |bytes| bytes.truncate(bytes.len() / 2)),
        ("empty", Vec::clear),
        ("something else", |bytes| {
            *bytes = b"precious".repeat(10_000)
        }),
    ];
    for (what, damage) in damages {
        let cluster = Cluster::start();
        let file = cluster.data().join("store/store.redb");
        let mut damaged = Vec::new();
        let (directory, why) = cluster.refuses_to_restart(|| {
            damaged = std::fs::read(&file).expect("the store");
            damage(&mut damaged);
            std::fs::write(&file, &damaged).expect("writable");
        });
        assert!(why.contains("store"), "{what}: {why}");
        assert!(!why.contains("panicked"), "{what}: {why}");
        let after = std::fs::read(&file).expect("the store");
        assert!(after == damaged, "{what}: the file was changed");
        drop(directory);
    }
}
