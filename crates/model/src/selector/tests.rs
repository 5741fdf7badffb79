use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

/// A selector, labels, and whether they match.
type Labelled = (&'static str, &'static [(&'static str, &'static str)], bool);
/// A field selector and its terms.
type Fields = (&'static str, &'static [(&'static str, &'static str, bool)]);

#[test]
fn text_form_matches() {
    let cases: &[Labelled] = &[
        ("", &[], true),
        ("a=b", &[("a", "b")], true),
        ("a==b", &[("a", "c")], false),
        ("a!=b", &[], true),
        ("a!=b", &[("a", "b")], false),
        ("a", &[("a", "")], true),
        ("a", &[], false),
        ("!a", &[], true),
        ("! a", &[("a", "x")], false),
        ("a in (b,c)", &[("a", "c")], true),
        ("a in (b, c)", &[], false),
        ("a in (,)", &[("a", "")], true),
        ("a in (b,,c)", &[("a", "")], true),
        ("a notin (b)", &[], true),
        ("a notin (b)", &[("a", "b")], false),
        ("a>1", &[("a", "2")], true),
        ("a>1", &[("a", "x")], false),
        ("a<1", &[("a", "-5")], true),
        ("a<1", &[], false),
        ("a=,b=c", &[("a", ""), ("b", "c")], true),
        ("a = b , c", &[("a", "b"), ("c", "")], true),
        ("in in (in,notin)", &[("in", "notin")], true),
        ("x=in", &[("x", "in")], true),
        ("example.com/a=b", &[("example.com/a", "b")], true),
    ];
    for (text, labels, want) in cases {
        let selector = LabelSelector::parse(text).unwrap();
        let labels: BTreeMap<_, _> = labels.iter().copied().collect();
        assert_eq!(
            selector.matches(|k| labels.get(k).copied()),
            *want,
            "{text} on {labels:?}"
        );
    }
}

#[test]
fn text_form_errors_are_upstreams() {
    let cases = [
        ("a=b,", "found '', expected: identifier after ','"),
        (
            "=b",
            "found '=', expected: !, identifier, or 'end of string'",
        ),
        (
            ",",
            "found ',', expected: !, identifier, or 'end of string'",
        ),
        (
            "a b",
            "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
        ),
        (
            "a in b",
            "unable to parse requirement: found 'b' expected: '('",
        ),
        (
            "a in (b",
            "unable to parse requirement: found '', expected: ',' or ')'",
        ),
        (
            "a in (b c)",
            "unable to parse requirement: found 'c', expected: ',' or ')'",
        ),
        (
            "a in (=)",
            "unable to parse requirement: found '=', expected: ',', ')' or identifier",
        ),
        (
            "a in ()",
            "unable to parse requirement: values: Invalid value: []: for 'in', 'notin' operators, \
             values set can't be empty",
        ),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        (
            "!",
            "unable to parse requirement: found '', expected: identifier",
        ),
        ("!a=b", "found '=', expected: ',' or 'end of string'"),
        (
            "a==(",
            "unable to parse requirement: found '(', expected: identifier",
        ),
        (
            "a>x",
            "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' \
             operators, the value must be an integer",
        ),
    ];
    for (text, want) in cases {
        let error = LabelSelector::parse(text).unwrap_err();
        assert_eq!(error.to_string(), want, "{text}");
    }
}

#[test]
fn malformed_names_and_values_are_named() {
    let cases = [
        (
            "-a=b",
            "unable to parse requirement: <nil>: Invalid value: \"-a\": name part must consist of",
        ),
        (
            "/a=b",
            "unable to parse requirement: <nil>: Invalid value: \"/a\": prefix part must be non-empty",
        ),
        (
            "a/b/c",
            "unable to parse requirement: <nil>: Invalid value: \"a/b/c\": a qualified name must",
        ),
        (
            "a=b_",
            "unable to parse requirement: values[0][a]: Invalid value: \"b_\": a valid label must be",
        ),
    ];
    for (text, want) in cases {
        let error = LabelSelector::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(want), "{text}: {error}");
    }
    let long = format!("a={}", "x".repeat(64));
    assert!(
        LabelSelector::parse(&long)
            .unwrap_err()
            .0
            .contains("must be no more than 63")
    );
}

#[test]
fn object_form() {
    let all = LabelSelector::from_value(&json!({})).unwrap();
    assert!(all.is_empty() && all.matches(|_| None));
    let none = LabelSelector::from_value(&json!(null)).unwrap();
    assert!(!none.is_empty() && !none.matches(|_| Some("x")));
    let selector = LabelSelector::from_value(&json!({
        "matchLabels": {"z": "1"},
        "matchExpressions": [
            {"key": "b", "operator": "In", "values": ["y", "x"]},
            {"key": "c", "operator": "DoesNotExist"},
            {"key": "a", "operator": "NotIn", "values": ["q"]},
            {"key": "d", "operator": "Exists"},
        ],
    }))
    .unwrap();
    assert_eq!(selector.to_string(), "a notin (q),b in (x,y),!c,d,z=1");
    let object = json!({"metadata": {"labels": {"b": "x", "d": "", "z": "1"}}});
    assert!(selector.matches_object(&object));
    assert!(!selector.matches_object(&json!({})));
    let bad = json!({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]});
    assert_eq!(
        LabelSelector::from_value(&bad).unwrap_err().0,
        "\"Gt\" is not a valid label selector operator"
    );
}

#[test]
fn field_selectors() {
    let cases: &[Fields] = &[
        ("", &[]),
        (",", &[]),
        ("a=b", &[("a", "b", true)]),
        ("c==d,a!=b", &[("a", "b", false), ("c", "d", true)]),
        ("a=", &[("a", "", true)]),
        (r"a=x\,y\=z\\", &[("a", r"x,y=z\", true)]),
        ("a!b=c", &[("a!b", "c", true)]),
        ("metadata.name=x,", &[("metadata.name", "x", true)]),
    ];
    for (text, want) in cases {
        let got = FieldSelector::parse(text).unwrap();
        let got: Vec<_> = got
            .terms
            .iter()
            .map(|(f, v, e)| (f.as_str(), v.as_str(), *e))
            .collect();
        assert_eq!(&got, want, "{text}");
    }
    let errors = [
        ("foo", "invalid selector: 'foo'; can't understand 'foo'"),
        (
            "a=b=c",
            "invalid field selector: unescaped character in value: 61",
        ),
        (
            r"a=\x",
            r"invalid field selector: invalid escape sequence: \x",
        ),
        (
            "a=b\\",
            r"invalid field selector: invalid escape sequence: \",
        ),
    ];
    for (text, want) in errors {
        assert_eq!(FieldSelector::parse(text).unwrap_err().0, want, "{text}");
    }
    let selector = FieldSelector::parse("a=1,b!=2").unwrap();
    assert!(selector.matches(|f| if f == "a" { "1" } else { "" }));
    assert!(!selector.matches(|_| "2"));
    assert_eq!(selector.exact("a"), Some("1"));
    assert_eq!(selector.exact("b"), None);
}

#[test]
fn terms_are_in_the_order_of_their_spelling() {
    let selector = FieldSelector::parse("=>,==a").unwrap();
    assert_eq!(selector.to_string(), "=a,=>");
}

proptest! {
    #[test]
    fn any_text_is_refused_or_round_trips(text in "[a-z!=<>(), ]{0,24}|.{0,16}") {
        if let Ok(selector) = LabelSelector::parse(&text) {
            let again = LabelSelector::parse(&selector.to_string()).unwrap();
            prop_assert_eq!(again.to_string(), selector.to_string());
        }
        if let Ok(selector) = FieldSelector::parse(&text) {
            let again = FieldSelector::parse(&selector.to_string()).unwrap();
            // The order follows the spelling (`=` or `==`), as upstream's, and means nothing.
            let [again, terms] = [again, selector].map(|selector| {
                let mut terms = selector.terms;
                terms.sort_unstable();
                terms
            });
            prop_assert_eq!(again, terms);
        }
    }

    #[test]
    fn negated_operators_are_complements(
        values in prop::collection::btree_set("[a-c]{1,2}", 1..4),
        label in prop::option::of("[a-c]{0,2}"),
    ) {
        let [inside, outside] = [Operator::In, Operator::NotIn]
            .map(|op| Requirement::new("k", op, values.clone()).unwrap());
        prop_assert_ne!(inside.matches(label.as_deref()), outside.matches(label.as_deref()));
    }

    #[test]
    fn escaped_field_values_come_back(value in ".{0,12}") {
        let selector = FieldSelector { terms: vec![("f".into(), value, true)] };
        prop_assert_eq!(FieldSelector::parse(&selector.to_string()).unwrap(), selector);
    }
}
