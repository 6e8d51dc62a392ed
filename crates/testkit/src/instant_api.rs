//! A Number Order API that answers at once, and helpers by which a bench serves an API from its own program.

use std::env;
use std::io;
use std::net::SocketAddr;
use std::process::Command;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use axum::serve::ListenerExt;
use number_order::Time;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::{Output, Process, Settings, free_address, now, until_ready};

/// The Number Order API, played by a process of its own.
pub struct Api {
    /// Address of the API.
    pub address: SocketAddr,
    /// Process of the API, which ends when the value is dropped.
    #[expect(dead_code, reason = "the process is held only to end with the value")]
    process: Process,
}

impl Api {
    /// Starts the running program again as an API, with `--api ADDRESS`, with which it must call [`answer`].
    pub async fn start() -> Api {
        let address = free_address();
        let process = start_self(&["--api", &address.to_string()], address).await;
        Api { address, process }
    }

    /// Sets this API as the one from which a service fetches.
    pub fn set(&self, settings: Settings) -> Settings {
        settings
            .set_project("auth", "basic")
            .set("sinch.api_url", format!("http://{}", self.address))
    }
}

/// Starts the running program again with other arguments, with which it must [`serve`] at an address, and waits until
/// it does.
pub async fn start_self(arguments: &[&str], address: SocketAddr) -> Process {
    let own = env::current_exe().expect("a program knows its own path");
    let mut process = Process::spawn(Command::new(own), arguments, Output::Discarded);
    until_ready(&mut process, address).await;
    process
}

/// Serves an API that shows every order as `IN_REVIEW` since an hour before the API began, so that every event is
/// newer.
///
/// # Errors
///
/// Fails as [`serve`] does.
pub async fn answer(listen: SocketAddr) -> io::Result<()> {
    let since = Time(now().0 - 3_600_000_000);
    let show = move |Path((project, order)): Path<(String, String)>| async move {
        let shown = json!({
            "idNumberOrder": order, "projectId": project, "state": "IN_REVIEW",
            "createTime": since, "updateTime": since,
        });
        shown.to_string()
    };
    let path = "/v1/projects/{project}/numberOrders/{order}";
    serve(listen, Router::new().route(path, get(show))).await
}

/// Serves the router, with a `/readyz` beside it, until the process is told to stop.
///
/// # Errors
///
/// Fails when the address is taken.
pub async fn serve(listen: SocketAddr, router: Router) -> io::Result<()> {
    let mut stop = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(listen).await?.tap_io(|stream| {
        // The service sets this option too. If it fails, the connection is only slower.
        let _ = stream.set_nodelay(true);
    });
    let router = router.route("/readyz", get(|| async {}));
    axum::serve(listener, router)
        .with_graceful_shutdown(async move {
            stop.recv().await;
        })
        .await
}
