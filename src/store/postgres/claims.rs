//! Claims of orders that are due for a fetch. Replicas take turns at the project's row, which has the rate and the circuit
//! that they share. Orders that another transaction has are passed over, so an order never has two holders.

use std::sync::LazyLock;
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::error::Fault;
use super::fetches::park_row;
use super::lane::bounded;
use super::rate::{self, Turn};
use super::{Store, circuit};
use crate::store::sql::due::DueOrder;
use crate::store::sql::unreadable::{JsonRow, UnreadableRow};
use crate::store::{Claim, ClaimOrder, ClaimRequest, Claimed, StoreError};
use number_order::{Id, OrderKey, Time};

/// Condition on `orders AS o` that an order of the project is due and not leased.
const DUE: &str = "o.project = $1 AND o.fetch_at <= $2 AND (o.leased_until_at IS NULL OR o.leased_until_at <= $2)";

/// Condition that an order is not isolated.
const NOT_ISOLATED: &str = "NOT (o.sinch_id = ANY ($6))";

/// Number of orders at the beginning of each list of due ones from which a random claim picks.
const RANDOM_AMONG: u32 = 500;

/// Makes a claim from the text that selects and locks `due`. The orders that it finds are leased, and their fetches counted
/// against the project's rate: `$3` is how many may be leased, `$7` from when the rate counts, `$8` its interval. The
/// last parameter is true if the circuit is not closed: then the lease is the probe's, too.
fn claim(due: &str) -> String {
    format!(
        "WITH due AS ({due}), \
         leased AS (UPDATE orders AS o SET lease = $4, leased_until_at = $5, attempts = least(o.attempts + 1, 4294967295) \
             FROM due WHERE o.id = due.id RETURNING o.id, o.sinch_id, o.attempts, due.place), \
         spent AS (UPDATE projects SET next_fetch_at = $7 + (SELECT count(*) FROM leased) * $8, \
             probe_lease = CASE WHEN $9 THEN $4 END, probe_until_at = CASE WHEN $9 THEN $5 END \
             WHERE id = $1 AND EXISTS (SELECT 1 FROM leased)) \
         SELECT id, sinch_id, attempts FROM leased ORDER BY place"
    )
}

/// Orders by priority, the highest first; within one, those that have waited longest. Each priority is a list of its own
/// with a limit, or the database would walk through all that is due.
static BY_PRIORITY: LazyLock<String> = LazyLock::new(|| {
    claim(&format!(
        "SELECT d.id, row_number() OVER () AS place FROM (VALUES (1, 2), (2, 1), (3, 0)) AS l (place, priority), LATERAL ( \
             SELECT o.id FROM orders AS o WHERE {DUE} AND o.priority = l.priority AND o.fetch_at IS NOT NULL AND {NOT_ISOLATED} \
             ORDER BY o.fetch_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED) AS d LIMIT $3"
    ))
});

/// Orders that have waited longest.
static OLDEST: LazyLock<String> = LazyLock::new(|| {
    claim(&format!(
        "SELECT d.id, row_number() OVER () AS place FROM (SELECT o.id FROM orders AS o WHERE {DUE} AND {NOT_ISOLATED} \
         ORDER BY o.fetch_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED) AS d"
    ))
});

/// Isolated orders. They are few, so each is looked up by its id.
static ISOLATED: LazyLock<String> = LazyLock::new(|| {
    claim(&format!(
        "SELECT d.id, row_number() OVER () AS place FROM (SELECT o.id FROM orders AS o WHERE {DUE} AND o.sinch_id = ANY ($6) \
         ORDER BY o.fetch_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED) AS d"
    ))
});

/// Orders by chance: one of the lists (by priority, and by age) is picked at random, and of its beginning some orders: of
/// a thousand orders that Sinch does not know and the one that a callback has just named, each kind has its chance. The
/// places left over go to the orders that have waited longest.
static BY_CHANCE: LazyLock<String> = LazyLock::new(|| {
    let list = |place: u8, further: &str| {
        format!(
            "(SELECT {place} AS list, o.id, o.fetch_at FROM orders AS o WHERE {DUE} AND {NOT_ISOLATED}{further} \
             ORDER BY o.fetch_at LIMIT {RANDOM_AMONG})"
        )
    };
    let lists = [
        list(1, " AND o.priority = 2 AND o.fetch_at IS NOT NULL"),
        list(2, " AND o.priority = 1 AND o.fetch_at IS NOT NULL"),
        list(3, ""),
    ];
    let lists = lists.join(" UNION ALL ");
    claim(&format!(
        "SELECT d.id, row_number() OVER () AS place FROM ( \
             WITH lists AS MATERIALIZED ({lists}), \
             picked AS MATERIALIZED (SELECT list FROM (SELECT DISTINCT list FROM lists) AS l ORDER BY random() LIMIT 1), \
             drawn AS MATERIALIZED (SELECT id, fetch_at, bool_or(list = (SELECT list FROM picked)) AS is_picked, random() AS turn \
                 FROM lists GROUP BY id, fetch_at) \
             SELECT o.id FROM drawn JOIN orders AS o ON o.id = drawn.id WHERE {DUE} \
             ORDER BY drawn.is_picked DESC, CASE WHEN drawn.is_picked THEN drawn.turn END, drawn.fetch_at \
             LIMIT $3 FOR NO KEY UPDATE OF o SKIP LOCKED) AS d"
    ))
});

/// Time after which a claimer that did not know of a change of the circuit has looked again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What a claim may lease, as the rate and the circuit say.
enum Grant {
    /// Nothing before the given time.
    NotBefore(Time),
    /// Some orders, at most this number; the rate counts from the given time.
    Some { orders: u32, from: Time },
}

/// Judges a claim while the project's row is locked.
///
/// While the circuit is not closed, one fetch at a time may find out if it can be, whichever replica sends it. A claimer
/// that does not know that the circuit has changed has to look again.
fn grant(turn: &Turn, request: &ClaimRequest, known_pause: Option<Time>) -> Grant {
    if turn.paused_until_at != known_pause {
        return Grant::NotBefore(turn.now.plus(LOOK_AGAIN));
    }
    let probing = turn.paused_until_at.is_some();
    if let (true, Some(until)) = (probing, turn.probe_until_at)
        && until > turn.now
    {
        return Grant::NotBefore(until);
    }
    let wanted = if probing {
        request.orders_max.min(1)
    } else {
        request.orders_max
    };
    match turn.take(request.rate, wanted) {
        Ok(_) => {
            let (orders, from) = turn.allowed(request.rate, wanted);
            Grant::Some { orders, from }
        }
        Err(not_before) => Grant::NotBefore(not_before),
    }
}

impl Store {
    pub(in crate::store) async fn claim(
        &self,
        request: ClaimRequest,
    ) -> Result<Claimed, StoreError> {
        bounded(|| self.try_claim(&request)).await
    }

    async fn try_claim(&self, request: &ClaimRequest) -> Result<Claimed, Fault> {
        let clock = self.shared.clock;
        let mut work = self.shared.fetches.begin().await?;
        let turn = rate::lock(&mut work, &request.project, clock.told(request.now)).await?;
        let Some(turn) = turn else {
            work.undo().await?;
            return Ok(Claimed::NotBefore(request.now.plus(request.lease)));
        };
        let known_pause = request.known_pause.map(|until| clock.database(until));
        let (orders, from) = match grant(&turn, request, known_pause) {
            Grant::Some { orders, from } => (orders, from),
            Grant::NotBefore(until) => {
                work.undo().await?;
                return Ok(Claimed::NotBefore(clock.program(until)));
            }
        };
        // The order and this random number together identify the lease's holder.
        let lease = fastrand::i64(1..);
        let rows = lease_orders(&mut work, request, &turn, lease, (orders, from)).await?;
        let mut claims = Vec::with_capacity(rows.len());
        for row in &rows {
            match claim_of_row(row, request, lease)? {
                Ok(claim) => claims.push(claim),
                Err(fault) => {
                    park_row(&mut work, fault.row, &fault.to_string()).await?;
                    self.shared.met.note(&[fault]);
                }
            }
        }
        if rows.is_empty() {
            work.undo().await?;
        } else {
            work.commit().await?;
        }
        let allowed = orders;
        Ok(Claimed::Leased { claims, allowed })
    }

    pub(in crate::store) async fn release(&self, claim: Claim) -> Result<(), StoreError> {
        bounded(async || {
            let mut work = self.shared.fetches.begin().await?;
            sqlx::query(RELEASE)
                .bind(claim.order_id)
                .bind(claim.lease)
                .execute(&mut *work)
                .await?;
            circuit::end_probes(&mut work, &[claim.lease]).await?;
            work.commit().await
        })
        .await
    }
}

const RELEASE: &str = "
    UPDATE orders SET lease = NULL, leased_until_at = NULL, attempts = greatest(attempts - 1, 0)
    WHERE id = $1 AND lease = $2";

async fn lease_orders(
    db: &mut PgConnection,
    request: &ClaimRequest,
    turn: &Turn,
    lease: i64,
    (orders, from): (u32, Time),
) -> Result<Vec<PgRow>, Fault> {
    let sql: &'static str = match request.claim_order {
        ClaimOrder::Urgent => &BY_PRIORITY,
        ClaimOrder::Oldest => &OLDEST,
        ClaimOrder::Chance => &BY_CHANCE,
        ClaimOrder::Isolated => &ISOLATED,
    };
    let isolated: Vec<&str> = request.isolated.iter().map(Id::as_str).collect();
    let rows = sqlx::query(sql)
        .bind(turn.project)
        .bind(turn.now.0)
        .bind(i64::from(orders))
        .bind(lease)
        .bind(turn.now.plus(request.lease).0)
        .bind(isolated)
        .bind(from.0)
        .bind(request.rate.interval.as_micros() as i64)
        .bind(turn.paused_until_at.is_some())
        .fetch_all(db)
        .await?;
    Ok(rows)
}

/// Returns the claim of a leased order; the inner error is its row, if that cannot be read.
fn claim_of_row(
    row: &PgRow,
    request: &ClaimRequest,
    lease: i64,
) -> sqlx::Result<Result<Claim, UnreadableRow>> {
    let order_id: i64 = row.try_get("id")?;
    let sinch_id: String = row.try_get("sinch_id")?;
    let attempts: i64 = row.try_get("attempts")?;
    Ok(match Id::new(sinch_id.as_str()) {
        Some(order) => Ok(Claim {
            order_id,
            lease,
            key: OrderKey {
                project: request.project.clone(),
                order,
            },
            attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        }),
        None => Err(UnreadableRow {
            table: DueOrder::TABLE,
            row: order_id,
            project: Some(request.project.to_string()),
            order: Some(sinch_id),
            reason: "sinch_id: an id that this program never writes".to_owned(),
        }),
    })
}
