use super::*;
use crate::{ClientCertificates, Clock, Kubeconfig, Rejection, Sensitive, Tls};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 24 * 3600;

fn names() -> ServingNames {
    ServingNames::of_cluster("cluster.local", [10, 96, 0, 1].into())
}

fn chain(pem: &str) -> Vec<CertificateDer<'static>> {
    vec![CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()]
}

fn issue(pki: &Pki, user: &str, groups: &[&str], ttl: u64) -> ClientCredential {
    let groups: Vec<String> = groups.iter().map(|g| (*g).to_owned()).collect();
    pki.issue_client(user, &groups, Duration::from_secs(ttl), NOW)
        .unwrap()
}

#[test]
fn the_ca_is_made_once_and_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let first = Pki::open(&dir.path().join("pki"), NOW).unwrap();
    let again = Pki::open(&dir.path().join("pki"), NOW + DAY).unwrap();
    assert_eq!(first.ca(), again.ca());
    assert!(first.ca_pem().starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(!format!("{first:?}").contains("PRIVATE"));
    assert_eq!(
        Pki::load(&dir.path().join("pki"), NOW).unwrap().ca_pem(),
        first.ca_pem()
    );
}

#[test]
fn a_key_without_certificate_is_certified_again() {
    let dir = tempfile::tempdir().unwrap();
    let first = Pki::open(dir.path(), NOW).unwrap();
    let client = issue(&first, "jane", &[], 3600);
    fs::remove_file(dir.path().join("ca.crt")).unwrap();
    let again = Pki::open(dir.path(), NOW).unwrap();
    let authenticator = ClientCertificates::new(&[again.ca().clone()], Arc::new(|| NOW)).unwrap();
    let found = authenticator.identify(&chain(&client.certificate_pem));
    assert_eq!(found.unwrap().user.name, "jane");
}

#[test]
fn unusable_files_are_named_with_the_remedy() {
    type Damage = fn(&Path);
    let cases: &[(&str, Damage, &[&str])] = &[
        (
            "certificate is garbage",
            |d| fs::write(d.join("ca.crt"), "hello").unwrap(),
            &["ca.crt", "damaged", "backup"],
        ),
        (
            "certificate is empty",
            |d| fs::write(d.join("ca.crt"), "").unwrap(),
            &["ca.crt", "damaged"],
        ),
        (
            "key is garbage",
            |d| crate::write_private(&d.join("ca.key"), b"hello").unwrap(),
            &["ca.key", "damaged", "PKCS#8"],
        ),
        (
            "key is missing",
            |d| fs::remove_file(d.join("ca.key")).unwrap(),
            &["ca.key", "missing", "backup"],
        ),
        (
            "key of another CA",
            |d| {
                let key = KeyPair::generate().unwrap().serialize_pem();
                crate::write_private(&d.join("ca.key"), key.as_bytes()).unwrap();
            },
            &["ca.key", "does not belong to", "ca.crt"],
        ),
        (
            "a leaf in the CA's place",
            |d| {
                let leaf = issue(&Pki::load(d, NOW).unwrap(), "u", &[], 60);
                fs::write(d.join("ca.crt"), leaf.certificate_pem).unwrap();
            },
            &["ca.crt", "not a CA certificate"],
        ),
        (
            "serving certificate is garbage",
            |d| crate::write_private(&d.join("apiserver.pem"), b"hello").unwrap(),
            &["apiserver.pem", "damaged", "delete it"],
        ),
    ];
    for (case, damage, expected) in cases {
        let dir = tempfile::tempdir().unwrap();
        Pki::open(dir.path(), NOW).unwrap();
        damage(dir.path());
        let error = Pki::open(dir.path(), NOW)
            .and_then(|pki| pki.serving(&names(), NOW))
            .unwrap_err()
            .to_string();
        for part in *expected {
            assert!(error.contains(part), "{case}: {part:?} is not in {error:?}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    Pki::open(dir.path(), NOW).unwrap();
    let error = Pki::open(dir.path(), NOW + CA_LIFETIME).unwrap_err();
    assert!(matches!(error, PkiError::Expired { .. }), "{error}");
}

#[test]
fn the_serving_certificate_is_replaced_when_it_must_be() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::open(dir.path(), NOW).unwrap();
    let first = pki.serving(&names(), NOW).unwrap();
    assert!(first.issued);
    let mut more = names();
    assert!(more.add("Host.Example.") && more.add("192.0.2.7") && more.add("2001:db8::1"));
    for refused in ["0.0.0.0", "::", "", "a..b", "a b"] {
        assert!(!more.add(refused), "{refused:?}");
    }
    let kept = pki.serving(&names(), NOW + 300 * DAY).unwrap();
    assert!(!kept.issued && kept.certificate == first.certificate);
    assert!(pki.serving(&names(), NOW + 310 * DAY).unwrap().issued);
    let renamed = pki.serving(&more, NOW).unwrap();
    assert!(renamed.issued);
    assert!(!pki.serving(&more, NOW).unwrap().issued);

    let (_, parsed) = X509Certificate::from_der(&renamed.certificate).unwrap();
    let san = format!(
        "{:?}",
        parsed.subject_alternative_name().unwrap().unwrap().value
    );
    for name in [
        "host.example",
        "kubernetes.default.svc.cluster.local",
        "localhost",
    ] {
        assert!(san.contains(name), "{name}: {san}");
    }

    // A certificate of another CA does not outlive that CA.
    let other = tempfile::tempdir().unwrap();
    let other_pki = Pki::open(other.path(), NOW).unwrap();
    fs::copy(
        dir.path().join("apiserver.pem"),
        other.path().join("apiserver.pem"),
    )
    .unwrap();
    assert!(other_pki.serving(&more, NOW).unwrap().issued);
}

#[test]
fn client_certificates_say_who_it_is_until_they_end() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::open(dir.path(), NOW).unwrap();
    let time = Arc::new(AtomicI64::new(NOW));
    let clock: Clock = {
        let time = time.clone();
        Arc::new(move || time.load(Ordering::Relaxed))
    };
    let authenticator = ClientCertificates::new(&[pki.ca().clone()], clock).unwrap();
    let credential = issue(&pki, "jane", &["dev", "ops", "dev:ops é"], 3600);
    let chain = chain(&credential.certificate_pem);
    // Twice: verified, then remembered.
    for _ in 0..2 {
        let user = authenticator.identify(&chain).unwrap().user;
        assert_eq!(user.name, "jane");
        assert_eq!(user.groups, ["dev", "ops", "dev:ops é"]);
        let id = &user.extra[crate::CREDENTIAL_ID][0];
        assert_eq!(id.len(), "X509SHA256=".len() + 64);
    }
    for (at, good) in [
        (NOW + 3600, true),
        (NOW + 3601, false),
        (NOW - 300, true),
        (NOW - 301, false),
    ] {
        time.store(at, Ordering::Relaxed);
        assert_eq!(authenticator.identify(&chain).is_ok(), good, "{at}");
    }
}

#[test]
fn certificates_that_are_not_good_are_rejected() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pki = Pki::open(dir.path(), NOW).unwrap();
    let stranger = Pki::open(other.path(), NOW).unwrap();
    let authenticator = ClientCertificates::new(&[pki.ca().clone()], Arc::new(|| NOW)).unwrap();
    let identify = |der: Vec<u8>| authenticator.identify(&[CertificateDer::from(der)]);

    let foreign = chain(&issue(&stranger, "jane", &["system:masters"], 3600).certificate_pem);
    assert!(authenticator.identify(&foreign).is_err());
    let serving = pki.serving(&names(), NOW).unwrap();
    assert!(
        identify(serving.certificate.to_vec()).is_err(),
        "serverAuth only"
    );
    assert!(identify(vec![]).is_err());
    assert!(identify(b"hello".to_vec()).is_err());
    assert!(authenticator.identify(&[]).is_err());

    let key = KeyPair::generate().unwrap();
    let nameless = leaf::sign(
        &pki.issuer,
        pki.ca(),
        &key,
        &leaf::Leaf {
            common_name: "",
            organizations: &["system:masters".to_owned()],
            not_before: NOW,
            not_after: NOW + 60,
            purpose: leaf::Purpose::Client,
        },
    )
    .unwrap();
    let Rejection(why) = identify(nameless).unwrap_err();
    assert!(why.contains("common name"), "{why}");

    let good = chain(&issue(&pki, "jane", &["dev"], 3600).certificate_pem)[0].to_vec();
    assert!(identify(good.clone()).is_ok());
    for index in 0..good.len() {
        let mut bad = good.clone();
        bad[index] ^= 1;
        assert!(identify(bad).is_err(), "byte {index} was flipped");
    }
}

#[test]
fn requests_for_impossible_certificates_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::open(dir.path(), NOW).unwrap();
    let hour = Duration::from_secs(3600);
    assert!(pki.issue_client("", &[], hour, NOW).is_err());
    assert!(pki.issue_client("a\nb", &[], hour, NOW).is_err());
    assert!(pki.issue_client("a", &[String::new()], hour, NOW).is_err());
    assert!(pki.issue_client("a", &[], Duration::ZERO, NOW).is_err());
    let long = pki.issue_client("a", &[], Duration::MAX, NOW).unwrap();
    assert_eq!(long.not_after, NOW + CA_LIFETIME, "no longer than the CA");
}

#[test]
fn a_kubeconfig_embeds_what_a_client_needs() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::open(dir.path(), NOW).unwrap();
    let credential = issue(&pki, "jane", &["dev"], 3600);
    assert!(!format!("{credential:?}").contains("PRIVATE KEY"));
    let config = Kubeconfig {
        cluster: "rampart",
        server: "https://127.0.0.1:6443",
        ca_pem: pki.ca_pem(),
        user: "a \"b\"",
        namespace: Some("dev"),
        credential: &credential,
    };
    let path = dir.path().join("config");
    config.write(&path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, config.render().expose());
    let parsed = model::decode::decode(text.as_bytes(), model::decode::Format::Yaml);
    // Until YAML decoding is there, the text is looked at line by line.
    if let Ok(config) = parsed {
        assert_eq!(config.value["current-context"], "a \"b\"@rampart");
        assert_eq!(config.value["contexts"][0]["context"]["namespace"], "dev");
    }
    for line in [
        "    server: \"https://127.0.0.1:6443\"",
        "current-context: \"a \\\"b\\\"@rampart\"",
        "    namespace: \"dev\"",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}");
    }
    assert_eq!(format!("{:?}", Sensitive::new("x")), "Sensitive(..)");
}

/// A handshake in memory; the result is what the server has of the client's chain.
fn handshake(tls: &Tls, pki: &Pki, client: Option<&ClientCredential>) -> Option<usize> {
    use rustls::pki_types::{PrivateKeyDer, ServerName};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(pki.ca().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match client {
        Some(c) => builder
            .with_client_auth_cert(
                chain(&c.certificate_pem),
                PrivateKeyDer::from_pem_slice(c.key_pem.expose().as_bytes()).unwrap(),
            )
            .unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.time_provider = Arc::new(At);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut server = rustls::ServerConnection::new(tls.config()).unwrap();
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut reader = wire.as_slice();
        while !reader.is_empty() {
            server.read_tls(&mut reader).unwrap();
            server.process_new_packets().unwrap();
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut reader = wire.as_slice();
        while !reader.is_empty() {
            client.read_tls(&mut reader).unwrap();
            client.process_new_packets().unwrap();
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    assert_eq!(server.alpn_protocol(), Some(b"h2".as_slice()));
    server.peer_certificates().map(<[_]>::len)
}

#[derive(Debug)]
struct At;

impl rustls::time_provider::TimeProvider for At {
    fn current_time(&self) -> Option<rustls::pki_types::UnixTime> {
        let at = Duration::from_secs(NOW.unsigned_abs());
        Some(rustls::pki_types::UnixTime::since_unix_epoch(at))
    }
}

#[test]
fn the_handshake_takes_any_certificate_and_none() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pki = Pki::open(dir.path(), NOW).unwrap();
    let stranger = Pki::open(other.path(), NOW).unwrap();
    let tls = Tls::new(&pki.serving(&names(), NOW).unwrap(), &[pki.ca().clone()]).unwrap();
    let own = issue(&pki, "jane", &[], 3600);
    let foreign = issue(&stranger, "jane", &[], 3600);
    assert_eq!(handshake(&tls, &pki, Some(&own)), Some(1));
    assert_eq!(handshake(&tls, &pki, Some(&foreign)), Some(1));
    assert_eq!(handshake(&tls, &pki, None), None);
    let mut more = names();
    more.add("192.0.2.7");
    tls.replace(&pki.serving(&more, NOW).unwrap()).unwrap();
    assert_eq!(handshake(&tls, &pki, Some(&own)), Some(1));
}
