//! Network policies, and what pods reach.

use super::{BLANK, Check, Context, Run, Sink, cis, nsa, some_of};
use crate::finding::{Framework, Severity};
use model::{Value, meta};
use network_policy::lint::{self, Code, Target};
use snapshot::{Object, Standing};
use std::collections::HashSet;

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "RMP-NET-001",
        title: "network policy selects nothing",
        severity: Severity::Low,
        what: "NetworkPolicies whose podSelector selects no pod of the namespace, where there are \
               pods.",
        why: "What was to be guarded is not; mostly a label was renamed or misspelt.",
        fix: "correct spec.podSelector, or remove the policy",
        references: &[cis("5.3.2"), nsa("Network policies")],
        run: Run::Whole(selects_nothing),
        ..BLANK
    },
    Check {
        id: "RMP-NET-002",
        title: "network policy allows everything",
        severity: Severity::Medium,
        what: "NetworkPolicies with a rule without peers and ports, or from or to the whole \
               internet on all ports.",
        why: "Policies add up: one that allows everything makes the others void for its pods.",
        fix: "name the peers and ports that are needed",
        references: &[cis("5.3.2"), nsa("Network policies")],
        run: Run::Whole(allows_everything),
        ..BLANK
    },
    Check {
        id: "RMP-NET-003",
        title: "reaches the cloud's metadata API",
        severity: Severity::Low,
        what: "Pods whose egress no NetworkPolicy limits, so that they reach 169.254.169.254 and \
               fd00:ec2::254; and policies that allow it by a range.",
        why: "In many clouds whoever asks that address from a pod gets the node's credentials.",
        fix: "limit egress with a default deny, and except 169.254.169.254/32 and \
              fd00:ec2::254/128 from ranges; where the cloud offers it, hide its metadata from pods",
        example: "egress:\n- to:\n  - ipBlock:\n      cidr: 0.0.0.0/0\n      except: [169.254.169.254/32]",
        references: &[
            cis("5.3.2"),
            nsa("Protecting sensitive cloud infrastructure"),
        ],
        run: Run::Whole(metadata_api),
        ..BLANK
    },
    Check {
        id: "RMP-NET-005",
        title: "network policy does not do what it says",
        severity: Severity::Medium,
        what: "NetworkPolicies with rules of a direction that policyTypes leaves out, exceptions \
               outside of their range, empty ranges of ports, or pods on their node's network.",
        why: "Part of the policy has no effect, and its author believes it has.",
        fix: "correct the field",
        references: &[cis("5.3.2"), nsa("Network policies")],
        run: Run::Whole(says_otherwise),
        ..BLANK
    },
    Check {
        id: "RMP-NET-006",
        title: "network policy names what is not there",
        severity: Severity::Info,
        what: "Peers and names of ports in policies that match no pod, namespace or node of what \
               was read.",
        why: "What was to be let through is not; mostly a label or the name of a port was renamed \
              or misspelt.",
        fix: "correct the selector or the name of the port, or remove the peer",
        references: &[nsa("Network policies")],
        run: Run::Whole(names_nothing),
        ..BLANK
    },
    Check {
        id: "RMP-NET-007",
        title: "pod that network policies leave out",
        severity: Severity::Low,
        what: "Pods that no NetworkPolicy selects for a direction in which others of their \
               namespace are guarded.",
        why: "What guards its neighbours does not guard it; mostly it lacks a label.",
        fix: "give the pod the label that the policy selects, or deny by default what none selects",
        references: &[cis("5.3.2"), nsa("Network policies")],
        run: Run::Whole(left_out),
        ..BLANK
    },
    Check {
        id: "RMP-NET-008",
        title: "admin network policies of one priority",
        severity: Severity::Medium,
        what: "AdminNetworkPolicies that have the same priority.",
        why: "Which of them is asked first is open: the network plugin decides which one counts.",
        fix: "give each a priority of its own",
        references: &[nsa("Network policies")],
        run: Run::Whole(same_priority),
        ..BLANK
    },
    Check {
        id: "RMP-NET-009",
        title: "superfluous rule of a network policy",
        severity: Severity::Info,
        what: "Rules that change nothing, because another one of the policy matches all that they \
               match.",
        why: "Whoever reads or removes the narrower rule believes that it decides.",
        fix: "remove the rule, or the wider one",
        references: &[nsa("Network policies")],
        run: Run::Whole(superfluous),
        ..BLANK
    },
    Check {
        id: "RMP-NET-004",
        title: "service with external IPs",
        severity: Severity::Medium,
        what: "Services with externalIPs.",
        why: "Nodes turn traffic for these addresses to the service, whosever they are: whoever \
              may create services can take the traffic of others.",
        fix: "remove externalIPs; use a Service of type LoadBalancer or an Ingress",
        references: &[super::reference(Framework::Cve, "CVE-2020-8554")],
        run: Run::Whole(external_ips),
        ..BLANK
    },
];

/// What the lint of the policies says in one of these ways, with the policy that it is about.
fn linted<'c, 'a>(
    context: &'c Context<'a>,
    codes: &'static [Code],
) -> impl Iterator<Item = (&'a Object, &'c lint::Finding)> {
    let (network, found) = context.network();
    found
        .iter()
        .filter(|finding| codes.contains(&finding.code))
        .filter_map(|finding| match &finding.target {
            Target::Policy(id) => Some((network.policy_object(*id)?, finding)),
            Target::Namespace(_) | Target::Pod(_) => None,
        })
        .filter(|(policy, _)| policy.standing == Standing::Written)
}

fn selects_nothing<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    for (policy, finding) in linted(context, &[Code::SelectsNothing]) {
        // Where no pods were read, others may be meant.
        if !policy.namespace().is_empty() && context.templates(policy.namespace()).is_empty() {
            continue;
        }
        sink.add(policy, finding.field.clone(), finding.message.clone());
    }
}

fn allows_everything<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    for (policy, finding) in linted(context, &[Code::AllowsEverything]) {
        sink.add(policy, finding.field.clone(), finding.message.clone());
    }
}

fn says_otherwise<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    const CODES: &[Code] = &[
        Code::EmptyPortRange,
        Code::ExceptOutsideBlock,
        Code::HostNetworkPod,
        Code::RulesIgnored,
        Code::Unsupported,
    ];
    for (policy, finding) in linted(context, CODES) {
        sink.add(policy, finding.field.clone(), finding.message.clone());
    }
}

fn names_nothing<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    const CODES: &[Code] = &[
        Code::NamespaceMatchesNothing,
        Code::PeerMatchesNothing,
        Code::PortNameUnknown,
    ];
    for (policy, finding) in linted(context, CODES) {
        sink.add(policy, finding.field.clone(), finding.message.clone());
    }
}

fn same_priority<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    for (policy, finding) in linted(context, &[Code::PriorityTie]) {
        sink.add(policy, finding.field.clone(), finding.message.clone());
    }
}

fn superfluous<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    for (policy, finding) in linted(context, &[Code::Shadowed]) {
        sink.add(policy, finding.field.clone(), finding.message.clone());
    }
}

fn left_out<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    if !super::was_read(context.snapshot, "networkpolicies.networking.k8s.io") {
        return;
    }
    let (network, found) = context.network();
    // The pods of one workload are left out together.
    let mut told: HashSet<(*const Object, &str)> = HashSet::new();
    for finding in found.iter().filter(|f| f.code == Code::PodNotIsolated) {
        let Some((object, field)) = crate::lint::subject(context.snapshot, network, finding) else {
            continue;
        };
        let is_new = told.insert((std::ptr::from_ref(object), finding.message.as_str()));
        if is_new && object.standing == Standing::Written {
            sink.add(object, field, finding.message.clone());
        }
    }
}

fn metadata_api<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    if !super::was_read(context.snapshot, "networkpolicies.networking.k8s.io") {
        return;
    }
    let (_, found) = context.network();
    for namespace in super::namespaces::with_pods(context) {
        // Which pods is not told: those that controllers made have other names each time.
        let is_reached = found.iter().any(|finding| {
            finding.code == Code::MetadataReachable
                && matches!(&finding.target, Target::Namespace(name) if name == namespace.object.name())
        });
        if is_reached {
            let message = "its pods may ask 169.254.169.254 or fd00:ec2::254 for the node's rights";
            namespace.finding(sink, message);
        }
    }
}

fn external_ips<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    for service in context.written("", "services") {
        let addresses: Vec<&str> = meta::list(&service.value, &["spec", "externalIPs"])
            .iter()
            .filter_map(Value::as_str)
            .collect();
        if !addresses.is_empty() {
            let message = format!("takes the traffic for {}", some_of(&addresses));
            sink.add(service, "spec.externalIPs", message);
        }
    }
}
