//! A Number Order API that answers at once, and clients of it.

#![allow(
    dead_code,
    reason = "several programs share this, and each uses a part"
)]

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use number_order::{Id, Time};
use secrecy::SecretString;
use serde_json::json;
use sinch_callbacks::clock;
use sinch_numbers::api::{Access, Auth, Client, RequestError};
use tokio::task::JoinSet;

use crate::baselines::serve;
use crate::process::{self, Outcome, PROJECT, Receiver};

const KEY_ID: &str = "bench-key";
const KEY_SECRET: &str = "the secret of the key";

/// API as a process of its own.
pub struct Api {
    /// Address of the API.
    pub address: SocketAddr,
    _process: Receiver,
}

impl Api {
    /// Starts this program with `--api ADDRESS`, with which it must call [`answer`].
    pub async fn start() -> Outcome<Api> {
        let address = process::free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--api", &address.to_string()]);
        let (process, _) = Receiver::start(&mut command, address).await?;
        Ok(Api {
            address,
            _process: process,
        })
    }

    /// End of a configuration with which the service fetches from this API.
    pub fn settings(&self, lanes: usize, requests_per_second: f64) -> String {
        format!(
            "auth = \"basic\"\nkey_id = \"{KEY_ID}\"\nkey_secret = \"{KEY_SECRET}\"\n\
             [sinch]\nmax_in_flight = {lanes}\nrequests_per_second = {requests_per_second:?}\n\
             api_url = \"http://{}\"\n",
            self.address
        )
    }
}

/// Shows every order as `IN_REVIEW` since an hour before the API began, so that every event is newer.
pub async fn answer(listen: SocketAddr) -> Outcome<()> {
    let since = Time(clock::now().0 - 3_600_000_000);
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

/// Rate that the HTTP client alone reaches: answers a second, with this number of requests in flight.
pub async fn client_alone(api: SocketAddr, lanes: usize, window: Duration) -> Outcome<f64> {
    let project = Id::new(PROJECT).ok_or("not a project's id")?;
    let client = Client::new(
        project,
        Access {
            api_url: format!("http://{api}").parse()?,
            auth: Auth::Basic,
            key_id: KEY_ID.to_owned(),
            key_secret: SecretString::from(KEY_SECRET),
            request_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            answer_max_bytes: 256 * 1024,
            proxy_from_environment: false,
        },
    )?;
    let (client, began) = (Arc::new(client), Instant::now());
    let order = Id::new("01kdvdnd42472bfxv9sfamm3kt").ok_or("not an order's id")?;
    let mut tasks = JoinSet::new();
    for _ in 0..lanes {
        let (client, order) = (client.clone(), order.clone());
        tasks.spawn(async move {
            let mut answers = 0_u32;
            while began.elapsed() < window {
                client.get_order(&order).await?;
                answers += 1;
            }
            Ok(answers)
        });
    }
    let mut answers = 0;
    while let Some(task) = tasks.join_next().await {
        let task: Result<u32, RequestError> = task?;
        answers += task?;
    }
    Ok(f64::from(answers) / began.elapsed().as_secs_f64())
}
