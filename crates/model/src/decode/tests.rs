use super::*;
use serde_json::json;

fn json_text(text: &str) -> Result<Decoded, String> {
    decode(text.as_bytes(), Format::Json).map_err(|e| e.to_string())
}

fn yaml_text(text: &str) -> Result<Decoded, String> {
    decode(text.as_bytes(), Format::Yaml).map_err(|e| e.to_string())
}

#[test]
fn json_values() {
    for (text, value) in [
        ("null", json!(null)),
        (" [ ] ", json!([])),
        ("{\n}", json!({})),
        ("-0", json!(0)),
        ("18446744073709551615", json!(u64::MAX)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("18446744073709551616", json!(18_446_744_073_709_551_616.0)),
        ("1.0", json!(1.0)),
        ("1e2", json!(100.0)),
        (
            r#""a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#,
            json!("a\"\\/\u{8}\u{c}\n\r\t\u{e9}\u{1f600}"),
        ),
        (
            r#""\ud800x\udc00\ud800\u0041""#,
            json!("\u{fffd}x\u{fffd}\u{fffd}A"),
        ),
        (
            r#"{"a":[1,{"b":true}],"c":false}"#,
            json!({"a": [1, {"b": true}], "c": false}),
        ),
    ] {
        assert_eq!(json_text(text).unwrap().value, value, "{text}");
    }
    let lossy = decode(b"\"a\xff\"", Format::Json).unwrap();
    assert_eq!(lossy.value, json!("a\u{fffd}"));
}

#[test]
fn json_errors_are_go_s() {
    for (text, error) in [
        ("", "unexpected end of JSON input"),
        ("{", "unexpected end of JSON input"),
        ("\"a", "unexpected end of JSON input"),
        ("x", "invalid character 'x' looking for beginning of value"),
        (
            "[1,]",
            "invalid character ']' looking for beginning of value",
        ),
        (
            "{a:1}",
            "invalid character 'a' looking for beginning of object key string",
        ),
        (r#"{"a" 1}"#, "invalid character '1' after object key"),
        (
            r#"{"a":1 "b"}"#,
            "invalid character '\"' after object key:value pair",
        ),
        ("[1 2]", "invalid character '2' after array element"),
        ("tru", "unexpected end of JSON input"),
        (
            "trux",
            "invalid character 'x' in literal true (expecting 'e')",
        ),
        ("\"\n\"", "invalid character '\\n' in string literal"),
        (r#""\x""#, "invalid character 'x' in string escape code"),
        (
            r#""\u12g4""#,
            "invalid character 'g' in \\u hexadecimal character escape",
        ),
        ("-a", "invalid character 'a' in numeric literal"),
        (
            "1.a",
            "invalid character 'a' after decimal point in numeric literal",
        ),
        (
            "1ea",
            "invalid character 'a' in exponent of numeric literal",
        ),
        ("01", "invalid character '1' after top-level value"),
        ("{} {}", "invalid character '{' after top-level value"),
        (
            "1e999",
            "json: cannot unmarshal number 1e999 into Go value of type float64",
        ),
    ] {
        assert_eq!(json_text(text).unwrap_err(), error, "{text}");
    }
}

#[test]
fn repeated_json_fields_are_named_and_the_last_wins() {
    let decoded = json_text(
        r#"{"metadata":{"labels":{"a":"1","a":"2"}},
            "spec":{"containers":[{"name":"x"},{"name":"y","name":"z"}]},
            "spec":{}}"#,
    )
    .unwrap();
    assert_eq!(
        decoded.duplicates,
        ["metadata.labels.a", "spec.containers[1].name", "spec"]
    );
    assert_eq!(
        decoded.strict_errors.first().unwrap(),
        "duplicate field \"metadata.labels.a\""
    );
    assert_eq!(
        decoded.value,
        json!({"metadata": {"labels": {"a": "2"}}, "spec": {}})
    );
}

#[test]
fn deep_nesting_is_refused() {
    for depth in [MAX_DEPTH + 1, 10_000, 200_000] {
        for unit in ["[", "{\"a\":"] {
            assert_eq!(
                json_text(&unit.repeat(depth)).unwrap_err(),
                "exceeded max depth"
            );
        }
        for unit in ["[", "- ", "{a: "] {
            let text = unit.repeat(depth);
            assert!(yaml_text(&text).is_err(), "{unit}");
        }
    }
    let fits = format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
    assert!(json_text(&fits).is_ok());
}

#[test]
fn yaml_scalars() {
    for (text, value) in [
        ("yes", json!(true)),
        ("Off", json!(false)),
        ("y", json!(true)),
        ("'yes'", json!("yes")),
        ("!!str yes", json!("yes")),
        ("nope", json!("nope")),
        ("~", json!(null)),
        ("", json!(null)),
        ("Null", json!(null)),
        ("0644", json!(420)),
        ("0o644", json!(420)),
        ("0x1F", json!(31)),
        ("0b11", json!(3)),
        ("-0b11", json!(-3)),
        ("1_000", json!(1000)),
        ("+5", json!(5)),
        ("08", json!(8)),
        ("18446744073709551615", json!(u64::MAX)),
        ("1.0", json!(1)),
        ("1.5", json!(1.5)),
        (".5", json!(0.5)),
        ("1e3", json!(1000)),
        ("1.", json!(1)),
        (".", json!(".")),
        ("-", json!([null])),
        ("1.2.3", json!("1.2.3")),
        ("100m", json!("100m")),
        ("0x", json!("0x")),
        ("2001-01-01", json!("2001-01-01")),
        ("12:30:45", json!("12:30:45")),
        ("!!binary YWI=", json!("ab")),
        ("!!int \"3\"", json!(3)),
        ("!custom 3", json!("3")),
        ("|\n  a\n  b\n", json!("a\nb\n")),
        (">-\n  a\n  b\n", json!("a b")),
    ] {
        assert_eq!(yaml_text(text).unwrap().value, value, "{text:?}");
    }
    for text in [".inf", ".nan", "!!int x"] {
        assert!(yaml_text(text).is_err(), "{text}");
    }
}

#[test]
fn yaml_keys_become_texts() {
    assert_eq!(
        yaml_text("1: a\ntrue: b\n1.5: c\n").unwrap().value,
        json!({"1": "a", "true": "b", "1.5": "c"})
    );
    assert!(yaml_text("? [a]\n: b\n").is_err());
    assert!(yaml_text("~: b\n").is_err());
}

#[test]
fn yaml_anchors_and_merge_keys() {
    let decoded = yaml_text(
        "base: &b {image: x, tag: 1}\nlist: &l [1, 2]\none:\n  <<: *b\n  tag: 2\n\
         two:\n  tag: 3\n  <<: [*b, {extra: v, image: z}]\nagain: *l\n",
    )
    .unwrap();
    assert_eq!(
        decoded.value,
        json!({
            "base": {"image": "x", "tag": 1}, "list": [1, 2],
            "one": {"image": "x", "tag": 2},
            "two": {"image": "x", "tag": 3, "extra": "v"},
            "again": [1, 2],
        })
    );
    assert!(decoded.duplicates.is_empty());
    assert!(
        yaml_text("a: &a [*a]")
            .unwrap_err()
            .contains("contains itself")
    );
    assert!(yaml_text("a: *b").is_err());
    assert!(
        yaml_text("<<: 1")
            .unwrap_err()
            .contains("map merge requires map")
    );
}

#[test]
fn aliases_do_not_explode() {
    let mut text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..12 {
        let inner = vec![format!("*a{}", level - 1); 9].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{inner}]\n"));
    }
    assert_eq!(
        yaml_text(&text).unwrap_err(),
        "yaml: document contains excessive aliasing"
    );
    let long = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(100_000),
        "*a, ".repeat(100)
    );
    assert!(yaml_text(&long).is_err());
}

#[test]
fn repeated_yaml_keys_have_upstream_s_text() {
    let decoded = yaml_text("kind: Pod\nspec:\n  a: 1\n  b: 2\n  a: 3\nkind: Job\n").unwrap();
    assert_eq!(decoded.duplicates, ["spec.a", "kind"]);
    assert_eq!(
        decoded.strict_errors,
        [
            "yaml: unmarshal errors:\n  line 5: key \"a\" already set in map\n  line 6: key \"kind\" already set in map"
        ]
    );
    assert_eq!(
        decoded.value,
        json!({"kind": "Job", "spec": {"a": 3, "b": 2}})
    );
}

#[test]
fn yaml_errors_say_where() {
    let error = decode(b"a: 1\nb: c: d\n", Format::Yaml).unwrap_err();
    assert_eq!(error.position.map(|p| p.line), Some(2), "{error}");
    assert!(error.to_string().starts_with("yaml: line 2: "), "{error}");
    let error = decode(b"a: 1\nb: \xff\n", Format::Yaml).unwrap_err();
    assert_eq!(error.to_string(), "yaml: line 2: invalid UTF-8");
}

#[test]
fn files_have_documents_with_positions() {
    let text = "# head\n---\nkind: A\nspec:\n  containers:\n  - name: x\n    image: \"i\"\n\
                ---\n# nothing\n---\nbroken: [\n--- # third\nkind: B\nmetadata:\n  labels:\n    \
                a.b/c: d\n    a: e\n...\nkind: C\n";
    let found: Vec<_> = documents(text.as_bytes()).collect();
    let kinds: Vec<_> = found
        .iter()
        .map(|d| d.as_ref().ok().map(|d| d.decoded.value["kind"].clone()))
        .collect();
    assert_eq!(
        kinds,
        [Some(json!("A")), None, Some(json!("B")), Some(json!("C"))]
    );
    let at = |line, column| Some(Position { line, column });
    let first = &found[0].as_ref().unwrap().positions;
    assert_eq!(first.field(""), at(3, 1));
    assert_eq!(first.field("kind"), at(3, 1));
    assert_eq!(first.value("kind"), at(3, 7));
    assert_eq!(first.field("spec.containers[0]"), at(6, 5));
    assert_eq!(first.field("spec.containers[0].image"), at(7, 5));
    assert_eq!(first.value("spec.containers[0].image"), at(7, 12));
    assert_eq!(first.field("spec.containers[0].ports"), None);
    assert_eq!(first.nearest("spec.containers[0].ports[1].name"), at(6, 5));
    assert_eq!(first.nearest("spec.containers[4]"), at(5, 3));
    let third = &found[2].as_ref().unwrap().positions;
    assert_eq!(third.field("metadata.labels.a.b/c"), at(16, 5));
    assert_eq!(third.field("metadata.labels[a.b/c]"), at(16, 5));
    assert_eq!(third.field("metadata.labels.a"), at(17, 5));
    assert_eq!(
        found[3].as_ref().unwrap().positions.field("kind"),
        at(19, 1)
    );
    assert!(found[1].as_ref().unwrap_err().position.unwrap().line >= 11);
}

#[test]
fn fields_have_spans() {
    for text in [
        "---\n# ünïcode\n---\na: {b: ['x', \"ü\"]}\nc:\n- d: é\n  e: |\n    text\n  f:\n# end\ng: 1\n",
        "{\n\t\"a\":\t{\"b\": [\"x\", \"ü\"]},\"c\":[\n{\"d\":\"é\",\"e\":\"text\\n\",\"f\":null}], \"g\": 1}",
    ] {
        for text in [
            text.to_owned(),
            text.replace('\n', "\r\n"),
            format!("\u{feff}{text}"),
            format!("{{\"z\": \"}}\"}} {text}"),
        ] {
            let Some(found) = documents(text.as_bytes())
                .filter_map(Result::ok)
                .find(|d| d.decoded.value.get("g").is_some())
            else {
                assert!(text.contains("--- ") || text.starts_with("{\"z"), "{text}");
                continue;
            };
            assert_eq!(found.decoded.value["c"][0]["d"], "é", "{text}");
            let slice = |span: Option<Span>| span.map(|s| &text[s.bytes()]);
            let p = &found.positions;
            for (path, key) in [("a", "a"), ("c[0].e", "e"), ("g", "g")] {
                let key_text = slice(p.field_span(path)).unwrap();
                assert_eq!(key_text.trim_matches('"'), key, "{text}");
            }
            assert_eq!(slice(p.value_span("a.b[0]")).unwrap().len(), 3, "{text}");
            assert_eq!(slice(p.value_span("a.b[1]")), Some("\"ü\""), "{text}");
            assert!(slice(p.value_span("a")).unwrap().ends_with("]}"), "{text}");
            assert_eq!(
                slice(p.value_span("c[0].d")).unwrap().trim_matches('"'),
                "é"
            );
            assert_eq!(slice(p.value_span("g")), Some("1"), "{text}");
            let list = slice(p.value_span("c")).unwrap();
            assert!(!list.contains("end") && !list.contains('g'), "{list}");
            for path in ["a", "a.b[1]", "c[0].d", "g"] {
                let span = p.value_span(path).unwrap();
                let line = text.lines().nth(span.start.line as usize - 1).unwrap();
                let line = line.trim_start_matches('\u{feff}');
                let rest: String = line.chars().skip(span.start.column as usize - 1).collect();
                let first = slice(Some(span)).unwrap().lines().next().unwrap();
                assert!(rest.starts_with(first), "{rest:?} {first:?}");
            }
            let (near, length) = p.nearest_span("c[0].x.y").unwrap();
            assert_eq!((length, Some(near)), (4, p.field_span("c[0]")));
        }
    }
}

#[test]
fn streams_of_json_are_documents() {
    let text = "{\"a\": \"}{\"} {\"b\":\n [1]}\n{\"c\": 2}{\"d\": [}";
    let found: Vec<_> = documents(text.as_bytes()).collect();
    assert_eq!(found.len(), 4);
    let second = found[1].as_ref().unwrap();
    assert_eq!(second.decoded.value, json!({"b": [1]}));
    assert_eq!(
        second.positions.field("b"),
        Some(Position {
            line: 1,
            column: 14
        })
    );
    assert_eq!(
        second.positions.field("b[0]"),
        Some(Position { line: 2, column: 3 })
    );
    let third = found[2].as_ref().unwrap();
    assert_eq!(
        third.positions.value("c"),
        Some(Position { line: 3, column: 7 })
    );
    assert_eq!(&text[third.bytes.clone()], "{\"c\": 2}");
    assert_eq!(found[3].as_ref().unwrap_err().position.unwrap().line, 3);
}

#[test]
fn what_is_not_utf_8_hides_nothing_else() {
    let found: Vec<_> = documents(b"a: 1\n---\nb: \xff\n---\nc: 2\n").collect();
    assert_eq!(found.len(), 3);
    let error = found[1].as_ref().unwrap_err();
    assert_eq!(error.position, Some(Position { line: 3, column: 4 }));
    assert_eq!(found[2].as_ref().unwrap().decoded.value, json!({"c": 2}));
}

#[test]
fn a_request_body_is_the_first_document() {
    assert_eq!(
        yaml_text("---\na: 1\n---\nb: 2\n").unwrap().value,
        json!({"a": 1})
    );
    assert_eq!(
        yaml_text("{\"a\": [1, \"b\"]}").unwrap().value,
        json!({"a": [1, "b"]})
    );
}

#[test]
fn json_in_the_place_of_yaml() {
    for (text, value) in [
        ("{\"a\":\t[1.0, 1.5, 1e3]}", json!({"a": [1, 1.5, 1000]})),
        (
            r#"{"a": "\ud83d\ude00", "b": "x: y"}"#,
            json!({"a": "\u{1f600}", "b": "x: y"}),
        ),
        ("{a: yes}", json!({"a": true})),
    ] {
        assert_eq!(yaml_text(text).unwrap().value, value, "{text}");
    }
    let twice = yaml_text("{\"a\": 1,\n\"a\": 2}").unwrap();
    assert_eq!(
        twice.strict_errors,
        ["yaml: unmarshal errors:\n  line 2: key \"a\" already set in map"]
    );
    let file: Vec<_> = documents(b"{\n\t\"kind\": \"\\ud83d\\ude00\"\n}").collect();
    assert_eq!(file.len(), 1);
    assert_eq!(
        file[0].as_ref().unwrap().decoded.value,
        json!({"kind": "\u{1f600}"})
    );
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>()
                .prop_filter("finite", |f| f.is_finite())
                .prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 48, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                prop::collection::btree_map(any::<String>(), inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Numbers as YAML gives them: without a fraction if they have none.
    fn without_fractions(value: &Value) -> Value {
        match value {
            Value::Number(n) => match n.as_f64() {
                Some(f) if n.is_f64() && f.fract() == 0.0 && f.abs() < 9e18 => {
                    json!(f as i64)
                }
                _ => value.clone(),
            },
            Value::Array(items) => items.iter().map(without_fractions).collect(),
            Value::Object(map) => Value::Object(
                map.iter()
                    .map(|(k, v)| (k.clone(), without_fractions(v)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }

    proptest! {
        #[test]
        fn json_reads_what_was_written(value in any_value()) {
            let text = serde_json::to_string(&value).unwrap();
            let decoded = decode(text.as_bytes(), Format::Json).unwrap();
            prop_assert_eq!(&decoded.value, &value);
            prop_assert!(decoded.duplicates.is_empty());
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(decode(pretty.as_bytes(), Format::Json).unwrap().value, value);
        }

        #[test]
        fn json_accepts_what_its_crate_accepts(text in r#"[\[\]{},:" 0-9a-z.eE+\\-]{0,16}"#) {
            let ours = decode(text.as_bytes(), Format::Json);
            let theirs = serde_json::from_str::<Value>(&text);
            prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{} {:?} {:?}", text, ours, theirs);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = decode(&bytes, Format::Json);
            let _ = decode(&bytes, Format::Yaml);
            let text = String::from_utf8_lossy(&bytes);
            for document in documents(text.as_bytes()).flatten() {
                let _ = document.positions.nearest("a.b[0]");
            }
        }

        #[test]
        fn no_yaml_makes_it_panic(text in r#"([a-c&*<!|>'"\[\]{},:# 0-9~-]|\n|  |- |: |---\n|<<: ){0,40}"#) {
            let _ = decode(text.as_bytes(), Format::Yaml);
            let _ = documents(text.as_bytes()).count();
        }

        #[test]
        fn yaml_reads_ascii_json(value in any_value()) {
            let text = serde_json::to_string(&value).unwrap();
            prop_assume!(text.bytes().all(|b| (0x20..0x7f).contains(&b)));
            let chunk = split::chunks(text.as_bytes()).next().unwrap();
            let decoded = yaml::parse(chunk.text().unwrap(), &chunk, None).unwrap();
            prop_assert_eq!(&decoded.value, &without_fractions(&value));
            let decoded = decode(text.as_bytes(), Format::Yaml).unwrap();
            prop_assert_eq!(decoded.value, without_fractions(&value));
        }

        #[test]
        fn every_document_is_found(count in 0_usize..8) {
            let text: String = (0..count).map(|i| format!("---\nnr: {i}\n")).collect();
            let found: Vec<_> = documents(text.as_bytes())
                .map(|d| d.unwrap().decoded.value["nr"].as_u64().unwrap())
                .collect();
            prop_assert_eq!(found, (0..count as u64).collect::<Vec<_>>());
        }
    }
}
