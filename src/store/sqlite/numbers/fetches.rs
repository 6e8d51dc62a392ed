//! Fetches of numbers: which number is due next, and what its fetch changes.

use sqlx::Row;

use super::{number_text, write};
use crate::store::apply;
use crate::store::changes::StoredNumber;
use crate::store::sql::due::DueNumber as Due;
use crate::store::sql::numbers::{at_fault, unwritable};
use crate::store::sql::time;
use crate::store::sql::unreadable::{self, JsonRow, Read};
use crate::store::sqlite::command::{WriteCommand, WriteContext};
use crate::store::sqlite::script::Script;
use crate::store::sqlite::{Store, StoreError, details, outbox};
use crate::store::{DueNumber, NextNumber, NumberFetchResult, NumberRecorded, Rate, UnreadableRow};
use number_order::{Id, Time};

/// Selects the numbers of a project that have been due for the longest time, the end of its pause if its circuit is
/// open, and whether any of its orders is due. For `+ 0` see `PENDING` in `super::super::pending`.
const SELECT_DUE: &str = "
    SELECT p.paused_until_at,
        EXISTS (SELECT 1 FROM orders AS o WHERE o.project = p.id AND o.fetch_at <= ?2) AS orders_wait,
        (SELECT json_group_array(json_array(id, phone_number)) FROM (SELECT n.id, n.phone_number
            FROM order_numbers AS n INDEXED BY order_numbers_due
            WHERE n.project = p.id AND n.fetch_at <= ?2 ORDER BY n.fetch_at LIMIT ?3 + 0)) AS due
    FROM projects AS p WHERE p.sinch_id = ?1";

/// Number of due numbers that are read beside those known to be at fault: if the first cannot be read, one of the others
/// is fetched.
const READ_MAX: usize = 4;

/// Selects a followed number by the id of its row and by its telephone number.
const SELECT_FOLLOWED: &str = concat!(
    "SELECT ",
    number_text!(),
    " FROM order_numbers AS n CROSS JOIN orders AS o ON o.id = n.order_id \
     CROSS JOIN projects AS p ON p.id = n.project WHERE n.id = ? AND n.phone_number = ? AND n.followed_at IS NOT NULL"
);

impl WriteCommand for NumberFetchResult {
    type Reply = Result<NumberRecorded, UnreadableRow>;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<Self::Reply> {
        let db = &mut context.db;
        let found = sqlx::query(SELECT_FOLLOWED)
            .bind(self.number.id)
            .bind(&self.number.phone_number)
            .fetch_all(&mut *db)
            .await?;
        let Read {
            mut rows,
            mut unreadable,
        } = unreadable::each::<StoredNumber>(&found)?;
        let Some(stored) = rows.pop() else {
            return Ok(unreadable.pop().map_or(Ok(NumberRecorded::Gone), Err));
        };
        let ordered = match details::require(db, stored.order_id).await? {
            Ok(details) => details.ordered_links(),
            Err(fault) => return Ok(Err(at_fault(&stored, fault))),
        };
        let (after, change, event) = apply::record_number(stored, &ordered, self);
        if let Err(fault) = write(db, std::slice::from_ref(&after)).await? {
            return Ok(Err(at_fault(&after, unwritable(&fault))));
        }
        let outbox = &mut context.outbox;
        let left = outbox::add(db, outbox, Script::default(), event.as_slice()).await?;
        left.execute(db).await?;
        Ok(Ok(NumberRecorded::Done(change.into())))
    }
}

impl Store {
    pub(in crate::store) async fn due_number(
        &self,
        project: &Id,
        rate: Rate,
        now: Time,
    ) -> Result<NextNumber, StoreError> {
        // Rows that are at fault stay due, and must not take the place of others.
        let at_fault = self.met.ids(StoredNumber::TABLE);
        let found = sqlx::query(SELECT_DUE)
            .bind(project.as_str())
            .bind(now.0)
            .bind((at_fault.len() + READ_MAX) as i64)
            .fetch_optional(&mut *self.readers.begin().await?)
            .await?;
        let Some(row) = found else {
            return Ok(NextNumber::None);
        };
        let due = unreadable::many::<Due>(&row, 2)?;
        self.met.note(&due.unreadable);
        let mut due = due.rows.into_iter();
        let Some(due) = due.find(|due| !at_fault.contains(&due.id)) else {
            return Ok(NextNumber::None);
        };
        if let Some(until) = time(&row, "paused_until_at")?.filter(|until| *until > now) {
            return Ok(NextNumber::NotBefore(until));
        }
        if let Err(not_before) = self.rates.take(project, rate, 1, now) {
            return Ok(NextNumber::NotBefore(not_before));
        }
        Ok(NextNumber::One {
            number: DueNumber {
                id: due.id,
                phone_number: due.phone_number,
            },
            orders_wait: row.try_get("orders_wait")?,
        })
    }

    pub(in crate::store) async fn record_number(
        &self,
        result: NumberFetchResult,
    ) -> Result<NumberRecorded, StoreError> {
        let recorded = self.write(result).await?;
        Ok(recorded.unwrap_or_else(|row| {
            self.met.note(std::slice::from_ref(&row));
            NumberRecorded::RowAtFault
        }))
    }
}
