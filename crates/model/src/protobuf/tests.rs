//! Bodies that upstream's serializer wrote, and what they say.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap())
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn read(hex: &str) -> Value {
    decode(Schema::builtin(), &bytes(hex)).unwrap()
}

const POD: &str = "\
    6b3873000a090a0276311203506f6412d9010a200a017012001a0022002a003200380042005a060a0161120162\
    5a050a01631200129f010a0d0a0176120832060a017318a4030a090a0165120412020a00125d0a01631201692a\
    00320a0a001000185022002a00420f120d0a0363707512060a043130306d52200a1412120a012f120908011000\
    1a037765621a002200100018002005280030006a0072007a0410002000800100880100900100a201001a002000\
    32003a060a017812017942004a0052005800600068008201008a01009a0100c201001a130a001a0022002a0032\
    004a005a0072008801001a002200";

const SECRET: &str = "\
    6b3873000a0c0a027631120653656372657412360a190a017312001a0022002a0032003800420808a5facdac06\
    100012090a016b1204000102ff1a064f706171756522060a01741201781a002200";

const REVIEW: &str = "\
    6b3873000a2e0a17617574686f72697a6174696f6e2e6b38732e696f2f763112135375626a6563744163636573\
    73526576696577124d0a100a0012001a0022002a00320038004200122f0a150a0012036765741a0022002a0470\
    6f647332003a001a01752201672201682a0b0a016b12060a01610a016232001a08080012001a0020001a002200";

const LEASE: &str = "\
    6b3873000a1f0a16636f6f7264696e6174696f6e2e6b38732e696f2f763112054c6561736512250a110a016c12\
    001a0022002a0032003800420012100a0168100f220908a5facdac0610f02e1a002200";

#[test]
fn a_pod() {
    assert_eq!(
        read(POD),
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": "p", "labels": { "a": "b", "c": "" } },
            "spec": {
                "containers": [{
                    "name": "c",
                    "image": "i",
                    "resources": { "requests": { "cpu": "100m" } },
                    "livenessProbe": { "httpGet": { "path": "/", "port": "web" }, "periodSeconds": 5 },
                    "ports": [{ "containerPort": 80 }],
                    "securityContext": { "runAsUser": 0, "privileged": false },
                }],
                "volumes": [
                    { "name": "v", "secret": { "secretName": "s", "defaultMode": 420 } },
                    { "name": "e", "emptyDir": {} },
                ],
                "nodeSelector": { "x": "y" },
                "terminationGracePeriodSeconds": 0,
            },
            "status": {},
        })
    );
}

#[test]
fn bytes_times_and_maps() {
    assert_eq!(
        read(SECRET),
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": "s", "creationTimestamp": "2024-01-02T03:04:05Z" },
            "data": { "k": "AAEC/w==" },
            "stringData": { "t": "x" },
            "type": "Opaque",
        })
    );
    assert_eq!(
        read(LEASE)["spec"],
        json!({
            "holderIdentity": "h",
            "renewTime": "2024-01-02T03:04:05.000006Z",
            "leaseDurationSeconds": 15,
        })
    );
}

#[test]
fn lists_in_maps() {
    let review = read(REVIEW);
    assert_eq!(
        review["spec"],
        json!({
            "user": "u",
            "groups": ["g", "h"],
            "extra": { "k": ["a", "b"] },
            "resourceAttributes": { "verb": "get", "resource": "pods" },
        })
    );
    assert_eq!(review["status"]["allowed"], false);
}

#[test]
fn what_is_no_object_is_refused() {
    let error = |bytes: &[u8]| decode(Schema::builtin(), bytes).unwrap_err().to_string();
    assert!(error(b"{}").contains("expected prefix [107 56 115 0]"));
    assert_eq!(
        error(b"k8s\0"),
        "no kind \"\" is registered for version \"\""
    );
    let whole = bytes(POD);
    for end in 4..whole.len() {
        // Cut anywhere, it is an error or at least no panic.
        let _ = decode(Schema::builtin(), &whole[..end]);
    }
}

proptest! {
    #[test]
    fn never_panics(mut noise in proptest::collection::vec(any::<u8>(), 0..64), at in 0usize..400) {
        let mut whole = bytes(POD);
        let at = at.min(whole.len());
        let _ = decode(Schema::builtin(), &[MAGIC, &noise].concat());
        whole.truncate(at);
        whole.append(&mut noise);
        let _ = decode(Schema::builtin(), &whole);
    }
}
