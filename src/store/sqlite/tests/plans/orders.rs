//! Query plans about one order: what belongs to others is not read.

use super::*;

/// Deliveries that are not processed yet are looked up among the few after `processed_through`, and not among all of a
/// project.
#[tokio::test]
async fn a_history_reads_no_other_deliveries_of_its_project() {
    let fixture = Fixture::new().await;
    for sql in [queries::DELIVERIES, removal::ORDER] {
        let plan = plan(&fixture, sql).await;
        let walks = plan
            .iter()
            .any(|step| step.contains("deliveries_dedup_key"));
        assert!(!walks, "{plan:#?}");
    }
    // A list by order begins with the rows of that order.
    let of_order = DeliveryFilter {
        order: Some(id("o1")),
        limit: 9,
        ..DeliveryFilter::default()
    };
    let listed = queries::select_deliveries(&of_order, Reach::after(None, false, &ALL));
    let listed = plan(&fixture, listed.sql().as_str()).await;
    let is_all = |step: &&String| {
        ["SCAN d", "SCAN deliveries"].contains(&step.as_str())
            || step.contains("deliveries_dedup_key")
    };
    assert_eq!(listed.iter().find(is_all), None, "{listed:#?}");
    for step in [
        "SEARCH d USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH deliveries USING COVERING INDEX deliveries_order (order_id=?)",
        "SCAN deliveries USING INDEX deliveries_parked",
    ] {
        let is_there = listed.iter().any(|found| found.contains(step));
        assert!(is_there, "{step}: {listed:#?}");
    }

    // The control: without its hint the statement reads all of the project's deliveries.
    let without = queries::DELIVERIES.replace("CROSS JOIN", "JOIN");
    let plan = plan(&fixture, &without).await;
    assert!(
        plan.iter()
            .any(|step| step.contains("deliveries_dedup_key")),
        "{plan:#?}"
    );
}

/// An order is looked up by its id in each project, and what happened to it by its row.
#[tokio::test]
async fn an_order_is_found_without_a_look_at_others() {
    let fixture = Fixture::new().await;
    let by_id = plan(&fixture, queries::SELECT_BY_SINCH_ID).await;
    assert_eq!(costly(&by_id), Vec::<&String>::new(), "{by_id:#?}");
    let transitions = |state| {
        let filter = TransitionFilter {
            order: Some(id("o1")),
            state,
            span: Span {
                limit: 9,
                ..Span::default()
            },
            ..TransitionFilter::default()
        };
        timeline::select_transitions::<Sqlite>(&filter, None)
    };
    let alerts = AlertFilter {
        order: Some(id("o1")),
        ..AlertFilter::default()
    };
    // Of all others those that are open are read by an index of their own.
    let open = AlertFilter {
        open: Some(true),
        project: Some(id("project-1")),
        ..AlertFilter::default()
    };
    let open = timeline::select_alerts::<Sqlite>(&open, None);
    let open = plan(&fixture, open.sql().as_str()).await;
    for step in [
        "SCAN a USING INDEX alerts_open",
        "SEARCH a USING INDEX service_alerts_open",
    ] {
        assert!(
            open.iter().any(|found| found.starts_with(step)),
            "{open:#?}"
        );
    }
    for (query, table) in [
        (transitions(None), "v"),
        (transitions(Some("BLOCKED")), "v"),
        (timeline::select_alerts::<Sqlite>(&alerts, None), "a"),
    ] {
        let plan = plan(&fixture, query.sql().as_str()).await;
        let by_order = format!("SEARCH {table} USING INDEX ");
        let is_by_order =
            |step: &&String| step.starts_with(&by_order) && step.ends_with("_order (order_id=?)");
        assert_eq!(plan.iter().filter(is_by_order).count(), 1, "{plan:#?}");
        let own = ["t", "page", "of_orders", "first"];
        let costly = costly(&plan);
        let costly = costly
            .iter()
            .filter(|step| !own.contains(&step.split(' ').nth(1).unwrap_or_default()));
        assert_eq!(costly.count(), 0, "{plan:#?}");
    }

    // The control: as a plain join the look at the orders is one at all of them.
    let plain = queries::SELECT_BY_SINCH_ID.replace("CROSS JOIN", "JOIN");
    let plan = plan(&fixture, &plain).await;
    assert_eq!(costly(&plan).len(), 1, "{plan:#?}");
}
