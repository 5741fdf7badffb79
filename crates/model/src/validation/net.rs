//! IP addresses and CIDR ranges, read as leniently as upstream's "sloppy" parsers do: leading
//! zeros in IPv4 octets are accepted and mean decimal.

use super::at::{At, Report};
use crate::field::ErrorList;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Reads an address. An IPv4 address in IPv6 notation is an IPv4 address, as in Go.
pub fn parse_ip(text: &str) -> Option<IpAddr> {
    if !text.contains(':') {
        return parse_v4(text).map(IpAddr::V4);
    }
    let address: Ipv6Addr = text.parse().ok()?;
    Some(match address.to_ipv4_mapped() {
        Some(v4) => IpAddr::V4(v4),
        None => IpAddr::V6(address),
    })
}

fn parse_v4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0u8; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let digits = part.trim_start_matches('0');
        *octet = if digits.is_empty() {
            0
        } else {
            digits.parse().ok()?
        };
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets))
}

/// Reads a range: the address as it was written, and the prefix length.
pub fn parse_cidr(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = text.split_once('/')?;
    let ip = parse_ip(address)?;
    let max = if address.contains(':') { 128 } else { 32 };
    if length.is_empty() || !length.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let length: u8 = length.parse().ok()?;
    (length <= max).then_some((ip, length))
}

/// The network address and length of a range, with the host bits cleared, such as `10.0.0.0/8`.
pub fn canonical_cidr(text: &str) -> Option<String> {
    let (ip, length) = parse_cidr(text)?;
    let network = match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX
                .checked_shl(32 - u32::from(length.min(32)))
                .unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(ip) & mask))
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(ip) & mask))
        }
    };
    Some(format!("{network}/{length}"))
}

/// Reports a text that is no IP address.
pub fn valid_ip(text: &str, at: &At<'_>, errors: &mut ErrorList) {
    if parse_ip(text).is_none() {
        errors.invalid(
            at,
            text,
            "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        );
    }
}

/// Reports a text that is no CIDR range.
pub fn valid_cidr(text: &str, at: &At<'_>, errors: &mut ErrorList) {
    if parse_cidr(text).is_none() {
        errors.invalid(
            at,
            text,
            "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
        );
    }
}

/// Warnings on a range in a form that later versions will not take, or that may not mean what was
/// meant; none on what is no range at all.
pub fn cidr_warnings(text: &str, at: &At<'_>) -> Vec<String> {
    let (Some((ip, length)), Some((address, digits))) = (parse_cidr(text), text.split_once('/'))
    else {
        return Vec::new();
    };
    // An IPv4 range in IPv6 notation counts its length from the front of the IPv6 address.
    let mapped = ip.is_ipv4() && address.contains(':');
    let length = if mapped {
        length.saturating_sub(96)
    } else {
        length
    };
    let Some(network) = canonical_cidr(&format!("{ip}/{length}")) else {
        return Vec::new();
    };
    let at = at.path();
    let mut warnings = Vec::new();
    if network != format!("{ip}/{length}") {
        let whole = if ip.is_ipv4() { 32 } else { 128 };
        warnings.push(format!(
            "{at}: CIDR value {text:?} is ambiguous in this context (should be {network:?} or \
             \"{ip}/{whole}\"?)"
        ));
    }
    let padded = |number: &str| number.len() > 1 && number.starts_with('0');
    let zeros = padded(digits) || (ip.is_ipv4() && !mapped && address.split('.').any(padded));
    if zeros || mapped {
        warnings.push(format!(
            "{at}: non-standard CIDR value {text:?} will be considered invalid in a future \
             Kubernetes release: use {network:?}"
        ));
    }
    if warnings.is_empty() && ip.is_ipv6() && network != text {
        warnings.push(format!(
            "{at}: IPv6 CIDR value {text:?} should be in RFC 5952 canonical format ({network:?})"
        ));
    }
    warnings
}

/// Reports addresses that no service endpoint may have: unspecified, loopback, link-local and
/// local multicast.
pub fn not_special_ip(text: &str, at: &At<'_>, errors: &mut ErrorList) {
    let Some(ip) = parse_ip(text) else {
        errors.invalid(at, text, "must be a valid IP address");
        return;
    };
    if ip.is_unspecified() {
        errors.invalid(at, text, format!("may not be unspecified ({text})"));
    }
    if ip.is_loopback() {
        errors.invalid(
            at,
            text,
            "may not be in the loopback range (127.0.0.0/8, ::1/128)",
        );
    }
    let (link_local, local_multicast) = match ip {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.octets().starts_with(&[224, 0, 0])),
        IpAddr::V6(v6) => {
            let [first, ..] = v6.segments();
            (first & 0xffc0 == 0xfe80, first & 0xff0f == 0xff02)
        }
    };
    if link_local {
        errors.invalid(
            at,
            text,
            "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
        );
    }
    if local_multicast {
        errors.invalid(
            at,
            text,
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses() {
        for good in [
            "1.2.3.4",
            "010.001.0.00",
            "::",
            "2001:db8::1",
            "::ffff:1.2.3.4",
        ] {
            assert!(parse_ip(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "1.2.3",
            "1.2.3.4.5",
            "256.1.1.1",
            "1.2.3.-4",
            "1.2.3.+4",
            "fe80::1%eth0",
            "a",
        ] {
            assert!(parse_ip(bad).is_none(), "{bad}");
        }
        assert!(parse_ip("::ffff:1.2.3.4").unwrap().is_ipv4());
    }

    #[test]
    fn ranges() {
        assert_eq!(canonical_cidr("10.1.2.3/8").unwrap(), "10.0.0.0/8");
        assert_eq!(canonical_cidr("0.0.0.0/0").unwrap(), "0.0.0.0/0");
        assert_eq!(canonical_cidr("2001:db8::1/64").unwrap(), "2001:db8::/64");
        for bad in [
            "10.0.0.0",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "x/8",
        ] {
            assert!(parse_cidr(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn special_addresses() {
        for (ip, count) in [
            ("0.0.0.0", 1),
            ("127.0.0.1", 1),
            ("::1", 1),
            ("169.254.1.1", 1),
            ("fe80::1", 1),
            ("224.0.0.5", 1),
            ("ff02::1", 1),
            ("10.0.0.1", 0),
            ("bogus", 1),
        ] {
            let mut errors = ErrorList::new();
            not_special_ip(ip, &At::of("ip"), &mut errors);
            assert_eq!(errors.len(), count, "{ip}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[0-9a-f:./%]{0,24}") {
            let _ = parse_ip(&text);
            let _ = canonical_cidr(&text);
        }
    }

    #[test]
    fn doubtful_ranges() {
        let ambiguous = |text: &str, network: &str, single: &str| {
            format!(
                "f: CIDR value {text:?} is ambiguous in this context (should be {network:?} or \
                 {single:?}?)"
            )
        };
        let odd = |text: &str, network: &str| {
            format!(
                "f: non-standard CIDR value {text:?} will be considered invalid in a future \
                 Kubernetes release: use {network:?}"
            )
        };
        let long = "f: IPv6 CIDR value \"2001:DB8:0::/64\" should be in RFC 5952 canonical format \
                    (\"2001:db8::/64\")";
        let single = "2001:db8::1/128";
        let cases = [
            ("10.0.0.0/8", vec![]),
            ("2001:db8::/64", vec![]),
            ("nonsense", vec![]),
            (
                "10.0.0.1/8",
                vec![ambiguous("10.0.0.1/8", "10.0.0.0/8", "10.0.0.1/32")],
            ),
            ("010.0.0.0/8", vec![odd("010.0.0.0/8", "10.0.0.0/8")]),
            ("10.0.0.0/08", vec![odd("10.0.0.0/08", "10.0.0.0/8")]),
            (
                "::ffff:10.0.0.0/104",
                vec![odd("::ffff:10.0.0.0/104", "10.0.0.0/8")],
            ),
            (
                "2001:db8::1/64",
                vec![ambiguous("2001:db8::1/64", "2001:db8::/64", single)],
            ),
            ("2001:DB8:0::/64", vec![long.to_owned()]),
        ];
        for (text, want) in cases {
            assert_eq!(cidr_warnings(text, &At::of("f")), want, "{text}");
        }
    }
}
