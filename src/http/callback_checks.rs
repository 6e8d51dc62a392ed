//! What the callback listener knows of projects and callers, and the checks of a request that look at nothing else.

use std::collections::HashMap;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use secrecy::SecretString;

use super::problem::Problem;
use super::source::Sources;
use crate::metrics::Refusal;
use number_order::{CallbackKey, Id};
use sinch_numbers::signature;

/// Route of a project's own path, the one in the callback URL at Sinch.
#[derive(Clone, Debug)]
pub struct CallbackRoute {
    /// Project whose callbacks come by this path. The content of a body counts only after the signature check.
    pub project: Id,
    /// Secrets in force; `None`: the operator has switched the signature check off.
    pub secrets: Option<Vec<SecretString>>,
}

/// Settings of the callback listener.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses that may send callbacks, and proxies that may name such addresses.
    pub sources: Sources,
    /// Routes of the projects, by path.
    pub routes: HashMap<String, CallbackRoute>,
    /// Maximum size of a callback's body, in bytes.
    pub body_max_bytes: usize,
    /// Maximum time for a callback's body to arrive.
    pub body_timeout: Duration,
}

impl Settings {
    /// Returns settings without projects and callers.
    #[cfg(test)]
    pub fn of_nobody() -> std::sync::Arc<Settings> {
        std::sync::Arc::new(Settings {
            sources: Sources {
                allow: Vec::new(),
                trusted_proxies: Vec::new(),
            },
            routes: HashMap::new(),
            body_max_bytes: 0,
            body_timeout: Duration::ZERO,
        })
    }

    /// Returns the route of a requested path: a project's own, or the one below it of a create, with the create's key.
    ///
    /// Any key is taken. A journal that was restored from a backup may not have it, and nothing genuine is refused.
    pub(super) fn route(&self, path: &str) -> (Option<&CallbackRoute>, Option<CallbackKey>) {
        if let Some(route) = self.routes.get(path) {
            return (Some(route), None);
        }
        let below = path.rsplit_once('/').and_then(|(parent, key)| {
            let route = self.routes.get(parent)?;
            Some((route, CallbackKey::new(key)?))
        });
        below.map_or((None, None), |(route, key)| (Some(route), Some(key)))
    }
}

/// Refusal of a request, with the response that reports it.
pub(super) type Refused = (Refusal, Problem);

pub(super) fn too_large(max: usize) -> Refused {
    let detail = format!("the body may have at most {max} bytes");
    (
        Refusal::Size,
        Problem::with_detail(StatusCode::PAYLOAD_TOO_LARGE, detail),
    )
}

pub(super) fn check_method(method: &Method) -> Result<(), Refused> {
    if method == Method::POST {
        return Ok(());
    }
    let post = HeaderValue::from_static("POST");
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED).with_header(header::ALLOW, post);
    Err((Refusal::Method, problem))
}

pub(super) fn check_size(headers: &HeaderMap, max: usize) -> Result<(), Refused> {
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match declared {
        Some(bytes) if bytes > max as u64 => Err(too_large(max)),
        Some(_) | None => Ok(()),
    }
}

/// Refuses a callback with an encoded body. The signature is over the raw body, and Sinch sends it plain. An empty
/// header names no coding.
pub(super) fn check_encoding(headers: &HeaderMap) -> Result<(), Refused> {
    let plain = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .map(|value| value.as_bytes().trim_ascii())
        .all(|value| value.is_empty() || value.eq_ignore_ascii_case(b"identity"));
    if plain {
        return Ok(());
    }
    let detail = "send the body as it is, without Content-Encoding";
    Err((
        Refusal::Encoding,
        Problem::with_detail(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail),
    ))
}

/// Requires that a callback have exactly one signature, by one of the project's secrets, and returns the index of the
/// secret; `None`: no signature is needed. The response does not say if the header or the signature is wrong.
pub(super) fn check_signature(
    headers: &HeaderMap,
    body: &[u8],
    route: &CallbackRoute,
) -> Result<Option<usize>, Refused> {
    let Some(secrets) = &route.secrets else {
        return Ok(None);
    };
    let only = only_signature(headers);
    let secret = only.and_then(|only| signature::verified_by(secrets, body, only));
    let refused = || (Refusal::Signature, Problem::new(StatusCode::UNAUTHORIZED));
    secret.map(Some).ok_or_else(refused)
}

/// Returns the signature of a callback; `None`: it has none, or more than one.
pub(super) fn only_signature(headers: &HeaderMap) -> Option<&[u8]> {
    let mut signatures = headers.get_all(signature::HEADER).iter();
    match (signatures.next(), signatures.next()) {
        (Some(only), None) => Some(only.as_bytes()),
        (None, _) | (Some(_), Some(_)) => None,
    }
}
