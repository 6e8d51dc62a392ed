//! Receives callbacks in a program of one's own: the callback listener and its store, beside other work.
//!
//! ```text
//! cargo run --example embed
//! ```
//!
//! The listener answers as the service's does: 200 means that a callback is on disk. What this program does with its
//! deliveries is its own affair; the workers that process them and fetch orders are in `sinch_callbacks::worker`.

use std::collections::HashMap;
use std::error::Error;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use number_order::Id;
use secrecy::SecretString;
use sinch_callbacks::clock;
use sinch_callbacks::http::admission::{AdmissionControl, Listener};
use sinch_callbacks::http::callbacks::{self, CallbackRoute};
use sinch_callbacks::http::connection_limits::ListenerLimits;
use sinch_callbacks::http::quarantine::Quarantine;
use sinch_callbacks::http::server::{self, Timeouts};
use sinch_callbacks::http::source::Sources;
use sinch_callbacks::metrics::Metrics;
use sinch_callbacks::store::{self, sqlite};
use sinch_callbacks::traces::Traces;
use sinch_numbers::signature;
use tokio_util::sync::CancellationToken;

const SECRET: &str = "the secret that Sinch signs with";

#[tokio::main]
#[expect(clippy::too_many_lines, reason = "read from top to bottom")]
async fn main() -> Result<(), Box<dyn Error>> {
    let project = Id::new("your-project-id").ok_or("no project's id")?;
    let folder = tempfile::tempdir()?;

    // The store, and the task that writes to it. The task ends when every handle of the store is dropped.
    let (store, writer) = store::open(store::Settings::Sqlite(sqlite::Settings {
        path: folder.path().join("callbacks.db"),
        waiting_max: 1000,
        free_min_bytes: 0,

        targets: Vec::new(),
        // This program fetches no orders.
        projects: vec![(project.clone(), None)],
        now: clock::now(),
    }))
    .await?;
    let writer = tokio::spawn(writer);

    // The listener's settings: who may call, and which path belongs to which project.
    let sources = Sources {
        allow: vec!["127.0.0.1/32".parse()?],
        trusted_proxies: Vec::new(),
    };
    let settings = Arc::new(callbacks::Settings {
        sources: sources.clone(),
        routes: HashMap::from([(
            "/callbacks".to_owned(),
            CallbackRoute {
                project: project.clone(),
                secrets: Some(vec![SecretString::from(SECRET)]),
            },
        )]),
        body_max_bytes: 64 * 1024,
        body_timeout: Duration::from_secs(10),
    });
    let timeouts = Timeouts {
        header_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
        grace: Duration::from_secs(5),
    };
    let metrics = Arc::new(Metrics::new());
    let limits = ListenerLimits::new(None, 100, 0);
    let admission = AdmissionControl::new(
        Listener::Callbacks,
        Some(sources),
        limits.callbacks,
        None,
        metrics.clone(),
    );
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/callbacks", listener.local_addr()?);
    let stop = CancellationToken::new();
    // This program keeps nothing of what it refuses.
    let (quarantine, _) = Quarantine::new(metrics.clone());
    let traces = Traces::default();
    let service = callbacks::service(settings, store.clone(), quarantine, None, metrics, traces);
    let serving = server::serve(listener, timeouts, admission, service, stop.clone());
    let serving = tokio::spawn(serving);

    // The remaining part of the program. In this example it plays Sinch, and sends one callback. reqwest is built
    // without a TLS provider of its own. This fails only if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let body =
        r#"{"eventId":"e1","resourceType":"NUMBER_ORDER","resourceId":"o1","status":"IN_REVIEW"}"#;
    let answer = reqwest::Client::new()
        .post(&url)
        .header(
            signature::HEADER,
            signature::sign(&SecretString::from(SECRET), body.as_bytes()),
        )
        .body(body)
        .send()
        .await?;
    println!("{url} answered {}", answer.status());
    let holdings = store.holdings(&project).await?.unwrap_or_default();
    println!("on disk: {} callback", holdings.deliveries);

    // The stop: the listener answers what is in flight, then the last handle of the store is dropped, and the writer
    // ends.
    stop.cancel();
    serving.await??;
    drop(store);
    writer.await??;
    Ok(())
}
