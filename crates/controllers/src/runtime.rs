//! What all controllers share: their set-up, the clock, and carrying out actions.

use cluster_api::{
    Cluster, DeleteOptions, PatchType, Pause, ResourceRef, Selection, Update, follow,
};
use futures::{FutureExt, Stream};
use model::Value;
use model::status::Status;
use reconcile::{Action, Target};
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Makes the tokens of legacy token secrets.
pub trait TokenIssuer: Send + Sync {
    /// A token of the account for the secret, without expiry; it dies with the secret.
    fn legacy_token(
        &self,
        namespace: &str,
        account: &str,
        account_uid: &str,
        secret: &str,
    ) -> Result<String, Status>;
}

/// An object of the core group, parsed; `None` if there is none of that name.
pub(crate) async fn get(
    cluster: &dyn Cluster,
    resource: &str,
    namespace: Option<&str>,
    name: &str,
) -> Result<Option<Value>, Status> {
    match cluster
        .get(&ResourceRef::core(resource), namespace, name)
        .await
    {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(Status::internal),
        Err(status) if status.is_not_found() => Ok(None),
        Err(status) => Err(status),
    }
}

/// Gives the cluster as the controller of a name sees it.
pub type ClusterFor = Arc<dyn Fn(&str) -> Arc<dyn Cluster> + Send + Sync>;

/// Finds the resource of a kind (`group`, `version`, `kind`), and whether it is namespaced.
pub type Resolve = Arc<dyn Fn(&str, &str, &str) -> Option<(ResourceRef, bool)> + Send + Sync>;

/// What the controllers need of the world around them.
#[derive(Clone)]
pub struct Setup {
    /// The cluster as the controller of that name sees it: under
    /// `system:serviceaccount:kube-system:NAME`.
    pub cluster: ClusterFor,
    /// The cluster as `system:kube-controller-manager` sees it: what controllers look at comes
    /// through this one identity, as upstream's shared informers do.
    pub reader: Arc<dyn Cluster>,
    /// Finds the resource of a kind (`group`, `version`, `kind`), and whether it is namespaced.
    pub resolve: Resolve,
    /// The cluster's CA certificate, PEM.
    pub certificate: Arc<str>,
    /// Signs legacy tokens.
    pub tokens: Arc<dyn TokenIssuer>,
}

/// The running controllers.
pub struct Controllers {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Controllers {
    /// Starts all controllers.
    pub fn start(setup: &Setup) -> Self {
        let mut controllers = Self {
            tasks: JoinSet::new(),
            stop: CancellationToken::new(),
        };
        let own = |name: &str| (setup.cluster)(name);
        let reader = || Arc::clone(&setup.reader);
        controllers.add(crate::per_namespace::service_accounts(
            reader(),
            own("service-account-controller"),
        ));
        controllers.add(crate::per_namespace::root_ca(
            reader(),
            own("root-ca-cert-publisher"),
            Arc::clone(&setup.certificate),
        ));
        controllers.add(crate::namespace::run(reader(), own("namespace-controller")));
        controllers.add(crate::node_taints::run(reader(), own("node-controller")));
        controllers.add(crate::resource_quota::run(
            reader(),
            own("resourcequota-controller"),
        ));
        controllers.add(crate::token_secret::run(
            reader(),
            Arc::clone(&setup.certificate),
            Arc::clone(&setup.tokens),
        ));
        controllers.add(crate::rbac::aggregate(own(
            "clusterrole-aggregation-controller",
        )));
        controllers.add(crate::disruption::run(
            reader(),
            own("disruption-controller"),
            Arc::clone(&setup.resolve),
        ));
        let identities = crate::volumes::Identities {
            binder: own("persistent-volume-binder"),
            claim_protection: own("pvc-protection-controller"),
            volume_protection: own("pv-protection-controller"),
            ephemeral: own("ephemeral-volume-controller"),
        };
        controllers.add(crate::volumes::run(reader(), identities));
        controllers.add(crate::garbage::run(
            own("generic-garbage-collector"),
            Arc::clone(&setup.resolve),
        ));
        controllers
    }

    /// Runs one more loop until the controllers stop.
    pub fn add(&mut self, controller: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => (),
                () = controller => (),
            }
        });
    }

    /// Stops all loops and waits for them.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// The pause of every follower: short at first, then longer, never over a minute.
pub fn pause() -> Pause {
    Arc::new(|failures| tokio::time::sleep(crate::queue::pause_after(failures)).boxed())
}

/// Follows a resource of the core group in all namespaces.
pub(crate) fn follow_core(
    cluster: &Arc<dyn Cluster>,
    resource: &str,
    fields: &str,
) -> impl Stream<Item = Update> + Send + 'static + use<> {
    follow_resource(cluster, ResourceRef::core(resource), fields)
}

/// Follows a resource in all namespaces.
pub(crate) fn follow_resource(
    cluster: &Arc<dyn Cluster>,
    resource: ResourceRef,
    fields: &str,
) -> impl Stream<Item = Update> + Send + 'static + use<> {
    let selection = Selection {
        fields: fields.to_owned(),
        ..Selection::default()
    };
    follow(Arc::clone(cluster), resource, None, selection, pause())
}

/// The time as the API writes it.
pub(crate) fn now() -> String {
    let now = jiff::Timestamp::now();
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Carries out actions in order, up to the first that fails.
pub(crate) async fn execute(cluster: &dyn Cluster, actions: Vec<Action>) -> Result<(), Status> {
    for action in actions {
        perform(cluster, action).await?;
    }
    Ok(())
}

/// Carries out one action. Returns the object as it was written, if it was.
pub(crate) async fn perform(
    cluster: &dyn Cluster,
    action: Action,
) -> Result<Option<Value>, Status> {
    match action {
        Action::Create(target, object) => {
            let (resource, namespace) = address(&target);
            match cluster.create(&resource, namespace, None, object).await {
                Err(status) if status.is_already_exists() => Ok(None),
                other => other.map(Some),
            }
        }
        Action::Update(target, object) => {
            let (resource, namespace) = address(&target);
            cluster.update(&resource, namespace, object).await.map(Some)
        }
        Action::Patch(target, patch) => {
            let (resource, namespace) = address(&target);
            cluster
                .patch(&resource, namespace, &target.name, patch, PatchType::Merge)
                .await
                .map(Some)
        }
        Action::Delete(target, uid, propagation) => {
            let (resource, namespace) = address(&target);
            let options = DeleteOptions {
                uid: Some(uid),
                propagation: propagation.map(reconcile::Propagation::as_str),
                ..DeleteOptions::default()
            };
            match cluster
                .delete(&resource, namespace, &target.name, options)
                .await
            {
                Err(status) if !status.is_not_found() => Err(status),
                _ => Ok(None),
            }
        }
    }
}

fn address(target: &Target) -> (ResourceRef, Option<&str>) {
    let namespace = (!target.namespace.is_empty()).then_some(target.namespace.as_str());
    (
        ResourceRef::new(&target.group, &target.version, &target.resource),
        namespace,
    )
}
