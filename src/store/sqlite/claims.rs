//! Claims of orders that are due for a fetch: their order, and their leases.
//!
//! A claim leases an order to one fetch slot and counts the attempt. The database computes an order's priority from
//! what is open about it (`priority`), so that no code that writes an order can forget to.

use std::collections::HashSet;

use sqlx::{Row, SqliteConnection};

use super::command::{WriteCommand, WriteContext};
use super::row_fault::{Unparkable, park_row};
use super::savepoint::refused;
use super::{Store, StoreError};
use crate::store::sql::due::DueOrder;
use crate::store::sql::json;
use crate::store::sql::row_fault::unwritable_order;
use crate::store::sql::unreadable;
use crate::store::{Claim, ClaimOrder, ClaimRequest, Claimed, UnreadableRow};
use number_order::{Id, OrderKey, Time};

/// Due orders without a valid lease, those that have waited longest first, as JSON for the reason given at
/// [`order_text`]. The index is named, since without statistics SQLite takes one with which it reads all due orders.
/// For `+ 0` see `PENDING` in `super::pending`.
macro_rules! due {
    ($index:literal, $further:literal) => {
        concat!(
            "(SELECT json_group_array(json_array(id, sinch_id, attempts)) FROM (SELECT o.id, o.sinch_id, o.attempts \
             FROM projects AS p CROSS JOIN orders AS o INDEXED BY ",
            $index,
            " ON o.project = p.id WHERE p.sinch_id = ?2 AND o.fetch_at <= ?1 \
             AND (o.leased_until_at IS NULL OR o.leased_until_at <= ?1) \
             AND o.sinch_id NOT IN (SELECT value FROM json_each(?4))",
            $further,
            " ORDER BY o.fetch_at LIMIT ?3 + 0))"
        )
    };
}

/// Orders with a priority above zero: two lists, the higher priority first.
// The condition `priority > 0` lets SQLite recognise that the index applies.
pub(super) const DUE_BY_PRIORITY: &str = concat!(
    "SELECT ",
    due!("orders_priority", " AND o.priority = 2 AND o.priority > 0"),
    ", ",
    due!("orders_priority", " AND o.priority = 1 AND o.priority > 0"),
);

/// All due orders, those that have waited longest first.
pub(super) const DUE_OLDEST: &str = concat!("SELECT ", due!("orders_due", ""));

/// Isolated orders that are due. They are few, so each is looked up by its id.
const DUE_ISOLATED: &str = "
    SELECT json_group_array(json_array(id, sinch_id, attempts)) FROM (SELECT o.id, o.sinch_id, o.attempts
        FROM projects AS p CROSS JOIN json_each(?4) AS v
        CROSS JOIN orders AS o ON o.project = p.id AND o.sinch_id = v.value
        WHERE p.sinch_id = ?2 AND o.fetch_at <= ?1 AND (o.leased_until_at IS NULL OR o.leased_until_at <= ?1)
        ORDER BY o.fetch_at LIMIT ?3 + 0)";

/// Number of orders at the beginning of each list of due ones from which a random claim picks.
const RANDOM_AMONG: u32 = 500;

const LEASE_ORDERS: &str = "
    UPDATE orders SET lease = ?, leased_until_at = ?, attempts = min(attempts + 1, 4294967295)
    WHERE id IN (SELECT value FROM json_each(?))";

/// Leases due orders of a project, in the requested order.
async fn lease_due_orders(
    db: &mut SqliteConnection,
    request: &ClaimRequest,
    unparkable: &mut Unparkable,
) -> sqlx::Result<Leased> {
    let orders_max = request.orders_max as usize;
    let mut finder = Finder {
        db: &mut *db,
        request,
        unparkable,
        unreadable: Vec::new(),
    };
    let mut due = match request.claim_order {
        ClaimOrder::Urgent => finder
            .find(DUE_BY_PRIORITY, request.orders_max)
            .await?
            .concat(),
        ClaimOrder::Oldest => Vec::new(),
        ClaimOrder::Chance => finder.find_by_chance().await?,
        ClaimOrder::Isolated => finder
            .find(DUE_ISOLATED, request.orders_max)
            .await?
            .concat(),
    };
    if due.len() < orders_max && request.claim_order != ClaimOrder::Isolated {
        let found: HashSet<i64> = due.iter().map(|due| due.id).collect();
        let oldest = finder.find(DUE_OLDEST, request.orders_max).await?.concat();
        due.extend(oldest.into_iter().filter(|due| !found.contains(&due.id)));
    }
    let unreadable = finder.unreadable;
    for row in &unreadable {
        park_row(db, row.row, &row.to_string(), unparkable).await?;
    }
    // The order and this random number together identify the lease's holder.
    let lease = fastrand::i64(1..);
    let claims = due.into_iter().take(orders_max).map(|due| Claim {
        order_id: due.id,
        lease,
        key: OrderKey {
            project: request.project.clone(),
            order: due.sinch_id,
        },
        attempts: due.attempts.saturating_add(1),
    });
    let until = request.now.plus(request.lease);
    let claims = lease_or_park(db, claims.collect(), until, unparkable).await?;
    Ok(Leased { claims, unreadable })
}

/// Leases the given orders, and returns those that could be leased. An order whose row cannot be written is parked.
async fn lease_or_park(
    db: &mut SqliteConnection,
    claims: Vec<Claim>,
    until: Time,
    unparkable: &mut Unparkable,
) -> sqlx::Result<Vec<Claim>> {
    if refused(lease_orders(db, &claims, until).await)?.is_ok() {
        return Ok(claims);
    }
    let mut taken = Vec::with_capacity(claims.len());
    for claim in claims {
        match refused(lease_orders(db, std::slice::from_ref(&claim), until).await)? {
            Ok(()) => taken.push(claim),
            Err(reason) => {
                let row = claim.order_id;
                let reason = unwritable_order(row, &reason);
                park_row(db, row, &reason, unparkable).await?;
            }
        }
    }
    Ok(taken)
}

/// Orders that a claim has leased, and orders that it found unreadable.
pub(super) struct Leased {
    pub claims: Vec<Claim>,
    /// Due orders that cannot be read, and have just been parked.
    pub unreadable: Vec<UnreadableRow>,
}

/// Leases the given orders; one that could not be leased is left out.
async fn lease_orders(
    db: &mut SqliteConnection,
    claims: &[Claim],
    until: Time,
) -> sqlx::Result<()> {
    let Some(claim) = claims.first() else {
        return Ok(());
    };
    let ids: Vec<i64> = claims.iter().map(|claim| claim.order_id).collect();
    let leased = sqlx::query(LEASE_ORDERS).bind(claim.lease).bind(until.0);
    leased.bind(json(&ids)).execute(db).await?;
    Ok(())
}

/// Finds due orders that can be read.
struct Finder<'a> {
    db: &'a mut SqliteConnection,
    request: &'a ClaimRequest,
    unparkable: &'a Unparkable,
    unreadable: Vec<UnreadableRow>,
}

impl Finder<'_> {
    /// Reads the lists of due orders that a query returns.
    async fn find(
        &mut self,
        sql: &'static str,
        orders_max: u32,
    ) -> sqlx::Result<Vec<Vec<DueOrder>>> {
        let isolated: Vec<&str> = self.request.isolated.iter().map(Id::as_str).collect();
        // Orders that could not be parked may have the highest priority, and must not take the place of others.
        let limit = orders_max as usize + self.unparkable.len();
        let found = sqlx::query(sql)
            .bind(self.request.now.0)
            .bind(self.request.project.as_str())
            .bind(limit as i64)
            .bind(json(&isolated))
            .fetch_one(&mut *self.db)
            .await?;
        let mut lists = Vec::with_capacity(found.len());
        for list in 0..found.len() {
            let mut read = unreadable::many::<DueOrder>(&found, list)?;
            read.rows.retain(|due| !self.unparkable.contains(&due.id));
            lists.push(read.rows);
            read.unreadable
                .retain(|row| !self.unparkable.contains(&row.row));
            self.unreadable.extend(read.unreadable);
        }
        Ok(lists)
    }

    /// Picks one list at random, and returns its due orders in random order: of a thousand orders that Sinch does not
    /// know and the one that a callback has just named, each kind has its chance.
    async fn find_by_chance(&mut self) -> sqlx::Result<Vec<DueOrder>> {
        let among = self.request.orders_max.max(RANDOM_AMONG);
        let mut lists = self.find(DUE_BY_PRIORITY, among).await?;
        lists.extend(self.find(DUE_OLDEST, among).await?);
        lists.retain(|list| !list.is_empty());
        let mut picked = fastrand::choice(lists).unwrap_or_default();
        fastrand::shuffle(&mut picked);
        Ok(picked)
    }
}

/// Releases an order that its holder has not fetched; the attempt does not count.
struct ReleaseOrder(Claim);

impl WriteCommand for ReleaseOrder {
    type Reply = ();

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<()> {
        let ReleaseOrder(claim) = self;
        let sql = "UPDATE orders SET lease = NULL, leased_until_at = NULL, attempts = max(attempts - 1, 0) \
                   WHERE id = ? AND lease = ?";
        let released = sqlx::query(sql).bind(claim.order_id).bind(claim.lease);
        released.execute(&mut context.db).await?;
        Ok(())
    }
}

impl WriteCommand for ClaimRequest {
    type Reply = Leased;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<Leased> {
        lease_due_orders(&mut context.db, self, &mut context.unparkable).await
    }
}

impl Store {
    pub(in crate::store) async fn claim(
        &self,
        request: ClaimRequest,
    ) -> Result<Claimed, StoreError> {
        let (project, rate) = (request.project.clone(), request.rate);
        let allowed = match self
            .rates
            .take(&project, rate, request.orders_max, request.now)
        {
            Ok(allowed) => allowed,
            Err(not_before) => return Ok(Claimed::NotBefore(not_before)),
        };
        let leased = self
            .write(ClaimRequest {
                orders_max: allowed,
                ..request
            })
            .await;
        let fetches = leased.as_ref().map_or(0, |leased| leased.claims.len());
        self.rates.release(&project, rate, allowed - fetches as u32);
        let Leased { claims, unreadable } = leased?;
        self.met.note(&unreadable);
        Ok(Claimed::Leased { claims, allowed })
    }

    pub(in crate::store) async fn release(&self, claim: Claim) -> Result<(), StoreError> {
        self.write(ReleaseOrder(claim)).await
    }
}
