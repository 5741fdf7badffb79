//! What is read from and done to control groups beside what `libcontainer` does: usage, kills for
//! want of memory, killing and removing a whole subtree. Version 1 (and hybrid) and version 2.

use node_api::Stats;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where control groups are mounted.
const ROOT: &str = "/sys/fs/cgroup";

/// How control groups are arranged on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    /// One tree per controller.
    V1,
    /// One tree.
    V2,
}

fn version() -> Version {
    if Path::new(ROOT).join("cgroup.controllers").exists() {
        Version::V2
    } else {
        Version::V1
    }
}

/// A group's directory for a controller, if that controller is there.
fn directory(controller: &str, group: &str) -> PathBuf {
    let root = match version() {
        Version::V1 => Path::new(ROOT).join(controller),
        Version::V2 => PathBuf::from(ROOT),
    };
    root.join(group.trim_start_matches('/'))
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// A file of `key value` lines.
fn table(path: &Path) -> BTreeMap<String, u64> {
    fs::read_to_string(path)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| {
            let (key, value) = line.split_once(' ')?;
            Some((key.to_owned(), value.trim().parse().ok()?))
        })
        .collect()
}

fn entry(table: &BTreeMap<String, u64>, key: &str) -> u64 {
    table.get(key).copied().unwrap_or(0)
}

/// How many processes of the group the kernel killed for want of memory.
pub(crate) fn oom_kills(group: &str) -> u64 {
    let file = match version() {
        Version::V1 => "memory.oom_control",
        Version::V2 => "memory.events",
    };
    entry(&table(&directory("memory", group).join(file)), "oom_kill")
}

/// What a group uses; the writable layer is not in it.
pub(crate) fn stats(group: &str, at: i64) -> Stats {
    let memory = directory("memory", group);
    let pids = number(&directory("pids", group).join("pids.current")).unwrap_or(0);
    let details = table(&memory.join("memory.stat"));
    let (usage, limit, inactive, rss, cpu) = match version() {
        Version::V1 => (
            number(&memory.join("memory.usage_in_bytes")),
            number(&memory.join("memory.limit_in_bytes")),
            entry(&details, "total_inactive_file"),
            entry(&details, "total_rss"),
            number(&directory("cpuacct", group).join("cpuacct.usage")).unwrap_or(0),
        ),
        Version::V2 => (
            number(&memory.join("memory.current")),
            number(&memory.join("memory.max")),
            entry(&details, "inactive_file"),
            entry(&details, "anon"),
            entry(&table(&memory.join("cpu.stat")), "usage_usec").saturating_mul(1000),
        ),
    };
    let usage = usage.unwrap_or(0);
    Stats {
        at,
        cpu_nanoseconds: cpu,
        memory_bytes: usage,
        working_set_bytes: usage.saturating_sub(inactive),
        // Version 1 writes "no limit" as the largest page-aligned number.
        memory_limit_bytes: limit.filter(|limit| *limit < 1 << 62),
        rss_bytes: rss,
        pids,
        disk_bytes: 0,
        disk_inodes: 0,
    }
}

/// The directories of a group in every tree it is in.
fn directories(group: &str) -> Vec<PathBuf> {
    let group = group.trim_start_matches('/');
    // The root groups are the machine's.
    if group.is_empty() || group.split('/').any(|part| part == "..") {
        return Vec::new();
    }
    match version() {
        Version::V2 => vec![Path::new(ROOT).join(group)],
        Version::V1 => fs::read_dir(ROOT)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|tree| tree.file_type().is_ok_and(|t| t.is_dir()))
            .map(|tree| tree.path().join(group))
            .filter(|path| path.is_dir())
            .collect(),
    }
}

/// A directory's subtree, deepest first.
fn subtree(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for child in fs::read_dir(path).into_iter().flatten().flatten() {
        if child.file_type().is_ok_and(|t| t.is_dir()) {
            found.extend(subtree(&child.path()));
        }
    }
    found.push(path.to_owned());
    found
}

/// The processes of a group and those below it.
fn processes(group: &str) -> Vec<Pid> {
    let mut found: Vec<i32> = directories(group)
        .iter()
        .flat_map(|path| subtree(path))
        .filter_map(|path| fs::read_to_string(path.join("cgroup.procs")).ok())
        .flat_map(|list| {
            list.lines()
                .filter_map(|l| l.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().filter_map(Pid::from_raw).collect()
}

/// Sends a signal to every process of a group; how many there were.
pub(crate) fn signal_all(group: &str, signal: Signal) -> usize {
    let found = processes(group);
    for pid in &found {
        // It may have ended since.
        let _ = kill_process(*pid, signal);
    }
    found.len()
}

/// Kills a group until nothing of it runs or it stays so for too long.
pub(crate) fn kill(group: &str) {
    for _ in 0..50 {
        if signal_all(group, Signal::KILL) == 0 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// Removes an empty group and those below it.
pub(crate) fn remove(group: &str) -> io::Result<()> {
    for path in directories(group).iter().flat_map(|path| subtree(path)) {
        match fs::remove_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
    }
    Ok(())
}
