//! Input that is not HTTP/1.1, or only part of a request: its recognition, and the advice to an operator.

/// Kind of input that came instead of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// The beginning of a TLS connection.
    Tls,
    /// The line or block by which a proxy names its caller before the first request.
    ProxyProtocol,
    /// The preface of HTTP/2.
    Http2,
    /// A head with more bytes or lines than are accepted.
    TooLarge,
    /// A head that is not HTTP/1.1.
    Broken,
    /// A head whose sender hung up in the middle of it.
    BrokenOff,
    /// A head that did not end in time.
    Slow,
}

/// Number of first bytes by which a foreign protocol is recognised.
pub const OPENING_BYTES: usize = 16;

/// First bytes of each foreign protocol.
const OPENINGS: [(&[u8], Foreign); 4] = [
    // A handshake record, of version 3.x.
    (b"\x16\x03", Foreign::Tls),
    (b"PROXY ", Foreign::ProxyProtocol),
    (b"\r\n\r\n\0\r\nQUIT\n", Foreign::ProxyProtocol),
    (b"PRI * HTTP/2.0", Foreign::Http2),
];

impl Foreign {
    /// Returns the protocol that begins with these bytes, if it is one of those that arrive by mistake.
    pub fn recognise(opening: &[u8]) -> Option<Foreign> {
        let found = OPENINGS
            .iter()
            .find(|(bytes, _)| opening.starts_with(bytes));
        found.map(|(_, foreign)| *foreign)
    }

    /// Returns the kind of fault that ended a connection, if the fault lies in a request's head. `midway` says that
    /// part of a head had arrived.
    pub fn from_error(error: &hyper::Error, midway: bool) -> Option<Foreign> {
        if error.is_parse_too_large() {
            return Some(Foreign::TooLarge);
        }
        if error.is_parse() {
            return Some(Foreign::Broken);
        }
        match (error.is_incomplete_message(), error.is_timeout()) {
            (true, _) if midway => Some(Foreign::BrokenOff),
            (_, true) if midway => Some(Foreign::Slow),
            (_, _) => None,
        }
    }

    /// Returns a sentence that names the fault and its cure.
    pub fn advice(self) -> &'static str {
        match self {
            Foreign::Tls => {
                "TLS on the plain-HTTP port: does the proxy use https:// towards this service? Use http://"
            }
            Foreign::ProxyProtocol => {
                "the PROXY protocol: switch it off in the proxy, X-Forwarded-For is read instead"
            }
            Foreign::Http2 => "HTTP/2: let the proxy speak HTTP/1.1 to this service",
            Foreign::TooLarge => {
                "a request's head of more than 16 KiB or 100 lines: does a proxy add that much?"
            }
            Foreign::Broken => "a request's head that is not HTTP/1.1",
            Foreign::BrokenOff => "half a request's head, then the end of the connection",
            Foreign::Slow => {
                "half a request's head, and not the rest in callbacks.header_timeout_secs (idle_timeout_secs on a \
                 kept connection)"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_openings_are_recognised_and_requests_are_not() {
        for (opening, expected) in [
            (
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03".as_slice(),
                Some(Foreign::Tls),
            ),
            (b"\x16\x03\x03", Some(Foreign::Tls)),
            (b"PROXY TCP4 192.0", Some(Foreign::ProxyProtocol)),
            (b"PROXY UNKNOWN\r\n", Some(Foreign::ProxyProtocol)),
            (
                b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c",
                Some(Foreign::ProxyProtocol),
            ),
            (b"PRI * HTTP/2.0\r\n", Some(Foreign::Http2)),
            (b"POST /callbacks ", None),
            (b"PROXY/1 HTTP/1.1", None),
            (b"PRINT / HTTP/1.1", None),
            (b"\r\n\r\nPOST / HTTP/", None),
            (b"\x16", None),
            (b"", None),
        ] {
            assert_eq!(Foreign::recognise(opening), expected, "{opening:?}");
        }
        let longest = OPENINGS.iter().map(|(bytes, _)| bytes.len()).max();
        assert!(longest <= Some(OPENING_BYTES));
    }
}
