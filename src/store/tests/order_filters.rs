//! Filters of a listing of orders.

use super::*;
use crate::store::sql::cursor::List;

/// Six orders that Sinch has shown, except for the last, in as many ways of being settled or not.
async fn orders_of_all_kinds(on: Backend) -> Fixture {
    let fixture = Fixture::on(on).await;
    for order in ["settled", "told", "parked", "told-and-parked", "tied"] {
        let pending = delivery(order, order, State::InReview, 10);
        fixture.accept(pending).await;
    }
    fixture.process(20).await;
    for claim in fixture.claim(40).await {
        fixture.record(&claim, shows(State::InReview, 15), 40).await;
    }
    for order in ["told", "told-and-parked"] {
        let pending = delivery(&format!("{order}-again"), order, State::Blocked, 50);
        fixture.accept(pending).await;
    }
    fixture.process(50).await;
    let request = WatchRequest {
        project: id(PROJECT),
        orders: vec![id("never-shown")],
        now: at(60),
    };
    assert_eq!(fixture.store.watch(request).await, Ok(1));
    for sql in [
        "UPDATE orders SET parked = 'row-at-fault', parked_fields = '{\"fault\":\"x\"}', fetch_at = NULL WHERE sinch_id LIKE '%parked'",
        "UPDATE orders SET tie_state = 'BLOCKED', tie_since_at = 1 WHERE sinch_id = 'tied'",
    ] {
        fixture.edit(sql).await;
    }
    fixture
}

/// Names of the orders in a list.
fn names<'a>(rows: impl IntoIterator<Item = &'a OrderRow>) -> Vec<&'a str> {
    rows.into_iter().map(|row| row.order.as_str()).collect()
}

async fn a_list_of_what_is_settled_or_not_agrees_with_what_each_order_shows(on: Backend) {
    let fixture = orders_of_all_kinds(on).await;
    let list = async |filter: OrderFilter| {
        let filter = OrderFilter { limit: 9, ..filter };
        fixture.store.orders(&filter).await.expect("reads").items
    };
    let all = list(OrderFilter::default()).await;
    assert_eq!(all.len(), 6);
    assert_eq!(names(all.iter().filter(|row| row.settled)), ["settled"]);
    for settled in [true, false] {
        for state in [None, Some("IN_REVIEW"), Some("BLOCKED"), Some("UNKNOWN")] {
            for parked in [None, Some(false), Some(true)] {
                for before in [0, 3] {
                    let filter = OrderFilter {
                        state: state.map(str::to_owned),
                        parked,
                        settled: Some(settled),
                        after: (before > 0).then(|| List::Orders.cursor(before)),
                        ..OrderFilter::default()
                    };
                    let fits = |row: &&OrderRow| {
                        row.settled == settled
                            && state.is_none_or(|state| row.state.unwrap_or("UNKNOWN") == state)
                            && parked.is_none_or(|parked| parked == row.parked.is_some())
                    };
                    let listed = list(filter.clone()).await;
                    let expected = all.iter().skip(before as usize).filter(fits);
                    assert_eq!(names(&listed), names(expected), "{filter:?}");
                }
            }
        }
    }
}

async fn orders_are_listed_by_state_and_page(on: Backend) {
    let fixture = Fixture::on(on).await;
    for n in 0..5 {
        let state = if n % 2 == 0 {
            State::Blocked
        } else {
            State::Completed
        };
        fixture
            .accept(delivery(&format!("e{n}"), &format!("o{n}"), state, n))
            .await;
    }
    fixture.process(20).await;
    let mut filter = OrderFilter {
        state: Some("BLOCKED".to_owned()),
        limit: 2,
        ..OrderFilter::default()
    };
    let page = fixture.store.orders(&filter).await.expect("reads");
    let named = |page: &Listing<OrderRow>| -> Vec<String> {
        page.items.iter().map(|row| row.order.clone()).collect()
    };
    assert_eq!(named(&page), ["o0", "o2"]);
    filter.after = page.next;
    let page = fixture.store.orders(&filter).await.expect("reads");
    assert_eq!((named(&page), page.next), (vec!["o4".to_owned()], None));
    let summary = fixture.store.summary(at(20)).await.expect("reads");
    let counts: Vec<(&str, i64)> = summary
        .orders_by_state
        .iter()
        .map(|c| (c.state.as_str(), c.orders))
        .collect();
    assert_eq!(counts, [("BLOCKED", 3), ("COMPLETED", 2)]);
    assert_eq!(summary.orders_due, 5);
    assert_eq!(summary.unsettled(), 5);
    assert_eq!(summary.oldest_unsettled_at, Some(at(0)));
}

suite!(
    a_list_of_what_is_settled_or_not_agrees_with_what_each_order_shows,
    orders_are_listed_by_state_and_page,
);
