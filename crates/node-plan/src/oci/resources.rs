//! A container's share of the node, as the runtime is told of it.

use oci_spec::runtime::{LinuxCpu, LinuxHugepageLimit, LinuxMemory, LinuxResources};
use pod_resources::cgroups::{PERIOD, Settings};

/// The settings of a container's control group. On `unified` ones (the second version) a container
/// that runs out of memory is killed as a whole and has no swap, as kubelet has it.
pub fn resources(settings: &Settings, unified: bool) -> LinuxResources {
    let mut cpu = LinuxCpu::default();
    cpu.set_shares(settings.cpu_shares)
        .set_quota(settings.cpu_quota)
        .set_period(settings.cpu_quota.map(|_| PERIOD));
    let mut memory = LinuxMemory::default();
    memory.set_limit(settings.memory_limit);
    if unified {
        memory.set_swap(settings.memory_limit);
    }
    let huge_pages: Vec<LinuxHugepageLimit> = settings
        .huge_pages
        .iter()
        .map(|(page, bytes)| {
            let mut limit = LinuxHugepageLimit::default();
            limit.set_page_size(page_size(*page)).set_limit(*bytes);
            limit
        })
        .collect();
    let mut resources = LinuxResources::default();
    resources
        .set_cpu(Some(cpu))
        .set_memory(Some(memory))
        .set_hugepage_limits((!huge_pages.is_empty()).then_some(huge_pages))
        .set_unified(unified.then(|| [("memory.oom.group".to_owned(), "1".to_owned())].into()));
    resources
}

/// A size as the kernel names the files of huge pages: `2MB`, `1GB`.
fn page_size(bytes: i64) -> String {
    let units = [(1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")];
    let fits = units
        .iter()
        .find(|(unit, _)| bytes >= *unit && bytes % unit == 0);
    fits.map_or_else(
        || format!("{bytes}B"),
        |(unit, name)| format!("{}{name}", bytes / unit),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Value;
    use serde_json::json;

    #[test]
    fn settings_reach_the_runtime() {
        let settings = Settings {
            cpu_shares: Some(512),
            cpu_quota: Some(50_000),
            memory_limit: Some(1 << 20),
            huge_pages: [(2 << 20, 4 << 20), (1 << 30, 0)].into(),
        };
        let shown =
            |unified| -> Value { serde_json::to_value(resources(&settings, unified)).unwrap() };
        let unified = shown(true);
        assert_eq!(
            unified["cpu"],
            json!({"shares": 512, "quota": 50_000, "period": 100_000})
        );
        assert_eq!(
            unified["memory"],
            json!({"limit": 1 << 20, "swap": 1 << 20})
        );
        assert_eq!(
            unified["hugepageLimits"],
            json!([{"pageSize": "2MB", "limit": 4 << 20}, {"pageSize": "1GB", "limit": 0}])
        );
        assert_eq!(unified["unified"], json!({"memory.oom.group": "1"}));
        assert_eq!(shown(false)["memory"], json!({"limit": 1 << 20}));
        assert!(shown(false).get("unified").is_none());
        let nothing = resources(&Settings::default(), false);
        assert_eq!(
            serde_json::to_value(nothing).unwrap(),
            json!({"cpu": {}, "memory": {}})
        );
    }
}
