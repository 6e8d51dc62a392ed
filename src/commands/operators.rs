//! The running service, as the commands ask it: over the operators' listener that is configured.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::{Method, Response};
use secrecy::ExposeSecret;

use crate::config;

/// Sends a request to the running service.
///
/// # Errors
///
/// In words, when it cannot be reached.
pub(super) async fn send(
    operators: &config::Operators,
    method: Method,
    path: &str,
    body: Vec<u8>,
    timeout: Duration,
) -> Result<Response, String> {
    // Needed to set up any client, even one that will not encrypt.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(timeout)
        .build();
    let client = client.map_err(|error| error.to_string())?;
    let address = reachable(operators.listen);
    let mut request = client.request(method, format!("http://{address}{path}"));
    if let Some(token) = &operators.token {
        request = request.bearer_auth(token.expose_secret());
    }
    let sent = request.body(body).send().await;
    sent.map_err(|error| match error.is_timeout() {
        true => format!("the service at {address} does not answer in time"),
        false => {
            format!("no service can be reached at {address}; does it run, with this configuration?")
        }
    })
}

/// A service that listens everywhere is asked on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_asked_on_loopback() {
        for (listen, asked) in [
            ("0.0.0.0:9090", "127.0.0.1:9090"),
            ("[::]:9090", "[::1]:9090"),
            ("127.0.0.2:9090", "127.0.0.2:9090"),
        ] {
            let reached = reachable(listen.parse().expect("an address"));
            assert_eq!(reached.to_string(), asked);
        }
    }
}
