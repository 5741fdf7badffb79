//! Which system calls a container may make.

mod profile;

pub use profile::{Architecture, runtime_default};

use model::Value;
use model::validation::read::{get, text};
use oci_spec::runtime::LinuxSeccomp;
use thiserror::Error;

/// The profile of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Profile {
    /// [`runtime_default`].
    RuntimeDefault,
    /// A file beneath the node's profile directory, by its relative path.
    Localhost(String),
    /// None.
    Unconfined,
}

/// Why a container has no profile.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProfileError {
    /// `Localhost` without a name.
    #[error("localhostProfile must be set if seccompProfile type is Localhost.")]
    Unnamed,
    /// A name that leads out of the profile directory.
    #[error("localhostProfile must be a relative path without '..': {0}")]
    Path(String),
}

/// The profile that the pod asks for; the container's own word counts first, then the pod's, and
/// where both are silent the node's default. Privileged containers have none, as container
/// runtimes have it.
pub(super) fn choose(
    pod_context: &Value,
    container_context: &Value,
    privileged: bool,
) -> Result<Profile, ProfileError> {
    let asked = get(container_context, "seccompProfile").or(get(pod_context, "seccompProfile"));
    let profile = match asked {
        None => Profile::RuntimeDefault,
        Some(profile) => match text(profile, "type") {
            "RuntimeDefault" => Profile::RuntimeDefault,
            "Localhost" => {
                let name = text(profile, "localhostProfile");
                let leads_out = name.starts_with('/') || name.split('/').any(|part| part == "..");
                match name {
                    "" => return Err(ProfileError::Unnamed),
                    _ if leads_out => return Err(ProfileError::Path(name.to_owned())),
                    _ => Profile::Localhost(name.to_owned()),
                }
            }
            _ => Profile::Unconfined,
        },
    };
    Ok(if privileged {
        Profile::Unconfined
    } else {
        profile
    })
}

/// A profile that is no filter of the OCI runtime specification; the container is not created.
#[derive(Debug, Error)]
#[error("cannot load seccomp profile \"{name}\": {error}")]
pub struct BadProfile {
    /// The profile's name.
    pub name: String,
    /// What is wrong with it.
    pub error: serde_json::Error,
}

/// Reads a profile file: JSON in the form of the OCI runtime specification's `linux.seccomp`.
pub fn parse(name: &str, file: &[u8]) -> Result<LinuxSeccomp, BadProfile> {
    serde_json::from_slice(file).map_err(|error| BadProfile {
        name: name.to_owned(),
        error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_nearest_word_counts() {
        let of = |profile: Value| json!({ "seccompProfile": profile });
        let localhost = |name: &str| of(json!({"type": "Localhost", "localhostProfile": name}));
        let unconfined = of(json!({"type": "Unconfined"}));
        let default = of(json!({"type": "RuntimeDefault"}));
        for (pod, container, privileged, want) in [
            (json!({}), json!({}), false, Ok(Profile::RuntimeDefault)),
            (json!({}), json!({}), true, Ok(Profile::Unconfined)),
            (
                unconfined.clone(),
                json!({}),
                false,
                Ok(Profile::Unconfined),
            ),
            (
                unconfined.clone(),
                default.clone(),
                false,
                Ok(Profile::RuntimeDefault),
            ),
            (default, unconfined, false, Ok(Profile::Unconfined)),
            (
                localhost("a/b.json"),
                json!({}),
                false,
                Ok(Profile::Localhost("a/b.json".to_owned())),
            ),
            (localhost(""), json!({}), false, Err(ProfileError::Unnamed)),
            (
                localhost("../x"),
                json!({}),
                false,
                Err(ProfileError::Path("../x".to_owned())),
            ),
            (
                localhost("/x"),
                json!({}),
                false,
                Err(ProfileError::Path("/x".to_owned())),
            ),
        ] {
            assert_eq!(
                choose(&pod, &container, privileged),
                want,
                "{pod} {container}"
            );
        }
    }

    #[test]
    fn profiles_are_read() {
        let file = br#"{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}"#;
        let profile = parse("p", file).unwrap();
        assert_eq!(profile.syscalls().as_ref().map(Vec::len), Some(1));
        let error = parse("p", b"{").unwrap_err().to_string();
        assert!(
            error.starts_with("cannot load seccomp profile \"p\": "),
            "{error}"
        );
    }
}
