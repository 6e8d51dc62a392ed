//! Calls a receiver as Sinch would, with distinct signed callbacks, and says how it answered.
//!
//! ```text
//! cargo run --release --example load -- --url http://127.0.0.1:8080/callbacks \
//!     --project your-project-id --secret … --connections 64 --rate 1000
//! ```
//!
//! The receiver must allow this machine's address. What it is sent is about orders that do not exist:
//! not for a service that Sinch calls.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use testkit::load::{self, Plan, Refused};
use testkit::{CYCLE, Callbacks, Content, Receiver, order_ids};
use tokio::net::lookup_host;
use tokio::time::sleep;

#[derive(Parser)]
struct Arguments {
    /// The callback URL, http:// only.
    #[arg(long)]
    url: String,
    /// The project that the URL belongs to.
    #[arg(long, default_value = "your-project-id")]
    project: String,
    /// The project's HMAC secret.
    #[arg(long, env = "LOAD_SECRET", hide_env_values = true)]
    secret: SecretString,
    /// Connections at once.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Callbacks sent per second; without it, each connection sends the next one after its answer.
    #[arg(long)]
    rate: Option<f64>,
    /// Duration of the load, in seconds.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Maximum number of callbacks, all of which are made before the first is sent.
    #[arg(long, default_value_t = 200_000)]
    callbacks: usize,
    /// Number of orders that the callbacks are about.
    #[arg(long, default_value_t = 1000)]
    orders: usize,
    /// Send each callback again until it is answered 200.
    #[arg(long)]
    retry: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns `true` if every callback was answered 200.
async fn run(arguments: Arguments) -> Result<bool, Box<dyn Error>> {
    let rest = arguments.url.strip_prefix("http://");
    let rest = rest.ok_or("--url must begin with http://")?;
    let (host, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/"),
    };
    let host = match host.rsplit_once(':') {
        Some(_) => host.to_owned(),
        None => format!("{host}:80"),
    };
    let address = lookup_host(host).await?.next().ok_or("unknown host")?;
    let mut rng = fastrand::Rng::new();
    let receiver = Receiver {
        path: path.to_owned(),
        project: arguments.project,
        secret: arguments.secret.expose_secret().to_owned(),
    };
    let content = Content::Orders(order_ids(arguments.orders.max(1), &mut rng), CYCLE);
    let callbacks = Callbacks::to(receiver, content, arguments.callbacks, &mut rng);
    callbacks.sign();
    let callbacks = Arc::new(callbacks);
    let plan = Plan {
        rate: arguments.rate,
        refused: if arguments.retry {
            Refused::AtOnce
        } else {
            Refused::Dropped
        },
        ..Plan::closed(arguments.connections, Duration::ZERO)
    };
    let until = sleep(Duration::try_from_secs_f64(arguments.seconds)?);
    let report = load::run(address, &callbacks, &plan, until).await?;
    let acknowledged = report.acknowledged.len();
    let (p50, p99) = (report.percentile_ms(0.5), report.percentile_ms(0.99));
    println!(
        "{acknowledged} acknowledged, {} refused; {:.0} a second, p50 {p50:.2} ms, p99 {p99:.2} ms",
        report.refused, report.per_second
    );
    println!(
        "{}",
        json!({
            "connections": plan.connections, "rate": plan.rate, "per_second": report.per_second,
            "p50_ms": p50, "p99_ms": p99, "acknowledged": acknowledged, "refused": report.refused,
        })
    );
    Ok(report.refused == 0)
}
