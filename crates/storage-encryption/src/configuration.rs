//! Upstream's `EncryptionConfiguration` (`apiserver.config.k8s.io/v1`), with its checks.

use crate::provider::{Kind, Provider};
use crate::resources::Matcher;
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::field::{FieldError, Path};
use serde_json::{Map, Value};

/// What is wrong with a configuration; holds no key material.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
pub struct ConfigurationError(
    /// All that was found, with the paths of the fields.
    pub Vec<FieldError>,
);

/// One entry of `resources`: what it is about, and its providers, of which the first writes.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) providers: Vec<Provider>,
}

/// Reads a configuration.
pub(crate) fn parse(configuration: &Value) -> Result<Vec<Rule>, ConfigurationError> {
    let mut parser = Parser { errors: Vec::new() };
    let rules = parser.configuration(configuration);
    if parser.errors.is_empty() {
        Ok(rules)
    } else {
        Err(ConfigurationError(parser.errors))
    }
}

struct Parser {
    errors: Vec<FieldError>,
}

impl Parser {
    fn configuration(&mut self, configuration: &Value) -> Vec<Rule> {
        let root = Path::root();
        let Some(fields) = self.object(configuration, &root) else {
            return Vec::new();
        };
        self.known(
            fields,
            &root,
            &["apiVersion", "kind", "resources", "metadata"],
        );
        let expected = [
            ("apiVersion", "apiserver.config.k8s.io/v1"),
            ("kind", "EncryptionConfiguration"),
        ];
        for (field, expected) in expected {
            match fields.get(field).and_then(Value::as_str) {
                Some(found) if found == expected => {}
                Some(found) => {
                    let path = root.child(field);
                    self.errors
                        .push(FieldError::not_supported(&path, found, &[expected]));
                }
                None => self
                    .errors
                    .push(FieldError::required(&root.child(field), "")),
            }
        }
        let path = root.child("resources");
        let mut rules = Vec::new();
        let mut earlier: Vec<Matcher> = Vec::new();
        for (at, rule) in self
            .list(fields.get("resources"), &path, "resources")
            .iter()
            .enumerate()
        {
            let rule = self.rule(rule, &path.index(at), &mut earlier);
            rules.extend(rule);
        }
        rules
    }

    fn rule(&mut self, rule: &Value, path: &Path, earlier: &mut Vec<Matcher>) -> Option<Rule> {
        let fields = self.object(rule, path)?;
        self.known(fields, path, &["resources", "providers"]);
        let resources = path.child("resources");
        let named = self.list(fields.get("resources"), &resources, resources.as_str());
        let mut matchers: Vec<Matcher> = Vec::new();
        for (at, entry) in named.iter().enumerate() {
            let path = resources.index(at);
            let Some(entry) = self.text(entry, &path) else {
                continue;
            };
            match Matcher::parse(entry) {
                Ok(matcher) => {
                    self.masked(&matcher, &matchers, earlier, &path, entry);
                    matchers.push(matcher);
                }
                Err(detail) => self.errors.push(FieldError::invalid(&path, entry, detail)),
            }
        }
        earlier.extend(matchers.iter().cloned());
        let providers = path.child("providers");
        let list = self.list(fields.get("providers"), &providers, providers.as_str());
        let mut found = Vec::new();
        for (at, provider) in list.iter().enumerate() {
            self.provider(provider, &providers.index(at), &mut found);
        }
        Some(Rule {
            matchers,
            providers: found,
        })
    }

    fn masked(
        &mut self,
        matcher: &Matcher,
        beside: &[Matcher],
        earlier: &[Matcher],
        path: &Path,
        entry: &str,
    ) {
        let detail = if beside.contains(matcher) {
            "the same resource cannot be specified multiple times".to_owned()
        } else if beside
            .iter()
            .any(|other| other.covers(matcher) || matcher.covers(other))
        {
            "using overlapping resources such as 'secrets' and '*.' in the same resource list is \
             not allowed as they will be masked"
                .to_owned()
        } else if let Some(other) = earlier.iter().find(|other| other.covers(matcher)) {
            format!("resource \"{matcher}\" is masked by earlier rule \"{other}\"")
        } else {
            return;
        };
        self.errors.push(FieldError::invalid(path, entry, detail));
    }

    fn provider(&mut self, provider: &Value, path: &Path, found: &mut Vec<Provider>) {
        let Some(fields) = self.object(provider, path) else {
            return;
        };
        self.known(
            fields,
            path,
            &["aesgcm", "aescbc", "secretbox", "identity", "kms"],
        );
        match fields.len() {
            0 => self.errors.push(FieldError::invalid(
                path,
                "{}",
                "provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, \
                 Secretbox, Identity",
            )),
            1 => {}
            _ => self.errors.push(FieldError::invalid(
                path,
                "REDACTED",
                "more than one provider specified in a single element, should split into \
                 different list elements",
            )),
        }
        if let Some(kms) = fields.get("kms") {
            let name = kms.get("name").and_then(Value::as_str).unwrap_or_default();
            let detail = "providers outside this process are not available";
            self.errors
                .push(FieldError::invalid(&path.child("kms"), name, detail));
        }
        if fields.contains_key("identity") {
            found.push(Provider::identity());
        }
        for kind in Kind::ALL {
            if let Some(settings) = fields.get(kind.name()) {
                self.keys(kind, settings, &path.child(kind.name()), found);
            }
        }
    }

    fn keys(&mut self, kind: Kind, settings: &Value, path: &Path, found: &mut Vec<Provider>) {
        let Some(fields) = self.object(settings, path) else {
            return;
        };
        self.known(fields, path, &["keys"]);
        let path = path.child("keys");
        for (at, key) in self
            .list(fields.get("keys"), &path, "keys")
            .iter()
            .enumerate()
        {
            let path = path.index(at);
            let Some(fields) = self.object(key, &path) else {
                continue;
            };
            self.known(fields, &path, &["name", "secret"]);
            let name = self.mandatory(fields, "name", &path);
            let secret = self.mandatory(fields, "secret", &path);
            if let (Some(name), Some(secret)) = (name, secret) {
                let path = path.child("secret");
                found.extend(self.key(kind, name, secret, &path));
            }
        }
    }

    fn key(&mut self, kind: Kind, name: &str, secret: &str, path: &Path) -> Option<Provider> {
        let Ok(secret) = STANDARD.decode(secret).map(Secret::new) else {
            let detail = "secrets must be base64 encoded";
            self.errors
                .push(FieldError::invalid(path, "REDACTED", detail));
            return None;
        };
        let length = secret.bytes().len();
        let provider = Provider::new(kind, name, secret);
        if provider.is_none() {
            let lengths: Vec<String> = kind.key_lengths().iter().map(ToString::to_string).collect();
            let detail = format!(
                "secret is not of the expected length, got {length}, expected one of [{}]",
                lengths.join(" ")
            );
            self.errors
                .push(FieldError::invalid(path, "REDACTED", detail));
        }
        provider
    }

    fn mandatory<'v>(
        &mut self,
        fields: &'v Map<String, Value>,
        name: &str,
        path: &Path,
    ) -> Option<&'v str> {
        let text = fields
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty());
        if text.is_none() {
            let detail = format!("{name} is a mandatory field for a key");
            self.errors
                .push(FieldError::required(&path.child(name), detail));
        }
        text
    }

    fn object<'v>(&mut self, value: &'v Value, path: &Path) -> Option<&'v Map<String, Value>> {
        let object = value.as_object();
        if object.is_none() {
            let detail = "must be an object";
            self.errors
                .push(FieldError::type_invalid(path, "REDACTED", detail));
        }
        object
    }

    fn text<'v>(&mut self, value: &'v Value, path: &Path) -> Option<&'v str> {
        let text = value.as_str();
        if text.is_none() {
            self.errors.push(FieldError::type_invalid(
                path,
                "REDACTED",
                "must be a string",
            ));
        }
        text
    }

    fn list<'v>(&mut self, value: Option<&'v Value>, path: &Path, what: &str) -> &'v [Value] {
        match value {
            Some(Value::Array(list)) if !list.is_empty() => list,
            None | Some(Value::Null | Value::Array(_)) => {
                let detail = format!("at least one {what} is required");
                self.errors.push(FieldError::required(path, detail));
                &[]
            }
            Some(_) => {
                self.errors
                    .push(FieldError::type_invalid(path, "REDACTED", "must be a list"));
                &[]
            }
        }
    }

    fn known(&mut self, fields: &Map<String, Value>, path: &Path, known: &[&str]) {
        for field in fields
            .keys()
            .filter(|field| !known.contains(&field.as_str()))
        {
            let path = path.child(field);
            self.errors
                .push(FieldError::invalid(&path, field.as_str(), "unknown field"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

    fn configuration(resources: &Value) -> Value {
        json!({
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "EncryptionConfiguration",
            "resources": resources,
        })
    }

    #[test]
    fn upstreams_example_is_read() {
        let rules = parse(&configuration(&json!([
            {
                "resources": ["secrets", "configmaps", "pandas.awesome.bears.example"],
                "providers": [
                    {"identity": {}},
                    {"aesgcm": {"keys": [
                        {"name": "key1", "secret": "c2VjcmV0IGlzIHNlY3VyZQ=="},
                        {"name": "key2", "secret": "dGhpcyBpcyBwYXNzd29yZA=="},
                    ]}},
                    {"aescbc": {"keys": [{"name": "key1", "secret": "c2VjcmV0IGlzIHNlY3VyZQ=="}]}},
                    {"secretbox": {"keys": [{"name": "key1", "secret": KEY}]}},
                ],
            },
            {"resources": ["events"], "providers": [{"identity": {}}]},
            {"resources": ["*.apps"], "providers": [{"aescbc": {"keys": [{"name": "k", "secret": KEY}]}}]},
            {"resources": ["*.*"], "providers": [{"aescbc": {"keys": [{"name": "k", "secret": KEY}]}}]},
        ])))
        .unwrap();
        let counts: Vec<_> = rules
            .iter()
            .map(|r| (r.matchers.len(), r.providers.len()))
            .collect();
        assert_eq!(counts, [(3, 5), (1, 1), (1, 1), (1, 1)]);
    }

    #[test]
    fn mistakes_are_named_by_their_fields() {
        let provider = json!([{"identity": {}}]);
        let keys = |keys: Value| json!([{"resources": ["secrets"], "providers": [{"aescbc": {"keys": keys}}]}]);
        let cases = [
            (
                json!([]),
                "resources: Required value: at least one resources is required",
            ),
            (
                json!([{"resources": [], "providers": provider}]),
                "resources[0].resources: Required value: at least one resources[0].resources is required",
            ),
            (
                json!([{"resources": ["secrets"]}]),
                "resources[0].providers: Required value: at least one resources[0].providers is required",
            ),
            (
                keys(json!([])),
                "resources[0].providers[0].aescbc.keys: Required value: at least one keys is required",
            ),
            (
                keys(json!([{"secret": KEY}])),
                "resources[0].providers[0].aescbc.keys[0].name: Required value: name is a mandatory field for a key",
            ),
            (
                keys(json!([{"name": "a", "secret": "not base 64"}])),
                "resources[0].providers[0].aescbc.keys[0].secret: Invalid value: \"REDACTED\": secrets must be base64 encoded",
            ),
            (
                keys(json!([{"name": "a", "secret": "c2hvcnQ="}])),
                "resources[0].providers[0].aescbc.keys[0].secret: Invalid value: \"REDACTED\": secret is not of the expected length, got 5, expected one of [16 24 32]",
            ),
            (
                json!([{"resources": ["secrets"], "providers": [{"identity": {}, "aesgcm": {"keys": [{"name": "a", "secret": KEY}]}}]}]),
                "resources[0].providers[0]: Invalid value: \"REDACTED\": more than one provider specified in a single element, should split into different list elements",
            ),
            (
                json!([{"resources": ["*"], "providers": provider}]),
                "resources[0].resources[0]: Invalid value: \"*\": use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources",
            ),
            (
                json!([{"resources": ["secrets", "*."], "providers": provider}]),
                "resources[0].resources[1]: Invalid value: \"*.\": using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked",
            ),
            (
                json!([{"resources": ["*.*"], "providers": provider}, {"resources": ["secrets"], "providers": provider}]),
                "resources[1].resources[0]: Invalid value: \"secrets\": resource \"secrets\" is masked by earlier rule \"*.*\"",
            ),
            (
                json!([{"resources": ["secrets"], "providers": provider, "extra": 1}]),
                "resources[0].extra: Invalid value: \"extra\": unknown field",
            ),
        ];
        for (resources, expected) in cases {
            assert_eq!(
                parse(&configuration(&resources)).unwrap_err().to_string(),
                expected
            );
        }
        assert!(parse(&json!("text")).is_err());
        assert!(parse(&json!({"kind": "Pod", "apiVersion": "v1"})).is_err());
    }

    #[test]
    fn no_key_shows_in_errors_or_debug_output() {
        let short = "dG9vIHNob3J0IHRvIGJlIGEga2V5";
        let bad = configuration(&json!([{
            "resources": ["secrets"],
            "providers": [
                {"aesgcm": {"keys": [{"name": "a", "secret": short}]}, "identity": {}},
                {"secretbox": {"keys": KEY}},
                {"aescbc": KEY},
                KEY,
            ],
        }]));
        let error = parse(&bad).unwrap_err();
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(!text.contains(short) && !text.contains(KEY), "{text}");
        }
        let good = configuration(&json!([{
            "resources": ["secrets"],
            "providers": [{"aescbc": {"keys": [{"name": "a", "secret": KEY}]}}],
        }]));
        let shown = format!("{:?}", parse(&good).unwrap());
        assert!(
            !shown.contains("48, 49, 50") && !shown.contains("0123456789"),
            "{shown}"
        );
    }
}
