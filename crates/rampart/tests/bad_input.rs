//! Bad input, byte by byte, against the real binary: each case gets the status code and reason that
//! kube-apiserver gives, and nothing is half-applied.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use bytes::Bytes;
use k8s_openapi::serde_json::{Value, json};
use support::Cluster;
use support::wire::Wire;

const CONFIGMAPS: &str = "/api/v1/namespaces/default/configmaps";
const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const STRATEGIC_PATCH: &str = "application/strategic-merge-patch+json";
const APPLY_PATCH: &str = "application/apply-patch+yaml";
/// 3 MiB, upstream's limit of a body.
const LIMIT: usize = 3_145_728;

/// What is sent, and how the answer must begin (`code reason: message`).
struct Case<'a> {
    method: &'a str,
    target: &'a str,
    media: &'a str,
    body: String,
    want: &'a str,
}

fn case<'a>(
    method: &'a str,
    target: &'a str,
    media: &'a str,
    body: impl ToString,
    want: &'a str,
) -> Case<'a> {
    let body = body.to_string();
    Case {
        method,
        target,
        media,
        body,
        want,
    }
}

/// Sends every case and tells of all that are answered otherwise.
#[track_caller]
fn check(wire: &Wire, cases: &[Case<'_>]) {
    let mut wrong = Vec::new();
    for case in cases {
        let headers = [("content-type", case.media)];
        let headers = if case.media.is_empty() {
            &[][..]
        } else {
            &headers
        };
        let answer = wire.send(case.method, case.target, headers, case.body.as_bytes());
        let got = answer.summary();
        if !got.starts_with(case.want) {
            let body: String = case.body.chars().take(100).collect();
            let Case {
                method,
                target,
                media,
                want,
                ..
            } = case;
            wrong.push(format!(
                "{method} {target} {media} {body}\n  want {want}\n  got  {got}"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

fn configmap(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}})
}

/// Stores an object.
#[track_caller]
fn create(wire: &Wire, target: &str, object: &Value) -> Value {
    let body = object.to_string();
    let answer = wire.send("POST", target, &[("content-type", JSON)], body.as_bytes());
    assert_eq!(answer.code, 201, "{}", answer.summary());
    answer.json()
}

#[track_caller]
fn names(wire: &Wire, target: &str) -> Vec<String> {
    let list = wire.send("GET", target, &[], b"").json();
    let items = list["items"].as_array().expect("a list");
    items
        .iter()
        .map(|item| {
            item["metadata"]["name"]
                .as_str()
                .expect("a name")
                .to_owned()
        })
        .collect()
}

#[test]
fn bodies_that_are_no_objects_of_the_path() {
    let cluster = Cluster::start();
    let wire = Wire::admin(&cluster);
    let before = names(&wire, CONFIGMAPS);
    let unreadable = "400 BadRequest: the object provided is unrecognized (must be of type \
                      ConfigMap): couldn't get version/kind; json parse error: ";
    let post = |media, body: &str, want| case("POST", CONFIGMAPS, media, body, want);
    check(
        &wire,
        &[
            post(JSON, "", unreadable),
            post(JSON, "{", unreadable),
            post(JSON, "{\"a\":}", unreadable),
            post(JSON, "{\"a\":1} x", unreadable),
            post(JSON, "{\"a\":\"\u{1}\"}", unreadable),
            post(JSON, "[]", unreadable),
            post(JSON, "null", "400 BadRequest"),
            post(
                JSON,
                "{\"apiVersion\":1,\"kind\":\"ConfigMap\"}",
                unreadable,
            ),
            post(YAML, "a: [", "400 BadRequest: "),
            post(YAML, "\t- a", "400 BadRequest: "),
            post(YAML, "a: *nobody", "400 BadRequest: "),
            post(YAML, "- a", "400 BadRequest: "),
            post(
                JSON,
                r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"}}"#,
                "400 BadRequest: Secret in version \"v1\" cannot be handled as a ConfigMap: ",
            ),
            post(
                JSON,
                r#"{"apiVersion":"v1","kind":"Nonsense","metadata":{"name":"x"}}"#,
                "400 BadRequest: Nonsense in version \"v1\" cannot be handled as a ConfigMap: ",
            ),
            post(
                JSON,
                r#"{"apiVersion":"v7","kind":"ConfigMap","metadata":{"name":"x"}}"#,
                "400 BadRequest: ConfigMap in version \"v7\" cannot be handled as a ConfigMap: ",
            ),
            case(
                "POST",
                "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
                JSON,
                json!({
                    "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
                    "metadata": {"name": "x"},
                }),
                "400 BadRequest: the API version in the data (autoscaling/v1) does not match the \
                 expected API version (autoscaling/v2)",
            ),
            post(
                JSON,
                r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":[1]}"#,
                "400 BadRequest: ConfigMap in version \"v1\" cannot be handled as a ConfigMap: \
                 json: cannot unmarshal array into Go struct field ConfigMap.data of type \
                 map[string]string",
            ),
            post(
                JSON,
                r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","namespace":"y"}}"#,
                "400 BadRequest: the namespace of the provided object does not match the \
                 namespace sent on the request",
            ),
            post(
                "text/csv",
                "a,b",
                "415 UnsupportedMediaType: the body of the request was in an unknown format - \
                 accepted media types include: application/json, application/yaml",
            ),
            case(
                "POST",
                "/api/v1/namespaces/nowhere/configmaps",
                JSON,
                configmap("x"),
                "404 NotFound: namespaces \"nowhere\" not found",
            ),
            case(
                "POST",
                "/api/v1/namespaces/default/nonsense",
                JSON,
                "{}",
                "404 NotFound: the server could not find the requested resource",
            ),
            case(
                "POST",
                "/api/v1/configmaps",
                JSON,
                configmap("x"),
                "405 MethodNotAllowed: the server does not allow this method on the requested \
                 resource",
            ),
        ],
    );
    let after = names(&wire, CONFIGMAPS);
    assert_eq!(before, after, "something was stored");
}

#[test]
fn names_outside_the_rules() {
    let cluster = Cluster::start();
    let wire = Wire::admin(&cluster);
    let named = |name: &str| configmap(name).to_string();
    let long = "a".repeat(254);
    let post = |body: String, want| case("POST", CONFIGMAPS, JSON, body, want);
    let invalid = |name: &str, why: &str| {
        format!(
            "422 Invalid: ConfigMap \"{name}\" is invalid: metadata.name: Invalid value: \"{name}\": {why}"
        )
    };
    let rules = "a lowercase RFC 1123 subdomain must consist of";
    let (upper, under, dot) = (
        invalid("Upper", rules),
        invalid("a_b", rules),
        invalid("a.", rules),
    );
    let (umlaut, too_long) = (
        invalid("\u{fc}", rules),
        invalid(&long, "must be no more than 253 "),
    );
    check(
        &wire,
        &[
            post(named("Upper"), &upper),
            post(named("a_b"), &under),
            post(named("a."), &dot),
            post(named("\u{fc}"), &umlaut),
            post(named(&long), &too_long),
            post(
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}).to_string(),
                "422 Invalid: ConfigMap \"\" is invalid: metadata.name: Required value: name or \
                 generateName is required",
            ),
            post(
                json!({
                    "apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": "x", "labels": {"a b": "c"}},
                })
                .to_string(),
                "422 Invalid: ConfigMap \"x\" is invalid: metadata.labels: Invalid value: \"a b\"",
            ),
            post(
                json!({
                    "apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": "x"}, "data": {"a/b": "c"},
                })
                .to_string(),
                "422 Invalid: ConfigMap \"x\" is invalid: data[a/b]: Invalid value: \"a/b\"",
            ),
            case(
                "PUT",
                &format!("{CONFIGMAPS}/x"),
                JSON,
                configmap("y"),
                "400 BadRequest: the name of the object (y) does not match the name on the URL (x)",
            ),
            case("GET", &format!("{CONFIGMAPS}/..%2fsecrets"), "", "", "40"),
        ],
    );
}

#[test]
fn unknown_and_duplicate_fields() {
    let cluster = Cluster::start();
    let wire = Wire::admin(&cluster);
    let json = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"NAME","nickname":"z"},
                   "data":{"a":"1","a":"2"},"datum":1}"#;
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: NAME\n  nickname: z\n\
                data:\n  a: '1'\n  a: '2'\ndatum: 1\n";
    for (media, body) in [(JSON, json), (YAML, yaml)] {
        let send = |name: &str, query: &str| {
            let target = format!("{CONFIGMAPS}{query}");
            let body = body.replace("NAME", name);
            wire.send("POST", &target, &[("content-type", media)], body.as_bytes())
        };
        let strict = send("strict", "?fieldValidation=Strict");
        let summary = strict.summary();
        assert!(
            summary.starts_with(
                "400 BadRequest: ConfigMap in version \"v1\" cannot be handled as a ConfigMap: \
                 strict decoding error: "
            ),
            "{summary}"
        );
        let fields = [
            "unknown field \"datum\"",
            "unknown field \"metadata.nickname\"",
        ];
        let duplicate = "duplicate field \"data.a\"";
        for field in fields {
            assert!(summary.contains(field), "{media}: {field} in {summary}");
        }
        assert!(summary.contains(duplicate), "{media}: {summary}");
        assert_eq!(names(&wire, CONFIGMAPS), ["kube-root-ca.crt"], "stored");

        for (name, query) in [("warn", "?fieldValidation=Warn"), ("default", "")] {
            let warned = send(name, query);
            assert_eq!(warned.code, 201, "{}", warned.summary());
            let warnings = warned.warnings().join("\n");
            for field in fields {
                let quoted = field.replace('"', "\\\"");
                assert!(warnings.contains(&quoted), "{media}: {field} in {warnings}");
            }
            assert_eq!(warned.json()["data"], json!({"a": "2"}));
            assert_eq!(warned.json().get("datum"), None);
        }
        let ignored = send("ignored", "?fieldValidation=Ignore");
        assert_eq!(ignored.code, 201, "{}", ignored.summary());
        assert!(ignored.warnings().is_empty(), "{:?}", ignored.warnings());
        for name in ["warn", "default", "ignored"] {
            let target = format!("{CONFIGMAPS}/{name}");
            assert_eq!(wire.send("DELETE", &target, &[], b"").code, 200);
        }
    }
    check(
        &wire,
        &[
            case(
                "POST",
                &format!("{CONFIGMAPS}?fieldValidation=Sloppy"),
                JSON,
                configmap("x"),
                "422 Invalid: CreateOptions.meta.k8s.io \"\" is invalid: fieldValidation: \
                 Unsupported value: \"Sloppy\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"",
            ),
            case(
                "POST",
                &format!("{CONFIGMAPS}?dryRun=Some"),
                JSON,
                configmap("x"),
                "422 Invalid: CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported \
                 value: []string{\"Some\"}: supported values: \"All\"",
            ),
        ],
    );
}

#[test]
fn bodies_beyond_the_limit() {
    let cluster = Cluster::start();
    let wire = Wire::admin(&cluster);
    let object = |bytes: usize| {
        let mut object = configmap("big");
        object["data"]["a"] = "x".repeat(bytes).into();
        object.to_string().into_bytes()
    };
    let big = object(5_000_000);
    let mut chunked = Vec::new();
    for chunk in big.chunks(100_000) {
        chunked.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunked.extend_from_slice(chunk);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let want = format!("413 RequestEntityTooLarge: Request entity too large: limit is {LIMIT}");
    let json = ("content-type", JSON);
    let in_chunks = [json, ("transfer-encoding", "chunked")];
    // The client sends everything before it reads the answer.
    let first = wire.send("POST", CONFIGMAPS, &[json], &big);
    assert_eq!(first.summary(), want);
    let second = wire.send("POST", CONFIGMAPS, &in_chunks, &chunked);
    assert_eq!(second.summary(), want);
    let media = |method: &str, target: &str, media: &str| {
        let headers = [("content-type", media)];
        wire.send(method, target, &headers, &big).summary()
    };
    assert_eq!(media("PUT", &format!("{CONFIGMAPS}/big"), JSON), want);
    assert_eq!(
        media("PATCH", &format!("{CONFIGMAPS}/big"), MERGE_PATCH),
        want
    );
    assert_eq!(media("DELETE", &format!("{CONFIGMAPS}/big"), JSON), want);
    // Over HTTP/2 too.
    let request = |body: Vec<u8>| {
        http::Request::post(format!("{}{CONFIGMAPS}", cluster.url))
            .header("content-type", JSON)
            .body(Bytes::from(body))
            .expect("a request")
    };
    assert_eq!(wire.send_http2(request(big.clone())).summary(), want);
    // Those who may not ask are told so, whatever they send.
    let nobody = Wire::anonymous(&cluster);
    assert_eq!(nobody.send("POST", CONFIGMAPS, &[json], &big).code, 403);
    let token = [json, ("authorization", "Bearer nonsense")];
    assert_eq!(nobody.send("POST", CONFIGMAPS, &token, &big).code, 401);
    assert_eq!(nobody.send_http2(request(big)).code, 403);
    // A body within the limit is read; the object is too large for its kind.
    let within = wire.send("POST", CONFIGMAPS, &[json], &object(LIMIT - 1000));
    let summary = within.summary();
    assert!(
        summary.starts_with("422 Invalid: ConfigMap \"big\" is invalid: []: Too long: may not be more than 1048576 bytes"),
        "{summary}"
    );
    assert_eq!(names(&wire, CONFIGMAPS), ["kube-root-ca.crt"]);
}

#[test]
fn whoever_waits_for_a_word_before_sending_is_refused_at_once() {
    use std::io::Write;
    let cluster = Cluster::start();
    let wire = Wire::admin(&cluster);
    let mut stream = wire.connect("http/1.1");
    let head = format!(
        "POST {CONFIGMAPS} HTTP/1.1\r\nhost: rampart\r\ncontent-type: {JSON}\r\n\
         content-length: 5000000\r\nexpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let answer = support::wire::read_answer(&mut stream);
    assert_eq!(
        answer.summary(),
        format!("413 RequestEntityTooLarge: Request entity too large: limit is {LIMIT}")
    );
}

/// A document of 10,000 levels in each notation.
fn deep(open: &str, middle: &str, close: &str) -> String {
    format!("{}{middle}{}", open.repeat(10_000), close.repeat(10_000))
}

#[test]
fn nesting_and_aliases_without_end() {
    let cluster = Cluster::start();
    let wire = Wire::admin(&cluster);
    create(&wire, CONFIGMAPS, &configmap("target"));
    let arrays = deep("[", "1", "]");
    let objects = deep("{\"a\":", "1", "}");
    let blocks: String = (0..2_000)
        .map(|n| format!("{}a:\n", " ".repeat(n)))
        .collect();
    let sequences = "- ".repeat(10_000) + "a";
    let in_data = |value: &str| {
        format!(
            r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"x"}},"data":{value}}}"#
        )
    };
    let patch = |value: &str| format!(r#"[{{"op":"add","path":"/data/b","value":{value}}}]"#);
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let last = level - 1;
        let aliases = vec![format!("*a{last}"); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let target = &format!("{CONFIGMAPS}/target");
    let apply = &format!("{target}?fieldManager=test");
    let bad = "400 BadRequest: ";
    check(
        &wire,
        &[
            case("POST", CONFIGMAPS, JSON, &arrays, bad),
            case("POST", CONFIGMAPS, JSON, &objects, bad),
            case("POST", CONFIGMAPS, JSON, in_data(&objects), bad),
            case("POST", CONFIGMAPS, JSON, "[".repeat(1_000_000), bad),
            case("POST", CONFIGMAPS, YAML, &arrays, bad),
            case("POST", CONFIGMAPS, YAML, &objects, bad),
            case("POST", CONFIGMAPS, YAML, &blocks, bad),
            case("POST", CONFIGMAPS, YAML, &sequences, bad),
            case("POST", CONFIGMAPS, YAML, &bomb, bad),
            case("PATCH", target, JSON_PATCH, &arrays, bad),
            case("PATCH", target, JSON_PATCH, patch(&objects), bad),
            case("PATCH", target, MERGE_PATCH, &objects, bad),
            case(
                "PATCH",
                target,
                MERGE_PATCH,
                format!("{{\"data\":{objects}}}"),
                bad,
            ),
            case("PATCH", target, STRATEGIC_PATCH, &objects, bad),
            case("PATCH", apply, APPLY_PATCH, in_data(&objects), bad),
            case("PATCH", apply, APPLY_PATCH, &bomb, bad),
            case("DELETE", target, JSON, &objects, bad),
        ],
    );
    let stored = wire.send("GET", target, &[], b"").json();
    assert_eq!(stored["data"], json!({"a": "1"}));
    assert_eq!(names(&wire, CONFIGMAPS).len(), 2, "something was stored");
}

#[test]
fn patches_that_cannot_be_applied() {
    let cluster = Cluster::start();
    let wire = Wire::admin(&cluster);
    let created = create(&wire, CONFIGMAPS, &configmap("target"));
    let target = &format!("{CONFIGMAPS}/target");
    let strict = &format!("{target}?fieldValidation=Strict");
    let apply = &format!("{target}?fieldManager=test");
    let force = &format!("{target}?force=true");
    let missing = &format!("{CONFIGMAPS}/missing");
    let patch = |media, body: &str, want| case("PATCH", target, media, body, want);
    let refused = "422 Invalid: the server rejected our request due to an error in our request";
    let bad = "400 BadRequest: ";
    let many: Vec<Value> = (0..10_001)
        .map(|_| json!({"op": "add", "path": "/data/b", "value": "1"}))
        .collect();
    let mut cases = vec![
        patch(
            JSON,
            "{}",
            "415 UnsupportedMediaType: the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml",
        ),
        patch("", "{}", "415 UnsupportedMediaType: "),
        patch(JSON_PATCH, "", bad),
        patch(JSON_PATCH, "{", bad),
        patch(JSON_PATCH, "{}", bad),
        patch(JSON_PATCH, "[1]", bad),
        patch(JSON_PATCH, r#"[{"op":"frob","path":"/data/a"}]"#, refused),
        patch(
            JSON_PATCH,
            r#"[{"op":"test","path":"/data/a","value":"2"}]"#,
            refused,
        ),
        patch(JSON_PATCH, r#"[{"op":"remove","path":"/data/b"}]"#, refused),
        patch(
            JSON_PATCH,
            r#"[{"op":"add","path":"/nowhere/b","value":1}]"#,
            refused,
        ),
        case(
            "PATCH",
            target,
            JSON_PATCH,
            Value::from(many),
            "413 RequestEntityTooLarge: Request entity is too large: The allowed maximum operations in a JSON patch is 10000, got 10001",
        ),
        patch(MERGE_PATCH, "", bad),
        patch(MERGE_PATCH, "{", bad),
        patch(MERGE_PATCH, "1", bad),
        patch(STRATEGIC_PATCH, "", bad),
        patch(STRATEGIC_PATCH, "{", bad),
        patch(STRATEGIC_PATCH, "[]", bad),
        case(
            "PATCH",
            apply,
            APPLY_PATCH,
            "a: [",
            "400 BadRequest: error decoding YAML: ",
        ),
        case(
            "PATCH",
            apply,
            APPLY_PATCH,
            "- a",
            "400 BadRequest: error decoding YAML: ",
        ),
        case(
            "PATCH",
            apply,
            APPLY_PATCH,
            r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"target"}}"#,
            bad,
        ),
        case(
            "PATCH",
            apply,
            APPLY_PATCH,
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"other"}}"#,
            bad,
        ),
        case(
            "PATCH",
            apply,
            APPLY_PATCH,
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"target","managedFields":[{"manager":"x"}]}}"#,
            "400 BadRequest: metadata.managedFields must be nil",
        ),
        case(
            "PATCH",
            target,
            APPLY_PATCH,
            configmap("target"),
            "422 Invalid: PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        ),
        case(
            "PATCH",
            force,
            MERGE_PATCH,
            "{}",
            "422 Invalid: PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch",
        ),
        case(
            "PATCH",
            missing,
            MERGE_PATCH,
            "{}",
            "404 NotFound: configmaps \"missing\" not found",
        ),
        patch(
            MERGE_PATCH,
            r#"{"metadata":{"resourceVersion":"1"}}"#,
            "409 Conflict: Operation cannot be fulfilled on configmaps \"target\": the object has been modified; please apply your changes to the latest version and try again",
        ),
        patch(MERGE_PATCH, r#"{"metadata":{"uid":"1"}}"#, "409 Conflict: "),
    ];
    for (media, body) in [
        (MERGE_PATCH, r#"{"data":["a"]}"#),
        (STRATEGIC_PATCH, r#"{"data":{"a":1}}"#),
        (JSON_PATCH, r#"[{"op":"add","path":"/data","value":1}]"#),
    ] {
        cases.push(patch(
            media,
            body,
            "422 Invalid:  \"\" is invalid: patch: Invalid value: ",
        ));
    }
    for (media, body) in [
        (MERGE_PATCH, r#"{"datum":"a"}"#),
        (STRATEGIC_PATCH, r#"{"datum":"a"}"#),
        (JSON_PATCH, r#"[{"op":"add","path":"/datum","value":1}]"#),
    ] {
        cases.push(case(
            "PATCH",
            strict,
            media,
            body,
            "422 Invalid:  \"\" is invalid: patch: Invalid value: ",
        ));
    }
    check(&wire, &cases);
    assert_eq!(
        wire.send("GET", target, &[], b"").json(),
        created,
        "half-applied"
    );
}

#[test]
fn a_refused_patch_of_a_secret_tells_nothing_of_it() {
    let cluster = Cluster::start();
    let wire = Wire::admin(&cluster);
    let secrets = "/api/v1/namespaces/default/secrets";
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hush"},
        "data": {"a": "aHVzaC1odXNo"},
    });
    create(&wire, secrets, &secret);
    let target = format!("{secrets}/hush?fieldValidation=Strict");
    for (media, body) in [
        (MERGE_PATCH, r#"{"datum":"cHNzdA=="}"#),
        (STRATEGIC_PATCH, r#"{"data":{"b":["cHNzdA=="]}}"#),
        (
            JSON_PATCH,
            r#"[{"op":"add","path":"/datum","value":"cHNzdA=="}]"#,
        ),
    ] {
        let answer = wire.send(
            "PATCH",
            &target,
            &[("content-type", media)],
            body.as_bytes(),
        );
        let summary = answer.summary();
        assert!(summary.starts_with("422 Invalid: "), "{summary}");
        let text = String::from_utf8(answer.body).expect("text");
        for secret in ["aHVzaC1odXNo", "hush-hush", "cHNzdA=="] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn lists_and_watches_that_make_no_sense() {
    let cluster = Cluster::start();
    let wire = Wire::admin(&cluster);
    let bad = "400 BadRequest: ";
    let options = "422 Invalid: ListOptions.meta.k8s.io \"\" is invalid: ";
    let cases: Vec<(&str, String)> = [
        ("labelSelector=a%20in%20(", bad, "unable to parse requirement: "),
        ("labelSelector=a%20b", bad, "unable to parse requirement: "),
        ("labelSelector=-a=b", bad, "unable to parse requirement: "),
        ("labelSelector=,", bad, ""),
        ("fieldSelector=a", bad, "invalid selector: 'a'; can't understand 'a'"),
        ("fieldSelector=metadata.color=red", bad, ""),
        ("continue=nonsense!", bad, "continue key is not valid: "),
        ("continue=e30", bad, "continue key is not valid: "),
        ("limit=some", bad, "strconv.ParseInt: parsing \"some\": invalid syntax"),
        ("limit=1.5", bad, ""),
        ("resourceVersion=new", bad, ""),
        ("resourceVersion=-1", bad, ""),
        ("resourceVersionMatch=Exact", options, "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"),
        ("resourceVersion=1&resourceVersionMatch=Nearly", options, "resourceVersionMatch: Unsupported value: \"Nearly\""),
        ("resourceVersion=0&resourceVersionMatch=Exact", options, "resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""),
        ("sendInitialEvents=true", options, "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"),
        ("resourceVersion=99999999999", "504 Timeout: ", "Timeout: Too large resource version: 99999999999, current: "),
        ("resourceVersion=99999999999&resourceVersionMatch=Exact", "504 Timeout: ", "Timeout: Too large resource version"),
        ("watch=true&resourceVersionMatch=Exact", options, "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"),
        ("watch=true&sendInitialEvents=true", options, "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
        ("watch=true&timeoutSeconds=long", bad, "strconv.ParseInt: parsing \"long\": invalid syntax"),
        ("watch=true&resourceVersion=new", bad, ""),
        ("watch=true&labelSelector=a%20in%20(", bad, "unable to parse requirement: "),
    ]
    .into_iter()
    .map(|(query, class, text)| (query, format!("{class}{text}")))
    .collect();
    let targets: Vec<String> = cases
        .iter()
        .map(|(query, _)| format!("{CONFIGMAPS}?{query}"))
        .collect();
    let mut checks: Vec<Case<'_>> = cases
        .iter()
        .zip(&targets)
        .map(|((_, want), target)| case("GET", target, "", "", want))
        .collect();
    let nodes = "/api/v1/nodes?fieldSelector=spec.color=red";
    checks.push(case("GET", nodes, "", "", bad));
    check(&wire, &checks);
    let accept = [("accept", "text/csv")];
    let unacceptable = wire.send("GET", CONFIGMAPS, &accept, b"").summary();
    assert!(
        unacceptable.starts_with(
            "406 NotAcceptable: only the following media types are accepted: application/json"
        ),
        "{unacceptable}"
    );
    // The longest watch that can be asked for begins like any other.
    let longest = format!(
        "GET {CONFIGMAPS}?watch=true&timeoutSeconds={} HTTP/1.1\r\nhost: rampart\r\n\r\n",
        i64::MAX
    );
    let mut stream = wire.connect("http/1.1");
    let head = support::wire::ask(&mut stream, &longest);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    // The shortest ends at once and is whole.
    let short = format!("{CONFIGMAPS}?watch=true&timeoutSeconds=1&resourceVersion=0");
    assert_eq!(wire.send("GET", &short, &[], b"").code, 200);
}

#[test]
fn changes_to_what_is_not_there_any_more() {
    let cluster = Cluster::start();
    let wire = Wire::admin(&cluster);
    let first = create(&wire, CONFIGMAPS, &configmap("target"));
    let target = &format!("{CONFIGMAPS}/target");
    let mut changed = first.clone();
    changed["data"]["a"] = "2".into();
    let headers = [("content-type", JSON)];
    let second = wire.send("PUT", target, &headers, changed.to_string().as_bytes());
    assert_eq!(second.code, 200, "{}", second.summary());
    let second = second.json();
    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
    let uid = first["metadata"]["uid"].as_str().expect("a uid");
    let mut other = second.clone();
    other["metadata"]["uid"] = "1".into();
    let conflict = "409 Conflict: Operation cannot be fulfilled on configmaps \"target\": ";
    let modified = &format!(
        "{conflict}the object has been modified; please apply your changes to the latest version \
         and try again"
    );
    let by_uid = &format!(
        "{conflict}Precondition failed: UID in precondition: 1, UID in object meta: {uid}"
    );
    // Upstream names the kind here, where it names the resource elsewhere.
    let conflict = "409 Conflict: Operation cannot be fulfilled on ConfigMap \"target\": ";
    let stale_uid = &format!(
        "{conflict}the UID in the precondition (1) does not match the UID in record ({uid}). The \
         object might have been deleted and then recreated"
    );
    let stale_version = &format!(
        "{conflict}the ResourceVersion in the precondition ({}) does not match the \
         ResourceVersion in record ({}). The object might have been modified",
        version(&first).as_str().expect("a version"),
        version(&second).as_str().expect("a version")
    );
    check(
        &wire,
        &[
            case("PUT", target, JSON, &changed, modified),
            case("PUT", target, JSON, &other, by_uid),
            case(
                "POST",
                CONFIGMAPS,
                JSON,
                configmap("target"),
                "409 AlreadyExists: configmaps \"target\" already exists",
            ),
            case(
                "PUT",
                &format!("{CONFIGMAPS}/missing"),
                JSON,
                configmap("missing"),
                "404 NotFound: configmaps \"missing\" not found",
            ),
            case(
                "DELETE",
                target,
                JSON,
                json!({"preconditions": {"uid": "1"}}),
                stale_uid,
            ),
            case(
                "DELETE",
                target,
                JSON,
                json!({"preconditions": {"resourceVersion": version(&first)}}),
                stale_version,
            ),
            case(
                "DELETE",
                target,
                JSON,
                json!({"propagationPolicy": "Sometimes"}),
                "422 Invalid: DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"Sometimes\"",
            ),
            case("DELETE", target, JSON, "{", "400 BadRequest: "),
            case(
                "DELETE",
                &format!("{target}?gracePeriodSeconds=soon"),
                "",
                "",
                "400 BadRequest: ",
            ),
            case(
                "DELETE",
                &format!("{CONFIGMAPS}/missing"),
                "",
                "",
                "404 NotFound: configmaps \"missing\" not found",
            ),
            case(
                "POST",
                CONFIGMAPS,
                JSON,
                &{
                    let mut object = first.clone();
                    object["metadata"]["name"] = "fresh".into();
                    object
                },
                "500 : resourceVersion should not be set on objects to be created",
            ),
        ],
    );
    let stored = wire.send("GET", target, &[], b"").json();
    assert_eq!(stored, second, "half-applied");
}
