//! The loop that carries out what the scheduling engine decides: it binds pods, makes room by
//! preemption, and tells pods that fit nowhere why. Decisions are made one at a time, in the order
//! of the engine's queue; what follows from them is carried out beside, as in upstream's
//! scheduler: a pod whose binding is on the way counts as placed.

mod carry_out;
mod cluster_state;
mod events;
mod metrics;
mod requests;
mod sources;
#[cfg(test)]
mod tests;
mod volumes;

pub use metrics::Metrics;

use carry_out::{Attempt, Done, Failure};
use cluster_api::{Cluster, Pause, Update};
use cluster_state::State;
use futures::StreamExt;
use metrics::{Outcome, Sizes};
use model::Value;
use requests::{Making, Reason, Requests};
use scheduling::{Diagnosis, Plugin, PodInfo, PodKey};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use volumes::{Awaited, Claiming};

/// The name that pods ask for in `spec.schedulerName`.
pub const NAME: &str = "default-scheduler";

/// Decisions that are being carried out at once; more wait until some are done.
const RUNNING: usize = 256;

/// What the scheduler needs to know beside the cluster.
pub struct Settings {
    /// The wait before a failed request to follow the cluster is tried again.
    pub pause: Pause,
    /// Decides among nodes that are equally good.
    pub seed: u64,
    /// The machine's name, which events tell.
    pub host: String,
    /// Where to count.
    pub metrics: Arc<Metrics>,
}

/// Runs for ever.
pub async fn run(cluster: Arc<dyn Cluster>, settings: Settings) {
    let (events, recording) = events::recorder(Arc::clone(&cluster), &settings.host);
    let scheduler = Scheduler {
        requests: Arc::new(Requests {
            cluster: Arc::clone(&cluster),
            events,
        }),
        state: State::new(settings.seed),
        metrics: settings.metrics,
        running: JoinSet::new(),
        awaited: Awaited::default(),
        start: Instant::now(),
    };
    // Ends with this future.
    let mut beside = JoinSet::new();
    beside.spawn(recording);
    scheduler.run(cluster, settings.pause).await;
}

struct Scheduler {
    state: State,
    requests: Arc<Requests>,
    metrics: Arc<Metrics>,
    running: JoinSet<Done>,
    /// Pods whose claims have no volumes yet.
    awaited: Awaited,
    start: Instant,
}

impl Scheduler {
    async fn run(mut self, cluster: Arc<dyn Cluster>, pause: Pause) {
        let mut updates = sources::all(&cluster, &pause);
        loop {
            self.show();
            let now = self.now();
            let may_decide = self.state.ready() && self.running.len() < RUNNING;
            let until = |time: u64| {
                let wait = Duration::from_millis(time.saturating_sub(now));
                tokio::time::sleep(wait)
            };
            let wait = self.state.queue.next_time().map(until);
            let patience = self.awaited.next_time().map(until);
            tokio::select! {
                biased;
                Some((source, update)) = updates.next() => match update {
                    Update::Trouble(status) => tracing::warn!(%status, "cannot follow the cluster"),
                    update => {
                        self.state.observe(source, update, now);
                        if source.is_about_volumes() {
                            self.look_after_volumes();
                        }
                    }
                },
                Some(done) = self.running.join_next() => match done {
                    Ok(done) => self.finish(done),
                    Err(error) => tracing::error!(%error, "a decision was not carried out"),
                },
                () = std::future::ready(()), if may_decide && self.state.queue.has_next(now) => {
                    self.decide_next(now);
                    tokio::task::yield_now().await;
                }
                Some(()) = optional(wait), if may_decide => {}
                Some(()) = optional(patience) => self.look_after_volumes(),
            }
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn show(&self) {
        let cluster = &self.state.engine.cluster;
        self.metrics.show(&Sizes {
            waits: self.state.queue.waits(),
            nodes: cluster.node_count(),
            pods: cluster.pods().len(),
            assumed: self.state.assumed(),
            running: self.running.len(),
        });
    }

    /// Decides about the pod that waits first.
    fn decide_next(&mut self, now: u64) {
        let Some((info, pod)) = self.state.next(now) else {
            return;
        };
        if info.is_terminating {
            let PodKey {
                namespace, name, ..
            } = &info.key;
            let message = format!("skip schedule deleting pod: {namespace}/{name}");
            self.requests.complain(&pod, &message);
            self.state.skip(&info.key);
            return;
        }
        let started = Instant::now();
        match self.state.engine.schedule(&info) {
            Ok(placement) => {
                self.metrics.decided(started.elapsed());
                let first = self.state.first_tried(&info.key).unwrap_or(now);
                let attempt = Attempt {
                    started,
                    number: self.state.queue.attempts(&info.key),
                    since_first: Duration::from_millis(now.saturating_sub(first)),
                };
                let requests = Arc::clone(&self.requests);
                let node = placement.node;
                let cluster = &mut self.state.engine.cluster;
                let plan = cluster.volume_plan(&info, &node);
                let key = info.key.clone();
                if !plan.is_empty() {
                    cluster.assume_volumes(&key.namespace, &plan, &node);
                }
                self.state.assume(info, &node);
                if plan.is_empty() {
                    self.running
                        .spawn(carry_out::bind(requests, pod, node, attempt));
                    return;
                }
                let claiming = Claiming {
                    pod,
                    key,
                    node,
                    plan,
                    attempt,
                };
                self.running.spawn(carry_out::claim(requests, claiming));
            }
            Err(mut diagnosis) => {
                let (nominated, making) = self.preempt(&info, &mut diagnosis);
                self.metrics.decided(started.elapsed());
                self.metrics
                    .attempt(Outcome::Unschedulable, started.elapsed());
                let (reason, message) = (Reason::Unschedulable, diagnosis.message());
                let failure = Failure {
                    status: requests::unplaced(&pod, reason, &message, nominated.as_deref()),
                    making,
                    refused_by: diagnosis.plugins(),
                };
                self.explain(pod, &message, failure, now);
            }
        }
    }

    /// Tells why a pod has no node, and does about it what is to be done.
    fn explain(&mut self, pod: Value, message: &str, failure: Failure, now: u64) {
        self.requests.complain(&pod, message);
        if failure.status.is_none() && failure.making.is_none() {
            self.put_back(&PodKey::of(&pod), failure.refused_by, now);
            return;
        }
        let requests = Arc::clone(&self.requests);
        self.running
            .spawn(carry_out::explain(requests, pod, failure));
    }

    /// The pod waits for those who refused it to change their word; if nobody did, for some time.
    fn put_back(&mut self, key: &PodKey, refused_by: BTreeSet<Plugin>, now: u64) {
        if refused_by.is_empty() {
            self.state.queue.fail(key, now);
        } else {
            self.state.queue.park(key, refused_by, now);
        }
    }

    /// Looks for room that can be made for a pod that fits nowhere. The node that is to be written
    /// down as the one it waits for, if another than now, and who has to go.
    fn preempt(
        &mut self,
        info: &PodInfo,
        diagnosis: &mut Diagnosis,
    ) -> (Option<String>, Option<Making>) {
        let engine = &mut self.state.engine;
        if diagnosis.nodes == 0 {
            engine.cluster.denominate(&info.key);
            return (Some(String::new()), None);
        }
        self.metrics.preemption();
        match engine.preempt(info, diagnosis) {
            Ok(plan) => {
                self.metrics.victims(plan.victims.len());
                for displaced in &plan.displaced {
                    engine.cluster.denominate(&displaced.key);
                }
                engine.cluster.nominate(&Arc::new(info.clone()), &plan.node);
                let displaced = plan.displaced.iter().map(|pod| pod.key.clone()).collect();
                let making = Making {
                    node: plan.node.clone(),
                    victims: plan.victims,
                    displaced,
                };
                (Some(plan.node), Some(making))
            }
            Err(refused) => {
                diagnosis.preemption = Some(refused.message);
                if !refused.clears_nomination {
                    return (None, None);
                }
                engine.cluster.denominate(&info.key);
                (Some(String::new()), None)
            }
        }
    }

    /// Binds the pods whose claims have their volumes by now, and gives up on those that will not
    /// get them.
    fn look_after_volumes(&mut self) {
        let (now, state) = (self.now(), &self.state);
        let is_waiting = |key: &PodKey| state.is_waiting(key);
        for (claiming, end) in self.awaited.ready(&state.engine.cluster, is_waiting, now) {
            match end {
                Ok(()) => {
                    let requests = Arc::clone(&self.requests);
                    let Claiming {
                        pod, node, attempt, ..
                    } = claiming;
                    self.running
                        .spawn(carry_out::bind(requests, pod, node, attempt));
                }
                Err(why) => self.give_up_volumes(claiming, &format!("binding volumes: {why}")),
            }
        }
    }

    /// The pod's claims do not get their volumes: it waits for a node again.
    fn give_up_volumes(&mut self, claiming: Claiming, why: &str) {
        let now = self.now();
        let Claiming {
            pod,
            key,
            plan,
            attempt,
            ..
        } = claiming;
        let cluster = &mut self.state.engine.cluster;
        cluster.revert_volumes(&key.namespace, &plan);
        self.metrics
            .attempt(Outcome::Error, attempt.started.elapsed());
        self.state.unassume(&key, now);
        if !self.state.is_waiting(&key) {
            return;
        }
        let message = format!("running PreBind plugin \"VolumeBinding\": {why}");
        let failure = Failure {
            status: requests::unplaced(&pod, Reason::SchedulerError, &message, Some("")),
            making: None,
            refused_by: BTreeSet::new(),
        };
        self.explain(pod, &message, failure, now);
    }

    /// Takes in what became of a decision.
    fn finish(&mut self, done: Done) {
        let now = self.now();
        match done {
            Done::Bound { key, attempt } => {
                let took = attempt.started.elapsed();
                self.metrics.attempt(Outcome::Scheduled, took);
                let whole = attempt.since_first.saturating_add(took);
                self.metrics.placed(attempt.number, whole);
                self.state.queue.remove(&key);
            }
            Done::NotBound {
                pod,
                key,
                status,
                attempt,
            } => {
                let took = attempt.started.elapsed();
                self.metrics.attempt(Outcome::Error, took);
                self.state.unassume(&key, now);
                let message = format!("running Bind plugin \"DefaultBinder\": {}", status.message);
                // Gone, or bound by somebody else: only its event is left to tell.
                let is_lost =
                    !self.state.is_waiting(&key) || status.is_not_found() || status.is_conflict();
                let written = requests::unplaced(&pod, Reason::SchedulerError, &message, Some(""));
                let failure = Failure {
                    status: written.filter(|_| !is_lost),
                    making: None,
                    refused_by: BTreeSet::new(),
                };
                self.explain(*pod, &message, failure, now);
            }
            Done::Claimed {
                claiming,
                written,
                result,
            } => {
                for (source, object) in &written {
                    self.state.written(*source, object, now);
                }
                match result {
                    Ok(()) => {
                        self.awaited.add(*claiming, now);
                        self.look_after_volumes();
                    }
                    Err(status) => self.give_up_volumes(*claiming, &status.message),
                }
            }
            Done::Explained { key, refused_by } => self.put_back(&key, refused_by, now),
            Done::NotExplained { key, status } => {
                tracing::warn!(%status, pod = key.name, namespace = key.namespace, "will try again");
                self.state.queue.fail(&key, now);
            }
        }
    }
}

/// Waits for what may not be there; then at once `None`.
async fn optional<F: Future>(future: Option<F>) -> Option<F::Output> {
    match future {
        Some(future) => Some(future.await),
        None => None,
    }
}
