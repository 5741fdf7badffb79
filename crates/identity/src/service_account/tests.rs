use super::*;
use crate::issuer::{Binding, TokenSpec};
use crate::objects::{PodState, SecretState};
use crate::{Algorithm, Sensitive, ServiceAccountKeys, VerificationKey};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicI64, Ordering};

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

#[derive(Default)]
struct Cluster(Mutex<HashMap<String, (ObjectState, SecretState)>>);

impl Cluster {
    fn put(&self, key: &str, uid: &str, deleted: Option<i64>) {
        let object = ObjectState {
            uid: uid.to_owned(),
            deletion_timestamp: deleted,
        };
        let secret = SecretState {
            object: object.clone(),
            kind: SECRET_TYPE.to_owned(),
            ..SecretState::default()
        };
        self.0.lock().insert(key.to_owned(), (object, secret));
    }

    fn remove(&self, key: &str) {
        self.0.lock().remove(key);
    }

    fn change(&self, key: &str, change: impl FnOnce(&mut SecretState)) {
        change(&mut self.0.lock().get_mut(key).unwrap().1);
    }

    fn object(&self, key: &str) -> Option<ObjectState> {
        self.0.lock().get(key).map(|v| v.0.clone())
    }
}

impl Objects for Cluster {
    fn service_account(&self, namespace: &str, name: &str) -> Option<ObjectState> {
        self.object(&format!("sa/{namespace}/{name}"))
    }
    fn pod(&self, namespace: &str, name: &str) -> Option<PodState> {
        let object = self.object(&format!("pod/{namespace}/{name}"))?;
        Some(PodState {
            object,
            ..PodState::default()
        })
    }
    fn secret(&self, namespace: &str, name: &str) -> Option<SecretState> {
        let key = format!("secret/{namespace}/{name}");
        self.0.lock().get(&key).map(|v| v.1.clone())
    }
    fn node(&self, name: &str) -> Option<ObjectState> {
        self.object(&format!("node/{name}"))
    }
}

struct World {
    cluster: Arc<Cluster>,
    issuer: TokenIssuer,
    time: Arc<AtomicI64>,
    tokens: ServiceAccountTokens,
}

fn keys() -> ServiceAccountKeys {
    let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
    ServiceAccountKeys::from_pem(&pem).unwrap()
}

fn world_with(keys: ServiceAccountKeys) -> World {
    let cluster = Arc::new(Cluster::default());
    cluster.put("sa/ns/robot", "sa-uid", None);
    cluster.put("pod/ns/web", "pod-uid", None);
    cluster.put("secret/ns/s", "secret-uid", None);
    cluster.put("node/n1", "node-uid", None);
    let issuer = TokenIssuer::new(ISSUER, vec![], Arc::new(keys));
    let time = Arc::new(AtomicI64::new(NOW));
    let clock: Clock = {
        let time = time.clone();
        Arc::new(move || time.load(Ordering::Relaxed))
    };
    let tokens = ServiceAccountTokens::new(issuer.clone(), cluster.clone(), clock);
    World {
        cluster,
        issuer,
        time,
        tokens,
    }
}

fn world() -> World {
    world_with(keys())
}

impl World {
    fn issue(&self, binding: Binding, audiences: &[&str], seconds: i64) -> String {
        let audiences: Vec<String> = audiences.iter().map(|a| (*a).to_owned()).collect();
        let spec = TokenSpec {
            namespace: "ns",
            service_account: Reference::new("robot", "sa-uid"),
            audiences: &audiences,
            expiration_seconds: seconds,
            binding,
        };
        self.issuer
            .issue(&spec, NOW)
            .unwrap()
            .token
            .expose()
            .to_owned()
    }

    fn at(&self, time: i64) {
        self.time.store(time, Ordering::Relaxed);
    }

    fn accepts(&self, token: &str) -> bool {
        matches!(self.tokens.identify(token, &[]), Ok(Some(_)))
    }
}

fn payload(token: &str) -> Value {
    use base64::Engine;
    let part = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(part)
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn pod() -> Binding {
    Binding::Pod(
        Reference::new("web", "pod-uid"),
        Some(Reference::new("n1", "node-uid")),
    )
}

#[test]
fn a_token_says_what_upstreams_says() {
    let w = world();
    let token = w.issue(pod(), &[], 3600);
    let claims = payload(&token);
    let jti = claims["jti"].as_str().unwrap().to_owned();
    assert_eq!(
        claims,
        json!({
            "aud": [ISSUER], "exp": NOW + 3600, "iat": NOW, "nbf": NOW, "iss": ISSUER,
            "jti": jti, "sub": "system:serviceaccount:ns:robot",
            "kubernetes.io": {
                "namespace": "ns",
                "node": {"name": "n1", "uid": "node-uid"},
                "pod": {"name": "web", "uid": "pod-uid"},
                "serviceaccount": {"name": "robot", "uid": "sa-uid"},
            },
        })
    );
    let identity = w.tokens.identify(&token, &[]).unwrap().unwrap();
    assert_eq!(identity.audiences, [ISSUER]);
    assert_eq!(
        serde_json::to_value(&identity.user).unwrap(),
        json!({
            "username": "system:serviceaccount:ns:robot",
            "uid": "sa-uid",
            "groups": ["system:serviceaccounts", "system:serviceaccounts:ns"],
            "extra": {
                "authentication.kubernetes.io/credential-id": [format!("JTI={jti}")],
                "authentication.kubernetes.io/pod-name": ["web"],
                "authentication.kubernetes.io/pod-uid": ["pod-uid"],
                "authentication.kubernetes.io/node-name": ["n1"],
                "authentication.kubernetes.io/node-uid": ["node-uid"],
            },
        })
    );
}

#[test]
fn admissions_pod_tokens_outlive_their_warning() {
    let w = world();
    for (binding, audiences, seconds, extended) in [
        (pod(), vec![], 3607, true),
        (pod(), vec![ISSUER], 3607, true),
        (pod(), vec!["vault"], 3607, false),
        (pod(), vec![], 3600, false),
        (Binding::None, vec![], 3607, false),
    ] {
        let claims = payload(&w.issue(binding, &audiences, seconds));
        let (exp, warn) = if extended {
            (NOW + EXTENDED, json!(NOW + 3607))
        } else {
            (NOW + seconds, Value::Null)
        };
        assert_eq!(claims["exp"], exp, "{audiences:?} {seconds}");
        assert_eq!(claims["kubernetes.io"]["warnafter"], warn);
    }
    const EXTENDED: i64 = 365 * 24 * 3600;
}

#[test]
fn times_bound_a_token() {
    let w = world();
    let token = w.issue(Binding::None, &[], 600);
    for (at, good) in [
        (NOW - 1, false),
        (NOW, true),
        (NOW + 599, true),
        (NOW + 600, false),
        (i64::MAX, false),
        (NOW + 1, true),
    ] {
        w.at(at);
        assert_eq!(w.accepts(&token), good, "{at}");
    }
}

#[test]
fn audiences_bound_a_token() {
    let w = world();
    let list = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    for (of, requested, accepted) in [
        (vec![], vec![], Some(vec![ISSUER])),
        (vec!["vault"], vec![], None),
        (vec!["vault", "db"], vec!["db", "x"], Some(vec!["db"])),
        (vec!["vault"], vec!["x"], None),
        (vec![ISSUER, "vault"], vec![], Some(vec![ISSUER])),
        (vec![], vec!["vault"], None),
    ] {
        let token = w.issue(Binding::None, &of, 600);
        let found = w.tokens.identify(&token, &list(&requested));
        match accepted {
            Some(accepted) => assert_eq!(found.unwrap().unwrap().audiences, list(&accepted)),
            None => assert!(found.is_err(), "{of:?} for {requested:?}"),
        }
    }
}

#[test]
fn a_token_dies_with_what_it_is_bound_to() {
    let cases = [
        ("sa/ns/robot", Binding::None),
        ("sa/ns/robot", pod()),
        ("pod/ns/web", pod()),
        (
            "secret/ns/s",
            Binding::Secret(Reference::new("s", "secret-uid")),
        ),
        ("node/n1", Binding::Node(Reference::new("n1", "node-uid"))),
    ];
    for (key, binding) in cases {
        let w = world();
        let token = w.issue(binding, &[], 3600);
        let uid = w.cluster.object(key).unwrap().uid;
        assert!(w.accepts(&token), "{key}");
        w.cluster.put(key, &uid, Some(NOW - 60));
        assert!(w.accepts(&token), "{key}: within the leeway");
        w.cluster.put(key, &uid, Some(NOW - 61));
        assert!(!w.accepts(&token), "{key}: deleted");
        w.cluster.put(key, "another", None);
        assert!(!w.accepts(&token), "{key}: made anew");
        w.cluster.remove(key);
        assert!(!w.accepts(&token), "{key}: gone");
        w.cluster.put(key, &uid, None);
        assert!(w.accepts(&token), "{key}: checked live, both ways");
    }
    let w = world();
    let token = w.issue(pod(), &[], 3600);
    w.cluster.remove("node/n1");
    assert!(w.accepts(&token), "a pod's token does not need the node");
}

#[test]
fn a_secrets_token_lives_in_its_secret() {
    let w = world();
    let account = Reference::new("robot", "sa-uid");
    let issue = || w.issuer.issue_for_secret("ns", "s", &account).unwrap();
    let token = issue();
    assert!(!w.accepts(token.expose()), "not in the secret yet");
    let set = |t: &Sensitive| {
        let t = t.clone();
        w.cluster.change("secret/ns/s", |s| s.token = Some(t));
    };
    set(&token);
    let identity = w.tokens.identify(token.expose(), &[]).unwrap().unwrap();
    assert_eq!(identity.user.name, "system:serviceaccount:ns:robot");
    assert_eq!(identity.user.uid, "sa-uid");
    assert!(identity.user.extra.is_empty());
    w.at(i64::MAX);
    assert!(w.accepts(token.expose()), "no end of its own");
    assert!(
        w.tokens
            .identify(token.expose(), &["vault".to_owned()])
            .is_err(),
        "for the API only"
    );

    set(&issue());
    assert!(
        !w.accepts(token.expose()),
        "replaced (ECDSA signatures differ)"
    );
    set(&token);
    w.cluster.change("secret/ns/s", |s| {
        s.invalid_since = Some("2026-01-01".into())
    });
    assert!(!w.accepts(token.expose()), "marked");
    w.cluster.change("secret/ns/s", |s| s.invalid_since = None);
    w.cluster
        .change("secret/ns/s", |s| s.kind = "Opaque".into());
    assert!(!w.accepts(token.expose()), "of another type");
    w.cluster
        .change("secret/ns/s", |s| s.kind = SECRET_TYPE.into());
    w.cluster
        .change("secret/ns/s", |s| s.object.deletion_timestamp = Some(NOW));
    assert!(!w.accepts(token.expose()), "deleted");
    w.cluster
        .change("secret/ns/s", |s| s.object.deletion_timestamp = None);
    assert!(w.accepts(token.expose()));
    w.cluster.put("sa/ns/robot", "another", None);
    assert!(!w.accepts(token.expose()), "the account was made anew");
}

#[test]
fn tampering_is_noticed_at_every_byte() {
    let w = world();
    let token = w.issue(pod(), &[], 3600);
    for index in 0..token.len() {
        for bit in 0..8 {
            let mut bytes = token.clone().into_bytes();
            bytes[index] ^= 1 << bit;
            if let Ok(bad) = String::from_utf8(bytes) {
                assert!(!w.accepts(&bad), "byte {index}, bit {bit}");
            }
        }
        assert!(!w.accepts(&token[..index]), "cut at {index}");
    }
    assert!(!w.accepts(&format!("{token}=")));
    assert!(!w.accepts(&format!("{token}.")));
    assert!(!w.accepts(&format!(" {token}")));
    assert!(w.accepts(&token));
}

#[test]
fn algorithms_are_the_keys_and_not_the_tokens() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
    let w = world();
    let token = w.issue(Binding::None, &[], 3600);
    let body = token.split('.').nth(1).unwrap();
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"ES256","crit":["x"]}"#,
    ] {
        let signed = format!("{}.{body}", B64.encode(header));
        for signature in [
            String::new(),
            B64.encode(w.issuer.keys().sign(signed.as_bytes()).unwrap()),
        ] {
            assert!(!w.accepts(&format!("{signed}.{signature}")), "{header}");
        }
    }
    // Without a key id, every key is tried.
    let signed = format!("{}.{body}", B64.encode(r#"{"alg":"ES256"}"#));
    let signature = B64.encode(w.issuer.keys().sign(signed.as_bytes()).unwrap());
    assert!(w.accepts(&format!("{signed}.{signature}")));
}

#[test]
fn what_is_not_ours_is_passed_on() {
    let w = world();
    let other = TokenIssuer::new("https://other", vec![], Arc::new(keys()));
    let spec = TokenSpec {
        namespace: "ns",
        service_account: Reference::new("robot", "sa-uid"),
        audiences: &[],
        expiration_seconds: 600,
        binding: Binding::None,
    };
    let foreign = other.issue(&spec, NOW).unwrap().token;
    for token in [
        "",
        "abc",
        "a.b.c",
        "..",
        foreign.expose(),
        &"x".repeat(100_000),
    ] {
        assert!(matches!(w.tokens.identify(token, &[]), Ok(None)));
    }
    // Our name under a stranger's signature is not passed on.
    let forger = TokenIssuer::new(ISSUER, vec![], Arc::new(keys()));
    let forged = forger.issue(&spec, NOW).unwrap().token;
    assert!(w.tokens.identify(forged.expose(), &[]).is_err());
}

#[test]
fn rotation_keeps_old_tokens_good() {
    let dir = tempfile::tempdir().unwrap();
    let open = || ServiceAccountKeys::open(dir.path()).unwrap();
    let before = world_with(open());
    let token = before.issue(Binding::None, &[], 3600);
    ServiceAccountKeys::rotate(dir.path()).unwrap();
    let after = world_with(open());
    assert_eq!(after.issuer.keys().verification_keys().len(), 2);
    assert!(after.accepts(&token));
    let new = after.issue(Binding::None, &[], 3600);
    assert!(after.accepts(&new) && !before.accepts(&new));
    assert_eq!(after.issuer.jwks()["keys"].as_array().unwrap().len(), 2);

    std::fs::write(dir.path().join("sa-x.pub"), "junk").unwrap();
    let error = ServiceAccountKeys::open(dir.path())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("sa-x.pub") && error.contains("delete it"),
        "{error}"
    );
    std::fs::remove_file(dir.path().join("sa-x.pub")).unwrap();
    crate::write_private(&dir.path().join("sa.key"), b"junk").unwrap();
    let error = ServiceAccountKeys::open(dir.path())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("sa.key") && error.contains("backup"),
        "{error}"
    );
}

/// An RSA key made for this test alone.
const RSA: &str = include_str!("rsa-test-key.pem");

#[test]
fn rsa_keys_sign_and_verify_too() {
    let w = world_with(ServiceAccountKeys::from_pem(RSA).unwrap());
    let token = w.issue(Binding::None, &[], 3600);
    assert!(w.accepts(&token));
    let jwks = w.issuer.jwks();
    let jwk = &jwks["keys"][0];
    assert_eq!(
        (&jwk["kty"], &jwk["alg"], &jwk["e"]),
        (&json!("RSA"), &json!("RS256"), &json!("AQAB"))
    );
    assert_eq!(
        jwk["n"].as_str().unwrap().len(),
        342,
        "256 bytes, no leading zero"
    );
    assert!(!format!("{:?}", w.issuer).contains("BEGIN"));
}

#[test]
fn discovery_lets_others_verify() {
    let w = world();
    let document = w.issuer.discovery("https://10.0.0.1:6443/openid/v1/jwks");
    assert_eq!(
        document,
        json!({
            "issuer": ISSUER,
            "jwks_uri": "https://10.0.0.1:6443/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    );
    let jwks = w.issuer.jwks();
    let jwk = &jwks["keys"][0];
    assert_eq!(jwk["kid"], w.issuer.keys().verification_keys()[0].id());
    assert_eq!(
        (&jwk["kty"], &jwk["crv"], &jwk["use"]),
        (&json!("EC"), &json!("P-256"), &json!("sig"))
    );
    for part in ["x", "y"] {
        assert_eq!(jwk[part].as_str().unwrap().len(), 43, "32 bytes");
    }
    assert_eq!(
        w.issuer.keys().verification_keys()[0].algorithm(),
        Algorithm::Es256
    );
    assert!(VerificationKey::from_pem("junk").is_err());
}

proptest::proptest! {
    #[test]
    fn anything_may_come_as_a_token(text in "\\PC{0,200}", parts in proptest::array::uniform3(".{0,40}")) {
        let w = world();
        proptest::prop_assert!(!w.accepts(&text));
        proptest::prop_assert!(!w.accepts(&parts.join(".")));
    }

    #[test]
    fn signed_nonsense_is_refused(claims in proptest::collection::btree_map("[a-z]{1,3}|exp|aud|sub|kubernetes.io", 0i64..5, 0..6)) {
        let w = world();
        let mut claims: serde_json::Map<String, Value> =
            claims.into_iter().map(|(k, v)| (k, v.into())).collect();
        for issuer in [ISSUER, "kubernetes/serviceaccount"] {
            claims.insert("iss".to_owned(), issuer.into());
            let token = crate::jwt::sign(&w.issuer.keys(), &claims).unwrap();
            proptest::prop_assert!(w.tokens.identify(token.expose(), &[]).is_err());
        }
    }

    #[test]
    fn anything_may_stand_in_key_files(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), text in "\\PC{0,200}") {
        proptest::prop_assert!(VerificationKey::from_der(&bytes).is_err());
        proptest::prop_assert!(VerificationKey::from_pem(&text).is_err());
        proptest::prop_assert!(ServiceAccountKeys::from_pem(&text).is_err());
    }
}
