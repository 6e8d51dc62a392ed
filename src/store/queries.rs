//! What operators ask of single orders and deliveries. Read-only, beside the writer, each answer from one moment:
//! nothing here can delay a callback or news.

use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::rows::{StoredOrder, order_text, time};
use super::unreadable::{self, Read, UnreadableRow};
use super::{Store, StoreError};
use crate::order::{Hint, Id, OrderKey, State, Time};

/// Which orders to list.
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
    /// Only those after this row: the last page's end.
    pub after: i64,
    /// How many at most.
    pub limit: u32,
}

/// Where an order stands.
#[derive(Clone, Debug, Serialize)]
pub struct OrderRow {
    /// Its place in the listing.
    pub row: i64,
    /// Sinch's project.
    pub project: String,
    /// Sinch's order id.
    pub order: String,
    /// The best answer to "where is it?"; `null`: no state was ever said.
    pub state: Option<&'static str>,
    /// Whether that is Sinch's own answer, with nothing open. Never while it is parked.
    pub settled: bool,
    /// The state that Sinch last showed.
    pub confirmed: Option<&'static str>,
    /// Its `updateTime`.
    pub updated_at: Option<Time>,
    /// Its `expireTime`.
    pub expires_at: Option<Time>,
    /// When it was first shown to us.
    pub confirmed_at: Option<Time>,
    /// Whether Sinch took it out of a final state.
    pub reopened: bool,
    /// The state that only events claim.
    pub provisional: Option<&'static str>,
    /// What events claim and no answer has settled; `UNKNOWN` stands for words that we do not know.
    pub hints: Vec<&'static str>,
    /// What events claimed, and an answer has overruled that may have been too stale to know; as `hints`.
    pub doubts: Vec<&'static str>,
    /// When Sinch was last asked.
    pub asked_at: Option<Time>,
    /// When Sinch is to be asked next; `null`: at rest.
    pub ask_at: Option<Time>,
    /// Tries in a row without an answer.
    pub attempts: u32,
    /// Why nobody asks any more.
    pub parked: Option<String>,
    /// When it was first heard of.
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
            asked_at: order.asked_at,
            ask_at: order.ask_at,
            attempts: order.attempts,
            parked: order.parked,
            first_seen_at: order.first_seen_at,
        }
    }
}

/// An order with all that is recorded of it, oldest first.
#[derive(Clone, Debug, Serialize)]
pub struct OrderHistory {
    /// Where it stands.
    #[serde(flatten)]
    pub order: OrderRow,
    /// What callbacks said of it, with the verdicts.
    pub deliveries: Vec<DeliveryRow>,
    /// What came of asking Sinch.
    pub answers: Vec<AnswerRow>,
    /// Every change of its state.
    pub transitions: Vec<TransitionRow>,
    /// What of it cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<UnreadableRow>,
}

/// A page of rows.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    /// Those that can be read.
    pub items: Vec<T>,
    /// Those that cannot.
    pub unreadable: Vec<UnreadableRow>,
    /// After which row the next page begins; `None`: this was the last one.
    pub last: Option<i64>,
}

/// What an id alone leads to.
#[derive(Clone, Debug)]
pub enum Found {
    /// Nobody knows such an order.
    Nothing,
    /// One order.
    One(Box<OrderHistory>),
    /// An order in each of several projects.
    Several,
}

/// What one callback said of an order, and what was decided.
#[derive(Clone, Debug, Serialize)]
pub struct DeliveryRow {
    /// Its row.
    pub id: i64,
    /// Sinch's event id, or what stands for it.
    pub event: String,
    /// The claimed state, verbatim.
    pub status: String,
    /// When Sinch said it, by Sinch's clock.
    pub said_at: Option<Time>,
    /// When it was received.
    pub received_at: Time,
    /// `waiting`, `settled` or `parked`.
    pub phase: String,
    /// What was decided and why; `null`: nobody has looked yet.
    pub verdict: Option<String>,
    /// How often it came again.
    pub repeats: i64,
}

/// What came of one question to Sinch.
#[derive(Clone, Debug, Serialize)]
pub struct AnswerRow {
    /// When the question was sent.
    pub asked_at: Time,
    /// The state in the answer, verbatim.
    pub state: Option<String>,
    /// Its `updateTime`.
    pub updated_at: Option<Time>,
    /// What it meant.
    pub finding: String,
}

/// A change of an order's state.
#[derive(Clone, Debug, Serialize)]
pub struct TransitionRow {
    /// When we recorded it.
    pub at: Time,
    /// The state before.
    pub from_state: Option<String>,
    /// The state after.
    pub to_state: String,
    /// Whether Sinch has shown it, or only an event claims it.
    pub confirmed: bool,
    /// By Sinch's clock.
    pub said_at: Time,
    /// Why.
    pub cause: String,
}

/// A delivery that an operator must look at.
#[derive(Clone, Debug, Serialize)]
pub struct ParkedRow {
    /// Its row.
    pub id: i64,
    /// Sinch's project.
    pub project: String,
    /// Sinch's event id, or what stands for it.
    pub event: String,
    /// When it was received.
    pub received_at: Time,
    /// The order, if it is about one.
    pub order_name: Option<String>,
    /// Why it is parked.
    pub reason: String,
    /// How often it came again.
    pub repeats: i64,
}

/// The raw body of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Its bytes.
    Kept(Vec<u8>),
    /// It was kept for as long as it was to be.
    Gone,
}

/// A page of orders. What is settled has an index by what it is not (`orders_unsettled`, `orders_parked`), so a list
/// of what is not settled begins there.
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

/// Those that were looked at, and those that wait, which nobody has put to their order yet.
const DELIVERIES: &str = "
    SELECT id, event, status, said_at, received_at, phase, verdict, repeats
    FROM deliveries WHERE order_id = ?1
    UNION ALL
    SELECT d.id, d.event, d.status, d.said_at, d.received_at, d.phase, d.verdict, d.repeats
    FROM deliveries AS d JOIN projects AS p ON p.id = d.project
    WHERE d.id > (SELECT looked_to FROM service) AND d.phase = 'waiting' AND p.name = ?2
        AND d.order_name = ?3
    ORDER BY id DESC LIMIT ?4";

const ANSWERS: &str = "
    SELECT id, asked_at, state, updated_at, finding FROM answers
    WHERE order_id = ? ORDER BY id DESC LIMIT ?";

const TRANSITIONS: &str = "
    SELECT id, at, from_state, to_state, confirmed, said_at, cause FROM transitions
    WHERE order_id = ? ORDER BY id DESC LIMIT ?";

const PARKED: &str = "
    SELECT d.id, p.name AS project, d.event, d.received_at, d.order_name, d.verdict, d.repeats
    FROM deliveries AS d JOIN projects AS p ON p.id = d.project
    WHERE d.phase = 'parked' AND d.id > ? ORDER BY d.id LIMIT ?";

/// The most rows of each kind in an order's history; the newest are shown.
const HISTORY_MAX: u32 = 1000;

impl Store {
    /// Lists orders, oldest first.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
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

    /// Whether Sinch has ever shown an order of this project, of those that are still kept.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn any_confirmed(&self, project: &Id) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM projects AS p JOIN orders AS o ON o.project = p.id \
                   WHERE p.name = ? AND o.confirmed_state IS NOT NULL)";
        let found = sqlx::query(sql)
            .bind(project.as_str())
            .fetch_one(&mut *self.readers.moment().await?)
            .await?;
        Ok(found.try_get(0)?)
    }

    /// The order with this id, whichever project it belongs to.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn find(&self, order: &Id) -> Result<Found, StoreError> {
        let mut db = self.readers.moment().await?;
        let mut known = self.by_name(&mut db, order).await?;
        match (known.pop(), known.is_empty()) {
            (None, _) => Ok(Found::Nothing),
            (Some(only), true) => Ok(Found::One(self.recorded(&mut db, only).await?.into())),
            (Some(_), false) => Ok(Found::Several),
        }
    }

    /// An order with its history; `None`: nobody knows it.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn history(&self, key: &OrderKey) -> Result<Option<OrderHistory>, StoreError> {
        let mut db = self.readers.moment().await?;
        let known = self.by_name(&mut db, &key.order).await?;
        match known.into_iter().find(|stored| stored.key == *key) {
            Some(stored) => Ok(Some(self.recorded(&mut db, stored).await?)),
            None => Ok(None),
        }
    }

    /// Deliveries that an operator must look at, oldest first.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
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

    /// The raw body of a delivery; `None`: there is no such delivery.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn body(&self, delivery: i64) -> Result<Option<Body>, StoreError> {
        let sql = "SELECT body, digest IS NOT NULL AS is_gone FROM deliveries WHERE id = ?";
        let found = sqlx::query(sql)
            .bind(delivery)
            .fetch_optional(&mut *self.readers.moment().await?)
            .await?;
        let Some(row) = found else { return Ok(None) };
        Ok(Some(match row.try_get("is_gone")? {
            true => Body::Gone,
            false => Body::Kept(row.try_get("body")?),
        }))
    }

    /// The orders with this id: one for each project at most.
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
            // Not as if nobody knew it.
            (true, Some(row)) => Err(StoreError::Unread(row.to_string())),
            _ => Ok(found.rows),
        }
    }

    /// All that is recorded of an order, as of the moment at which it was read.
    async fn recorded(
        &self,
        db: &mut SqliteConnection,
        order: StoredOrder,
    ) -> Result<OrderHistory, StoreError> {
        let deliveries = sqlx::query(DELIVERIES)
            .bind(order.id)
            .bind(order.key.project.as_str())
            .bind(order.key.order.as_str())
            .bind(HISTORY_MAX)
            .fetch_all(&mut *db)
            .await?;
        let [answers, transitions] =
            [ANSWERS, TRANSITIONS].map(|sql| sqlx::query(sql).bind(order.id).bind(HISTORY_MAX));
        let answers = answers.fetch_all(&mut *db).await?;
        let transitions = transitions.fetch_all(&mut *db).await?;
        let deliveries = each(&deliveries, DELIVERIES_TABLE, delivery)?;
        let answers = each(&answers, "answers", answer)?;
        let transitions = each(&transitions, "transitions", transition)?;
        let unreadable = [
            deliveries.unreadable,
            answers.unreadable,
            transitions.unreadable,
        ]
        .concat();
        self.met.note(&unreadable);
        Ok(OrderHistory {
            order: order.into(),
            deliveries: oldest_first(deliveries.rows),
            answers: oldest_first(answers.rows),
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

/// Where the next page begins; `None`: this was the last one.
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
        verdict: row.try_get("verdict")?,
        repeats: row.try_get("repeats")?,
    })
}

fn answer(row: &SqliteRow) -> sqlx::Result<AnswerRow> {
    Ok(AnswerRow {
        asked_at: Time(row.try_get("asked_at")?),
        state: row.try_get("state")?,
        updated_at: time(row, "updated_at")?,
        finding: row.try_get("finding")?,
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
        reason: row.try_get("verdict")?,
        repeats: row.try_get("repeats")?,
    })
}
