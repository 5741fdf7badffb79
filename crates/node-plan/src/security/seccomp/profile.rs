//! The node's own default profile: an allowlist of the system calls that programs need, and for
//! each capability those that it is for. What is not listed fails with `EPERM`.

use crate::security::capabilities::Capabilities;
use oci_spec::runtime::{
    Arch, Capability, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompArgBuilder,
    LinuxSeccompOperator, LinuxSyscall,
};

/// What programs do with files, whoever they are.
const FILES: &str = "
    access faccessat faccessat2 chdir fchdir chmod fchmod fchmodat fchmodat2 chown chown32 fchown
    fchown32 fchownat lchown lchown32 close close_range copy_file_range creat dup dup2 dup3
    fadvise64 fadvise64_64 fallocate fcntl fcntl64 fdatasync fgetxattr flistxattr flock
    fremovexattr fsetxattr fstat fstat64 fstatat64 newfstatat fstatfs fstatfs64 fsync ftruncate
    ftruncate64 futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch
    inotify_init inotify_init1 inotify_rm_watch ioctl lgetxattr link linkat listxattr listxattrat
    llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 memfd_create memfd_secret mkdir
    mkdirat mknod mknodat name_to_handle_at open openat openat2 pipe pipe2 pread64 preadv preadv2
    pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr removexattrat
    rename renameat renameat2 rmdir sendfile sendfile64 setxattr setxattrat splice stat stat64
    statfs statfs64 statmount listmount statx symlink symlinkat sync sync_file_range
    sync_file_range2 arm_sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat utime
    utimensat utimensat_time64 utimes vmsplice write writev cachestat map_shadow_stack";

/// Waiting for things, and being told of them.
const EVENTS: &str = "
    epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
    epoll_wait_old eventfd eventfd2 poll ppoll ppoll_time64 pselect6 pselect6_time64 select
    _newselect io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup
    io_submit signalfd signalfd4 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime
    timerfd_settime64 futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue
    get_robust_list set_robust_list membarrier rseq";

/// Memory.
const MEMORY: &str = "
    brk madvise mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap mseal msync munlock
    munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages process_mrelease";

/// Processes, threads, their limits and identities.
const PROCESSES: &str = "
    alarm arch_prctl capget capset execve execveat exit exit_group fork vfork getcpu getegid
    getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpgid getpgrp
    getpid getppid getpriority getresgid getresgid32 getresuid getresuid32 getrlimit ugetrlimit
    getrusage getsid gettid get_thread_area getuid getuid32 ioprio_get ioprio_set kill
    landlock_add_rule landlock_create_ruleset landlock_restrict_self modify_ldt nanosleep pause
    pidfd_open pidfd_send_signal prctl prlimit64 process_vm_readv process_vm_writev ptrace
    restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
    rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_getaffinity
    sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min
    sched_rr_get_interval sched_rr_get_interval_time64 sched_getscheduler sched_setaffinity
    sched_setattr sched_setparam sched_setscheduler sched_yield seccomp setfsgid setfsgid32
    setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority
    setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit
    setsid set_thread_area set_tid_address setuid setuid32 sigaltstack sigpending sigprocmask
    sigreturn sigsuspend sigaction tgkill tkill times wait4 waitid waitpid uname sysinfo";

/// Time.
const TIME: &str = "
    adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime
    clock_gettime64 clock_nanosleep clock_nanosleep_time64 gettimeofday time timer_create
    timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64";

/// Sockets; which families they are of is looked at separately.
const SOCKETS: &str = "
    accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg
    recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair";

/// Messages between processes, and randomness.
const OTHER: &str = "
    getrandom ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64
    mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop
    semtimedop semtimedop_time64 shmat shmctl shmdt shmget uretprobe lsm_get_self_attr
    lsm_set_self_attr lsm_list_modules riscv_hwprobe";

/// Of 64-bit ARM's 32-bit programs.
const ARM: &str = "breakpoint cacheflush set_tls";

/// What a capability is for; the kernel still asks for it.
const BY_CAPABILITY: &[(Capability, &str)] = &[
    (
        Capability::SysAdmin,
        "bpf clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount
         mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname
         sethostname setns syslog umount umount2 unshare",
    ),
    (Capability::DacReadSearch, "open_by_handle_at"),
    (Capability::SysBoot, "reboot"),
    (Capability::SysChroot, "chroot"),
    (
        Capability::SysModule,
        "delete_module finit_module init_module",
    ),
    (Capability::SysPacct, "acct"),
    (Capability::SysPtrace, "kcmp pidfd_getfd process_madvise"),
    (Capability::SysRawio, "ioperm iopl"),
    (
        Capability::SysTime,
        "clock_settime clock_settime64 settimeofday stime",
    ),
    (Capability::SysTtyConfig, "vhangup"),
    (
        Capability::SysNice,
        "get_mempolicy mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node",
    ),
    (Capability::Syslog, "syslog"),
    (Capability::Bpf, "bpf"),
    (Capability::Perfmon, "perf_event_open"),
];

/// The lowest flag of `clone` that makes a namespace (of cgroups); the others are above it, and with
/// them only `CLONE_IO`, which programs do without. That of mounts is far below: it asks for
/// `CAP_SYS_ADMIN`, which who is filtered here does not have. A comparison with a mask would say it
/// all, but runtimes do not agree on which of its two values is the mask.
const LOWEST_NAMESPACE: u64 = 0x0200_0000;
/// The `personality` values that programs set: Linux, with the upper half of the address space, of
/// an older version, both, and the question what it is.
const PERSONALITIES: [u64; 5] = [0x0, 0x0008, 0x2_0000, 0x2_0008, 0xFFFF_FFFF];
/// Sockets to the hypervisor, which no namespace keeps apart.
const AF_VSOCK: u64 = 40;
/// The error of a system call that the kernel does not have, so that programs fall back.
const ENOSYS: u32 = 38;
/// The error of what is refused.
const EPERM: u32 = 1;

/// The machine's architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// x86-64, with its 32-bit programs.
    X86_64,
    /// 64-bit ARM, with its 32-bit programs.
    Aarch64,
}

/// The profile of a container with these capabilities.
pub fn runtime_default(architecture: Architecture, capabilities: Capabilities) -> LinuxSeccomp {
    let mut syscalls: Vec<LinuxSyscall> = [FILES, EVENTS, MEMORY, PROCESSES, TIME, SOCKETS, OTHER]
        .into_iter()
        .map(|names| allow(names, None))
        .collect();
    if architecture == Architecture::Aarch64 {
        syscalls.push(allow(ARM, None));
    }
    for (capability, names) in BY_CAPABILITY {
        if capabilities.has(*capability) {
            syscalls.push(allow(names, None));
        }
    }
    let equal = LinuxSeccompOperator::ScmpCmpEq;
    for persona in PERSONALITIES {
        syscalls.extend(allow_where("personality", persona, equal));
    }
    let other = LinuxSeccompOperator::ScmpCmpNe;
    syscalls.extend(allow_where("socket", AF_VSOCK, other));
    if capabilities.has(Capability::SysAdmin) {
        syscalls.push(allow("clone", None));
    } else {
        let less = LinuxSeccompOperator::ScmpCmpLt;
        syscalls.extend(allow_where("clone", LOWEST_NAMESPACE, less));
        // Its flags are in memory, where no filter sees them.
        let mut refused = LinuxSyscall::default();
        refused
            .set_names(vec!["clone3".to_owned()])
            .set_action(LinuxSeccompAction::ScmpActErrno)
            .set_errno_ret(Some(ENOSYS));
        syscalls.push(refused);
    }
    let architectures = match architecture {
        Architecture::X86_64 => vec![Arch::ScmpArchX86_64, Arch::ScmpArchX86, Arch::ScmpArchX32],
        Architecture::Aarch64 => vec![Arch::ScmpArchAarch64, Arch::ScmpArchArm],
    };
    let mut profile = LinuxSeccomp::default();
    profile
        .set_default_action(LinuxSeccompAction::ScmpActErrno)
        .set_default_errno_ret(Some(EPERM))
        .set_architectures(Some(architectures))
        .set_syscalls(Some(syscalls));
    profile
}

fn allow(names: &str, argument: Option<LinuxSeccompArg>) -> LinuxSyscall {
    let mut syscall = LinuxSyscall::default();
    syscall
        .set_names(names.split_whitespace().map(str::to_owned).collect())
        .set_action(LinuxSeccompAction::ScmpActAllow)
        .set_args(argument.map(|argument| vec![argument]));
    syscall
}

/// A rule for calls with such an argument; no rule, and so no permission, if it cannot be built.
fn allow_where(names: &str, value: u64, operator: LinuxSeccompOperator) -> Option<LinuxSyscall> {
    let argument = LinuxSeccompArgBuilder::default()
        .index(0_usize)
        .value(value)
        .op(operator);
    Some(allow(names, Some(argument.build().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::capabilities::effective;
    use serde_json::json;
    use std::collections::BTreeSet;

    fn allowed(capabilities: serde_json::Value) -> BTreeSet<String> {
        let capabilities = effective(&capabilities, false).unwrap();
        let profile = runtime_default(Architecture::X86_64, capabilities);
        let rules = profile.syscalls().clone().unwrap();
        rules
            .iter()
            .filter(|rule| rule.action() == LinuxSeccompAction::ScmpActAllow)
            .filter(|rule| rule.args().is_none())
            .flat_map(|rule| rule.names().clone())
            .collect()
    }

    #[test]
    fn what_programs_need_is_allowed_and_what_reaches_the_node_is_not() {
        let plain = allowed(json!({}));
        for name in [
            "read",
            "openat",
            "execve",
            "futex",
            "mmap",
            "epoll_wait",
            "accept4",
            "chroot",
        ] {
            assert!(plain.contains(name), "{name}");
        }
        for name in [
            "mount",
            "umount2",
            "reboot",
            "init_module",
            "kexec_load",
            "bpf",
            "unshare",
            "setns",
            "keyctl",
            "add_key",
            "request_key",
            "userfaultfd",
            "io_uring_setup",
            "swapon",
            "pivot_root",
            "perf_event_open",
            "clock_settime",
            "open_by_handle_at",
            "clone3",
        ] {
            assert!(!plain.contains(name), "{name}");
        }
    }

    #[test]
    fn capabilities_bring_their_calls() {
        for (capability, name) in [
            ("SYS_ADMIN", "mount"),
            ("SYS_ADMIN", "clone"),
            ("SYS_TIME", "clock_settime"),
            ("DAC_READ_SEARCH", "open_by_handle_at"),
            ("SYSLOG", "syslog"),
        ] {
            assert!(
                allowed(json!({"add": [capability]})).contains(name),
                "{name}"
            );
            assert!(!allowed(json!({})).contains(name), "{name}");
        }
        assert!(!allowed(json!({"drop": ["SYS_CHROOT"]})).contains("chroot"));
    }

    #[test]
    fn some_calls_depend_on_what_they_are_called_with() {
        let capabilities = effective(&json!({}), false).unwrap();
        let profile = runtime_default(Architecture::Aarch64, capabilities);
        let rules = profile.syscalls().clone().unwrap();
        let conditions = |name: &str| -> Vec<(u64, LinuxSeccompOperator)> {
            rules
                .iter()
                .filter(|rule| rule.names().iter().any(|other| other == name))
                .flat_map(|rule| rule.args().clone().unwrap_or_default())
                .map(|argument| (argument.value(), argument.op()))
                .collect()
        };
        let less = LinuxSeccompOperator::ScmpCmpLt;
        assert_eq!(conditions("clone"), [(0x0200_0000, less)]);
        let other = LinuxSeccompOperator::ScmpCmpNe;
        assert_eq!(conditions("socket"), [(40, other)]);
        assert_eq!(conditions("personality").len(), 5);
    }

    #[test]
    fn no_call_is_named_twice() {
        let mut seen = BTreeSet::new();
        for name in [FILES, EVENTS, MEMORY, PROCESSES, TIME, SOCKETS, OTHER, ARM]
            .into_iter()
            .flat_map(str::split_whitespace)
        {
            assert!(seen.insert(name), "{name}");
        }
    }
}
