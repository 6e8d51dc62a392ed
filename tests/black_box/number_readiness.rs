//! Numbers of a completed order, followed by the service until they are ready, against the simulator.

use serde_json::{Value, json};
use sinch_numbers::api::{
    Client, NewOrder, NumberType, NumberUpdate, Ordered, SmsSetup, SmsUpdate,
};
use sinch_simulator::ordering::{
    Activation, Call, Failure, Fault, NumberCallbacks, Provisioning, Readings, Silence, Tokens,
    WithoutForm,
};
use sinch_simulator::{Simulator, World};
use testkit::{PROJECT, Service, Settings, folder, id, play};

use crate::played::{NUMBER, client, number};

/// A service, and a simulated Sinch at which an order without a form is completed at once.
struct Played {
    simulator: Simulator,
    service: Service,
    client: Client,
    _folder: tempfile::TempDir,
}

impl Played {
    async fn with(change: impl FnOnce(&mut Readings)) -> Played {
        let folder = folder();
        let world = World::from_orders(id(PROJECT), []);
        let (simulator, settings) = play(world, Settings::new(folder.path())).await;
        let settings = settings
            .set("sinch.requests_per_second", 50.0)
            .set("sinch.request_timeout_secs", 2.0)
            .set("worker.staleness_secs", 1.0)
            .set("worker.staleness_max_secs", 2.0);
        let service = Service::start(&settings).await;
        let mut readings = simulator.ordering().readings();
        readings.tokens = Tokens::Full;
        readings.without_form = WithoutForm::AtOnce;
        readings.activation = Activation::Later;
        readings.provisioning = Provisioning::Succeeds;
        readings.number_callbacks = NumberCallbacks::CarriedOver;
        change(&mut readings);
        simulator.ordering().set_readings(readings);
        let client = client(&simulator);
        Played {
            simulator,
            service,
            client,
            _folder: folder,
        }
    }

    /// Orders the number for text messages with a campaign, and returns the order's id.
    async fn order(&self) -> String {
        let new = NewOrder {
            region_code: "US".to_owned(),
            number_type: NumberType::LOCAL,
            numbers: Ordered::Number(number(NUMBER)),
            sms_configuration: Some(SmsSetup {
                service_plan_id: "the-plan".to_owned(),
                campaign_id: Some("the-campaign".to_owned()),
            }),
            voice_configuration: None,
            callback_url: Some(self.service.callback_url()),
        };
        let created = self.client.create_order(&new).await.expect("an order");
        let order = created
            .content
            .id_number_order
            .text()
            .expect("an id")
            .to_owned();
        let submitted = self.client.submit_order(&id(&order)).await;
        submitted.expect("submitted");
        order
    }

    /// Waits until the order's only number has a readiness, and returns the order.
    async fn when(&self, order: &str, readiness: &str) -> Value {
        self.service
            .order_when(order, readiness, |found| {
                found["readiness"][0]["readiness"]["code"] == readiness
            })
            .await
    }

    fn fetches(&self) -> usize {
        let calls = self.simulator.ordering().calls();
        let fetches = calls
            .iter()
            .filter(|call| call.call == Call::GetActiveNumber);
        fetches.count()
    }
}

#[tokio::test]
async fn events_about_a_number_are_shown_with_its_order_and_it_becomes_ready() {
    let played = Played::with(|_| {}).await;
    let order = played.order().await;
    let ready = played.when(&order, "ready").await;
    let shown = &ready["readiness"][0];
    assert_eq!(shown["phone_number"], NUMBER);
    assert_eq!(shown["since"], shown["ready_at"]);
    assert_eq!(ready["ready_at"], shown["ready_at"]);
    let is_about = |row: &Value| row["decision"]["fields"]["resource"] == NUMBER;
    let with_events = played
        .service
        .order_when(&order, "both events", |found| {
            let deliveries = found["deliveries"].as_array().expect("a list");
            deliveries.iter().filter(|row| is_about(row)).count() == 2
        })
        .await;
    let deliveries = with_events["deliveries"].as_array().expect("a list");
    let event = deliveries
        .iter()
        .find(|row| is_about(row))
        .expect("an event");
    assert_eq!(event["phase"], "recorded");
    assert_eq!(event["decision"]["code"], "other-resource");
    assert_eq!(
        event["decision"]["fields"]["resource_type"],
        "ACTIVE_NUMBER"
    );
    let path = format!("/api/v1/deliveries?order={order}&decision=other-resource");
    let listed = played.service.list(&path).await;
    assert_eq!(listed.len(), 2, "{listed:?}");
    for (readiness, count) in [("ready", 1), ("failed", 0), ("late", 0)] {
        let path = format!("/api/v1/orders?readiness={readiness}");
        assert_eq!(played.service.list(&path).await.len(), count, "{readiness}");
    }
    let refused = played.service.get("/api/v1/orders?readiness=x").await;
    assert_eq!(refused.status, 400, "{refused:?}");
    let status = played.service.status().await;
    let none =
        json!({ "unknown": 0, "not-active": 0, "not-linked": 0, "on-the-way": 0, "failed": 0 });
    assert_eq!(status["numbers_not_ready"], none);
    assert_eq!(status["numbers_late"], 0);
    // The number stays out of the log and the metrics; the order, as the control, is in the log.
    let metrics = played.service.get("/metrics").await.body;
    let metrics = String::from_utf8_lossy(&metrics).into_owned();
    let ended = played.service.kill().await;
    let log = format!("{}{}", ended.out, ended.err);
    let digits = NUMBER.trim_start_matches('+');
    assert!(!log.contains(digits) && !metrics.contains(digits));
    assert!(
        log.contains("\"readiness\":\"ready\"") && log.contains(&order),
        "{log}"
    );
}

#[tokio::test]
async fn without_events_and_in_spite_of_failures_a_number_becomes_ready_by_fetches() {
    let played = Played::with(|readings| {
        readings.number_callbacks = NumberCallbacks::Dropped;
    })
    .await;
    let lost = Some(Fault::RequestLost(Silence::Cut));
    played
        .simulator
        .ordering()
        .push_fault(Call::GetActiveNumber, lost);
    let order = played.order().await;
    let failed = played
        .service
        .order_when(&order, "the failure", |found| {
            !found["readiness"][0]["failure"].is_null()
        })
        .await;
    let shown = &failed["readiness"][0];
    assert_eq!(shown["failure"]["fields"]["endpoint"], "numbers", "{shown}");
    assert_eq!(shown["attempts"], 1);
    let ready = played.when(&order, "ready").await;
    let shown = &ready["readiness"][0];
    assert_eq!(
        (&shown["fetch_at"], &shown["failure"]),
        (&json!(null), &json!(null))
    );
    assert!(played.fetches() > 1);
    let deliveries = ready["deliveries"].as_array().expect("a list");
    assert!(
        deliveries
            .iter()
            .all(|row| row["decision"]["code"] != "other-resource"),
        "no event came"
    );
}

#[tokio::test]
async fn a_failed_link_is_told_with_its_code_and_ready_once_it_is_made() {
    let played = Played::with(|readings| {
        readings.provisioning = Provisioning::FailsOnce;
        readings.failure = Failure::with_code("EXCEEDED_10DLC_LIMIT").expect("a failure");
    })
    .await;
    let order = played.order().await;
    let failed = played.when(&order, "failed").await;
    let shown = &failed["readiness"][0];
    let expected = json!([{ "service": "campaign", "codes": ["EXCEEDED_10DLC_LIMIT"] }]);
    assert_eq!(shown["readiness"]["fields"]["failures"], expected);
    assert_eq!(shown["failures"][0]["try_again"], "afterwards");
    assert_eq!(
        (&shown["ready_at"], &failed["ready_at"]),
        (&json!(null), &json!(null))
    );
    let status = played.service.status().await;
    assert_eq!(status["numbers_not_ready"]["failed"], 1);
    let listed = played.service.list("/api/v1/orders?readiness=failed").await;
    assert_eq!(listed[0]["order"], order.as_str());

    let update = NumberUpdate {
        sms_configuration: SmsUpdate {
            service_plan_id: Some("the-plan".to_owned()),
            campaign_id: Some("the-campaign".to_owned()),
        },
        ..NumberUpdate::default()
    };
    let updated = played
        .client
        .update_active_number(&number(NUMBER), &update)
        .await;
    updated.expect("updated");
    let ready = played.when(&order, "ready").await;
    assert_eq!(ready["ready_at"], ready["readiness"][0]["ready_at"]);
}
