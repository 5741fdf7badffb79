use super::*;
use crate::schema::Schema;

fn documents() -> OpenApi<'static> {
    static REGISTRY: std::sync::OnceLock<Registry> = std::sync::OnceLock::new();
    OpenApi::new(REGISTRY.get_or_init(Registry::builtin), Schema::builtin())
}

fn v3(path: &str) -> Value {
    serde_json::from_slice(&documents().v3(path).unwrap()).unwrap()
}

/// All references in a document.
fn references<'a>(value: &'a Value, out: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(name)) = map.get("$ref") {
                out.insert(name);
            }
            map.values().for_each(|v| references(v, out));
        }
        Value::Array(items) => items.iter().for_each(|v| references(v, out)),
        _ => {}
    }
}

#[test]
fn every_document_is_whole() {
    let all = documents();
    for path in all.paths() {
        let document: Value = serde_json::from_slice(&all.v3(&path).unwrap()).unwrap();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{path}: {reference}");
        }
    }
    let document: Value = serde_json::from_slice(&all.v2_json()).unwrap();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 300);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn there_is_a_document_for_every_path_and_no_other() {
    let all = documents();
    let paths = all.paths();
    for path in [
        "api",
        "api/v1",
        "apis",
        "apis/apps",
        "apis/apps/v1",
        "apis/policy/v1beta1",
    ] {
        assert!(paths.iter().any(|p| p == path), "{path}");
    }
    for path in [
        "",
        "api/v2",
        "apis/apps/v2",
        "apis/none",
        "apis/apps/v1/x",
        "api//v1",
    ] {
        assert!(all.v3(path).is_none(), "{path}");
    }
    let index: Value = serde_json::from_slice(&all.index()).unwrap();
    let entries = index["paths"].as_object().unwrap();
    assert_eq!(entries.len(), paths.len());
    assert_eq!(
        entries["apis/apps/v1"]["serverRelativeURL"],
        format!("/openapi/v3/apis/apps/v1?hash={}", all.hash())
    );
}

#[test]
fn fields_are_described_as_upstream_does() {
    let core = v3("api/v1");
    let types = &core["components"]["schemas"];
    let pod = &types["io.k8s.api.core.v1.Pod"];
    assert_eq!(
        pod["x-kubernetes-group-version-kind"],
        json!([{"group": "", "version": "v1", "kind": "Pod"}])
    );
    assert_eq!(pod["properties"]["spec"]["default"], json!({}));
    assert_eq!(
        pod["properties"]["spec"]["allOf"],
        json!([{"$ref": "#/components/schemas/io.k8s.api.core.v1.PodSpec"}])
    );
    let container = &types["io.k8s.api.core.v1.Container"];
    assert_eq!(container["required"], json!(["name"]));
    let ports = &container["properties"]["ports"];
    assert_eq!(ports["x-kubernetes-patch-strategy"], "merge");
    assert_eq!(ports["x-kubernetes-patch-merge-key"], "containerPort");
    assert_eq!(ports["x-kubernetes-list-type"], "map");
    assert_eq!(
        ports["x-kubernetes-list-map-keys"],
        json!(["containerPort", "protocol"])
    );
    let port = &types["io.k8s.api.core.v1.ContainerPort"]["properties"];
    assert_eq!(port["protocol"]["default"], "TCP");
    assert_eq!(port["protocol"]["enum"], json!(["SCTP", "TCP", "UDP"]));
    assert_eq!(port["containerPort"]["format"], "int32");
    let text = port["protocol"]["description"].as_str().unwrap();
    assert!(
        text.contains("Possible enum values:\n - `\"SCTP\"` is the SCTP protocol."),
        "{text}"
    );
    assert_eq!(
        types["io.k8s.api.core.v1.Secret"]["properties"]["data"]["additionalProperties"],
        json!({"type": "string", "format": "byte"})
    );
    assert_eq!(
        types["io.k8s.api.core.v1.ServiceSpec"]["properties"]["selector"]["x-kubernetes-map-type"],
        "atomic"
    );
}

/// What kubectl looks for before it asks for a dry run or for validation by the server.
#[test]
fn patch_operations_name_their_kind_and_parameters() {
    let wanted = json!({"group": "apps", "version": "v1", "kind": "Deployment"});
    let path = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}";
    let v2: Value = serde_json::from_slice(&documents().v2_json()).unwrap();
    for document in [v3("apis/apps/v1"), v2] {
        let patch = &document["paths"][path]["patch"];
        assert_eq!(patch["x-kubernetes-group-version-kind"], wanted);
        assert_eq!(patch["x-kubernetes-action"], "patch");
        assert_eq!(patch["operationId"], "patchAppsV1NamespacedDeployment");
        let names: Vec<_> = patch["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|p| p["in"] == "query")
            .filter_map(|p| p["name"].as_str())
            .collect();
        assert_eq!(
            names,
            ["dryRun", "fieldManager", "fieldValidation", "force"]
        );
    }
    let core = v3("api/v1");
    let log = &core["paths"]["/api/v1/namespaces/{namespace}/pods/{name}/log"]["get"];
    assert_eq!(log["x-kubernetes-action"], "get");
    let token = &core["paths"]["/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"];
    assert_eq!(
        token["post"]["x-kubernetes-group-version-kind"]["kind"],
        "TokenRequest"
    );
}

/// Fields of a message: numbers with their bytes (of delimited ones).
fn message(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let (first, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            shift += 7;
            if first & 0x80 == 0 {
                return value;
            }
        }
    }
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let length = varint(&mut bytes);
        match key & 7 {
            0 => out.push((key >> 3, &[][..])),
            2 => {
                let (value, rest) = bytes.split_at(usize::try_from(length).unwrap());
                out.push((key >> 3, value));
                bytes = rest;
            }
            other => panic!("wire type {other}"),
        }
    }
    out
}

#[test]
fn protobuf_holds_what_json_holds() {
    let json: Value = serde_json::from_slice(&documents().v2_json()).unwrap();
    let bytes = documents().v2_protobuf();
    let document = message(&bytes);
    let part = |number| document.iter().find(|(n, _)| *n == number).unwrap().1;
    assert_eq!(part(1), b"2.0");
    let names = |part: &[u8]| -> Vec<String> {
        message(part)
            .iter()
            .map(|(_, entry)| String::from_utf8(message(entry)[0].1.to_vec()).unwrap())
            .collect()
    };
    let keys =
        |part: &str| -> Vec<String> { json[part].as_object().unwrap().keys().cloned().collect() };
    let mut paths = names(part(8));
    paths.sort();
    assert_eq!(paths, keys("paths"));
    assert_eq!(names(part(9)), keys("definitions"));
    let pod = message(part(9))
        .into_iter()
        .map(|(_, entry)| message(entry))
        .find(|entry| entry[0].1 == b"io.k8s.api.core.v1.Pod")
        .unwrap();
    let pod = message(pod[1].1);
    let text = json["definitions"]["io.k8s.api.core.v1.Pod"]["description"]
        .as_str()
        .unwrap();
    assert!(pod.contains(&(4, text.as_bytes())));
    let properties = pod.iter().find(|(n, _)| *n == 25).unwrap().1;
    assert_eq!(
        names(properties),
        ["apiVersion", "kind", "metadata", "spec", "status"]
    );
    let extension = message(pod.iter().find(|(n, _)| *n == 31).unwrap().1);
    assert_eq!(extension[0].1, b"x-kubernetes-group-version-kind");
}

const SMALL: &str = r#"{
    "x.v1.Thing": {"f": [
        {"n": "metadata", "t": "x.v1.Meta"}, {"n": "size", "t": "quantity"},
        {"n": "list", "t": "[]string", "lt": "set"}
    ], "k": [{"g": "scheduling.k8s.io", "v": "v1", "k": "PriorityClass"}]},
    "x.v1.PriorityClassList": {"f": [{"n": "items", "t": "[]x.v1.Thing", "r": true}]},
    "x.v1.Meta": {"f": [{"n": "name", "t": "string", "d": "x"}]}
}"#;

fn small() -> Registry {
    let builtin = Registry::builtin();
    let found = builtin
        .by_path("scheduling.k8s.io", "v1", "priorityclasses")
        .unwrap();
    let mut resource = Resource::clone(found);
    for version in &mut resource.versions {
        version.schema = "x.v1.Thing".into();
    }
    Registry::new([resource])
}

#[test]
fn the_hash_follows_the_api() {
    let (registry, schema) = (small(), Schema::parse(SMALL).unwrap());
    let other = SMALL
        .replace("\"lt\": \"set\"", "\"lt\": \"atomic\"")
        .leak();
    let other = Schema::parse(other).unwrap();
    let hash = OpenApi::new(&registry, &schema).hash();
    assert_eq!(hash, OpenApi::new(&small(), &schema).hash());
    assert_ne!(hash, OpenApi::new(&registry, &other).hash());
    assert_ne!(hash, OpenApi::new(&Registry::default(), &schema).hash());
}

/// The hash is made of what the documents are made of, not of the documents. When this test
/// fails because documents are written differently, raise `REVISION` and correct the number here.
#[test]
fn a_changed_generator_raises_the_revision() {
    let (registry, schema) = (small(), Schema::parse(SMALL).unwrap());
    let all = OpenApi::new(&registry, &schema);
    let mut hash = Fingerprint::new(0);
    for path in all.paths() {
        hash.add(&all.v3(&path).unwrap());
    }
    hash.add(&all.v2_json());
    hash.add(&all.v2_protobuf());
    assert_eq!(
        (REVISION, &*hash.text()),
        (1, "511E37ECD0CFB67DE96359048DDB8E6A")
    );
}
