use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse()
        .unwrap_or_else(|_| panic!("{text} is an address"))
}

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// First and last address of each entry of IANA's registries of special-purpose addresses (IPv4: RFC 6890 and later,
/// IPv6 likewise) that is not globally reachable, with its class.
const RANGES: &[(&str, &str, &str)] = &[
    ("0.0.0.1", "0.255.255.255", "reserved"),
    ("10.0.0.0", "10.255.255.255", "private"),
    ("100.64.0.0", "100.127.255.255", "shared"),
    ("127.0.0.0", "127.255.255.255", "loopback"),
    ("169.254.0.0", "169.254.255.255", "link-local"),
    ("172.16.0.0", "172.31.255.255", "private"),
    ("192.0.0.0", "192.0.0.8", "reserved"),
    ("192.0.0.11", "192.0.0.255", "reserved"),
    ("192.0.2.0", "192.0.2.255", "documentation"),
    ("192.88.99.0", "192.88.99.255", "reserved"),
    ("192.168.0.0", "192.168.255.255", "private"),
    ("198.18.0.0", "198.19.255.255", "benchmarking"),
    ("198.51.100.0", "198.51.100.255", "documentation"),
    ("203.0.113.0", "203.0.113.255", "documentation"),
    ("224.0.0.0", "239.255.255.255", "multicast"),
    ("240.0.0.0", "255.255.255.254", "reserved"),
    (
        "64:ff9b:1::",
        "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
        "private",
    ),
    ("100::", "100::ffff:ffff:ffff:ffff", "reserved"),
    ("100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff", "reserved"),
    ("2001:1::", "2001:1::", "reserved"),
    (
        "2001:1::4",
        "2001:1:ffff:ffff:ffff:ffff:ffff:ffff",
        "reserved",
    ),
    (
        "2001:2::",
        "2001:2:0:ffff:ffff:ffff:ffff:ffff",
        "benchmarking",
    ),
    (
        "2001:10::",
        "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff",
        "reserved",
    ),
    (
        "2001:db8::",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        "documentation",
    ),
    (
        "3fff::",
        "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
        "documentation",
    ),
    (
        "4000::",
        "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "reserved",
    ),
    (
        "5f00::",
        "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "reserved",
    ),
    (
        "fc00::",
        "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "private",
    ),
    (
        "fe80::",
        "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "link-local",
    ),
    (
        "fec0::",
        "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "private",
    ),
    (
        "ff00::",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "multicast",
    ),
];

#[test]
fn special_ranges_are_not_public_from_their_first_to_their_last_address() {
    for (first, last, class) in RANGES {
        for address in [first, last] {
            let found = AddressClass::of(ip(address)).map(AddressClass::code);
            assert_eq!(found, Some(*class), "{address}");
        }
    }
}

#[test]
fn single_addresses_have_their_class() {
    for (address, class) in [
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("255.255.255.255", "multicast"),
        ("169.254.169.254", "metadata"),
        ("169.254.170.2", "metadata"),
        ("100.100.100.200", "metadata"),
        ("192.0.0.192", "metadata"),
        ("168.63.129.16", "metadata"),
        ("fd00:ec2::254", "metadata"),
        ("fd20:ce::254", "metadata"),
        // Addresses of IPv4 in those of IPv6.
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:169.254.169.254", "metadata"),
        ("::10.0.0.1", "private"),
        ("::2", "reserved"),
        ("::ffff:0:192.168.0.1", "private"),
        ("64:ff9b::10.0.0.1", "private"),
        ("64:ff9b::169.254.169.254", "metadata"),
        ("2002:7f00:1::", "loopback"),
        ("2002:a9fe:a9fe::1", "metadata"),
        // Teredo: the last bits are 10.0.0.1, turned.
        ("2001:0:4136:e378:8000:63bf:f5ff:fffe", "private"),
    ] {
        let found = AddressClass::of(ip(address)).map(AddressClass::code);
        assert_eq!(found, Some(class), "{address}");
    }
}

#[test]
fn all_else_is_public() {
    for address in [
        "1.0.0.0",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.0.9",
        "192.0.0.10",
        "192.0.1.0",
        "192.31.196.1",
        "192.52.193.1",
        "192.175.48.1",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2000::1",
        "2001:1::1",
        "2001:3::1",
        "2001:4:112::1",
        "2001:20::1",
        "2001:30::1",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2620:4f:8000::1",
        "2a00::1",
        "3fff:1000::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
        "2001:0:4136:e378:8000:63bf:f7f7:f7f7",
    ] {
        assert_eq!(AddressClass::of(ip(address)), None, "{address}");
        assert_eq!(check_address(ip(address), &[]), Ok(()));
    }
}

#[test]
fn what_is_not_public_is_allowed_by_name() {
    let lan = nets(&["10.0.0.0/8", "::1/128", "fd00::/8", "169.254.0.0/16"]);
    let metadata = nets(&["169.254.169.254/32", "fd00:ec2::254/128"]);
    let all = nets(&["0.0.0.0/0", "::/0"]);
    for (address, allowed, expected) in [
        ("10.1.2.3", &lan, Ok(())),
        ("::ffff:10.1.2.3", &lan, Ok(())),
        ("64:ff9b::10.1.2.3", &lan, Ok(())),
        ("::1", &lan, Ok(())),
        ("127.0.0.1", &lan, Err(AddressClass::Loopback)),
        ("192.168.0.1", &lan, Err(AddressClass::Private)),
        ("fd12::1", &lan, Ok(())),
        ("169.254.1.1", &lan, Ok(())),
        // A network that happens to have it does not name it.
        ("169.254.169.254", &lan, Err(AddressClass::Metadata)),
        ("fd00:ec2::254", &lan, Err(AddressClass::Metadata)),
        ("::ffff:169.254.169.254", &all, Err(AddressClass::Metadata)),
        ("127.0.0.1", &all, Ok(())),
        ("169.254.169.254", &metadata, Ok(())),
        ("::ffff:169.254.169.254", &metadata, Ok(())),
        ("fd00:ec2::254", &metadata, Ok(())),
        ("169.254.169.253", &metadata, Err(AddressClass::LinkLocal)),
    ] {
        assert_eq!(check_address(ip(address), allowed), expected, "{address}");
    }
}

proptest! {
    /// However an address of IPv4 is written in one of IPv6, it is judged as itself.
    #[test]
    fn no_embedding_hides_an_address(bits in any::<u32>(), rest in any::<u64>()) {
        let v4 = Ipv4Addr::from(bits);
        let bits = u128::from(bits);
        let sixth = u128::from(rest) & 0xffff_ffff_ffff_ffff_ffff;
        for embedded in [
            0xffff << 32 | bits,
            0xffff << 48 | bits,
            0x64_ff9b << 96 | bits,
            0x2002 << 112 | bits << 80 | sixth,
            0x2001 << 112 | (sixth & !0xffff_ffff) | (!bits & 0xffff_ffff),
        ] {
            let v6 = Ipv6Addr::from(embedded);
            prop_assert_eq!(AddressClass::of(IpAddr::V6(v6)), AddressClass::of(IpAddr::V4(v4)), "{}", v6);
        }
    }

    /// A second opinion: what the standard library's stable tests call special is not public.
    #[test]
    fn what_the_standard_library_knows_is_special(bits in any::<u32>()) {
        let v4 = Ipv4Addr::from(bits);
        let special = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast()
            || v4.is_broadcast() || v4.is_documentation() || v4.is_unspecified();
        prop_assert!(!special || AddressClass::of(IpAddr::V4(v4)).is_some(), "{}", v4);
    }
}
