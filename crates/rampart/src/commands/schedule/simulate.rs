//! Playing the scheduler's part on the objects of a snapshot.

use super::wanted::{self, Wanted};
use super::{Decision, Filling, Score, Victim};
use crate::output::Because;
use model::registry::Registry;
use model::{Value, meta};
use scheduling::{
    Diagnosis, Engine, Event, NodeInfo, Placement, PodInfo, PodKey, Preemption, Queue,
};
use snapshot::{Object, Snapshot};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A cluster in which pods that are made to go are gone at once.
pub(super) struct Simulation<'a> {
    input: &'a Snapshot,
    nodes: &'a Snapshot,
    engine: Engine,
    queue: Queue,
    decisions: BTreeMap<usize, Decision>,
    /// The pods that get a decision, with the place of it.
    places: HashMap<PodKey, usize>,
}

/// Time stands still: nobody waits out a failure.
const NOW: u64 = 0;

impl<'a> Simulation<'a> {
    /// The cluster without its pods.
    pub(super) fn new(input: &'a Snapshot, nodes: &'a Snapshot, seed: u64) -> Self {
        let mut engine = Engine::new(seed);
        let cluster = &mut engine.cluster;
        for node in nodes.of("", "nodes") {
            cluster.set_node(NodeInfo::new(&node.value));
        }
        for namespace in input.of("", "namespaces") {
            cluster.set_namespace(&namespace.value);
        }
        for service in input.of("", "services") {
            cluster.set_service(&service.value);
        }
        for (group, plural, kind) in [
            ("", "replicationcontrollers", "ReplicationController"),
            ("apps", "deployments", "ReplicaSet"),
            ("apps", "replicasets", "ReplicaSet"),
            ("apps", "statefulsets", "StatefulSet"),
        ] {
            for owner in input.of(group, plural) {
                cluster.set_owner(kind, &owner.value);
            }
        }
        for claim in input.of("", "persistentvolumeclaims") {
            cluster.set_claim(&claim.value);
        }
        for volume in input.of("", "persistentvolumes") {
            cluster.set_volume(&volume.value);
        }
        for class in input.of("storage.k8s.io", "storageclasses") {
            cluster.set_storage_class(&class.value);
        }
        for node in nodes.of("storage.k8s.io", "csinodes") {
            cluster.set_csi_node(&node.value);
        }
        Self {
            input,
            nodes,
            engine,
            queue: Queue::new(),
            decisions: BTreeMap::new(),
            places: HashMap::new(),
        }
    }

    /// Places every pod that waits, in the scheduler's order; the decisions come in the order of
    /// the input. `only` is the namespace whose decisions are told.
    pub(super) fn play(&mut self, registry: &'a Registry, only: Option<&str>) -> Vec<Decision> {
        let nodes: Vec<&NodeInfo> = self.engine.cluster.nodes().collect();
        let mut all = wanted::all(self.input, registry, &nodes);
        for wanted in &mut all {
            // Files name no UIDs; names are as good there.
            if meta::uid(&wanted.value).is_empty() {
                let uid = format!(
                    "{}/{}",
                    meta::namespace(&wanted.value),
                    meta::name(&wanted.value)
                );
                meta::set(&mut wanted.value, &["metadata", "uid"], uid);
            }
        }
        let mut sources: HashMap<PodKey, &Wanted<'a>> = HashMap::new();
        for (place, wanted) in all.iter().enumerate() {
            let pod = PodInfo::new(&wanted.value);
            sources.insert(pod.key.clone(), wanted);
            if !pod.node_name.is_empty() {
                self.engine.cluster.set_pod(Arc::new(pod));
            } else if !pod.is_terminating {
                self.ask(place, wanted, pod);
            }
        }
        self.budgets();
        while let Some(pod) = self.queue.pop(NOW) {
            self.decide(&pod, &sources);
        }
        std::mem::take(&mut self.decisions)
            .into_values()
            .filter(|decision| only.is_none_or(|only| decision.namespace == only))
            .collect()
    }

    /// Notes the question, and puts the pod into the queue if it gets that far.
    fn ask(&mut self, place: usize, wanted: &Wanted<'a>, pod: PodInfo) {
        let key = pod.key.clone();
        let mut decision = Decision {
            question: format!("on which node does pod {}/{} run?", key.namespace, key.name),
            kind: wanted.owner.kind.kind.to_string(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            priority: pod.priority,
            allowed: false,
            node: None,
            reason: String::new(),
            preempts: Vec::new(),
            budgets_violated: 0,
            scores: Vec::new(),
            because: Vec::new(),
        };
        self.places.insert(key, place);
        if let Some(refusal) = &wanted.refusal {
            decision.reason = format!("not admitted: {refusal}");
        } else {
            if pod.is_gated {
                decision.reason =
                    "Scheduling is blocked due to non-empty scheduling gates".to_owned();
                decision.because = vec![self.cite(
                    self.input,
                    wanted.owner,
                    "spec.schedulingGates",
                    "scheduling gates keep the pod",
                )];
            }
            self.queue.set(Arc::new(pod), NOW);
        }
        self.decisions.insert(place, decision);
    }

    /// Disruption budgets as their controller would have them: what their status says, else what
    /// follows from the pods that have a node.
    fn budgets(&mut self) {
        for budget in self.input.of("policy", "poddisruptionbudgets") {
            let mut value = (*budget.value).clone();
            if meta::at(&value, &["status", "disruptionsAllowed"]).is_none() {
                let allowed = self.allowed(&value);
                meta::set(&mut value, &["status", "disruptionsAllowed"], allowed);
            }
            self.engine.set_budget(&value);
        }
    }

    /// How many pods a budget without a status lets go, all pods with a node being healthy.
    fn allowed(&self, budget: &Value) -> i64 {
        let selector = meta::at(budget, &["spec", "selector"]).unwrap_or(&Value::Null);
        let Ok(selector) = model::selector::LabelSelector::from_value(selector) else {
            return 0;
        };
        let namespace = meta::namespace(budget);
        let pods = self.engine.cluster.pods().filter(|pod| {
            pod.key.namespace == namespace
                && selector.matches(|key| pod.labels.get(key).map(String::as_str))
        });
        let healthy = i64::try_from(pods.count()).unwrap_or(i64::MAX);
        let amount = |field: &str| {
            let value = meta::at(budget, &["spec", field])?;
            match value.as_i64() {
                Some(number) => Some(number),
                None => {
                    let percent: i64 = value.as_str()?.strip_suffix('%')?.parse().ok()?;
                    // Rounded up, as upstream does for both fields.
                    Some((healthy.saturating_mul(percent) + 99) / 100)
                }
            }
        };
        let desired = match (amount("minAvailable"), amount("maxUnavailable")) {
            (Some(least), _) => least,
            (None, Some(most)) => healthy.saturating_sub(most),
            (None, None) => healthy,
        };
        healthy.saturating_sub(desired.max(0)).max(0)
    }

    fn decide(&mut self, pod: &Arc<PodInfo>, sources: &HashMap<PodKey, &Wanted<'a>>) {
        match self.engine.schedule(pod) {
            Ok(placement) => self.place(pod, &placement, None),
            Err(mut diagnosis) => match self.engine.preempt(pod, &diagnosis) {
                Ok(plan) => {
                    self.evict(&plan, sources);
                    self.engine.cluster.nominate(pod, &plan.node);
                    match self.engine.schedule(pod) {
                        Ok(placement) => self.place(pod, &placement, Some((&plan, &diagnosis))),
                        Err(diagnosis) => self.refuse(pod, &diagnosis),
                    }
                }
                Err(refused) => {
                    diagnosis.preemption = Some(refused.message);
                    self.refuse(pod, &diagnosis);
                }
            },
        }
    }

    /// The victims go. A controller makes a new pod for each of its own, which waits again.
    fn evict(&mut self, plan: &Preemption, sources: &HashMap<PodKey, &Wanted<'a>>) {
        for victim in &plan.victims {
            self.engine.note_disruption(victim);
            self.engine.cluster.remove_pod(&victim.key);
            self.queue.notice(&Event::PodGone(victim), NOW);
            let Some(source) = sources.get(&victim.key) else {
                continue;
            };
            if source.is_replaced {
                let mut again = (**victim).clone();
                again.node_name = String::new();
                again.start_time = String::new();
                again.nominated_node = String::new();
                let place = self.places.get(&again.key).copied();
                let place = place.unwrap_or(sources.len() + self.places.len());
                self.ask(place, source, again);
            } else if let Some(decision) = self.decision(&victim.key) {
                decision.allowed = false;
                decision.reason = "placed, and then preempted".to_owned();
            }
        }
        for displaced in &plan.displaced {
            self.engine.cluster.denominate(&displaced.key);
        }
    }

    fn place(
        &mut self,
        pod: &Arc<PodInfo>,
        placement: &Placement,
        preemption: Option<(&Preemption, &Diagnosis)>,
    ) {
        let mut placed = (**pod).clone();
        placed.node_name.clone_from(&placement.node);
        let placed = Arc::new(placed);
        self.queue.remove(&pod.key);
        self.engine.cluster.set_pod(Arc::clone(&placed));
        self.queue.notice(&Event::PodPlaced(&placed), NOW);
        let total: i64 = placement.scores.iter().map(|s| s.score * s.weight).sum();
        let nodes = self.engine.cluster.node_count();
        let mut reason = match placement.feasible {
            1 => format!("the only one that fits of {} nodes", placement.evaluated),
            fit => format!(
                "the best of {fit} that fit, of {} nodes (score {total}, {} alike)",
                placement.evaluated, placement.equals
            ),
        };
        if placement.evaluated < nodes {
            reason.push_str(&format!("; {nodes} in all"));
        }
        let mut because = Vec::new();
        if let Some((plan, diagnosis)) = preemption {
            reason = format!("preemption makes room on {}", plan.node);
            because.extend(self.misfits(diagnosis));
            let lowest = format!(
                "chosen of {} nodes on which preemption makes room",
                plan.candidates
            );
            because.extend(self.cite_node(&plan.node, &lowest));
        } else {
            because.extend(self.cite_node(&placement.node, &reason));
        }
        let Some(decision) = self.decision(&pod.key) else {
            return;
        };
        decision.allowed = true;
        decision.node = Some(placement.node.clone());
        decision.reason = reason;
        decision.because = because;
        decision.scores = placement
            .scores
            .iter()
            .map(|score| Score {
                plugin: score.plugin,
                score: score.score,
                weight: score.weight,
            })
            .collect();
        if let Some((plan, _)) = preemption {
            decision.budgets_violated = plan.violations;
            decision.preempts = plan
                .victims
                .iter()
                .map(|victim| Victim {
                    namespace: victim.key.namespace.clone(),
                    name: victim.key.name.clone(),
                    priority: victim.priority,
                    node: plan.node.clone(),
                })
                .collect();
        }
    }

    fn refuse(&mut self, pod: &Arc<PodInfo>, diagnosis: &Diagnosis) {
        self.queue.park(&pod.key, diagnosis.plugins(), NOW);
        let because = self.misfits(diagnosis);
        if let Some(decision) = self.decision(&pod.key) {
            decision.reason = diagnosis.message();
            decision.because = because;
        }
    }

    fn decision(&mut self, key: &PodKey) -> Option<&mut Decision> {
        self.decisions.get_mut(self.places.get(key)?)
    }

    /// One member for each reason, with the first node that it holds for.
    fn misfits(&self, diagnosis: &Diagnosis) -> Vec<Because> {
        let mut reasons: BTreeMap<String, (&str, usize)> = BTreeMap::new();
        for (node, misfit) in &diagnosis.misfits {
            reasons.entry(misfit.to_string()).or_insert((&**node, 0)).1 += 1;
        }
        reasons
            .into_iter()
            .filter_map(|(reason, (node, count))| {
                let text = match count {
                    1 => reason,
                    count => format!("{reason} (and on {} more nodes)", count - 1),
                };
                self.cite_node(node, &text)
            })
            .collect()
    }

    fn cite_node(&self, name: &str, reason: &str) -> Option<Because> {
        let node = self.nodes.find("", "nodes", "", name)?;
        Some(self.cite(self.nodes, node, "", reason))
    }

    fn cite(&self, snapshot: &Snapshot, object: &Object, field: &str, reason: &str) -> Because {
        Because {
            reason: reason.to_owned(),
            citation: snapshot.cite(object, field),
        }
    }

    /// How full the nodes are now.
    pub(super) fn fillings(&self) -> Vec<Filling> {
        let nodes = self.engine.cluster.nodes();
        nodes
            .map(|node| Filling {
                name: node.name.clone(),
                pods: node.pods().len(),
                allowed_pods: node.allowed_pods,
                cpu: node.requested.milli_cpu,
                allocatable_cpu: node.allocatable.milli_cpu,
                memory: node.requested.memory,
                allocatable_memory: node.allocatable.memory,
            })
            .collect()
    }
}
