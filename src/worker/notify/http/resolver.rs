//! Resolver of targets' names: it hands on the addresses that are allowed, and no other is connected to.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use notifications::{AddressClass, check_address};

/// Resolver by the system's own, which hands on public addresses, and those that lie in networks that are allowed by name.
/// It is asked for each connection, so an address that a name has got since is judged as well.
pub(super) struct AllowedAddresses {
    allow: Arc<[IpNet]>,
}

/// Reason why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAddress {
    /// The name has no address.
    #[error("{0}")]
    NotResolved(io::Error),
    /// None of its addresses is allowed; this is the first.
    #[error("{0} is {1}")]
    NotAllowed(IpAddr, AddressClass),
}

impl AllowedAddresses {
    pub(super) fn new(allow: Vec<IpNet>) -> AllowedAddresses {
        AllowedAddresses {
            allow: allow.into(),
        }
    }
}

impl Resolve for AllowedAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let allow = self.allow.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found = found.map_err(NoAddress::NotResolved)?;
            let allowed = allowed(&found.collect::<Vec<_>>(), &allow)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Returns the addresses that are allowed, of which there is at least one.
fn allowed(found: &[SocketAddr], allow: &[IpNet]) -> Result<Vec<SocketAddr>, NoAddress> {
    let judged = found.iter().map(|address| {
        let ip = address.ip();
        check_address(ip, allow)
            .map(|()| *address)
            .map_err(|class| NoAddress::NotAllowed(ip, class))
    });
    let (allowed, refused): (Vec<_>, Vec<_>) = judged.partition(Result::is_ok);
    let allowed: Vec<SocketAddr> = allowed.into_iter().flatten().collect();
    if !allowed.is_empty() {
        return Ok(allowed);
    }
    match refused.into_iter().find_map(Result::err) {
        Some(refused) => Err(refused),
        None => Err(NoAddress::NotResolved(io::Error::other(
            "the system knows no address of it",
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allowed_addresses_are_handed_on() {
        let found = ["93.184.216.34:0", "10.0.0.1:0", "127.0.0.1:0"];
        let found = found.map(|text| text.parse().expect("an address")).to_vec();
        let nets = |text: &str| vec![text.parse::<IpNet>().expect("a network")];
        let handed = allowed(&found, &[]).expect("a public one");
        assert_eq!(handed, found[..1]);
        let handed = allowed(&found, &nets("10.0.0.0/8")).expect("two");
        assert_eq!(handed, found[..2]);
        let refused = allowed(&found[1..], &[]).expect_err("none");
        assert_eq!(
            refused.to_string(),
            "10.0.0.1 is an address of a private network"
        );
        assert!(allowed(&[], &[]).is_err());
    }
}
