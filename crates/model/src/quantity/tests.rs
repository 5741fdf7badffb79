use super::*;
use proptest::prelude::*;
use serde_json::json;

fn q(text: &str) -> Quantity {
    Quantity::parse(text).unwrap()
}

#[test]
fn canonical_texts() {
    let cases = [
        ("0", "0"),
        ("0Ki", "0"),
        ("-0", "0"),
        ("+5", "5"),
        ("100m", "100m"),
        ("1000m", "1"),
        ("0.5", "500m"),
        (".5", "500m"),
        ("1.", "1"),
        ("1.5", "1500m"),
        ("0001.50", "1500m"),
        ("1.5Gi", "1536Mi"),
        ("1024Mi", "1Gi"),
        ("1000Mi", "1000Mi"),
        ("128974848", "128974848"),
        ("129e6", "129e6"),
        ("129M", "129M"),
        ("123Mi", "123Mi"),
        ("1e3", "1e3"),
        ("1E3", "1e3"),
        ("1e2", "100"),
        ("12e4", "120e3"),
        ("1e-3", "1e-3"),
        ("1.1e3", "1100"),
        ("1k", "1k"),
        ("1000k", "1M"),
        ("1E", "1E"),
        ("1000E", "1000E"),
        ("8Ei", "8Ei"),
        ("100Ki", "100Ki"),
        ("1Ki", "1Ki"),
        ("0.5Ki", "512"),
        ("0.1Ki", "102400m"),
        ("0.001Ki", "1024m"),
        ("0.0001Ki", "102400u"),
        ("1.1Mi", "1153433600m"),
        ("1n", "1n"),
        ("0.1n", "1n"),
        ("-0.1n", "-1n"),
        ("1.0000000001", "1000000001n"),
        ("1u", "1u"),
        ("-1500m", "-1500m"),
        ("-1Mi", "-1Mi"),
        ("2048", "2048"),
        (".", "0"),
        ("-", "0"),
    ];
    for (text, want) in cases {
        assert_eq!(q(text).to_string(), want, "{text}");
    }
}

#[test]
fn refusals_are_upstreams() {
    let format = "quantities must match the regular expression \
                  '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    let suffix = "unable to parse quantity's suffix";
    let cases = [
        ("", format),
        (" 1", format),
        ("1 ", format),
        ("aoeu", format),
        ("1.2.3", format),
        ("1+1.0M", format),
        ("--1", suffix),
        ("1ki ", format),
        ("é", format),
        ("0.1mi", suffix),
        (".5i", suffix),
        ("1i", suffix),
        ("1ki", suffix),
        ("1K", suffix),
        ("1e", suffix),
        ("-3.01e-", suffix),
        ("1kk", suffix),
        ("1k5", suffix),
        ("1e99999999999999999999", suffix),
    ];
    for (text, want) in cases {
        assert_eq!(Quantity::parse(text).unwrap_err().0, want, "{text}");
    }
}

#[test]
fn values_are_rounded_away_from_zero() {
    let cases = [
        ("1500m", 2, 1500),
        ("-1500m", -2, -1500),
        ("1n", 1, 1),
        ("1Ki", 1024, 1_024_000),
        ("2", 2, 2000),
        ("9223372036854775807", i64::MAX, i64::MAX),
        ("100E", i64::MAX, i64::MAX),
        ("-100E", i64::MIN, i64::MIN),
    ];
    for (text, value, milli) in cases {
        assert_eq!(
            (q(text).value(), q(text).milli_value()),
            (value, milli),
            "{text}"
        );
    }
}

#[test]
fn arithmetic_keeps_the_format() {
    assert_eq!(q("1Gi").plus(q("512Mi")).to_string(), "1536Mi");
    assert_eq!(Quantity::ZERO.plus(q("1Gi")).to_string(), "1Gi");
    assert_eq!(q("1").minus(q("100m")).to_string(), "900m");
    assert_eq!(q("1Gi").minus(q("1Gi")).to_string(), "0");
    assert_eq!(q("250m").times(4).to_string(), "1");
    assert_eq!(q("1Ki").negated().to_string(), "-1Ki");
    assert_eq!([q("100m"), q("1")].into_iter().sum::<Quantity>(), q("1.1"));
    assert_eq!(q("0.0001").rounded_to_milli().to_string(), "1m");
    assert!(q("1e400").plus(q("1e400")) >= q("1e29"));
    assert_eq!(q("1e-400"), q("1n"));
    assert_eq!(q("0e400"), Quantity::ZERO);
}

#[test]
fn reads_texts_and_numbers() {
    assert_eq!(Quantity::from_value(&json!(2)).unwrap(), q("2"));
    assert_eq!(Quantity::from_value(&json!(0.5)).unwrap(), q("500m"));
    assert_eq!(Quantity::from_value(&json!("1Gi")).unwrap(), q("1Gi"));
    assert!(Quantity::from_value(&json!(true)).is_err());
    assert!(Quantity::from_value(&json!({})).is_err());
}

proptest! {
    #[test]
    fn what_is_shown_parses_to_the_same(
        text in "[+-]?[0-9]{1,18}(\\.[0-9]{0,9})?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|e[0-9]|e-[0-9])?"
    ) {
        let quantity = q(&text);
        let shown = quantity.to_string();
        prop_assert_eq!(q(&shown), quantity);
        prop_assert_eq!(q(&shown).to_string(), shown);
    }

    #[test]
    fn no_text_panics(text in "[-+0-9.eEinumkKMGTP]{0,40}|.{0,20}") {
        if let Ok(quantity) = Quantity::parse(&text) {
            prop_assert_eq!(q(&quantity.to_string()), quantity);
        }
    }

    #[test]
    fn order_is_that_of_the_numbers(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000) {
        prop_assert_eq!(q(&format!("{a}m")).cmp(&q(&format!("{b}m"))), a.cmp(&b));
        let sum = q(&format!("{a}m")).plus(q(&format!("{b}m")));
        prop_assert_eq!(sum.milli_value(), a + b);
        prop_assert_eq!(sum.minus(q(&format!("{b}m"))).milli_value(), a);
    }
}
