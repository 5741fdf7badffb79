//! Secrets in places where they are easily read.

use super::{BLANK, Check, Context, Parameter, Pod, Run, Sink, cis, nsa};
use crate::finding::Severity;
use model::{Value, meta};

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "RMP-SEC-001",
        title: "secret in the environment",
        severity: Severity::Medium,
        what: "Containers that get a Secret as environment variables (secretKeyRef, secretRef).",
        why: "Environments are inherited by every child process, shown by /proc, crash reports \
              and debug pages, and do not change when the Secret is rotated.",
        fix: "mount the Secret as a volume",
        example: "volumes:\n- name: credentials\n  secret: {secretName: NAME}\n",
        references: &[cis("5.4.1"), nsa("Secrets")],
        run: Run::Pods(in_environment),
        ..BLANK
    },
    Check {
        id: "RMP-SEC-002",
        title: "secret in plain text",
        severity: Severity::High,
        what: "Environment variables with a literal value whose name or value says that it is a \
               secret, and credentials in commands and arguments.",
        why: "Whoever reads the manifest, its history or the pod has the secret; reading pods is \
              a right that nearly everybody has.",
        fix: "change the secret, keep it in a Secret and mount that as a volume",
        references: &[cis("5.4.1"), nsa("Secrets")],
        parameters: &[Parameter {
            name: "allowed",
            what: "names of environment variables that hold no secrets",
            default: &[],
        }],
        run: Run::Pods(in_plain_text),
        ..BLANK
    },
    Check {
        id: "RMP-SEC-003",
        title: "secret in a ConfigMap",
        severity: Severity::High,
        what: "ConfigMaps with private keys, tokens of known services, or URLs with a password.",
        why: "ConfigMaps are neither encrypted at rest nor kept from those who may read the \
              namespace.",
        fix: "change the secret, and keep it in a Secret",
        references: &[nsa("Secrets")],
        run: Run::Whole(in_config_map),
        ..BLANK
    },
];

fn in_environment<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for container in &pod.containers {
        for (index, env) in meta::list(container.value, &["env"]).iter().enumerate() {
            let path = ["valueFrom", "secretKeyRef", "name"];
            let secret = meta::text(env, &path);
            if !secret.is_empty() {
                let key = meta::text(env, &["valueFrom", "secretKeyRef", "key"]);
                let name = meta::text(env, &["name"]);
                let field = format!("env[{index}].valueFrom.secretKeyRef");
                let message = format!("{name} is {key} of Secret {secret}");
                sink.container(container, &field, message);
            }
        }
        for (index, from) in meta::list(container.value, &["envFrom"]).iter().enumerate() {
            let secret = meta::text(from, &["secretRef", "name"]);
            if !secret.is_empty() {
                let field = format!("envFrom[{index}].secretRef");
                let message = format!("all of Secret {secret} is in its environment");
                sink.container(container, &field, message);
            }
        }
    }
}

/// Words of a name that say that it is a secret.
const WORDS: [&str; 12] = [
    "APIKEY",
    "CREDENTIAL",
    "CREDENTIALS",
    "PASSPHRASE",
    "PASSWD",
    "PASSWORD",
    "PRIVATEKEY",
    "PW",
    "PWD",
    "SECRET",
    "SECRETKEY",
    "TOKEN",
];

/// Two words of a name that say so together.
const PAIRS: [(&str, &str); 6] = [
    ("ACCESS", "KEY"),
    ("API", "KEY"),
    ("AUTH", "KEY"),
    ("ENCRYPTION", "KEY"),
    ("PRIVATE", "KEY"),
    ("SIGNING", "KEY"),
];

/// Last words of a name that say that it is about a secret, and none itself.
const ABOUT: [&str; 27] = [
    "ALGORITHM",
    "COUNT",
    "DIR",
    "DIRECTORY",
    "DURATION",
    "ENABLED",
    "ENDPOINT",
    "EXPIRATION",
    "EXPIRES",
    "EXPIRY",
    "FILE",
    "FILENAME",
    "HEADER",
    "ID",
    "ISSUER",
    "LENGTH",
    "LIFETIME",
    "LOCATION",
    "NAME",
    "PATH",
    "POLICY",
    "REF",
    "TIMEOUT",
    "TTL",
    "TYPE",
    "URI",
    "URL",
];

/// The words of a name, in upper case: at what is no letter or digit, and where an upper-case
/// letter follows a lower-case one.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let is_new = !c.is_alphanumeric() || (c.is_uppercase() && before.is_lowercase());
        if is_new && words.last().is_some_and(|w| !w.is_empty()) {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_uppercase());
        }
        before = c;
    }
    words.retain(|w| !w.is_empty());
    words
}

fn is_secret_name(name: &str) -> bool {
    // The working directory of every shell.
    if matches!(name, "PWD" | "OLDPWD") {
        return false;
    }
    let words = words(name);
    if words
        .last()
        .is_some_and(|last| ABOUT.contains(&last.as_str()))
    {
        return false;
    }
    let single = words.iter().any(|w| WORDS.contains(&w.as_str()));
    single
        || words.windows(2).any(|two| match two {
            [a, b] => PAIRS.contains(&(a.as_str(), b.as_str())),
            _ => false,
        })
}

/// Whether a value stands for a secret that is elsewhere, or for none.
fn is_no_secret(value: &str) -> bool {
    let value = value.trim();
    value.is_empty()
        || value.contains("$(")
        || value.contains("${")
        || value.starts_with(['/', '<'])
        || ["file:", "vault:", "http://", "https://"]
            .iter()
            .any(|p| value.starts_with(p))
        || matches!(
            value,
            "true" | "false" | "yes" | "no" | "none" | "null" | "disabled"
        )
}

/// What kind of secret a text holds, if its form alone tells.
fn known_secret(text: &str) -> Option<&'static str> {
    const PREFIXES: [(&str, usize, &str); 13] = [
        ("AKIA", 16, "an AWS access key"),
        ("ASIA", 16, "an AWS access key"),
        ("AIza", 35, "a Google API key"),
        ("ghp_", 36, "a GitHub token"),
        ("gho_", 36, "a GitHub token"),
        ("ghs_", 36, "a GitHub token"),
        ("github_pat_", 50, "a GitHub token"),
        ("glpat-", 20, "a GitLab token"),
        ("xoxb-", 20, "a Slack token"),
        ("xoxp-", 20, "a Slack token"),
        ("sk_live_", 20, "a Stripe key"),
        ("npm_", 36, "an npm token"),
        ("hvs.", 24, "a Vault token"),
    ];
    if text.contains("-----BEGIN") && text.contains("PRIVATE KEY-----") {
        return Some("a private key");
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    for word in text.split(|c: char| !is_part(c)) {
        for (prefix, length, what) in PREFIXES {
            if let Some(rest) = word.strip_prefix(prefix)
                && rest.len() >= length
                && rest.chars().take(length).all(|c| c != '.')
            {
                return Some(what);
            }
        }
        let parts: Vec<&str> = word.split('.').collect();
        if let [head, body, signature] = parts.as_slice()
            && head.starts_with("eyJ")
            && body.starts_with("eyJ")
            && signature.len() >= 20
        {
            return Some("a JSON web token");
        }
    }
    has_password_url(text).then_some("a URL with a password")
}

/// Whether a text holds `scheme://user:password@host`, with the password written out.
fn has_password_url(text: &str) -> bool {
    text.split_whitespace().any(|word| {
        let Some((scheme, rest)) = word.split_once("://") else {
            return false;
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let Some((user_info, _)) = authority.rsplit_once('@') else {
            return false;
        };
        let Some((_, password)) = user_info.split_once(':') else {
            return false;
        };
        !scheme.is_empty()
            && !password.is_empty()
            && !password.contains(['$', '<', '{', '%'])
            && !password.chars().all(|c| matches!(c, '*' | 'x' | 'X'))
    })
}

fn in_plain_text<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for container in &pod.containers {
        for (index, env) in meta::list(container.value, &["env"]).iter().enumerate() {
            let name = meta::text(env, &["name"]);
            let value = meta::text(env, &["value"]);
            if sink.lists("allowed", name) {
                continue;
            }
            let message = if let Some(what) = known_secret(value) {
                format!("{name} holds {what}")
            } else if is_secret_name(name) && !is_no_secret(value) {
                format!("{name} is written out")
            } else {
                continue;
            };
            let anchor = container.field(&format!("env[{index}].name"));
            sink.container(container, &format!("env[{index}].value"), message)
                .shown_at(pod.template.owner, anchor)
                .secret();
        }
        for list in ["command", "args"] {
            for (index, text) in meta::list(container.value, &[list]).iter().enumerate() {
                if let Some(what) = text.as_str().and_then(known_secret) {
                    let message = format!("{list} holds {what}");
                    sink.container(container, &format!("{list}[{index}]"), message)
                        .secret();
                }
            }
        }
    }
}

fn in_config_map<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    for map in context.written("", "configmaps") {
        let data = meta::at(&map.value, &["data"]).and_then(Value::as_object);
        for (key, value) in data.into_iter().flatten() {
            if let Some(what) = value.as_str().and_then(known_secret) {
                sink.add(map, format!("data[{key}]"), format!("{key} holds {what}"))
                    .secret();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{is_no_secret, is_secret_name, known_secret};

    #[test]
    fn names_tell_secrets() {
        for name in [
            "PASSWORD",
            "dbPassword",
            "POSTGRES_PASSWORD",
            "API_KEY",
            "github-token",
            "AWS_SECRET_ACCESS_KEY",
            "apiKey",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "PWD",
            "PASSWORD_FILE",
            "TOKEN_TTL",
            "MAX_TOKENS",
            "SECRET_NAME",
            "KEY",
            "PUBLIC_KEY",
            "MONKEY",
            "TOKENIZER",
            "AWS_ACCESS_KEY_ID",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn values_that_stand_for_others_are_none() {
        for value in [
            "",
            "/run/secrets/x",
            "$(OTHER)",
            "vault:a/b",
            "true",
            "https://a.b/c",
        ] {
            assert!(is_no_secret(value), "{value}");
        }
        assert!(!is_no_secret("hunter2"));
    }

    #[test]
    fn forms_tell_secrets() {
        let hidden = |text: &str| known_secret(text).is_some();
        assert!(hidden("-----BEGIN RSA PRIVATE KEY-----\nabc"));
        assert!(hidden(&format!("key={}{}", "AK", "IAABCDEFGHIJKLMNOP")));
        assert!(hidden("postgres://user:hunter2@db:5432/x"));
        for text in [
            "postgres://user@db:5432/x",
            "postgres://user:$(PASSWORD)@db/x",
            "http://host:80/a@b",
            "AKIA",
            "-----BEGIN CERTIFICATE-----",
            "eyJ.eyJ.short",
            "mailto:a@b",
        ] {
            assert!(!hidden(text), "{text}");
        }
    }
}
