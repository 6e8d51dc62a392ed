//! What is taken out again: an order that was named by mistake, and all that is left of a project that is no longer
//! configured.

use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::retain;
use super::{Settings, Store, StoreError};
use crate::order::{Id, OrderKey};

/// The most deliveries that a step removes, and the most orders: an order brings its answers and transitions along.
const DELIVERIES_MAX: u32 = 256;
const ORDERS_MAX: u32 = 16;

/// What became of a wish to forget an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgot {
    /// It is gone, with what came of asking about it.
    Gone,
    /// Nobody knows it.
    Unknown,
    /// It stays: Sinch has shown it.
    Shown,
    /// It stays: a callback has named it.
    Named,
}

/// What there is of a project, or what a step has removed of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Holdings {
    /// Orders.
    pub orders: u64,
    /// Deliveries, whatever they are about.
    pub deliveries: u64,
}

const ORDER: &str = "
    SELECT o.id, o.confirmed_state IS NOT NULL AS is_shown,
        o.heard_at IS NOT NULL OR o.hints <> '[]' OR o.provisional_state IS NOT NULL
            OR EXISTS (SELECT 1 FROM deliveries WHERE order_id = o.id)
            OR EXISTS (SELECT 1 FROM deliveries
                WHERE id > (SELECT looked_to FROM service) AND project = o.project AND order_name = o.name)
            AS is_named
    FROM projects AS p JOIN orders AS o ON o.project = p.id WHERE p.name = ? AND o.name = ?";

/// Takes an order out again that only an operator ever named. An answer that is under way finds no order, and is
/// written nowhere.
pub(super) async fn forget(db: &mut SqliteConnection, key: &OrderKey) -> sqlx::Result<Forgot> {
    let found = sqlx::query(ORDER)
        .bind(key.project.as_str())
        .bind(key.order.as_str())
        .fetch_optional(&mut *db)
        .await?;
    let Some(row) = found else {
        return Ok(Forgot::Unknown);
    };
    if row.try_get("is_shown")? {
        return Ok(Forgot::Shown);
    }
    if row.try_get("is_named")? {
        return Ok(Forgot::Named);
    }
    retain::remove(db, &[row.try_get("id")?]).await?;
    Ok(Forgot::Gone)
}

// The index is named, since it is what keeps a step small.
const SOME_DELIVERIES: &str = "
    DELETE FROM deliveries WHERE id IN (
        SELECT d.id FROM projects AS p
        CROSS JOIN deliveries AS d INDEXED BY deliveries_event ON d.project = p.id
        WHERE p.name = ? LIMIT ?)";

const SOME_ORDERS: &str = "
    SELECT o.id FROM projects AS p CROSS JOIN orders AS o ON o.project = p.id WHERE p.name = ? LIMIT ?";

/// A project of which nothing is left.
const EMPTY_PROJECT: &str = "
    DELETE FROM projects WHERE name = ?
        AND NOT EXISTS (SELECT 1 FROM orders WHERE project = projects.id)
        AND NOT EXISTS (SELECT 1 FROM deliveries INDEXED BY deliveries_event WHERE project = projects.id)";

/// Removes some of what is left of a project: deliveries first, since they refer to orders; with the last of all
/// goes the project itself.
pub(super) async fn drop_some(db: &mut SqliteConnection, project: &Id) -> sqlx::Result<Holdings> {
    let mut removed = Holdings::default();
    let deliveries = sqlx::query(SOME_DELIVERIES)
        .bind(project.as_str())
        .bind(DELIVERIES_MAX);
    removed.deliveries = deliveries.execute(&mut *db).await?.rows_affected();
    if removed.deliveries == 0 {
        let orders = sqlx::query(SOME_ORDERS)
            .bind(project.as_str())
            .bind(ORDERS_MAX);
        let orders = orders.fetch_all(&mut *db).await?;
        let orders: Vec<i64> = orders.iter().map(|row| row.get(0)).collect();
        removed.orders = retain::remove(db, &orders).await?;
    }
    sqlx::query(EMPTY_PROJECT)
        .bind(project.as_str())
        .execute(db)
        .await?;
    Ok(removed)
}

const HOLDINGS: &str = "
    SELECT (SELECT count(*) FROM orders WHERE project = p.id) AS orders,
        (SELECT count(*) FROM deliveries INDEXED BY deliveries_event WHERE project = p.id) AS deliveries
    FROM projects AS p WHERE p.name = ?";

const KNOWS: &str = "SELECT EXISTS (SELECT 1 FROM projects WHERE name = ?)";

impl Store {
    /// Whether the database knows a project: it is configured, or something may be left of it.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn knows(&self, project: &Id) -> Result<bool, StoreError> {
        let found = sqlx::query(KNOWS)
            .bind(project.as_str())
            .fetch_one(&mut *self.readers.moment().await?)
            .await?;
        Ok(found.try_get(0)?)
    }

    /// What there is of a project; `None`: the database does not know it.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn holdings(&self, project: &Id) -> Result<Option<Holdings>, StoreError> {
        let found = sqlx::query(HOLDINGS)
            .bind(project.as_str())
            .fetch_optional(&mut *self.readers.moment().await?)
            .await?;
        Ok(found.as_ref().map(holdings).transpose()?)
    }
}

fn holdings(row: &SqliteRow) -> sqlx::Result<Holdings> {
    let (orders, deliveries): (i64, i64) = (row.try_get("orders")?, row.try_get("deliveries")?);
    Ok(Holdings {
        orders: orders.try_into().unwrap_or(0),
        deliveries: deliveries.try_into().unwrap_or(0),
    })
}

const PROJECTS: &str = "
    SELECT name, (SELECT count(*) FROM orders WHERE project = projects.id) AS orders,
        (SELECT count(*) FROM orders WHERE project = projects.id AND ask_at IS NOT NULL) AS waiting
    FROM projects ORDER BY name";

/// What is to be said of orders that nobody asks about, a sentence for each project.
pub(super) async fn unasked(
    db: &mut SqliteConnection,
    settings: &Settings,
) -> sqlx::Result<Vec<String>> {
    let mut sentences = Vec::new();
    for row in sqlx::query(PROJECTS).fetch_all(db).await? {
        let name: &str = row.try_get("name")?;
        let known = settings.projects.iter().find(|(id, _)| id.as_str() == name);
        let (orders, waiting): (i64, i64) = (row.try_get("orders")?, row.try_get("waiting")?);
        match known {
            None if orders > 0 => sentences.push(format!(
                "the database has {} of {name}, which is not configured: nobody asks about them; configure the \
                 project again, or run sinch-callbacks drop-project {name}",
                counted(orders)
            )),
            Some((_, None)) if waiting > 0 => sentences.push(format!(
                "the database has {} of {name} that wait for an answer of Sinch, but api = \"off\": nobody asks \
                 about them",
                counted(waiting)
            )),
            None | Some(_) => {}
        }
    }
    Ok(sentences)
}

fn counted(orders: i64) -> String {
    if orders == 1 {
        return "1 order".to_owned();
    }
    format!("{orders} orders")
}
