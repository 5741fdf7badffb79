//! Playing the scheduler's part on the objects of a snapshot.

use super::budgets::Budgets;
use super::told::{self, Told};
use super::wanted::{self, Replaced, Wanted};
use super::{Decision, Filling};
use model::meta;
use model::registry::Registry;
use scheduling::{Diagnosis, Engine, Event, NodeInfo, Placement, PodInfo, PodKey, Preemption};
use snapshot::Snapshot;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A cluster in which time stands still while pods wait: those that are to go are gone only when
/// everybody who waits was tried.
pub(super) struct Simulation<'a> {
    input: &'a Snapshot,
    told: Told<'a>,
    engine: Engine,
    queue: scheduling::Queue,
    budgets: Budgets<'a>,
    decisions: BTreeMap<usize, Decision>,
    /// The pods that get a decision, with the place of it.
    places: HashMap<PodKey, usize>,
    /// The pods of the input, for what takes their place.
    all: Vec<Wanted<'a>>,
    sources: HashMap<PodKey, usize>,
    /// Who is to go.
    ending: Vec<PodKey>,
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
            told: Told { input, nodes },
            engine,
            queue: scheduling::Queue::new(),
            budgets: Budgets::new(input),
            decisions: BTreeMap::new(),
            places: HashMap::new(),
            all: Vec::new(),
            sources: HashMap::new(),
            ending: Vec::new(),
        }
    }

    /// Places every pod that waits, in the scheduler's order; the decisions come in the order in
    /// which the pods came. `only` is the namespace whose decisions are told.
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
        self.all = all;
        for place in 0..self.all.len() {
            self.arrive(place);
        }
        self.budgets.tell(&mut self.engine, true);
        loop {
            while let Some(pod) = self.queue.pop(NOW) {
                self.decide(&pod);
            }
            if self.ending.is_empty() {
                break;
            }
            self.end();
        }
        std::mem::take(&mut self.decisions)
            .into_values()
            .filter(|decision| only.is_none_or(|only| decision.namespace == only))
            .collect()
    }

    /// A pod of the input: it is on its node, or waits for one.
    fn arrive(&mut self, place: usize) {
        let Some(wanted) = self.all.get(place) else {
            return;
        };
        let pod = PodInfo::new(&wanted.value);
        let key = pod.key.clone();
        self.sources.insert(key.clone(), place);
        if wanted.refusal.is_none() {
            self.budgets.add(&key, &wanted.value);
        }
        if !pod.node_name.is_empty() {
            if pod.is_terminating {
                self.ending.push(key);
            }
            self.engine.cluster.set_pod(Arc::new(pod));
        } else if !pod.is_terminating {
            if !pod.nominated_node.is_empty() {
                let pod = Arc::new(pod.clone());
                self.engine.cluster.nominate(&pod, &pod.nominated_node);
            }
            self.ask(place, place, pod);
        }
    }

    /// Notes the question about a pod that is like that of `source`, and puts it into the queue if
    /// it gets that far.
    fn ask(&mut self, place: usize, source: usize, pod: PodInfo) {
        let Some(wanted) = self.all.get(source) else {
            return;
        };
        let (mut decision, waits) = self.told.question(wanted, &pod);
        self.places.insert(pod.key.clone(), place);
        if waits {
            self.queue.set(Arc::new(pod), NOW);
        } else if wanted.refusal.is_none() && pod.scheduler_name != scheduler::NAME {
            decision.is_open = true;
        }
        self.decisions.insert(place, decision);
    }

    fn decide(&mut self, pod: &Arc<PodInfo>) {
        let mut diagnosis = match self.engine.schedule(pod) {
            Ok(placement) => return self.place(pod, &placement),
            Err(diagnosis) => diagnosis,
        };
        let refused_by = diagnosis.plugins();
        match self.engine.preempt(pod, &diagnosis) {
            Ok(plan) => self.preempt(pod, &plan, &diagnosis),
            Err(refused) => {
                if refused.clears_nomination {
                    self.engine.cluster.denominate(&pod.key);
                }
                diagnosis.preemption = Some(refused.message);
                let because = self.told.misfits(&diagnosis);
                if let Some(decision) = self.decision(&pod.key) {
                    // What it waits for stays with whom it made go.
                    if decision.preempts.is_empty() {
                        decision.because = because;
                    }
                    decision.reason = diagnosis.message();
                }
            }
        }
        self.queue.park(&pod.key, refused_by, NOW);
    }

    /// The pod waits for a node, and the victims are to go.
    fn preempt(&mut self, pod: &Arc<PodInfo>, plan: &Preemption, diagnosis: &Diagnosis) {
        let because = self.told.preemption(plan, diagnosis);
        if let Some(decision) = self.decision(&pod.key) {
            decision.nominated = Some(plan.node.clone());
            decision.reason = diagnosis.message();
            decision.because = because;
            decision.budgets_violated += plan.violations;
            decision
                .preempts
                .extend(plan.victims.iter().map(|pod| told::victim(pod, &plan.node)));
        }
        for displaced in &plan.displaced {
            self.engine.cluster.denominate(&displaced.key);
            if let Some(decision) = self.decision(&displaced.key) {
                decision.nominated = None;
            }
        }
        for victim in &plan.victims {
            self.evict(victim);
        }
        self.budgets.tell(&mut self.engine, false);
        self.engine.cluster.nominate(pod, &plan.node);
    }

    fn evict(&mut self, victim: &Arc<PodInfo>) {
        let key = &victim.key;
        self.ending.push(key.clone());
        self.budgets.goes(key);
        let mut going = (**victim).clone();
        going.is_terminating = true;
        going.is_preempted = true;
        let going = Arc::new(going);
        self.engine.cluster.set_pod(Arc::clone(&going));
        let (before, after) = (victim, &going);
        self.queue.notice(&Event::PodChanged { before, after }, NOW);
        if let Some(decision) = self.decision(key) {
            decision.allowed = false;
            decision.reason = "placed, and then preempted".to_owned();
        }
        self.replace(victim, Replaced::AtOnce);
    }

    /// Everybody who is to go is gone.
    fn end(&mut self) {
        for key in std::mem::take(&mut self.ending) {
            self.budgets.is_gone(&key);
            if let Some(pod) = self.engine.cluster.remove_pod(&key) {
                self.queue.notice(&Event::PodGone(&pod), NOW);
                self.replace(&pod, Replaced::WhenGone);
            }
        }
        self.budgets.tell(&mut self.engine, false);
    }

    /// A controller makes a new pod for one of its own that goes, if it is time for it.
    fn replace(&mut self, pod: &PodInfo, time: Replaced) {
        let Some(source) = self.sources.get(&pod.key).copied() else {
            return;
        };
        let Some(wanted) = self.all.get(source).filter(|w| w.replaced == time) else {
            return;
        };
        let value = &wanted.value;
        let mut again = pod.clone();
        again.node_name = String::new();
        again.start_time = String::new();
        again.nominated_node = String::new();
        again.is_terminating = false;
        again.is_preempted = false;
        again.key.uid.push_str("/again");
        self.budgets.comes(&again.key, value);
        self.sources.insert(again.key.clone(), source);
        let fresh = self.all.len() + self.places.len();
        let place = self.places.get(&pod.key).copied().unwrap_or(fresh);
        self.ask(place, source, again);
    }

    fn place(&mut self, pod: &Arc<PodInfo>, placement: &Placement) {
        let mut placed = (**pod).clone();
        placed.node_name.clone_from(&placement.node);
        placed.nominated_node = String::new();
        let placed = Arc::new(placed);
        self.queue.remove(&pod.key);
        self.engine.cluster.denominate(&pod.key);
        self.engine.cluster.set_pod(Arc::clone(&placed));
        self.queue.notice(&Event::PodPlaced(&placed), NOW);
        let nodes = self.engine.cluster.node_count();
        let told = self.told;
        if let Some(decision) = self.decision(&pod.key) {
            told.placed(decision, placement, nodes);
        }
    }

    fn decision(&mut self, key: &PodKey) -> Option<&mut Decision> {
        self.decisions.get_mut(self.places.get(key)?)
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
