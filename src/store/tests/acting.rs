//! Actions of operators: recorded before they begin, ended once, listed page by page, and removed after their time.

use super::*;

fn action(at_secs: i64, caller: Option<&str>, path: &str) -> NewAction {
    NewAction {
        acted_at: at(at_secs),
        caller: caller.map(str::to_owned),
        method: "POST".to_owned(),
        path: path.to_owned(),
    }
}

fn filter(limit: u32) -> ActionFilter {
    ActionFilter {
        limit,
        ..ActionFilter::default()
    }
}

impl Fixture {
    async fn actions(&self, filter: &ActionFilter) -> Listing<ActionRow> {
        self.store.actions(filter).await.expect("reads")
    }
}

fn paths(page: &Listing<ActionRow>) -> Vec<&str> {
    page.items.iter().map(|row| row.path.as_str()).collect()
}

async fn an_action_is_recorded_before_it_begins(on: Backend) {
    let fixture = Fixture::on(on).await;
    let (store, wanted) = (&fixture.store, action(10, Some("lee"), "/one"));
    let row = store.begin_action(wanted.clone()).await.expect("recorded");
    let begun = fixture.actions(&filter(10)).await.items;
    let expected = ActionRow {
        id: row,
        acted_at: wanted.acted_at,
        caller: wanted.caller,
        method: wanted.method,
        path: wanted.path,
        body: None,
        status: None,
    };
    assert_eq!(begun, std::slice::from_ref(&expected));
    let body = Some("{\"dry_run\":false}".to_owned());
    assert_eq!(store.end_action(row, 202, body.clone()).await, Ok(()));
    let status = Some(202);
    let ended = fixture.actions(&filter(10)).await.items;
    let expected = ActionRow {
        body,
        status,
        ..expected
    };
    assert_eq!(ended, [expected]);
}

async fn actions_are_found_by_caller_and_time(on: Backend) {
    let fixture = Fixture::on(on).await;
    for (secs, caller, path) in [
        (10, Some("lee"), "/one"),
        (20, None, "/two"),
        (30, Some("kim"), "/three"),
        (40, Some("lee"), "/four"),
    ] {
        let begun = fixture.store.begin_action(action(secs, caller, path)).await;
        begun.expect("recorded");
    }
    let of_lee = ActionFilter {
        caller: Some("lee".to_owned()),
        newest_first: true,
        ..filter(10)
    };
    assert_eq!(paths(&fixture.actions(&of_lee).await), ["/four", "/one"]);
    let between = ActionFilter {
        since: Some(at(20)),
        until: Some(at(40)),
        ..filter(10)
    };
    assert_eq!(paths(&fixture.actions(&between).await), ["/two", "/three"]);
    let first = fixture.actions(&filter(3)).await;
    let rest = ActionFilter {
        after: first.next.clone(),
        ..filter(3)
    };
    assert_eq!(paths(&first), ["/one", "/two", "/three"]);
    assert_eq!(paths(&fixture.actions(&rest).await), ["/four"]);
}

async fn actions_are_kept_as_long_as_orders(on: Backend) {
    let fixture = Fixture::on(on).await;
    for secs in [10, 20] {
        let begun = fixture.store.begin_action(action(secs, None, "/one")).await;
        begun.expect("recorded");
    }
    assert_eq!(fixture.prune(Time(at(5010).0 - 1)).await, Pruned::default());
    let one = Pruned {
        taken: 1,
        actions: 1,
        ..Pruned::default()
    };
    assert_eq!(fixture.prune(at(5010)).await, one);
    assert_eq!(fixture.actions(&filter(10)).await.items.len(), 1);
}

suite!(
    an_action_is_recorded_before_it_begins,
    actions_are_found_by_caller_and_time,
    actions_are_kept_as_long_as_orders,
);
