//! What is wrong with network policies and what they leave open, as findings of the checks of the
//! catalogue: what `rampart netpol lint` lists is what the audit finds, said in the same way.

use crate::checks;
use crate::finding::{Finding, Severity};
use crate::network::SnapshotNetwork;
use network_policy::lint::{Code, Target};
use snapshot::{Citation, Object, Snapshot};

/// A finding about the network.
#[derive(Debug, Clone)]
pub struct Linted<'a> {
    /// Which of the sorts of findings that one check may stand for.
    pub code: Code,
    /// The finding, with the severity of its sort.
    pub finding: Finding<'a>,
    /// What it is about: the policy's field, the namespace or the pod.
    pub citation: Option<Citation>,
}

/// The check of the catalogue that stands for a sort of findings.
pub fn check_id(code: Code) -> &'static str {
    match code {
        Code::SelectsNothing => "RMP-NET-001",
        Code::AllowsEverything => "RMP-NET-002",
        Code::MetadataReachable => "RMP-NET-003",
        Code::EmptyPortRange
        | Code::ExceptOutsideBlock
        | Code::HostNetworkPod
        | Code::RulesIgnored
        | Code::Unsupported => "RMP-NET-005",
        Code::NamespaceMatchesNothing | Code::PeerMatchesNothing | Code::PortNameUnknown => {
            "RMP-NET-006"
        }
        Code::PodNotIsolated => "RMP-NET-007",
        Code::PriorityTie => "RMP-NET-008",
        Code::Shadowed => "RMP-NET-009",
        Code::NoDefaultDenyIngress => "RMP-NS-001",
        Code::NoDefaultDenyEgress => "RMP-NS-002",
    }
}

/// How bad a sort of findings is to somebody who asks about the network alone.
pub fn severity(code: Code) -> Severity {
    match code {
        Code::NoDefaultDenyIngress | Code::MetadataReachable | Code::RulesIgnored => Severity::High,
        Code::AllowsEverything
        | Code::ExceptOutsideBlock
        | Code::EmptyPortRange
        | Code::HostNetworkPod
        | Code::NoDefaultDenyEgress
        | Code::PodNotIsolated
        | Code::PortNameUnknown
        | Code::PriorityTie
        | Code::SelectsNothing
        | Code::Unsupported => Severity::Medium,
        Code::NamespaceMatchesNothing | Code::PeerMatchesNothing | Code::Shadowed => Severity::Low,
    }
}

/// All findings, by policy, then namespace, then pod.
pub fn lint<'a>(snapshot: &'a Snapshot, network: &SnapshotNetwork<'a>) -> Vec<Linted<'a>> {
    network
        .network()
        .lint()
        .into_iter()
        .filter_map(|found| {
            let check = checks::find(check_id(found.code))?;
            let (object, field) = subject(snapshot, network, &found)?;
            let citation = network.cite_finding(&found);
            let mut finding = Finding::new(check, object, field, found.message);
            finding.severity = severity(found.code);
            finding.because = citation.iter().cloned().collect();
            finding.locate(snapshot);
            Some(Linted {
                code: found.code,
                finding,
                citation,
            })
        })
        .collect()
}

/// The object that a finding blames, with the field: of pods that controllers made, the workload.
pub(crate) fn subject<'a>(
    snapshot: &'a Snapshot,
    network: &SnapshotNetwork<'a>,
    found: &network_policy::lint::Finding,
) -> Option<(&'a Object, String)> {
    match &found.target {
        Target::Policy(id) => Some((network.policy_object(*id)?, found.field.clone())),
        Target::Namespace(name) => match snapshot.find("", "namespaces", "", name) {
            Some(namespace) => Some((namespace, "metadata.name".to_owned())),
            // Of a namespace that nothing defines, a pod in it shows the place.
            None => {
                let mut pods = network
                    .network()
                    .pods()
                    .iter()
                    .zip((0..).map(network_policy::PodId));
                let (_, id) = pods.find(|(pod, _)| pod.namespace == *name)?;
                Some((network.pod_object(id)?, "metadata.namespace".to_owned()))
            }
        },
        Target::Pod(id) => {
            let object = network.outermost(*id)?;
            let field = snapshot
                .pod_template(object)
                .map(|template| template.metadata_field("labels"));
            Some((object, field.unwrap_or_default()))
        }
    }
}
