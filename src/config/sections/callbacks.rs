//! Section `[callbacks]`: the public listener, which Sinch calls.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

use crate::config::keys::reader::{Reader, default_of};
use crate::config::keys::values::TIMEOUT_SECS;

/// Addresses from which Sinch sends callbacks, as Sinch documents them.
const SINCH_ADDRESSES: [[u8; 4]; 3] = [[54, 76, 19, 159], [54, 78, 194, 39], [54, 155, 83, 128]];

/// Section `[callbacks]`: the public listener, which Sinch calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Callbacks {
    /// Address on which the service listens for callbacks.
    pub listen: SocketAddr,
    /// URL under which Sinch reaches the listener, without a slash at its end; `None`: not known.
    pub public_url: Option<String>,
    /// Networks that may send callbacks. Never empty; IPv4 networks are never in IPv6 form.
    pub allow: Vec<IpNet>,
    /// Networks of proxies, whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Maximum size of a callback's body, in bytes.
    pub body_max_bytes: usize,
    /// Maximum time for the header of a callback to arrive.
    pub header_timeout: Duration,
    /// Maximum time for the body of a callback to arrive.
    pub body_timeout: Duration,
    /// Maximum time without a request on an open connection.
    pub idle_timeout: Duration,
    /// Maximum number of open connections.
    pub connections_max: usize,
}

impl Default for Callbacks {
    fn default() -> Callbacks {
        default_of(Callbacks::read)
    }
}

impl Callbacks {
    /// Reads the section `[callbacks]`.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Callbacks {
        reader.section(
            "callbacks",
            "The public listener, which Sinch calls.",
            read_keys,
        )
    }
}

fn read_keys(keys: &mut Reader<'_>) -> Callbacks {
    let callbacks = Callbacks {
        listen: keys
            .doc("Address and port.")
            .address("listen", SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080))),
        public_url: keys
            .doc("URL under which Sinch reaches this listener, without a project's path. Orders that are placed with \
                  `order` have a callback URL below it; without it, they have none.")
            .optional_url("public_url", "\"https://callbacks.example.com\""),
        allow: keys
            .doc("Allowed callers: addresses or networks. These three are Sinch's.")
            .networks(
                "allow",
                SINCH_ADDRESSES.map(|sender| IpAddr::from(sender).into()).to_vec(),
            ),
        trusted_proxies: keys
            .doc(
                "Proxies in front of this listener, in the same form. X-Forwarded-For counts only \
                 from them.",
            )
            .networks("trusted_proxies", Vec::new()),
        body_max_bytes: keys
            .doc("Maximum size of a body. A larger one is answered 413.")
            .whole("body_max_bytes", 65_536, 1..=16 << 20),
        header_timeout: keys
            .doc("Maximum time for the headers of a connection's first request.")
            .seconds("header_timeout_secs", 10.0, TIMEOUT_SECS),
        body_timeout: keys.doc("Maximum time for the body of a request.").seconds(
            "body_timeout_secs",
            10.0,
            TIMEOUT_SECS,
        ),
        idle_timeout: keys
            .doc(
                "Maximum time from one request of a connection to the headers of the next, and for \
                 which a peer may take nothing of an answer.",
            )
            .seconds("idle_timeout_secs", 75.0, TIMEOUT_SECS),
        connections_max: keys
            .doc("Maximum number of open connections; further callers wait for a second, and are then answered 503.")
            .whole("connections_max", 512, 1..=1_000_000),
    };
    if callbacks.allow.is_empty() {
        let what = "no address could call; list Sinch's addresses, or leave the key out";
        keys.fault(&keys.at("allow"), what);
    }
    let is_local = callbacks.allow.iter().any(|net| net.addr().is_loopback());
    if callbacks.listen.ip().is_loopback() && callbacks.trusted_proxies.is_empty() && !is_local {
        let what = "only this machine can connect, and no callback may come from it: name the proxy on it in \
                    callbacks.trusted_proxies";
        keys.warn(&keys.at("listen"), what);
    }
    callbacks
}
