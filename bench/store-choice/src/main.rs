//! Compares embedded key-value crates under the access pattern of the embedded store: a table
//! keyed by revision that only ever grows at its end and is thinned out by compaction, each commit
//! durable, commits gathering what 16 waiting writers have queued.
//!
//! `cargo run --release -- [CANDIDATE]…` prints one row per candidate; each runs in a process of
//! its own so that memory figures do not mix.

mod candidates;

use candidates::{Candidate, Record};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

const VALUE: usize = 1024;
const WRITERS: u64 = 16;
const OBJECTS: u64 = 100_000;

fn value(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(VALUE);
    while bytes.len() < VALUE {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}

struct Job {
    value: Vec<u8>,
    done: SyncSender<()>,
}

/// Puts `per_writer` values from each of 16 threads through one committing thread.
fn group_commit(store: &mut dyn Candidate, first: u64, per_writer: u64) -> Vec<Duration> {
    let (sender, jobs): (_, Receiver<Job>) = channel();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let sender = sender.clone();
                scope.spawn(move || {
                    let (done, wait) = sync_channel(1);
                    let mut taken = Vec::with_capacity(per_writer as usize);
                    for n in 0..per_writer {
                        let value = value(writer * per_writer + n);
                        let start = Instant::now();
                        sender.send(Job { value, done: done.clone() }).unwrap();
                        wait.recv().unwrap();
                        taken.push(start.elapsed());
                    }
                    taken
                })
            })
            .collect();
        drop(sender);
        let mut revision = first;
        while let Ok(job) = jobs.recv() {
            let mut batch = vec![job];
            batch.extend(jobs.try_iter());
            let records: Vec<Record> = batch
                .iter()
                .map(|job| {
                    revision += 1;
                    (revision, job.value.as_slice())
                })
                .collect();
            store.commit(&records, &[]);
            for job in batch {
                job.done.send(()).unwrap();
            }
        }
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    })
}

fn disk(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in std::fs::read_dir(path).unwrap().flatten() {
        let meta = entry.metadata().unwrap();
        bytes += if meta.is_dir() { disk(&entry.path()) } else { meta.blocks() * 512 };
    }
    bytes
}

fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// Resident anonymous memory in MiB (mapped files are the kernel's to take back).
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

fn run(name: &str) {
    let base = std::env::var("STORE_CHOICE_DIR").unwrap_or_else(|_| ".".to_owned());
    let dir = tempfile::tempdir_in(base).unwrap();
    let mut row = format!("{name:<10}");
    let mut store = candidates::open(name, dir.path());

    // Durable puts of 1 KiB from 16 writers.
    group_commit(store.as_mut(), 0, 200);
    let (start, cpu_before) = (Instant::now(), cpu());
    let per_writer = 2_000;
    let mut taken = group_commit(store.as_mut(), WRITERS * 200, per_writer);
    let puts = WRITERS * per_writer;
    let rate = puts as f64 / start.elapsed().as_secs_f64();
    let cpu_per_put = (cpu() - cpu_before).as_secs_f64() * 1e6 / puts as f64;
    taken.sort_unstable();
    let p99 = taken[taken.len() * 99 / 100].as_secs_f64() * 1e3;
    row += &format!(" {rate:>9.0} {p99:>7.2} {cpu_per_put:>7.1}");

    // Fill up to 100,000 in larger commits.
    let mut revision = WRITERS * (200 + per_writer);
    while revision < OBJECTS {
        let values: Vec<Vec<u8>> = (0..200).map(|n| value(revision + n)).collect();
        let records: Vec<Record> = (1..).map(|n| revision + n).zip(values.iter().map(|v| &v[..])).collect();
        store.commit(&records, &[]);
        revision += 200;
    }
    row += &format!(" {:>7.0}", disk(dir.path()) as f64 / 1048576.0);
    drop(store);

    let start = Instant::now();
    let mut store = candidates::open(name, dir.path());
    let opened = start.elapsed().as_secs_f64() * 1e3;
    let start = Instant::now();
    let mut sum = 0u64;
    store.scan(&mut |revision, value| sum += revision + value.len() as u64);
    let scanned = start.elapsed().as_secs_f64() * 1e3;
    assert_eq!(sum, OBJECTS * (OBJECTS + 1) / 2 + OBJECTS * VALUE as u64);
    row += &format!(" {opened:>7.1} {scanned:>7.1}");

    let start = Instant::now();
    let mut state = 88172645463325252u64;
    for _ in 0..50_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        assert_eq!(store.get(state % OBJECTS + 1), VALUE);
    }
    row += &format!(" {:>7.2}", start.elapsed().as_secs_f64() * 1e6 / 50_000.0);
    row += &format!(" {:>7.1}", resident());

    // Churn: every object rewritten five times in random order, old versions dropped as compaction
    // would, 256 at a time.
    let mut live: Vec<u64> = (1..=OBJECTS).collect();
    let (start, cpu_before) = (Instant::now(), cpu());
    for _ in 0..(5 * OBJECTS / 256) {
        let mut dropped = Vec::with_capacity(256);
        let values: Vec<Vec<u8>> = (0..256).map(|n| value(revision + n)).collect();
        for n in 1..=256 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let slot = (state % OBJECTS) as usize;
            dropped.push(std::mem::replace(&mut live[slot], revision + n));
        }
        let records: Vec<Record> = (1..).map(|n| revision + n).zip(values.iter().map(|v| &v[..])).collect();
        // A version made and replaced within one batch is never dropped: compaction lags.
        dropped.retain(|old| *old <= revision);
        store.commit(&records, &dropped);
        revision += 256;
    }
    row += &format!(" {:>6.1} {:>6.1}", start.elapsed().as_secs_f64(), (cpu() - cpu_before).as_secs_f64());
    row += &format!(" {:>7.0}", disk(dir.path()) as f64 / 1048576.0);
    store.reclaim();
    row += &format!(" {:>7.0} {:>7.1}", disk(dir.path()) as f64 / 1048576.0, resident());
    drop(store);
    let start = Instant::now();
    drop(candidates::open(name, dir.path()));
    row += &format!(" {:>7.1}", start.elapsed().as_secs_f64() * 1e3);
    println!("{row}");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name] = arguments.as_slice()
        && flag == "--one"
    {
        return run(name);
    }
    let all = ["redb", "fjall", "canopydb", "lmdb"].map(str::to_owned).to_vec();
    println!(
        "{:<10} {:>9} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>6} {:>6} {:>7} {:>7} {:>7} {:>7}",
        "", "puts/s", "p99 ms", "us cpu", "MiB", "open ms", "scan ms", "get us", "rss MiB",
        "churn s", "cpu s", "MiB", "recl.", "rss MiB", "open ms"
    );
    for name in if arguments.is_empty() { all } else { arguments } {
        let program = std::env::current_exe().unwrap();
        let status = std::process::Command::new(program).args(["--one", &name]).status().unwrap();
        if !status.success() {
            println!("{name:<10} failed: {status}");
        }
    }
}
