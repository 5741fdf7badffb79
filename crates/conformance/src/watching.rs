//! Watches, as controllers use them.

use crate::namespace::in_namespace;
use anyhow::{Context, Result, bail, ensure};
use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{
    DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{reflector, reflector::store::Writer};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use std::collections::BTreeMap;

/// A watch that the server ends after one second.
fn short() -> WatchParams {
    WatchParams::default().timeout(1)
}

fn configmap(name: &str, value: &str) -> Result<ConfigMap> {
    Ok(serde_json::from_value(
        json!({"metadata": {"name": name}, "data": {"value": value}}),
    )?)
}

async fn set(api: &Api<ConfigMap>, name: &str, value: &str) -> Result<ConfigMap> {
    let patch = Patch::Merge(json!({"data": {"value": value}}));
    Ok(api.patch(name, &PatchParams::default(), &patch).await?)
}

fn value(object: &ConfigMap) -> &str {
    object
        .data
        .as_ref()
        .and_then(|data| data.get("value"))
        .map_or("", String::as_str)
}

/// What an event says about objects other than the root CA's, which every namespace gets.
fn line(event: &Event<ConfigMap>) -> Option<String> {
    let of = |what: &str, object: &ConfigMap| {
        (object.name_any() != "kube-root-ca.crt")
            .then(|| format!("{what} {}={}", object.name_any(), value(object)))
    };
    match event {
        Event::Init => Some("init".into()),
        Event::InitApply(object) => of("initial", object),
        Event::InitDone => Some("listed".into()),
        Event::Apply(object) => of("applied", object),
        Event::Delete(object) => of("deleted", object),
    }
}

async fn next(
    stream: &mut (impl Stream<Item = watcher::Result<Event<ConfigMap>>> + Unpin),
) -> Result<String> {
    loop {
        let event = stream.next().await.context("the watcher ended")??;
        if let Some(line) = line(&event) {
            return Ok(line);
        }
    }
}

async fn expect(
    stream: &mut (impl Stream<Item = watcher::Result<Event<ConfigMap>>> + Unpin),
    expected: &[&str],
) -> Result<()> {
    for expected in expected {
        let seen = next(stream).await?;
        ensure!(seen == *expected, "expected {expected:?}, saw {seen:?}");
    }
    Ok(())
}

/// `kube::runtime::watcher` sees creation, change and deletion in order, and goes on without a new
/// list after the server ended the watch; with both ways of getting the initial state.
pub async fn watcher_events(client: &Client) -> Result<()> {
    for config in [
        watcher::Config::default(),
        watcher::Config::default().streaming_lists(),
    ] {
        in_namespace(client, async |client, namespace| {
            let api: Api<ConfigMap> = Api::namespaced(client, &namespace);
            api.create(&PostParams::default(), &configmap("before", "0")?)
                .await?;
            let mut stream = std::pin::pin!(watcher(api.clone(), config.timeout(1)));
            expect(&mut stream, &["init", "initial before=0", "listed"]).await?;
            api.create(&PostParams::default(), &configmap("a", "1")?)
                .await?;
            set(&api, "a", "2").await?;
            set(&api, "before", "3").await?;
            api.delete("a", &DeleteParams::default()).await?;
            expect(
                &mut stream,
                &[
                    "applied a=1",
                    "applied a=2",
                    "applied before=3",
                    "deleted a=2",
                ],
            )
            .await?;
            // Two watches that begin one after the other later than the watcher's and last as long
            // as it: once they have ended, so has the watcher's.
            for _ in 0..2 {
                let version = api.list(&ListParams::default().limit(1)).await?;
                let version = version.metadata.resource_version.context("no version")?;
                let watch = api.watch(&short(), &version).await?;
                watch.try_for_each(async |_| Ok(())).await?;
            }
            set(&api, "before", "4").await?;
            api.delete("before", &DeleteParams::default()).await?;
            expect(&mut stream, &["applied before=4", "deleted before=4"]).await
        })
        .await?;
    }
    Ok(())
}

/// A watch resumed from the last version that was seen shows what happened in between, once, and a
/// watch from the version of a deletion's event does not show the deletion again.
pub async fn resumed_watch(client: &Client) -> Result<()> {
    in_namespace(client, async |client, namespace| {
        let api: Api<ConfigMap> = Api::namespaced(client, &namespace);
        let first = api
            .create(&PostParams::default(), &configmap("a", "1")?)
            .await?;
        let mut version = first.resource_version().context("no version")?;
        let mut seen = Vec::new();
        for round in 0..2 {
            set(&api, "a", &format!("changed {round}")).await?;
            api.create(
                &PostParams::default(),
                &configmap(&format!("b{round}"), "")?,
            )
            .await?;
            api.delete(&format!("b{round}"), &DeleteParams::default())
                .await?;
            let mut watch = std::pin::pin!(api.watch(&short(), &version).await?);
            while let Some(event) = watch.try_next().await? {
                let (what, object) = match event {
                    WatchEvent::Added(object) => ("added", object),
                    WatchEvent::Modified(object) => ("modified", object),
                    WatchEvent::Deleted(object) => ("deleted", object),
                    WatchEvent::Bookmark(_) => continue,
                    WatchEvent::Error(status) => bail!("the watch failed: {status:?}"),
                };
                version = object.resource_version().context("no version")?;
                if object.name_any() != "kube-root-ca.crt" {
                    seen.push(format!("{what} {}={}", object.name_any(), value(&object)));
                }
            }
        }
        ensure!(
            seen == [
                "modified a=changed 0",
                "added b0=",
                "deleted b0=",
                "modified a=changed 1",
                "added b1=",
                "deleted b1=",
            ],
            "the resumed watches saw {seen:?}"
        );
        Ok(())
    })
    .await
}

/// A reflector's store, once it has seen the last write, equals a list made after that write.
pub async fn reflector_equals_list(client: &Client) -> Result<()> {
    in_namespace(client, async |client, namespace| {
        let api: Api<ConfigMap> = Api::namespaced(client, &namespace);
        let writer = Writer::default();
        let store = writer.as_reader();
        let watched = watcher(api.clone(), watcher::Config::default());
        let mut stream = std::pin::pin!(reflector(writer, watched));
        for n in 0..20 {
            let name = format!("object-{n}");
            api.create(&PostParams::default(), &configmap(&name, "new")?)
                .await?;
        }
        while !matches!(stream.try_next().await?.context("ended")?, Event::InitDone) {}
        for n in 0..20 {
            let name = format!("object-{n}");
            match n % 3 {
                0 => drop(set(&api, &name, "changed").await?),
                1 => drop(api.delete(&name, &DeleteParams::default()).await?),
                _ => {}
            }
        }
        api.create(&PostParams::default(), &configmap("last", "")?)
            .await?;
        loop {
            let event = stream.try_next().await?.context("the reflector ended")?;
            if matches!(&event, Event::Apply(object) if object.name_any() == "last") {
                break;
            }
        }
        let mine = |object: &ConfigMap| object.name_any() != "kube-root-ca.crt";
        let stored: BTreeMap<String, ConfigMap> = store
            .state()
            .iter()
            .filter(|object| mine(object))
            .map(|object| (object.name_any(), ConfigMap::clone(object)))
            .collect();
        let listed: BTreeMap<String, ConfigMap> = api
            .list(&ListParams::default())
            .await?
            .into_iter()
            .filter(mine)
            .map(|object| (object.name_any(), object))
            .collect();
        ensure!(listed.len() == 14, "{:?} are listed", listed.keys());
        ensure!(stored == listed, "store {stored:#?}\nlist {listed:#?}");
        Ok(())
    })
    .await
}
