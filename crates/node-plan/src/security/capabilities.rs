//! The capabilities of a container.

use model::Value;
use model::validation::read::texts;
use oci_spec::runtime::Capability;
use std::collections::BTreeSet;
use std::str::FromStr;
use thiserror::Error;

/// What a container may do where its pod says nothing, as container runtimes have it.
const DEFAULT: [Capability; 14] = [
    Capability::AuditWrite,
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fowner,
    Capability::Fsetid,
    Capability::Kill,
    Capability::Mknod,
    Capability::NetBindService,
    Capability::NetRaw,
    Capability::Setfcap,
    Capability::Setgid,
    Capability::Setpcap,
    Capability::Setuid,
    Capability::SysChroot,
];

/// Every capability, in the order of their names.
pub const ALL: [Capability; 41] = [
    Capability::AuditControl,
    Capability::AuditRead,
    Capability::AuditWrite,
    Capability::BlockSuspend,
    Capability::Bpf,
    Capability::CheckpointRestore,
    Capability::Chown,
    Capability::DacOverride,
    Capability::DacReadSearch,
    Capability::Fowner,
    Capability::Fsetid,
    Capability::IpcLock,
    Capability::IpcOwner,
    Capability::Kill,
    Capability::Lease,
    Capability::LinuxImmutable,
    Capability::MacAdmin,
    Capability::MacOverride,
    Capability::Mknod,
    Capability::NetAdmin,
    Capability::NetBindService,
    Capability::NetBroadcast,
    Capability::NetRaw,
    Capability::Perfmon,
    Capability::Setfcap,
    Capability::Setgid,
    Capability::Setpcap,
    Capability::Setuid,
    Capability::SysAdmin,
    Capability::SysBoot,
    Capability::SysChroot,
    Capability::Syslog,
    Capability::SysModule,
    Capability::SysNice,
    Capability::SysPacct,
    Capability::SysPtrace,
    Capability::SysRawio,
    Capability::SysResource,
    Capability::SysTime,
    Capability::SysTtyConfig,
    Capability::WakeAlarm,
];

/// A set of capabilities, in the order of their names (which OCI's own type does not have).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(u64);

impl Capabilities {
    /// All that there are.
    pub fn all() -> Self {
        ALL.into_iter().fold(Self::default(), Self::with)
    }

    /// Whether it has the capability.
    pub fn has(self, capability: Capability) -> bool {
        self.0 & bit(capability) != 0
    }

    /// Those that it has.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        ALL.into_iter()
            .filter(move |capability| self.has(*capability))
    }

    fn with(self, capability: Capability) -> Self {
        Self(self.0 | bit(capability))
    }

    fn without(self, capability: Capability) -> Self {
        Self(self.0 & !bit(capability))
    }
}

fn bit(capability: Capability) -> u64 {
    ALL.iter()
        .position(|other| *other == capability)
        .map_or(0, |at| 1 << at)
}

/// A capability that the kernel does not know; the container is not created.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown capability \"{0}\"")]
pub struct UnknownCapability(pub String);

/// The capabilities of a container with these `add` and `drop` lists; `ALL` in either starts from
/// all or from none, single ones come after that, and dropping wins.
pub(super) fn effective(
    lists: &Value,
    privileged: bool,
) -> Result<Capabilities, UnknownCapability> {
    if privileged {
        return Ok(Capabilities::all());
    }
    let names = |field: &str| -> BTreeSet<String> {
        texts(lists, field)
            .map(|name| {
                let name = name.to_uppercase();
                name.strip_prefix("CAP_").map(str::to_owned).unwrap_or(name)
            })
            .collect()
    };
    let (add, drop) = (names("add"), names("drop"));
    let mut set = if drop.contains("ALL") {
        Capabilities::default()
    } else if add.contains("ALL") {
        Capabilities::all()
    } else {
        DEFAULT
            .into_iter()
            .fold(Capabilities::default(), Capabilities::with)
    };
    for name in add.iter().filter(|name| *name != "ALL") {
        set = set.with(parse(name)?);
    }
    for name in drop.iter().filter(|name| *name != "ALL") {
        set = set.without(parse(name)?);
    }
    Ok(set)
}

fn parse(name: &str) -> Result<Capability, UnknownCapability> {
    Capability::from_str(name).map_err(|_| UnknownCapability(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names(lists: &Value, privileged: bool) -> Vec<String> {
        let set = effective(lists, privileged).unwrap();
        set.iter()
            .map(|capability| capability.to_string())
            .collect()
    }

    #[test]
    fn every_capability_has_its_place() {
        let distinct: BTreeSet<String> = ALL.iter().map(ToString::to_string).collect();
        assert_eq!(distinct.len(), ALL.len());
        assert_eq!(Capabilities::all().iter().count(), ALL.len());
        for capability in ALL {
            assert_eq!(parse(&capability.to_string()), Ok(capability));
        }
    }

    #[test]
    fn adding_and_dropping() {
        for (lists, want) in [
            (json!({"drop": ["ALL"]}), vec![]),
            (
                json!({"drop": ["all"], "add": ["NET_BIND_SERVICE"]}),
                vec!["NET_BIND_SERVICE"],
            ),
            (
                json!({"drop": ["ALL"], "add": ["cap_kill", "KILL"]}),
                vec!["KILL"],
            ),
            (json!({"drop": ["ALL", "KILL"], "add": ["KILL"]}), vec![]),
        ] {
            assert_eq!(names(&lists, false), want, "{lists}");
        }
        assert_eq!(names(&Value::Null, false).len(), 14);
        assert_eq!(
            names(&json!({"add": ["ALL"], "drop": ["SYS_ADMIN"]}), false).len(),
            40
        );
        assert_eq!(names(&json!({"drop": ["ALL"]}), true).len(), 41);
        let error = effective(&json!({"add": ["FLY"]}), false).unwrap_err();
        assert_eq!(error.to_string(), "unknown capability \"FLY\"");
    }
}
