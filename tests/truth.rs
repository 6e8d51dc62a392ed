//! The ordering rule against the model of Sinch, in every test run: `cargo bench --bench truth` does the same
//! at length, and tells the story of an order that went wrong.

use sinch_callbacks::config::Worker;
use sinch_callbacks::order::{BackOff, Rule};
use sinch_callbacks::simulator::trial::{Contender, Course, Tally};

const SEED: u64 = 20_260_101;
const ORDERS: u64 = 100_000;
/// Enough for each control to fail many times.
const CONTROL_ORDERS: u64 = 20_000;
/// Questions per order, without those that only look after it.
const ASKS_MAX: f64 = 3.0;

fn rule() -> (Rule, BackOff) {
    let worker = Worker::default();
    let back_off = BackOff {
        base: worker.backoff_base,
        cap: worker.backoff_cap,
        attempts_max: worker.attempts_max,
    };
    (Rule::new(worker.staleness, worker.staleness_max), back_off)
}

fn hostile(orders: u64) -> Course {
    let (rule, back_off) = rule();
    Course::hostile(SEED, orders, rule, back_off)
}

fn run(course: &Course, contender: Contender) -> Tally {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    course.run(contender, threads)
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
                "{wrong}: cargo bench --bench truth -- --seed {SEED} --only {index}{flags}\n"
            ))
            .collect::<String>()
    );
}

#[test]
fn no_state_is_false_none_is_wrong_at_rest_and_nothing_is_stuck() {
    let tally = run(&hostile(ORDERS), Contender::House);
    assert_eq!(tally.orders, ORDERS);
    assert_true(&tally, "");
    assert_eq!(tally.too_seldom(), Vec::<String>::new(), "seed {SEED}");
    let asks = tally.asks_per_order();
    assert!(asks <= ASKS_MAX, "{asks:.3} questions per order");
}

#[test]
fn where_every_callback_is_lost_looking_finds_the_truth_in_time() {
    let (rule, back_off) = rule();
    let tally = run(
        &Course::deaf(SEED, ORDERS / 10, rule, back_off),
        Contender::House,
    );
    assert!(tally.orders > ORDERS / 20, "{} orders", tally.orders);
    assert_true(&tally, " --deaf");
    let (late, index) = tally.latest;
    let promised = Course::UNHEARD_MAX;
    assert!(late <= promised, "order {index} took {late:?} --deaf");
}

#[test]
fn where_sinch_soon_forgets_what_was_claimed_is_remembered() {
    let (rule, back_off) = rule();
    let course = Course::forgetful(SEED, ORDERS / 4, rule, back_off);
    assert_true(&run(&course, Contender::House), " --forgetful");
}

#[test]
fn orders_that_fail_alone_are_parked_and_come_back() {
    let (rule, back_off) = rule();
    let course = Course::afflicted(SEED, ORDERS / 10, rule, back_off);
    assert_true(&run(&course, Contender::House), " --afflicted");
}

#[test]
fn simpler_rules_fail() {
    for control in Contender::CONTROLS {
        let (rule, back_off) = rule();
        let course = Course::of(control, SEED, CONTROL_ORDERS, rule, back_off);
        let tally = run(&course, control);
        assert!(tally.is_wrong(), "{} passed", control.name());
    }
}
