//! Orders that each need a fetch, from an API that answers at once, compared with the HTTP client alone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use number_order::Id;
use secrecy::SecretString;
use serde_json::json;
use sinch_callbacks::sinch::ANSWER_MAX_BYTES;
use sinch_numbers::api::{Access, Auth, Client, RequestError};
use testkit::figures::{line, median, rounded};
use testkit::instant_api::Api;
use testkit::load::{self, Plan};
use testkit::machine::folder_on_disk;
use testkit::{
    CYCLE, Callbacks, File, History, KEY_ID, KEY_SECRET, Outcome, PROJECT, Service, Settings,
};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::{IN_FLIGHT, NO_LIMIT, Results, Runtimes};

/// Minimum ratio of the rate of fetches to what the HTTP client alone reaches.
const FETCHES_MIN: f64 = 0.8;

pub fn measure(on: &Runtimes, rounds: usize, quick: bool, results: &mut Results) -> Outcome<()> {
    let window = Duration::from_secs(if quick { 2 } else { 4 });
    let api = on.one.block_on(Api::start());
    println!(
        "\n{:<12} {:>16} {:>20} {:>16} {:>10}",
        "in flight", "callbacks a s", "client alone, a s", "fetched, a s", "ratio"
    );
    let quiet = [1, 4, IN_FLIGHT, 16].map(|max_in_flight| (max_in_flight, 0));
    for (max_in_flight, arrivals) in quiet.into_iter().chain([(IN_FLIGHT, CALLBACKS_PER_SECOND)]) {
        let mut all = Vec::new();
        for _ in 0..rounds {
            let alone = client_alone(api.address, max_in_flight, window);
            let alone = async { on.all.spawn(alone).await? };
            let alone = on.one.block_on(beside_callbacks(arrivals, alone))?;
            let fetched = on
                .one
                .block_on(fetch(&api, max_in_flight, arrivals, window))?;
            all.push((alone, fetched));
        }
        let alone = median(all.iter().map(|(alone, _)| *alone));
        let fetched = median(all.iter().map(|(_, fetched)| *fetched));
        let ratio = median(all.iter().map(|(alone, fetched)| fetched / alone));
        println!("{max_in_flight:<12} {arrivals:>16} {alone:>20.0} {fetched:>16.0} {ratio:>10.2}");
        if max_in_flight == IN_FLIGHT {
            let what = format!(
                "with {max_in_flight} in flight and {arrivals} callbacks a second, at least {FETCHES_MIN} of the answers that \
                 the HTTP client alone gets"
            );
            results.required.add(what, ratio >= FETCHES_MIN);
        }
        let designs = [("client alone", alone), ("sinch-callbacks", fetched)];
        results.lines.extend(designs.map(|(design, per_second)| {
            let per_second = json!(per_second.round());
            line(
                "queue",
                [
                    ("design", json!(design)),
                    ("part", json!("fetches")),
                    ("max_in_flight", json!(max_in_flight)),
                    ("callbacks_per_second", json!(arrivals)),
                    ("per_second", per_second),
                    ("ratio", json!(rounded(ratio))),
                ],
            )
        }));
    }
    Ok(())
}

const ANSWERED: &str = "SELECT coalesce(max(id), 0) FROM fetches";

/// Number of due orders: more than any number of slots can fetch in the time.
const DUE: i64 = 250_000;

/// Number of answers after which the service is warm.
const WARM: i64 = 500;

/// Number of callbacks that arrive each second during a measurement, and number of their connections.
const CALLBACKS_PER_SECOND: usize = 1000;
const CONNECTIONS: usize = 16;

/// Seconds for which there are callbacks: more than any measurement takes.
const SECONDS_MAX: usize = 30;

/// Sends the given number of callbacks a second to a service for the duration of a measurement.
async fn with_callbacks<T>(
    per_second: usize,
    service: &Service,
    measured: impl Future<Output = Outcome<T>>,
) -> Outcome<T> {
    if per_second == 0 {
        return measured.await;
    }
    let callbacks = Callbacks::signed(SECONDS_MAX * per_second, CYCLE);
    let plan = Plan {
        rate: Some(per_second as f64),
        ..Plan::closed(CONNECTIONS, Duration::ZERO)
    };
    let mut outcome = None;
    let until = async { outcome = Some(measured.await) };
    let report = load::run(service.callbacks, &callbacks, &plan, until).await?;
    if report.refused > 0 || report.acknowledged.len() == callbacks.count() {
        return Err("some were refused, or there were too few callbacks".into());
    }
    outcome.ok_or("nothing was measured")?
}

/// Rate that the client reaches while callbacks arrive at a service that sends no fetches.
async fn beside_callbacks(
    per_second: usize,
    alone: impl Future<Output = Outcome<f64>>,
) -> Outcome<f64> {
    if per_second == 0 {
        return alone.await;
    }
    let folder = folder_on_disk();
    let settings = Settings::of_a_bench(folder.path()).set_project("api", "off");
    let service = Service::start(&settings).await;
    let alone = with_callbacks(per_second, &service, alone).await?;
    service.stop_well().await;
    Ok(alone)
}

async fn fetch(
    api: &Api,
    max_in_flight: usize,
    per_second: usize,
    window: Duration,
) -> Outcome<f64> {
    let folder = folder_on_disk();
    let settings = api
        .set(Settings::of_a_bench(folder.path()))
        .set("sinch.max_in_flight", max_in_flight)
        .set("sinch.requests_per_second", NO_LIMIT);
    let due = History {
        due: DUE,
        ..History::default()
    };
    due.fill(&settings).await;
    let service = Service::start(&settings).await;
    let mut file = File::open_read_only(&settings.database()).await;
    let fetched = async {
        while file.number(ANSWERED).await < WARM {
            sleep(Duration::from_millis(10)).await;
        }
        let (before, began) = (file.number(ANSWERED).await, Instant::now());
        sleep(window).await;
        let (after, took) = (file.number(ANSWERED).await, began.elapsed());
        if after >= DUE {
            return Err("there were too few orders".into());
        }
        Ok((after - before) as f64 / took.as_secs_f64())
    };
    let fetched = with_callbacks(per_second, &service, fetched).await?;
    file.close().await;
    service.stop_well().await;
    Ok(fetched)
}

/// Rate that the HTTP client alone reaches: answers a second, with the given number of requests in flight.
async fn client_alone(api: SocketAddr, max_in_flight: usize, window: Duration) -> Outcome<f64> {
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
            answer_max_bytes: ANSWER_MAX_BYTES,
            proxy_from_environment: false,
        },
    )?;
    let (client, began) = (Arc::new(client), Instant::now());
    let order = Id::new("01kdvdnd42472bfxv9sfamm3kt").ok_or("not an order's id")?;
    let mut tasks = JoinSet::new();
    for _ in 0..max_in_flight {
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
