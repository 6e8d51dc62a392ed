//! Input that is not HTTP/1.1, or only part of a request: its recognition, and the advice to an operator.

/// Kind of input that arrived on a connection in place of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// The beginning of a TLS connection.
    Tls,
    /// The line or block by which a proxy names its caller before the first request.
    ProxyProtocol,
    /// The preface of HTTP/2.
    Http2,
    /// A request's head with more bytes or lines than are accepted.
    TooLarge,
    /// A request's head that is not HTTP/1.1.
    Broken,
    /// A request's head whose sender hung up in the middle of it.
    BrokenOff,
    /// A request's head that did not end in time.
    Slow,
}

/// Number of bytes at the beginning of a connection by which another protocol is recognised.
pub const PREAMBLE_BYTES: usize = 16;

/// First bytes of each protocol that arrives by mistake.
const PREAMBLES: [(&[u8], ProtocolError); 4] = [
    // A TLS handshake record begins with these bytes, for version 3.x of the record protocol.
    (b"\x16\x03", ProtocolError::Tls),
    (b"PROXY ", ProtocolError::ProxyProtocol),
    (b"\r\n\r\n\0\r\nQUIT\n", ProtocolError::ProxyProtocol),
    (b"PRI * HTTP/2.0", ProtocolError::Http2),
];

impl ProtocolError {
    /// Returns the protocol that begins with the given bytes, if it is one of those that arrive by mistake.
    pub fn recognise(preamble: &[u8]) -> Option<ProtocolError> {
        let found = PREAMBLES
            .iter()
            .find(|(bytes, _)| preamble.starts_with(bytes));
        found.map(|(_, error)| *error)
    }

    /// Returns the kind of fault that ended a connection, if the fault lies in a request's head. `head_begun`: part of a
    /// head had arrived.
    pub fn from_error(error: &hyper::Error, head_begun: bool) -> Option<ProtocolError> {
        if error.is_parse_too_large() {
            return Some(ProtocolError::TooLarge);
        }
        if error.is_parse() {
            return Some(ProtocolError::Broken);
        }
        match (error.is_incomplete_message(), error.is_timeout()) {
            (true, _) if head_begun => Some(ProtocolError::BrokenOff),
            (_, true) if head_begun => Some(ProtocolError::Slow),
            (_, _) => None,
        }
    }

    /// Returns a sentence for an operator that names the fault and its cure.
    pub fn advice(self) -> &'static str {
        match self {
            ProtocolError::Tls => {
                "TLS on the plain-HTTP port: does the proxy use https:// towards this service? Use http://"
            }
            ProtocolError::ProxyProtocol => {
                "the PROXY protocol: switch it off in the proxy, X-Forwarded-For is read instead"
            }
            ProtocolError::Http2 => "HTTP/2: let the proxy speak HTTP/1.1 to this service",
            ProtocolError::TooLarge => {
                "a request's head of more than 16 KiB or 100 lines: does a proxy add that much?"
            }
            ProtocolError::Broken => "a request's head that is not HTTP/1.1",
            ProtocolError::BrokenOff => "half a request's head, then the end of the connection",
            ProtocolError::Slow => {
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
    fn other_protocols_are_recognised_and_requests_are_not() {
        for (preamble, expected) in [
            (
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03".as_slice(),
                Some(ProtocolError::Tls),
            ),
            (b"\x16\x03\x03", Some(ProtocolError::Tls)),
            (b"PROXY TCP4 192.0", Some(ProtocolError::ProxyProtocol)),
            (b"PROXY UNKNOWN\r\n", Some(ProtocolError::ProxyProtocol)),
            (
                b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c",
                Some(ProtocolError::ProxyProtocol),
            ),
            (b"PRI * HTTP/2.0\r\n", Some(ProtocolError::Http2)),
            (b"POST /callbacks ", None),
            (b"PROXY/1 HTTP/1.1", None),
            (b"PRINT / HTTP/1.1", None),
            (b"\r\n\r\nPOST / HTTP/", None),
            (b"\x16", None),
            (b"", None),
        ] {
            assert_eq!(ProtocolError::recognise(preamble), expected, "{preamble:?}");
        }
        let longest = PREAMBLES.iter().map(|(bytes, _)| bytes.len()).max();
        assert!(longest <= Some(PREAMBLE_BYTES));
    }
}
