//! Answers whose status decides.

use testkit::target::Reply;

use crate::worker::notify::tests::hostile::kind::Expected::{Delivered, Fails};
use crate::worker::notify::tests::hostile::kind::{Expected, Kind, replies};

/// Place on the inside to which redirects lead. No program listens there, and none asks.
const INSIDE: &str = "Location: http://169.254.169.254/latest/meta-data\r\n";

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn kinds() -> Vec<Kind> {
    let mut kinds = vec![
        status(
            "300",
            300,
            Fails("redirected", "answered 300, and redirects"),
        ),
        status(
            "301",
            301,
            Fails("redirected", "answered 301, and redirects"),
        ),
        status(
            "302",
            302,
            Fails("redirected", "answered 302, and redirects"),
        ),
        status(
            "303",
            303,
            Fails("redirected", "answered 303, and redirects"),
        ),
        status(
            "304",
            304,
            Fails("redirected", "answered 304, and redirects"),
        ),
        status(
            "305",
            305,
            Fails("redirected", "answered 305, and redirects"),
        ),
        status(
            "307",
            307,
            Fails("redirected", "answered 307, and redirects"),
        ),
        status(
            "308",
            308,
            Fails("redirected", "answered 308, and redirects"),
        ),
        status("400", 400, Fails("refused", "answered 400")),
        status("401", 401, Fails("refused", "answered 401")),
        status("403", 403, Fails("refused", "answered 403")),
        status("404", 404, Fails("refused", "answered 404")),
        status("405", 405, Fails("refused", "answered 405")),
        status("408", 408, Fails("refused", "answered 408")),
        status("410", 410, Fails("gone", "answered 410")),
        status("413", 413, Fails("refused", "answered 413")),
        status("421", 421, Fails("refused", "answered 421")),
        status("425", 425, Fails("refused", "answered 425")),
        status("429", 429, Fails("refused", "answered 429")),
        status("500", 500, Fails("refused", "answered 500")),
        status("501", 501, Fails("refused", "answered 501")),
        status("502", 502, Fails("refused", "answered 502")),
        status("503", 503, Fails("refused", "answered 503")),
        status("504", 504, Fails("refused", "answered 504")),
        status("505", 505, Fails("refused", "answered 505")),
        status("999", 999, Fails("refused", "answered 999")),
        status("226", 226, Delivered),
    ];
    kinds.extend([
        waits("Retry-After is negative", "-5", None),
        waits("Retry-After is no number", "a while", None),
        waits(
            "Retry-After is 317 years",
            "9999999999",
            Some(9_999_999_999),
        ),
        waits(
            "Retry-After has too many digits",
            "99999999999999999999999",
            Some(u64::MAX),
        ),
        waits(
            "Retry-After is a date that is past",
            "Wed, 21 Oct 2015 07:28:00 GMT",
            Some(0),
        ),
        waits("Retry-After is usual", "120", Some(120)),
    ]);
    kinds
}

fn status(name: &'static str, status: u16, expected: Expected) -> Kind {
    replies(name, Reply::with(status, INSIDE, ""), expected)
}

fn waits(name: &'static str, retry_after: &str, secs: Option<u64>) -> Kind {
    let header = format!("Retry-After: {retry_after}\r\n");
    let kind = replies(
        name,
        Reply::with(503, &header, ""),
        Fails("refused", "answered 503"),
    );
    match secs {
        Some(secs) => kind.asking_for(secs),
        None => kind,
    }
}
