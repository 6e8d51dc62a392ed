//! Many orders at once, and a Sinch that fails: nothing is lost, the rate limit holds, and in the end all orders agree
//! with Sinch.

use std::collections::BTreeMap;
use std::time::Duration;

use number_order::{Backoff, Policy, State, Time};
use serde_json::Value;
use sinch_callbacks::clock;
use sinch_callbacks::config::Worker;
use sinch_simulator::simulation::{IncidentRates, Scenario};
use sinch_simulator::{Faults, Outage, Reply, Script, Simulator, World};

use testkit::{
    PATIENCE, PROJECT, Request, Service, Settings, event, folder, id, order_history, play, until,
    within,
};

/// Orders whose confirmed state disagrees with what Sinch knows.
async fn disagreeing(service: &Service, simulator: &Simulator) -> Vec<String> {
    let orders = service.list("/api/v1/orders?limit=1000").await;
    let confirmed: BTreeMap<&str, &str> = orders
        .iter()
        .filter_map(|order| Some((order["order"].as_str()?, order["confirmed"].as_str()?)))
        .collect();
    let truth = simulator.final_states();
    truth
        .iter()
        .filter_map(|(order, state)| {
            let shown = confirmed.get(order.as_str()).copied();
            (shown != Some(state.as_str()))
                .then(|| format!("{order} is {state}, shown as {shown:?}"))
        })
        .collect()
}

/// Waits until every order has the state that Sinch has; fails after [`PATIENCE`].
pub async fn agree(service: &Service, simulator: &Simulator) {
    let open = left_open(service, simulator).await;
    let seed = simulator.world().seed();
    assert!(open.is_empty(), "seed {seed}: {open:#?}");
}

/// Waits until every order has the state that Sinch has, and returns the orders that disagree for too long.
async fn left_open(service: &Service, simulator: &Simulator) -> Vec<String> {
    let agreed = async || {
        let open = disagreeing(service, simulator).await;
        open.is_empty().then_some(())
    };
    match within(PATIENCE, agreed).await {
        Some(()) => Vec::new(),
        None => disagreeing(service, simulator).await,
    }
}

/// Times at which the fetches were sent, by the service's own record: on a busy machine, fetches that were not sent
/// together can arrive together.
async fn sent_fetches(service: &Service) -> Vec<Time> {
    let mut sent_at = Vec::new();
    for order in service.list("/api/v1/orders?limit=1000").await {
        let order = order["order"].as_str().expect("a name");
        let fetches = service.order(order).await["fetches"].take();
        let fetches = fetches.as_array().into_iter().flatten();
        sent_at.extend(fetches.map(|fetch| time(&fetch["fetched_at"])));
    }
    sent_at.sort();
    sent_at
}

fn time(value: &Value) -> Time {
    let time = value.as_str().map(str::parse::<jiff::Timestamp>);
    time.expect("a text").expect("a time").into()
}

/// Maximum number of fetches that were sent within one second.
fn busiest_second(sent_at: &[Time]) -> usize {
    let within = |from: usize| {
        let later = sent_at[from..].iter();
        later
            .take_while(|at| at.since(sent_at[from]) < Duration::from_secs(1))
            .count()
    };
    (0..sent_at.len()).map(within).max().unwrap_or(0)
}

#[tokio::test]
async fn an_outage_of_every_kind_loses_nothing_and_keeps_to_the_rate() {
    const PER_SECOND: usize = 15;
    const MAX_IN_FLIGHT: usize = 4;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let folder = folder();
    let script = Script {
        project: id(PROJECT),
        orders: 40,
        span: Duration::from_secs(3),
        faults: Faults::none(),
    };
    let settings = Settings::new(folder.path())
        .set("sinch.requests_per_second", PER_SECOND)
        .set("sinch.max_in_flight", MAX_IN_FLIGHT)
        .set("sinch.request_timeout_secs", 0.5);
    let (simulator, settings) = play(World::new(seed, &script), settings).await;
    let service = Service::start(&settings).await;
    simulator.set_callback_url(Some(service.callback_url()));
    let outages = [
        Outage::None,
        Outage::Unavailable { retry_after: None },
        Outage::Garbled,
        Outage::Throttled {
            retry_after: Some(Duration::from_secs(1)),
        },
        Outage::Unauthorized,
        Outage::Hang,
    ];
    for outage in outages {
        let (since, works) = (clock::now(), outage == Outage::None);
        let met = format!("{outage:?} to be met");
        simulator.set_outage(outage);
        until(&met, async || {
            let api = service.status().await["api"][PROJECT].take();
            let at = api["last_at"].as_str()?.parse::<jiff::Timestamp>().ok()?;
            (Time::from(at) > since && api["answered"] == works).then_some(())
        })
        .await;
    }
    simulator.played_out().await;
    let stats = simulator.stats();
    assert_eq!(stats.acknowledged, stats.events, "{stats:?}");
    assert_eq!((stats.refused, stats.unanswered), (0, 0), "{stats:?}");
    // An outage of Sinch does not make the service unready.
    service.is_ready().await;

    simulator.set_outage(Outage::None);
    agree(&service, &simulator).await;
    assert_eq!(service.status().await["orders_parked"], 0);
    // The rate limit allows the fetches of a tenth of a second at once. Fetches that it has allowed, and that wait for
    // a commit or a slot, are sent together.
    let most = PER_SECOND + PER_SECOND / 10 + 2 * MAX_IN_FLIGHT;
    let sent_at = sent_fetches(&service).await;
    assert!(sent_at.len() >= script.orders, "{} answers", sent_at.len());
    let busiest = busiest_second(&sent_at);
    assert!(
        busiest <= most,
        "seed {seed}: {busiest} questions in a second"
    );
}

#[tokio::test]
async fn one_probe_at_a_time_finds_out_if_sinch_is_back() {
    const PROBES: usize = 8;
    const MAX_IN_FLIGHT: usize = 4;
    let folder = folder();
    let history = [(0, State::Created), (1, State::InReview)];
    let orders: Vec<String> = (0..20).map(|n| format!("o{n}")).collect();
    let histories = orders.iter().map(|order| order_history(order, &history));
    let settings = Settings::new(folder.path())
        .set("sinch.max_in_flight", MAX_IN_FLIGHT)
        .set_project("auth", "basic");
    let (simulator, settings) = play(World::from_orders(id(PROJECT), histories), settings).await;
    simulator.set_outage(Outage::Unavailable { retry_after: None });
    let service = Service::start(&settings).await;
    for order in &orders {
        let body = event(order, order, "IN_REVIEW", simulator.started_at());
        service.deliver(body).await;
    }
    let opened_at = until("the pause", async || {
        let lines = service.lines();
        let opened = lines.iter().find(|line| line.contains("circuit is open"))?;
        let opened: Value = serde_json::from_str(opened).expect("a line of JSON");
        Some(time(&opened["timestamp"]))
    })
    .await;
    let probes = until("some probes", async || {
        let sent_at = sent_fetches(&service).await.into_iter();
        let after: Vec<Time> = sent_at.filter(|at| *at > opened_at).collect();
        // Each slot may have been about to send a fetch when the circuit opened.
        let probes = after.get(MAX_IN_FLIGHT..)?;
        (probes.len() > PROBES).then(|| probes.to_vec())
    })
    .await;
    let took = probes[PROBES].since(probes[0]);
    // With a cap of one second, a probe waits for at least half a second.
    let least = Duration::from_millis(500) * PROBES as u32;
    assert!(took >= least, "{PROBES} probes in {took:?}");

    simulator.set_outage(Outage::None);
    agree(&service, &simulator).await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_sinchs_touches_nothing() {
    let folder = folder();
    let history = [(0, State::Created), (1, State::InReview)];
    let world = World::from_orders(id(PROJECT), [order_history("o1", &history)]);
    let (simulator, settings) = play(world, Settings::new(folder.path())).await;
    let service = Service::start(&settings).await;
    let body = event("e1", "o1", "IN_REVIEW", simulator.started_at());
    service.deliver(body).await;
    let before = service.settles("o1", "IN_REVIEW").await;

    let order = |project: &str, order: &str| {
        let updated = "2090-01-01T00:00:00Z";
        format!(
            r#"{{"projectId":"{project}","idNumberOrder":"{order}","state":"COMPLETED","updateTime":"{updated}"}}"#
        )
    };
    let bad = [
        (200, order(PROJECT, "o2"), "other-order"),
        (200, order("another-project", "o1"), "other-project"),
        (200, "<html>Please log in</html>".to_owned(), "html"),
        (200, order(PROJECT, "o1")[..60].to_owned(), "not-an-object"),
        (200, String::new(), "not-an-object"),
        (302, order(PROJECT, "o1"), "redirect"),
        (204, String::new(), "other-status"),
        (404, "<h1>404</h1>".to_owned(), "html"),
        (404, "{}".to_owned(), "foreign-not-found"),
        (500, order(PROJECT, "o1"), "server-failed"),
        (409, order(PROJECT, "o1"), "request-not-accepted"),
    ];
    for (status, body, _) in &bad {
        let (status, body) = (*status, body.clone());
        simulator.push_reply(&id("o1"), Reply::Raw { status, body });
    }
    let path = format!("/api/v1/orders/{PROJECT}/o1/fetch");
    let answer = service.send_to_operators(&Request::post(&path, "")).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    // On a busy machine the order can be fetched once more before or between the two fetches.
    let after = service
        .order_when("o1", "an answer after all these", |order| {
            let fetches = order["fetches"].as_array().into_iter().flatten();
            let mut flaws = fetches.map(|fetch| &fetch["outcome"]["fields"]["flaw"]);
            let mut is_found =
                |(_, _, flaw): &(u16, String, &str)| flaws.any(|found| found == flaw);
            bad.iter().all(&mut is_found) && flaws.next().is_some()
        })
        .await;
    for unmoved in [
        "state",
        "confirmed",
        "updated_at",
        "confirmed_at",
        "transitions",
    ] {
        assert_eq!(after[unmoved], before[unmoved], "{unmoved}");
    }
}

/// Maximum staleness of the world's answers.
const STALENESS: Duration = Duration::from_secs(1);

fn hostile() -> Script {
    Script {
        project: id(PROJECT),
        orders: 60,
        span: Duration::from_secs(4),
        faults: Faults {
            delay_max: Duration::from_secs(3),
            staleness: STALENESS,
            young: Duration::from_secs(1),
            reopened: 0.1,
            ..Faults::demo()
        },
    }
}

/// Plays the hostile world of the given seed with the rules alone, for many choices of moments, and returns a failure.
/// `None`: the rules found the truth, each time and soon.
fn wrong_by_the_rules_alone(seed: u64) -> Option<String> {
    const TIMES: u64 = 1000;
    const LATEST: Duration = Duration::from_secs(40);
    let script = hostile();
    let world = World::new(seed, &script);
    let scenario = Scenario {
        seed,
        orders: script.orders as u64,
        span: script.span,
        faults: script.faults,
        crash: 0.0,
        no_time_stamp: 0.0,
        unknown_status: 0.0,
        operator_requests: 0.0,
        clock_off_max: Duration::ZERO,
        incidents: IncidentRates::none(),
        without_callbacks: false,
        policy: Policy::new(STALENESS, STALENESS),
        backoff: Backoff {
            base: Duration::from_millis(100),
            cap: Duration::from_secs(1),
            attempts_max: Worker::default().attempts_max,
        },
    };
    let tally = scenario.replay(&world, TIMES);
    let order = |index: u64| world.orders().nth(index as usize % script.orders);
    let (late, index) = tally.latest;
    let wrong = if late > LATEST {
        format!("{:?} was known {late:?} late", order(index))
    } else {
        let (index, wrong) = tally.failed.first()?;
        format!("{:?}: {wrong}", order(*index))
    };
    Some(wrong)
}

async fn ends_in_agreement(seed: u64) {
    println!("seed {seed}");
    let folder = folder();
    let settings = Settings::new(folder.path())
        .set("worker.staleness_secs", STALENESS.as_secs())
        .set("worker.staleness_max_secs", STALENESS.as_secs())
        .set("sinch.max_in_flight", 8);
    let (simulator, settings) = play(World::new(seed, &hostile()), settings).await;
    let service = Service::start(&settings).await;
    simulator.set_callback_url(Some(service.callback_url()));
    simulator.played_out().await;
    let open = left_open(&service, &simulator).await;
    if !open.is_empty() {
        for line in &open {
            let order = line.split(' ').next().unwrap_or_default();
            println!("{:#}", service.order(order).await);
        }
        println!("{:#}", service.status().await);
        let culprit = match wrong_by_the_rules_alone(seed) {
            Some(wrong) => format!("the rules, which fail alone, too: {wrong}"),
            None => "the service or the test, for the rules alone find the truth".to_owned(),
        };
        panic!("seed {seed}: {open:#?}; at fault: {culprit}");
    }
    let stats = simulator.stats();
    assert_eq!(
        (stats.refused, stats.abandoned),
        (0, 0),
        "seed {seed}: {stats:?}"
    );
    assert!(
        stats.lost > 0 && stats.duplicated > 0 && stats.delayed > 0,
        "seed {seed}: {stats:?}"
    );
}

#[tokio::test]
async fn a_hostile_world_ends_in_agreement() {
    ends_in_agreement(fastrand::u64(..)).await;
}

/// Regressions: an order that is left again within the seconds in which an open state counts as passed on the way to a
/// final one, and a stale answer. With some choice of moments, each of the two was shown wrongly once.
#[tokio::test]
async fn worlds_that_went_wrong_once_end_in_agreement() {
    for seed in [147_815_109_026_830_621] {
        assert_eq!(wrong_by_the_rules_alone(seed), None, "seed {seed}");
        ends_in_agreement(seed).await;
    }
}
