//! Properties that hold for any input.

use proptest::prelude::*;

use super::*;

fn states() -> impl Strategy<Value = State> {
    proptest::sample::select(State::ALL.to_vec())
}

fn statuses() -> impl Strategy<Value = Status> {
    prop_oneof![
        9 => states().prop_map(Status::Known),
        1 => "[A-Z_]{0,12}".prop_map(Status::Unknown),
    ]
}

#[derive(Clone, Debug)]
enum Input {
    Event(Status, Option<i64>, i64),
    Answer(Status, i64, i64, Option<i64>),
    NotFound(i64),
}

fn inputs() -> impl Strategy<Value = Input> {
    let any_time = prop_oneof![8 => -5_000_000i64..100_000_000, 1 => any::<i64>()];
    let (t, u) = (any_time.clone(), any_time.clone());
    prop_oneof![
        (statuses(), proptest::option::of(t), u.clone())
            .prop_map(|(s, said, now)| Input::Event(s, said, now)),
        (
            statuses(),
            u.clone(),
            any_time.clone(),
            proptest::option::of(u)
        )
            .prop_map(|(s, u, now, e)| Input::Answer(s, u, now, e)),
        any_time.prop_map(Input::NotFound),
    ]
}

proptest! {
    /// For any events and answers, in any order: the functions are total, no state comes out of nothing, and the
    /// confirmed time never goes back except from a date that was wrong.
    #[test]
    fn random_events_and_answers_break_no_invariant(all in proptest::collection::vec(inputs(), 0..40)) {
        let policy = policy();
        let mut order = Order::new(Time(0));
        for inputs in all {
            let before = order.clone();
            let mut redated = false;
            let mut outcome = None;
            match inputs {
                Input::Event(status, said_at, now) => {
                    let event = Event { status, said_at: said_at.map(Time), received_at: Time(now) };
                    order = apply_events(&order, &[event], Time(now), &policy).order;
                    prop_assert_eq!(&order.confirmed, &before.confirmed);
                    // An event changes nothing that only an answer may change: the inbox worker does not write those
                    // columns.
                    prop_assert_eq!(&order.tie, &before.tie);
                    prop_assert_eq!(order.fetched_at, before.fetched_at);
                    let rested_at = before.fetched_at.map(|at| at.min(Time(now)).plus(policy.cooldown));
                    prop_assert!(order.fetch_at == before.fetch_at || order.fetch_at >= rested_at);
                    prop_assert_eq!(order.missing_since, before.missing_since);
                }
                Input::Answer(state, updated_at, now, expires_at) => {
                    let snapshot = Snapshot {
                        state,
                        updated_at: Time(updated_at),
                        expires_at: expires_at.map(Time),
                        unreadable_expiry: None,
                        details: None,
                        sent_at: None,
                    };
                    let change = reconcile(&order, &Answer::Found(snapshot), Time(now), &policy);
                    redated = matches!(change.outcome, Outcome::Redated { .. });
                    let rested_at = Time(now).plus(policy.cooldown);
                    let next_at = change.order.fetch_at;
                    prop_assert!(!change.outcome.is_conclusive() || next_at.is_none_or(|at| at >= rested_at));
                    (order, outcome) = (change.order, Some(change.outcome));
                }
                Input::NotFound(now) => {
                    let change = reconcile(&order, &Answer::NotFound, Time(now), &policy);
                    (order, outcome) = (change.order, Some(change.outcome));
                }
            }
            if let Some(outcome) = outcome {
                // What an outcome says of the confirmed state is what the order has.
                let state = |order: &Order| order.confirmed.as_ref().map(|c| c.state);
                prop_assert_eq!(outcome.is_change(), state(&order) != state(&before));
                prop_assert!(outcome.confirmed().is_none() || outcome.confirmed() == state(&order));
            }
            let updated_at = |order: &Order| order.confirmed.as_ref().map(|c| c.updated_at);
            prop_assert!(redated || updated_at(&order) >= updated_at(&before));
            prop_assert!(order.hints.len() <= State::ALL.len() + 1);
            prop_assert!(order.doubts.len() <= State::ALL.len() + 1);
            if let Some(provisional) = &order.provisional {
                prop_assert!(order.hints.iter().any(|h| h.state == Some(provisional.state)));
            }
            prop_assert!(order.hints.is_empty() || order.fetch_at.is_some() || order.missing_since.is_some());
        }
    }
}
