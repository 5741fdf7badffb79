//! The pod's end, set up from within the pod's network namespace.

use super::{connect, io_error};
use crate::protocol::Interface;
use futures::TryStreamExt;
use rtnetlink::{LinkUnspec, RouteMessageBuilder};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The name of a pod's interface, in the pod.
const NAME: &str = "eth0";

/// The number of an interface.
pub(super) async fn index(handle: &rtnetlink::Handle, name: &str) -> io::Result<u32> {
    let mut found = handle.link().get().match_name(name.to_owned()).execute();
    match found.try_next().await.map_err(io_error)? {
        Some(link) => Ok(link.header.index),
        None => Err(io::Error::new(io::ErrorKind::NotFound, name.to_owned())),
    }
}

/// Brings up a network namespace's own loopback.
pub(crate) async fn loopback_up() -> io::Result<()> {
    let handle = connect()?;
    let index = index(&handle, "lo").await?;
    let up = LinkUnspec::new_with_index(index).up().build();
    handle.link().set(up).execute().await.map_err(io_error)
}

/// Names, addresses and brings up the interface that was moved here, and routes through it.
pub(crate) async fn configure(interface: &Interface) -> io::Result<()> {
    let handle = connect()?;
    let index = index(&handle, &interface.name).await?;
    let rename = LinkUnspec::new_with_index(index).name(NAME).build();
    handle
        .link()
        .set(rename)
        .execute()
        .await
        .map_err(io_error)?;
    for (address, prefix) in &interface.addresses {
        let mut request = handle.address().add(index, *address, *prefix);
        if address.is_ipv6() {
            // Without waiting for others to object: the address is the node's to give.
            let flags = rtnetlink::packet_route::address::AddressHeaderFlags::Nodad;
            request.message_mut().header.flags |= flags;
        }
        request.execute().await.map_err(io_error)?;
    }
    let up = LinkUnspec::new_with_index(index).up().build();
    handle.link().set(up).execute().await.map_err(io_error)?;
    for gateway in &interface.gateways {
        let route = match gateway {
            IpAddr::V4(gateway) => RouteMessageBuilder::<Ipv4Addr>::new()
                .gateway(*gateway)
                .output_interface(index)
                .build(),
            IpAddr::V6(gateway) => RouteMessageBuilder::<Ipv6Addr>::new()
                .gateway(*gateway)
                .output_interface(index)
                .build(),
        };
        handle
            .route()
            .add(route)
            .execute()
            .await
            .map_err(io_error)?;
    }
    Ok(())
}
