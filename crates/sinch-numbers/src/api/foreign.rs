//! Answers that do not come from the API: those of a proxy, a portal or another server.

use number_order::Flaw;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName};

/// Describes an answer that cannot be read as the API's, by its headers and its first bytes; `None` if neither tells.
pub(super) fn kind(headers: &HeaderMap, body: &[u8]) -> Option<Flaw> {
    let header = |name: HeaderName| headers.get(name).map_or(&[][..], |value| value.as_bytes());
    let encoding = header(CONTENT_ENCODING);
    let media_type = header(CONTENT_TYPE).to_ascii_lowercase();
    let first = body.trim_ascii_start().first();
    if body.starts_with(b"\x1f\x8b") || !encoding.is_empty() && encoding != b"identity" {
        return Some(Flaw::Compressed);
    }
    if media_type.starts_with(b"text/html") || first == Some(&b'<') {
        return Some(Flaw::Html);
    }
    if body.starts_with(b"\xef\xbb\xbf") {
        return Some(Flaw::ByteOrderMark);
    }
    let is_json = media_type.is_empty() || media_type.windows(4).any(|part| part == b"json");
    (!is_json).then_some(Flaw::NotJson)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn an_answer_says_by_itself_that_it_is_somebody_elses() {
        for (media_type, encoding, body, expected) in [
            ("application/json", "", "{}", None),
            ("application/problem+json; charset=utf-8", "", "[]", None),
            ("", "", "", None),
            ("", "identity", "{}", None),
            ("application/json", "gzip", "{}", Some(Flaw::Compressed)),
            ("application/json", "br", "\u{1}", Some(Flaw::Compressed)),
            ("text/html", "gzip", "", Some(Flaw::Compressed)),
            ("", "", "\u{1f}\u{8b}", None),
            ("text/html; charset=utf-8", "", "", Some(Flaw::Html)),
            ("Text/HTML", "", "log in", Some(Flaw::Html)),
            ("", "", " \n<!doctype html>", Some(Flaw::Html)),
            ("application/json", "", "<html>", Some(Flaw::Html)),
            (
                "application/json",
                "",
                "\u{feff}{}",
                Some(Flaw::ByteOrderMark),
            ),
            ("text/plain", "", "no route", Some(Flaw::NotJson)),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [(CONTENT_TYPE, media_type), (CONTENT_ENCODING, encoding)] {
                if !value.is_empty() {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            }
            let kind = kind(&headers, body.as_bytes());
            assert_eq!(kind, expected, "{media_type} {encoding} {body:?}");
        }
        let raw = kind(&HeaderMap::new(), b"\x1f\x8b\x08");
        assert_eq!(raw, Some(Flaw::Compressed));
    }
}
