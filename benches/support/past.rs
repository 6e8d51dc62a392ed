//! A database with a past, and the times that operations take on it.

use std::future::pending;
use std::time::{Duration, Instant};

use number_order::Id;
use sinch_callbacks::clock;
use sinch_callbacks::store::{ClaimOrder, ClaimRequest, Store};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::history::{History, fill};
use crate::load::{self, Plan};
use crate::process::{self, Outcome, PROJECT, Service};

/// Database with a past, and the times that the operations in [`TIMED`] take on it.
pub struct Aged {
    /// Number of processed deliveries.
    pub settled: i64,
    /// Folder of the files; it is removed with this value.
    pub folder: TempDir,
    /// Service that runs on the database.
    pub service: Service,
    /// Measured times, by operation.
    pub took: [Vec<Duration>; 3],
}

/// Operations that are timed.
pub const TIMED: [&str; 3] = ["callback", "/status", "claim"];

/// Number of measurements in a turn, before another database's turn.
const TURN: usize = 25;

/// Number of orders in a claim.
const ORDERS: u32 = 8;

impl Aged {
    /// Makes a database with this number of processed deliveries.
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

    /// Times callbacks, one after the other over one connection.
    pub async fn callbacks(&self) -> Outcome<Vec<Duration>> {
        let callbacks = process::callbacks(TURN, load::FITTING);
        let plan = Plan::closed(1, Duration::ZERO);
        let report = load::run(self.service.callbacks, &callbacks, &plan, pending()).await?;
        match report.refused {
            0 => Ok(report.answers.iter().map(|answer| answer.took).collect()),
            _ => Err("callbacks were refused".into()),
        }
    }

    /// Times `GET /status`, one after the other over one connection.
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

/// Times claims of eight orders, on a store without the program around it.
pub async fn claims(store: &Store) -> Outcome<Vec<Duration>> {
    let mut took = Vec::with_capacity(TURN);
    for _ in 0..TURN {
        let request = ClaimRequest {
            project: Id::new(PROJECT).ok_or("not a project's id")?,
            orders_max: ORDERS,
            claim_order: ClaimOrder::Urgent,
            isolated: [].into(),
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
