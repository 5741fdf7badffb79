//! What edits do to every layout that manifests are written in.

use super::*;
use serde_json::json;

fn path(text: &str) -> Vec<Step> {
    text.split('.')
        .filter(|step| !step.is_empty())
        .map(|step| match step.parse::<usize>() {
            Ok(index) => index.into(),
            Err(_) => step.replace('!', ".").as_str().into(),
        })
        .collect()
}

fn set(at: &str, value: Value) -> Group {
    Group {
        document: 0,
        edits: vec![Edit {
            path: path(at),
            change: Change::Set(value),
        }],
    }
}

fn append(at: &str, value: Value) -> Group {
    Group {
        document: 0,
        edits: vec![Edit {
            path: path(at),
            change: Change::Append(value),
        }],
    }
}

#[track_caller]
fn edited(text: &str, groups: &[Group]) -> String {
    let outcome = apply(text.as_bytes(), groups);
    assert_eq!(outcome.refused, [], "{text}");
    String::from_utf8(outcome.text).unwrap()
}

#[track_caller]
fn refused(text: &str, group: Group) -> Refusal {
    let outcome = apply(text.as_bytes(), &[group]);
    assert_eq!(outcome.text, text.as_bytes());
    assert_eq!(outcome.refused.len(), 1, "{text}");
    outcome.refused[0].1
}

#[test]
fn keys_are_added_to_block_mappings() {
    for (text, at, new) in [
        ("a: 1\n", "b", "a: 1\nb: false\n"),
        ("a: 1", "b", "a: 1\nb: false"),
        ("a: 1 # why\n# end\n", "b", "a: 1 # why\nb: false\n# end\n"),
        ("a: 1\r\nc: 2\r\n", "b", "a: 1\r\nc: 2\r\nb: false\r\n"),
        (
            "a:\n  x: 1\n\n\nc: 2\n",
            "a.b",
            "a:\n  x: 1\n  b: false\n\n\nc: 2\n",
        ),
        (
            "a:\n    x: 1\nc: 2\n",
            "c2.b",
            "a:\n    x: 1\nc: 2\nc2:\n    b: false\n",
        ),
        ("- - x: 1\n", "0.0.b", "- - x: 1\n    b: false\n"),
        (
            "l:\n-   x: 1\n-   x: 2\n",
            "l.0.b",
            "l:\n-   x: 1\n    b: false\n-   x: 2\n",
        ),
        (
            "\"a\" : 'é'\nl: [1]\n",
            "b",
            "\"a\" : 'é'\nl: [1]\nb: false\n",
        ),
        (
            "a: >\n  x\n  y\n\n# c\n",
            "b",
            "a: >\n  x\n  y\nb: false\n\n# c\n",
        ),
        ("a: |+\n  x\n\n\n", "b", "a: |+\n  x\n\n\nb: false\n"),
        (
            "a: |-\n  x\n   # no comment\n",
            "b",
            "a: |-\n  x\n   # no comment\nb: false\n",
        ),
        (
            "a: |\nc:\n  d: |\n    x\n# c\n",
            "c.b",
            "a: |\nc:\n  d: |\n    x\n  b: false\n# c\n",
        ),
        ("a: x\n  y\n", "b", "a: x\n  y\nb: false\n"),
        ("a: \"x\n  y\" # c\n", "b", "a: \"x\n  y\" # c\nb: false\n"),
        ("a: &q 1\nc: *q\n", "b", "a: &q 1\nc: *q\nb: false\n"),
        ("a:\n  - x\n  -\n", "b", "a:\n  - x\n  -\nb: false\n"),
        ("a:\nc:  # d\n", "b", "a:\nc:  # d\nb: false\n"),
        ("---\na: 1\n...\n", "b", "---\na: 1\nb: false\n...\n"),
        (
            "%YAML 1.2\n---\na: 1\n",
            "b",
            "%YAML 1.2\n---\na: 1\nb: false\n",
        ),
        ("\u{feff}a: 1\n", "b", "\u{feff}a: 1\nb: false\n"),
        ("? a\n: 1\n", "b", "? a\n: 1\nb: false\n"),
    ] {
        // Explicit keys are a layout that nobody writes.
        if text.starts_with('?') {
            assert_eq!(refused(text, set(at, json!(false))), Refusal::Layout);
            continue;
        }
        assert_eq!(edited(text, &[set(at, json!(false))]), new, "{text:?}");
    }
}

#[test]
fn nulls_and_empty_mappings_get_values() {
    for (text, at, value, new) in [
        ("s:\nt: 1\n", "s.b", json!(1), "s:\n  b: 1\nt: 1\n"),
        ("s: # c\nt: 1\n", "s.b", json!(1), "s: # c\n  b: 1\nt: 1\n"),
        (
            "s:\n  # none\nt: 1\n",
            "s.b.c",
            json!(1),
            "s:\n  b:\n    c: 1\n  # none\nt: 1\n",
        ),
        ("s:", "s.b", json!(1), "s:\n  b: 1"),
        ("s:\n", "s", json!("x"), "s: x\n"),
        ("s: ~ # c\n", "s.b", json!(1), "s: {b: 1} # c\n"),
        ("s: null\n", "s", json!(1), "s: 1\n"),
        (
            "s: {} # c\n",
            "s.b.c",
            json!(["A"]),
            "s: {b: {c: [A]}} # c\n",
        ),
        ("s: { }\n", "s.b", json!(1), "s: {b: 1 }\n"),
        (
            "l:\n- s:\n  t: 1\n",
            "l.0.s.b",
            json!(1),
            "l:\n- s:\n    b: 1\n  t: 1\n",
        ),
        (
            "f: {s: , t: 1}\n",
            "f.s.b",
            json!(1),
            "f: {s: {b: 1} , t: 1}\n",
        ),
    ] {
        let outcome = apply(text.as_bytes(), &[set(at, value)]);
        assert_eq!(
            String::from_utf8(outcome.text).unwrap(),
            new,
            "{outcome:?}",
            outcome = outcome.refused
        );
    }
    assert_eq!(
        refused("s: {\n  # c\n  }\n", set("s.b", json!(1))),
        Refusal::Layout
    );
    assert_eq!(refused("l:\n- \n", set("l.0.b", json!(1))), Refusal::Layout);
    // A key without a colon.
    assert_eq!(
        refused("f: {s}\n", set("f.t", json!(1))),
        Refusal::Unfaithful
    );
}

#[test]
fn flow_mappings_stay_flow_mappings() {
    for (text, at, new) in [
        ("{a: 1}\n", "b", "{a: 1, b: false}\n"),
        ("x: {a: 1,}\n", "x.b", "x: {a: 1, b: false}\n"),
        (
            "x: {a: {c: 1}, d: [1, 2]}\n",
            "x.a.b",
            "x: {a: {c: 1, b: false}, d: [1, 2]}\n",
        ),
        ("{\"a\":1}", "b.c", "{\"a\":1,\"b\":{\"c\":false}}"),
        (
            "{\"a\": 1} {\"a\": 2}",
            "b",
            "{\"a\": 1, \"b\": false} {\"a\": 2}",
        ),
        (
            "{\n  \"a\": 1\n}\n",
            "b.c",
            "{\n  \"a\": 1,\n  \"b\": {\n    \"c\": false\n  }\n}\n",
        ),
        (
            "{\n\t\"a\": {}\n}\n",
            "a.b",
            "{\n\t\"a\": {\n\t\t\"b\": false\n\t}\n}\n",
        ),
        (
            "{\r\n    \"a\": {\r\n        \"x\": 1\r\n    }\r\n}",
            "a.b",
            "{\r\n    \"a\": {\r\n        \"x\": 1,\r\n        \"b\": false\r\n    }\r\n}",
        ),
        ("{\n  a: 1 # c\n}\n", "b", "{\n  a: 1, # c\n  b: false\n}\n"),
        (
            "{\n  a: 1, # c\n}\n",
            "b",
            "{\n  a: 1, # c\n  b: false\n}\n",
        ),
        ("{ \"a\": 1 }", "b", "{ \"a\": 1, \"b\": false }"),
    ] {
        assert_eq!(edited(text, &[set(at, json!(false))]), new, "{text:?}");
    }
}

#[test]
fn lists_get_entries() {
    for (text, new) in [
        ("l: [A, B]\n", "l: [A, B, ALL]\n"),
        ("l: [\"A\"]\n", "l: [\"A\", \"ALL\"]\n"),
        ("l: []\n", "l: [ALL]\n"),
        ("l:\n", "l: [ALL]\n"),
        ("l:\n- A\n# c\n", "l:\n- A\n- ALL\n# c\n"),
        (
            "l:\n    - 'A' # c\nm: 1",
            "l:\n    - 'A' # c\n    - 'ALL'\nm: 1",
        ),
        ("l: [\n  A,\n  B\n]\n", "l: [\n  A,\n  B,\n  ALL\n]\n"),
        ("{\"l\":[\"A\"]}", "{\"l\":[\"A\",\"ALL\"]}"),
        ("m: 1\n", "m: 1\nl: [ALL]\n"),
    ] {
        assert_eq!(edited(text, &[append("l", json!("ALL"))]), new, "{text:?}");
    }
    assert_eq!(refused("l: x\n", append("l", json!(1))), Refusal::Mismatch);
}

#[test]
fn scalars_are_replaced_in_their_quotes() {
    for (text, new) in [
        ("v: a/b # c\n", "v: a/v1 # c\n"),
        ("v: 'a/b'\n", "v: 'a/v1'\n"),
        ("v: 'a''b'  # c\n", "v: 'a/v1'  # c\n"),
        ("v: \"a\\\"b\" # c\n", "v: \"a/v1\" # c\n"),
        ("{v: \"a\" # c\n }\n", "{v: \"a/v1\" # c\n }\n"),
        ("v: \"a/b\"\n", "v: \"a/v1\"\n"),
        ("{\"v\":\"a/b\",\"w\":1}", "{\"v\":\"a/v1\",\"w\":1}"),
        ("v:   a/b   \nw: 1\n", "v:   a/v1   \nw: 1\n"),
        ("v: a/v1\n", "v: a/v1\n"),
    ] {
        assert_eq!(edited(text, &[set("v", json!("a/v1"))]), new, "{text:?}");
    }
    assert_eq!(
        refused("v: |\n  x\n", set("v", json!("y"))),
        Refusal::Layout
    );
    assert_eq!(refused("v: {}\n", set("v", json!("y"))), Refusal::Occupied);
}

#[test]
fn texts_are_quoted_where_they_must_be() {
    let value = |value: Value| edited("a: 1\n", &[set("b", value)]);
    assert_eq!(value(json!("yes")), "a: 1\nb: \"yes\"\n");
    assert_eq!(value(json!("1.0")), "a: 1\nb: \"1.0\"\n");
    assert_eq!(value(json!("a: b")), "a: 1\nb: \"a: b\"\n");
    assert_eq!(value(json!("")), "a: 1\nb: \"\"\n");
    assert_eq!(value(json!(null)), "a: 1\nb: null\n");
    assert_eq!(
        edited("a: 1\n", &[set("m.x!y/z", json!("v"))]),
        "a: 1\nm:\n  x.y/z: v\n"
    );
}

#[test]
fn what_anchors_share_is_left_alone() {
    let shared = "a: &x\n  b: 1\nc: *x\n";
    assert_eq!(refused(shared, set("a.d", json!(1))), Refusal::Shared);
    assert_eq!(refused(shared, set("c.d", json!(1))), Refusal::Shared);
    assert_eq!(
        edited("a: &x\n  b: 1\n", &[set("a.d", json!(1))]),
        "a: &x\n  b: 1\n  d: 1\n"
    );
    let merged = "a: &x {s: {b: 1}}\nc:\n  <<: *x\n  e: 1\n";
    assert_eq!(refused(merged, set("c.s.d", json!(1))), Refusal::Merged);
    assert_eq!(
        edited(merged, &[set("c.d", json!(1))]),
        "a: &x {s: {b: 1}}\nc:\n  <<: *x\n  e: 1\n  d: 1\n"
    );
    assert_eq!(
        refused("a: 1\na: 2\n", set("a", json!(3))),
        Refusal::Duplicate
    );
    assert_eq!(refused("a: 1\n", set("a.b", json!(3))), Refusal::Mismatch);
    assert_eq!(refused("a: [1]\n", set("a.1", json!(3))), Refusal::Mismatch);
}

#[test]
fn edits_of_one_place_come_together() {
    let text = "spec:\n  containers:\n  - name: a\n    image: x # c\n---\nb: 1\n";
    let groups = [
        set("spec.containers.0.securityContext.allow", json!(false)),
        set("spec.securityContext.profile.type", json!("R")),
        append(
            "spec.containers.0.securityContext.capabilities.drop",
            json!("ALL"),
        ),
        set("spec.nothing.0.x", json!(1)),
        Group {
            document: 1,
            ..set("c", json!(2))
        },
    ];
    let outcome = apply(text.as_bytes(), &groups);
    assert_eq!(outcome.refused, [(3, Refusal::Mismatch)]);
    assert_eq!(
        String::from_utf8(outcome.text).unwrap(),
        "spec:\n  containers:\n  - name: a\n    image: x # c\n    securityContext:\n      \
         allow: false\n      capabilities:\n        drop: [ALL]\n  securityContext:\n    \
         profile:\n      type: R\n---\nb: 1\nc: 2\n"
    );
}

#[test]
fn a_broken_document_does_not_hide_the_next() {
    let text = "a: [\n---\nb: 1\n";
    assert_eq!(
        edited(text, &[set("c", json!(2))]),
        "a: [\n---\nb: 1\nc: 2\n"
    );
    let outcome = apply(b"", &[set("c", json!(2))]);
    assert_eq!(outcome.refused, [(0, Refusal::Unreadable)]);
}
