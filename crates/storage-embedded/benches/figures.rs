//! The figures of `docs/storage.md`: durable puts by 16 writers on two threads, opening with
//! 100,000 objects, memory. Prints a table; `FIGURES_DIR` says on which medium (default: here).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench"
)]

use bytes::Bytes;
use futures::StreamExt;
use futures::executor::block_on;
use futures::future::try_join_all;
use std::sync::Arc;
use std::time::{Duration, Instant};
use storage_api::{Expected, Store};
use storage_embedded::{EmbeddedStore, Options};

const WRITERS: usize = 16;
const PER_WRITER: usize = 4_000;
const OBJECTS: usize = 100_000;

fn key(number: usize) -> String {
    format!(
        "/registry/core/configmaps/namespace-{}/object-{number:06}",
        number % 100
    )
}

fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|f| f.parse::<u64>().ok())
            .unwrap_or(0)
    };
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// CPU time of the thread of that name, which the process has one of.
fn thread_cpu(name: &str) -> Duration {
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        if stat.contains(&format!("({name})")) {
            let schedstat = std::fs::read_to_string(task.path().join("schedstat")).unwrap();
            let nanoseconds = schedstat.split(' ').next().unwrap().parse().unwrap();
            return Duration::from_nanos(nanoseconds);
        }
    }
    Duration::ZERO
}

fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("RssAnon"))
        .unwrap_or("");
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<f64>().ok())
        .unwrap_or(0.0)
        / 1024.0
}

async fn writer(store: &EmbeddedStore, writer: usize) -> Vec<Duration> {
    let mut taken = Vec::with_capacity(PER_WRITER);
    for number in 0..PER_WRITER {
        let value = Bytes::from(vec![7; 1024]);
        let key = key(writer * PER_WRITER + number);
        let start = Instant::now();
        store
            .put(&key, value, Expected::Absent, None)
            .await
            .unwrap();
        taken.push(start.elapsed());
    }
    taken
}

fn main() {
    let medium = std::env::var("FIGURES_DIR").unwrap_or_else(|_| ".".to_owned());
    let directory = tempfile::tempdir_in(medium).unwrap();
    let idle = resident();
    let store = Arc::new(EmbeddedStore::open(directory.path(), Options::default()).unwrap());
    println!(
        "memory of an empty store         {:>9.1} MiB",
        resident() - idle
    );

    // One watcher of everything, as the server's cache is.
    let mut watch = block_on(store.watch("/registry/", 1)).unwrap();
    let watcher = std::thread::spawn(move || {
        block_on(async {
            let mut seen = 0;
            while seen < WRITERS * PER_WRITER {
                seen += watch.next().await.unwrap().unwrap().events.len();
            }
        });
    });
    let (start, before) = (Instant::now(), cpu());
    let threads: Vec<_> = (0..2)
        .map(|thread| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || {
                let mine = (0..WRITERS).filter(|writer| writer % 2 == thread);
                let writers = mine.map(|number| writer(&store, number));
                block_on(futures::future::join_all(writers)).concat()
            })
        })
        .collect();
    let mut taken: Vec<_> = threads
        .into_iter()
        .flat_map(|t| t.join().unwrap())
        .collect();
    let elapsed = start.elapsed();
    let used = cpu() - before;
    watcher.join().unwrap();
    taken.sort_unstable();
    let puts = (WRITERS * PER_WRITER) as f64;
    let at = |share: f64| taken[(taken.len() as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "durable creates, 16 writers      {:>9.0} /s",
        puts / elapsed.as_secs_f64()
    );
    println!(
        "  latency p50, p99, p99.9        {:>9.2} {:.2} {:.2} ms",
        at(0.5),
        at(0.99),
        at(0.999)
    );
    println!(
        "  CPU for each, whole process    {:>9.1} us",
        used.as_secs_f64() * 1e6 / puts
    );
    let writer = thread_cpu("store-writer").as_secs_f64() * 1e6 / puts;
    println!("  CPU for each, writer's thread  {writer:>9.1} us");

    for first in (WRITERS * PER_WRITER..OBJECTS).step_by(200) {
        let puts = (first..(first + 200).min(OBJECTS)).map(|number| {
            let store = Arc::clone(&store);
            async move {
                let value = Bytes::from(vec![7; 1024]);
                store.put(&key(number), value, Expected::Any, None).await
            }
        });
        block_on(try_join_all(puts)).unwrap();
    }
    println!(
        "file with 100,000 of 1 KiB       {:>9.1} MiB",
        block_on(store.size()).unwrap() as f64 / 1048576.0
    );
    println!(
        "memory with them                 {:>9.1} MiB",
        resident() - idle
    );
    block_on(store.close());
    drop(store);

    for (what, verify) in [
        ("opened, with verification", true),
        ("opened, without", false),
    ] {
        let start = Instant::now();
        let options = Options {
            verify,
            ..Options::default()
        };
        let store = EmbeddedStore::open(directory.path(), options).unwrap();
        println!("{what:<32} {:>9.1} ms", start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        let all = block_on(store.range("/registry/", None, 0, None)).unwrap();
        assert_eq!(all.entries.len(), OBJECTS);
        println!(
            "  and all entries read           {:>9.1} ms",
            start.elapsed().as_secs_f64() * 1e3
        );
        drop(all);
        println!(
            "  memory after that              {:>9.1} MiB",
            resident() - idle
        );
        let out = std::fs::File::create(directory.path().join("backup")).unwrap();
        let start = Instant::now();
        block_on(store.backup(out)).unwrap();
        println!(
            "  backed up                      {:>9.1} ms",
            start.elapsed().as_secs_f64() * 1e3
        );
        let start = Instant::now();
        block_on(store.vacuum()).unwrap();
        println!(
            "  vacuumed                       {:>9.1} ms",
            start.elapsed().as_secs_f64() * 1e3
        );
        block_on(store.close());
    }
}
