//! Access to the operators' listener. A caller must bear a token, whose scope says what the caller may do. Without a
//! configured token, a caller must be on this machine and not be a web page.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Context, Shared};
use crate::http::problem::Problem;

/// Caller of the operators' listener, who is known by a token.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Name under which the caller's actions are recorded.
    pub name: String,
    /// What the caller may do.
    pub scope: Scope,
    /// Token that the caller's requests carry.
    pub token: SecretString,
}

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The caller may read everything, and change nothing.
    Read,
    /// The caller may read everything, and act.
    Operate,
}

/// Name of the caller of a request, by the token that it carries; `None`: no token is needed.
#[derive(Clone, Debug)]
pub(super) struct CallerName(pub(super) Option<String>);

/// Requires a token of a request to the operators' listener, where any is configured, and that its caller may do what is
/// requested. The name of the caller goes on with the request.
pub(super) async fn require_token(
    State(context): Shared,
    mut request: Request,
    next: Next,
) -> Response {
    let callers = &context.settings.callers;
    if callers.is_empty() {
        request.extensions_mut().insert(CallerName(None));
        return next.run(request).await;
    }
    let Some(caller) = find_caller(callers, request.headers()) else {
        let detail = "send an operator's token: Authorization: Bearer …";
        return refuse(StatusCode::UNAUTHORIZED, "Bearer", detail);
    };
    if caller.scope == Scope::Read && !request.method().is_safe() {
        let detail = "the token's scope is read, and this needs operate; use a token of that scope";
        let challenge = "Bearer error=\"insufficient_scope\", scope=\"operate\"";
        return refuse(StatusCode::FORBIDDEN, challenge, detail);
    }
    let name = CallerName(Some(caller.name.clone()));
    request.extensions_mut().insert(name);
    next.run(request).await
}

fn refuse(status: StatusCode, challenge: &'static str, detail: &str) -> Response {
    Problem::with_detail(status, detail)
        .with_header(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static(challenge),
        )
        .into_response()
}

/// Returns the caller whose token the request has. It compares digests, and those of all tokens, so that the time it takes
/// reveals neither content nor length of a token, nor whose it is.
fn find_caller<'a>(callers: &'a [Caller], headers: &HeaderMap) -> Option<&'a Caller> {
    let sent = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| bearer_credentials(value.as_bytes()))
        .unwrap_or_default();
    let sent = Sha256::digest(sent);
    let has_token = |caller: &Caller| -> bool {
        let token = Sha256::digest(caller.token.expose_secret().as_bytes());
        sent.as_slice().ct_eq(token.as_slice()).into()
    };
    let mut found = None;
    for caller in callers {
        if has_token(caller) {
            found = Some(caller);
        }
    }
    found
}

/// Returns the credentials of a header with the scheme `Bearer`, in upper or lower case, after one blank or more.
fn bearer_credentials(value: &[u8]) -> Option<&[u8]> {
    let (scheme, credentials) = value.split_at_checked(b"Bearer".len())?;
    let credentials = credentials.strip_prefix(b" ")?;
    let blanks = credentials.iter().take_while(|byte| **byte == b' ').count();
    scheme
        .eq_ignore_ascii_case(b"Bearer")
        .then(|| &credentials[blanks..])
}

/// Refuses a request with two values of a header that says who asks, or whom: which of them counts is left to each reader.
pub(super) async fn refuse_doubled_fields(request: Request, next: Next) -> Response {
    match doubled_field(request.headers()) {
        Some(name) => {
            let detail = format!("the request has several headers {name}; send one");
            Problem::with_detail(StatusCode::BAD_REQUEST, detail).into_response()
        }
        None => next.run(request).await,
    }
}

fn doubled_field(headers: &HeaderMap) -> Option<&'static str> {
    [
        ("Authorization", header::AUTHORIZATION),
        ("Host", header::HOST),
    ]
    .into_iter()
    .find(|(_, field)| headers.get_all(field).iter().count() > 1)
    .map(|(name, _)| name)
}

/// Refuses every web page's request, where no token is required. A page that is open in a browser on this machine, or
/// behind a tunnel to it, can send requests to the listener. With a host name of its own that leads to this machine, it
/// could read the answers.
pub(super) async fn refuse_web_pages(
    State(context): State<Arc<Context>>,
    request: Request,
    next: Next,
) -> Response {
    if context.settings.callers.is_empty()
        && let Err(detail) = refuse_web_page(request.uri(), request.headers())
    {
        return Problem::with_detail(StatusCode::FORBIDDEN, detail).into_response();
    }
    next.run(request).await
}

/// Requires what only a web page's request lacks: a host that is an address or localhost, no origin and no other site.
fn refuse_web_page(uri: &Uri, headers: &HeaderMap) -> Result<(), &'static str> {
    let hosts = headers.get_all(header::HOST).iter();
    let in_headers = hosts.map(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let in_uri = uri.authority().cloned().map(Some);
    if !in_headers
        .chain(in_uri)
        .all(|host| host.is_some_and(|host| is_local_or_address(host.host())))
    {
        return Err("without operators.token only an address or localhost is taken as Host");
    }
    let other_site = headers
        .get("sec-fetch-site")
        .is_some_and(|site| site.as_bytes() == b"cross-site");
    if other_site || headers.contains_key(header::ORIGIN) {
        return Err("without operators.token no web page may ask: use curl, or set a token");
    }
    Ok(())
}

/// Returns `true` if no third party could have made the host's name lead to this machine: it is an address, whose
/// meaning is fixed, or localhost.
fn is_local_or_address(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || IpAddr::from_str(bare).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_is_read_as_the_standard_has_it() {
        for (value, expected) in [
            ("Bearer T", Some("T")),
            ("bearer T", Some("T")),
            ("BEARER   T", Some("T")),
            ("Bearer ", Some("")),
            ("Bearer T ", Some("T ")),
            ("BearerT", None),
            ("Bearer\tT", None),
            ("Basic T", None),
            ("T", None),
            ("", None),
        ] {
            let expected = expected.map(str::as_bytes);
            assert_eq!(bearer_credentials(value.as_bytes()), expected, "{value:?}");
        }
    }

    #[test]
    fn a_caller_is_known_by_the_whole_token() {
        let caller = |name: &str, token: &str| Caller {
            name: name.to_owned(),
            scope: Scope::Read,
            token: SecretString::from(token),
        };
        let callers = [caller("one", "token-of-one"), caller("two", "token-of-two")];
        for (sent, expected) in [
            ("Bearer token-of-one", Some("one")),
            ("Bearer token-of-two", Some("two")),
            ("Bearer token-of-on", None),
            ("Bearer token-of-one ", None),
            ("Bearer ", None),
            ("Basic token-of-one", None),
        ] {
            let value = HeaderValue::from_static(sent);
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
            let found = find_caller(&callers, &headers).map(|caller| caller.name.as_str());
            assert_eq!(found, expected, "{sent}");
        }
        assert!(find_caller(&callers, &HeaderMap::new()).is_none());
    }

    #[test]
    fn who_asks_and_whom_is_said_once() {
        for (sent, expected) in [
            (&["host", "authorization", "accept", "accept"][..], None),
            (&["host", "host"], Some("Host")),
            (
                &["authorization", "host", "authorization"],
                Some("Authorization"),
            ),
            (&[], None),
        ] {
            let value = HeaderValue::from_static("the same");
            let mut headers = HeaderMap::new();
            for name in sent {
                headers.append(*name, value.clone());
            }
            assert_eq!(doubled_field(&headers), expected, "{sent:?}");
        }
    }

    #[test]
    fn a_host_is_local_only_as_an_address_or_localhost() {
        for (host, expected) in [
            ("127.0.0.1", true),
            ("[::1]", true),
            ("192.0.2.1", true),
            ("localhost", true),
            ("LocalHost", true),
            ("localhost.evil.example", false),
            ("evil.example", false),
            ("127.0.0.1.nip.example", false),
            ("2130706433", false),
            ("0x7f.1", false),
            ("", false),
        ] {
            assert_eq!(is_local_or_address(host), expected, "{host:?}");
        }
    }
}
