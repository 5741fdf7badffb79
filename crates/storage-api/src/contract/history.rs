//! Reads, now and in the past, and compaction.

use super::{Broken, Outcome, Scene, ensure, ensure_eq};
use crate::{Entry, Revision, StoreError};
use futures::StreamExt;

pub(super) async fn a_key_is_read_as_it_was(scene: Scene<'_>) -> Outcome {
    let before = scene.store.revision().await?;
    let first = scene.put("a", "1").await?;
    let second = scene.put("a", "2").await?;
    let deleted = scene.delete("a").await?;
    let third = scene.put("a", "3").await?;
    let other = scene.put("b", "other").await?;
    let history = [
        (before, None),
        (first.mod_revision, Some(&first)),
        (second.mod_revision, Some(&second)),
        (deleted, None),
        (third.mod_revision, Some(&third)),
        (other.mod_revision, Some(&third)),
    ];
    for (revision, expected) in history {
        let (found, read_at) = scene.store.get(&scene.key("a"), Some(revision)).await?;
        ensure_eq(found.as_ref(), expected, "the entry in the past")?;
        ensure_eq(read_at, revision, "the revision of the read")?;
        let range = scene
            .store
            .range(&scene.key("a"), None, 0, Some(revision))
            .await?;
        let expected: Vec<Entry> = expected.into_iter().cloned().collect();
        ensure_eq(range.entries, expected, "the range in the past")?;
        ensure_eq(range.revision, revision, "the revision of the range")?;
    }
    let (found, read_at) = scene.store.get(&scene.key("a"), None).await?;
    ensure_eq(found, Some(third), "the entry now")?;
    ensure_eq(read_at, other.mod_revision, "the revision of the read now")
}

pub(super) async fn the_future_cannot_be_read(scene: Scene<'_>) -> Outcome {
    let newest = scene.put("a", "1").await?.mod_revision;
    let requested = newest + 1;
    let got = scene.store.get(&scene.key("a"), Some(requested)).await;
    ensure(is_future(&got, requested), || {
        format!("a get in the future gave {got:?}")
    })?;
    let range = scene
        .store
        .range(scene.prefix, None, 0, Some(requested))
        .await;
    ensure(is_future(&range, requested), || {
        format!("a range in the future gave {range:?}")
    })?;
    let compacted = scene.store.compact(requested).await;
    ensure(is_future(&compacted, requested), || {
        format!("compacting gave {compacted:?}")
    })?;
    scene.put("a", "2").await?;
    scene.store.get(&scene.key("a"), Some(requested)).await?;
    Ok(())
}

fn is_future<T>(result: &crate::Result<T>, asked: Revision) -> bool {
    matches!(result, Err(StoreError::Future { requested, .. }) if *requested == asked)
}

fn is_compacted<T>(result: &crate::Result<T>, asked: Revision) -> bool {
    matches!(result, Err(StoreError::Compacted { requested, .. }) if *requested == asked)
}

pub(super) async fn a_scan_has_every_entry_once(scene: Scene<'_>) -> Outcome {
    for round in 0..3 {
        for n in 0..150 {
            scene.put(&format!("s/{n}"), &format!("{round}")).await?;
        }
    }
    scene.delete("s/7").await?;
    scene.put("other", "x").await?;
    let prefix = scene.key("s/");
    let scan = scene.store.scan(&prefix).await?;
    // Not part of what is as of the scan's revision.
    scene.put("s/later", "x").await?;
    let range = scene
        .store
        .range(&prefix, None, 0, Some(scan.revision))
        .await?;
    let pieces: Vec<_> = scan.entries.collect().await;
    let mut found = Vec::new();
    for piece in pieces {
        found.extend(piece?);
    }
    found.sort_by(|a, b| a.key.cmp(&b.key));
    ensure_eq(found.len(), 149, "the entries of a scan")?;
    ensure_eq(found, range.entries, "a scan and a range")
}

pub(super) async fn ranges_are_in_order_and_below_their_prefix(scene: Scene<'_>) -> Outcome {
    for name in [
        "pods/b",
        "pods/a",
        "pods",
        "podsecurity/x",
        "pods/a/log",
        "nodes/n",
        "pods/ä",
    ] {
        scene.put(name, name).await?;
    }
    let cases: [(&str, Option<&str>, &[&str]); 6] = [
        ("pods/", None, &["pods/a", "pods/a/log", "pods/b", "pods/ä"]),
        (
            "pods",
            None,
            &[
                "pods",
                "pods/a",
                "pods/a/log",
                "pods/b",
                "pods/ä",
                "podsecurity/x",
            ],
        ),
        (
            "pods/",
            Some("pods/a\0"),
            &["pods/a/log", "pods/b", "pods/ä"],
        ),
        ("pods/", Some("pods/b"), &["pods/b", "pods/ä"]),
        (
            "pods/",
            Some("nodes"),
            &["pods/a", "pods/a/log", "pods/b", "pods/ä"],
        ),
        ("pods/", Some("q"), &[]),
    ];
    for (prefix, start, expected) in cases {
        let start = start.map(|start| scene.key(start));
        let range = scene
            .store
            .range(&scene.key(prefix), start.as_deref(), 0, None)
            .await?;
        let names: Vec<String> = range
            .entries
            .iter()
            .map(|entry| entry.key.to_string())
            .collect();
        let expected: Vec<String> = expected.iter().map(|name| scene.key(name)).collect();
        ensure_eq(names, expected, "the keys of a range")?;
        ensure_eq(range.remaining, 0, "what remains of a whole range")?;
    }
    Ok(())
}

pub(super) async fn pages_of_one_revision_fit_together(scene: Scene<'_>) -> Outcome {
    for number in 0..25 {
        scene.put(&format!("{number:02}"), "before").await?;
    }
    let whole = scene.list(None).await?;
    let mut pages: Vec<Entry> = Vec::new();
    let mut at = None;
    loop {
        let start = pages.last().map(|entry| format!("{}\0", entry.key));
        let page = scene
            .store
            .range(scene.prefix, start.as_deref(), 10, at)
            .await?;
        ensure(page.entries.len() <= 10, || "a page is too long".to_owned())?;
        let done = page.remaining == 0;
        pages.extend(page.entries);
        let left = whole.len().saturating_sub(pages.len()) as u64;
        ensure_eq(page.remaining, left, "what remains after a page")?;
        ensure_eq(
            page.revision,
            at.unwrap_or(page.revision),
            "the revision of a page",
        )?;
        at = Some(page.revision);
        if done {
            break;
        }
        // What happens between pages does not show in them.
        scene.put("24", "changed").await?;
        scene.put(&format!("new {}", pages.len()), "new").await?;
        if scene.get("19").await?.is_some() {
            scene.delete("19").await?;
        }
    }
    ensure_eq(pages, whole, "the pages together")
}

pub(super) async fn compaction_forgets_the_past_only(scene: Scene<'_>) -> Outcome {
    let first = scene.put("a", "1").await?;
    let kept = scene.put("kept", "since long").await?;
    scene.put("gone", "1").await?;
    let second = scene.put("a", "2").await?;
    scene.delete("gone").await?;
    let third = scene.put("a", "3").await?;
    scene.store.compact(second.mod_revision).await?;

    for revision in [first.mod_revision, second.mod_revision - 1] {
        let got = scene.store.get(&scene.key("a"), Some(revision)).await;
        ensure(is_compacted(&got, revision), || {
            format!("a get of the past gave {got:?}")
        })?;
        let range = scene
            .store
            .range(scene.prefix, None, 0, Some(revision))
            .await;
        ensure(is_compacted(&range, revision), || {
            format!("a range gave {range:?}")
        })?;
    }
    let (found, _) = scene
        .store
        .get(&scene.key("a"), Some(second.mod_revision))
        .await?;
    ensure_eq(
        found,
        Some(second.clone()),
        "the entry at the compacted revision",
    )?;
    let at_compaction = scene.list(Some(second.mod_revision)).await?;
    let names: Vec<&str> = at_compaction.iter().map(|entry| &*entry.key).collect();
    let expected = ["a", "gone", "kept"].map(|name| scene.key(name));
    ensure_eq(
        names,
        expected.iter().map(String::as_str).collect(),
        "keys at that revision",
    )?;
    ensure_eq(
        scene.list(None).await?,
        vec![third.clone(), kept.clone()],
        "the newest versions",
    )?;

    let newest = scene.store.revision().await?;
    scene.store.compact(newest).await?;
    ensure_eq(
        scene.list(None).await?,
        vec![third, kept],
        "the newest versions",
    )?;
    let again = scene.put("gone", "2").await?;
    ensure_eq(
        again.create_revision,
        again.mod_revision,
        "a key made again after compaction",
    )?;
    ensure_eq(
        again.mod_revision,
        newest + 1,
        "the revision after compaction",
    )
}

pub(super) async fn compacting_again_changes_nothing(scene: Scene<'_>) -> Outcome {
    scene.put("a", "1").await?;
    let second = scene.put("a", "2").await?;
    scene.put("a", "3").await?;
    for revision in [
        second.mod_revision,
        second.mod_revision,
        second.mod_revision - 1,
    ] {
        scene.store.compact(revision).await?;
        let (found, _) = scene
            .store
            .get(&scene.key("a"), Some(second.mod_revision))
            .await?;
        ensure_eq(
            found.as_ref(),
            Some(&second),
            "the entry at the compacted revision",
        )?;
        let older = second.mod_revision - 1;
        match scene.store.get(&scene.key("a"), Some(older)).await {
            Err(StoreError::Compacted { requested, oldest }) => {
                let told = (requested, oldest);
                ensure_eq(
                    told,
                    (older, second.mod_revision),
                    "requested and oldest revision",
                )?;
            }
            other => return Err(Broken(format!("a get of the past gave {other:?}"))),
        }
    }
    Ok(())
}
