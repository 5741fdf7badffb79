//! The names of images.

use thiserror::Error;

/// The registry of names without one.
const DEFAULT_REGISTRY: &str = "docker.io";
/// What its own images are under.
const OFFICIAL: &str = "library";
/// The longest name without tag and digest.
const MAX_NAME: usize = 255;

/// A name in its parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageName {
    /// The registry, with its port if the name gives one.
    pub registry: String,
    /// The path on it.
    pub repository: String,
    /// The tag; `latest` where the name has neither tag nor digest.
    pub tag: Option<String>,
    /// The digest, `sha256:…`.
    pub digest: Option<String>,
}

/// A name that is none; the container waits with `InvalidImageName`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing, or not a name at all.
    #[error("couldn't parse image name \"{0}\": invalid reference format")]
    Format(String),
    /// Upper case letters.
    #[error(
        "couldn't parse image name \"{name}\": invalid reference format: repository name ({repository}) must be lowercase"
    )]
    Case {
        /// The name.
        name: String,
        /// The part that has them.
        repository: String,
    },
    /// Too long.
    #[error(
        "couldn't parse image name \"{0}\": repository name must not be more than 255 characters"
    )]
    Long(String),
}

impl ImageName {
    /// Reads a name as container tools do: `busybox` is `docker.io/library/busybox:latest`.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        let bad = || NameError::Format(name.to_owned());
        let (rest, digest) = match name.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (name, None),
        };
        let is_hex = |hex: &str| {
            hex.len() >= 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        if let Some(digest) = digest {
            let (algorithm, hex) = digest.split_once(':').ok_or_else(bad)?;
            let length_fits = algorithm != "sha256" || hex.len() == 64;
            if !is_component(algorithm) || !is_hex(hex) || !length_fits {
                return Err(bad());
            }
        }
        // A colon after the last slash starts a tag; one before it a port.
        let last = rest.rfind('/').map_or(0, |at| at + 1);
        let (path, tag) = match rest.get(last..).and_then(|end| end.find(':')) {
            Some(at) => (
                rest.get(..last + at).unwrap_or_default(),
                Some(rest.get(last + at + 1..).unwrap_or_default()),
            ),
            None => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(bad());
        }
        let (registry, repository) = match path.split_once('/') {
            Some((first, rest))
                if first.contains(['.', ':'])
                    || first == "localhost"
                    || first.chars().any(|c| c.is_ascii_uppercase()) =>
            {
                (first, rest.to_owned())
            }
            Some(_) => (DEFAULT_REGISTRY, path.to_owned()),
            None => (DEFAULT_REGISTRY, format!("{OFFICIAL}/{path}")),
        };
        let registry = if registry == "index.docker.io" {
            DEFAULT_REGISTRY
        } else {
            registry
        };
        if repository.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(NameError::Case {
                name: name.to_owned(),
                repository,
            });
        }
        if !is_registry(registry) || !repository.split('/').all(is_component) {
            return Err(bad());
        }
        if registry.len() + repository.len() + 1 > MAX_NAME {
            return Err(NameError::Long(name.to_owned()));
        }
        let tag = match (tag, digest) {
            (None, None) => Some("latest"),
            (tag, _) => tag,
        };
        Ok(Self {
            registry: registry.to_owned(),
            repository,
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }

    /// The name in full, by which the node keeps the image.
    pub fn full(&self) -> String {
        let Self {
            registry,
            repository,
            tag,
            digest,
        } = self;
        let tag = tag.as_ref().map_or(String::new(), |tag| format!(":{tag}"));
        let digest = digest
            .as_ref()
            .map_or(String::new(), |digest| format!("@{digest}"));
        format!("{registry}/{repository}{tag}{digest}")
    }
}

/// Letters and digits, with one dot, up to two underscores, or hyphens between them.
fn is_component(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let parts: Vec<&str> = text
        .split(|c: char| c.is_ascii() && is_plain(c as u8))
        .collect();
    let inner = parts.iter().filter(|part| !part.is_empty());
    text.bytes().next().is_some_and(is_plain)
        && text.bytes().last().is_some_and(is_plain)
        && inner.into_iter().all(|separator| {
            matches!(*separator, "." | "_" | "__") || separator.bytes().all(|b| b == b'-')
        })
}

fn is_tag(tag: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=128).contains(&tag.len())
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|b| is_word(b) || matches!(b, b'.' | b'-'))
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let is_label = |label: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric();
        label.bytes().next().is_some_and(plain)
            && label.bytes().last().is_some_and(plain)
            && label.bytes().all(|b| plain(b) || b == b'-')
    };
    let is_ipv6 = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
    (is_ipv6 || host.split('.').all(is_label))
        && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_in_full() {
        let digest = format!("sha256:{}", "a1".repeat(32));
        for (name, want) in [
            ("busybox", "docker.io/library/busybox:latest"),
            ("busybox:1.36", "docker.io/library/busybox:1.36"),
            ("user/app", "docker.io/user/app:latest"),
            ("index.docker.io/user/app", "docker.io/user/app:latest"),
            ("localhost/app", "localhost/app:latest"),
            ("localhost:5000/app:v1", "localhost:5000/app:v1"),
            (
                "registry.example/a/b/c_d-e.f:X_1",
                "registry.example/a/b/c_d-e.f:X_1",
            ),
            ("[::1]:5000/app", "[::1]:5000/app:latest"),
            ("a__b", "docker.io/library/a__b:latest"),
        ] {
            assert_eq!(
                ImageName::parse(name).map(|name| name.full()).as_deref(),
                Ok(want)
            );
        }
        let full = ImageName::parse(&format!("app:v1@{digest}"))
            .unwrap()
            .full();
        assert_eq!(full, format!("docker.io/library/app:v1@{digest}"));
        let full = ImageName::parse(&format!("app@{digest}")).unwrap().full();
        assert_eq!(full, format!("docker.io/library/app@{digest}"));
    }

    #[test]
    fn names_that_are_none() {
        for name in [
            "",
            ":",
            "app:",
            "app:-x",
            "a//b",
            "/a",
            "a/",
            "a b",
            "-a",
            "a_",
            "a..b",
            "a___b",
            "app@sha256:12",
            "app@x",
            "http://example.com/a",
            "é",
        ] {
            assert!(ImageName::parse(name).is_err(), "{name}");
        }
        assert_eq!(
            ImageName::parse("user/App").unwrap_err().to_string(),
            "couldn't parse image name \"user/App\": invalid reference format: repository name \
             (user/App) must be lowercase"
        );
        assert!(matches!(
            ImageName::parse(&"a".repeat(256)),
            Err(NameError::Long(_))
        ));
    }

    proptest! {
        #[test]
        fn a_name_in_full_stays_as_it_is(name in "[a-z.:/@_-]{0,24}") {
            if let Ok(parsed) = ImageName::parse(&name) {
                prop_assert_eq!(ImageName::parse(&parsed.full()), Ok(parsed));
            }
        }
    }
}
