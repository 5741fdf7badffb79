//! From an OCI profile to BPF.

use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArg, LinuxSeccompFilterFlag as Flag,
    LinuxSeccompOperator as Operator, LinuxSyscall,
};
use std::collections::BTreeMap;
use std::str::FromStr;
use syscalls::Sysno;

/// One instruction of classic BPF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    pub(crate) jt: u8,
    pub(crate) jf: u8,
    pub(crate) k: u32,
}

/// A program and the flags to install it with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) instructions: Vec<Instruction>,
    pub(crate) flags: libc::c_uint,
}

/// A profile that cannot be applied as it is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CompileError {
    #[error("seccomp: SCMP_ACT_NOTIFY needs an agent, which is not supported")]
    Notify,
    #[error("seccomp: argument {0} of {1}: a system call has six")]
    Argument(usize, String),
    #[error("seccomp: the profile is too large: {0} instructions")]
    TooLarge(usize),
    #[error("seccomp: this architecture is not supported")]
    Architecture,
    #[error("seccomp: flag {0:?} is not supported")]
    Flag(Flag),
}

// linux/bpf_common.h
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const JUMP_EQ: u16 = 0x15;
const JUMP_GT: u16 = 0x25;
const JUMP_GE: u16 = 0x35;
const RETURN: u16 = 0x06;
/// The kernel's limit of instructions.
const MAX_INSTRUCTIONS: usize = 4096;
// Offsets in struct seccomp_data.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

#[cfg(target_arch = "x86_64")]
const NATIVE: Option<u32> = Some(0xc000_003e);
#[cfg(target_arch = "aarch64")]
const NATIVE: Option<u32> = Some(0xc000_00b7);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const NATIVE: Option<u32> = None;

/// Calls of the x32 ABI, which share x86-64's architecture number.
const X32: u32 = 0x4000_0000;

fn instruction(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

/// What the kernel reads as this action.
fn verdict(action: Action, errno: Option<u32>) -> Result<u32, CompileError> {
    let data = |default: u32| errno.unwrap_or(default) & 0xffff;
    Ok(match action {
        Action::ScmpActKill | Action::ScmpActKillThread => 0,
        Action::ScmpActKillProcess => 0x8000_0000,
        Action::ScmpActTrap => 0x0003_0000,
        Action::ScmpActErrno => 0x0005_0000 | data(libc::EPERM.unsigned_abs()),
        Action::ScmpActTrace => 0x7ff0_0000 | data(libc::EPERM.unsigned_abs()),
        Action::ScmpActAllow => 0x7fff_0000,
        Action::ScmpActLog => 0x7ffc_0000,
        Action::ScmpActNotify => return Err(CompileError::Notify),
    })
}

/// Whether an action lets the call happen.
fn permits(action: Action) -> bool {
    matches!(
        action,
        Action::ScmpActAllow | Action::ScmpActLog | Action::ScmpActTrace
    )
}

/// Where a jump goes, until the rule it is in is laid out.
#[derive(Clone, Copy)]
enum To {
    Next,
    /// Past this condition: it holds.
    Holds,
    /// Past the rule: it does not apply.
    Fails,
}

/// One condition as instructions with open jumps; falling off its end means that it holds.
fn condition(arg: &LinuxSeccompArg, name: &str) -> Result<Vec<(u16, u32, To, To)>, CompileError> {
    let index = u32::try_from(arg.index())
        .ok()
        .filter(|index| *index < 6)
        .ok_or_else(|| CompileError::Argument(arg.index(), name.to_owned()))?;
    let low = ARGUMENTS + 8 * index;
    let high = low + 4;
    let halves = |value: u64| {
        let high = u32::try_from(value >> 32).unwrap_or(u32::MAX);
        let low = u32::try_from(value & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        (high, low)
    };
    let (value_high, value_low) = halves(arg.value());
    let next = To::Next;
    // What decides when the high halves are equal, and which way.
    let ordered = |code: u16, above: To, below: To| {
        vec![
            (LOAD, high, next, next),
            (JUMP_GT, value_high, above, next),
            (JUMP_EQ, value_high, next, below),
            (LOAD, low, next, next),
            (code, value_low, above, below),
        ]
    };
    Ok(match arg.op() {
        Operator::ScmpCmpEq => vec![
            (LOAD, high, next, next),
            (JUMP_EQ, value_high, next, To::Fails),
            (LOAD, low, next, next),
            (JUMP_EQ, value_low, next, To::Fails),
        ],
        Operator::ScmpCmpNe => vec![
            (LOAD, high, next, next),
            (JUMP_EQ, value_high, next, To::Holds),
            (LOAD, low, next, next),
            (JUMP_EQ, value_low, To::Fails, next),
        ],
        Operator::ScmpCmpGt => ordered(JUMP_GT, To::Holds, To::Fails),
        Operator::ScmpCmpGe => ordered(JUMP_GE, To::Holds, To::Fails),
        Operator::ScmpCmpLe => ordered(JUMP_GT, To::Fails, To::Holds),
        Operator::ScmpCmpLt => ordered(JUMP_GE, To::Fails, To::Holds),
        Operator::ScmpCmpMaskedEq => {
            let (want_high, want_low) = halves(arg.value_two().unwrap_or(0));
            vec![
                (LOAD, high, next, next),
                (AND, value_high, next, next),
                (JUMP_EQ, want_high, next, To::Fails),
                (LOAD, low, next, next),
                (AND, value_low, next, next),
                (JUMP_EQ, want_low, next, To::Fails),
            ]
        }
    })
}

/// One rule: its conditions, then its verdict; falling off its end means that it does not apply.
fn rule(
    args: &[&LinuxSeccompArg],
    verdict: u32,
    name: &str,
) -> Result<Vec<Instruction>, CompileError> {
    let conditions = args
        .iter()
        .map(|arg| condition(arg, name))
        .collect::<Result<Vec<_>, _>>()?;
    let length = conditions.iter().map(Vec::len).sum::<usize>() + 1;
    let mut laid = Vec::with_capacity(length);
    for condition in conditions {
        let end = laid.len() + condition.len();
        for (code, k, yes, no) in condition {
            let after = laid.len() + 1;
            let distance = |to: To| {
                let target = match to {
                    To::Next => after,
                    To::Holds => end,
                    To::Fails => length,
                };
                u8::try_from(target - after).map_err(|_| CompileError::TooLarge(length))
            };
            laid.push(instruction(code, k, distance(yes)?, distance(no)?));
        }
    }
    laid.push(instruction(RETURN, verdict, 0, 0));
    Ok(laid)
}

/// The conditions of one rule of a profile, as libseccomp's callers split them: conditions on
/// one argument are alternatives.
fn alternatives(call: &LinuxSyscall) -> Vec<Vec<&LinuxSeccompArg>> {
    let args = call.args().as_deref().unwrap_or_default();
    let repeated = args
        .iter()
        .enumerate()
        .any(|(at, arg)| args.iter().skip(at + 1).any(|a| a.index() == arg.index()));
    if repeated {
        args.iter().map(|arg| vec![arg]).collect()
    } else {
        vec![args.iter().collect()]
    }
}

/// Compiles a profile for this machine's architecture.
pub(crate) fn compile(profile: &LinuxSeccomp) -> Result<Filter, CompileError> {
    let native = NATIVE.ok_or(CompileError::Architecture)?;
    let default = verdict(profile.default_action(), profile.default_errno_ret())?;
    let foreign = match permits(profile.default_action()) {
        true => verdict(Action::ScmpActKillProcess, None)?,
        false => default,
    };
    // By call, as the kernel answers a call that is always permitted from a table.
    let mut calls: BTreeMap<u32, Vec<Instruction>> = BTreeMap::new();
    let mut decided = std::collections::BTreeSet::new();
    for call in profile.syscalls().as_deref().unwrap_or_default() {
        let verdict = verdict(call.action(), call.errno_ret())?;
        for name in call.names() {
            let Ok(number) = Sysno::from_str(name) else {
                continue;
            };
            let number = u32::try_from(number.id()).map_err(|_| CompileError::Architecture)?;
            for args in alternatives(call) {
                if decided.contains(&number) {
                    continue;
                }
                if args.is_empty() {
                    decided.insert(number);
                }
                let rule = rule(&args, verdict, name)?;
                calls.entry(number).or_default().extend(rule);
            }
        }
    }
    let mut program = vec![
        instruction(LOAD, ARCHITECTURE, 0, 0),
        instruction(JUMP_EQ, native, 1, 0),
        instruction(RETURN, foreign, 0, 0),
        instruction(LOAD, NUMBER, 0, 0),
    ];
    if cfg!(target_arch = "x86_64") {
        program.push(instruction(JUMP_GE, X32, 0, 1));
        program.push(instruction(RETURN, foreign, 0, 0));
    }
    // A C library falls back from a call newer than the profile if told that there is none, and
    // fails if told that it is forbidden.
    if let Some((newest, _)) = calls.last_key_value()
        && profile.default_action() == Action::ScmpActErrno
    {
        let missing = verdict(Action::ScmpActErrno, Some(libc::ENOSYS.unsigned_abs()))?;
        program.push(instruction(JUMP_GT, *newest, 0, 1));
        program.push(instruction(RETURN, missing, 0, 0));
    }
    for (number, rules) in calls {
        if let [only] = rules.as_slice() {
            program.push(instruction(JUMP_EQ, number, 0, 1));
            program.push(*only);
            continue;
        }
        // Past the rules and the default after them.
        let over =
            u32::try_from(rules.len() + 1).map_err(|_| CompileError::TooLarge(rules.len()))?;
        program.push(instruction(JUMP_EQ, number, 1, 0));
        program.push(instruction(JUMP, over, 0, 0));
        program.extend(rules);
        program.push(instruction(RETURN, default, 0, 0));
    }
    program.push(instruction(RETURN, default, 0, 0));
    if program.len() > MAX_INSTRUCTIONS {
        return Err(CompileError::TooLarge(program.len()));
    }
    let mut flags = 0;
    for flag in profile.flags().as_deref().unwrap_or_default() {
        flags |= match flag {
            Flag::SeccompFilterFlagLog => 2,
            Flag::SeccompFilterFlagSpecAllow => 4,
            // One thread: it is in step with itself.
            Flag::SeccompFilterFlagTsync => 0,
            other => return Err(CompileError::Flag(*other)),
        };
    }
    Ok(Filter {
        instructions: program,
        flags,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// The kernel's machine, for what the compiler emits.
    fn run(filter: &Filter, architecture: u32, number: u32, args: [u64; 6]) -> u32 {
        let load = |offset: u32| match offset {
            NUMBER => number,
            ARCHITECTURE => architecture,
            _ => {
                let at = offset - ARGUMENTS;
                let arg = args[usize::try_from(at / 8).unwrap()];
                u32::try_from((arg >> (at % 8 * 8)) & 0xffff_ffff).unwrap()
            }
        };
        let (mut at, mut register) = (0usize, 0u32);
        loop {
            let i = filter.instructions[at];
            at += 1;
            let jump = |holds: bool| usize::from(if holds { i.jt } else { i.jf });
            match i.code {
                LOAD => register = load(i.k),
                AND => register &= i.k,
                JUMP => at += usize::try_from(i.k).unwrap(),
                JUMP_EQ => at += jump(register == i.k),
                JUMP_GT => at += jump(register > i.k),
                JUMP_GE => at += jump(register >= i.k),
                RETURN => return i.k,
                other => panic!("{other:#x}"),
            }
        }
    }

    fn filter(profile: Value) -> Filter {
        compile(&serde_json::from_value(profile).unwrap()).unwrap()
    }

    fn number(name: &str) -> u32 {
        u32::try_from(Sysno::from_str(name).unwrap().id()).unwrap()
    }

    const ALLOW: u32 = 0x7fff_0000;
    const EPERM: u32 = 0x0005_0001;

    #[test]
    fn an_allow_list_denies_the_rest_and_new_calls_do_not_exist() {
        let filter = filter(json!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "syscalls": [
                { "names": ["read", "openat2", "no_such_call"], "action": "SCMP_ACT_ALLOW" },
                { "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 },
            ],
        }));
        let native = NATIVE.unwrap();
        let cases = [
            (native, number("read"), ALLOW),
            (native, number("write"), EPERM),
            (native, number("clone3"), 0x0005_0026),
            (native, 400_000, 0x0005_0026),
            (native, X32 | number("read"), EPERM),
            (0x4000_0003, number("read"), EPERM),
        ];
        for (architecture, number, expected) in cases {
            let found = run(&filter, architecture, number, [0; 6]);
            assert_eq!(found, expected, "{architecture:#x} {number}");
        }
    }

    #[test]
    fn a_block_list_lets_no_foreign_architecture_by() {
        let filter = filter(json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS" }],
        }));
        let native = NATIVE.unwrap();
        assert_eq!(run(&filter, native, number("mkdirat"), [0; 6]), 0x8000_0000);
        assert_eq!(run(&filter, native, number("read"), [0; 6]), ALLOW);
        assert_eq!(run(&filter, 0x4000_0003, 1, [0; 6]), 0x8000_0000);
    }

    #[test]
    fn conditions_compare_all_64_bits() {
        let big = 0x1_0000_0000u64;
        type Case = (&'static str, u64, Option<u64>, u64, bool);
        let cases: &[Case] = &[
            ("SCMP_CMP_EQ", big, None, big, true),
            ("SCMP_CMP_EQ", big, None, big + 1, false),
            ("SCMP_CMP_EQ", big, None, 0, false),
            ("SCMP_CMP_NE", big, None, big, false),
            ("SCMP_CMP_NE", big, None, 0, true),
            ("SCMP_CMP_NE", big, None, big + 1, true),
            ("SCMP_CMP_GT", big, None, big + 1, true),
            ("SCMP_CMP_GT", big, None, big, false),
            ("SCMP_CMP_GT", 5, None, big, true),
            ("SCMP_CMP_GE", big, None, big, true),
            ("SCMP_CMP_GE", big, None, big - 1, false),
            ("SCMP_CMP_LT", big, None, big - 1, true),
            ("SCMP_CMP_LT", big, None, big, false),
            ("SCMP_CMP_LT", 5, None, big, false),
            ("SCMP_CMP_LE", big, None, big, true),
            ("SCMP_CMP_LE", big, None, big + 1, false),
            ("SCMP_CMP_MASKED_EQ", 0x7e02_0000, Some(0), 0x11, true),
            (
                "SCMP_CMP_MASKED_EQ",
                0x7e02_0000,
                Some(0),
                0x0002_0011,
                false,
            ),
            ("SCMP_CMP_MASKED_EQ", big | 1, Some(big), big, true),
            ("SCMP_CMP_MASKED_EQ", big | 1, Some(big), big | 1, false),
        ];
        for (op, value, two, given, holds) in cases {
            let filter = filter(json!({
                "defaultAction": "SCMP_ACT_ERRNO",
                "syscalls": [
                    { "names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [
                        { "index": 2, "value": value, "valueTwo": two, "op": op },
                    ] },
                    { "names": ["openat2"], "action": "SCMP_ACT_ALLOW" },
                ],
            }));
            let args = [7, 7, *given, 7, 7, 7];
            let found = run(&filter, NATIVE.unwrap(), number("personality"), args);
            let expected = if *holds { ALLOW } else { EPERM };
            assert_eq!(found, expected, "{op} {value:#x} {two:?} {given:#x}");
            let other = run(&filter, NATIVE.unwrap(), number("openat2"), args);
            assert_eq!(other, ALLOW, "{op}");
        }
    }

    #[test]
    fn conditions_of_a_rule_all_hold_and_those_on_one_argument_are_alternatives() {
        let filter = filter(json!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "syscalls": [
                { "names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
                    { "index": 0, "value": 2, "op": "SCMP_CMP_EQ" },
                    { "index": 1, "value": 1, "op": "SCMP_CMP_EQ" },
                ] },
                { "names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [
                    { "index": 0, "value": 0, "op": "SCMP_CMP_EQ" },
                    { "index": 0, "value": 8, "op": "SCMP_CMP_EQ" },
                ] },
            ],
        }));
        let cases = [
            ("socket", [2, 1], ALLOW),
            ("socket", [2, 3], EPERM),
            ("socket", [16, 1], EPERM),
            ("personality", [0, 0], ALLOW),
            ("personality", [8, 0], ALLOW),
            ("personality", [9, 0], EPERM),
        ];
        for (name, [a, b], expected) in cases {
            let found = run(&filter, NATIVE.unwrap(), number(name), [a, b, 0, 0, 0, 0]);
            assert_eq!(found, expected, "{name} {a} {b}");
        }
    }

    #[test]
    fn what_cannot_be_enforced_is_refused() {
        let notify = json!({ "defaultAction": "SCMP_ACT_NOTIFY" });
        let seventh = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            { "names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [
                { "index": 6, "value": 0, "op": "SCMP_CMP_EQ" } ] } ] });
        for profile in [notify, seventh] {
            assert!(compile(&serde_json::from_value(profile).unwrap()).is_err());
        }
    }
}
