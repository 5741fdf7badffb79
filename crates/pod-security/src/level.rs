//! Levels of the Pod Security Standards and versions of the policy.

use std::fmt;
use std::str::FromStr;

/// A level, from loose to strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Everything is allowed.
    Privileged,
    /// Known ways to more privileges are closed.
    Baseline,
    /// Pods are hardened as is best practice.
    Restricted,
}

/// A text that is no level. The text is upstream's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be one of privileged, baseline, restricted")]
pub struct NotALevel;

impl Level {
    /// All levels, from loose to strict.
    pub const ALL: [Self; 3] = [Self::Privileged, Self::Baseline, Self::Restricted];

    /// The level as it stands in labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Level {
    type Err = NotALevel;

    fn from_str(text: &str) -> Result<Self, NotALevel> {
        Self::ALL
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or(NotALevel)
    }
}

/// A version of the policy. Older versions order before newer ones, [`Version::Latest`] last.
///
/// Versions newer than [`Version::NEWEST`] can be named, as upstream, and decide as the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// The policy as of Kubernetes 1.x.
    Minor(u64),
    /// The newest that is known.
    Latest,
}

/// A text that is no version. The text is upstream's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be \"latest\" or \"v1.x\"")]
pub struct NotAVersion;

impl Version {
    /// The newest minor version whose policy is known.
    pub const NEWEST: u64 = 33;

    /// Every version whose policy is known: v1.0 to the newest, then the latest.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=Self::NEWEST)
            .map(Self::Minor)
            .chain(std::iter::once(Self::Latest))
    }

    /// Whether what came with Kubernetes 1.`minor` is part of this version.
    pub fn has(self, minor: u64) -> bool {
        self >= Self::Minor(minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minor(minor) => write!(f, "v1.{minor}"),
            Self::Latest => f.write_str("latest"),
        }
    }
}

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        let minor = text.strip_prefix("v1.").ok_or(NotAVersion)?;
        let is_number = minor.bytes().all(|b| b.is_ascii_digit());
        if !is_number || (minor.len() > 1 && minor.starts_with('0')) {
            return Err(NotAVersion);
        }
        // Upstream's are signed.
        let minor: i64 = minor.parse().map_err(|_| NotAVersion)?;
        u64::try_from(minor)
            .map(Self::Minor)
            .map_err(|_| NotAVersion)
    }
}

/// A level at a version, such as `restricted:latest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LevelVersion {
    /// The level.
    pub level: Level,
    /// The version.
    pub version: Version,
}

impl LevelVersion {
    /// A level at a version.
    pub const fn new(level: Level, version: Version) -> Self {
        Self { level, version }
    }

    /// Whether both decide alike: privileged is the same at every version.
    pub fn is_equivalent(self, other: Self) -> bool {
        self == other || (self.level == Level::Privileged && other.level == Level::Privileged)
    }
}

impl fmt::Display for LevelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.level, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_ordered_and_named() {
        assert!(Level::Privileged < Level::Baseline && Level::Baseline < Level::Restricted);
        for level in Level::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        for text in ["", "Baseline", "none", " restricted"] {
            assert_eq!(text.parse::<Level>(), Err(NotALevel), "{text:?}");
        }
    }

    #[test]
    fn versions() {
        for (text, want) in [
            ("latest", Some(Version::Latest)),
            ("v1.0", Some(Version::Minor(0))),
            ("v1.9", Some(Version::Minor(9))),
            ("v1.33", Some(Version::Minor(33))),
            ("v1.9223372036854775807", Some(Version::Minor(u64::MAX / 2))),
            ("v1.9223372036854775808", None),
            ("v1.", None),
            ("v1.00", None),
            ("v1.01", None),
            ("v1.-1", None),
            ("v1.+1", None),
            ("v1.1 ", None),
            ("v2.1", None),
            ("1.1", None),
            ("v1.1.1", None),
            ("Latest", None),
            ("v1.١", None),
            ("", None),
        ] {
            assert_eq!(text.parse::<Version>().ok(), want, "{text:?}");
            if let Some(version) = want {
                assert_eq!(version.to_string(), text);
            }
        }
        assert!(Version::Minor(1000) < Version::Latest);
        assert!(Version::Minor(8) < Version::Minor(22));
        assert_eq!(Version::all().count(), 35);
    }

    #[test]
    fn privileged_is_the_same_at_every_version() {
        let at = |level, minor| LevelVersion::new(level, Version::Minor(minor));
        assert!(at(Level::Privileged, 1).is_equivalent(at(Level::Privileged, 2)));
        assert!(at(Level::Baseline, 1).is_equivalent(at(Level::Baseline, 1)));
        assert!(!at(Level::Baseline, 1).is_equivalent(at(Level::Baseline, 2)));
        assert!(!at(Level::Baseline, 1).is_equivalent(at(Level::Restricted, 1)));
    }
}
