//! Two commands place the order of one form: each goes on from where the other has brought it.

use number_order::State;
use sinch_simulator::ordering::{Call, Fault, Script, Silence, Submitted, Unblocking};
use testkit::{Ended, Process, Settings, until};

use crate::interposer::{Harm, Interposer, Point};
use crate::placed::{Placed, hurried};

const BLOCKED: Option<i32> = Some(11);
const MAY_BE_CREATED: Option<i32> = Some(14);

/// A placement, and a proxy through which one of two commands reaches Sinch and the service.
struct Play {
    placed: Placed,
    proxy: Interposer,
}

impl Play {
    async fn new(seed: u64) -> Play {
        let mut script = hurried(Script::by_seed(seed));
        script.readings.submitted = Submitted::InReview;
        // A registration that is sent to a blocked order begins another review.
        script.readings.unblocking = Unblocking::PutAlone;
        // The time for which a create is waited for, on a busy machine.
        let timeout = |settings: Settings| settings.set("sinch.request_timeout_secs", 8.0);
        let placed = Placed::with(script, timeout).await;
        let operators = placed.service.operators;
        let proxy = Interposer::start(&placed.simulator.api_url(), operators, None).await;
        Play { placed, proxy }
    }

    /// Starts `order place` through the proxy, and waits until the harm is done to one of its requests.
    async fn held(&self, point: Point, harm: Harm) -> Process {
        let settings = self.placed.settings.clone();
        let settings = settings
            .set("sinch.api_url", self.proxy.sinch.as_str())
            .set("operators.listen", self.proxy.operators.to_string())
            .set("sinch.request_timeout_secs", 600);
        let config = self.placed.folder.path().join("held.toml");
        std::fs::write(&config, settings.text()).expect("is written");
        let form = self.placed.form.to_str().expect("a path");
        let config = config.to_str().expect("a path");
        self.proxy.harm_next(point, harm);
        let process = Process::start(["--config", config, "order", "place", form]);
        until("a request to be held", async || {
            self.proxy.holds().then_some(())
        })
        .await;
        process
    }

    async fn released(&self, process: Process) -> Ended {
        self.proxy.release();
        process.ended().await
    }

    fn sent(&self, call: Call) -> usize {
        let calls = self.placed.simulator.ordering().calls();
        calls.iter().filter(|sent| sent.call == call).count()
    }
}

#[tokio::test]
async fn a_step_that_is_refused_since_the_order_has_moved_on_is_no_failure() {
    for (point, seed) in [(Point::Registration, 51), (Point::Upload, 52)] {
        let play = Play::new(seed).await;
        let held = play.held(point, Harm::HeldBack).await;
        let other = play.placed.place(&[]).await;
        assert_eq!(other.code, Some(0), "{other:?}");
        let ended = play.released(held).await;
        assert_eq!(ended.code, Some(0), "{point:?}: {ended:?}");
        assert!(ended.out.contains("not CREATED any more"), "{ended:?}");
        assert_eq!(play.placed.only_order().state, State::Completed);
    }
}

/// Without a look after the outage the data of a blocked order would be sent once more, which only `order fix` does.
#[tokio::test]
async fn after_an_outage_of_the_service_no_step_is_taken_that_is_out_of_date() {
    let play = Play::new(53).await;
    play.placed.replace("Delivery notices", "BLOCK-ONCE");
    let form = play.placed.form.to_str().expect("a path");
    let created = play.placed.run(&["order", "create", form]).await;
    assert_eq!(created.code, Some(0), "{created:?}");
    let held = play.held(Point::Beginning, Harm::LostOnceReleased).await;
    let other = play.placed.place(&[]).await;
    assert_eq!(other.code, BLOCKED, "{other:?}");
    let registered = play.sent(Call::PutRegistration);
    let ended = play.released(held).await;
    assert_eq!(ended.code, BLOCKED, "{ended:?}");
    assert_eq!(play.sent(Call::PutRegistration), registered, "{ended:?}");
    assert_eq!(play.placed.only_order().state, State::Blocked);
}

#[tokio::test]
async fn of_two_commands_at_once_one_creates_the_order_and_both_place_it() {
    for (point, seed) in [(Point::Beginning, 54), (Point::Availability, 55)] {
        let play = Play::new(seed).await;
        let held = play.held(point, Harm::HeldBack).await;
        let other = play.placed.place(&["--no-wait"]).await;
        assert!(matches!(other.code, Some(0 | 10)), "{other:?}");
        let ended = play.released(held).await;
        assert_eq!(ended.code, Some(0), "{point:?}: {ended:?}");
        assert_eq!(play.placed.only_order().state, State::Completed);
    }
}

#[tokio::test]
async fn a_create_that_another_command_is_at_is_waited_for() {
    let play = Play::new(56).await;
    let held = play.held(Point::Create, Harm::AnswerHeldBack).await;
    // The other command ends after the time for a request, which is short here.
    let other = play.placed.place(&[]).await;
    assert_eq!(other.code, MAY_BE_CREATED, "{other:?}");
    for said in [
        "another command may be creating the order right now",
        "then the same command again goes on",
    ] {
        assert!(other.out.contains(said), "{said}: {other:?}");
    }
    let ended = play.released(held).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let again = play.placed.place(&[]).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    play.placed.only_order();
}

/// The journal refuses the second create, and what became of the first is not known.
#[tokio::test]
async fn a_create_that_was_begun_meanwhile_and_lost_is_doubted() {
    let play = Play::new(57).await;
    let held = play.held(Point::Beginning, Harm::HeldBack).await;
    let lost = Some(Fault::AnswerLost(Silence::Cut));
    let ordering = play.placed.simulator.ordering();
    ordering.push_fault(Call::CreateOrder, lost);
    let other = play.placed.place(&[]).await;
    assert_eq!(other.code, MAY_BE_CREATED, "{other:?}");
    let form = play.placed.form.to_str().expect("a path");
    // The held command has a long time for its requests, so it is not waited for.
    play.proxy.release();
    until("the words of the held command", async || {
        let said = held.said();
        said.contains("an earlier create has no known outcome")
            .then_some(())
    })
    .await;
    drop(held);
    let again = play.placed.run(&["order", "place", form]).await;
    assert_eq!(again.code, MAY_BE_CREATED, "{again:?}");
    play.placed.only_order();
}
