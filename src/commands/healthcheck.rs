//! `healthcheck`: asks the running service whether it is ready; for a container's HEALTHCHECK.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::{FAILURE, configuration, misconfigured};

const TIMEOUT: Duration = Duration::from_secs(5);

/// Succeeds if the service answers that it is ready.
pub async fn run(config: Option<&Path>) -> ExitCode {
    let operators = match configuration(config) {
        Ok(loaded) => loaded.config.operators,
        Err(errors) => return misconfigured(&errors),
    };
    match ask(reachable(operators.listen)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("sinch-callbacks: not healthy: {reason}");
            ExitCode::from(FAILURE)
        }
    }
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

async fn ask(address: SocketAddr) -> Result<(), String> {
    // Needed to set up any client, even one that will not encrypt.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(TIMEOUT)
        .build();
    let client = client.map_err(|error| error.to_string())?;
    let sent = client.get(format!("http://{address}/readyz")).send().await;
    let response = sent.map_err(|error| format!("{address} cannot be reached: {error}"))?;
    match response.status().as_u16() {
        200 => Ok(()),
        status => {
            let body = response.text().await.unwrap_or_default();
            Err(format!("{address} answered {status}: {body}"))
        }
    }
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
