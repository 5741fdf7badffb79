//! Bringing a cluster up and down.

use super::admission;
use super::identities;
use super::late::LateObjects;
use super::operations::{Counted, Operations};
use super::serving;
use super::workers;
use crate::arguments::{Node, Up};
use crate::data_dir::DataDir;
use crate::store::Store;
use anyhow::{Context, Result, bail};
use api_server::authorization::{Authorizer, Masters, OpenPaths, Union};
use api_server::identity_objects::CacheObjects;
use api_server::issuer_discovery::IssuerDiscovery;
use api_server::live_authorizers::{StoredPods, StoredRoles};
use api_server::metrics::{CountedAuthorizer, PodSecurityCounts};
use api_server::token_request::TokenRequests;
use api_server::{Config, Handle};
use controllers::Controllers;
use identity::{
    ClientCertificates, Pki, ServiceAccountKeys, ServiceAccountTokens, ServingNames, Tls,
    TokenIssuer,
};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

/// The address of the `kubernetes` service: the first of upstream's default service range.
const SERVICE_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 96, 0, 1));
/// The network of the addresses of services, as kubeadm sets clusters up.
const SERVICE_NETWORK: (Ipv4Addr, u8) = (Ipv4Addr::new(10, 96, 0, 0), 12);
const CLUSTER_DOMAIN: &str = "cluster.local";
/// Upstream's default issuer of service-account tokens.
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// A running cluster.
pub(crate) struct Cluster {
    handle: Handle,
    store: Arc<Store>,
    workers: Controllers,
    operations: Operations,
    /// The API's URL.
    pub(crate) url: String,
    /// Where the administrator's kubeconfig is.
    pub(crate) kubeconfig: PathBuf,
}

impl Cluster {
    /// Brings everything up; the cluster is ready when this returns.
    pub(crate) async fn start(arguments: &Up) -> Result<Self> {
        if arguments.store != "embedded" {
            bail!(
                "--store {:?} is not there yet: leave it out, or say embedded",
                arguments.store
            );
        }
        let data = DataDir::of(&arguments.data)?;
        let now = crate::commands::now();
        let store = Arc::new(Store::open(&data, arguments.encryption_config.as_deref())?);
        let pki = Pki::open(&data.pki(), now)?;
        let keys = Arc::new(ServiceAccountKeys::open(&data.pki())?);
        let issuer = TokenIssuer::new(ISSUER, Vec::new(), keys);

        let objects = Arc::new(LateObjects::default());
        let clock: identity::Clock = Arc::new(crate::commands::now);
        let authenticator = Arc::new(identity::Chain::new(
            vec![
                Arc::new(ClientCertificates::new(&[pki.ca().clone()], clock.clone())?),
                Arc::new(ServiceAccountTokens::new(
                    issuer.clone(),
                    objects.clone(),
                    clock,
                )),
            ],
            true,
        ));
        let (roles, pods) = (
            Arc::new(StoredRoles::default()),
            Arc::new(StoredPods::default()),
        );
        let node = Arc::new(CountedAuthorizer::new(pods.clone(), "Node", "node"));
        let rbac = Arc::new(CountedAuthorizer::new(roles.clone(), "RBAC", "rbac"));
        let authorizer: Arc<dyn Authorizer> = Arc::new(Union(vec![
            Arc::new(Masters),
            Arc::new(OpenPaths),
            node.clone(),
            rbac.clone(),
        ]));

        let mut names = ServingNames::of_cluster(CLUSTER_DOMAIN, SERVICE_IP);
        names.add(&arguments.listen.ip().to_string());
        for name in &arguments.names {
            if !names.add(name) {
                bail!("--tls-san {name:?} is neither a host name nor an address");
            }
        }
        let tls = Tls::new(&pki.serving(&names, now)?, &[pki.ca().clone()])?;

        let mut config = Config::new(store.objects(), authenticator, authorizer.clone());
        config.limits.head = arguments.header_timeout;
        config.limits.handshake = config.limits.handshake.min(arguments.header_timeout);
        let counts = Arc::new(PodSecurityCounts::default());
        config.admission = admission::chain(&admission::Parts {
            arguments: &arguments.admission,
            roles: &roles,
            authorizer: &authorizer,
            counts: &counts,
            services: SERVICE_NETWORK,
        })?;
        config.observers = vec![roles, pods];
        config.virtuals = api_server::reviews::all();
        config
            .virtuals
            .push(Arc::new(TokenRequests::new(issuer.clone())));
        let discovery = Arc::new(IssuerDiscovery::new(issuer.clone()));
        config.endpoints.push(discovery.clone());
        let scheduling = Arc::new(scheduler::Metrics::default());
        let counted = Counted {
            authorizers: vec![node, rbac],
            pod_security: counts,
            scheduling: scheduling.clone(),
        };
        let operations = Operations::attach(&mut config, arguments, &data, counted, [])?;
        let mut handle = config.start().await?;
        objects.set(Arc::new(CacheObjects(handle.server().cache().clone())));

        let itself = handle.cluster(identities::server(), "kube-apiserver");
        controllers::bootstrap(itself.as_ref(), pki.ca_pem()).await?;
        controllers::bootstrap_rbac(itself.as_ref()).await?;
        let (network, bits) = SERVICE_NETWORK;
        let network = format!("{network}/{bits}");
        controllers::publish(itself.as_ref(), pki.ca_pem(), &network).await?;

        let bound = handle
            .listen(arguments.listen, tls.config())
            .await
            .with_context(|| format!("cannot listen on {}", arguments.listen))?;
        controllers::kubernetes_service(itself.as_ref(), SERVICE_IP, bound).await?;
        let mut workers = workers::start(
            &handle,
            arguments,
            &data,
            &store,
            &issuer,
            pki.ca_pem(),
            scheduling,
        )
        .await?;
        let url = format!("https://{}", reachable(bound));
        discovery.found_at(&url);
        identity::write_private(&data.endpoint(), url.as_bytes())?;
        let kubeconfig = arguments
            .kubeconfig_out
            .clone()
            .unwrap_or_else(|| data.kubeconfig());
        identities::write_admin(&pki, &url, &kubeconfig, now)?;
        workers.add(serving::renew(pki, names, tls));
        if arguments.node == Node::Off {
            tracing::info!("no node: pods stay Pending");
        }
        Ok(Self {
            handle,
            store,
            workers,
            operations,
            url,
            kubeconfig,
        })
    }

    /// Takes everything down: requests in flight are answered, watches end, the store closes.
    pub(crate) async fn stop(self) {
        self.operations.stopping();
        self.workers.stop().await;
        self.handle.shutdown().await;
        self.operations.stopped();
        self.store.close().await;
    }
}

/// Where clients on this machine reach a server that is bound to `address`.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
