//! Orders placed from a form, against a simulated Sinch: at most one order, whatever is lost or killed on the way.

use std::time::Duration;

use number_order::State;
use sinch_simulator::ordering::{Call, Fault, Script, SentCallback, Silence};
use testkit::{Process, SECRET, Signal, now, until, within};

use crate::placed::{NUMBER, Placed};
use crate::players::play_all;

/// Exit codes that the documentation publishes.
const BLOCKED: Option<i32> = Some(11);
const MAY_BE_CREATED: Option<i32> = Some(14);

#[tokio::test]
async fn a_form_is_placed_blocked_corrected_and_ends_ready() {
    let placed = Placed::new(Script::by_seed(7)).await;
    let form = placed.form.to_str().expect("a path").to_owned();
    let checked = placed.run(&["order", "check", &form]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let said = placed.place(&["--dry-run"]).await;
    assert!(said.out.contains("Nothing was done"), "{said:?}");
    assert!(placed.orders().is_empty());
    placed.replace("Delivery notices", "BLOCK-ONCE");
    let blocked = placed.place(&[]).await;
    assert_eq!(blocked.code, BLOCKED, "{blocked:?}");
    let order = placed.only_order();
    assert_eq!(order.state, State::Blocked);
    placed.replace("BLOCK-ONCE", "Delivery notices");
    let fixed = placed
        .run(&["order", "fix", order.id.as_str(), "--form", &form])
        .await;
    assert_eq!(fixed.code, Some(0), "{fixed:?}");
    assert_eq!(placed.only_order().state, State::Completed);
    assert!(
        fixed.out.contains("nothing was ordered to be linked"),
        "{fixed:?}"
    );
    assert!(!fixed.err.contains("exactly as it is"), "{fixed:?}");
    // What is done stays done.
    let again = placed.place(&[]).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    placed.only_order();
    placed.service.settles(order.id.as_str(), "COMPLETED").await;
}

#[tokio::test]
async fn a_form_that_sinch_would_refuse_is_refused_before_anything_is_created() {
    let placed = Placed::new(Script::by_seed(8)).await;
    placed.replace("postalCode = \"2000\"", "postalCode = \"\"");
    placed.replace("ZQX-FILE.pdf", "absent.pdf");
    let refused = placed.place(&[]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for said in ["postalCode", "documents"] {
        assert!(refused.err.contains(said), "{said}: {refused:?}");
    }
    assert!(placed.orders().is_empty());
    assert!(!refused.err.contains("ZQX"), "{refused:?}");
}

#[tokio::test]
async fn a_form_is_refused_for_an_order_that_is_not_its_own() {
    let placed = Placed::new(Script::by_seed(13)).await;
    let form = placed.form.to_str().expect("a path").to_owned();
    let ended = placed.place(&[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let calls = placed.simulator.ordering().calls().len();
    for step in ["register", "attach", "submit", "fix"] {
        let refused = placed
            .run(&["order", step, "another", "--form", &form])
            .await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.err.contains("not of another"), "{refused:?}");
    }
    // Only the requirements were looked up. The service itself fetches the order and its numbers.
    let mut calls = placed.simulator.ordering().calls().split_off(calls);
    calls.retain(|call| ![Call::GetOrder, Call::GetActiveNumber].contains(&call.call));
    assert!(
        calls
            .iter()
            .all(|call| call.call == Call::LookUpRequirements),
        "{calls:?}"
    );
    // An order that was never seen has not expired.
    let unknown = placed.run(&["order", "wait", "another"]).await;
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(unknown.err.contains("check its id"), "{unknown:?}");
}

#[tokio::test]
async fn a_lost_create_is_never_repeated_while_it_may_have_taken_effect() {
    let placed = Placed::new(Script::by_seed(9)).await;
    let lost = Some(Fault::AnswerLost(Silence::Cut));
    placed
        .simulator
        .ordering()
        .push_fault(Call::CreateOrder, lost);
    // The number is gone, so there may be an order, and nothing tells.
    let first = placed.place(&[]).await;
    assert_eq!(first.code, MAY_BE_CREATED, "{first:?}");
    let second = placed.place(&[]).await;
    assert_eq!(second.code, MAY_BE_CREATED, "{second:?}");
    placed.only_order();
    // A callback to the create's own path names the order.
    let order = placed.only_order();
    let url = order.callback_url.expect("a path of its own");
    let path = url
        .split_once("//")
        .and_then(|(_, rest)| rest.find('/').map(|at| rest[at..].to_owned()));
    let body = testkit::event("e1", order.id.as_str(), "IN_REVIEW", now());
    let request = testkit::Request::signed(&path.expect("a path"), SECRET, body);
    assert_eq!(placed.service.send(&request).await.status, 200);
    let third = placed.place(&[]).await;
    assert_eq!(third.code, Some(0), "{third:?}");
    assert_eq!(placed.only_order().state, State::Completed);
}

#[tokio::test]
async fn a_create_that_never_arrived_is_repeated() {
    let placed = Placed::new(Script::by_seed(10)).await;
    let lost = Some(Fault::RequestLost(Silence::Cut));
    placed
        .simulator
        .ordering()
        .push_fault(Call::CreateOrder, lost);
    let ended = placed.place(&[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(placed.only_order().state, State::Completed);
}

/// A repeated quantity order reserves other numbers, so the journal alone keeps it from being placed twice.
#[tokio::test]
async fn a_quantity_is_ordered_twice_only_at_the_users_own_risk() {
    let placed = Placed::new(Script::by_seed(11)).await;
    placed.replace(&format!("number = \"{NUMBER}\""), "quantity = 2");
    let lost = Some(Fault::AnswerLost(Silence::Cut));
    placed
        .simulator
        .ordering()
        .push_fault(Call::CreateOrder, lost);
    for _ in 0..2 {
        let ended = placed.place(&["--no-wait"]).await;
        assert_eq!(ended.code, MAY_BE_CREATED, "{ended:?}");
        placed.only_order();
    }
    let risked = placed.place(&["--no-wait", "--risk-second-order"]).await;
    assert!(matches!(risked.code, Some(0 | 10)), "{risked:?}");
    assert_eq!(placed.orders().len(), 2);
    let again = placed.place(&["--no-wait", "--risk-second-order"]).await;
    assert!(matches!(again.code, Some(0 | 10)), "{again:?}");
    assert_eq!(placed.orders().len(), 2);
    // The control: under another name nothing is known of the first order.
    placed.replace("reference = \"au-mobile-", "reference = \"another-");
    let another = placed.place(&["--no-wait"]).await;
    assert!(matches!(another.code, Some(0 | 10)), "{another:?}");
    assert_eq!(placed.orders().len(), 3);
}

/// Plays a form over and over while calls fail and the command is killed at random, until it ends. Returns what went
/// wrong.
async fn play(seed: u64) -> Result<(), String> {
    let placed = Placed::new(Script::hostile(seed)).await;
    let mut rng = fastrand::Rng::with_seed(seed);
    let form = placed.form.to_str().expect("a path").to_owned();
    for round in 0..60 {
        let mut process = Process::start(placed.arguments(&["order", "place", &form]));
        if round < 6 {
            let until = Duration::from_millis(rng.u64(50..4000));
            let ended = within(until, async || (!process.is_running()).then_some(())).await;
            if ended.is_none() {
                process.signal(Signal::KILL);
            }
        }
        let ended = process.ended().await;
        let orders = placed.orders();
        if orders.len() > 1 {
            return Err(format!("seed {seed}: {} orders: {ended:?}", orders.len()));
        }
        let state = orders.first().map(|order| order.state);
        match (ended.code, state) {
            (Some(0), Some(State::Completed))
            | (Some(12), Some(State::Rejected))
            | (Some(13), Some(State::Expired)) => return Ok(()),
            (Some(11), Some(State::Blocked)) => {
                let order = orders[0].id.to_string();
                placed
                    .run(&["order", "fix", &order, "--form", &form, "--no-wait"])
                    .await;
            }
            // The answer of a create was lost, and its number is gone. The callback tells that says EXPIRED.
            (Some(14), Some(State::Created)) => {
                let lost = &orders[0].id;
                placed.simulator.ordering().end_reservation(lost);
                let callbacks = || placed.simulator.ordering().callbacks();
                until("the callback's end", async || {
                    let of_it = callbacks().into_iter().filter(|one| one.order == *lost);
                    let open = |one: &SentCallback| one.acknowledged < one.copies;
                    (of_it.clone().count() > 0 && !of_it.clone().any(|one| open(&one)))
                        .then_some(())
                })
                .await;
                // Where that is lost too, there is no way to know.
                if callbacks()
                    .iter()
                    .all(|one| one.order != *lost || one.copies == 0)
                {
                    return Ok(());
                }
                placed.service.order_with(lost.as_str(), 1).await;
            }
            (Some(0 | 12 | 13), _) => return Err(format!("seed {seed}: {state:?}: {ended:?}")),
            (_, _) => {}
        }
    }
    Err(format!(
        "seed {seed}: no end: {:?}, {:?}",
        placed.orders(),
        placed.place(&[]).await
    ))
}

#[tokio::test]
async fn however_calls_fail_and_the_command_is_killed_there_is_one_order() {
    let count = std::env::var("PLACING_SEEDS")
        .ok()
        .and_then(|count| count.parse().ok());
    let first = fastrand::u64(..1 << 40);
    println!("seeds from {first}");
    let seeds = first..first + count.unwrap_or(4);
    play_all(seeds, |seed| async move {
        assert_eq!(play(seed).await, Ok(()));
    })
    .await;
}
