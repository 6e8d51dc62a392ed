//! Measures how long orders that always fail delay the other orders named after them.
//!
//! `cargo bench --bench hostile -- [--kinds 403,time-out] [--bad 10] [--good 400] [--rate 5]`
//!
//! The real program, with default settings unless arguments change them, runs against an API on this machine. The
//! API answers about some orders with each kind of failure, and about the others at once. All are named in one list,
//! the bad ones first. The bench measures the time until the database has the last of the good ones confirmed: first
//! without any bad one, then with each kind in turn.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::json;
use testkit::figures::{self, Requirements, line, rounded};
use testkit::machine::folder_on_disk;
use testkit::{File, Outcome, PROJECT, Request, Service, Settings, now};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::sleep;

#[derive(Parser)]
struct Arguments {
    /// Kinds of failure to try, in this order.
    #[arg(long, value_delimiter = ',', default_values_t = KINDS.map(|(name, _)| name.to_owned()))]
    kinds: Vec<String>,
    /// Number of orders that fail.
    #[arg(long, default_value_t = 10)]
    bad: usize,
    /// Number of orders that do not fail.
    #[arg(long, default_value_t = 400)]
    good: usize,
    /// Rate limit of the service, `sinch.requests_per_second`.
    #[arg(long, default_value_t = 5.0)]
    rate: f64,
    /// Flag that `cargo bench` sets; without it, as when all targets are tested, the bench does nothing.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Failure of the API over an order.
#[derive(Clone, Copy)]
enum Failure {
    /// Answers with the given status, after the given number of milliseconds, with the given body.
    Answer(u16, u64, &'static str),
    /// Answers at once with the given status, and a `Retry-After` of the given number of seconds.
    Later(u16, u64),
    /// Never answers the request.
    Hang,
    /// Closes the connection without an answer.
    Close,
}

const ERROR: &str = r#"{"error":{"code":1,"status":"X","message":"x"}}"#;

const KINDS: [(&str, Failure); 17] = [
    ("401", Failure::Answer(401, 0, ERROR)),
    ("403", Failure::Answer(403, 0, ERROR)),
    ("404", Failure::Answer(404, 0, ERROR)),
    ("404-page", Failure::Answer(404, 0, "<h1>Not found</h1>")),
    ("408", Failure::Answer(408, 0, ERROR)),
    ("409", Failure::Answer(409, 0, ERROR)),
    ("429", Failure::Answer(429, 0, ERROR)),
    ("later-429", Failure::Later(429, 30)),
    ("500", Failure::Answer(500, 0, ERROR)),
    ("502", Failure::Answer(502, 0, ERROR)),
    ("503", Failure::Answer(503, 0, ERROR)),
    ("later-503", Failure::Later(503, 3600)),
    ("504", Failure::Answer(504, 0, ERROR)),
    ("slow-504", Failure::Answer(504, 5000, ERROR)),
    ("time-out", Failure::Hang),
    ("reset", Failure::Close),
    ("garbage", Failure::Answer(200, 0, "\u{1}\u{2}{")),
];

/// Maximum time with bad orders, as a multiple of the time that the good ones need alone.
const FACTOR_MAX: f64 = 1.2;

/// Time limit, as a multiple of the time that the rate implies.
const GIVEN_UP: f64 = 4.0;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    figures::run("hostile", arguments.bench, || {
        Runtime::new()?.block_on(run(&arguments))
    })
}

async fn run(arguments: &Arguments) -> Outcome<bool> {
    let mut requirements = Requirements::default();
    let mut figures = Vec::new();
    let alone = time(arguments, Failure::Close, 0).await?;
    let alone = alone.ok_or("the good ones alone are not settled in time")?;
    println!(
        "{} good ones alone: {:.1} s",
        arguments.good,
        alone.as_secs_f64()
    );
    for kind in &arguments.kinds {
        let known = KINDS.iter().find(|(name, _)| name == kind);
        let (name, failure) = known.ok_or_else(|| format!("no such kind: {kind}"))?;
        let with = time(arguments, *failure, arguments.bad).await?;
        let factor = with.map(|with| with.as_secs_f64() / alone.as_secs_f64());
        let holds = factor.is_some_and(|factor| factor <= FACTOR_MAX);
        let decision = if holds { "holds" } else { "fails" };
        match with.zip(factor) {
            Some((with, factor)) => {
                let secs = with.as_secs_f64();
                println!(
                    "with {} × {name}: {secs:.1} s, × {factor:.2}: {decision}",
                    arguments.bad
                );
            }
            None => println!("with {} × {name}: given up: {decision}", arguments.bad),
        }
        figures.push(json!({ "kind": name, "factor": factor.map(rounded), "holds": holds }));
        requirements.add(
            format!("{name}: no more than {FACTOR_MAX} times as long"),
            holds,
        );
    }
    let all = requirements.judge(false);
    let (bad, good) = (arguments.bad.into(), arguments.good.into());
    let alone = rounded(alone.as_secs_f64()).into();
    let figures = [
        ("bad", bad),
        ("good", good),
        ("alone_secs", alone),
        ("kinds", figures.into()),
    ];
    println!("{}", line("hostile", figures));
    Ok(all)
}

/// Returns the time until all orders that do not fail are confirmed, beside `bad` orders that fail; `None` if the time
/// exceeds the limit.
async fn time(arguments: &Arguments, failure: Failure, bad: usize) -> Outcome<Option<Duration>> {
    let folder = folder_on_disk();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let settings = Settings::of_a_bench(folder.path())
        .set_project("auth", "basic")
        .set(
            "sinch.api_url",
            format!("http://{}", listener.local_addr()?),
        )
        .set("sinch.requests_per_second", arguments.rate);
    let api = tokio::spawn(serve(listener, failure));
    let service = Service::start(&settings).await;
    let bad = (0..bad).map(|n| format!("bad-{n}\n"));
    let names: String = bad
        .chain((0..arguments.good).map(|n| format!("good-{n}\n")))
        .collect();
    let list = Request::post(&format!("/api/v1/orders/{PROJECT}"), names);
    let named = list.header("Content-Type", "text/plain");
    let named = service.send_to_operators(&named).await;
    if !(200..300).contains(&named.status) {
        return Err(format!("the orders could not be named: {named:?}").into());
    }
    let began = Instant::now();
    let most = Duration::from_secs_f64(GIVEN_UP * arguments.good as f64 / arguments.rate);
    let mut file = File::open_read_only(&settings.database()).await;
    let mut took = None;
    while took.is_none() && began.elapsed() < most {
        sleep(Duration::from_millis(50)).await;
        let confirmed = file.number(CONFIRMED).await;
        took = (confirmed == arguments.good as i64).then(|| began.elapsed());
    }
    file.close().await;
    service.kill().await;
    api.abort();
    Ok(took)
}

const CONFIRMED: &str =
    "SELECT count(*) FROM orders WHERE confirmed_state IS NOT NULL AND sinch_id LIKE 'good-%'";

/// Serves the API.
async fn serve(listener: TcpListener, failure: Failure) {
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(answer(connection, failure));
    }
}

/// Answers requests one by one, until the caller or the failure ends the connection.
async fn answer(mut connection: TcpStream, failure: Failure) -> Option<()> {
    loop {
        let order = requested_order(&mut connection).await?;
        let updated = now();
        let found = format!(
            r#"{{"idNumberOrder":"{order}","projectId":"{PROJECT}","state":"IN_REVIEW","updateTime":"{updated}"}}"#
        );
        let (status, retry_after, body) = match failure {
            _ if !order.starts_with("bad-") => (200, None, found.as_str()),
            Failure::Answer(status, ms, body) => {
                sleep(Duration::from_millis(ms)).await;
                (status, None, body)
            }
            Failure::Later(status, secs) => (status, Some(secs), ERROR),
            Failure::Hang => std::future::pending().await,
            Failure::Close => return None,
        };
        let length = body.len();
        let wait = retry_after.map(|secs| format!("retry-after: {secs}\r\n"));
        let reply = format!(
            "HTTP/1.1 {status} X\r\n{}content-length: {length}\r\n\r\n{body}",
            wait.unwrap_or_default()
        );
        connection.write_all(reply.as_bytes()).await.ok()?;
    }
}

/// Order that the next request is about.
async fn requested_order(connection: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let path = head.split(' ').nth(1)?;
    path.rsplit('/').next().map(str::to_owned)
}
