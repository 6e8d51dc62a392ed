//! The feed: a page has what was asked for, and says how far it looked.

use super::*;
use crate::store::tests::suite;

/// Adds events of one type, whose numbers are those from `from` to `to`.
async fn add(fixture: &Fixture, event_type: &str, provisional: bool, from: i64, to: i64) {
    let (yes, no) = (fixture.pick("1", "true"), fixture.pick("0", "false"));
    let provisional = if provisional { yes } else { no };
    let numbers = fixture.pick(
        "UPDATE sqlite_sequence SET seq = {to} WHERE name = 'events'",
        "UPDATE event_sequence SET last = {to}",
    );
    let numbers = numbers.replace("{to}", &to.to_string());
    let add = format!(
        "INSERT INTO events (sequence, id, type, recorded_at, provisional, test, body)
         WITH RECURSIVE r (n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM r WHERE n < {to})
         SELECT n, 'evt', '{event_type}', 5, {provisional}, {no}, '{{}}' FROM r; {numbers}"
    );
    fixture.edit(&add).await;
}

/// Numbers of the events on a page, and the one through which it looked.
async fn read(fixture: &Fixture, request: &FeedRequest) -> (Vec<i64>, i64) {
    match fixture.store.events(request).await.expect("reads") {
        EventPage::Events {
            events, through, ..
        } => (events.iter().map(|event| event.sequence).collect(), through),
        other => panic!("no events: {other:?}"),
    }
}

async fn a_page_has_the_chosen_types_and_looks_past_all_others(on: Backend) {
    let fixture = Fixture::telling(on, Vec::new()).await;
    add(&fixture, "order.created", false, 1, 400).await;
    add(&fixture, "number.failed", false, 401, 402).await;
    add(&fixture, "order.created", true, 403, 700).await;
    add(&fixture, "number.failed", true, 701, 702).await;
    add(&fixture, "order.completed", false, 703, 1000).await;
    let failed = FeedRequest {
        after: Some(0),
        types: vec![EventType::NumberFailed],
        limit: 10,
        ..FeedRequest::default()
    };
    assert_eq!(read(&fixture, &failed).await, (vec![401, 402], 1000));
    let provisional = FeedRequest {
        provisional: true,
        ..failed.clone()
    };
    let all = vec![401, 402, 701, 702];
    assert_eq!(read(&fixture, &provisional).await, (all, 1000));
    // A full page says nothing of what comes after it.
    let full = FeedRequest {
        limit: 2,
        ..provisional.clone()
    };
    assert_eq!(read(&fixture, &full).await, (vec![401, 402], 402));
    let next = FeedRequest {
        after: Some(402),
        ..full
    };
    assert_eq!(read(&fixture, &next).await, (vec![701, 702], 702));
    let none = FeedRequest {
        types: vec![EventType::AlertFired],
        ..failed.clone()
    };
    assert_eq!(read(&fixture, &none).await, (Vec::new(), 1000));
    // Several types come in the order of their numbers.
    let several = FeedRequest {
        after: Some(398),
        types: vec![EventType::NumberFailed, EventType::OrderCreated],
        limit: 3,
        ..provisional.clone()
    };
    assert_eq!(read(&fixture, &several).await, (vec![399, 400, 401], 401));
    // Without types: what is confirmed, and all.
    let confirmed = FeedRequest {
        after: Some(400),
        types: Vec::new(),
        limit: 3,
        ..failed
    };
    assert_eq!(read(&fixture, &confirmed).await, (vec![401, 402, 703], 703));
    let every = FeedRequest {
        provisional: true,
        ..confirmed
    };
    assert_eq!(read(&fixture, &every).await, (vec![401, 402, 403], 403));
}

async fn an_event_that_tries_a_target_is_looked_past(on: Backend) {
    let fixture = Fixture::telling(on, crm()).await;
    let test = TestEvent {
        target: "crm".to_owned(),
        event_type: EventType::OrderCreated,
        now: at(10),
    };
    assert_eq!(fixture.store.send_test(test).await, Ok(Some(1)));
    let created = FeedRequest {
        types: vec![EventType::OrderCreated],
        ..all_after(0)
    };
    for request in [created, all_after(0)] {
        assert_eq!(read(&fixture, &request).await, (Vec::new(), 1));
    }
}

async fn a_reader_of_another_feed_is_told_so(on: Backend) {
    let fixture = Fixture::telling(on, crm()).await;
    fixture.confirm("o1", State::Created, 10).await;
    let EventPage::Events { feed, .. } = fixture.store.events(&all_after(0)).await.expect("reads")
    else {
        panic!("events are there");
    };
    let of = |feed: &str| FeedRequest {
        feed: Some(feed.to_owned()),
        ..all_after(1)
    };
    assert_eq!(read(&fixture, &of(&feed)).await, (vec![2], 2));
    let other = fixture.store.events(&of("another")).await;
    assert_eq!(other, Ok(EventPage::Other { newest: 2 }));
    // A restart is no restore.
    let Fixture { place, store, run } = fixture;
    drop(store);
    run.await.expect("no panic").expect("a clean end");
    let fixture = Fixture::at_place(place, crm()).await;
    assert_eq!(read(&fixture, &of(&feed)).await, (vec![2], 2));
}

async fn a_time_leads_to_the_events_that_follow(on: Backend) {
    let fixture = Fixture::telling(on, Vec::new()).await;
    assert_eq!(fixture.store.events_since(at(5)).await, Ok(0));
    add(&fixture, "order.created", false, 1, 1000).await;
    fixture
        .edit("UPDATE events SET recorded_at = sequence * 10000000")
        .await;
    for first in [1, 2, 64, 65, 500, 1000, 1001] {
        for time in [first * 10, first * 10 - 9] {
            let found = fixture.store.events_since(at(time)).await;
            assert_eq!(found, Ok(first - 1), "{time}");
        }
    }
    // Of a time to come there is nothing yet.
    assert_eq!(fixture.store.events_since(at(1_000_000)).await, Ok(1000));
}

async fn a_page_about_one_order_has_no_other_events(on: Backend) {
    let fixture = Fixture::telling(on, Vec::new()).await;
    fixture.confirm("o1", State::Created, 10).await;
    fixture.confirm("o2", State::Created, 11).await;
    fixture.confirm("o1", State::InReview, 12).await;
    let of_order = |order: &str| FeedRequest {
        order: Some(id(order)),
        provisional: false,
        ..all_after(0)
    };
    let newest = read(&fixture, &all_after(0)).await.1;
    let (first, through) = read(&fixture, &of_order("o1")).await;
    assert_eq!((first.len(), through), (2, newest));
    let (second, _) = read(&fixture, &of_order("o2")).await;
    assert_eq!(second.len(), 1);
    assert!(first[0] < second[0] && second[0] < first[1], "{first:?}");
    let later = FeedRequest {
        after: Some(first[0]),
        ..of_order("o1")
    };
    assert_eq!(read(&fixture, &later).await.0, first[1..]);
    let in_review = FeedRequest {
        types: vec![EventType::OrderInReview],
        ..of_order("o1")
    };
    assert_eq!(read(&fixture, &in_review).await.0, first[1..]);
    assert_eq!(read(&fixture, &of_order("o3")).await.0, Vec::<i64>::new());
    let provisional = FeedRequest {
        provisional: true,
        ..of_order("o1")
    };
    assert_eq!(read(&fixture, &provisional).await.0.len(), 4);
}

suite!(
    a_page_about_one_order_has_no_other_events,
    a_time_leads_to_the_events_that_follow,
    a_page_has_the_chosen_types_and_looks_past_all_others,
    an_event_that_tries_a_target_is_looked_past,
    a_reader_of_another_feed_is_told_so,
);
