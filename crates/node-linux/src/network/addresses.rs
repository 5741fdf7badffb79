//! Addresses for pods, one file each: what is taken outlives the agent, and two that want an
//! address at once cannot get the same.

use crate::files;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::str::FromStr;

/// A range of addresses: `10.244.0.0/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    base: u128,
    v6: bool,
    pub(crate) prefix: u8,
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a range of addresses");
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
        let (value, v6) = number(address);
        let bits = if v6 { 128 } else { 32 };
        // The network's own, the gateway's, a pod's and the broadcast address.
        if prefix > bits - 2 {
            return Err(format!("{text:?} has no room for pods"));
        }
        let mask = !(1u128 << (bits - prefix)).wrapping_sub(1);
        Ok(Self {
            base: value & mask,
            v6,
            prefix,
        })
    }
}

fn number(address: IpAddr) -> (u128, bool) {
    match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)), false),
        IpAddr::V6(address) => (u128::from(address), true),
    }
}

impl Range {
    fn at(&self, offset: u128) -> IpAddr {
        let value = self.base.saturating_add(offset);
        if self.v6 {
            IpAddr::V6(Ipv6Addr::from(value))
        } else {
            IpAddr::V4(Ipv4Addr::from(u32::try_from(value).unwrap_or(u32::MAX)))
        }
    }

    /// The node's own address in the range.
    pub(crate) fn gateway(&self) -> IpAddr {
        self.at(1)
    }

    /// How many offsets there are, not counting the last (IPv4's broadcast address). Of a large
    /// range only the first million are given out.
    fn end(&self) -> u128 {
        let bits = if self.v6 { 128 } else { 32 };
        let size = 1u128
            .checked_shl(bits - u32::from(self.prefix))
            .unwrap_or(u128::MAX);
        size.saturating_sub(1).min(1 << 20)
    }
}

/// What is given out of one range.
#[derive(Debug)]
pub(crate) struct Addresses {
    directory: PathBuf,
    pub(crate) range: Range,
}

/// Where the search goes on, so that an address is not given to another pod at once.
const LAST: &str = "last";

impl Addresses {
    pub(crate) fn open(directory: PathBuf, range: Range) -> io::Result<Self> {
        files::make_dir(&directory)?;
        Ok(Self { directory, range })
    }

    /// An address that nobody has.
    pub(crate) fn take(&self, owner: &str) -> io::Result<IpAddr> {
        let last = self.directory.join(LAST);
        let last_given: u128 = fs::read_to_string(&last)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(1);
        let end = self.range.end();
        let offsets = (last_given.saturating_add(1)..end).chain(2..=last_given.min(end - 1));
        for offset in offsets.filter(|offset| *offset >= 2) {
            let address = self.range.at(offset);
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(self.directory.join(address.to_string()));
            match file {
                Ok(mut file) => {
                    file.write_all(owner.as_bytes())?;
                    files::write(&last, offset.to_string().as_bytes())?;
                    return Ok(address);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (),
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("all addresses of the node are taken"))
    }

    /// Gives back what an owner has.
    pub(crate) fn give_back(&self, owner: &str) -> io::Result<()> {
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            let is_address = path
                .file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.parse::<IpAddr>().is_ok());
            if is_address && fs::read(&path).is_ok_and(|content| content == owner.as_bytes()) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(range: &str) -> (tempfile::TempDir, Addresses) {
        let dir = tempfile::tempdir().unwrap();
        let open = Addresses::open(dir.path().join("a"), range.parse().unwrap()).unwrap();
        (dir, open)
    }

    #[test]
    fn each_address_is_given_once_and_the_longest_free_one_next() {
        let (_dir, addresses) = addresses("10.1.2.77/29");
        assert_eq!(addresses.range.gateway().to_string(), "10.1.2.73");
        let taken: Vec<_> = (0..5)
            .map(|n| addresses.take(&format!("p{n}")).unwrap().to_string())
            .collect();
        assert_eq!(
            taken,
            [
                "10.1.2.74",
                "10.1.2.75",
                "10.1.2.76",
                "10.1.2.77",
                "10.1.2.78"
            ]
        );
        assert!(addresses.take("late").is_err());
        addresses.give_back("p1").unwrap();
        addresses.give_back("p3").unwrap();
        assert_eq!(addresses.take("x").unwrap().to_string(), "10.1.2.75");
        addresses.give_back("x").unwrap();
        assert_eq!(addresses.take("y").unwrap().to_string(), "10.1.2.77");
    }

    #[test]
    fn version_6_works_alike() {
        let (_dir, addresses) = addresses("fd00:1::/64");
        assert_eq!(addresses.range.gateway().to_string(), "fd00:1::1");
        assert_eq!(addresses.take("p").unwrap().to_string(), "fd00:1::2");
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.0/31",
            "10.0.0.0/99",
            "fd00::/127",
            "x/8",
        ] {
            assert!(text.parse::<Range>().is_err(), "{text}");
        }
        assert!("0.0.0.0/0".parse::<Range>().is_ok());
    }
}
