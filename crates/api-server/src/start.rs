//! Starting a server and stopping it.

use crate::authorization::Authorizer;
use crate::cache::{Cache, CacheObserver, HistoryLimits};
use crate::local::LocalCluster;
use crate::lookup::CacheLookup;
use crate::plugin::{Endpoint, NoTelemetry, Services, Telemetry, Virtual};
use crate::server::{Limits, Server};
use crate::transport;
use admission::Chain;
use cluster_api::Cluster;
use identity::Authenticator;
use model::registry::Registry;
use model::schema::Schema;
use model::user::UserInfo;
use parking_lot::Mutex;
use rustls::ServerConfig;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use storage_api::{Store, StoreError};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// What a server is made of.
pub struct Config {
    /// The resources that are served.
    pub registry: Arc<Registry>,
    /// Where objects are kept.
    pub store: Arc<dyn Store>,
    /// Who is asking.
    pub authenticator: Arc<dyn Authenticator>,
    /// What they may do.
    pub authorizer: Arc<dyn Authorizer>,
    /// What has a say in changes.
    pub admission: Chain,
    /// Those who follow the objects: the authorizers' index, token revocation.
    pub observers: Vec<Arc<dyn CacheObserver>>,
    /// Virtual resources.
    pub virtuals: Vec<Arc<dyn Virtual>>,
    /// What is served outside of the API.
    pub endpoints: Vec<Arc<dyn Endpoint>>,
    /// Who counts requests.
    pub telemetry: Arc<dyn Telemetry>,
    /// The audit log, if there is one.
    pub auditor: Option<audit::Auditor>,
    /// Limits.
    pub limits: Limits,
    /// How much of the past watches can start from without asking the store.
    pub history: HistoryLimits,
}

impl Config {
    /// A server of the built-in kinds with nothing plugged in.
    pub fn new(
        store: Arc<dyn Store>,
        authenticator: Arc<dyn Authenticator>,
        authorizer: Arc<dyn Authorizer>,
    ) -> Self {
        Self {
            registry: Arc::new(Registry::builtin()),
            store,
            authenticator,
            authorizer,
            admission: Chain::new(Vec::new()),
            observers: Vec::new(),
            virtuals: Vec::new(),
            endpoints: Vec::new(),
            telemetry: Arc::new(NoTelemetry),
            auditor: None,
            limits: Limits::default(),
            history: HistoryLimits::default(),
        }
    }

    /// Reads what the store holds and follows it. The server can be used from within the process
    /// from here on; [`Handle::listen`] opens it to others.
    pub async fn start(self) -> Result<Handle, StoreError> {
        let cache = Arc::new(Cache::new(
            &self.registry,
            self.store.clone(),
            self.observers,
            self.history,
        ));
        let revision = cache.load().await?;
        let follower = tokio::spawn(cache.clone().follow(revision));
        let server = Arc::new(Server {
            services: Services {
                registry: self.registry,
                authenticator: self.authenticator,
                authorizer: self.authorizer,
                lookup: Arc::new(CacheLookup::new(cache.clone())),
                cache,
            },
            store: self.store,
            admission: self.admission,
            schema: Schema::builtin(),
            virtuals: self
                .virtuals
                .into_iter()
                .map(|v| (v.resource(), v))
                .collect::<HashMap<_, _>>(),
            endpoints: self.endpoints,
            telemetry: self.telemetry,
            auditor: self.auditor,
            openapi_hash: OnceLock::new(),
            address: Mutex::default(),
            allocating: Arc::default(),
            charging: tokio::sync::Mutex::default(),
            mutating: Semaphore::new(self.limits.mutating),
            read_only: Semaphore::new(self.limits.read_only),
            limits: self.limits,
            stop: CancellationToken::new(),
        });
        Ok(Handle {
            server,
            follower,
            listeners: Vec::new(),
        })
    }
}

/// A running server.
pub struct Handle {
    server: Arc<Server>,
    follower: JoinHandle<()>,
    listeners: Vec<JoinHandle<()>>,
}

impl Handle {
    /// Serves connections at `address`; returns the address that was bound (port 0 picks one).
    pub async fn listen(
        &mut self,
        address: SocketAddr,
        tls: Arc<ServerConfig>,
    ) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        *self.server.address.lock() = bound.to_string();
        let serve = transport::serve(self.server.clone(), listener, TlsAcceptor::from(tls));
        self.listeners.push(tokio::spawn(serve));
        Ok(bound)
    }

    /// The server's parts.
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// The cluster as `user` sees it, without a connection. `program` is the field manager of
    /// what is written, and stands in the audit log.
    pub fn cluster(&self, user: UserInfo, program: &str) -> Arc<dyn Cluster> {
        Arc::new(LocalCluster::new(self.server.clone(), user, program))
    }

    /// Stops: no new connections, watches end, requests in flight are answered, within the time
    /// that the limits give them.
    pub async fn shutdown(self) {
        self.server.stop.cancel();
        for listener in self.listeners {
            // A listener that panicked has nothing left to wait for.
            let _ = listener.await;
        }
        self.follower.abort();
    }
}
