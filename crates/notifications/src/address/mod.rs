//! Classes of addresses: which are public, and which a target may have only if the configuration names them.
//!
//! A user who can make the program send a request to an address of their own choice reaches what only this machine or its
//! network can reach. So the address that is connected to is judged, after the name is resolved.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

/// Class of an address that is not public.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, IntoStaticStr, VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum AddressClass {
    /// The address at which a cloud tells its machines their credentials.
    Metadata,
    /// An address of this machine.
    Loopback,
    /// An address of a private network: RFC 1918, unique local ones, and NAT64 for local use.
    Private,
    /// An address on the same link.
    LinkLocal,
    /// An address between a provider and its customers: RFC 6598.
    Shared,
    /// No address: on many systems, this machine.
    Unspecified,
    /// An address of many receivers, or of all.
    Multicast,
    /// An address that only documents use.
    Documentation,
    /// An address for measuring networks: RFC 2544, RFC 5180.
    Benchmarking,
    /// An address that is reserved, or that means something else than one machine.
    Reserved,
}

impl AddressClass {
    /// Returns the code of the class.
    pub fn code(self) -> &'static str {
        self.into()
    }

    /// Returns the class of an address; `None`: the address is public. An address that carries one of IPv4 (mapped,
    /// NAT64, 6to4, Teredo) is of that one's class.
    pub fn of(address: IpAddr) -> Option<AddressClass> {
        match canonical(address) {
            IpAddr::V4(address) => class_v4(address),
            IpAddr::V6(address) => class_v6(address),
        }
    }
}

/// The class in words.
impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AddressClass::Metadata => "an address at which a cloud gives out credentials",
            AddressClass::Loopback => "an address of this machine",
            AddressClass::Private => "an address of a private network",
            AddressClass::LinkLocal => "a link-local address",
            AddressClass::Shared => "an address between a provider and its customers",
            AddressClass::Unspecified => "no address of any machine",
            AddressClass::Multicast => "an address of many machines",
            AddressClass::Documentation => "an address for documents",
            AddressClass::Benchmarking => "an address for measuring networks",
            AddressClass::Reserved => "a reserved address",
        })
    }
}

/// Checks that a connection to the address is allowed: it is public, or lies in one of the networks that were named.
///
/// A metadata address is allowed only by a network of that address alone, so that allowing a private network opens no
/// cloud's credentials by oversight.
///
/// # Errors
///
/// The class of the address, if it is neither.
pub fn check_address(address: IpAddr, allowed: &[IpNet]) -> Result<(), AddressClass> {
    let Some(class) = AddressClass::of(address) else {
        return Ok(());
    };
    let address = canonical(address);
    let names = |net: &IpNet| match class {
        AddressClass::Metadata => net.prefix_len() == net.max_prefix_len() && net.addr() == address,
        _ => net.contains(&address),
    };
    if allowed.iter().any(names) {
        Ok(())
    } else {
        Err(class)
    }
}

/// Returns the IPv4 address that an address carries, or the address itself.
fn canonical(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    embedded_v4(v6).map_or(address, IpAddr::V4)
}

/// Returns the IPv4 address to which packets for an address go, if it carries one.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = address.segments();
    let at = |place: usize| Some(v4(s[place], s[place + 1]));
    match s {
        // The unspecified address and this machine's are no IPv4 addresses.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // Compatible (deprecated), mapped, translated (RFC 2765); NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0 | 0xffff, ..]
        | [0, 0, 0, 0, 0xffff, 0, ..]
        | [0x64, 0xff9b, 0, 0, 0, 0, ..] => at(6),
        // 6to4 (RFC 3056).
        [0x2002, ..] => at(1),
        // Teredo (RFC 4380): the client's address, with its bits turned.
        [0x2001, 0, ..] => Some(v4(!s[6], !s[7])),
        _ => None,
    }
}

fn v4(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

/// Class by IANA's registry of special-purpose IPv4 addresses, and the metadata addresses of clouds.
fn class_v4(address: Ipv4Addr) -> Option<AddressClass> {
    Some(match address.octets() {
        // Amazon, Google, Microsoft and others; Amazon's for containers; Alibaba; Oracle; Microsoft's other, which looks
        // public.
        [169, 254, 169, 254]
        | [169, 254, 170, 2 | 23]
        | [100, 100, 100, 200]
        | [192, 0, 0, 192]
        | [168, 63, 129, 16] => AddressClass::Metadata,
        [0, 0, 0, 0] => AddressClass::Unspecified,
        [127, ..] => AddressClass::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => AddressClass::Private,
        [169, 254, ..] => AddressClass::LinkLocal,
        [100, 64..=127, ..] => AddressClass::Shared,
        [224..=239, ..] | [255, 255, 255, 255] => AddressClass::Multicast,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => AddressClass::Documentation,
        [198, 18 | 19, ..] => AddressClass::Benchmarking,
        // Anycast for PCP and TURN.
        [192, 0, 0, 9 | 10] => return None,
        // "This network"; protocol assignments; the former relay of 6to4.
        [0 | 240..=255, ..] | [192, 0, 0, _] | [192, 88, 99, _] => AddressClass::Reserved,
        _ => return None,
    })
}

/// Class by IANA's registry of special-purpose IPv6 addresses, and the metadata addresses of clouds. Only `2000::/3` is
/// given to networks.
fn class_v6(address: Ipv6Addr) -> Option<AddressClass> {
    Some(match address.segments() {
        // Amazon; Amazon's for containers; Google.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254 | 0x23] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => {
            AddressClass::Metadata
        }
        [0, 0, 0, 0, 0, 0, 0, 0] => AddressClass::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => AddressClass::Loopback,
        // Unique local; site-local (deprecated); NAT64 for local use (RFC 8215).
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] | [0x64, 0xff9b, 1, ..] => AddressClass::Private,
        [0xfe80..=0xfebf, ..] => AddressClass::LinkLocal,
        [0xff00..=0xffff, ..] => AddressClass::Multicast,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => AddressClass::Documentation,
        [0x2001, 2, 0, ..] => AddressClass::Benchmarking,
        // Of the protocol assignments 2001::/23: anycast, AMT, AS112, ORCHIDv2, drones.
        [0x2001, 1, 0, 0, 0, 0, 0, 1..=3]
        | [0x2001, 3 | 0x20..=0x3f, ..]
        | [0x2001, 4, 0x112, ..] => return None,
        [0x2001, 0..=0x1ff, ..] => AddressClass::Reserved,
        [0x2000..=0x3fff, ..] => return None,
        _ => AddressClass::Reserved,
    })
}

#[cfg(test)]
mod tests;
