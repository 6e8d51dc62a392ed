//! `order place`, killed before and after each of its requests, and each of its answers lost: there is one order, and
//! the same command again ends as that order does.

use std::rc::Rc;

use number_order::State;
use sinch_simulator::ordering::{PlacedOrder, Provisioning, Script};
use testkit::{Process, Service, Settings, Signal, folder, run, until};

use crate::interposer::{Harm, Interposer, Point, is_create};
use crate::placed::{NUMBER, Placed, hurried};
use crate::players::play_all;

/// Exit codes that the documentation publishes.
const EXPIRED: Option<i32> = Some(13);
const MAY_BE_CREATED: Option<i32> = Some(14);

/// A service and a Sinch that waste no time, chosen by a seed that is printed.
async fn placed() -> Placed {
    let seed = fastrand::u64(..1 << 40);
    println!("seed {seed}");
    let mut script = Script::by_seed(seed);
    script.readings.provisioning = Provisioning::Succeeds;
    Placed::new(hurried(script)).await
}

/// A form that is placed at a service, beside others.
struct Play<'a> {
    placed: &'a Placed,
    /// Name of the files, and the reference of the form.
    name: String,
    /// Number that the form orders; `None`: Sinch chooses one, and the form is the only one.
    number: Option<String>,
}

impl Play<'_> {
    /// Writes the form and a configuration, and returns the arguments of the command.
    fn arguments(&self, settings: &Settings) -> Vec<String> {
        let text = std::fs::read_to_string(&self.placed.form).expect("a form");
        let (before, rest) = text.split_once("reference = \"").expect("a reference");
        let (_, after) = rest.split_once('"').expect("its end");
        let text = format!("{before}reference = \"{}\"{after}", self.name);
        let text = match &self.number {
            Some(number) => text.replace(NUMBER, number),
            None => text.replace(&format!("number = \"{NUMBER}\""), "quantity = 1"),
        };
        let file = |kind: &str| {
            let file = format!("{}.{kind}", self.name);
            self.placed.folder.path().join(file)
        };
        let (form, config) = (file("form"), file("toml"));
        std::fs::write(&form, text).expect("is written");
        std::fs::write(&config, settings.text()).expect("is written");
        let (form, config) = (form.display().to_string(), config.display().to_string());
        ["--config", &config, "order", "place", &form]
            .map(str::to_owned)
            .into()
    }

    /// Runs the command with one of its requests harmed, kills it where it waits for what is held back, and returns all
    /// its requests.
    async fn harmed(&self, harm: Option<(Point, Harm)>) -> Vec<String> {
        let simulator = &self.placed.simulator;
        let operators = self.placed.service.operators;
        let proxy = Interposer::start(&simulator.api_url(), operators, harm).await;
        let settings = self.placed.settings.clone();
        let settings = settings
            .set("sinch.api_url", proxy.sinch.as_str())
            .set("sinch.token_url", format!("{}/oauth2/token", proxy.sinch))
            .set("operators.listen", proxy.operators.to_string());
        let mut process = Process::start(self.arguments(&settings));
        until("the command to wait or to end", async || {
            (proxy.holds() || !process.is_running()).then_some(())
        })
        .await;
        if process.is_running() {
            process.signal(Signal::KILL);
        }
        process.ended().await;
        proxy.requests()
    }

    /// Returns the orders of the form.
    fn orders(&self) -> Vec<PlacedOrder> {
        let own = |order: &PlacedOrder| {
            let number = self.number.as_ref();
            number.is_none_or(|number| order.numbers.contains(number))
        };
        self.placed.orders().into_iter().filter(own).collect()
    }

    /// Runs the command again until it ends as the order does, of which there must be one. Where nothing tells if there
    /// is one, the reservation is let run out.
    async fn ends(&self) -> Result<State, String> {
        let mut said = Vec::new();
        for _ in 0..30 {
            let ended = run(self.arguments(&self.placed.settings)).await;
            let orders = self.orders();
            let states: Vec<State> = orders.iter().map(|order| order.state).collect();
            match (ended.code, &states[..]) {
                (_, [_, _, ..]) => return Err(format!("{states:?}: {ended:?}")),
                (Some(0), [State::Completed]) => return Ok(State::Completed),
                (EXPIRED, [State::Expired]) => return Ok(State::Expired),
                (MAY_BE_CREATED, [State::Created]) => {
                    let lost = &orders[0].id;
                    self.placed.simulator.ordering().end_reservation(lost);
                    self.placed.service.order_with(lost.as_str(), 1).await;
                }
                (Some(1) | MAY_BE_CREATED, _) => {}
                _ => return Err(format!("{states:?}: {ended:?}")),
            }
            said.push(ended);
        }
        Err(format!("no end: {said:?}"))
    }
}

#[tokio::test]
async fn killed_at_any_request_a_form_is_one_order() {
    let placed = Rc::new(placed().await);
    let unharmed = numbered(&placed, 0);
    let requests = unharmed.harmed(None).await;
    assert_eq!(unharmed.ends().await, Ok(State::Completed));
    // To Sinch and to the service, from the token to the active number.
    assert!(requests.len() > 20, "{requests:#?}");
    // A request that is repeated at once only looks how things stand. What the command knows dies with it, so a request
    // that is held back leaves what the answer before it leaves.
    let differs = |nth: &usize| *nth == 1 || requests[*nth - 1] != requests[*nth - 2];
    let harms = [Harm::AnswerHeldBack, Harm::AnswerLost];
    let points = (1..=requests.len()).filter(differs);
    let points = points.flat_map(|nth| harms.map(|harm| (nth, harm)));
    let points: Vec<_> = points.chain([(1, Harm::HeldBack)]).enumerate().collect();
    println!("{} plays", points.len());
    play_all(points, move |(n, point)| {
        let placed = placed.clone();
        async move { killed_at(&numbered(&placed, n + 2), point).await }
    })
    .await;
}

/// Plays a form of which the n-th request is harmed.
async fn killed_at(play: &Play<'_>, (nth, harm): (usize, Harm)) {
    let requests = play.harmed(Some((Point::Nth(nth), harm))).await;
    let ended = play.ends().await;
    // Only where the answer to the create is lost does nothing tell of the order.
    let harmed = requests.get(nth - 1);
    let end = if harmed.is_some_and(|request| is_create(request)) {
        State::Expired
    } else {
        State::Completed
    };
    assert_eq!(ended, Ok(end), "{nth} {harm:?}: {requests:#?}");
}

/// A form for the n-th number of the stock. There are 200.
fn numbered(placed: &Placed, n: usize) -> Play<'_> {
    Play {
        placed,
        name: format!("form-{n}"),
        number: Some(format!("+61491571{n:03}")),
    }
}

/// A form for a quantity.
fn of_a_quantity(placed: &Placed) -> Play<'_> {
    Play {
        placed,
        name: "quantity".to_owned(),
        number: None,
    }
}

/// A repeated create of a quantity reserves other numbers, so Sinch does not keep it from being placed twice.
#[tokio::test]
async fn killed_around_its_create_a_quantity_is_one_order() {
    let points = [
        // The command has sent no create. Killed, it takes that knowledge with it.
        (Point::Beginning, Harm::AnswerLost, State::Completed),
        (Point::Create, Harm::AnswerHeldBack, State::Expired),
        (Point::Create, Harm::AnswerLost, State::Expired),
        (Point::AfterCreate, Harm::HeldBack, State::Expired),
        (Point::AfterCreate, Harm::AnswerHeldBack, State::Completed),
        (Point::AfterCreate, Harm::AnswerLost, State::Completed),
    ];
    play_all(points, |(point, harm, end)| async move {
        let placed = placed().await;
        let play = of_a_quantity(&placed);
        play.harmed(Some((point, harm))).await;
        assert_eq!(play.ends().await, Ok(end), "{point:?} {harm:?}");
    })
    .await;
}

/// The control of the tests above: what keeps a form from being ordered twice is the journal.
#[tokio::test]
async fn without_the_journal_a_killed_command_orders_twice() {
    let placed = placed().await;
    let play = of_a_quantity(&placed);
    play.harmed(Some((Point::Create, Harm::AnswerHeldBack)))
        .await;
    let again = run(play.arguments(&placed.settings)).await;
    assert_eq!(again.code, MAY_BE_CREATED, "{again:?}");
    assert_eq!(play.orders().len(), 1);
    let folder = folder();
    let elsewhere = folder.path().join("other.db").display().to_string();
    let settings = placed.settings.clone().fix_addresses();
    let settings = settings.set("database.path", elsewhere);
    let _without_journal = Service::start(&settings).await;
    let again = run(play.arguments(&settings)).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(play.orders().len(), 2);
}
