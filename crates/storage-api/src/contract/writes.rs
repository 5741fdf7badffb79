//! Puts and deletes.

use super::{Broken, Outcome, Scene, conflict, ensure, ensure_eq, events};
use crate::{Event, Expected, StoreError};
use bytes::Bytes;
use futures::future::{join_all, try_join_all};
use std::time::Duration;

pub(super) async fn every_write_raises_the_revision_by_one(scene: Scene<'_>) -> Outcome {
    let before = scene.store.revision().await?;
    let first = scene.put("a", "1").await?;
    ensure_eq(first.mod_revision, before + 1, "revision of a create")?;
    ensure_eq(
        first.create_revision,
        before + 1,
        "create revision of a create",
    )?;
    let second = scene.put("a", "2").await?;
    ensure_eq(second.mod_revision, before + 2, "revision of an update")?;
    ensure_eq(
        second.create_revision,
        before + 1,
        "create revision of an update",
    )?;
    ensure_eq(
        scene.put("b", "3").await?.mod_revision,
        before + 3,
        "revision of another key",
    )?;
    ensure_eq(scene.delete("a").await?, before + 4, "revision of a delete")?;
    ensure_eq(
        scene.store.revision().await?,
        before + 4,
        "the store's revision",
    )
}

pub(super) async fn absent_creates_once(scene: Scene<'_>) -> Outcome {
    let key = scene.key("a");
    let made = scene
        .store
        .put(&key, Bytes::from_static(b"1"), Expected::Absent, None)
        .await?;
    ensure_eq(scene.get("a").await?, Some(made.clone()), "what was put")?;
    let again = scene
        .store
        .put(&key, Bytes::from_static(b"2"), Expected::Absent, None)
        .await;
    ensure_eq(
        conflict(again)?,
        Some(made.clone()),
        "the current entry in the conflict",
    )?;
    ensure_eq(
        scene.get("a").await?,
        Some(made.clone()),
        "the entry after the conflict",
    )?;
    let revision = scene.store.revision().await?;
    ensure_eq(
        revision,
        made.mod_revision,
        "the revision after the conflict",
    )
}

pub(super) async fn at_replaces_only_that_version(scene: Scene<'_>) -> Outcome {
    let key = scene.key("a");
    let put = |value, expected| {
        scene
            .store
            .put(&key, Bytes::from_static(value), expected, None)
    };
    let missing = put(b"0", Expected::At(1)).await;
    ensure_eq(
        conflict(missing)?,
        None,
        "the current entry of a missing key",
    )?;
    let first = put(b"1", Expected::Absent).await?;
    let second = put(b"2", Expected::At(first.mod_revision)).await?;
    let stale = put(b"3", Expected::At(first.mod_revision)).await;
    ensure_eq(
        conflict(stale)?,
        Some(second.clone()),
        "the current entry in the conflict",
    )?;
    let future = put(b"3", Expected::At(second.mod_revision + 1)).await;
    ensure_eq(
        conflict(future)?,
        Some(second.clone()),
        "the current entry in the conflict",
    )?;
    ensure_eq(
        scene.get("a").await?,
        Some(second),
        "the entry after the conflicts",
    )
}

pub(super) async fn any_always_writes(scene: Scene<'_>) -> Outcome {
    let first = scene.put("a", "1").await?;
    let second = scene.put("a", "2").await?;
    ensure_eq(
        second.create_revision,
        first.create_revision,
        "create revision",
    )?;
    scene.delete("a").await?;
    let third = scene.put("a", "3").await?;
    ensure_eq(
        third.create_revision,
        third.mod_revision,
        "create revision after a delete",
    )?;
    ensure_eq(scene.get("a").await?, Some(third), "what was put last")
}

pub(super) async fn deleting_returns_what_was_there(scene: Scene<'_>) -> Outcome {
    let put = scene.put("a", "1").await?;
    let (revision, deleted) = scene.store.delete(&scene.key("a"), Expected::Any).await?;
    ensure_eq(&deleted, &put, "the deleted entry")?;
    ensure_eq(revision, put.mod_revision + 1, "the revision of the delete")?;
    ensure_eq(scene.get("a").await?, None, "the key after the delete")?;
    ensure_eq(
        scene.list(None).await?,
        vec![],
        "the range after the delete",
    )
}

pub(super) async fn deleting_has_expectations(scene: Scene<'_>) -> Outcome {
    let key = scene.key("a");
    for expected in [Expected::Any, Expected::Absent, Expected::At(1)] {
        let missing = scene.store.delete(&key, expected).await;
        ensure_eq(
            conflict(missing)?,
            None,
            "the current entry of a missing key",
        )?;
    }
    let first = scene.put("a", "1").await?;
    let second = scene.put("a", "2").await?;
    for expected in [Expected::Absent, Expected::At(first.mod_revision)] {
        let refused = scene.store.delete(&key, expected).await;
        ensure_eq(
            conflict(refused)?,
            Some(second.clone()),
            "the current entry",
        )?;
    }
    let (_, deleted) = scene
        .store
        .delete(&key, Expected::At(second.mod_revision))
        .await?;
    ensure_eq(deleted, second, "the deleted entry")
}

pub(super) async fn a_key_can_be_made_again(scene: Scene<'_>) -> Outcome {
    let key = scene.key("a");
    let mut last = 0;
    for round in 0..3 {
        let value = Bytes::from(format!("round {round}"));
        let made = scene
            .store
            .put(&key, value.clone(), Expected::Absent, None)
            .await?;
        ensure(made.create_revision > last, || {
            "an old life of the key shows".to_owned()
        })?;
        ensure_eq(
            made.create_revision,
            made.mod_revision,
            "revisions of the new life",
        )?;
        let (read, _) = scene.store.get(&key, None).await?;
        ensure_eq(
            read.map(|entry| entry.value),
            Some(value),
            "the value of the new life",
        )?;
        last = scene.delete("a").await?;
    }
    Ok(())
}

pub(super) async fn values_are_opaque(scene: Scene<'_>) -> Outcome {
    let all_bytes: Vec<u8> = (0..=255).collect();
    let values: [&[u8]; 4] = [b"", &all_bytes, "naïve ☃".as_bytes(), b"{\"a\":1}"];
    for (at, value) in values.into_iter().enumerate() {
        let key = scene.key(&format!("ключ {at}"));
        let put = scene
            .store
            .put(&key, Bytes::copy_from_slice(value), Expected::Any, None)
            .await?;
        ensure_eq(&*put.key, key.as_str(), "the key of a put")?;
        let (read, _) = scene.store.get(&key, None).await?;
        ensure_eq(
            read.map(|entry| entry.value),
            Some(Bytes::copy_from_slice(value)),
            "value",
        )?;
    }
    ensure_eq(scene.list(None).await?.len(), values.len(), "entries")
}

pub(super) async fn values_have_a_limit(scene: Scene<'_>) -> Outcome {
    let limit = scene.settings.value_limit;
    let largest = Bytes::from(vec![7; limit]);
    let put = scene
        .store
        .put(&scene.key("a"), largest.clone(), Expected::Any, None)
        .await?;
    ensure(scene.get("a").await? == Some(put.clone()), || {
        "the largest value".to_owned()
    })?;
    let too_large = Bytes::from(vec![7; limit + 1]);
    match scene
        .store
        .put(&scene.key("a"), too_large, Expected::Any, None)
        .await
    {
        Err(StoreError::TooLarge { size, limit: told }) => {
            ensure_eq((size, told), (limit + 1, limit), "size and limit")?;
        }
        Err(other) => return Err(other.into()),
        Ok(_) => return Err(Broken("a value above the limit was taken".to_owned())),
    }
    ensure_eq(
        scene.store.revision().await?,
        put.mod_revision,
        "the revision afterwards",
    )
}

pub(super) async fn one_of_many_creators_wins(scene: Scene<'_>) -> Outcome {
    let key = scene.key("a");
    let key = key.as_str();
    let writers = (0..16).map(|writer| async move {
        let value = Bytes::from(format!("writer {writer}"));
        scene.store.put(key, value, Expected::Absent, None).await
    });
    let mut winners = Vec::new();
    let mut seen = Vec::new();
    for result in join_all(writers).await {
        match result {
            Ok(entry) => winners.push(entry),
            other => seen.push(conflict(other)?),
        }
    }
    ensure_eq(winners.len(), 1, "winners")?;
    let winner = winners.into_iter().next();
    ensure(seen.iter().all(|seen| *seen == winner), || {
        format!("losers saw {seen:?}")
    })?;
    ensure_eq(scene.get("a").await?, winner, "what is there")
}

pub(super) async fn concurrent_increments_are_not_lost(scene: Scene<'_>) -> Outcome {
    scene.put("counter", "0").await?;
    let before = scene.store.revision().await?;
    let writers = (0..8).map(|_| async move {
        for _ in 0..10 {
            increment(scene).await?;
        }
        Ok::<(), Broken>(())
    });
    try_join_all(writers).await?;
    let counter = scene.get("counter").await?.map(|entry| entry.value);
    ensure_eq(counter, Some(Bytes::from_static(b"80")), "the counter")?;
    ensure_eq(scene.store.revision().await?, before + 80, "the revision")
}

async fn increment(scene: Scene<'_>) -> Outcome {
    let key = scene.key("counter");
    let mut current = scene.get("counter").await?;
    loop {
        let Some(entry) = current else {
            return Err(Broken("the counter is gone".to_owned()));
        };
        let count: u64 = String::from_utf8_lossy(&entry.value)
            .parse()
            .unwrap_or_default();
        let next = Bytes::from((count + 1).to_string());
        let expected = Expected::At(entry.mod_revision);
        match scene.store.put(&key, next, expected, None).await {
            Ok(_) => return Ok(()),
            refused => current = conflict(refused)?,
        }
    }
}

pub(super) async fn entries_expire(scene: Scene<'_>) -> Outcome {
    let start = scene.store.revision().await?;
    let mut watch = scene.watch(start).await?;
    let value = Bytes::from_static(b"short-lived");
    let ttl = Some(Duration::from_secs(1));
    let put = scene
        .store
        .put(&scene.key("a"), value, Expected::Absent, ttl)
        .await?;
    let seen = events(&mut watch, scene.prefix, 2).await?;
    match seen.as_slice() {
        [
            Event::Put { entry, .. },
            Event::Delete {
                previous,
                key,
                revision,
            },
        ] => {
            ensure_eq(entry, &put, "the put")?;
            ensure_eq(previous.as_ref(), Some(&put), "the entry that expired")?;
            ensure_eq(key, &put.key, "the key that expired")?;
            ensure_eq(
                *revision,
                put.mod_revision + 1,
                "the revision of the expiry",
            )?;
        }
        other => {
            return Err(Broken(format!(
                "a put and a delete were expected, not {other:?}"
            )));
        }
    }
    ensure_eq(scene.get("a").await?, None, "the expired entry")?;
    let (kept, _) = scene
        .store
        .get(&scene.key("a"), Some(put.mod_revision))
        .await?;
    ensure_eq(kept, Some(put), "the expired entry in the past")
}

pub(super) async fn a_later_write_ends_the_time_to_live(scene: Scene<'_>) -> Outcome {
    let start = scene.store.revision().await?;
    let mut watch = scene.watch(start).await?;
    let put = |name, seconds| async move {
        let ttl = Some(Duration::from_secs(seconds));
        scene
            .store
            .put(&scene.key(name), Bytes::new(), Expected::Any, ttl)
            .await
    };
    put("permanent", 1).await?;
    let permanent = scene.put("permanent", "now without").await?;
    put("deleted", 1).await?;
    scene.delete("deleted").await?;
    let made_again = scene.put("deleted", "again").await?;
    put("last", 2).await?;
    // Six writes, and the expiry of the last: by then the others would have expired, too.
    let seen = events(&mut watch, scene.prefix, 7).await?;
    let last = seen.last();
    ensure(
        matches!(last, Some(Event::Delete { key, .. }) if **key == scene.key("last")),
        || format!("the last event is {last:?}"),
    )?;
    ensure_eq(
        scene.get("permanent").await?,
        Some(permanent),
        "the entry put again",
    )?;
    ensure_eq(
        scene.get("deleted").await?,
        Some(made_again),
        "the entry made again",
    )
}

pub(super) async fn replacing_keeps_the_time_to_live(scene: Scene<'_>) -> Outcome {
    let key = scene.key("a");
    let missing = scene.store.replace(&key, Bytes::new(), 1).await;
    ensure_eq(
        conflict(missing)?,
        None,
        "the current entry of a missing key",
    )?;
    let start = scene.store.revision().await?;
    let mut watch = scene.watch(start).await?;
    let ttl = Some(Duration::from_secs(1));
    let put = scene
        .store
        .put(&key, Bytes::from_static(b"1"), Expected::Absent, ttl)
        .await?;
    let value = Bytes::from_static(b"2");
    let replaced = scene
        .store
        .replace(&key, value.clone(), put.mod_revision)
        .await?;
    ensure_eq(
        replaced.mod_revision,
        put.mod_revision + 1,
        "the revision of a replace",
    )?;
    ensure_eq(
        replaced.create_revision,
        put.create_revision,
        "the create revision",
    )?;
    let stale = scene.store.replace(&key, value, put.mod_revision).await;
    ensure_eq(
        conflict(stale)?,
        Some(replaced.clone()),
        "the current entry in the conflict",
    )?;
    let permanent = scene.put("b", "1").await?;
    let value = Bytes::from_static(b"2");
    let permanent = scene
        .store
        .replace(&permanent.key, value, permanent.mod_revision)
        .await?;
    let seen = events(&mut watch, scene.prefix, 5).await?;
    match seen.last() {
        Some(Event::Delete { previous, .. }) => {
            ensure_eq(previous.as_ref(), Some(&replaced), "the entry that expired")?;
        }
        other => return Err(Broken(format!("an expiry was expected, not {other:?}"))),
    }
    ensure_eq(
        scene.get("b").await?,
        Some(permanent),
        "the permanent entry",
    )
}
