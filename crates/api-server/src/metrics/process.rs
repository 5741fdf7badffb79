//! The process itself, as the kernel sees it. On systems without `/proc` there is nothing to say.

use metrics::Text;
use std::fs;

/// What `/proc` counts time in: `USER_HZ`, which Linux fixes at 100 for programs on every
/// architecture that matters here.
const TICKS: u64 = 100;

/// What `/proc` knows of this process.
#[derive(Debug, Default, PartialEq)]
struct Process {
    cpu_seconds: Option<f64>,
    started: Option<f64>,
    resident: Option<u64>,
    virtual_size: Option<u64>,
    threads: Option<u64>,
    open_files: Option<u64>,
    max_files: Option<u64>,
}

pub(super) fn write(text: &mut Text) {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let mut process = parse(
        &read("/proc/self/stat"),
        &read("/proc/self/status"),
        &read("/proc/stat"),
        &read("/proc/self/limits"),
    );
    process.open_files = fs::read_dir("/proc/self/fd")
        .ok()
        .map(|entries| entries.count() as u64);
    let mut gauge = |name, kind, help, value: Option<String>| {
        if let Some(value) = value {
            text.family(name, kind, help);
            text.value(&[], value);
        }
    };
    gauge(
        "process_cpu_seconds_total",
        "counter",
        "Total user and system CPU time spent in seconds.",
        process.cpu_seconds.map(|v| v.to_string()),
    );
    gauge(
        "process_max_fds",
        "gauge",
        "Maximum number of open file descriptors.",
        process.max_files.map(|v| v.to_string()),
    );
    gauge(
        "process_open_fds",
        "gauge",
        "Number of open file descriptors.",
        process.open_files.map(|v| v.to_string()),
    );
    gauge(
        "process_resident_memory_bytes",
        "gauge",
        "Resident memory size in bytes.",
        process.resident.map(|v| v.to_string()),
    );
    gauge(
        "process_start_time_seconds",
        "gauge",
        "Start time of the process since unix epoch in seconds.",
        process.started.map(|v| v.to_string()),
    );
    gauge(
        "process_threads",
        "gauge",
        "Number of threads.",
        process.threads.map(|v| v.to_string()),
    );
    gauge(
        "process_virtual_memory_bytes",
        "gauge",
        "Virtual memory size in bytes.",
        process.virtual_size.map(|v| v.to_string()),
    );
}

fn parse(stat: &str, status: &str, system: &str, limits: &str) -> Process {
    // The program's name stands in parentheses and may hold anything, also parentheses.
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().collect())
        .unwrap_or_default();
    // Counted from the state, which is the third field.
    let field = |number: usize| -> Option<u64> { fields.get(number.checked_sub(3)?)?.parse().ok() };
    #[allow(clippy::cast_precision_loss)]
    let seconds = |ticks: u64| ticks as f64 / TICKS as f64;
    let line = |text: &str, key: &str| -> Option<u64> {
        let rest = text.lines().find_map(|l| l.strip_prefix(key))?;
        rest.split_whitespace().next()?.parse().ok()
    };
    let kibibytes = |key: &str| line(status, key).map(|v| v.saturating_mul(1024));
    let boot = line(system, "btime ");
    Process {
        cpu_seconds: match (field(14), field(15)) {
            (Some(user), Some(kernel)) => Some(seconds(user.saturating_add(kernel))),
            _ => None,
        },
        #[allow(clippy::cast_precision_loss)]
        started: match (boot, field(22)) {
            (Some(boot), Some(after)) => Some(boot as f64 + seconds(after)),
            _ => None,
        },
        resident: kibibytes("VmRSS:"),
        virtual_size: kibibytes("VmSize:"),
        threads: line(status, "Threads:"),
        open_files: None,
        max_files: line(limits, "Max open files"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_understood() {
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 150 50 13 14 15 16 17 18 6000 20";
        let status = "Name:\tx\nVmSize:\t  2048 kB\nVmRSS:\t  512 kB\nThreads:\t4\n";
        let system = "cpu 1 2\nbtime 1700000000\n";
        let limits = "Limit Soft Hard Units\nMax open files            1024   4096   files\n";
        assert_eq!(
            parse(stat, status, system, limits),
            Process {
                cpu_seconds: Some(2.0),
                started: Some(1_700_000_060.0),
                resident: Some(512 * 1024),
                virtual_size: Some(2048 * 1024),
                threads: Some(4),
                open_files: None,
                max_files: Some(1024),
            }
        );
        assert_eq!(parse("", "", "", ""), Process::default());
        assert_eq!(
            parse("7 (x) S", "VmRSS:", "btime", "Max open files"),
            Process::default()
        );
    }
}
