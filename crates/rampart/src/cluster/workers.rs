//! What runs beside the API server: controllers, scheduler, node, compaction, operator's orders.

use super::identities;
use crate::arguments::{Node, Up};
use crate::control::Subject;
use crate::data_dir::DataDir;
use crate::store::Store;
use crate::token_keys::TokenKeys;
use anyhow::Result;
use api_server::Handle;
use cluster_api::ResourceRef;
use controllers::{Controllers, Setup, pause};
use identity::TokenIssuer;
use model::status::Status;
use node_agent::{Capacity, SimulatedNode};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The simulated node's name.
const NODE: &str = "simulated";
/// How many pods it takes: kubelet's default.
const PODS: usize = 110;

/// Signs the tokens of legacy token secrets.
struct LegacyTokens(TokenIssuer);

impl controllers::TokenIssuer for LegacyTokens {
    fn legacy_token(
        &self,
        namespace: &str,
        account: &str,
        account_uid: &str,
        secret: &str,
    ) -> Result<String, Status> {
        let account = identity::Reference {
            name: account.to_owned(),
            uid: account_uid.to_owned(),
        };
        self.0
            .issue_for_secret(namespace, secret, &account)
            .map(|token| token.expose().to_owned())
            .map_err(Status::internal)
    }
}

/// Starts everything; the node, if there is one, is registered when this returns.
pub(super) async fn start(
    handle: &Handle,
    arguments: &Up,
    data: &DataDir,
    store: &Arc<Store>,
    issuer: &TokenIssuer,
    certificate: &str,
    scheduling: Arc<scheduler::Metrics>,
) -> Result<Controllers> {
    let server = Arc::clone(handle.server());
    let registry = Arc::clone(&server.services.registry);
    let setup = Setup {
        cluster: {
            let server = Arc::clone(&server);
            Arc::new(move |name| {
                let user = identities::controller(name);
                Arc::new(api_server::local::LocalCluster::new(
                    Arc::clone(&server),
                    user,
                    name,
                ))
            })
        },
        reader: handle.cluster(identities::controller_manager(), "kube-controller-manager"),
        resolve: Arc::new(move |group, version, kind| {
            let resource = registry.by_kind(group, version, kind)?;
            let reference = ResourceRef::new(group, version, &resource.plural);
            Some((reference, resource.namespaced()))
        }),
        certificate: certificate.into(),
        tokens: Arc::new(LegacyTokens(issuer.clone())),
    };
    let mut controllers = Controllers::start(&setup);
    controllers.add(scheduler::run(
        handle.cluster(identities::scheduler(), "kube-scheduler"),
        scheduler::Settings {
            pause: pause(),
            seed: u64::from(std::process::id()),
            host: host(),
            metrics: scheduling,
        },
    ));
    if arguments.node != Node::Off {
        let node = SimulatedNode {
            cluster: handle.cluster(identities::node(NODE), "kubelet"),
            name: NODE.to_owned(),
            capacity: capacity(),
            pause: pause(),
        };
        node.register().await?;
        controllers.add(node.run());
    }
    controllers.add(compact(Arc::clone(store), arguments.history));
    let subject = Subject {
        store: Arc::clone(store),
        tokens: TokenKeys::in_use(data, issuer.clone()),
    };
    controllers.add(crate::control::listen(data, subject)?);
    Ok(controllers)
}

/// The machine's name, or the product's where it has none.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "rampart".to_owned(),
        name => name.to_owned(),
    }
}

/// The simulated node offers what the machine has.
fn capacity() -> Capacity {
    let memory = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        });
    Capacity {
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        memory: memory.map_or(8 << 30, |kib| kib * 1024),
        pods: PODS,
    }
}

/// Keeps the store from growing: history older than `keep` is forgotten.
async fn compact(store: Arc<Store>, keep: Duration) {
    let mut samples: VecDeque<(Instant, u64)> = VecDeque::new();
    let mut ticks = tokio::time::interval((keep / 5).max(Duration::from_secs(1)));
    loop {
        ticks.tick().await;
        match store.revision().await {
            Ok(revision) => samples.push_back((Instant::now(), revision)),
            Err(error) => tracing::warn!(%error, "cannot ask the store for its revision"),
        }
        let mut oldest = None;
        while let Some((_, revision)) = samples.front().filter(|(at, _)| at.elapsed() >= keep) {
            oldest = Some(*revision);
            samples.pop_front();
        }
        if let Some(revision) = oldest
            && let Err(error) = store.compact(revision).await
        {
            tracing::warn!(%error, revision, "cannot compact the store");
        }
    }
}
