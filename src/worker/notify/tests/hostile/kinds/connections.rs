//! Receivers that are bad at connections and at TLS.

use testkit::target::{Reply, Then};

use crate::worker::notify::tests::hostile::kind::Expected::{Delivered, Fails};
use crate::worker::notify::tests::hostile::kind::{Kind, kind, replies};
use crate::worker::notify::tests::hostile::play::{Play, Rude};
use crate::worker::notify::tests::hostile::tls::Tls;

/// More than the system's buffers hold.
const LARGE: usize = 16 << 20;

const NO_ANSWER: &str = "did not answer in time";
const NO_CONNECTION: &str = "no connection to the target came about in time";

pub(super) fn kinds() -> Vec<Kind> {
    let mut kinds = plain();
    kinds.extend(tls());
    kinds
}

fn plain() -> Vec<Kind> {
    let rude = |name, rude, expected| kind(name, Play::Connection(rude), expected);
    let early = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    vec![
        kind(
            "nobody listens",
            Play::NobodyListens,
            Fails("unreachable", "cannot be reached: Connection refused"),
        ),
        rude(
            "never accepts the connection",
            Rude::NeverAccepts,
            Fails("timed-out", NO_ANSWER),
        )
        .until_the_timeout(),
        rude(
            "closes at once",
            Rude::Closes,
            Fails("broken-off", "broke off"),
        ),
        rude(
            "resets before it has read the request",
            Rude::Resets,
            Fails("broken-off", "broke off"),
        ),
        replies(
            "closes after the request",
            Reply::raw("", Then::Close),
            Fails(
                "broken-off",
                "broke off: connection closed before message completed",
            ),
        ),
        replies(
            "resets after the request",
            Reply::raw("", Then::Reset),
            Fails("broken-off", "broke off: Connection reset"),
        ),
        replies(
            "never answers",
            Reply::raw("", Then::Hang),
            Fails("timed-out", NO_ANSWER),
        )
        .until_the_timeout(),
        rude(
            "never reads what it is told",
            Rude::AnswersEarly(b""),
            Fails("timed-out", NO_ANSWER),
        )
        .told(LARGE)
        .until_the_timeout(),
        rude(
            "answers before it has read what it is told",
            Rude::AnswersEarly(early),
            Delivered,
        )
        .told(LARGE),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn tls() -> Vec<Kind> {
    let tls = |name, tls, expected| kind(name, Play::Tls(tls), expected);
    let not_tls = |name, rude, expected| kind(name, Play::ConnectionOfTls(rude), expected);
    vec![
        tls("a valid certificate, the control", Tls::Valid, Delivered),
        tls(
            "an expired certificate",
            Tls::Expired,
            Fails("tls", "certificate expired"),
        ),
        tls(
            "a certificate for another name",
            Tls::OtherName,
            Fails("tls", "certificate not valid for name"),
        ),
        tls(
            "a certificate that it has signed itself",
            Tls::SelfSigned,
            Fails("tls", "UnknownIssuer"),
        ),
        tls(
            "a certificate of an unknown authority",
            Tls::UnknownAuthority,
            Fails("tls", "UnknownIssuer"),
        ),
        tls(
            "wants a certificate of the service",
            Tls::WantsCertificate,
            Fails("tls", "CertificateRequired"),
        ),
        tls(
            "closes a connection of TLS after the request",
            Tls::ClosesAfterTheRequest,
            Fails("broken-off", "broke off"),
        ),
        tls("cuts a body in TLS off", Tls::CutsTheBodyOff, Delivered),
        tls(
            "breaks out of TLS",
            Tls::BreaksOut,
            Fails("tls", "TLS with the target failed"),
        ),
        not_tls(
            "speaks HTTP where TLS is expected",
            Rude::Sends(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            Fails("tls", "TLS with the target failed"),
        ),
        not_tls(
            "ends the handshake with an alert",
            Rude::Sends(b"\x15\x03\x03\x00\x02\x02\x28"),
            Fails("tls", "HandshakeFailure"),
        ),
        not_tls(
            "hangs in the handshake",
            Rude::Sends(b""),
            Fails("timed-out", NO_CONNECTION),
        )
        .until_the_connection_times_out(),
        not_tls(
            "drips a handshake",
            Rude::Drips(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xf0", b"\0"),
            Fails("timed-out", NO_CONNECTION),
        )
        .until_the_connection_times_out(),
        not_tls(
            "resets in the handshake",
            Rude::Resets,
            Fails("unreachable", "cannot be reached"),
        ),
    ]
}
