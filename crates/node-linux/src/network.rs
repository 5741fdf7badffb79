//! A pod's network: a bridge on the node, a pair of virtual interfaces per pod of which one end
//! is in the pod, addresses from the node's range. The pod's end is set up by its helper, which
//! lives in the pod's network namespace, so nothing here changes namespaces.

mod addresses;
mod bridge;
mod interface;

pub(crate) use bridge::Bridge;
pub use bridge::NetworkConfig;
pub(crate) use interface::{configure, loopback_up};

use rtnetlink::packet_core::ErrorMessage;
use std::io;

/// A netlink error as the system error it stands for.
fn io_error(error: rtnetlink::Error) -> io::Error {
    match error {
        rtnetlink::Error::NetlinkError(message) => message_error(&message),
        other => io::Error::other(other),
    }
}

fn message_error(message: &ErrorMessage) -> io::Error {
    message.to_io()
}

/// A connection to the kernel's routing tables, in the namespace of this thread.
fn connect() -> io::Result<rtnetlink::Handle> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    tokio::spawn(connection);
    Ok(handle)
}
