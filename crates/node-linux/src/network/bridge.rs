//! The node's side: one bridge, and an interface on it for each pod.

use super::addresses::{Addresses, Range};
use super::interface::index;
use super::{connect, io_error};
use crate::protocol::Interface;
use rtnetlink::{LinkBridge, LinkUnspec, LinkVeth};
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;

/// How pods are connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// The bridge's name, at most 15 characters.
    pub bridge: String,
    /// The node's ranges, at most one of each IP version, the primary one first:
    /// `10.244.0.0/24`.
    pub ranges: Vec<String>,
    /// The largest packet.
    pub mtu: u32,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            bridge: "rampart0".into(),
            ranges: vec!["10.244.0.0/24".into()],
            mtu: 1500,
        }
    }
}

/// The node's bridge.
#[derive(Debug)]
pub(crate) struct Bridge {
    config: NetworkConfig,
    addresses: Vec<Addresses>,
}

/// A pod's connection.
#[derive(Debug)]
pub(crate) struct PodLink {
    /// What the pod's helper is told.
    pub(crate) interface: Interface,
    /// The pod's addresses.
    pub(crate) addresses: Vec<IpAddr>,
}

/// The name of a pod's interface on the node: its sandbox's id is unique in its beginning.
fn host_name(sandbox: &str) -> String {
    format!("rp{}", sandbox.get(..11).unwrap_or(sandbox))
}

fn peer_name(sandbox: &str) -> String {
    format!("rq{}", sandbox.get(..11).unwrap_or(sandbox))
}

impl Bridge {
    /// Keeps what is given out under `directory`.
    pub(crate) fn open(config: NetworkConfig, directory: &Path) -> io::Result<Self> {
        let addresses = config
            .ranges
            .iter()
            .map(|text| {
                let range: Range = text.parse().map_err(io::Error::other)?;
                let name = text.replace(['/', ':', '.'], "-");
                Addresses::open(directory.join(name), range)
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { config, addresses })
    }

    /// Makes the bridge with the node's addresses, if it is not there, and lets the node forward.
    pub(crate) async fn ensure(&self) -> io::Result<u32> {
        let handle = connect()?;
        let name = &self.config.bridge;
        let number = match index(&handle, name).await {
            Ok(number) => number,
            Err(_) => {
                let bridge = LinkBridge::new(name).mtu(self.config.mtu).up().build();
                match handle.link().add(bridge).execute().await.map_err(io_error) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(error);
                    }
                    _ => index(&handle, name).await?,
                }
            }
        };
        for addresses in &self.addresses {
            let range = &addresses.range;
            let add = handle
                .address()
                .add(number, range.gateway(), range.prefix)
                .replace();
            add.execute().await.map_err(io_error)?;
            let forwarding = match range.gateway() {
                IpAddr::V4(_) => "/proc/sys/net/ipv4/ip_forward",
                IpAddr::V6(_) => "/proc/sys/net/ipv6/conf/all/forwarding",
            };
            fs::write(forwarding, "1")?;
        }
        let up = LinkUnspec::new_with_index(number).up().build();
        handle.link().set(up).execute().await.map_err(io_error)?;
        Ok(number)
    }

    /// Connects a pod whose helper is the process `pid`. What was begun is undone by
    /// [`Self::disconnect`].
    pub(crate) async fn connect(&self, sandbox: &str, pid: u32) -> io::Result<PodLink> {
        let bridge = self.ensure().await?;
        let mut with_prefix = Vec::new();
        for addresses in &self.addresses {
            with_prefix.push((addresses.take(sandbox)?, addresses.range.prefix));
        }
        let handle = connect()?;
        let (host, peer) = (host_name(sandbox), peer_name(sandbox));
        let pair = LinkVeth::new(&host, &peer).mtu(self.config.mtu).build();
        handle.link().add(pair).execute().await.map_err(io_error)?;
        let into = LinkUnspec::new_with_name(&peer)
            .mtu(self.config.mtu)
            .setns_by_pid(pid)
            .build();
        handle.link().set(into).execute().await.map_err(io_error)?;
        let onto = LinkUnspec::new_with_name(&host)
            .controller(bridge)
            .up()
            .build();
        handle.link().set(onto).execute().await.map_err(io_error)?;
        Ok(PodLink {
            addresses: with_prefix.iter().map(|(address, _)| *address).collect(),
            interface: Interface {
                name: peer,
                addresses: with_prefix,
                gateways: self.addresses.iter().map(|a| a.range.gateway()).collect(),
            },
        })
    }

    /// Takes a pod off the network and gives its addresses back. Fine if it is not on it.
    pub(crate) async fn disconnect(&self, sandbox: &str) -> io::Result<()> {
        let handle = connect()?;
        if let Ok(number) = index(&handle, &host_name(sandbox)).await {
            let gone = handle.link().del(number).execute().await;
            match gone.map_err(io_error) {
                // The pair goes with the pod's namespace, which may be going now.
                Err(error) if error.raw_os_error() != Some(libc::ENODEV) => return Err(error),
                _ => (),
            }
        }
        for addresses in &self.addresses {
            addresses.give_back(sandbox)?;
        }
        Ok(())
    }
}
