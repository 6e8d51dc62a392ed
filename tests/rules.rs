//! The ordering rules against the model of Sinch, in every test run. `cargo bench --bench rules` does the same
//! at length, and prints the history of an order that went wrong.

use number_order::{Backoff, Policy};
use sinch_callbacks::config::Worker;
use sinch_simulator::simulation::{Scenario, Strategy, Tally};

const SEED: u64 = 20_260_101;
const ORDERS: u64 = 100_000;
/// Number of orders that a control plays: enough for each control to fail many times.
const CONTROL_ORDERS: u64 = 20_000;
/// Maximum number of fetches per order, not counting those that only watched the order.
const FETCHES_MAX: f64 = 3.0;

fn policy() -> (Policy, Backoff) {
    let worker = Worker::default();
    let backoff = Backoff {
        base: worker.backoff_base,
        cap: worker.backoff_cap,
        attempts_max: worker.attempts_max,
    };
    (Policy::new(worker.staleness, worker.staleness_max), backoff)
}

fn hostile(orders: u64) -> Scenario {
    let (policy, backoff) = policy();
    Scenario::hostile(SEED, orders, policy, backoff)
}

fn run(scenario: &Scenario, strategy: Strategy) -> Tally {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    scenario.run(strategy, threads)
}

#[track_caller]
fn assert_true(tally: &Tally, flags: &str) {
    assert!(
        !tally.is_wrong(),
        "{} false states, {} orders wrong at rest, {} stuck; the first:\n{}",
        tally.false_states,
        tally.wrong_at_rest,
        tally.stuck,
        tally
            .failed
            .iter()
            .map(|(index, wrong)| format!(
                "{wrong}: cargo bench --bench rules -- --seed {SEED} --only {index}{flags}\n"
            ))
            .collect::<String>()
    );
}

#[test]
fn no_state_is_false_none_is_wrong_at_rest_and_nothing_is_stuck() {
    let tally = run(&hostile(ORDERS), Strategy::Rules);
    assert_eq!(tally.orders, ORDERS);
    assert_true(&tally, "");
    assert_eq!(tally.too_seldom(), Vec::<String>::new(), "seed {SEED}");
    let fetches = tally.fetches_per_order();
    assert!(fetches <= FETCHES_MAX, "{fetches:.3} fetches per order");
}

#[test]
fn where_every_callback_is_lost_fetches_find_the_truth_in_time() {
    let (policy, backoff) = policy();
    let tally = run(
        &Scenario::without_callbacks(SEED, ORDERS / 10, policy, backoff),
        Strategy::Rules,
    );
    assert!(tally.orders > ORDERS / 20, "{} orders", tally.orders);
    assert_true(&tally, " --without-callbacks");
    let (late, index) = tally.latest;
    let promised = Scenario::UNANNOUNCED_MAX;
    assert!(
        late <= promised,
        "order {index} took {late:?} --without-callbacks"
    );
}

#[test]
fn where_sinch_soon_forgets_claims_are_remembered() {
    let (policy, backoff) = policy();
    let scenario = Scenario::forgetful(SEED, ORDERS / 4, policy, backoff);
    assert_true(&run(&scenario, Strategy::Rules), " --forgetful");
}

#[test]
fn orders_that_fail_alone_are_parked_and_come_back() {
    let (policy, backoff) = policy();
    let scenario = Scenario::failing_alone(SEED, ORDERS / 10, policy, backoff);
    assert_true(&run(&scenario, Strategy::Rules), " --failing-alone");
}

#[test]
fn simpler_rules_fail() {
    for control in Strategy::CONTROLS {
        let (policy, backoff) = policy();
        let scenario = Scenario::of(control, SEED, CONTROL_ORDERS, policy, backoff);
        let tally = run(&scenario, control);
        assert!(tally.is_wrong(), "{} passed", control.name());
    }
}
