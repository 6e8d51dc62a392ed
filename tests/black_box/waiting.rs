//! Commands that wait for an order: they outlast outages of the service, believe no single 404, let a create end before
//! they stop, and take no released number for ready.

use std::time::Duration;

use number_order::State;
use sinch_simulator::ordering::{
    Call, ExpireTime, Expired, Fault, Quantity, Script, Silence, Submitted,
};
use testkit::{Process, Service, Signal, until};

use crate::interposer::{Harm, Interposer, Point};
use crate::placed::{NUMBER, Placed};

const EXPIRED: Option<i32> = Some(13);
const MAY_BE_CREATED: Option<i32> = Some(14);
const INTERRUPTED: Option<i32> = Some(130);

/// Waits until the process has said something.
async fn says(process: &Process, words: &str) {
    until(words, async || process.said().contains(words).then_some(())).await;
}

/// Starts `order place` with further arguments.
fn start(placed: &Placed, more: &[&str]) -> Process {
    let form = placed.form.to_str().expect("a path");
    Process::start(placed.arguments(&[&["order", "place", form], more].concat()))
}

#[tokio::test]
async fn a_placement_outlasts_a_restart_of_the_service() {
    let mut placed = Placed::new(Script::by_seed(21)).await;
    let process = start(&placed, &[]);
    says(&process, "created: order").await;
    placed.service.signal(Signal::KILL);
    says(&process, "the service has not answered since").await;
    // A command to which the service has never answered does not wait for it.
    let order = placed.only_order().id.to_string();
    let refused = placed.run(&["order", "wait", &order]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.err.contains("no service can be reached"),
        "{refused:?}"
    );
    placed.service = Service::start(&placed.settings).await;
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let said = ended.err.matches("has not answered since").count();
    assert_eq!(said, 1, "{ended:?}");
    assert!(ended.err.contains("the service answers again"), "{ended:?}");
    let waits = ended.out.matches("IN_REVIEW: waiting").count();
    assert!(waits <= 1, "{ended:?}");
    assert_eq!(placed.only_order().state, State::Completed);
}

#[tokio::test]
async fn a_service_that_comes_back_and_refuses_the_token_ends_a_placement() {
    let mut placed = Placed::new(Script::by_seed(22)).await;
    let process = start(&placed, &[]);
    says(&process, "created: order").await;
    placed.service.signal(Signal::KILL);
    says(&process, "the service has not answered since").await;
    let token = "operators-token-j3kq08";
    let settings = placed.settings.clone().set("operators.token", token);
    placed.service = Service::start(&settings).await;
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("wants a token"), "{ended:?}");
}

#[tokio::test]
async fn one_404_is_no_end_of_an_order() {
    let mut placed = Placed::new(Script::by_seed(23)).await;
    let created = placed.place(&["--no-wait"]).await;
    assert!(matches!(created.code, Some(0 | 10)), "{created:?}");
    let order = placed.only_order().id.to_string();
    let proxy = proxy(&placed).await;
    placed.settings = placed.settings.set("sinch.api_url", proxy.sinch.as_str());
    placed.settings.write();
    for command in ["place", "wait"] {
        let form = placed.form.to_str().expect("a path").to_owned();
        let subject = if command == "place" { &form } else { &order };
        proxy.harm_next(Point::OrderFetch, Harm::NotFound);
        let ended = placed.run(&["order", command, subject]).await;
        assert_eq!(ended.code, Some(0), "{command}: {ended:?}");
        assert!(ended.out.contains(" is active; "), "{command}: {ended:?}");
        assert!(proxy.has_harmed(), "{command}: {ended:?}");
    }
    assert_eq!(placed.only_order().state, State::Completed);
}

#[tokio::test]
async fn an_order_that_sinch_forgets_has_expired_once_the_service_says_so() {
    let mut script = Script::by_seed(24);
    script.readings.reservation = Duration::from_secs(3);
    script.readings.expired = Expired::Forgotten;
    script.readings.expire_time = ExpireTime::Shown;
    let placed = Placed::new(script).await;
    let form = placed.form.to_str().expect("a path").to_owned();
    let created = placed.run(&["order", "create", &form]).await;
    assert_eq!(created.code, Some(0), "{created:?}");
    let order = placed.only_order().id.to_string();
    let ended = placed.run(&["order", "wait", &order]).await;
    assert_eq!(ended.code, EXPIRED, "{ended:?}");
    let known = placed.service.order(&order).await;
    assert_eq!(known["confirmed"], "EXPIRED", "{known}");
    // Sinch does not know it any more, and the service does.
    let again = placed.run(&["order", "wait", &order]).await;
    assert_eq!(again.code, EXPIRED, "{again:?}");
}

/// Starts a proxy between the commands and the simulated Sinch.
async fn proxy(placed: &Placed) -> Interposer {
    Interposer::start(&placed.simulator.api_url(), placed.service.operators, None).await
}

/// A placement of two numbers, whose create is answered only when the proxy lets the answer through.
async fn held_back(seed: u64) -> (Placed, Interposer) {
    let mut script = Script::by_seed(seed);
    script.readings.quantity = Quantity::All;
    script.readings.submitted = Submitted::InReview;
    let mut placed = Placed::new(script).await;
    placed.replace(&format!("number = \"{NUMBER}\""), "quantity = 2");
    let proxy = proxy(&placed).await;
    placed.settings = placed
        .settings
        .set("sinch.api_url", proxy.sinch.as_str())
        .set("sinch.request_timeout_secs", 600);
    placed.settings.write();
    proxy.harm_next(Point::Create, Harm::AnswerHeldBack);
    (placed, proxy)
}

/// Waits until the answer to a create is held back.
async fn is_created(proxy: &Interposer) {
    until("the order", async || proxy.holds().then_some(())).await;
}

#[tokio::test]
async fn a_create_that_is_under_way_ends_before_the_command_does() {
    let (placed, proxy) = held_back(25).await;
    for command in ["place", "create"] {
        if command == "create" {
            // A second form, for a second order.
            placed.replace("reference = \"au-mobile-", "reference = \"another-");
        }
        let before = placed.orders().len();
        let form = placed.form.to_str().expect("a path");
        let process = Process::start(placed.arguments(&["order", command, form]));
        is_created(&proxy).await;
        process.signal(Signal::INT);
        says(&process, "stopping once the outcome").await;
        proxy.release();
        let ended = process.ended().await;
        // Once its outcome is recorded, `order create` is one fetch from its end, and may reach it.
        let is_done = command == "create" && ended.code == Some(0);
        assert!(is_done || ended.code == INTERRUPTED, "{ended:?}");
        // The outcome is known, so the form goes on with the order.
        let again = placed.place(&["--no-wait"]).await;
        assert!(matches!(again.code, Some(0 | 10)), "{again:?}");
        assert_eq!(placed.orders().len(), before + 1);
        proxy.harm_next(Point::Create, Harm::AnswerHeldBack);
    }
}

#[tokio::test]
async fn a_second_interrupt_ends_the_command_at_once() {
    let (placed, proxy) = held_back(26).await;
    let process = start(&placed, &["--no-wait"]);
    is_created(&proxy).await;
    process.signal(Signal::INT);
    says(&process, "Ctrl-C again").await;
    process.signal(Signal::INT);
    let ended = process.ended().await;
    assert_eq!(ended.code, INTERRUPTED, "{ended:?}");
    placed.only_order();
}

#[tokio::test]
async fn a_lost_order_is_given_up_once_its_reservation_is_over() {
    let mut script = Script::by_seed(27);
    script.readings.quantity = Quantity::All;
    let placed = Placed::new(script).await;
    let lose = || {
        let lost = Some(Fault::AnswerLost(Silence::Cut));
        let ordering = placed.simulator.ordering();
        ordering.push_fault(Call::CreateOrder, lost);
    };
    // All creates of the journal were written down this much earlier.
    let age = async |hours: i64| {
        let mut file = testkit::File::open(&placed.settings.database()).await;
        let micros = hours * 3600 * 1_000_000;
        let aged = format!("UPDATE placement_steps SET begun_at = begun_at - {micros}");
        file.execute(&aged).await;
        file.close().await;
    };
    lose();
    let first = placed.place(&[]).await;
    assert_eq!(first.code, MAY_BE_CREATED, "{first:?}");
    assert!(
        first.out.contains("a callback names the order"),
        "{first:?}"
    );
    age(47).await;
    let second = placed.place(&[]).await;
    assert_eq!(second.code, MAY_BE_CREATED, "{second:?}");
    age(3).await;
    // The number is not available, so someone else has it by now.
    let over = placed.place(&[]).await;
    assert_eq!(over.code, Some(1), "{over:?}");
    assert!(over.err.contains("somebody else has it"), "{over:?}");
    placed.only_order();

    placed.replace("reference = \"au-mobile-", "reference = \"another-");
    placed.replace(&format!("number = \"{NUMBER}\""), "quantity = 2");
    lose();
    let first = placed.place(&["--no-wait"]).await;
    assert_eq!(first.code, MAY_BE_CREATED, "{first:?}");
    age(50).await;
    let over = placed.place(&["--no-wait"]).await;
    assert_eq!(over.code, MAY_BE_CREATED, "{over:?}");
    assert!(over.out.contains("it has run out"), "{over:?}");
    assert_eq!(placed.orders().len(), 2);
    let risked = placed.place(&["--no-wait", "--risk-second-order"]).await;
    assert!(matches!(risked.code, Some(0 | 10)), "{risked:?}");
    assert_eq!(placed.orders().len(), 3);
}

#[tokio::test]
async fn a_number_that_was_ready_and_released_is_not_ready() {
    let placed = Placed::new(Script::by_seed(41)).await;
    let ready = placed.place(&[]).await;
    assert_eq!(ready.code, Some(0), "{ready:?}");
    let nothing = "order: no link is ordered, so neither text messages nor calls will reach";
    assert!(ready.err.contains(nothing), "{ready:?}");
    let checked = placed
        .run(&["order", "check", placed.form.to_str().expect("a path")])
        .await;
    assert!(checked.out.contains(nothing), "{checked:?}");
    placed
        .run_patiently(&["numbers", "release", NUMBER, "--yes"])
        .await;
    let order = placed.only_order().id.to_string();
    let form = placed.form.to_str().expect("a path");
    for command in [&["order", "place", form], &["order", "wait", &order]] {
        let released = placed.run(command).await;
        assert_eq!(released.code, Some(1), "{released:?}");
        assert!(
            released.err.contains("was released, and stays until"),
            "{released:?}"
        );
        // The order is created, so it is too late to doubt it.
        assert!(!released.err.contains(nothing), "{released:?}");
    }
}
