//! Lists that are read page by page, while rows come and go between the pages.

use std::collections::BTreeSet;

use fastrand::Rng;

use super::*;
use crate::store::Cursor;

/// Orders that are known and orders that were removed, under names that grow.
struct Course {
    fixture: Fixture,
    chance: Rng,
    named: usize,
    known: BTreeSet<String>,
}

impl Course {
    async fn add(&mut self) {
        let order = format!("o{:04}", self.named);
        self.named += 1;
        let request = WatchRequest {
            project: id(PROJECT),
            orders: vec![id(&order)],
            now: at(10),
        };
        assert_eq!(self.fixture.store.watch(request).await, Ok(1));
        self.known.insert(order);
    }

    /// Removes an order, often the newest: its id would be the next one that is given out again.
    async fn remove(&mut self) {
        let known: Vec<&String> = self.known.iter().collect();
        let newest = known.last().copied();
        let any = self.chance.choice(known);
        let picked = if self.chance.bool() { newest } else { any };
        let Some(order) = picked.cloned() else {
            return;
        };
        let forgot = self.fixture.store.unwatch(key(&order)).await;
        assert_eq!(forgot, Ok(Unwatched::Gone));
        self.known.remove(&order);
    }

    /// Reads all pages of a list, while orders come and go; returns the names as they were listed.
    async fn read(&mut self, newest_first: bool) -> Vec<String> {
        let mut filter = OrderFilter {
            newest_first,
            limit: self.chance.u32(1..4),
            ..OrderFilter::default()
        };
        let mut listed = Vec::new();
        loop {
            let page = self.fixture.store.orders(&filter).await.expect("reads");
            listed.extend(page.items.into_iter().map(|row| row.order));
            if page.next.is_none() {
                return listed;
            }
            filter.after = page.next;
            // Fewer orders come than go, so that there is a last page.
            for _ in 0..self.chance.u8(..4) {
                if self.chance.u8(..5) < 2 {
                    self.add().await;
                } else {
                    self.remove().await;
                }
            }
        }
    }
}

async fn each_order_that_stays_is_listed_once_whatever_comes_and_goes(on: Backend) {
    let given = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let first: u64 = given.unwrap_or_else(|| fastrand::u64(..u64::MAX / 2));
    let courses = if given.is_some() { 1 } else { 40 };
    for seed in first..first + courses {
        // The test runner shows the seed where the test fails.
        println!("SEED={seed}");
        let mut course = Course {
            fixture: Fixture::on(on).await,
            chance: Rng::with_seed(seed),
            named: 0,
            known: BTreeSet::new(),
        };
        for newest_first in [false, true] {
            for _ in 0..12 {
                course.add().await;
            }
            let before = course.known.clone();
            let listed = course.read(newest_first).await;
            let mut sorted = listed.clone();
            sorted.sort();
            sorted.dedup();
            if newest_first {
                sorted.reverse();
            }
            assert_eq!(listed, sorted, "each once, in the list's order");
            let left_out = |order: &&String| !listed.contains(order);
            // Orders that come during the reading stand at the end of the list, or before its beginning.
            let expected = course
                .known
                .iter()
                .filter(|order| !newest_first || before.contains(*order));
            let missed: Vec<&String> = expected.filter(left_out).collect();
            assert_eq!(
                missed,
                Vec::<&String>::new(),
                "newest first: {newest_first}"
            );
        }
    }
}

async fn deliveries_are_listed_on_though_some_are_pruned_between_pages(on: Backend) {
    // The last row of the first page is pruned, with others before and after it.
    for (newest_first, pruned, expected) in [
        (false, "id IN (2, 3, 6)", [vec![1, 2], vec![4, 5], vec![7]]),
        (true, "id IN (3, 4, 5)", [vec![6, 5], vec![2, 1], vec![]]),
    ] {
        let fixture = Fixture::on(on).await;
        let accept = async |n: i64| {
            let event = format!("e{n}");
            fixture
                .accept(delivery(&event, "o1", State::InReview, n))
                .await;
        };
        for n in 1..=6 {
            accept(n).await;
        }
        let mut filter = DeliveryFilter {
            newest_first,
            limit: 2,
            ..DeliveryFilter::default()
        };
        let mut pages = Vec::new();
        for _ in 0..3 {
            let page = fixture.store.deliveries(&filter).await.expect("reads");
            pages.push(
                page.items
                    .iter()
                    .map(|row| row.delivery.id)
                    .collect::<Vec<_>>(),
            );
            filter.after = page.next.or(filter.after);
            if pages.len() == 1 {
                let prune = format!("DELETE FROM deliveries WHERE {pruned}");
                fixture.edit(&prune).await;
                accept(7).await;
            }
        }
        assert_eq!(pages, expected, "newest first: {newest_first}");
    }
}

async fn a_cursor_of_another_list_is_refused(on: Backend) {
    let fixture = Fixture::on(on).await;
    for n in 1..=3 {
        let event = format!("e{n}");
        fixture
            .accept(delivery(&event, &event, State::InReview, n))
            .await;
    }
    fixture.process(10).await;
    let mut deliveries = DeliveryFilter {
        limit: 1,
        ..DeliveryFilter::default()
    };
    let page = fixture.store.deliveries(&deliveries).await.expect("reads");
    let of_deliveries = page.next.expect("another page");
    for cursor in [of_deliveries, Cursor::from_caller("1")] {
        let orders = OrderFilter {
            after: Some(cursor),
            limit: 1,
            ..OrderFilter::default()
        };
        let refused = fixture.store.orders(&orders).await;
        assert_eq!(refused.err(), Some(StoreError::NoSuchCursor));
    }
    deliveries.after = Some(Cursor::from_caller("1"));
    let refused = fixture.store.deliveries(&deliveries).await;
    assert_eq!(refused.err(), Some(StoreError::NoSuchCursor));
}

suite!(
    each_order_that_stays_is_listed_once_whatever_comes_and_goes,
    deliveries_are_listed_on_though_some_are_pruned_between_pages,
    a_cursor_of_another_list_is_refused,
);
