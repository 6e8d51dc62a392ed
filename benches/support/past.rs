//! A database with a past, and how long things take on it.

use std::future::pending;
use std::time::{Duration, Instant};

use sinch_callbacks::clock;
use sinch_callbacks::order::Id;
use sinch_callbacks::store::{ClaimRequest, Store, Turn};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::history::{History, fill};
use crate::load::{self, Plan};
use crate::process::{self, Outcome, PROJECT, Service};

/// A database with a past, and how long things take on it: [`TIMED`].
pub struct Aged {
    /// Settled deliveries.
    pub settled: i64,
    /// Where everything lies; it goes away by itself.
    pub folder: TempDir,
    /// What runs on it.
    pub service: Service,
    /// What was timed.
    pub took: [Vec<Duration>; 3],
}

/// What is timed.
pub const TIMED: [&str; 3] = ["callback", "/status", "claim"];

/// How often each is timed before it is another database's turn.
const TURN: usize = 25;

/// Orders to a claim.
const ORDERS: u32 = 8;

impl Aged {
    /// Makes one.
    pub async fn grow(settled: i64) -> Outcome<Aged> {
        let folder = process::folder()?;
        let service = Service::configure(folder.path(), "api = \"off\"\n")?;
        let history = History {
            settled,
            due: 10_000,
            waiting: 0,
        };
        fill(&service.database, &history).await?;
        Ok(Aged {
            settled,
            folder,
            service,
            took: Default::default(),
        })
    }

    /// Callbacks, one after the other over one connection.
    pub async fn callbacks(&self) -> Outcome<Vec<Duration>> {
        let callbacks = process::callbacks(TURN, load::FITTING);
        let plan = Plan::closed(1, Duration::ZERO);
        let report = load::run(self.service.callbacks, &callbacks, &plan, pending()).await?;
        match report.refused {
            0 => Ok(report.answers.iter().map(|answer| answer.took).collect()),
            _ => Err("callbacks were refused".into()),
        }
    }

    /// `GET /status`, likewise.
    pub async fn status(&self) -> Outcome<Vec<Duration>> {
        let mut stream = TcpStream::connect(self.service.operators).await?;
        let request = b"GET /status HTTP/1.1\r\nhost: localhost\r\n\r\n";
        let mut took = Vec::with_capacity(TURN);
        for _ in 0..TURN {
            let began = Instant::now();
            if load::exchange(&mut stream, request).await?.status != 200 {
                return Err("/status is not answered 200".into());
            }
            took.push(began.elapsed());
        }
        Ok(took)
    }
}

/// Claims of eight orders, on a store without the program around it.
pub async fn claims(store: &Store) -> Outcome<Vec<Duration>> {
    let mut took = Vec::with_capacity(TURN);
    for _ in 0..TURN {
        let request = ClaimRequest {
            project: Id::new(PROJECT).ok_or("not a project's id")?,
            orders_max: ORDERS,
            turn: Turn::Urgent,
            apart: [].into(),
            now: clock::now(),
            lease: Duration::from_secs(3600),
        };
        let began = Instant::now();
        let claims = store.claim(request).await?;
        took.push(began.elapsed());
        if claims.len() != ORDERS as usize {
            return Err("a claim found too few due orders".into());
        }
    }
    Ok(took)
}
