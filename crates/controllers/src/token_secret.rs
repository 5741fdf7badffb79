//! The token controller: legacy token secrets get their token and go with their account.

use crate::queue::Queue;
use crate::runtime::{TokenIssuer, execute, follow_core, get};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cluster_api::{Cluster, Head, ResourceRef, Selection, Update};
use futures::StreamExt;
use model::meta;
use model::status::Status;
use reconcile::token_secret::{NAME_ANNOTATION, Need, TYPE, UID_ANNOTATION, reconcile};
use std::sync::Arc;

type Key = (String, String);

/// Runs for ever.
pub(crate) async fn run(
    cluster: Arc<dyn Cluster>,
    certificate: Arc<str>,
    tokens: Arc<dyn TokenIssuer>,
) {
    let certificate = STANDARD.encode(certificate.as_bytes());
    let queue: Queue<Key> = Queue::default();
    let typed = format!("type={TYPE}");
    let mut secrets = Box::pin(follow_core(&cluster, "secrets", &typed));
    let mut accounts = Box::pin(follow_core(&cluster, "serviceaccounts", ""));
    loop {
        tokio::select! {
            Some(update) = secrets.next() => keys(&update).into_iter().for_each(|k| queue.add(k)),
            Some(update) = accounts.next() => match update {
                // After a reset accounts may be gone: every secret is looked at again.
                Update::Reset(_) => secrets_of(&cluster, None, &queue).await,
                Update::Applied(object) | Update::Deleted(object) => {
                    if let Ok(head) = Head::parse(&object) {
                        secrets_of(&cluster, Some(&head.metadata.namespace), &queue).await;
                    }
                }
                Update::Trouble(status) => tracing::warn!(%status, "cannot follow accounts"),
            },
            key = queue.next() => {
                match sync(cluster.as_ref(), &key, &certificate, tokens.as_ref()).await {
                    Ok(()) => queue.forget(&key),
                    Err(status) => {
                        tracing::debug!(%status, secret = key.1, namespace = key.0, "will try again");
                        queue.retry(key);
                    }
                }
            }
        }
    }
}

fn keys(update: &Update) -> Vec<Key> {
    let objects = match update {
        Update::Reset(items) => items.as_slice(),
        Update::Applied(object) => std::slice::from_ref(object),
        Update::Deleted(_) => &[],
        Update::Trouble(status) => {
            tracing::warn!(%status, "cannot follow secrets");
            &[]
        }
    };
    objects
        .iter()
        .filter_map(|object| Head::parse(object).ok())
        .map(|head| (head.metadata.namespace, head.metadata.name))
        .collect()
}

async fn secrets_of(cluster: &Arc<dyn Cluster>, namespace: Option<&str>, queue: &Queue<Key>) {
    let selection = Selection {
        fields: format!("type={TYPE}"),
        ..Selection::default()
    };
    match cluster
        .list(&ResourceRef::core("secrets"), namespace, &selection)
        .await
    {
        Ok(list) => keys(&Update::Reset(list.items))
            .into_iter()
            .for_each(|k| queue.add(k)),
        Err(status) => tracing::warn!(%status, "cannot list token secrets"),
    }
}

async fn sync(
    cluster: &dyn Cluster,
    (namespace, name): &Key,
    certificate: &str,
    tokens: &dyn TokenIssuer,
) -> Result<(), Status> {
    let Some(mut secret) = get(cluster, "secrets", Some(namespace), name).await? else {
        return Ok(());
    };
    let account_name = meta::annotations(&secret)
        .get(NAME_ANNOTATION)
        .copied()
        .unwrap_or_default()
        .to_owned();
    if account_name.is_empty() {
        return Ok(());
    }
    let account = get(cluster, "serviceaccounts", Some(namespace), &account_name).await?;
    let uid = account.as_ref().map(meta::uid);
    match reconcile(&secret, uid, certificate) {
        Need::Nothing => Ok(()),
        Need::Remove(action) => execute(cluster, vec![action]).await,
        Need::Token => {
            let uid = uid.unwrap_or_default();
            let token = tokens.legacy_token(namespace, &account_name, uid, name)?;
            meta::set(
                &mut secret,
                &["metadata", "annotations", UID_ANNOTATION],
                uid,
            );
            let data = meta::map_mut(&mut secret, &["data"]);
            data.insert("token".to_owned(), STANDARD.encode(token).into());
            data.insert("namespace".to_owned(), STANDARD.encode(namespace).into());
            data.insert("ca.crt".to_owned(), certificate.into());
            cluster
                .update(&ResourceRef::core("secrets"), Some(namespace), secret)
                .await
                .map(drop)
        }
    }
}
