//! Bodies of answers that are not the API's: those of a proxy, a portal or another server.

use std::fmt;

use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName};

/// Fault of an answer's body that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// The answer's body is larger than [`Access::answer_max_bytes`](super::Access::answer_max_bytes).
    TooLarge,
    /// The answer's body is no JSON object.
    NotAnObject,
    /// The answer's body is compressed, which was not requested.
    Compressed,
    /// The answer's body is HTML.
    Html,
    /// The answer's body begins with a byte order mark.
    ByteOrderMark,
    /// The media type of the answer's body is not JSON.
    NotJson,
    /// The answer is a 404, and its body is no error of the API's form.
    NotAnError,
    /// The token endpoint's answer has no usable token.
    NoToken,
}

impl fmt::Display for BodyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BodyFault::TooLarge => "it is far too large",
            BodyFault::NotAnObject => "it is not a JSON object",
            BodyFault::Compressed => "it is compressed, which was not requested",
            BodyFault::Html => "it is HTML",
            BodyFault::ByteOrderMark => "it begins with a byte order mark",
            BodyFault::NotJson => "its Content-Type is not JSON",
            BodyFault::NotAnError => "it is not the API's own 404",
            BodyFault::NoToken => "it has no token that can be used",
        })
    }
}

/// Describes the fault of a body that cannot be read as the API's, by the headers and its first bytes; `None` if
/// neither tells.
pub(super) fn fault_of(headers: &HeaderMap, body: &[u8]) -> Option<BodyFault> {
    let header = |name: HeaderName| headers.get(name).map_or(&[][..], |value| value.as_bytes());
    let encoding = header(CONTENT_ENCODING);
    let media_type = header(CONTENT_TYPE).to_ascii_lowercase();
    let first = body.trim_ascii_start().first();
    if body.starts_with(b"\x1f\x8b") || !encoding.is_empty() && encoding != b"identity" {
        return Some(BodyFault::Compressed);
    }
    if media_type.starts_with(b"text/html") || first == Some(&b'<') {
        return Some(BodyFault::Html);
    }
    if body.starts_with(b"\xef\xbb\xbf") {
        return Some(BodyFault::ByteOrderMark);
    }
    let is_json = media_type.is_empty() || media_type.windows(4).any(|part| part == b"json");
    (!is_json).then_some(BodyFault::NotJson)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn an_answer_of_another_server_is_recognised() {
        for (media_type, encoding, body, expected) in [
            ("application/json", "", "{}", None),
            ("application/problem+json; charset=utf-8", "", "[]", None),
            ("", "", "", None),
            ("", "identity", "{}", None),
            (
                "application/json",
                "gzip",
                "{}",
                Some(BodyFault::Compressed),
            ),
            (
                "application/json",
                "br",
                "\u{1}",
                Some(BodyFault::Compressed),
            ),
            ("text/html", "gzip", "", Some(BodyFault::Compressed)),
            ("", "", "\u{1f}\u{8b}", None),
            ("text/html; charset=utf-8", "", "", Some(BodyFault::Html)),
            ("Text/HTML", "", "log in", Some(BodyFault::Html)),
            ("", "", " \n<!doctype html>", Some(BodyFault::Html)),
            ("application/json", "", "<html>", Some(BodyFault::Html)),
            (
                "application/json",
                "",
                "\u{feff}{}",
                Some(BodyFault::ByteOrderMark),
            ),
            ("text/plain", "", "no route", Some(BodyFault::NotJson)),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [(CONTENT_TYPE, media_type), (CONTENT_ENCODING, encoding)] {
                if !value.is_empty() {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            }
            let fault = fault_of(&headers, body.as_bytes());
            assert_eq!(fault, expected, "{media_type} {encoding} {body:?}");
        }
        let raw = fault_of(&HeaderMap::new(), b"\x1f\x8b\x08");
        assert_eq!(raw, Some(BodyFault::Compressed));
    }
}
