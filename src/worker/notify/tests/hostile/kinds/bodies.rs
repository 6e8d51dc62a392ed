//! Answers whose body is bad. It decides nothing: a short one is read, and of another little is taken.

use testkit::target::{Reply, Then};

use crate::worker::notify::tests::hostile::kind::Expected::Delivered;
use crate::worker::notify::tests::hostile::kind::{Kind, replies};

/// Beginnings of compressed bodies that go on with nothing but what unpacks to more.
const GZIP: &[u8] = b"400\r\n\x1f\x8b\x08\0\0\0\0\0\0\x03";
const DEFLATE: &[u8] = b"400\r\n\x78\xda";
const BROTLI: &[u8] = b"400\r\n\x5b\xff\xff\x03";

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn kinds() -> Vec<Kind> {
    let length = "Content-Length: 10000000000\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    let body = |name, headers: &str, begin: &[u8], then| {
        let head = format!("HTTP/1.1 200 OK\r\n{headers}\r\n");
        replies(
            name,
            Reply::raw([head.as_bytes(), begin].concat(), then),
            Delivered,
        )
    };
    let compressed = |name, coding: &str, begin: &'static [u8]| {
        let headers = format!("Content-Encoding: {coding}\r\n{chunked}");
        body(name, &headers, begin, Then::Repeat(&[0; 64]))
    };
    vec![
        body("10 GB", length, b"", Then::Repeat(b"abcdefghij")),
        body("10 GB that never come", length, b"", Then::Hang),
        body("10 GB that drip", length, b"", Then::Drip(b"a")),
        body(
            "less than it says",
            "Content-Length: 100\r\n",
            b"part",
            Then::Close,
        ),
        body(
            "less than it says, and a reset",
            "Content-Length: 100\r\n",
            b"part",
            Then::Reset,
        ),
        body(
            "more than it says",
            "Content-Length: 2\r\n",
            b"ok, and garbage after it",
            Then::Listen,
        ),
        body("no length and no end", "", b"", Then::Drip(b"a")),
        body(
            "chunks without an end",
            chunked,
            b"",
            Then::Repeat(b"5\r\nabcde\r\n"),
        ),
        body("chunks that drip", chunked, b"", Then::Drip(b"1\r\na\r\n")),
        body(
            "a chunk whose size is no number",
            chunked,
            b"",
            Then::Repeat(b"zzzz\r\n"),
        ),
        body(
            "a chunk whose size is beyond all numbers",
            chunked,
            b"fffffffffffffffff\r\na",
            Then::Hang,
        ),
        body(
            "a chunk's extension without an end",
            chunked,
            b"1;",
            Then::Repeat(b"extension"),
        ),
        body(
            "a chunk that is longer than it says",
            chunked,
            b"1\r\nabc\r\n0\r\n\r\n",
            Then::Hang,
        ),
        body(
            "trailers without an end",
            chunked,
            b"0\r\n",
            Then::Repeat(b"X: a\r\n"),
        ),
        body(
            "both a length and chunks",
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            b"0\r\n\r\n",
            Then::Close,
        ),
        body(
            "a coding that nobody knows",
            "Transfer-Encoding: rot13\r\n",
            b"guvf",
            Then::Close,
        ),
        compressed("a bomb in gzip", "gzip", GZIP),
        compressed("a bomb in deflate", "deflate", DEFLATE),
        compressed("a bomb in brotli", "br", BROTLI),
        replies(
            "a body where there is none",
            Reply::raw(
                "HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\nthere",
                Then::Listen,
            ),
            Delivered,
        ),
        // The second one would be taken for the answer to the next request.
        replies(
            "two answers to one request",
            Reply::raw(
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
                Then::Listen,
            ),
            Delivered,
        ),
    ]
}
