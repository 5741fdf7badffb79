//! The network policies of a snapshot with the pods they are about, and decisions in its terms.

use model::Value;
use model::meta;
use network_policy::lint::{Finding, Target};
use network_policy::{
    ADMIN_GROUP, Because, Decision, Direction, Endpoint, GROUP, MalformedPolicy, Namespace,
    Network, Node, Pod, PodId, Policy, PolicyId, Port, Side,
};
use snapshot::{Citation, Object, PodTemplate, Snapshot};
use std::collections::{BTreeMap, HashSet};

/// A snapshot's network.
///
/// Its pods are the Pods that have not run to their end, and one for each workload without Pods in
/// the snapshot: in manifests, a Deployment stands for the pods it will have.
pub struct SnapshotNetwork<'a> {
    snapshot: &'a Snapshot,
    network: Network,
    /// The object that each pod is, or stands for.
    owners: Vec<&'a Object>,
    /// The outermost workload that each pod belongs to, or itself.
    outermost: Vec<&'a Object>,
    policies: BTreeMap<(&'static str, String, String), &'a Object>,
    malformed: Vec<(&'a Object, MalformedPolicy)>,
}

/// A pod that was asked for and is not there, or not there alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchPod {
    /// There is none.
    #[error("there is no pod {namespace}/{name}, and no workload of that name that makes pods")]
    Missing {
        /// The namespace.
        namespace: String,
        /// The name.
        name: String,
    },
    /// Several workloads have the name.
    #[error("{namespace}/{name} may be {}: write {namespace}/KIND/{name}", kinds.join(" or "))]
    Ambiguous {
        /// The namespace.
        namespace: String,
        /// The name.
        name: String,
        /// Their kinds.
        kinds: Vec<String>,
    },
}

/// Whether a kind, by group and plural name, has a say in who reaches whom.
pub fn wanted(group: &str, plural: &str) -> bool {
    snapshot::holds_pods(group, plural)
        || matches!(
            (group, plural),
            ("", "namespaces" | "nodes")
                | ("apiextensions.k8s.io", "customresourcedefinitions")
                | (GROUP, "networkpolicies")
                | (ADMIN_GROUP, _)
        )
}

fn is_policy(object: &Object) -> bool {
    matches!(
        (object.group(), &*object.kind.kind),
        (GROUP, "NetworkPolicy")
            | (
                ADMIN_GROUP,
                "AdminNetworkPolicy" | "BaselineAdminNetworkPolicy"
            )
    )
}

impl<'a> SnapshotNetwork<'a> {
    /// The network of a snapshot.
    pub fn new(snapshot: &'a Snapshot) -> Self {
        let mut objects = BTreeMap::new();
        let mut policies = Vec::new();
        let mut malformed = Vec::new();
        for object in snapshot.objects().iter().filter(|object| is_policy(object)) {
            match Policy::from_value(&object.value) {
                Ok(policy) => {
                    let (namespace, name) = (policy.namespace.clone(), policy.name.clone());
                    objects.insert((policy.kind(), namespace, name), object);
                    policies.push(policy);
                }
                Err(error) => malformed.push((object, error)),
            }
        }
        let (pods, owners, outermost) = pods(snapshot);
        let all = |plural: &str| snapshot.of("", plural).iter();
        let namespaces = all("namespaces").map(|o| Namespace::from_value(&o.value));
        let nodes = all("nodes").map(|o| Node::from_value(&o.value));
        Self {
            snapshot,
            network: Network::new(policies, pods, namespaces.collect(), nodes.collect()),
            owners,
            outermost,
            policies: objects,
            malformed,
        }
    }

    /// The policies and pods.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Policies that could not be read, and are not taken into account.
    pub fn malformed(&self) -> &[(&'a Object, MalformedPolicy)] {
        &self.malformed
    }

    /// The object that a pod is, or that it stands for.
    pub fn pod_object(&self, pod: PodId) -> Option<&'a Object> {
        self.owners.get(pod.0 as usize).copied()
    }

    /// The outermost workload that a pod belongs to, or itself.
    pub fn outermost(&self, pod: PodId) -> Option<&'a Object> {
        self.outermost.get(pod.0 as usize).copied()
    }

    /// The object that a policy was read from.
    pub fn policy_object(&self, policy: PolicyId) -> Option<&'a Object> {
        let policy = self.network.policy(policy)?;
        let key = (policy.kind(), policy.namespace.clone(), policy.name.clone());
        self.policies.get(&key).copied()
    }

    /// The pod of that name; else one that the workload of that name makes, of the given kind if
    /// one is given.
    pub fn find(
        &self,
        namespace: &str,
        kind: Option<&str>,
        name: &str,
    ) -> Result<PodId, NoSuchPod> {
        let of_kind = |object: &Object| {
            kind.is_none_or(|kind| {
                let own = &object.kind;
                own.kind.eq_ignore_ascii_case(kind) || own.plural.eq_ignore_ascii_case(kind)
            })
        };
        let ids = || (0..).map(PodId);
        let named = |object: &Object| {
            object.namespace() == namespace && object.name() == name && of_kind(object)
        };
        let own = self.owners.iter().zip(ids());
        let mut pods = own.filter(|(o, _)| o.is("", "pods") && named(o));
        if let Some((_, id)) = pods.next() {
            return Ok(id);
        }
        let mut found: Vec<(&Object, PodId)> = Vec::new();
        let standing = self.owners.iter().zip(ids());
        let belonging = self.outermost.iter().zip(ids());
        for (object, id) in standing.chain(belonging) {
            let is_new = || !found.iter().any(|(known, _)| std::ptr::eq(*known, *object));
            if named(object) && is_new() {
                found.push((object, id));
            }
        }
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        match found.as_slice() {
            [] => Err(NoSuchPod::Missing { namespace, name }),
            [(_, id)] => Ok(*id),
            several => Err(NoSuchPod::Ambiguous {
                namespace,
                name,
                kinds: several
                    .iter()
                    .map(|(object, _)| object.kind.kind.clone().into_owned())
                    .collect(),
            }),
        }
    }

    /// An endpoint in words: `pod app/web`, `Deployment app/web` or an address.
    pub fn title(&self, endpoint: Endpoint) -> String {
        match endpoint {
            Endpoint::Address(ip) => ip.to_string(),
            Endpoint::Pod(id) => self.pod_object(id).map(Object::title).unwrap_or_default(),
        }
    }

    /// The policies, with the deciding fields, behind a decision: those of both directions if it
    /// is allowed, those of the direction that refuses if not.
    pub fn because(&self, decision: &Decision) -> Vec<Citation> {
        let sides = [
            (Direction::Egress, &decision.egress),
            (Direction::Ingress, &decision.ingress),
        ];
        sides
            .into_iter()
            .filter(|(_, side)| side.allowed == decision.allowed)
            .flat_map(|(direction, side)| self.cite(direction, side))
            .collect()
    }

    /// The policies behind the decision of one direction.
    pub fn cite(&self, direction: Direction, side: &Side) -> Vec<Citation> {
        let cite = |policy: PolicyId, field: &str| {
            let object = self.policy_object(policy)?;
            Some(self.snapshot.cite(object, field))
        };
        match &side.because {
            Because::Rule(found) => {
                let rules = self
                    .network
                    .policy(found.policy)
                    .and_then(|policy| policy.rules(direction));
                let rule = rules.and_then(|rules| rules.get(found.rule));
                let field = rule.map(|rule| {
                    let peers = rule.peers.as_deref().unwrap_or_default();
                    let peer = found.peer.and_then(|at| peers.get(at));
                    peer.map_or(rule.field.as_str(), |peer| peer.field.as_str())
                });
                cite(found.policy, field.unwrap_or_default())
                    .into_iter()
                    .collect()
            }
            Because::Isolated(policies) => policies
                .iter()
                .filter_map(|policy| cite(*policy, "spec.podSelector"))
                .collect(),
            Because::SamePod | Because::OwnNode | Because::NoSubject | Because::NotIsolated => {
                Vec::new()
            }
        }
    }

    /// A decision in words.
    pub fn reason(&self, from: Endpoint, to: Endpoint, port: Port, decision: &Decision) -> String {
        let out = self.side_reason(Direction::Egress, from, port, &decision.egress);
        let into = self.side_reason(Direction::Ingress, to, port, &decision.ingress);
        match (decision.egress.allowed, decision.ingress.allowed) {
            (true, false) => into,
            (false, true) => out,
            _ => format!("{out}; {into}"),
        }
    }

    /// The decision of one direction in words; `own` is the end whose policies were asked.
    pub fn side_reason(
        &self,
        direction: Direction,
        own: Endpoint,
        port: Port,
        side: &Side,
    ) -> String {
        let (way, who) = match direction {
            Direction::Egress => ("out of", self.title(own)),
            Direction::Ingress => ("into", self.title(own)),
        };
        let policy = |id: PolicyId| {
            let policy = self.network.policy(id);
            policy.map_or_else(String::new, |policy| match policy.namespace.as_str() {
                "" => format!("{} {}", policy.kind(), policy.name),
                namespace => format!("{} {namespace}/{}", policy.kind(), policy.name),
            })
        };
        let why = match &side.because {
            Because::SamePod => "a pod always reaches itself".to_owned(),
            Because::OwnNode => "a pod and its node always reach each other".to_owned(),
            Because::NoSubject => "policies do not apply there".to_owned(),
            Because::NotIsolated => "no policy isolates it".to_owned(),
            Because::Rule(rule) if side.allowed => format!("{} allows it", policy(rule.policy)),
            Because::Rule(rule) => format!("{} denies it", policy(rule.policy)),
            Because::Isolated(policies) => {
                let names: Vec<String> = policies.iter().map(|id| policy(*id)).collect();
                let isolates = if names.len() == 1 {
                    "isolates"
                } else {
                    "isolate"
                };
                format!(
                    "{} {isolates} it, and no rule allows {port} {} the other end",
                    names.join(", "),
                    match direction {
                        Direction::Egress => "to",
                        Direction::Ingress => "from",
                    }
                )
            }
        };
        format!("{way} {who}: {why}")
    }

    /// What a finding of the lint is about, with its field.
    pub fn cite_finding(&self, finding: &Finding) -> Option<Citation> {
        let object = match &finding.target {
            Target::Policy(id) => self.policy_object(*id)?,
            Target::Namespace(name) => self.snapshot.find("", "namespaces", "", name)?,
            Target::Pod(id) => self.pod_object(*id)?,
        };
        let field = match &finding.target {
            Target::Pod(_) => self
                .snapshot
                .pod_template(object)
                .map(|template| template.metadata_field("labels"))
                .unwrap_or_default(),
            _ => finding.field.clone(),
        };
        Some(self.snapshot.cite(object, &field))
    }
}

/// The pods, the objects that they are or stand for, and their outermost workloads.
fn pods(snapshot: &Snapshot) -> (Vec<Pod>, Vec<&Object>, Vec<&Object>) {
    let (mut pods, mut owners, mut outermost) = (Vec::new(), Vec::new(), Vec::new());
    let mut has_pods: HashSet<*const Object> = HashSet::new();
    for object in snapshot.of("", "pods") {
        let above = above(snapshot, object);
        has_pods.extend(above.iter().map(|o| std::ptr::from_ref(*o)));
        if Pod::is_finished(&object.value) {
            continue;
        }
        let mut pod = Pod::from_value(&object.value);
        pod.namespace = object.namespace().to_owned();
        pod.name = object.name().to_owned();
        pods.push(pod);
        owners.push(object);
        outermost.push(above.last().copied().unwrap_or(object));
    }
    let makes_pods = |template: &PodTemplate<'_>| {
        let owner = template.owner;
        !owner.is("", "pods") && !owner.is("", "podtemplates") && template.is_outermost()
    };
    for template in snapshot.pod_templates().filter(makes_pods) {
        let owner = template.owner;
        if has_pods.contains(&std::ptr::from_ref(owner)) || is_over(&owner.value) {
            continue;
        }
        let (metadata, spec) = (template.metadata, template.spec);
        let name = template.name();
        let mut pod = Pod::from_template(owner.namespace(), &name, metadata, spec);
        // A template has no node of its own but for one that it insists on.
        pod.namespace = owner.namespace().to_owned();
        pods.push(pod);
        owners.push(owner);
        outermost.push(owner);
    }
    (pods, owners, outermost)
}

/// Whether a Job has run to its end.
fn is_over(workload: &Value) -> bool {
    meta::list(workload, &["status", "conditions"])
        .iter()
        .any(|condition| {
            matches!(meta::text(condition, &["type"]), "Complete" | "Failed")
                && meta::text(condition, &["status"]) == "True"
                && meta::text(workload, &["kind"]) == "Job"
        })
}

/// The chain of objects whose controllers made this one, innermost first.
fn above<'a>(snapshot: &'a Snapshot, object: &'a Object) -> Vec<&'a Object> {
    // Owner references of others may go in circles.
    const DEPTH: usize = 8;
    std::iter::successors(snapshot.owner(object), |owner| snapshot.owner(owner))
        .take(DEPTH)
        .collect()
}
