//! Ranges of addresses.

use model::validation::net::{parse_cidr, parse_ip};
use std::fmt;
use std::net::IpAddr;

/// A range of addresses: a network and the number of leading bits that its members share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr {
    network: IpAddr,
    length: u8,
}

/// The leading `length` of 128 bits, or of the lowest 32 for IPv4.
fn masked(ip: IpAddr, length: u8) -> u128 {
    let (bits, width) = number(ip);
    let free = u32::from(width.saturating_sub(length));
    // A shift by all bits leaves none.
    bits.checked_shr(free)
        .and_then(|kept| kept.checked_shl(free))
        .unwrap_or(0)
}

fn number(ip: IpAddr) -> (u128, u8) {
    match ip {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    }
}

impl Cidr {
    /// Reads a range such as `10.0.0.0/8`; host bits are ignored, as upstream does. An IPv4 range
    /// in IPv6 notation is an IPv4 range, as in Go.
    pub fn parse(text: &str) -> Option<Self> {
        let (ip, length) = parse_cidr(text)?;
        let is_mapped = ip.is_ipv4() && text.contains(':');
        let (ip, length) = match (ip, length) {
            (IpAddr::V4(v4), 0..96) if is_mapped => (IpAddr::V6(v4.to_ipv6_mapped()), length),
            (ip, length) if is_mapped => (ip, length.saturating_sub(96)),
            whole => whole,
        };
        Some(Self {
            network: ip,
            length,
        })
    }

    /// The range of one address.
    pub fn of(ip: IpAddr) -> Self {
        let ip = ip.to_canonical();
        Self {
            network: ip,
            length: number(ip).1,
        }
    }

    /// The range of the addresses that share the leading `length` bits of `ip`.
    pub(crate) fn around(ip: IpAddr, length: u8) -> Self {
        let whole = Self {
            length,
            ..Self::of(ip)
        };
        whole.canonical()
    }

    /// The same range without host bits, which makes equal ranges compare so.
    pub(crate) fn canonical(&self) -> Self {
        let bits = masked(self.network, self.length);
        let network = match self.network {
            IpAddr::V4(_) => IpAddr::V4(u32::try_from(bits).unwrap_or_default().into()),
            IpAddr::V6(_) => IpAddr::V6(bits.into()),
        };
        Self {
            network,
            length: self.length,
        }
    }

    /// The number of leading bits that all members share.
    pub fn length(&self) -> u8 {
        self.length
    }

    /// Whether it is a range of IPv4 addresses.
    pub fn is_ipv4(&self) -> bool {
        self.network.is_ipv4()
    }

    /// Whether it holds every address of its family.
    pub fn is_everything(&self) -> bool {
        self.length == 0
    }

    /// Whether no pod can have an address of the range: it is link-local, loopback, multicast, or
    /// EC2's metadata service.
    pub(crate) fn is_special(&self) -> bool {
        match self.canonical().network {
            IpAddr::V4(ip) => {
                let least = if ip.is_link_local() {
                    16
                } else if ip.is_loopback() {
                    8
                } else if ip.is_multicast() {
                    4
                } else {
                    return false;
                };
                self.length >= least
            }
            IpAddr::V6(ip) => {
                let least = if ip.is_unicast_link_local() {
                    10
                } else if ip.is_multicast() {
                    8
                } else if ip.is_loopback() || ip.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
                {
                    128
                } else {
                    return false;
                };
                self.length >= least
            }
        }
    }

    /// Whether an address is in the range.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.network.is_ipv4()
            && masked(ip, self.length) == masked(self.network, self.length)
    }

    /// Whether every address of `other` is in the range.
    pub fn covers(&self, other: &Self) -> bool {
        self.length <= other.length && self.contains(other.network)
    }
}

impl fmt::Display for Cidr {
    /// The network without host bits, as in `10.0.0.0/8`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.canonical().network, self.length)
    }
}

/// Reads an address in the form in which addresses are compared.
pub fn address(text: &str) -> Option<IpAddr> {
    parse_ip(text).map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn members() {
        for (range, ip, want) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/8", "10.9.9.9", true),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "10.0.0.1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("192.0.2.1/32", "192.0.2.1", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ] {
            let cidr = Cidr::parse(range).unwrap();
            assert_eq!(cidr.contains(ip.parse().unwrap()), want, "{ip} in {range}");
        }
    }

    #[test]
    fn special_ranges() {
        for (range, want) in [
            ("169.254.169.254/32", true),
            ("169.254.0.0/16", true),
            ("169.254.0.0/15", false),
            ("127.0.0.0/8", true),
            ("224.0.0.0/4", true),
            ("10.0.0.0/8", false),
            ("0.0.0.0/0", false),
            ("fe80::/10", true),
            ("fd00:ec2::254/128", true),
            ("fd00:ec2::/32", false),
            ("::/0", false),
        ] {
            assert_eq!(Cidr::parse(range).unwrap().is_special(), want, "{range}");
        }
    }

    #[test]
    fn covering() {
        for (outer, inner, want) in [
            ("10.0.0.0/8", "10.1.0.0/16", true),
            ("10.0.0.0/8", "10.0.0.0/8", true),
            ("10.1.0.0/16", "10.0.0.0/8", false),
            ("0.0.0.0/0", "::/0", false),
        ] {
            let (outer, inner) = (Cidr::parse(outer).unwrap(), Cidr::parse(inner).unwrap());
            assert_eq!(outer.covers(&inner), want, "{outer} {inner}");
        }
    }

    #[test]
    fn shown_without_host_bits() {
        assert_eq!(Cidr::parse("10.1.2.3/8").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(Cidr::parse("2001:db8::1/0").unwrap().to_string(), "::/0");
    }

    proptest! {
        #[test]
        fn never_panics(text in "[0-9a-f:./]{0,24}", bits: u128) {
            if let Some(cidr) = Cidr::parse(&text) {
                let _ = cidr.contains(IpAddr::V6(bits.into()));
                let again = Cidr::parse(&cidr.to_string()).unwrap();
                prop_assert!(again.covers(&cidr) && cidr.covers(&again));
            }
        }
    }
}
