//! What a node does for its pods, computed as data: nothing here touches a file, a socket, the
//! clock or the kernel. An agent reads the objects, calls this crate, and carries out what it says.
//! Behaviour follows kubelet 1.33 where upstream has a say.

pub mod containers;
pub mod dns;
pub mod env;
pub mod eviction;
pub mod handlers;
pub mod hosts;
pub mod images;
pub mod lifecycle;
pub mod nftables;
pub mod observed;
pub mod oci;
pub mod probe;
pub mod references;
pub mod security;
pub mod status;
pub mod volumes;
