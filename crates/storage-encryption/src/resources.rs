//! Which resources a rule of the configuration is about, and which resource a key of the store
//! holds.

/// `GROUP` and `PLURAL` of a key such as `/registry/core/secrets/default/token`, with the core
/// group as the empty string; `None` for keys that hold no resource.
pub(crate) fn of_key(key: &str) -> Option<(&str, &str)> {
    let mut segments = key.strip_prefix("/registry/")?.split('/');
    let group = segments.next()?;
    let resource = segments.next().filter(|resource| !resource.is_empty())?;
    // What has nothing behind the resource is not an object.
    segments.next()?;
    Some((if group == "core" { "" } else { group }, resource))
}

/// What an entry of a `resources` list matches; a resource is named as `PLURAL.GROUP`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Matcher {
    /// `*.*`: everything.
    All,
    /// `*.GROUP`, or `*.` for the core group: everything in a group.
    Group(String),
    /// One resource of one group.
    One(String, String),
}

impl Matcher {
    /// Parses an entry; the error is the detail of upstream's field error.
    pub(crate) fn parse(entry: &str) -> Result<Self, &'static str> {
        if entry == "*.*" {
            return Ok(Self::All);
        }
        let (resource, group) = entry.split_once('.').unwrap_or((entry, ""));
        if entry == "*" || group.contains('*') || (resource != "*" && resource.contains('*')) {
            return Err(
                "use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources",
            );
        }
        if resource.is_empty() || resource.contains('/') {
            return Err("resources which do not have REST API/s cannot be encrypted");
        }
        if entry.chars().any(char::is_uppercase) {
            return Err("resource name should not contain capital letters");
        }
        if group == "extensions" {
            return Err("'extensions' group has been removed and cannot be used for encryption");
        }
        if group == "events.k8s.io" {
            return Err(
                "'*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in the config file",
            );
        }
        if resource == "*" {
            return Ok(Self::Group(group.to_owned()));
        }
        Ok(Self::One(group.to_owned(), resource.to_owned()))
    }

    /// Whether every resource that `other` matches is matched.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Group(group), Self::Group(other) | Self::One(other, _)) => group == other,
            (one, other) => one == other,
        }
    }
}

impl std::fmt::Display for Matcher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => formatter.write_str("*.*"),
            Self::Group(group) => write!(formatter, "*.{group}"),
            Self::One(group, resource) if group.is_empty() => formatter.write_str(resource),
            Self::One(group, resource) => write!(formatter, "{resource}.{group}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_their_resource() {
        let cases = [
            ("/registry/core/secrets/default/a", Some(("", "secrets"))),
            (
                "/registry/apps/deployments/default/a",
                Some(("apps", "deployments")),
            ),
            ("/registry/core/namespaces/a", Some(("", "namespaces"))),
            ("/registry/core/secrets", None),
            ("/registry/core", None),
            ("/registry/", None),
            ("/rampart/ca", None),
        ];
        for (key, expected) in cases {
            assert_eq!(of_key(key), expected, "{key}");
        }
    }

    #[test]
    fn matchers_parse_and_print() {
        for entry in [
            "*.*",
            "*.",
            "*.apps",
            "secrets",
            "deployments.apps",
            "a.b.c",
        ] {
            assert_eq!(
                Matcher::parse(entry).map(|m| m.to_string()),
                Ok(entry.to_owned())
            );
        }
        for entry in [
            "*",
            "",
            "Secrets",
            "sec*",
            "a.*",
            "*.extensions",
            "pods/log",
            ".apps",
        ] {
            assert!(Matcher::parse(entry).is_err(), "{entry}");
        }
    }
}
