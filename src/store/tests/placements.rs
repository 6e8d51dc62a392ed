//! The journal of placements.

use super::*;
use number_order::{CallbackKey, OutcomeRefusal, Standing, StepKind, StepOutcome, StepRefusal};

const KEYS: [&str; 2] = ["aaaaaaaaaaaaaaaaaaaaaaaaa1", "aaaaaaaaaaaaaaaaaaaaaaaaa2"];

fn callback_key(nth: usize) -> CallbackKey {
    CallbackKey::new(KEYS[nth]).expect("a key")
}

fn placement(number: &str) -> NewPlacement {
    NewPlacement {
        project: id(PROJECT),
        reference: "form-1".to_owned(),
        ordered: Ordered {
            region: "AU".to_owned(),
            number_type: "MOBILE".to_owned(),
            number: Some(number.to_owned()),
            quantity: None,
        },
        now: at(1),
    }
}

fn step(kind: StepKind, nth_key: Option<usize>) -> NewStep {
    NewStep {
        project: id(PROJECT),
        reference: "form-1".to_owned(),
        kind,
        available_before: nth_key.map(|_| true),
        callback_key: nth_key.map(callback_key),
        second_order_risked: false,
        now: at(2),
    }
}

impl Fixture {
    async fn begin(&self, step: NewStep) -> i64 {
        match self.store.begin_step(step).await.expect("is recorded") {
            StepBegun::Begun(id) => id,
            refused => panic!("{refused:?}"),
        }
    }

    async fn end(&self, step: i64, outcome: StepOutcome, order: Option<&str>) -> bool {
        self.try_end(step, outcome, order).await == StepEnded::Ended
    }

    async fn try_end(&self, step: i64, outcome: StepOutcome, order: Option<&str>) -> StepEnded {
        let update = StepUpdate {
            project: id(PROJECT),
            reference: "form-1".to_owned(),
            step,
            outcome,
            order: order.map(id),
            now: at(3),
        };
        self.store.end_step(update).await.expect("is recorded")
    }

    async fn placed(&self) -> PlacementRow {
        let found = self.store.placement(&id(PROJECT), "form-1").await;
        found.expect("reads").expect("a placement")
    }

    async fn knows_order(&self, order: &str) -> bool {
        let history = self.store.history(&key(order)).await;
        history.expect("reads").is_some()
    }

    /// Returns the ids of the steps that were reported as unreadable.
    async fn unreadable_steps(&self) -> Vec<i64> {
        let summary = self.store.summary(at(30)).await.expect("reads");
        let rows = summary.rows_unreadable.into_iter();
        let rows = rows.filter(|row| row.table == "placement_steps");
        rows.map(|row| row.row).collect()
    }

    async fn standing(&self) -> Standing {
        self.placed().await.standing
    }
}

fn created(order: &str) -> Standing {
    Standing::Created { order: id(order) }
}

async fn a_reference_stands_for_one_order(on: Backend) {
    let fixture = Fixture::on(on).await;
    let begin = async |number: &str| fixture.store.begin_placement(placement(number)).await;
    assert!(matches!(
        begin("+61400000001").await,
        Ok(PlacementFound::New(_))
    ));
    assert!(matches!(
        begin("+61400000001").await,
        Ok(PlacementFound::Known(_))
    ));
    assert!(matches!(
        begin("+61400000002").await,
        Ok(PlacementFound::OfOther(_))
    ));
    let foreign = NewPlacement {
        project: id("another"),
        ..placement("+61400000001")
    };
    let found = fixture.store.begin_placement(foreign).await;
    assert!(matches!(found, Ok(PlacementFound::UnknownProject)));
}

/// The answer to the first request was lost, so nothing was sent to Sinch before the second.
async fn a_create_that_begins_again_with_its_key_is_one_step(on: Backend) {
    let fixture = Fixture::on(on).await;
    let placed = fixture.store.begin_placement(placement("+61400000001"));
    placed.await.expect("is recorded");
    let create = || step(StepKind::Create, Some(0));
    let first = fixture.begin(create()).await;
    let again = NewStep {
        now: at(9),
        ..create()
    };
    assert_eq!(fixture.begin(again).await, first);
    let steps = fixture.placed().await.steps;
    assert_eq!(steps.len(), 1);
    assert_eq!(steps[0].begun_at, at(9));
    // Another run has found out since that it had no effect, and may have begun its own create.
    assert!(fixture.end(first, StepOutcome::NoEffectSeen, None).await);
    let late = fixture.store.begin_step(create()).await;
    assert_eq!(late, Ok(StepBegun::Refused(StepRefusal::KeyUsed)));
    let own = fixture.begin(step(StepKind::Create, Some(1))).await;
    let late = fixture.store.begin_step(create()).await;
    assert_eq!(late, Ok(StepBegun::Refused(StepRefusal::MayBeCreated)));
    assert_eq!(
        fixture.standing().await,
        Standing::MayBeCreated { step: own }
    );
}

async fn a_create_without_an_outcome_stands_in_the_way_of_the_next(on: Backend) {
    let fixture = Fixture::on(on).await;
    let unplaced = fixture
        .store
        .begin_step(step(StepKind::Create, Some(0)))
        .await;
    assert_eq!(unplaced, Ok(StepBegun::UnknownPlacement));
    fixture
        .store
        .begin_placement(placement("+61400000001"))
        .await
        .expect("is recorded");
    let begun = fixture.store.begin_step(step(StepKind::Submit, None)).await;
    assert_eq!(begun, Ok(StepBegun::Refused(StepRefusal::NotCreated)));
    let first = fixture.begin(step(StepKind::Create, Some(0))).await;
    for outcome in [None, Some(StepOutcome::Unknown)] {
        if let Some(outcome) = outcome {
            assert!(fixture.end(first, outcome, None).await);
        }
        let second = fixture
            .store
            .begin_step(step(StepKind::Create, Some(1)))
            .await;
        assert_eq!(second, Ok(StepBegun::Refused(StepRefusal::MayBeCreated)));
    }
    assert_eq!(
        fixture.standing().await,
        Standing::MayBeCreated { step: first }
    );
    let risked = NewStep {
        second_order_risked: true,
        ..step(StepKind::Create, Some(1))
    };
    let second = fixture.begin(risked).await;
    assert!(
        fixture
            .end(second, StepOutcome::Succeeded, Some("o1"))
            .await
    );
    assert_eq!(fixture.standing().await, created("o1"));
    let third = fixture
        .store
        .begin_step(step(StepKind::Create, Some(1)))
        .await;
    assert_eq!(
        third,
        Ok(StepBegun::Refused(StepRefusal::AlreadyCreated(id("o1"))))
    );
    let attachment = "passport".to_owned();
    let upload = fixture
        .begin(step(StepKind::Attach { attachment }, None))
        .await;
    assert!(fixture.end(upload, StepOutcome::Refused, None).await);
    assert_eq!(fixture.standing().await, created("o1"));
    assert!(!fixture.end(999, StepOutcome::Refused, None).await);
}

async fn an_order_is_watched_once_its_create_has_succeeded(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture
        .store
        .begin_placement(placement("+61400000001"))
        .await
        .expect("is recorded");
    let first = fixture.begin(step(StepKind::Create, Some(0))).await;
    assert!(
        fixture
            .store
            .history(&key("o1"))
            .await
            .expect("reads")
            .is_none()
    );
    fixture.end(first, StepOutcome::Succeeded, Some("o1")).await;
    let order = fixture.store.history(&key("o1")).await.expect("reads");
    assert!(order.expect("is known").order.fetch_at.is_some());
}

async fn a_callback_to_the_path_of_a_create_names_its_order(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture
        .store
        .begin_placement(placement("+61400000001"))
        .await
        .expect("is recorded");
    let lost = fixture.begin(step(StepKind::Create, Some(0))).await;
    fixture.end(lost, StepOutcome::Unknown, None).await;
    let to = |event: &str, order: &str, nth_key: Option<usize>| NewDelivery {
        callback_key: nth_key.map(callback_key),
        ..delivery(event, order, State::Expired, 10)
    };
    // Neither the project's own path nor that of another create says anything about this one.
    for other in [to("e1", "o1", None), to("e2", "o2", Some(1))] {
        fixture.store.accept(other).await.expect("is accepted");
    }
    fixture.store.process(request(20)).await.expect("processes");
    assert_eq!(
        fixture.standing().await,
        Standing::MayBeCreated { step: lost }
    );
    for event in [to("e3", "o3", Some(0)), to("e4", "o4", Some(0))] {
        fixture.store.accept(event).await.expect("is accepted");
    }
    fixture.store.process(request(30)).await.expect("processes");
    assert_eq!(fixture.standing().await, created("o3"));
    // What is thought of the create later changes nothing.
    fixture.end(lost, StepOutcome::NoEffectSeen, None).await;
    assert_eq!(fixture.standing().await, created("o3"));
}

async fn the_journal_outlives_the_process_and_goes_with_its_project(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture
        .store
        .begin_placement(placement("+61400000001"))
        .await
        .expect("is recorded");
    fixture.begin(step(StepKind::Create, Some(0))).await;
    let fixture = fixture.reopened(&[(PROJECT, None)]).await;
    assert_eq!(fixture.placed().await.steps.len(), 1);
    let fixture = fixture.reopened(&[("another", None)]).await;
    while fixture.store.drop_some(id(PROJECT)).await != Ok(Holdings::default()) {}
    assert_eq!(fixture.store.knows(&id(PROJECT)).await, Ok(false));
}

/// What is refused leaves nothing behind: no outcome, and no order on the watch list.
async fn an_outcome_that_cannot_be_the_steps_changes_nothing(on: Backend) {
    let fixture = Fixture::on(on).await;
    let begun = fixture.store.begin_placement(placement("+61400000001"));
    begun.await.expect("is recorded");
    let create = fixture.begin(step(StepKind::Create, Some(0))).await;
    let no_order = StepEnded::Refused(OutcomeRefusal::MakesNoOrder);
    for (step, outcome, ended) in [
        (999, StepOutcome::Succeeded, StepEnded::UnknownStep),
        (create, StepOutcome::Refused, no_order.clone()),
        (create, StepOutcome::Unknown, no_order),
    ] {
        assert_eq!(fixture.try_end(step, outcome, Some("ghost")).await, ended);
        assert!(!fixture.knows_order("ghost").await, "{outcome:?}");
        assert_eq!(fixture.placed().await.steps[0].outcome, None);
    }
    assert!(
        fixture
            .end(create, StepOutcome::Succeeded, Some("o1"))
            .await
    );
    let other = StepEnded::Refused(OutcomeRefusal::MadeOther(id("o1")));
    let ended = fixture.try_end(create, StepOutcome::Succeeded, Some("ghost"));
    assert_eq!(ended.await, other);
    assert!(!fixture.knows_order("ghost").await);
    let known = StepEnded::Refused(OutcomeRefusal::Known(StepOutcome::Succeeded));
    for outcome in [StepOutcome::Refused, StepOutcome::Unknown] {
        assert_eq!(fixture.try_end(create, outcome, None).await, known);
    }
    let again = fixture.try_end(create, StepOutcome::Succeeded, Some("o1"));
    assert_eq!(again.await, StepEnded::Ended);
    let steps = fixture.placed().await.steps;
    assert_eq!(steps[0].outcome, Some(StepOutcome::Succeeded));
}

/// Callbacks are processed though the step to which one belongs cannot be written. Its row is reported.
async fn a_step_that_cannot_be_linked_holds_up_no_callback(on: Backend) {
    let fixture = Fixture::on(on).await;
    let begun = fixture.store.begin_placement(placement("+61400000001"));
    begun.await.expect("is recorded");
    let create = fixture.begin(step(StepKind::Create, Some(0))).await;
    fixture.refuse("UPDATE ON placement_steps", "true").await;
    let to_create = NewDelivery {
        callback_key: Some(callback_key(0)),
        ..delivery("e1", "o1", State::InReview, 10)
    };
    assert_eq!(fixture.accept(to_create).await, Accepted::New);
    let other = delivery("e2", "o2", State::InReview, 10);
    assert_eq!(fixture.accept(other).await, Accepted::New);
    fixture.process(20).await;
    for order in ["o1", "o2"] {
        assert_eq!(fixture.history(order).await.deliveries.len(), 1, "{order}");
    }
    assert_eq!(fixture.unreadable_steps().await, [create]);
}

async fn a_placement_that_cannot_be_read_is_named_to_the_operator(on: Backend) {
    for fault in [
        "placement_steps SET outcome = 'lost', ended_at = 1",
        "placement_steps SET kind_fields = ''",
        "placement_steps SET callback_key = 'short'",
        "placements SET quantity = -7",
        "placements SET region = CAST(x'ff' AS TEXT)",
    ] {
        if fault.contains("x'ff'") && on != Backend::Sqlite {
            // Its texts are always UTF-8.
            continue;
        }
        let fixture = Fixture::on(on).await;
        let begun = fixture.store.begin_placement(placement("+61400000001"));
        begun.await.expect("is recorded");
        fixture.begin(step(StepKind::Create, Some(0))).await;
        fixture.spoil(&format!("UPDATE {fault}")).await;
        let found = fixture.store.placement(&id(PROJECT), "form-1").await;
        let Err(StoreError::Unread(reason)) = found else {
            panic!("{fault}: {found:?}");
        };
        assert!(reason.contains("row 1 of placement"), "{fault}: {reason}");
        let summary = fixture.store.summary(at(30)).await.expect("reads");
        let tables: Vec<_> = summary
            .rows_unreadable
            .iter()
            .map(|row| row.table)
            .collect();
        assert_eq!(tables.len(), 1, "{fault}: {tables:?}");
        assert!(fault.starts_with(tables[0]), "{fault}: {tables:?}");
    }
}

/// The ordered number is kept as long as the order is. The reference stays, and still orders nothing again.
async fn a_number_is_forgotten_with_its_order_and_its_reference_is_not(on: Backend) {
    let fixture = Fixture::on(on).await;
    let begun = fixture.store.begin_placement(placement("+61400000001"));
    begun.await.expect("is recorded");
    let create = fixture.begin(step(StepKind::Create, Some(0))).await;
    assert!(
        fixture
            .end(create, StepOutcome::Succeeded, Some("o1"))
            .await
    );
    let number = async || fixture.placed().await.ordered.number;
    let late = at(10_000_000_000);
    fixture.prune(late).await;
    assert!(number().await.is_some(), "the order is still open");
    fixture.close_order("o1", "e1", 20).await;
    for _ in 0..3 {
        fixture.prune(late).await;
    }
    assert!(!fixture.knows_order("o1").await);
    assert_eq!(number().await, None);
    let again = fixture
        .store
        .begin_placement(placement("+61400000001"))
        .await;
    assert!(matches!(again, Ok(PlacementFound::Known(_))), "{again:?}");
    let again = fixture
        .store
        .begin_step(step(StepKind::Create, Some(1)))
        .await;
    let refusal = StepRefusal::AlreadyCreated(id("o1"));
    assert_eq!(again, Ok(StepBegun::Refused(refusal)));
}

suite!(
    a_reference_stands_for_one_order,
    a_create_that_begins_again_with_its_key_is_one_step,
    a_create_without_an_outcome_stands_in_the_way_of_the_next,
    an_order_is_watched_once_its_create_has_succeeded,
    a_callback_to_the_path_of_a_create_names_its_order,
    the_journal_outlives_the_process_and_goes_with_its_project,
    an_outcome_that_cannot_be_the_steps_changes_nothing,
    a_step_that_cannot_be_linked_holds_up_no_callback,
    a_placement_that_cannot_be_read_is_named_to_the_operator,
    a_number_is_forgotten_with_its_order_and_its_reference_is_not,
);
