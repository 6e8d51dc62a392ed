//! Source of a request: the socket's peer or, where the peer is a trusted proxy, the address that the proxy names.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// Header in which proxies name the client for which they speak.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Networks whose hosts may send callbacks, and networks of proxies that may name such hosts.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Networks whose hosts may send callbacks.
    pub allow: Vec<IpNet>,
    /// Networks of proxies, whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

impl Sources {
    /// Returns `true` if a source may call. A source that could not be determined may not.
    pub fn allows(&self, source: Option<IpAddr>) -> bool {
        source.is_some_and(|source| any_contains(&self.allow, source))
    }

    /// Returns `true` if an address is that of a trusted proxy.
    pub fn is_proxy(&self, address: IpAddr) -> bool {
        any_contains(&self.trusted_proxies, address)
    }

    /// Returns `true` if anything that comes over a connection from a peer could be allowed: the peer may call itself,
    /// or it may speak for an address that may.
    pub fn may_connect(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        any_contains(&self.allow, peer) || any_contains(&self.trusted_proxies, peer)
    }

    /// Returns the source of a request with the given headers over a connection from `peer`. `None` means that a
    /// trusted proxy named no readable address.
    ///
    /// The header counts only if the peer is trusted. All its lines are read as one list, from the right, as long as
    /// each hop is trusted to have named the next one. An untrusted hop wrote the names further left, so they are not
    /// even read.
    pub fn source(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let lines: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
        self.named_by(peer, lines.iter().map(|line| line.as_bytes()))
    }

    /// Returns the source in the same way, where what the peer said is one text; `None`: it said nothing.
    pub(super) fn source_said(&self, peer: IpAddr, said: Option<&str>) -> Option<IpAddr> {
        self.named_by(peer, said.map(str::as_bytes).into_iter())
    }

    fn named_by<'a>(
        &self,
        peer: IpAddr,
        lines: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> Option<IpAddr> {
        let mut hop = peer.to_canonical();
        let named = lines
            .rev()
            .flat_map(|line| line.rsplit(|byte| *byte == b','));
        for name in named {
            if !any_contains(&self.trusted_proxies, hop) {
                break;
            }
            hop = named_address(name)?;
        }
        Some(hop)
    }
}

/// Returns what a peer said of its callers, all lines as one list; `None`: it said nothing.
pub(super) fn forwarded_for(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(FORWARDED_FOR).iter();
    let lines: Vec<_> = lines
        .map(|line| String::from_utf8_lossy(line.as_bytes()))
        .collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

fn any_contains(nets: &[IpNet], address: IpAddr) -> bool {
    nets.iter().any(|net| net.contains(&address))
}

/// Reads the address that a proxy names: `ip`, `ip:port`, `[v6]` or `[v6]:port`. An IPv4-mapped address means its IPv4
/// address.
fn named_address(name: &[u8]) -> Option<IpAddr> {
    let name = std::str::from_utf8(name).ok()?.trim();
    let bracketed = || {
        name.strip_prefix('[')?
            .strip_suffix(']')?
            .parse()
            .ok()
            .map(IpAddr::V6)
    };
    let address = match name.parse::<IpAddr>() {
        Ok(address) => address,
        Err(_) => match name.parse::<SocketAddr>() {
            Ok(socket) => socket.ip(),
            Err(_) => bracketed()?,
        },
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn sources(trusted: &[&str]) -> Sources {
        let nets = |texts: &[&str]| {
            texts
                .iter()
                .map(|net| net.parse().expect("a net"))
                .collect()
        };
        Sources {
            allow: nets(&["192.0.2.1/32", "2001:db8::/64"]),
            trusted_proxies: nets(trusted),
        }
    }

    fn headers(lines: &[&str]) -> HeaderMap {
        lines
            .iter()
            .map(|line| {
                let value = HeaderValue::from_str(line).expect("a header value");
                (FORWARDED_FOR.parse().expect("a name"), value)
            })
            .collect()
    }

    #[track_caller]
    fn check(trusted: &[&str], peer: &str, lines: &[&str], expected: Option<&str>) {
        let source = sources(trusted).source(peer.parse().expect("an address"), &headers(lines));
        let expected = expected.map(|text| text.parse().expect("an address"));
        assert_eq!(source, expected, "{trusted:?} {peer} {lines:?}");
        // What is kept of the lines means the same.
        let said = forwarded_for(&headers(lines));
        let again =
            sources(trusted).source_said(peer.parse().expect("an address"), said.as_deref());
        assert_eq!(again, expected, "{trusted:?} {peer} {said:?}");
    }

    #[test]
    fn nobody_is_trusted_unless_named() {
        check(&[], "198.51.100.7", &["192.0.2.1"], Some("198.51.100.7"));
        check(
            &["10.0.0.0/8"],
            "198.51.100.7",
            &["192.0.2.1"],
            Some("198.51.100.7"),
        );
        check(
            &["10.0.0.0/8"],
            "198.51.100.7",
            &["junk"],
            Some("198.51.100.7"),
        );
    }

    #[test]
    fn a_trusted_proxy_is_believed_and_those_before_it_are_not() {
        let trusted = &["10.0.0.0/8"];
        check(trusted, "10.0.0.1", &["192.0.2.1"], Some("192.0.2.1"));
        check(
            trusted,
            "10.0.0.1",
            &["192.0.2.1, 198.51.100.7"],
            Some("198.51.100.7"),
        );
        check(
            trusted,
            "10.0.0.1",
            &["junk, 192.0.2.1 , 10.9.9.9"],
            Some("192.0.2.1"),
        );
        check(
            trusted,
            "10.0.0.1",
            &["192.0.2.1", "198.51.100.7"],
            Some("198.51.100.7"),
        );
        check(
            trusted,
            "10.0.0.1",
            &["198.51.100.7", "192.0.2.1,10.2.2.2"],
            Some("192.0.2.1"),
        );
        check(trusted, "10.0.0.1", &[], Some("10.0.0.1"));
        check(
            trusted,
            "10.0.0.1",
            &["10.0.0.3, 10.0.0.2"],
            Some("10.0.0.3"),
        );
        check(
            trusted,
            "::ffff:10.0.0.1",
            &["::ffff:192.0.2.1"],
            Some("192.0.2.1"),
        );
    }

    #[test]
    fn ports_and_brackets_are_understood() {
        let trusted = &["10.0.0.1/32"];
        check(trusted, "10.0.0.1", &["192.0.2.1:4711"], Some("192.0.2.1"));
        check(trusted, "10.0.0.1", &["2001:db8::1"], Some("2001:db8::1"));
        check(trusted, "10.0.0.1", &["[2001:db8::1]"], Some("2001:db8::1"));
        check(
            trusted,
            "10.0.0.1",
            &["[2001:db8::1]:4711"],
            Some("2001:db8::1"),
        );
    }

    #[test]
    fn what_a_trusted_proxy_says_must_be_readable() {
        for name in [
            "",
            " ",
            "unknown",
            "192.0.2.1,",
            "192.0.2",
            "192.0.2.1:x",
            "[::1",
            "::1%eth0",
            "\"192.0.2.1\"",
        ] {
            check(&["10.0.0.1/32"], "10.0.0.1", &[name], None);
        }
    }

    #[test]
    fn only_the_allowed_may_call() {
        let sources = sources(&[]);
        let allows = |peer: &str| {
            let peer = peer.parse().expect("an address");
            sources.allows(sources.source(peer, &HeaderMap::new()))
        };
        assert!(allows("192.0.2.1") && allows("::ffff:192.0.2.1") && allows("2001:db8::9"));
        assert!(!allows("192.0.2.2") && !allows("2001:db9::9") && !allows("127.0.0.1"));
    }

    proptest! {
        /// Text that an untrusted peer writes in front of the trusted proxy's entry changes nothing.
        #[test]
        fn text_before_the_trusted_proxys_entry_changes_nothing(prefix in "[ -~]{0,60}", lines in 0..3usize) {
            let proxy = "198.51.100.7";
            let mut all = vec![prefix.as_str(); lines];
            let last = format!("{prefix}, {proxy}");
            all.push(&last);
            let source = sources(&["10.0.0.1/32"]).source("10.0.0.1".parse().expect("an address"), &headers(&all));
            prop_assert_eq!(source, Some(proxy.parse().expect("an address")));
        }
    }
}
