//! What changes when a level of the standards takes the place of PodSecurityPolicies.
//!
//! Nothing is concluded from the text of a policy: pods with one setting each are shown to both
//! engines, and what they say of that setting is compared. The settings are those that either of
//! them knows, with the values that the policies name and some that they do not.

mod probes;

use crate::level::LevelVersion;
use crate::psp::{Pass, Policy};
use model::Value;
use probes::{Control, Probe, probes};

/// A control on which a level and policies differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What is controlled, in words: `capabilities added`.
    pub control: &'static str,
    /// The field of pods, of any of the containers where it is one of theirs:
    /// `spec.containers[*].securityContext.capabilities.add`.
    pub field: &'static str,
    /// The fields of policies that have a say, such as `spec.allowedCapabilities`; none if policies
    /// do not know of it.
    pub policy: &'static [&'static str],
    /// The checks of the standards that have a say, by upstream's IDs; none if no level knows of
    /// it.
    pub checks: &'static [&'static str],
    /// The values on which they differ, of those that were tried.
    pub values: Vec<String>,
    /// Whether the policies fill in the field where a pod says nothing, which no level does.
    pub filled: bool,
}

/// What gets looser and what gets tighter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// What the level admits and every one of the policies refuses.
    pub looser: Vec<Difference>,
    /// What the level refuses and one of the policies admits.
    pub tighter: Vec<Difference>,
}

/// Compares a level with policies of which a pod needs to satisfy one. Each control is looked at by
/// itself: what is admitted of one by this policy and of another by that counts as admitted of both.
pub fn compare(level: LevelVersion, policies: &[&Policy]) -> Comparison {
    let mut comparison = Comparison::default();
    for probe in probes(policies) {
        let Control { policy, checks, .. } = probe.control;
        let opinions = policies
            .iter()
            .map(|one| one.review(Pass::Mutating, &probe.pod));
        let (mut is_admitted, mut filled) = (false, false);
        for opinion in opinions {
            let of_this = |control: &str| policy.contains(&control);
            if opinion
                .refusals
                .iter()
                .any(|refusal| of_this(&refusal.control))
            {
                continue;
            }
            is_admitted = true;
            filled |= probe.is_silent()
                && opinion.changes.iter().any(|change| {
                    let mut keys = probe.control.keys.iter();
                    keys.any(|key| change.field().ends_with(key))
                });
        }
        let into = match (is_refused(level, &probe), is_admitted) {
            (false, false) => &mut comparison.looser,
            (true, true) => &mut comparison.tighter,
            _ => continue,
        };
        match into.last_mut() {
            Some(last) if last.control == probe.control.name => {
                last.values.push(probe.value);
                last.filled |= filled;
            }
            _ => into.push(Difference {
                control: probe.control.name,
                field: probe.control.field,
                policy,
                checks,
                values: vec![probe.value],
                filled,
            }),
        }
    }
    comparison
}

/// Whether a level refuses what a pod tries.
fn is_refused(level: LevelVersion, probe: &Probe) -> bool {
    let none = Value::Null;
    let of = |key| probe.pod.get(key).unwrap_or(&none);
    crate::evaluate(level, of("metadata"), of("spec"))
        .iter()
        .any(|violation| probe.control.checks.contains(&violation.check))
}

#[cfg(test)]
mod tests;
