//! Network policies, and what pods reach.

use super::namespaces::{limits, open_rule, pod_selector};
use super::{BLANK, Check, Context, Run, Sink, cis, nsa, some_of};
use crate::finding::{Framework, Severity};
use model::{Value, meta};
use snapshot::Object;

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
        references: &[cis("5.3.2"), nsa("Network policies")],
        run: Run::Whole(metadata_api),
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

const NETWORKING: &str = "networking.k8s.io";

fn selects_nothing<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    for policy in context.written(NETWORKING, "networkpolicies") {
        let selector = pod_selector(policy);
        if selector.is_empty() {
            continue;
        }
        let pods = context.templates(policy.namespace());
        let selects = pods.iter().any(|pod| {
            let labels = pod.labels();
            selector.matches(|key| labels.get(key).copied())
        });
        if !pods.is_empty() && !selects {
            let message = format!("no pod of namespace {} has {selector}", policy.namespace());
            sink.add(policy, "spec.podSelector", message);
        }
    }
}

/// Whether a range is all addresses of its family.
fn is_everywhere(range: &str) -> bool {
    matches!(range.trim(), "0.0.0.0/0" | "::/0")
}

/// The place of a peer that is the whole internet, in a rule without ports.
fn open_range(policy: &Object, direction: &str) -> Option<String> {
    let (rules, peers) = match direction {
        "Ingress" => ("ingress", "from"),
        _ => ("egress", "to"),
    };
    for (index, rule) in meta::list(&policy.value, &["spec", rules])
        .iter()
        .enumerate()
    {
        if !meta::list(rule, &["ports"]).is_empty() {
            continue;
        }
        for (at, peer) in meta::list(rule, &[peers]).iter().enumerate() {
            let is_open = is_everywhere(meta::text(peer, &["ipBlock", "cidr"]))
                && meta::list(peer, &["ipBlock", "except"]).is_empty();
            if is_open {
                return Some(format!("spec.{rules}[{index}].{peers}[{at}].ipBlock.cidr"));
            }
        }
    }
    None
}

fn allows_everything<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    for policy in context.written(NETWORKING, "networkpolicies") {
        for direction in ["Ingress", "Egress"] {
            if !limits(policy, direction) {
                continue;
            }
            let (rules, word) = match direction {
                "Ingress" => ("ingress", "from"),
                _ => ("egress", "to"),
            };
            if let Some(index) = open_rule(policy, direction) {
                let message = format!("allows all traffic {word} everywhere");
                sink.add(policy, format!("spec.{rules}[{index}]"), message);
            } else if let Some(field) = open_range(policy, direction) {
                let message = format!("allows all ports {word} every address");
                sink.add(policy, field, message);
            }
        }
    }
}

fn metadata_api<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    if !super::was_read(context.snapshot, "networkpolicies.networking.k8s.io") {
        return;
    }
    for namespace in super::namespaces::with_pods(context) {
        let name = namespace.object.name();
        let policies: Vec<_> = context
            .snapshot
            .of_namespace(NETWORKING, "networkpolicies", name)
            .iter()
            .filter(|policy| limits(policy, "Egress"))
            .map(|policy| (policy, pod_selector(policy)))
            .collect();
        let open: Vec<String> = context
            .templates(name)
            .iter()
            .filter(|pod| pod.is_outermost())
            .filter(|pod| {
                let labels = pod.labels();
                let on_host = pod.spec.get("hostNetwork") == Some(&Value::Bool(true));
                on_host
                    || !policies
                        .iter()
                        .any(|(_, selector)| selector.matches(|key| labels.get(key).copied()))
            })
            .map(|pod| format!("{} {}", pod.owner.kind.kind, pod.owner.name()))
            .collect();
        if !open.is_empty() {
            let message = format!("{} may ask for the node's credentials", some_of(&open));
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
