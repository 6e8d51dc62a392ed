//! Resolver of targets' names: it hands on the addresses that are allowed, and no other is connected to.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::worker::notify::examine::JudgedAddress;
use notifications::{AddressClass, check_address};

/// Addresses of a name, once they are known.
type Lookup = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// What looks names up.
pub(in crate::worker::notify) type NameServer = Arc<dyn Fn(String) -> Lookup + Send + Sync>;

/// Returns the system's own name server.
pub(in crate::worker::notify) fn name_server() -> NameServer {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.collect())
        })
    })
}

/// Resolver that hands on public addresses, and those that lie in networks that are allowed by name. It is asked for each
/// connection, so an address that a name has got since is judged as well.
#[derive(Clone)]
pub(super) struct AllowedAddresses {
    allow: Arc<[IpNet]>,
    names: NameServer,
}

/// Reason why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(in crate::worker::notify) enum NoAddress {
    /// The name has no address.
    #[error("{0}")]
    NotResolved(io::Error),
    /// None of its addresses is allowed; this is the first.
    #[error("{0} is {1}")]
    NotAllowed(IpAddr, AddressClass),
}

impl AllowedAddresses {
    pub(super) fn new(allow: Vec<IpNet>, names: NameServer) -> AllowedAddresses {
        AllowedAddresses {
            allow: allow.into(),
            names,
        }
    }

    /// Judges an address.
    pub(super) fn judge(&self, address: IpAddr) -> JudgedAddress {
        JudgedAddress {
            address,
            class: AddressClass::of(address),
            is_allowed: check_address(address, &self.allow).is_ok(),
        }
    }

    /// Returns the addresses of a name, of which at least one is allowed.
    pub(super) async fn look_up(&self, name: &str) -> Result<Vec<JudgedAddress>, NoAddress> {
        let found = (self.names)(name.to_owned()).await;
        let found = found.map_err(NoAddress::NotResolved)?.into_iter();
        let judged = found.map(|address| self.judge(address.ip())).collect();
        some_allowed(judged)
    }
}

impl Resolve for AllowedAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = self.clone();
        Box::pin(async move {
            let found = addresses.look_up(name.as_str()).await?.into_iter();
            let allowed = found.filter(|judged| judged.is_allowed);
            // The client knows the port.
            let allowed = allowed.map(|judged| SocketAddr::new(judged.address, 0));
            Ok(Box::new(allowed) as Addrs)
        })
    }
}

/// Returns the addresses, unless none of them is allowed.
pub(super) fn some_allowed(judged: Vec<JudgedAddress>) -> Result<Vec<JudgedAddress>, NoAddress> {
    if judged.iter().any(|judged| judged.is_allowed) {
        return Ok(judged);
    }
    let mut refused = judged.iter();
    let refused = refused.find_map(|judged| Some((judged.address, judged.class?)));
    Err(match refused {
        Some((address, class)) => NoAddress::NotAllowed(address, class),
        None => NoAddress::NotResolved(io::Error::other("the system knows no address of it")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowing(text: &[&str]) -> AllowedAddresses {
        let nets = text.iter().map(|text| text.parse().expect("a network"));
        AllowedAddresses::new(nets.collect(), name_server())
    }

    #[test]
    fn only_allowed_addresses_are_handed_on() {
        let found = ["93.184.216.34", "10.0.0.1", "127.0.0.1"];
        let found: [IpAddr; 3] = found.map(|text| text.parse().expect("an address"));
        let allowed = |allow: &[&str], found: &[IpAddr]| {
            let addresses = allowing(allow);
            let judged = found.iter().map(|address| addresses.judge(*address));
            let judged = some_allowed(judged.collect())?.into_iter();
            let allowed = judged.filter(|judged| judged.is_allowed);
            Ok::<_, NoAddress>(allowed.map(|judged| judged.address).collect::<Vec<_>>())
        };
        assert_eq!(allowed(&[], &found).expect("a public one"), found[..1]);
        assert_eq!(allowed(&["10.0.0.0/8"], &found).expect("two"), found[..2]);
        let refused = allowed(&[], &found[1..]).expect_err("none");
        assert_eq!(
            refused.to_string(),
            "10.0.0.1 is an address of a private network"
        );
        assert!(allowed(&[], &[]).is_err());
    }
}
