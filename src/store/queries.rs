//! Queries of operators about single orders and deliveries. They are read-only and run beside the writer, each answer
//! from one moment: nothing here can delay a callback or its processing.

use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::rows::{StoredOrder, order_text, time};
use super::unreadable::{self, Read, UnreadableRow};
use super::{Store, StoreError};
use crate::order::{Hint, Id, OrderKey, State, Time};

/// Filter of a listing of orders.
#[derive(Clone, Debug, Default)]
pub struct OrderFilter {
    /// Only those in this state (provisional before confirmed; `UNKNOWN`: none said).
    pub state: Option<String>,
    /// Only those of this project.
    pub project: Option<Id>,
    /// Only those that are parked.
    pub parked: bool,
    /// Only those that are settled, or only those that are not.
    pub settled: Option<bool>,
    /// Only those after this row, which is the end of the last page.
    pub after: i64,
    /// Maximum number of orders.
    pub limit: u32,
}

/// Current state of an order, with all that is known of it.
#[derive(Clone, Debug, Serialize)]
pub struct OrderRow {
    /// Place of the order in the listing.
    pub row: i64,
    /// Sinch's project id.
    pub project: String,
    /// Sinch's order id.
    pub order: String,
    /// Best known state, provisional before confirmed; `null` if no state was ever said.
    pub state: Option<&'static str>,
    /// `true` if that is Sinch's own answer, with nothing open. Never `true` while the order is parked.
    pub settled: bool,
    /// The state that Sinch last showed.
    pub confirmed: Option<&'static str>,
    /// Sinch's `updateTime` of the order.
    pub updated_at: Option<Time>,
    /// Sinch's `expireTime` of the order.
    pub expires_at: Option<Time>,
    /// Time at which that state was first shown to us.
    pub confirmed_at: Option<Time>,
    /// `true` if Sinch took the order out of a final state.
    pub reopened: bool,
    /// The state that only events claim.
    pub provisional: Option<&'static str>,
    /// States that events claim and no answer has confirmed or overruled; `UNKNOWN` stands for words that this program
    /// does not know.
    pub hints: Vec<&'static str>,
    /// States that events claimed and an answer has overruled that may have been too stale to know; words as in
    /// `hints`.
    pub doubts: Vec<&'static str>,
    /// Time of the last fetch.
    pub fetched_at: Option<Time>,
    /// Time of the next fetch; `null` if the order is at rest.
    pub fetch_at: Option<Time>,
    /// Attempts in a row without an answer.
    pub attempts: u32,
    /// Reason why the order is parked and not fetched any more.
    pub parked: Option<String>,
    /// Time at which the order was first heard of.
    pub first_seen_at: Time,
}

impl From<StoredOrder> for OrderRow {
    fn from(stored: StoredOrder) -> OrderRow {
        let order = stored.order;
        let state = order.state();
        let confirmed = order.confirmed.as_ref();
        let claimed = |claim: &Hint| claim.state.map_or("UNKNOWN", State::as_str);
        OrderRow {
            row: stored.id,
            project: stored.key.project.to_string(),
            order: stored.key.order.to_string(),
            state: state.map(State::as_str),
            settled: confirmed.is_some()
                && order.hints.is_empty()
                && order.tie.is_none()
                && order.parked.is_none(),
            confirmed: confirmed.map(|c| c.state.as_str()),
            // Zero: EXPIRED was concluded, and no answer ever dated anything.
            updated_at: confirmed.map(|c| c.updated_at).filter(|at| *at != Time(0)),
            expires_at: confirmed.and_then(|c| c.expires_at),
            confirmed_at: confirmed.map(|c| c.confirmed_at),
            reopened: confirmed.is_some_and(|c| c.reopened),
            provisional: order.provisional.as_ref().map(|p| p.state.as_str()),
            hints: order.hints.iter().map(claimed).collect(),
            doubts: order.doubts.iter().map(claimed).collect(),
            fetched_at: order.fetched_at,
            fetch_at: order.fetch_at,
            attempts: order.attempts,
            parked: order.parked,
            first_seen_at: order.first_seen_at,
        }
    }
}

/// An order with all that is recorded of it, oldest first.
#[derive(Clone, Debug, Serialize)]
pub struct OrderDetail {
    /// Current state of the order.
    #[serde(flatten)]
    pub order: OrderRow,
    /// Claims of callbacks about it, with the decisions.
    pub deliveries: Vec<DeliveryRow>,
    /// Fetches of the order, with their outcomes.
    pub fetches: Vec<FetchRow>,
    /// Every change of its state.
    pub transitions: Vec<TransitionRow>,
    /// Rows about it that cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<UnreadableRow>,
}

/// A page of rows.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    /// Rows that can be read.
    pub items: Vec<T>,
    /// Rows that cannot be read.
    pub unreadable: Vec<UnreadableRow>,
    /// Row after which the next page begins; `None` if this was the last one.
    pub last: Option<i64>,
}

/// Result of looking an order up by its id alone.
#[derive(Clone, Debug)]
pub enum Found {
    /// No such order is known.
    Nothing,
    /// Exactly one order.
    One(Box<OrderDetail>),
    /// An order in each of several projects.
    Several,
}

/// Claim of one callback about an order, and the decision.
#[derive(Clone, Debug, Serialize)]
pub struct DeliveryRow {
    /// Row of the delivery.
    pub id: i64,
    /// Sinch's event id, or the key that stands for it.
    pub event: String,
    /// The claimed state, verbatim.
    pub status: String,
    /// Time at which Sinch said it, by Sinch's clock.
    pub said_at: Option<Time>,
    /// Time of receipt.
    pub received_at: Time,
    /// `waiting`, `processed` or `parked`.
    pub phase: String,
    /// Decision and its reason; `null` if the delivery is not processed yet.
    pub decision: Option<String>,
    /// Number of times that the delivery came again.
    pub duplicates: i64,
}

/// Result of one fetch.
#[derive(Clone, Debug, Serialize)]
pub struct FetchRow {
    /// Time at which the fetch was sent.
    pub fetched_at: Time,
    /// The state in the answer, verbatim.
    pub state: Option<String>,
    /// Sinch's `updateTime` in the answer.
    pub updated_at: Option<Time>,
    /// Meaning of the answer.
    pub outcome: String,
}

/// A change of an order's state.
#[derive(Clone, Debug, Serialize)]
pub struct TransitionRow {
    /// Time at which this program recorded it.
    pub at: Time,
    /// The state before.
    pub from_state: Option<String>,
    /// The state after.
    pub to_state: String,
    /// `true` if Sinch has shown the change; `false` if only an event claims it.
    pub confirmed: bool,
    /// Time of the change, by Sinch's clock.
    pub said_at: Time,
    /// Cause of the change.
    pub cause: String,
}

/// A delivery that an operator must look at.
#[derive(Clone, Debug, Serialize)]
pub struct ParkedRow {
    /// Row of the delivery.
    pub id: i64,
    /// Sinch's project id.
    pub project: String,
    /// Sinch's event id, or the key that stands for it.
    pub event: String,
    /// Time of receipt.
    pub received_at: Time,
    /// The order, if it is about one.
    pub order_name: Option<String>,
    /// Reason why it is parked.
    pub reason: String,
    /// Number of times that the delivery came again.
    pub duplicates: i64,
}

/// The raw body of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Raw bytes, as received.
    Kept(Vec<u8>),
    /// The body was emptied after its retention period.
    Gone,
}

/// Selects a page of orders. Settled orders have an index only by what they are not (`orders_unsettled`,
/// `orders_parked`), so a list of orders that are not settled begins there.
macro_rules! list {
    ($from:literal, $further:literal) => {
        concat!(
            "SELECT ",
            order_text!(),
            " FROM ",
            $from,
            " JOIN projects AS p ON p.id = o.project \
             WHERE o.id > ?1 AND (?2 IS NULL OR p.name = ?2) AND (?3 OR o.parked IS NOT NULL) ",
            $further,
            " ORDER BY o.id LIMIT ?4"
        )
    };
}

const LIST: &str = list!("orders AS o", "");

const LIST_IN_STATE: &str = list!("orders AS o", "AND o.state = ?5");

const LIST_SETTLED: &str = list!(
    "orders AS o",
    "AND (?5 IS NULL OR o.state = ?5) AND o.unsettled_at IS NULL AND o.parked IS NULL"
);

pub(super) const LIST_UNSETTLED: &str = list!(
    "(SELECT id FROM orders INDEXED BY orders_unsettled WHERE unsettled_at IS NOT NULL AND parked IS NULL \
      UNION ALL SELECT id FROM orders INDEXED BY orders_parked WHERE parked IS NOT NULL) AS open \
     CROSS JOIN orders AS o ON o.id = open.id",
    "AND (?5 IS NULL OR o.state = ?5)"
);

const BY_NAME: &str = concat!(
    "SELECT ",
    order_text!(),
    " FROM projects AS p JOIN orders AS o ON o.project = p.id AND o.name = ?"
);

/// Processed deliveries of an order, and waiting ones, which have no `order_id` yet.
const DELIVERIES: &str = "
    SELECT id, event, status, said_at, received_at, phase, decision, duplicates
    FROM deliveries WHERE order_id = ?1
    UNION ALL
    SELECT d.id, d.event, d.status, d.said_at, d.received_at, d.phase, d.decision, d.duplicates
    FROM deliveries AS d JOIN projects AS p ON p.id = d.project
    WHERE d.id > (SELECT processed_through FROM service) AND d.phase = 'waiting' AND p.name = ?2
        AND d.order_name = ?3
    ORDER BY id DESC LIMIT ?4";

const ANSWERS: &str = "
    SELECT id, fetched_at, state, updated_at, outcome FROM fetches
    WHERE order_id = ? ORDER BY id DESC LIMIT ?";

const TRANSITIONS: &str = "
    SELECT id, at, from_state, to_state, confirmed, said_at, cause FROM transitions
    WHERE order_id = ? ORDER BY id DESC LIMIT ?";

const PARKED: &str = "
    SELECT d.id, p.name AS project, d.event, d.received_at, d.order_name, d.decision, d.duplicates
    FROM deliveries AS d JOIN projects AS p ON p.id = d.project
    WHERE d.phase = 'parked' AND d.id > ? ORDER BY d.id LIMIT ?";

/// Maximum number of rows of each kind in an order's history; the newest are shown.
const HISTORY_MAX: u32 = 1000;

impl Store {
    /// Lists orders, oldest first.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn orders(&self, filter: &OrderFilter) -> Result<Listing<OrderRow>, StoreError> {
        let sql = match (filter.settled, &filter.state) {
            (None, None) => LIST,
            (None, Some(_)) => LIST_IN_STATE,
            (Some(true), _) => LIST_SETTLED,
            (Some(false), _) => LIST_UNSETTLED,
        };
        let found = sqlx::query(sql)
            .bind(filter.after)
            .bind(filter.project.as_ref().map(Id::as_str))
            .bind(!filter.parked)
            .bind(filter.limit)
            .bind(filter.state.as_deref())
            .fetch_all(&mut *self.readers.moment().await?)
            .await?;
        let found = unreadable::each::<StoredOrder>(&found)?;
        self.met.note(&found.unreadable);
        let items: Vec<OrderRow> = found.rows.into_iter().map(OrderRow::from).collect();
        let ids = items.iter().map(|order| order.row);
        let last = last(ids, &found.unreadable, filter.limit);
        Ok(Listing {
            items,
            unreadable: found.unreadable,
            last,
        })
    }

    /// Returns `true` if Sinch has ever shown an order of this project, among those that are still kept.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn any_confirmed(&self, project: &Id) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM projects AS p JOIN orders AS o ON o.project = p.id \
                   WHERE p.name = ? AND o.confirmed_state IS NOT NULL)";
        let found = sqlx::query(sql)
            .bind(project.as_str())
            .fetch_one(&mut *self.readers.moment().await?)
            .await?;
        Ok(found.try_get(0)?)
    }

    /// Finds the order with this id, in any project.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn find(&self, order: &Id) -> Result<Found, StoreError> {
        let mut db = self.readers.moment().await?;
        let mut known = self.by_name(&mut db, order).await?;
        match (known.pop(), known.is_empty()) {
            (None, _) => Ok(Found::Nothing),
            (Some(only), true) => Ok(Found::One(self.recorded(&mut db, only).await?.into())),
            (Some(_), false) => Ok(Found::Several),
        }
    }

    /// Returns an order with its history; `None` if the order is not known.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn history(&self, key: &OrderKey) -> Result<Option<OrderDetail>, StoreError> {
        let mut db = self.readers.moment().await?;
        let known = self.by_name(&mut db, &key.order).await?;
        match known.into_iter().find(|stored| stored.key == *key) {
            Some(stored) => Ok(Some(self.recorded(&mut db, stored).await?)),
            None => Ok(None),
        }
    }

    /// Lists deliveries that an operator must look at, oldest first.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn parked(&self, after: i64, limit: u32) -> Result<Listing<ParkedRow>, StoreError> {
        let found = sqlx::query(PARKED)
            .bind(after)
            .bind(limit)
            .fetch_all(&mut *self.readers.moment().await?)
            .await?;
        let found = each(&found, DELIVERIES_TABLE, parked)?;
        self.met.note(&found.unreadable);
        let ids = found.rows.iter().map(|parked| parked.id);
        let last = last(ids, &found.unreadable, limit);
        Ok(Listing {
            items: found.rows,
            unreadable: found.unreadable,
            last,
        })
    }

    /// Returns the raw body of a delivery; `None` if there is no such delivery.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn body(&self, delivery: i64) -> Result<Option<Body>, StoreError> {
        let sql = "SELECT body, digest IS NOT NULL AS is_gone FROM deliveries WHERE id = ?";
        let found = sqlx::query(sql)
            .bind(delivery)
            .fetch_optional(&mut *self.readers.moment().await?)
            .await?;
        let Some(row) = found else { return Ok(None) };
        Ok(Some(if row.try_get("is_gone")? {
            Body::Gone
        } else {
            Body::Kept(row.try_get("body")?)
        }))
    }

    /// Reads the orders with this id: one for each project at most.
    async fn by_name(
        &self,
        db: &mut SqliteConnection,
        order: &Id,
    ) -> Result<Vec<StoredOrder>, StoreError> {
        let found = sqlx::query(BY_NAME)
            .bind(order.as_str())
            .fetch_all(db)
            .await?;
        let found = unreadable::each::<StoredOrder>(&found)?;
        self.met.note(&found.unreadable);
        match (found.rows.is_empty(), found.unreadable.first()) {
            // The order is known but cannot be read, which differs from an unknown order.
            (true, Some(row)) => Err(StoreError::Unread(row.to_string())),
            _ => Ok(found.rows),
        }
    }

    /// Reads all that is recorded of an order, as of the moment at which the order was read.
    async fn recorded(
        &self,
        db: &mut SqliteConnection,
        order: StoredOrder,
    ) -> Result<OrderDetail, StoreError> {
        let deliveries = sqlx::query(DELIVERIES)
            .bind(order.id)
            .bind(order.key.project.as_str())
            .bind(order.key.order.as_str())
            .bind(HISTORY_MAX)
            .fetch_all(&mut *db)
            .await?;
        let [fetches, transitions] =
            [ANSWERS, TRANSITIONS].map(|sql| sqlx::query(sql).bind(order.id).bind(HISTORY_MAX));
        let fetches = fetches.fetch_all(&mut *db).await?;
        let transitions = transitions.fetch_all(&mut *db).await?;
        let deliveries = each(&deliveries, DELIVERIES_TABLE, delivery)?;
        let fetches = each(&fetches, "fetches", answer)?;
        let transitions = each(&transitions, "transitions", transition)?;
        let unreadable = [
            deliveries.unreadable,
            fetches.unreadable,
            transitions.unreadable,
        ]
        .concat();
        self.met.note(&unreadable);
        Ok(OrderDetail {
            order: order.into(),
            deliveries: oldest_first(deliveries.rows),
            fetches: oldest_first(fetches.rows),
            transitions: oldest_first(transitions.rows),
            unreadable,
        })
    }
}

const DELIVERIES_TABLE: &str = "deliveries";

fn oldest_first<T>(mut newest_first: Vec<T>) -> Vec<T> {
    newest_first.reverse();
    newest_first
}

/// Row after which the next page begins; `None` if this was the last one.
fn last(ids: impl Iterator<Item = i64>, unreadable: &[UnreadableRow], limit: u32) -> Option<i64> {
    let ids: Vec<i64> = ids.chain(unreadable.iter().map(|row| row.row)).collect();
    ids.iter()
        .copied()
        .max()
        .filter(|_| ids.len() == limit as usize)
}

/// Reads each of these rows that can be read.
fn each<T>(
    found: &[SqliteRow],
    table: &'static str,
    read: fn(&SqliteRow) -> sqlx::Result<T>,
) -> sqlx::Result<Read<T>> {
    let mut all = Read::default();
    for row in found {
        match read(row) {
            Ok(row) => all.rows.push(row),
            Err(error) => all.unreadable.push(UnreadableRow {
                table,
                row: row.try_get("id")?,
                project: None,
                order: None,
                reason: error.to_string(),
            }),
        }
    }
    Ok(all)
}

fn delivery(row: &SqliteRow) -> sqlx::Result<DeliveryRow> {
    Ok(DeliveryRow {
        id: row.try_get("id")?,
        event: row.try_get("event")?,
        status: row.try_get("status")?,
        said_at: time(row, "said_at")?,
        received_at: Time(row.try_get("received_at")?),
        phase: row.try_get("phase")?,
        decision: row.try_get("decision")?,
        duplicates: row.try_get("duplicates")?,
    })
}

fn answer(row: &SqliteRow) -> sqlx::Result<FetchRow> {
    Ok(FetchRow {
        fetched_at: Time(row.try_get("fetched_at")?),
        state: row.try_get("state")?,
        updated_at: time(row, "updated_at")?,
        outcome: row.try_get("outcome")?,
    })
}

fn transition(row: &SqliteRow) -> sqlx::Result<TransitionRow> {
    Ok(TransitionRow {
        at: Time(row.try_get("at")?),
        from_state: row.try_get("from_state")?,
        to_state: row.try_get("to_state")?,
        confirmed: row.try_get("confirmed")?,
        said_at: Time(row.try_get("said_at")?),
        cause: row.try_get("cause")?,
    })
}

fn parked(row: &SqliteRow) -> sqlx::Result<ParkedRow> {
    Ok(ParkedRow {
        id: row.try_get("id")?,
        project: row.try_get("project")?,
        event: row.try_get("event")?,
        received_at: Time(row.try_get("received_at")?),
        order_name: row.try_get("order_name")?,
        reason: row.try_get("decision")?,
        duplicates: row.try_get("duplicates")?,
    })
}
