//! Networks of IP addresses, as operators write them.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// Parses the network that `text` names, or returns what to write instead.
///
/// A bare address is the network of that one host. Networks of IPv4 addresses in IPv6 form mean the
/// IPv4 network, since callers' addresses are compared in that form. Ambiguous text is refused, since
/// these lists control access.
pub fn parse(text: &str) -> Result<IpNet, String> {
    // The parser of the standard library is stricter: ipnet's own accepts leading zeros.
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return Err(address_fault(address));
    };
    let Some(length) = length else {
        return Ok(IpNet::from(address.to_canonical()));
    };
    let max = if address.is_ipv4() { 32 } else { 128 };
    let net = length
        .parse()
        .ok()
        .filter(|_| length.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|length| IpNet::new(address, length).ok())
        .ok_or_else(|| format!("write a prefix length from 1 to {max} after the slash"))?;
    let net = canonical_network(net);
    if net.prefix_len() == 0 {
        return Err("this is every address; list the networks that are meant".to_owned());
    }
    if net != net.trunc() {
        return Err(format!("host bits are set; write {}", net.trunc()));
    }
    Ok(net)
}

fn canonical_network(net: IpNet) -> IpNet {
    if let IpNet::V6(v6) = net
        && let Some(address) = v6.addr().to_ipv4_mapped()
        && let Some(length) = v6.prefix_len().checked_sub(96)
        && let Ok(v4) = Ipv4Net::new(address, length)
    {
        return IpNet::V4(v4);
    }
    net
}

fn address_fault(text: &str) -> String {
    let octets = text.split('.').collect::<Vec<_>>();
    let numbers = octets
        .iter()
        .all(|octet| !octet.is_empty() && octet.bytes().all(|b| b.is_ascii_digit()));
    if octets.len() == 4 && numbers && octets.iter().any(|o| o.len() > 1 && o.starts_with('0')) {
        return "leave out the leading zeros: some programs read them as octal".to_owned();
    }
    "write an address such as 192.0.2.1 or a network such as 192.0.2.0/24".to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn networks_are_read_in_one_form() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1/32"),
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("::ffff:192.0.2.1", "192.0.2.1/32"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("::ffff:c000:200/120", "192.0.2.0/24"),
        ] {
            let net = parse(text).expect(text);
            assert_eq!(net.to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_ambiguous_is_refused() {
        for (text, expected) in [
            ("10.0.0.1/8", "host bits are set; write 10.0.0.0/8"),
            ("::ffff:10.0.0.1/104", "host bits are set; write 10.0.0.0/8"),
            ("2001:db8::1/32", "host bits are set; write 2001:db8::/32"),
            ("010.0.0.1", "leave out the leading zeros"),
            ("10.0.0.00/8", "leave out the leading zeros"),
            ("0.0.0.0/0", "this is every address"),
            ("1.2.3.4/0", "this is every address"),
            ("::/0", "this is every address"),
            ("::ffff:0:0/96", "this is every address"),
            ("10.0.0.0/33", "from 1 to 32"),
            ("10.0.0.0/+8", "from 1 to 32"),
            ("10.0.0.0/", "from 1 to 32"),
            ("2001:db8::/129", "from 1 to 128"),
            ("", "write an address"),
            ("10.0.0", "write an address"),
            (" 10.0.0.1", "write an address"),
            ("sinch.com", "write an address"),
            ("10.0.0.1:80", "write an address"),
        ] {
            let fault = parse(text).expect_err(text);
            assert!(fault.contains(expected), "{text}: {fault}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_can_be_written_and_read_again(text in "[0-9a-f.:/]{0,24}") {
            if let Ok(net) = parse(&text) {
                prop_assert_eq!(parse(&net.to_string()), Ok(net));
            }
        }
    }
}
