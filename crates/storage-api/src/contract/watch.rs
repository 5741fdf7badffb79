//! Watches.

use super::{Broken, Outcome, Scene, ensure, ensure_eq, events, events_until};
use crate::{Entry, Event, Expected, StoreError};
use futures::future::try_join_all;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) async fn a_watch_from_the_past_goes_on_into_the_present(scene: Scene<'_>) -> Outcome {
    let start = scene.store.revision().await?;
    let mut written = Vec::new();
    for number in 0..5 {
        written.push(scene.put("a", &number.to_string()).await?.mod_revision);
    }
    written.push(scene.delete("a").await?);
    let mut from_start = scene.watch(start).await?;
    let mut from_third = scene.watch(start + 3).await?;
    let mut from_now = scene.watch(scene.store.revision().await?).await?;
    for number in 0..5 {
        written.push(scene.put("b", &number.to_string()).await?.mod_revision);
    }
    let watches = [
        (&mut from_start, 0),
        (&mut from_third, 3),
        (&mut from_now, 6),
    ];
    for (watch, skipped) in watches {
        let seen = events(watch, scene.prefix, written.len() - skipped).await?;
        let seen: Vec<_> = seen.iter().map(Event::revision).collect();
        let expected: Vec<_> = written.iter().copied().skip(skipped).collect();
        ensure_eq(seen, expected, "the revisions seen")?;
    }
    Ok(())
}

pub(super) async fn a_watch_sees_its_prefix_only(scene: Scene<'_>) -> Outcome {
    let start = scene.store.revision().await?;
    let pods = scene.key("pods/");
    let mut live = scene.store.watch(&pods, start).await?;
    for name in ["pods/a", "podsecurity/x", "pods", "nodes/n", "pods/b"] {
        scene.put(name, name).await?;
    }
    let mut late = scene.store.watch(&pods, start).await?;
    let end = scene.delete("pods/a").await?;
    for watch in [&mut live, &mut late] {
        let seen = events_until(watch, &pods, end).await?;
        let seen: Vec<&str> = seen.iter().map(|event| &**event.key()).collect();
        let expected = ["pods/a", "pods/b", "pods/a"].map(|name| scene.key(name));
        ensure_eq(
            seen,
            expected.iter().map(String::as_str).collect(),
            "the keys seen",
        )?;
    }
    Ok(())
}

pub(super) async fn a_watch_tells_its_progress(scene: Scene<'_>) -> Outcome {
    scene.put("elsewhere", "before").await?;
    let start = scene.store.revision().await?;
    let quiet = scene.key("quiet/");
    let mut watch = scene.store.watch(&quiet, start).await?;
    for _ in 0..3 {
        let written = scene.put("elsewhere", "more").await?.mod_revision;
        let seen = events_until(&mut watch, &quiet, written).await?;
        ensure_eq(seen, vec![], "events of other keys")?;
    }
    Ok(())
}

pub(super) async fn events_have_the_previous_entry(scene: Scene<'_>) -> Outcome {
    let start = scene.store.revision().await?;
    let mut live = scene.watch(start).await?;
    let first = scene.put("a", "1").await?;
    let second = scene.put("a", "2").await?;
    let deleted = scene.delete("a").await?;
    let third = scene.put("a", "3").await?;
    let expected = vec![
        Event::Put {
            entry: first.clone(),
            previous: None,
        },
        Event::Put {
            entry: second.clone(),
            previous: Some(first),
        },
        Event::Delete {
            key: Arc::clone(&second.key),
            previous: Some(second),
            revision: deleted,
        },
        Event::Put {
            entry: third,
            previous: None,
        },
    ];
    let mut late = scene.watch(start).await?;
    for watch in [&mut live, &mut late] {
        let seen = events(watch, scene.prefix, expected.len()).await?;
        ensure_eq(&seen, &expected, "the events")?;
    }
    Ok(())
}

pub(super) async fn watchers_see_the_same(scene: Scene<'_>) -> Outcome {
    let start = scene.store.revision().await?;
    let mut watches = Vec::new();
    for _ in 0..10 {
        watches.push(scene.watch(start).await?);
    }
    // Dropped watches are in nobody's way.
    watches.truncate(8);
    let writers = (0..8).map(|writer| async move {
        for number in 0..10 {
            scene.put(&format!("{writer}/{number}"), "").await?;
        }
        Ok::<(), Broken>(())
    });
    try_join_all(writers).await?;
    let first = events(&mut watches.swap_remove(0), scene.prefix, 80).await?;
    let revisions: Vec<_> = first.iter().map(Event::revision).collect();
    ensure_eq(
        revisions,
        (start + 1..=start + 80).collect(),
        "the revisions seen",
    )?;
    for watch in &mut watches {
        let seen = events(watch, scene.prefix, 80).await?;
        ensure(seen == first, || {
            "two watchers have seen different events".to_owned()
        })?;
    }
    Ok(())
}

pub(super) async fn a_watch_of_compacted_history_is_refused(scene: Scene<'_>) -> Outcome {
    let start = scene.store.revision().await?;
    for number in 0..5 {
        scene.put("a", &number.to_string()).await?;
    }
    let compacted = start + 4;
    scene.store.compact(compacted).await?;
    for after in [start, compacted - 2] {
        match scene.store.watch(scene.prefix, after).await {
            Err(StoreError::Compacted { oldest, .. }) => {
                ensure_eq(oldest, compacted, "the oldest revision")?;
            }
            Err(other) => return Err(other.into()),
            Ok(_) => return Err(Broken(format!("a watch after {after} was not refused"))),
        }
    }
    for (after, revisions) in [
        (compacted - 1, start + 4..=start + 5),
        (compacted, start + 5..=start + 5),
    ] {
        let mut watch = scene.watch(after).await?;
        let expected: Vec<_> = revisions.collect();
        let seen = events(&mut watch, scene.prefix, expected.len()).await?;
        ensure_eq(
            seen.iter().map(Event::revision).collect(),
            expected,
            "the revisions seen",
        )?;
    }
    Ok(())
}

pub(super) async fn a_live_watch_outlasts_compaction(scene: Scene<'_>) -> Outcome {
    let start = scene.store.revision().await?;
    let mut watch = scene.watch(start).await?;
    for round in 0..5 {
        scene.put("a", &format!("{round}")).await?;
        scene.put("b", &format!("{round}")).await?;
        let end = scene.delete("b").await?;
        let seen = events(&mut watch, scene.prefix, 3).await?;
        ensure_eq(
            seen.last().map(Event::revision),
            Some(end),
            "the last revision seen",
        )?;
        scene.store.compact(end).await?;
    }
    Ok(())
}

pub(super) async fn a_slow_watcher_misses_nothing(scene: Scene<'_>) -> Outcome {
    let start = scene.store.revision().await?;
    let mut watch = scene.watch(start).await?;
    let mut beside = scene.watch(start).await?;
    let total: u64 = 4_000;
    let writers = (0..40).map(|writer| async move {
        for number in 0..total / 40 {
            scene.put(&format!("{writer}"), &number.to_string()).await?;
        }
        Ok::<(), Broken>(())
    });
    try_join_all(writers).await?;
    // Nobody has read from either watch so far.
    for watch in [&mut watch, &mut beside] {
        let seen = events_until(watch, scene.prefix, start + total).await?;
        let revisions: Vec<_> = seen.iter().map(Event::revision).collect();
        ensure(
            revisions == (start + 1..=start + total).collect::<Vec<_>>(),
            || format!("{} events were seen of {total}", revisions.len()),
        )?;
    }
    let live = scene.put("live", "").await?.mod_revision;
    for watch in [&mut watch, &mut beside] {
        let seen = events_until(watch, scene.prefix, live).await?;
        let seen: Vec<_> = seen.iter().map(Event::revision).collect();
        ensure_eq(seen, vec![live], "the event after catching up")?;
    }
    Ok(())
}

pub(super) async fn events_over_a_list_are_a_later_list(scene: Scene<'_>) -> Outcome {
    for number in 0..20 {
        scene.put(&format!("{number}"), "at first").await?;
    }
    let listed = scene.store.range(scene.prefix, None, 0, None).await?;
    let mut watch = scene.watch(listed.revision).await?;
    let writers = (0..10_u64).map(|writer| async move {
        for step in 0..20 {
            let name = ((writer * 7 + step * 3) % 25).to_string();
            if step % 4 == 3 {
                // Somebody else may have deleted it.
                let _ = scene.store.delete(&scene.key(&name), Expected::Any).await;
            } else {
                scene.put(&name, &format!("{writer} {step}")).await?;
            }
        }
        Ok::<(), Broken>(())
    });
    try_join_all(writers).await?;
    let later = scene.store.range(scene.prefix, None, 0, None).await?;
    let mut replayed: BTreeMap<Arc<str>, Entry> = listed
        .entries
        .into_iter()
        .map(|entry| (Arc::clone(&entry.key), entry))
        .collect();
    for event in events_until(&mut watch, scene.prefix, later.revision).await? {
        match event {
            Event::Put { entry, previous } => {
                let before = replayed.insert(Arc::clone(&entry.key), entry);
                ensure_eq(before, previous, "the entry before a put")?;
            }
            Event::Delete { key, previous, .. } => {
                ensure_eq(replayed.remove(&key), previous, "the entry before a delete")?;
            }
        }
    }
    let replayed: Vec<Entry> = replayed.into_values().collect();
    ensure_eq(
        replayed,
        later.entries,
        "the list and the events over the earlier list",
    )?;
    Ok(())
}
