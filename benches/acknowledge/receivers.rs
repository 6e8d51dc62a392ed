//! Receivers to compare the service with: one that does less, and the design of a first attempt.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use number_order::{Id, Status};
use secrecy::SecretString;
use sinch_callbacks::sinch::callback::{self, Content};
use sinch_numbers::signature;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use testkit::instant_api::serve;
use testkit::{Outcome, PATH, PROJECT, SECRET, now};

/// Upper bound: reads the body and answers 200.
pub async fn no_op(listen: SocketAddr) -> Outcome<()> {
    let receive = |_: Bytes| async { StatusCode::OK };
    Ok(serve(listen, Router::new().route(PATH, post(receive))).await?)
}

/// Receiver as durable as the service, without its queue of writes: each request has its own transaction.
pub async fn one_transaction(listen: SocketAddr, database: &Path) -> Outcome<()> {
    let options = SqliteConnectOptions::new()
        .filename(database)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(30));
    let pool = SqlitePoolOptions::new()
        .max_connections(5)
        .connect_with(options)
        .await?;
    sqlx::raw_sql(TABLE).execute(&pool).await?;
    let project = Id::new(PROJECT).ok_or("not a project's id")?;
    let context = Arc::new(Context {
        pool,
        project,
        secrets: [SecretString::from(SECRET)],
    });
    let router = Router::new().route(PATH, post(receive).with_state(context));
    Ok(serve(listen, router).await?)
}

/// Table like that of the service's deliveries, without the columns for their processing.
const TABLE: &str = "
    CREATE TABLE deliveries (
        id             INTEGER PRIMARY KEY,
        dedup_key      TEXT    NOT NULL UNIQUE,
        received_at    INTEGER NOT NULL,
        order_sinch_id TEXT,
        status         TEXT,
        said_at        INTEGER,
        body           BLOB    NOT NULL
    ) STRICT;
    CREATE INDEX deliveries_order ON deliveries (order_sinch_id, id);";

const INSERT: &str = "
    INSERT INTO deliveries (dedup_key, received_at, order_sinch_id, status, said_at, body)
    VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";

struct Context {
    pool: SqlitePool,
    project: Id,
    secrets: [SecretString; 1],
}

async fn receive(
    State(context): State<Arc<Context>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let signature = headers.get(signature::HEADER);
    if !signature.is_some_and(|shown| signature::verify(&context.secrets, &body, shown.as_bytes()))
    {
        return StatusCode::UNAUTHORIZED;
    }
    match insert(&context, &body).await {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn insert(context: &Context, body: &[u8]) -> sqlx::Result<()> {
    let callback = callback::read(body, &context.project);
    let (order, status, said_at) = match &callback.content {
        Content::Order {
            order,
            status,
            said_at,
            unreadable_timestamp: _,
        } => (Some(order.as_str()), Some(word(status)), *said_at),
        Content::Other { .. } | Content::NotUnderstood(_) => (None, None, None),
    };
    let mut transaction = context.pool.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query(INSERT)
        .bind(&callback.event_id)
        .bind(now().0)
        .bind(order)
        .bind(status)
        .bind(said_at.map(|at| at.0))
        .bind(body)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

fn word(status: &Status) -> &str {
    match status {
        Status::Known(state) => state.as_str(),
        Status::Unknown(word) => word,
    }
}

/// Lower bound: measures how long the disk itself takes to keep 4 KiB more. Returns the times, sorted.
pub fn fsyncs(folder: &Path, window: Duration) -> Outcome<Vec<Duration>> {
    let path = folder.join("fsync");
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    let (page, began) = ([0x5a; 4096], Instant::now());
    let mut times = Vec::new();
    while began.elapsed() < window {
        let one = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        times.push(one.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}
