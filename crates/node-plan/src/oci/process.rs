//! What a container runs.

use crate::security::Capabilities;
use oci_spec::runtime::{Capability, LinuxCapabilities};
use std::collections::{BTreeMap, HashSet};
use thiserror::Error;

/// Neither the pod nor the image says what to run; the container waits with
/// `CreateContainerError`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no command specified")]
pub struct CommandError;

/// The command line of a container: the pod's command with its arguments; without one the image's
/// entry point with the pod's arguments, or else with the image's.
pub fn argv(
    command: Vec<String>,
    args: Vec<String>,
    image_entrypoint: &[String],
    image_cmd: &[String],
) -> Result<Vec<String>, CommandError> {
    let (mut argv, rest) = if !command.is_empty() {
        (command, args)
    } else if !args.is_empty() {
        (image_entrypoint.to_vec(), args)
    } else {
        (image_entrypoint.to_vec(), image_cmd.to_vec())
    };
    argv.extend(rest);
    if argv.is_empty() {
        Err(CommandError)
    } else {
        Ok(argv)
    }
}

/// `NAME=VALUE` lines.
pub(super) fn lines(environment: &BTreeMap<String, String>) -> Vec<String> {
    environment
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

/// The sets of a process. Nothing is inheritable or ambient, so that a program that is not root's
/// has what its file gives it and no more.
pub(super) fn capabilities(set: Capabilities) -> LinuxCapabilities {
    let all: HashSet<Capability> = set.iter().collect();
    let mut sets = LinuxCapabilities::default();
    sets.set_bounding(Some(all.clone()))
        .set_effective(Some(all.clone()))
        .set_permitted(Some(all))
        .set_inheritable(Some(HashSet::new()))
        .set_ambient(Some(HashSet::new()));
    sets
}
