//! Takes a packet through a table as the kernel does: what the table means, for tests and for
//! explaining a drop.

use super::{Hook, Matches, Rule, Table, Verdict};
use network_policy::Protocol;
use std::net::IpAddr;

/// The first packet of a connection (none of the link's own, such as neighbour discovery).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Where it is from.
    pub source: IpAddr,
    /// Where it goes.
    pub destination: IpAddr,
    /// Its protocol; `None` for one without ports, such as ICMP.
    pub protocol: Option<Protocol>,
    /// Its destination port.
    pub port: u16,
    /// Whether the destination is the node's own.
    pub local: bool,
    /// Whether the destination was changed on the way.
    pub translated: bool,
}

/// What becomes of it at a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate<'a> {
    /// It goes on.
    Passes,
    /// It is dropped or refused, by this rule.
    Stopped(&'a Rule),
    /// It goes on, changed by this rule.
    Changed(&'a Rule),
}

/// How deep chains may jump; the kernel has a limit, too.
const DEPTH: usize = 16;

impl Table {
    /// What becomes of a packet at a hook. Where a chain is chosen by chance, `chance` chooses.
    pub fn walk(&self, hook: Hook, packet: &Packet, chance: usize) -> Fate<'_> {
        let chain = self.hooks.get(&hook);
        chain
            .and_then(|chain| self.chain(chain, packet, chance, DEPTH))
            .unwrap_or(Fate::Passes)
    }

    /// `None` if the chain leaves it to the one that asked it.
    fn chain(&self, name: &str, packet: &Packet, chance: usize, depth: usize) -> Option<Fate<'_>> {
        let depth = depth.checked_sub(1)?;
        for rule in self.chains.get(name)? {
            if !rule.matches.hold(packet) {
                continue;
            }
            match &rule.verdict {
                Verdict::Accept => return Some(Fate::Passes),
                Verdict::Drop | Verdict::Reject => return Some(Fate::Stopped(rule)),
                Verdict::Dnat { .. } | Verdict::Masquerade => return Some(Fate::Changed(rule)),
                Verdict::Return => return None,
                Verdict::Goto(other) => return self.chain(other, packet, chance, depth),
                Verdict::Spread(chains) => {
                    let other = chains.get(chance.checked_rem(chains.len())?)?;
                    return self.chain(other, packet, chance, depth);
                }
                Verdict::Jump(other) => {
                    if let Some(fate) = self.chain(other, packet, chance, depth) {
                        return Some(fate);
                    }
                }
            }
        }
        None
    }
}

impl Matches {
    fn hold(&self, packet: &Packet) -> bool {
        let has = |addresses: &Option<super::Addresses>, ip| {
            addresses
                .as_ref()
                .is_none_or(|addresses| addresses.contains(ip))
        };
        // It is the first of its connection, and none of the link's own.
        !self.established
            && !self.neighbour
            && has(&self.source, packet.source)
            && has(&self.destination, packet.destination)
            && (packet.local || !self.local_destination)
            && (packet.translated || !self.translated)
            && self.ports.as_ref().is_none_or(|ports| {
                packet.protocol == Some(ports.protocol)
                    && (ports.ranges.is_empty()
                        || ports
                            .ranges
                            .iter()
                            .any(|(a, b)| (*a..=*b).contains(&packet.port)))
            })
    }
}
