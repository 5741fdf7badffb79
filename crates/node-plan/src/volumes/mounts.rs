//! Where a container sees its pod's volumes, and the files that every container gets.

use super::host_path::has_backsteps;
use crate::containers::Container;
use crate::env::expand;
use model::validation::read::{get, is_true, list, text};
use model::{Value, meta};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// How mounts made on one side of a mount show on the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// Not at all (`None`, the default).
    Private,
    /// What the node mounts, the container sees.
    HostToContainer,
    /// And the other way round.
    Bidirectional,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A volume of the pod, or a path in it.
    Volume {
        /// Its name.
        name: String,
        /// The path in it; made with the mode of the volume's root if it is not there, and
        /// followed without ever leaving the volume.
        sub_path: Option<String>,
    },
    /// The pod's `/etc/hosts`.
    Hosts,
    /// The pod's `/etc/hostname`.
    Hostname,
    /// The pod's `/etc/resolv.conf`.
    ResolvConf,
    /// The file that the container leaves its last words in, made anew (mode 0666) for each start.
    TerminationLog,
}

/// A mount of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub source: Source,
    /// Where the container sees it; absolute.
    pub target: String,
    /// Whether the container may only read it.
    pub read_only: bool,
    /// Whether that holds for what is mounted beneath it, too.
    pub recursive: bool,
    /// How mounts beneath it spread.
    pub propagation: Propagation,
}

/// Why a container's mounts cannot be made; it waits with `CreateContainerConfigError` and this as
/// its message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MountError {
    /// The pod has no such volume.
    #[error("cannot find volume \"{volume}\" to mount into container \"{container}\"")]
    Volume {
        /// The volume's name.
        volume: String,
        /// The container's name.
        container: String,
    },
    /// A `subPathExpr` names variables without a value.
    #[error("missing value for {0}")]
    Variables(String),
    /// A `subPath` starts at the root.
    #[error("error SubPath `{0}` must not be an absolute path")]
    Absolute(String),
    /// A `subPath` leads out of its volume.
    #[error("unable to provision SubPath `{0}`: must not contain '..'")]
    Backsteps(String),
    /// Not a propagation mode.
    #[error("invalid MountPropagation mode: \"{0}\"")]
    Propagation(String),
    /// Recursively read-only, but not read-only.
    #[error("volume \"{0}\" requested recursive read-only mode, but it is not read-only")]
    NotReadOnly(String),
    /// Recursively read-only, but mounts spread.
    #[error(
        "volume \"{volume}\" requested recursive read-only mode, but it is not compatible with \
         propagation \"{propagation}\""
    )]
    Spreads {
        /// The volume's name.
        volume: String,
        /// The mode of propagation.
        propagation: String,
    },
    /// Recursively read-only on a kernel without it.
    #[error(
        "volume \"{0}\" requested recursive read-only mode, but it is not supported by the runtime"
    )]
    NotRecursive(String),
    /// Not a mode of recursion.
    #[error("unknown recursive read-only mode \"{0}\"")]
    RecursiveMode(String),
}

/// What the node can do, and what the pod's volumes are.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// The pod.
    pub pod: &'a Value,
    /// Whether the pod has its network: until then it has no hosts file.
    pub has_address: bool,
    /// Whether the kernel can make mounts recursively read-only (since 5.12).
    pub recursive_read_only: bool,
    /// The names of the volumes that no container may write to (beyond those made from objects).
    pub read_only: &'a BTreeSet<String>,
}

/// The mounts of a container, in the order in which they are made: its volumes as listed, then
/// hosts file, hostname and resolv.conf, then the termination log. A volume that the container
/// mounts at one of those places takes it.
pub fn mounts(
    site: &Site<'_>,
    container: Container<'_>,
    variables: &BTreeMap<String, String>,
) -> Result<Vec<Mount>, MountError> {
    let mut mounts = Vec::new();
    for mount in list(container.spec, "volumeMounts") {
        mounts.push(of_volume(site, container, mount, variables)?);
    }
    let on_host = meta::at(site.pod, &["spec", "hostNetwork"]) == Some(&Value::Bool(true));
    let file = |source, target: &str| Mount {
        source,
        target: target.to_owned(),
        read_only: false,
        recursive: false,
        propagation: Propagation::Private,
    };
    let mut files = Vec::new();
    if site.has_address || on_host {
        files.push(file(Source::Hosts, "/etc/hosts"));
    }
    let read_only_root = meta::at(
        container.spec,
        &["securityContext", "readOnlyRootFilesystem"],
    ) == Some(&Value::Bool(true));
    for (source, target) in [
        (Source::Hostname, "/etc/hostname"),
        (Source::ResolvConf, "/etc/resolv.conf"),
    ] {
        // Container runtimes protect these two along with the root; kubelet's hosts file not.
        files.push(Mount {
            read_only: read_only_root,
            ..file(source, target)
        });
    }
    let log = text(container.spec, "terminationMessagePath");
    if !log.is_empty() {
        files.push(file(Source::TerminationLog, log));
    }
    for file in files {
        if mounts
            .iter()
            .all(|mount: &Mount| mount.target != file.target)
        {
            mounts.push(file);
        }
    }
    Ok(mounts)
}

fn of_volume(
    site: &Site<'_>,
    container: Container<'_>,
    mount: &Value,
    variables: &BTreeMap<String, String>,
) -> Result<Mount, MountError> {
    let name = text(mount, "name");
    let volume = super::named(site.pod, name).ok_or_else(|| MountError::Volume {
        volume: name.to_owned(),
        container: container.name().to_owned(),
    })?;
    let sub_path = sub_path(mount, variables)?;
    if sub_path.starts_with('/') {
        return Err(MountError::Absolute(sub_path));
    }
    if has_backsteps(&sub_path) {
        return Err(MountError::Backsteps(sub_path));
    }
    let path = text(mount, "mountPath");
    let from_objects = ["secret", "configMap", "downwardAPI", "projected"]
        .iter()
        .any(|kind| get(volume, kind).is_some());
    Ok(Mount {
        source: Source::Volume {
            name: name.to_owned(),
            sub_path: (!sub_path.is_empty()).then_some(sub_path),
        },
        target: if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        },
        read_only: is_true(mount, "readOnly") || from_objects || site.read_only.contains(name),
        recursive: recursive(site, mount, name)?,
        propagation: match text(mount, "mountPropagation") {
            "" | "None" => Propagation::Private,
            "HostToContainer" => Propagation::HostToContainer,
            "Bidirectional" => Propagation::Bidirectional,
            other => return Err(MountError::Propagation(other.to_owned())),
        },
    })
}

fn sub_path(mount: &Value, variables: &BTreeMap<String, String>) -> Result<String, MountError> {
    let expression = text(mount, "subPathExpr");
    if expression.is_empty() {
        return Ok(text(mount, "subPath").to_owned());
    }
    let mut missing = BTreeSet::new();
    let expanded = expand(expression, |name| match variables.get(name) {
        Some(value) if !value.is_empty() => value.clone(),
        _ => {
            missing.insert(name.to_owned());
            String::new()
        }
    });
    if missing.is_empty() {
        return Ok(expanded);
    }
    let missing: Vec<String> = missing.into_iter().collect();
    Err(MountError::Variables(missing.join(", ")))
}

fn recursive(site: &Site<'_>, mount: &Value, volume: &str) -> Result<bool, MountError> {
    let mode = text(mount, "recursiveReadOnly");
    if matches!(mode, "" | "Disabled") {
        return Ok(false);
    }
    if !is_true(mount, "readOnly") {
        return Err(MountError::NotReadOnly(volume.to_owned()));
    }
    let propagation = text(mount, "mountPropagation");
    if !matches!(propagation, "" | "None") {
        return Err(MountError::Spreads {
            volume: volume.to_owned(),
            propagation: propagation.to_owned(),
        });
    }
    match mode {
        "IfPossible" => Ok(site.recursive_read_only),
        "Enabled" if site.recursive_read_only => Ok(true),
        "Enabled" => Err(MountError::NotRecursive(volume.to_owned())),
        other => Err(MountError::RecursiveMode(other.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containers;
    use serde_json::json;

    /// Each mount in one line.
    fn lines(spec: &Value, mounts_of: &Value) -> Result<Vec<String>, String> {
        let mut container = json!({"name": "c"});
        for (key, value) in mounts_of.as_object().unwrap() {
            container[key] = value.clone();
        }
        let mut pod = json!({"spec": spec});
        pod["spec"]["containers"] = json!([container]);
        let read_only = BTreeSet::from(["claim".to_owned()]);
        let site = Site {
            pod: &pod,
            has_address: true,
            recursive_read_only: true,
            read_only: &read_only,
        };
        let variables = BTreeMap::from([
            ("POD".to_owned(), "p-0".to_owned()),
            ("ROOT".to_owned(), "/r".to_owned()),
            ("BLANK".to_owned(), String::new()),
        ]);
        let container = containers::regular(&pod).next().unwrap();
        let mounts = mounts(&site, container, &variables).map_err(|error| error.to_string())?;
        let line = |mount: &Mount| {
            let what = match &mount.source {
                Source::Volume {
                    name,
                    sub_path: None,
                } => name.clone(),
                Source::Volume {
                    name,
                    sub_path: Some(path),
                } => format!("{name}:{path}"),
                other => format!("{other:?}"),
            };
            let mode = match (mount.read_only, mount.recursive) {
                (true, true) => "rro",
                (true, false) => "ro",
                _ => "rw",
            };
            format!("{what} {} {mode} {:?}", mount.target, mount.propagation)
        };
        Ok(mounts.iter().map(line).collect())
    }

    #[test]
    fn every_container_gets_its_files() {
        assert_eq!(
            lines(
                &json!({}),
                &json!({"terminationMessagePath": "/dev/termination-log"})
            )
            .unwrap(),
            [
                "Hosts /etc/hosts rw Private",
                "Hostname /etc/hostname rw Private",
                "ResolvConf /etc/resolv.conf rw Private",
                "TerminationLog /dev/termination-log rw Private",
            ]
        );
        let spec = json!({"volumes": [{"name": "v", "emptyDir": {}}]});
        let own = json!({"volumeMounts": [{"name": "v", "mountPath": "/etc/hosts"}],
            "securityContext": {"readOnlyRootFilesystem": true}});
        assert_eq!(
            lines(&spec, &own).unwrap(),
            [
                "v /etc/hosts rw Private",
                "Hostname /etc/hostname ro Private",
                "ResolvConf /etc/resolv.conf ro Private",
            ]
        );
    }

    #[test]
    fn volumes_are_mounted_as_asked() {
        let spec = json!({"volumes": [{"name": "v", "emptyDir": {}},
            {"name": "s", "secret": {"secretName": "x"}}, {"name": "claim"}]});
        for (mount, want) in [
            (
                json!({"name": "v", "mountPath": "/a"}),
                Ok("v /a rw Private"),
            ),
            (
                json!({"name": "v", "mountPath": "a"}),
                Ok("v /a rw Private"),
            ),
            (
                json!({"name": "v", "mountPath": "/a", "readOnly": true}),
                Ok("v /a ro Private"),
            ),
            (
                json!({"name": "s", "mountPath": "/a"}),
                Ok("s /a ro Private"),
            ),
            (
                json!({"name": "claim", "mountPath": "/a"}),
                Ok("claim /a ro Private"),
            ),
            (
                json!({"name": "v", "mountPath": "/a", "subPath": "x/y"}),
                Ok("v:x/y /a rw Private"),
            ),
            (
                json!({"name": "v", "mountPath": "/a", "subPathExpr": "$(POD)/z"}),
                Ok("v:p-0/z /a rw Private"),
            ),
            (
                json!({"name": "v", "mountPath": "/a", "mountPropagation": "Bidirectional"}),
                Ok("v /a rw Bidirectional"),
            ),
            (
                json!({"name": "v", "mountPath": "/a", "readOnly": true,
                "recursiveReadOnly": "Enabled"}),
                Ok("v /a rro Private"),
            ),
            (
                json!({"name": "x", "mountPath": "/a"}),
                Err("cannot find volume \"x\" to mount into container \"c\""),
            ),
            (
                json!({"name": "v", "subPathExpr": "$(B)$(A)$(BLANK)"}),
                Err("missing value for A, B, BLANK"),
            ),
            (
                json!({"name": "v", "subPathExpr": "$(ROOT)"}),
                Err("error SubPath `/r` must not be an absolute path"),
            ),
            (
                json!({"name": "v", "subPath": "a/../b"}),
                Err("unable to provision SubPath `a/../b`: must not contain '..'"),
            ),
            (
                json!({"name": "v", "recursiveReadOnly": "Enabled"}),
                Err("volume \"v\" requested recursive read-only mode, but it is not read-only"),
            ),
            (
                json!({"name": "v", "mountPropagation": "X"}),
                Err("invalid MountPropagation mode: \"X\""),
            ),
        ] {
            let lines = lines(&spec, &json!({"volumeMounts": [mount]}));
            let first = lines
                .as_ref()
                .map(|lines| lines[0].as_str())
                .map_err(String::as_str);
            assert_eq!(first, want, "{mount}");
        }
    }
}
