//! Answers whose head is slow, has no end, or is not HTTP.

use testkit::target::{Reply, Then};

use crate::worker::notify::tests::hostile::kind::Expected::{Delivered, Fails};
use crate::worker::notify::tests::hostile::kind::{Expected, Kind, replies};

const NO_ANSWER: Expected = Fails("timed-out", "did not answer in time");
const NOT_HTTP: Expected = Fails("not-http", "answer is not HTTP: invalid ");
const TOO_LONG: Expected = Fails("too-long-answer", "more or longer headers than are read");
const CUT_OFF: Expected = Fails("broken-off", "broke off");

pub(super) fn kinds() -> Vec<Kind> {
    let mut kinds = slow();
    kinds.extend(endless());
    kinds.extend(not_http());
    kinds.extend(odd());
    kinds
}

fn slow() -> Vec<Kind> {
    let head = "HTTP/1.1 200 OK\r\nX-A: ";
    let slow = |name, bytes: &str, then| {
        replies(name, Reply::raw(bytes, then), NO_ANSWER).until_the_timeout()
    };
    vec![
        slow("hangs in a header", head, Then::Hang),
        slow("drips a header", head, Then::Drip(b"a")),
        slow("drips a status line", "HTTP/1.1 200 O", Then::Drip(b"K")),
        slow(
            "drips answers that are none",
            "",
            Then::Drip(b"HTTP/1.1 100 X\r\n\r\n"),
        ),
        slow(
            "drips blank lines before the answer",
            "",
            Then::Drip(b"\r\n"),
        ),
        replies(
            "breaks off in a header",
            Reply::raw(head, Then::Close),
            CUT_OFF,
        ),
        replies("resets in a header", Reply::raw(head, Then::Reset), CUT_OFF),
        replies(
            "breaks off in the status",
            Reply::raw("HTTP/1.1 2", Then::Close),
            CUT_OFF,
        ),
    ]
}

fn endless() -> Vec<Kind> {
    let head = "HTTP/1.1 200 OK\r\n";
    let many = format!("{head}{}\r\n", "X: a\r\n".repeat(101));
    let endless =
        |name, bytes: &str, more| replies(name, Reply::raw(bytes, Then::Repeat(more)), TOO_LONG);
    vec![
        endless(
            "a status line without an end",
            "HTTP/1.1 200 ",
            b"OKOKOKOKOKOK",
        ),
        endless("headers without an end", head, b"X-Endless: a\r\n"),
        endless(
            "a header's value without an end",
            "HTTP/1.1 200 OK\r\nX: ",
            b"aaaaaaaaaaaaaa",
        ),
        endless("a header's name without an end", head, b"xxxxxxxxxxxxxx"),
        replies(
            "a header more than are read",
            Reply::raw(many, Then::Hang),
            TOO_LONG,
        ),
        replies(
            "garbage without an end",
            Reply::raw("<html>", Then::Repeat(b"<p>garbage</p>")),
            NOT_HTTP,
        ),
    ]
}

fn not_http() -> Vec<Kind> {
    let odd = |name, bytes: &'static [u8]| replies(name, Reply::raw(bytes, Then::Hang), NOT_HTTP);
    vec![
        odd("greets as SSH does", b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        odd("greets as a mail server does", b"220 mail.example.com ESMTP\r\n"),
        odd("answers with an alert of TLS", b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n"),
        odd(
            "speaks HTTP/2",
            b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80\x00\x04\x00\x01\x00\x00\x00\x05\x00\xff\xff\xff",
        ),
        odd("speaks HTTP/0.9", b"<html>thanks</html>\r\n"),
        odd("a version that there is not", b"HTTP/9.9 200 OK\r\n\r\n"),
        odd("a status that is no number", b"HTTP/1.1 abc OK\r\n\r\n"),
        odd("a status of two digits", b"HTTP/1.1 20 OK\r\n\r\n"),
        odd("a status below 100", b"HTTP/1.1 099 OK\r\n\r\n"),
        odd("a line that is no header", b"HTTP/1.1 200 OK\r\nno header\r\n\r\n"),
        odd("NUL in a header", b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n"),
        odd("a blank in a header's name", b"HTTP/1.1 200 OK\r\nX Y: a\r\n\r\n"),
        odd("a header over two lines", b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n"),
        odd(
            "two lengths",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        ),
        odd("a length below zero", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
        odd(
            "a length beyond all numbers",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        ),
    ]
}

fn odd() -> Vec<Kind> {
    let odd = |name, bytes: &'static str, then, expected| {
        replies(name, Reply::raw(bytes, then), expected)
    };
    vec![
        odd(
            "an answer that is none, and then one",
            "HTTP/1.1 103 X\r\n\r\nHTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n",
            Then::Listen,
            Delivered,
        ),
        odd(
            "changes to another protocol",
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            Then::Hang,
            Fails("refused", "answered 101"),
        ),
        odd(
            "speaks HTTP/1.0",
            "HTTP/1.0 200 OK\r\n\r\n",
            Then::Close,
            Delivered,
        ),
        odd(
            "ends lines as Unix does",
            "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
            Then::Close,
            Delivered,
        ),
    ]
}
