//! The table as a script for `nft -f`, which carries it out as one transaction.

use super::{Addresses, Hook, Matches, Rule, TABLE, Table, Verdict};
use network_policy::{Cidr, Protocol};
use std::fmt::Write;

/// The script that puts the table in the place of the one that is there, if any.
pub fn render(table: &Table) -> String {
    let mut script = String::new();
    // Adding what is there is no error, deleting what is not would be.
    let _ = writeln!(script, "add table inet {TABLE}\ndelete table inet {TABLE}");
    let _ = writeln!(script, "table inet {TABLE} {{");
    // A chain must be there before another names it, and chains name each other.
    for name in table.chains.keys() {
        let _ = writeln!(script, "  chain {name} {{");
        let hook = table.hooks.iter().find(|(_, chain)| *chain == name);
        if let Some((hook, _)) = hook {
            let _ = writeln!(script, "    {}", base(*hook));
        }
        script.push_str("  }\n");
    }
    script.push_str("}\n");
    for (name, rules) in &table.chains {
        for line in rules.iter().flat_map(lines) {
            let _ = writeln!(script, "add rule inet {TABLE} {name} {line}");
        }
    }
    script
}

fn base(hook: Hook) -> &'static str {
    match hook {
        Hook::Forward => "type filter hook forward priority filter; policy accept;",
        Hook::Input => "type filter hook input priority filter; policy accept;",
        Hook::Output => "type filter hook output priority filter; policy accept;",
        Hook::Prerouting => "type nat hook prerouting priority dstnat; policy accept;",
        // As `dstnat`, whose name nft knows at prerouting only.
        Hook::OutputNat => "type nat hook output priority -100; policy accept;",
        Hook::Postrouting => "type nat hook postrouting priority srcnat; policy accept;",
    }
}

/// The lines of a rule: one that is for addresses has one for each family that they are of.
fn lines(rule: &Rule) -> Vec<String> {
    let sides = [
        ("saddr", &rule.matches.source),
        ("daddr", &rule.matches.destination),
    ];
    let verdict = verdict(&rule.verdict);
    let comment = comment(&rule.comment);
    if sides.iter().all(|(_, side)| side.is_none()) {
        return vec![format!("{}{verdict}{comment}", rest(&rule.matches))];
    }
    [true, false]
        .into_iter()
        .filter_map(|v4| {
            let mut line = String::new();
            for (field, side) in &sides {
                if let Some(side) = side {
                    line.push_str(&addresses(field, side, v4)?);
                }
            }
            if line.is_empty() {
                // Taken out of everything was only the other family.
                line.push_str(if v4 {
                    "meta nfproto ipv4 "
                } else {
                    "meta nfproto ipv6 "
                });
            }
            Some(format!("{line}{}{verdict}{comment}", rest(&rule.matches)))
        })
        .collect()
}

/// The test of one side in one family; `None` if no address of that family passes it.
fn addresses(field: &str, side: &Addresses, v4: bool) -> Option<String> {
    let protocol = if v4 { "ip" } else { "ip6" };
    let of_family = |ranges: &[Cidr]| -> Vec<Cidr> {
        let mut ranges: Vec<Cidr> = ranges
            .iter()
            .copied()
            .filter(|range| range.is_ipv4() == v4)
            .collect();
        // A set of intervals takes none that lies in another.
        ranges.sort_by_key(|range| (range.length(), *range));
        let mut kept: Vec<Cidr> = Vec::new();
        for range in ranges {
            if !kept.iter().any(|other| other.covers(&range)) {
                kept.push(range);
            }
        }
        kept.sort_unstable();
        kept
    };
    let set = |ranges: &[Cidr]| -> String {
        let ranges: Vec<String> = ranges.iter().map(ToString::to_string).collect();
        format!("{{ {} }}", ranges.join(", "))
    };
    let mut test = String::new();
    if let Some(within) = &side.within {
        let within = of_family(within);
        if within.is_empty() {
            return None;
        }
        // Every address of the family, which nft takes in no set.
        if within.iter().any(Cidr::is_everything) {
            test.push_str(if v4 {
                "meta nfproto ipv4 "
            } else {
                "meta nfproto ipv6 "
            });
        } else {
            let _ = write!(test, "{protocol} {field} {} ", set(&within));
        }
    }
    let outside = of_family(&side.outside);
    if outside.iter().any(Cidr::is_everything) {
        return None;
    }
    if !outside.is_empty() {
        let _ = write!(test, "{protocol} {field} != {} ", set(&outside));
    }
    Some(test)
}

fn rest(matches: &Matches) -> String {
    let mut test = String::new();
    if matches.established {
        test.push_str("ct state established,related ");
    }
    if matches.neighbour {
        test.push_str(
            "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, \
             nd-router-advert } ",
        );
    }
    if matches.translated {
        test.push_str("ct status dnat ");
    }
    if matches.local_destination {
        test.push_str("fib daddr type local ");
    }
    if let Some(ports) = &matches.ports {
        let protocol = match ports.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        };
        let ranges: Vec<String> = ports
            .ranges
            .iter()
            .map(|(first, last)| {
                if first == last {
                    first.to_string()
                } else {
                    format!("{first}-{last}")
                }
            })
            .collect();
        let is_any = ranges.is_empty() || ports.ranges.contains(&(0, u16::MAX));
        if is_any {
            let _ = write!(test, "meta l4proto {protocol} ");
        } else {
            let _ = write!(test, "{protocol} dport {{ {} }} ", ranges.join(", "));
        }
    }
    test
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accept => "accept".to_owned(),
        Verdict::Drop => "drop".to_owned(),
        Verdict::Reject => "reject".to_owned(),
        Verdict::Return => "return".to_owned(),
        Verdict::Jump(chain) => format!("jump {chain}"),
        Verdict::Goto(chain) => format!("goto {chain}"),
        Verdict::Spread(chains) => match chains.as_slice() {
            [only] => format!("goto {only}"),
            chains => {
                let each = chains.iter().enumerate();
                let each: Vec<String> = each
                    .map(|(n, chain)| format!("{n} : goto {chain}"))
                    .collect();
                format!(
                    "numgen random mod {} vmap {{ {} }}",
                    chains.len(),
                    each.join(", ")
                )
            }
        },
        Verdict::Dnat { address, port } if address.is_ipv4() => {
            format!("dnat ip to {address}:{port}")
        }
        Verdict::Dnat { address, port } => format!("dnat ip6 to [{address}]:{port}"),
        Verdict::Masquerade => "masquerade".to_owned(),
    }
}

/// A comment, of the characters and the length that the kernel takes.
fn comment(text: &str) -> String {
    let kept: String = text
        .chars()
        .filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\') || *c == ' ')
        .take(120)
        .collect();
    if kept.is_empty() {
        kept
    } else {
        format!(" comment \"{kept}\"")
    }
}
