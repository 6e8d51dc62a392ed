//! Receivers that lead to where nothing may be sent. The URL is checked with the configuration as well; here nothing has
//! checked it.

use crate::worker::notify::tests::hostile::kind::Expected::{Delivered, Fails};
use crate::worker::notify::tests::hostile::kind::{Expected, Kind, kind};
use crate::worker::notify::tests::hostile::play::Play;

const LOOPBACK: Expected = refused("an address of this machine: allow it by name");
const METADATA: Expected = refused("an address at which a cloud gives out credentials");

/// Refused addresses alone, of which there are many.
const MANY: [&str; 1000] = ["10.0.0.1"; 1000];

const fn refused(words: &'static str) -> Expected {
    Fails("address-not-allowed", words)
}

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn kinds() -> Vec<Kind> {
    let host = |name, host, expected| kind(name, Play::Host(host), expected);
    let names = |name, lists, expected| kind(name, Play::Names(lists), expected);
    vec![
        host("this machine in two parts", "127.1", LOOPBACK),
        host("this machine in hexadecimal", "0x7f000001", LOOPBACK),
        host("this machine in decimal", "2130706433", LOOPBACK),
        host("this machine in octal", "0177.0.0.1", LOOPBACK),
        host(
            "this machine in wide digits",
            "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
            LOOPBACK,
        ),
        host("this machine in IPv6", "[::1]", LOOPBACK),
        host("this machine, mapped", "[::ffff:127.0.0.1]", LOOPBACK),
        host("this machine, by NAT64", "[64:ff9b::7f00:1]", LOOPBACK),
        host("this machine, by 6to4", "[2002:7f00:1::]", LOOPBACK),
        host(
            "no address",
            "0.0.0.0",
            refused("no address of any machine"),
        ),
        host(
            "no address in IPv6",
            "[::]",
            refused("no address of any machine"),
        ),
        host(
            "the same link",
            "169.254.1.1",
            refused("a link-local address"),
        ),
        host(
            "a private network",
            "10.0.0.1",
            refused("an address of a private network"),
        ),
        host(
            "the same link in IPv6",
            "[fe80::1]",
            refused("a link-local address"),
        ),
        host("a cloud's credentials", "169.254.169.254", METADATA),
        host("a cloud's credentials in IPv6", "[fd00:ec2::254]", METADATA),
        names("a name of this machine", &[&["127.0.0.2"]], LOOPBACK),
        names(
            "a name of a cloud's credentials, mapped",
            &[&["::ffff:169.254.169.254"]],
            METADATA,
        ),
        names(
            "a name with a thousand addresses",
            &[&MANY],
            refused("an address of a private network"),
        ),
        // One is allowed, and it alone is connected to.
        names(
            "a name with an allowed address and others",
            &[&["127.0.0.2", "10.0.0.1", "127.0.0.1"]],
            Delivered,
        ),
        names(
            "a name whose address changes",
            &[&["127.0.0.1"], &["127.0.0.2"]],
            Delivered,
        )
        .then(LOOPBACK),
        names(
            "a name without an address",
            &[&[]],
            Fails("name-not-resolved", "the target's name has no address"),
        ),
        kind(
            "a name server that never answers",
            Play::SilentNameServer,
            Fails(
                "timed-out",
                "no connection to the target came about in time",
            ),
        )
        .until_the_connection_times_out(),
    ]
}
