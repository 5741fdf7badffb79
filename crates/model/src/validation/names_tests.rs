use super::*;
use proptest::prelude::*;

const SUBDOMAIN_MESSAGE: &str = "a lowercase RFC 1123 subdomain must consist of lower case \
    alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character \
    (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

const LABEL_MESSAGE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric \
    characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or \
    '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

#[test]
fn subdomains() {
    for good in ["a", "a.b", "0-1.2", &"a".repeat(253)] {
        assert!(dns1123_subdomain(good).is_empty(), "{good}");
    }
    for bad in ["", "A", "a..b", "-a", "a-", ".a", "a_b", "a.-b", "\u{e9}"] {
        assert_eq!(dns1123_subdomain(bad), [SUBDOMAIN_MESSAGE], "{bad}");
    }
    assert_eq!(
        dns1123_subdomain(&"a".repeat(254)),
        ["must be no more than 253 characters"]
    );
}

#[test]
fn labels() {
    assert!(dns1123_label("1a").is_empty());
    assert_eq!(dns1123_label("a.b"), ["must not contain dots"]);
    assert_eq!(dns1123_label("A"), [LABEL_MESSAGE]);
    assert!(dns1035_label("a1").is_empty());
    assert_eq!(dns1035_label("1a").len(), 1);
    assert!(wildcard_dns1123_subdomain("*.a.b").is_empty());
    assert_eq!(wildcard_dns1123_subdomain("*a.b").len(), 1);
}

#[test]
fn qualified_names() {
    for good in ["a", "A.b_c-d", "example.com/A", "1", "x/1"] {
        assert!(qualified_name(good).is_empty(), "{good}");
    }
    assert_eq!(qualified_name("/a"), ["prefix part must be non-empty"]);
    assert_eq!(
        qualified_name("a/").first().unwrap(),
        "name part must be non-empty"
    );
    assert!(
        qualified_name("a/b/c")[0].starts_with("a qualified name must consist of alphanumeric")
    );
    assert!(qualified_name("A_/b")[0].starts_with("prefix part a lowercase RFC 1123 subdomain"));
    assert_eq!(
        qualified_name("-a"),
        [
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start \
             and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', \
             regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
        ]
    );
    assert!(label_value("").is_empty());
    assert!(label_value("a_b.c").is_empty());
    assert_eq!(label_value("a b").len(), 1);
    assert_eq!(
        label_value(&"a".repeat(64)),
        ["must be no more than 63 characters"]
    );
}

#[test]
fn other_names() {
    assert_eq!(path_segment("."), ["may not be '.'"]);
    assert_eq!(
        path_segment("a/b%"),
        ["may not contain '/'", "may not contain '%'"]
    );
    assert!(path_segment("system:node").is_empty());
    assert!(port_name("http-1").is_empty());
    assert_eq!(port_name("1"), ["must contain at least one letter (a-z)"]);
    assert_eq!(
        port_name("-a--b-"),
        [
            "must not contain consecutive hyphens",
            "must not begin or end with a hyphen"
        ]
    );
    assert_eq!(config_key(".."), ["must not be '..'"]);
    assert_eq!(config_key("..a"), ["must not start with '..'"]);
    assert_eq!(config_key("a/b").len(), 1);
    assert!(env_var("my.env NAME").is_empty());
    assert_eq!(env_var("a=b").len(), 1);
    assert_eq!(env_var("\u{e9}").len(), 1);
    assert!(percent("10%").is_empty());
    assert_eq!(percent("%").len(), 1);
    assert_eq!(user_id(-1), ["must be between 0 and 2147483647, inclusive"]);
    assert_eq!(port_number(0), ["must be between 1 and 65535, inclusive"]);
    assert!(c_identifier("_a1").is_empty());
    assert_eq!(c_identifier("1a").len(), 1);
    assert_eq!(http_header_name("a b").len(), 1);
    assert_eq!(
        fully_qualified("a.b").unwrap(),
        "should be a domain with at least three segments separated by dots"
    );
}

#[test]
fn prefixes_may_end_in_a_dash() {
    assert!(object_subdomain("foo-", true).is_empty());
    assert_eq!(object_subdomain("foo-", false), [SUBDOMAIN_MESSAGE]);
    assert_eq!(object_subdomain("-", true), [SUBDOMAIN_MESSAGE]);
}

proptest! {
    #[test]
    fn never_panics(text in "\\PC{0,80}") {
        for check in [dns1123_label, dns1123_subdomain, dns1035_label, qualified_name, label_value,
            path_segment, c_identifier, port_name, percent, http_header_name, env_var, config_key,
            wildcard_dns1123_subdomain, dns1123_subdomain_with_underscore] {
            let _ = check(&text);
        }
        let _ = object_label(&text, true);
        let _ = fully_qualified(&text);
    }
}
