//! The commands that order numbers, under each reading of what Sinch's documentation leaves open.
//!
//! The clients that take one reading for granted, and fail under another, are in the simulator's own tests.

use number_order::State;
use sinch_simulator::ordering::{
    Call, Expiring, Failure, Fault, PlacedOrder, Provisioning, Quantity, Readings, Script, Silence,
    Step,
};
use testkit::{Ended, until};

use crate::placed::{NUMBER, Placed, hurried};
use crate::players::play_all;

/// Links for text messages, for a campaign and for calls, as a form orders them.
const LINKS: &str = r#"[order.sms]
service_plan_id = "plan"
campaign_id = "campaign"
[order.voice]
type = "RTC"
app_id = "app"
"#;

/// Returns readings that are each the n-th of its question, or one of the first where there are fewer. So the plays from
/// 0 on have every reading.
fn nth(n: usize) -> Readings {
    let start = Readings::by_seed(0);
    let questions = start.list();
    questions.iter().fold(start, |readings, (question, _)| {
        let other = readings.with(question, n % count(question));
        other.expect("a reading")
    })
}

/// Returns the number of readings of a question.
fn count(question: &str) -> usize {
    let start = Readings::by_seed(0);
    let all = (0..Readings::total()).filter_map(|n| start.with(question, n));
    all.count()
}

/// Returns the number of plays that have every reading.
fn plays() -> usize {
    let questions = Readings::by_seed(0).list();
    let counts = questions.iter().map(|(question, _)| count(question));
    counts.max().unwrap_or_default()
}

/// A service and a simulated Sinch, with a form from which others are made.
pub struct Play {
    placed: Placed,
    readings: Readings,
}

impl Play {
    pub async fn new(mut script: Script) -> Play {
        script.upload_max_bytes = 1000;
        let readings = script.readings.clone();
        Play {
            placed: Placed::new(hurried(script)).await,
            readings,
        }
    }

    /// Places orders that meet every open question. Each must end as the simulated Sinch has it, and the service must
    /// know.
    pub async fn ends_right(&self) {
        tokio::join!(self.fixes(), self.needs_no_form(), self.searches());
        tokio::join!(
            self.refuses_in_words(),
            self.blocked_orders_expire_or_not(),
            self.a_large_file_is_named(),
        );
        self.several_numbers_can_be_fewer().await;
        self.a_lost_create_is_heard_of().await;
        self.the_service_knows().await;
    }

    async fn runs(&self, arguments: &[&str], codes: &[i32]) -> Ended {
        let ended = self.placed.run(arguments).await;
        let code = ended.code.expect("an exit code");
        assert!(
            codes.contains(&code),
            "{arguments:?}: {:?}: {ended:?}",
            self.readings
        );
        ended
    }

    /// Writes another form like the first, with a name and a number of its own, and returns its path.
    fn another(&self, name: &str, number: &str, change: impl Fn(String) -> String) -> String {
        let text = std::fs::read_to_string(&self.placed.form).expect("a form");
        let text = text.replace("reference = \"", &format!("reference = \"{name}-"));
        let text = change(text.replace(NUMBER, number));
        let path = self.placed.form.with_file_name(format!("{name}.toml"));
        std::fs::write(&path, text).expect("is written");
        path.display().to_string()
    }

    fn order_of(&self, number: &str) -> PlacedOrder {
        let orders = self.placed.orders();
        let mut of_it = orders
            .into_iter()
            .filter(|order| order.numbers.iter().any(|one| one == number));
        of_it.next().expect("an order of the number")
    }

    async fn searches(&self) {
        for (place, finds) in [("--contains", true), ("--starts", false)] {
            let search = ["order", "search", "AU", "MOBILE", "--pattern", "571", place];
            let found = self.runs(&search, &[0]).await;
            assert_eq!(found.out.contains("+61491571"), finds, "{found:?}");
        }
    }

    /// An order with failures on the way is blocked, corrected and completed, and its number works or says why not.
    async fn fixes(&self) {
        let number = "+61491571010";
        let ordering = self.placed.simulator.ordering();
        for (call, fault) in [
            (Call::GetOrder, Fault::Throttled),
            (Call::PutRegistration, Fault::Broken(503)),
            (Call::UploadAttachment, Fault::Broken(500)),
            (Call::SubmitOrder, Fault::AnswerBroken(502)),
        ] {
            ordering.push_fault(call, Some(fault));
        }
        let linked = |text: String| text.replacen("#[order.sms]", LINKS, 1);
        let form = self.another("fixed", number, |text| {
            linked(text).replace("Delivery", "BLOCK-ONCE")
        });
        self.runs(&["order", "place", &form], &[11]).await;
        let form = self.another("fixed", number, linked);
        let order = self.order_of(number).id.to_string();
        let fixed = self
            .runs(&["order", "fix", &order, "--form", &form], &[0, 1])
            .await;
        assert_eq!(self.order_of(number).state, State::Completed);
        let works = self.readings.provisioning == Provisioning::Succeeds;
        assert_eq!(
            fixed.code == Some(0),
            works,
            "{:?}: {fixed:?}",
            self.readings
        );
        if works {
            assert!(
                fixed.out.contains(&format!(
                    "{number} is ready for text messages, 10DLC campaign and calls"
                )),
                "{fixed:?}"
            );
        } else {
            assert!(fixed.err.contains("failed"), "{fixed:?}");
            // A link for calls has no codes.
            let has_code = self.readings.failure.step != Step::Voice;
            let says = fixed.err.contains("Does trying again help?");
            assert_eq!(says, has_code, "{fixed:?}");
        }
        // The number cannot be had a second time.
        let taken = self.another("taken", number, |text| text);
        let refused = self.runs(&["order", "place", &taken], &[1]).await;
        assert!(refused.err.contains("cannot be had"), "{refused:?}");
    }

    async fn needs_no_form(&self) {
        let number = "+447700900001";
        let form = self
            .placed
            .form
            .with_file_name("gb.toml")
            .display()
            .to_string();
        let write = [
            "order",
            "requirements",
            "GB",
            "MOBILE",
            "--form",
            &form,
            "--number",
            number,
        ];
        self.runs(&write, &[0]).await;
        let placed = self.runs(&["order", "place", &form], &[0]).await;
        assert!(
            placed.out.contains(&format!("{number} is active; nothing")),
            "{placed:?}"
        );
    }

    /// What Sinch refuses is named, and repeated by no log.
    async fn refuses_in_words(&self) {
        let number = "+61491571011";
        let form = self.another("refused", number, |text| {
            text.replace("\"2000\"", "\"WRONG\"")
        });
        let good = self.another("expired", number, |text| text);
        self.runs(&["order", "create", &good], &[0]).await;
        let order = self.order_of(number).id;
        let form = {
            // The form is the same but for the registration.
            let text = std::fs::read_to_string(&form).expect("a form");
            std::fs::write(&form, text.replace("refused-", "expired-")).expect("is written");
            form
        };
        let register = ["order", "register", order.as_str(), "--form", &form];
        let refused = self.runs(&register, &[1]).await;
        assert!(refused.err.contains("postalCode"), "{refused:?}");
        // Nothing was submitted, so the reservation runs out.
        self.placed.simulator.ordering().end_reservation(&order);
        self.runs(&["order", "place", &good], &[13]).await;
    }

    async fn blocked_orders_expire_or_not(&self) {
        let number = "+61491571012";
        let form = self.another("blocked", number, |text| {
            text.replace("Delivery", "BLOCK-ALWAYS")
        });
        self.runs(&["order", "place", &form], &[11]).await;
        self.placed
            .simulator
            .ordering()
            .end_reservation(&self.order_of(number).id);
        let code = match self.readings.expiring {
            Expiring::Unsubmitted => 11,
            Expiring::BlockedToo => 13,
        };
        self.runs(&["order", "place", &form], &[code]).await;
    }

    async fn a_large_file_is_named(&self) {
        let large = self.placed.form.with_file_name("large.pdf");
        std::fs::write(&large, ["%PDF-1.4\n", &"x".repeat(2000)].concat()).expect("is written");
        let form = self.another("large", "+61491571013", |text| {
            text.replace("ZQX-FILE", "large")
        });
        let refused = self.runs(&["order", "place", &form], &[1]).await;
        assert!(refused.err.contains("too large"), "{refused:?}");
    }

    async fn several_numbers_can_be_fewer(&self) {
        let number = "+61491571014";
        let known = self.placed.orders().len();
        let form = self.another("several", number, |text| {
            text.replace(&format!("number = \"{number}\""), "quantity = 2")
        });
        self.runs(&["order", "place", &form, "--no-wait"], &[0, 10])
            .await;
        let orders = self.placed.orders();
        assert_eq!(orders.len(), known + 1);
        let numbers = match self.readings.quantity {
            Quantity::All => 2,
            Quantity::Fewer => 1,
        };
        let most = orders.iter().map(|order| order.numbers.len()).max();
        assert_eq!(most, Some(numbers), "{orders:?}");
    }

    /// The answer of a create is lost, and its callback names the order. The number stays reserved.
    async fn a_lost_create_is_heard_of(&self) {
        let number = "+61491571015";
        let form = self.another("lost", number, |text| text);
        let ordering = self.placed.simulator.ordering();
        let lost = Some(Fault::AnswerLost(Silence::Cut));
        ordering.push_fault(Call::CreateOrder, lost);
        let place = ["order", "place", &form];
        self.runs(&place, &[14]).await;
        // Sinch refuses a create for a number that is reserved.
        let at_risk = [&place[..], &["--risk-second-order"]].concat();
        self.runs(&at_risk, &[14]).await;
        let order = self.order_of(number).id;
        ordering.end_reservation(&order);
        self.placed.service.order_with(order.as_str(), 1).await;
        self.runs(&place, &[13]).await;
    }

    /// Waits until the service has confirmed the true state of every order.
    async fn the_service_knows(&self) {
        until("the service to know", async || {
            for order in self.placed.orders() {
                let known = self.placed.service.order(order.id.as_str()).await;
                if known["confirmed"] != order.state.as_str() {
                    return None;
                }
            }
            Some(())
        })
        .await;
    }
}

#[tokio::test]
async fn under_each_reading_the_commands_end_right() {
    let plays = plays();
    assert!(plays >= 2, "{plays}");
    play_all(0..plays, |n| async move {
        let mut script = Script::by_seed(n as u64);
        script.readings = nth(n);
        script.readings.failure = Failure::with_code("SMS_PROVISIONING_FAILED").expect("a code");
        Play::new(script).await.ends_right().await;
    })
    .await;
}
