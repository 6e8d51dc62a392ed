//! What is left of projects, as rows count it, and what is said of it.

use super::Columns;
use crate::store::{Holdings, Unwatched};
use number_order::counted;

/// Reads the counts of what there is of a project.
pub(in crate::store) fn holdings_of_row(row: &impl Columns) -> sqlx::Result<Holdings> {
    let count =
        |column| -> sqlx::Result<u64> { Ok(row.int(column)?.try_into().unwrap_or_default()) };
    Ok(Holdings {
        orders: count("orders")?,
        deliveries: count("deliveries")?,
        quarantined: count("quarantined")?,
        placements: count("placements")?,
    })
}

/// Returns why an order may not be removed as one that was named by mistake; `None`: it may.
pub(in crate::store) fn kept_on_unwatch(row: &impl Columns) -> sqlx::Result<Option<Unwatched>> {
    Ok(if row.flag("is_shown")? {
        Some(Unwatched::Shown)
    } else if row.flag("is_named")? {
        Some(Unwatched::Named)
    } else {
        None
    })
}

/// Returns the warning about orders of a project that are not fetched. The project is not configured (`None`), or
/// configured, and fetched or not.
pub(in crate::store) fn not_fetched_warning(
    project: &str,
    is_fetched: Option<bool>,
    orders: i64,
    waiting: i64,
) -> Option<String> {
    match is_fetched {
        None if orders > 0 => Some(format!(
            "the database has {} of {project}, which is not configured: they are not fetched; configure the \
             project again, or run sinch-callbacks drop-project {project}",
            orders_in_words(orders)
        )),
        Some(false) if waiting > 0 => Some(format!(
            "the database has {} of {project} that wait for a fetch, but api = \"off\": none is sent \
             about them",
            orders_in_words(waiting)
        )),
        None | Some(_) => None,
    }
}

fn orders_in_words(orders: i64) -> String {
    counted(orders.max(0).cast_unsigned(), "order", "orders")
}
