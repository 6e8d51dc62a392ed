//! Processing of pending deliveries: order by order, in the transaction that records the decisions.
//!
//! Any number of replicas process at once. Heads of the queue are read without a lock; then orders are locked, or skipped
//! if another replica has them; then the deliveries are taken out of the queue. Only what this transaction itself took
//! out is applied, so nothing is applied twice, whatever two replicas have read.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::LazyLock;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use sqlx::{PgConnection, Row};

use super::changes::write_processed;
use super::error::Fault;
use super::lane::bounded;
use super::orders::{known_orders, lock_orders};
use super::pending::{self, Head};
use super::savepoint::{begin_savepoint, end_savepoint};
use super::{Store, numbers, placements};
use crate::redact::Throttle;
use crate::store::apply::{self, Waiting};
use crate::store::changes::StoredOrder;
use crate::store::outbox::OutboxTarget;
use crate::store::sql::codes::Code;
use crate::store::sql::row_fault::BatchMode;
use crate::store::{ProcessReport, ProcessRequest, Processed, StoreError, UnreadableRow};
use number_order::{DeliveryDecision, Id, Kept, OrderKey, Time};

/// Numbers of deliveries that one step takes at most. Callbacks do not wait for it, and the more it takes, the less each
/// costs.
pub(in crate::store) const BATCH_SIZES: RangeInclusive<u32> = 512..=1024;

/// Takes deliveries out of the queue. The transaction that takes them has locked their orders, so no other is in the way.
const TAKE: &str = "DELETE FROM pending WHERE id = ANY ($1) RETURNING id";

/// Takes deliveries out of the queue for which no order is locked, as far as no other transaction is taking them.
const TAKE_FREE: &str = "
    DELETE FROM pending WHERE id IN (SELECT id FROM pending WHERE id = ANY ($1) ORDER BY id FOR UPDATE SKIP LOCKED)
    RETURNING id";

const PARK: &str = "
    INSERT INTO decisions (delivery_id, order_id, decision, decision_fields, parked, processed_at)
    SELECT v.id, $2, $3, $4, true, $5 FROM unnest($1::bigint[]) AS v (id) ORDER BY v.id";

/// Minimum interval between two log lines with the same reason, if deliveries cannot even be parked.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Reasons for unparkable deliveries that the log has reported.
static LOGGED: LazyLock<Throttle<String>> = LazyLock::new(|| Throttle::new(LOG_INTERVAL));

/// An order that is locked, with what waits for it.
struct Due<'a> {
    stored: StoredOrder,
    heads: Vec<&'a Head>,
}

impl Store {
    pub(in crate::store) async fn process(
        &self,
        request: ProcessRequest,
    ) -> Result<ProcessReport, StoreError> {
        let request = ProcessRequest {
            now: self.shared.clock.database(request.now),
            ..request
        };
        let report = match self.process_by(&request, BatchMode::Together).await {
            Err(StoreError::Rejected(_)) => self.process_by(&request, BatchMode::OneByOne).await,
            done => done,
        }?;
        self.shared.met.note(&report.unreadable);
        if !report.processed.is_empty() || report.numbers_due > 0 {
            self.shared.due.notify_waiters();
            self.shared.told.notify_waiters();
        }
        Ok(report)
    }

    /// Processes the first deliveries that no other replica is processing.
    async fn process_by(
        &self,
        request: &ProcessRequest,
        mode: BatchMode,
    ) -> Result<ProcessReport, StoreError> {
        let after = &self.shared.pending_after;
        loop {
            let from = after.load(Relaxed);
            let (report, page) = bounded(|| self.process_page(request, mode, from)).await?;
            let is_last = page.heads < request.deliveries_max as usize;
            if is_last {
                after.store(0, Relaxed);
            } else if report.taken == 0 {
                after.store(page.last, Relaxed);
            }
            // What came before the last page was another replica's, and may be free by now; the next step looks.
            if report.taken > 0 || is_last {
                return Ok(ProcessReport {
                    arrived: self.shared.arrived.swap(0, Relaxed),
                    more_wait: !is_last,
                    ..report
                });
            }
        }
    }

    async fn process_page(
        &self,
        request: &ProcessRequest,
        mode: BatchMode,
        after: i64,
    ) -> Result<(ProcessReport, Page), Fault> {
        let mut work = self.shared.inbox.begin().await?;
        let heads = pending::read(&mut work, after, request.deliveries_max).await?;
        let page = Page {
            heads: heads.len(),
            last: heads.last().map_or(after, |head| head.id),
        };
        let mut report = ProcessReport::default();
        if heads.is_empty() {
            work.undo().await?;
        } else {
            process(
                &mut work,
                &self.shared.replica.targets,
                request,
                &heads,
                mode,
                &mut report,
            )
            .await?;
            work.commit().await?;
        }
        Ok((report, page))
    }
}

/// Deliveries that were read from the queue: their number, and the last one's id.
struct Page {
    heads: usize,
    last: i64,
}

/// Processes what can be processed of the given deliveries, and reports it.
async fn process(
    db: &mut PgConnection,
    targets: &[OutboxTarget],
    request: &ProcessRequest,
    heads: &[Head],
    mode: BatchMode,
    report: &mut ProcessReport,
) -> Result<(), Fault> {
    let mut by_order: BTreeMap<(i64, &str), Vec<&Head>> = BTreeMap::new();
    let (mut of_numbers, mut at_fault) = (Vec::new(), Vec::new());
    for head in heads {
        match (&head.order, &head.number) {
            (Some(order), _) if Id::new(order.as_str()).is_some() => {
                by_order
                    .entry((head.project, order))
                    .or_default()
                    .push(head);
            }
            (None, Some(_)) => of_numbers.push(head),
            (Some(_) | None, _) => at_fault.push(head),
        }
    }
    let ids = known_orders(db, &by_order).await?;
    let locked = lock_orders(db, &ids.keys().copied().collect::<Vec<_>>()).await?;
    let mut waiting: HashMap<i64, Vec<&Head>> = HashMap::new();
    for (id, order) in &ids {
        waiting.insert(*id, by_order.remove(order).unwrap_or_default());
    }
    for row in locked.unreadable {
        let heads = waiting.remove(&row.row).unwrap_or_default();
        let reason = Kept::OrderUnreadable {
            fault: row.to_string(),
        };
        park(db, request.now, &heads, Some(row.row), &reason, report).await?;
        report.unreadable.push(row);
    }
    let due = locked.rows.into_iter().map(|stored| Due {
        heads: waiting.remove(&stored.id).unwrap_or_default(),
        stored,
    });
    let due: Vec<Due> = due.collect();
    match mode {
        BatchMode::Together => process_orders(db, targets, request, due, report).await?,
        BatchMode::OneByOne => {
            for one in due {
                process_or_park(db, targets, request, one, report).await?;
            }
        }
    }
    for head in at_fault {
        let fault = format!(
            "row {} of deliveries cannot be read: an id that this program never writes",
            head.id
        );
        report.unreadable.push(unreadable_delivery(head));
        let reason = Kept::DeliveryUnreadable { fault };
        park(db, request.now, &[head], None, &reason, report).await?;
    }
    let taken = take(db, TAKE_FREE, &of_numbers).await?;
    report.taken += taken.len();
    let heard = numbers::note_events(db, &taken, request).await?;
    report.numbers_due = heard.due;
    report.unreadable.extend(heard.unreadable);
    Ok(())
}

fn unreadable_delivery(head: &Head) -> UnreadableRow {
    UnreadableRow {
        table: "deliveries",
        row: head.id,
        project: Some(head.project_sinch_id.clone()),
        order: head.order.clone(),
        reason: "order_sinch_id: an id that this program never writes".to_owned(),
    }
}

/// Processes locked orders together: all that waits for them and could be taken.
async fn process_orders(
    db: &mut PgConnection,
    targets: &[OutboxTarget],
    request: &ProcessRequest,
    due: Vec<Due<'_>>,
    report: &mut ProcessReport,
) -> Result<(), Fault> {
    let heads: Vec<&Head> = due
        .iter()
        .flat_map(|due| due.heads.iter().copied())
        .collect();
    let taken = take(db, TAKE, &heads).await?;
    if taken.is_empty() {
        return Ok(());
    }
    let refused = placements::link(db, &taken).await?;
    let is_taken: HashSet<i64> = taken.iter().map(|head| head.id).collect();
    let due = due.into_iter().map(|due| {
        let heads = due.heads.iter().filter(|head| is_taken.contains(&head.id));
        let waiting: Vec<Waiting> = heads.filter_map(|head| head.waiting()).collect();
        (due.stored, waiting)
    });
    let due = due.filter(|(_, waiting)| !waiting.is_empty());
    let (orders, waiting): (Vec<StoredOrder>, Vec<Vec<Waiting>>) = due.unzip();
    let orders = orders.into_iter().zip(waiting.iter().map(Vec::as_slice));
    let changes = apply::process(orders, request);
    write_processed(db, targets, &changes).await?;
    report.taken += taken.len();
    report.unreadable.extend(refused);
    let decisions = changes.decisions.into_iter();
    report
        .processed
        .extend(decisions.map(|decided| decided.processed));
    Ok(())
}

/// Processes one order. If the database refuses that, what waits for the order is parked; if it refuses even that, it
/// stays in the queue.
async fn process_or_park(
    db: &mut PgConnection,
    targets: &[OutboxTarget],
    request: &ProcessRequest,
    due: Due<'_>,
    report: &mut ProcessReport,
) -> Result<(), Fault> {
    let (id, heads) = (due.stored.id, due.heads.clone());
    let mut part = ProcessReport::default();
    begin_savepoint(db).await?;
    let done = process_orders(db, targets, request, vec![due], &mut part).await;
    let refused = end_savepoint(db, done).await?.err();
    if let Some(fault) = refused {
        part = ProcessReport::default();
        let reason = Kept::OrderUnwritable { fault };
        begin_savepoint(db).await?;
        let parked = park(db, request.now, &heads, Some(id), &reason, &mut part).await;
        if let Err(fault) = end_savepoint(db, parked).await? {
            part = ProcessReport::default();
            if let Some(left_out) = LOGGED.pass(fault.clone(), Instant::now()) {
                tracing::error!(
                    order = id,
                    fault,
                    left_out,
                    "deliveries could not be parked, and are left as they are"
                );
            }
        }
    }
    report.taken += part.taken;
    report.processed.extend(part.processed);
    report.unreadable.extend(part.unreadable);
    Ok(())
}

/// Takes deliveries out of the queue and parks them, with the order's row if it is known.
async fn park(
    db: &mut PgConnection,
    now: Time,
    heads: &[&Head],
    order_id: Option<i64>,
    reason: &Kept,
    report: &mut ProcessReport,
) -> Result<(), Fault> {
    let taken = take(db, TAKE_FREE, heads).await?;
    let code = Code::new(reason);
    sqlx::query(PARK)
        .bind(taken.iter().map(|head| head.id).collect::<Vec<_>>())
        .bind(order_id)
        .bind(code.code)
        .bind(code.fields)
        .bind(now.0)
        .execute(db)
        .await?;
    report.taken += taken.len();
    for head in taken {
        let order = head.order.as_deref().and_then(Id::new);
        let key = Id::new(head.project_sinch_id.as_str()).zip(order);
        report
            .processed
            .extend(key.map(|(project, order)| Processed {
                delivery: head.id,
                dedup_key: head.dedup_key.clone(),
                key: OrderKey { project, order },
                decision: DeliveryDecision::Kept(reason.clone()),
                parked: true,
                row_at_fault: true,
                age: now.since(Time(head.received_at)),
            }));
    }
    Ok(())
}

/// Takes deliveries out of the queue, and returns those that no other replica has taken.
async fn take<'a>(
    db: &mut PgConnection,
    sql: &'static str,
    heads: &[&'a Head],
) -> Result<Vec<&'a Head>, Fault> {
    if heads.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = heads.iter().map(|head| head.id).collect();
    let rows = sqlx::query(sql).bind(ids).fetch_all(db).await?;
    let taken: sqlx::Result<HashSet<i64>> = rows.iter().map(|row| row.try_get(0)).collect();
    let taken = taken?;
    let mut heads: Vec<&Head> = heads
        .iter()
        .copied()
        .filter(|head| taken.contains(&head.id))
        .collect();
    heads.sort_unstable_by_key(|head| head.id);
    Ok(heads)
}
