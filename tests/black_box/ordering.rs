//! The commands that call Sinch themselves, against the simulator: regions, searches, numbers, and Sinch's reasons.

use serde_json::{Value, json};
use sinch_numbers::api::{
    Access, Auth, Client, NewOrder, NumberType, NumberUpdate, Ordered, PhoneNumber, Quantity,
    SmsSetup,
};
use sinch_simulator::ordering::{
    Activation, Call, Failure, Fault, NumberCallbacks, Provisioning, Readings, Tokens, Verdict,
    WithoutForm,
};
use sinch_simulator::{Simulator, World};

use testkit::{
    Ended, KEY_ID, KEY_SECRET, PATH, PROJECT, SECRET, Service, Settings, folder, id, play, run,
    until,
};

/// A number of the simulator's stock.
const NUMBER: &str = "+12015550100";

/// A simulated Sinch, and the program's configuration for it.
struct Played {
    simulator: Simulator,
    settings: Settings,
    client: Client,
    _folder: tempfile::TempDir,
}

impl Played {
    /// Plays a Sinch at which an order without a form is completed at once, with these readings of the rest.
    async fn with(change: impl FnOnce(&mut Readings)) -> Played {
        let folder = folder();
        let world = World::from_orders(id(PROJECT), []);
        let (simulator, settings) = play(world, Settings::new(folder.path())).await;
        let mut readings = simulator.ordering().readings();
        readings.tokens = Tokens::Full;
        readings.without_form = WithoutForm::AtOnce;
        readings.activation = Activation::AtOnce;
        readings.provisioning = Provisioning::Succeeds;
        readings.quantity = sinch_simulator::ordering::Quantity::All;
        change(&mut readings);
        simulator.ordering().set_readings(readings);
        let client = client(&simulator);
        Played {
            simulator,
            settings,
            client,
            _folder: folder,
        }
    }

    /// Runs a command.
    async fn run(&self, arguments: &[&str]) -> Ended {
        let config = self.settings.write().display().to_string();
        run(["--config", &config].iter().chain(arguments)).await
    }

    /// Runs a command, which must end well, and returns its output.
    async fn output(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments).await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        ended.out
    }

    /// Runs a command, which must end well, and returns the JSON that it prints.
    async fn json(&self, arguments: &[&str]) -> Value {
        let output = self.output(arguments).await;
        serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"))
    }

    /// Orders numbers, submits the order, and returns its id.
    async fn order(&self, order: NewOrder) -> number_order::Id {
        let created = self.client.create_order(&order).await.expect("an order");
        let order = id(created.content.id_number_order.text().expect("an id"));
        self.client.submit_order(&order).await.expect("submitted");
        order
    }
}

fn client(simulator: &Simulator) -> Client {
    let url = |text: String| text.parse().expect("a URL");
    let minute = std::time::Duration::from_secs(60);
    let access = Access {
        api_url: url(simulator.api_url()),
        auth: Auth::OAuth2 {
            token_url: url(simulator.token_url()),
        },
        key_id: KEY_ID.to_owned(),
        key_secret: KEY_SECRET.to_owned().into(),
        request_timeout: minute,
        connect_timeout: minute,
        answer_max_bytes: 1 << 20,
        proxy_from_environment: false,
    };
    Client::new(id(PROJECT), access).expect("a client")
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::new(text).expect("a number")
}

fn new_order(region: &str, number_type: NumberType, numbers: Ordered) -> NewOrder {
    NewOrder {
        region_code: region.to_owned(),
        number_type,
        numbers,
        sms_configuration: None,
        voice_configuration: None,
        callback_url: None,
    }
}

fn one_us() -> NewOrder {
    new_order("US", NumberType::LOCAL, Ordered::Number(number(NUMBER)))
}

fn several(region: &str, number_type: NumberType, requested_quantity: u32) -> NewOrder {
    let quantity = Quantity {
        requested_quantity,
        number_pattern: None,
        sequential: None,
        capabilities: Vec::new(),
    };
    new_order(region, number_type, Ordered::Quantity(quantity))
}

#[tokio::test]
async fn regions_are_listed() {
    let played = Played::with(|_| {}).await;
    assert_eq!(
        played.output(&["order", "regions"]).await,
        "REGION  NAME            TYPES\n\
         AU      Australia       MOBILE\n\
         GB      United Kingdom  MOBILE\n\
         SE      Sweden          LOCAL\n\
         US      United States   LOCAL, TOLL_FREE"
    );
    let toll_free = ["order", "regions", "--type", "toll-free"];
    assert_eq!(
        played.output(&toll_free).await,
        "REGION  NAME           TYPES\nUS      United States  TOLL_FREE"
    );
    let json = played.json(&["order", "regions", "--json"]).await;
    assert_eq!(json["availableRegions"][0]["regionCode"], "AU");
}

#[tokio::test]
async fn a_search_shows_prices_and_reserves_nothing() {
    let played = Played::with(|_| {}).await;
    let pattern = ["--pattern", "+61491571007", "--starts"];
    let search = ["order", "search", "au", "mobile"];
    let few = ["--size", "5", "--capability", "sms"];
    let found = played.output(&[&search[..], &few].concat()).await;
    assert_eq!(
        found.lines().count(),
        7,
        "heads, numbers, a last line: {found}"
    );
    let found = played.output(&[&search[..], &pattern].concat()).await;
    assert_eq!(
        found,
        "NUMBER        TYPE    CAPABILITIES  SET-UP    MONTHLY   PAID EVERY\n\
         +61491571007  MOBILE  SMS           1.00 EUR  3.50 EUR  month\n\
         A search reserves no number, and the next one may find others."
    );
    let json = played
        .json(&[&search[..], &pattern, &["--json"]].concat())
        .await;
    assert_eq!(json["availableNumbers"][0]["phoneNumber"], "+61491571007");

    let nothing = played
        .output(&[&search[..], &["--capability", "VOICE"]].concat())
        .await;
    assert!(
        nothing.starts_with("No MOBILE number of region AU"),
        "{nothing}"
    );

    let starts = played
        .run(&[&search[..], &["--pattern", "61491571007", "--starts"]].concat())
        .await;
    assert_eq!(starts.code, Some(0), "{starts:?}");
    assert!(starts.err.contains("write +61491571007"), "{starts:?}");
    let ends = played
        .run(&[&search[..], &["--pattern", "571007", "--ends"]].concat())
        .await;
    assert!(
        ends.err.is_empty() && ends.out.contains("+61491571007"),
        "{ends:?}"
    );

    for bad in [
        &["order", "search", "AUS", "MOBILE"][..],
        &["order", "search", "AU", "MOBILE", "--pattern", "61"],
        &["order", "search", "AU", "MOBILE", "--starts"],
        &[
            "order",
            "search",
            "AU",
            "MOBILE",
            "--pattern",
            "+61 4",
            "--starts",
        ],
        &["order", "search", "AU", "MOBILE", "--size", "0"],
    ] {
        assert_eq!(played.run(bad).await.code, Some(2), "{bad:?}");
    }
}

/// A user who may order numbers need not be able to read the secrets of callbacks, nor the database.
#[tokio::test]
async fn a_command_needs_the_addresses_and_the_key_alone() {
    let mut played = Played::with(|_| {}).await;
    played.settings = played
        .settings
        .unset_project("secrets")
        .set_project("secrets_file", "/nowhere/secrets")
        .set("database.path", "/nowhere/service.db")
        .set("log.filter", "=loud=");
    played.output(&["order", "regions"]).await;

    played.settings = played.settings.add_project("second", "/second", SECRET);
    let ended = played.run(&["order", "regions"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let both = format!("{PROJECT}, second");
    assert!(ended.err.contains(&both), "{ended:?}");
    played
        .output(&["order", "regions", "--project", PROJECT])
        .await;
    let ended = played
        .run(&["order", "regions", "--project", "nobodys"])
        .await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.err.contains("\"nobodys\"") && ended.err.contains(&both),
        "{ended:?}"
    );
    let ended = played
        .run(&["order", "regions", "--project", "second"])
        .await;
    assert_eq!(ended.code, Some(78), "{ended:?}");
    assert!(ended.err.contains("second has api = \"off\""), "{ended:?}");

    played.settings = played.settings.unset_project("key_id");
    let ended = played
        .run(&["order", "regions", "--project", PROJECT])
        .await;
    assert_eq!(ended.code, Some(78), "{ended:?}");
    assert!(ended.err.contains("projects[0].key_id"), "{ended:?}");
}

#[tokio::test]
async fn a_refusal_is_told_with_its_cure() {
    let played = Played::with(|_| {}).await;
    played
        .simulator
        .ordering()
        .push_fault(Call::ListRegions, Some(Fault::Forbidden));
    let ended = played.run(&["order", "regions"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.err.contains("check that the access key has a right")
            && ended.err.contains("\n  Sinch "),
        "{ended:?}"
    );
    let ended = played.run(&["numbers", "show", NUMBER]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("not active, or not yet"), "{ended:?}");
}

#[tokio::test]
async fn all_pages_of_the_projects_numbers_are_listed() {
    let played = Played::with(|_| {}).await;
    assert_eq!(
        played.output(&["numbers", "list"]).await,
        "The project has no number that fits."
    );
    played.order(several("US", NumberType::LOCAL, 60)).await;
    played.order(several("GB", NumberType::MOBILE, 60)).await;
    let list = until("120 numbers", async || {
        let list = played.output(&["numbers", "list"]).await;
        (list.lines().count() == 121).then_some(list)
    })
    .await;
    let calls = played.simulator.ordering().calls();
    let pages = calls
        .iter()
        .filter(|call| call.call == Call::ListActiveNumbers);
    assert!(pages.count() > 1, "there is a second page");
    let heads = list.lines().filter(|line| line.starts_with("NUMBER"));
    assert_eq!(heads.count(), 1, "{list}");
    let us = played.output(&["numbers", "list", "--region", "US"]).await;
    assert_eq!(us.lines().count(), 61);
    let json = played.json(&["numbers", "list", "--json"]).await;
    let numbers = json["activeNumbers"].as_array().expect("a list");
    let numbers: std::collections::BTreeSet<&str> = numbers
        .iter()
        .filter_map(|number| number["phoneNumber"].as_str())
        .collect();
    assert_eq!(numbers.len(), 120);

    // A second page that does not come must not pass for the end.
    let ordering = played.simulator.ordering();
    ordering.push_fault(Call::ListActiveNumbers, None);
    ordering.push_fault(Call::ListActiveNumbers, Some(Fault::Throttled));
    let ended = played.run(&["numbers", "list", "--json"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        serde_json::from_str::<Value>(&ended.out).is_err(),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_number_shows_its_services_and_where_its_callbacks_go() {
    let failure = Failure::with_code("EXCEEDED_10DLC_LIMIT").expect("a failure");
    let played = Played::with(|readings| {
        readings.provisioning = Provisioning::FailsOnce;
        readings.failure = failure;
        readings.number_callbacks = NumberCallbacks::CarriedOver;
    })
    .await;
    let mut order = one_us();
    order.sms_configuration = Some(SmsSetup {
        service_plan_id: "the-plan".to_owned(),
        campaign_id: Some("the-campaign".to_owned()),
    });
    order.callback_url = Some(format!("http://127.0.0.1:9{PATH}"));
    played.order(order).await;
    let shown = until("the failure", async || {
        let ended = played.run(&["numbers", "show", NUMBER]).await;
        ended
            .out
            .contains("EXCEEDED_10DLC_LIMIT")
            .then_some(ended.out)
    })
    .await;
    let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "text messages ready: the-plan",
        "10DLC campaign failed: the-campaign",
        "calls not linked",
        "EXCEEDED_10DLC_LIMIT: the campaign has too many numbers. Does trying again help? afterwards:",
        "text messages to the US are presumably still blocked",
        "callbacks: the path is this project's in the configuration",
    ] {
        assert!(words.contains(expected), "{expected}: {shown}");
    }
    let json = played.json(&["numbers", "show", NUMBER, "--json"]).await;
    assert_eq!(json["number"]["phoneNumber"], NUMBER);
    assert_eq!(json["services"][1]["state"], "failed");
    assert_eq!(json["failures"][0]["try_again"], "afterwards");

    let update = NumberUpdate {
        display_name: Some("till\u{1b}[2J\u{9b}7".to_owned()),
        callback_url: Some("https://other.example/elsewhere".to_owned()),
        ..NumberUpdate::default()
    };
    let updated = played
        .client
        .update_active_number(&number(NUMBER), &update)
        .await;
    updated.expect("updated");
    for command in [&["numbers", "show", NUMBER][..], &["numbers", "list"]] {
        let json = played.output(&[command, &["--json"]].concat()).await;
        for shown in [played.output(command).await, json] {
            assert!(shown.contains("till"), "{shown:?}");
            assert!(!shown.contains(['\u{1b}', '\u{9b}']), "{shown:?}");
        }
    }
    let shown = played.output(&["numbers", "show", NUMBER]).await;
    assert!(shown.contains("not the path of this project"), "{shown}");
}

#[tokio::test]
async fn a_number_is_released_only_with_yes() {
    let played = Played::with(|_| {}).await;
    played.order(one_us()).await;
    until("the number", async || {
        let ended = played.run(&["numbers", "show", NUMBER]).await;
        (ended.code == Some(0)).then_some(())
    })
    .await;
    let releases = || {
        let calls = played.simulator.ordering().calls();
        calls
            .iter()
            .filter(|call| call.call == Call::ReleaseActiveNumber)
            .count()
    };
    let said = played.output(&["numbers", "release", NUMBER]).await;
    assert!(
        said.starts_with("A release is no undo: +12015550100 stays"),
        "{said}"
    );
    assert!(
        said.ends_with("Nothing is done; with --yes the number is released."),
        "{said}"
    );
    let json = played.json(&["numbers", "release", NUMBER, "--json"]).await;
    assert_eq!((&json["released"], releases()), (&false.into(), 0));
    let said = played
        .output(&["numbers", "release", NUMBER, "--yes"])
        .await;
    assert!(
        said.starts_with("A release is no undo") && said.contains("\nReleased; "),
        "{said}"
    );
    assert_eq!(releases(), 1);
    let shown = played.output(&["numbers", "show", NUMBER]).await;
    assert!(shown.contains("the number was released"), "{shown}");
    assert!(shown.contains("no URL is set"), "{shown}");
    let json = played
        .json(&["numbers", "release", NUMBER, "--yes", "--json"])
        .await;
    assert_eq!(json["released"], true);
    assert_eq!(json["number"]["expireAt"], json["number"]["nextChargeDate"]);
}

#[tokio::test]
async fn an_order_is_shown_with_sinchs_reasons_only_on_request() {
    let mut played = Played::with(|readings| readings.without_form = WithoutForm::Later).await;
    played.simulator.ordering().push_verdict(Verdict::Blocked);
    let order = played.order(one_us()).await;
    let service = Service::start(&played.settings).await;
    played.settings = played
        .settings
        .set("operators.listen", service.operators.to_string());
    until("the review", async || {
        let found = played.client.get_order(&order).await.expect("an answer");
        (found.content.state.text() == Some("BLOCKED")).then_some(())
    })
    .await;
    let order = order.as_str();
    let ended = played.run(&["order", "show", order]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("not shown: "), "{ended:?}");

    played.output(&["watch", order]).await;
    service.settles(order, "BLOCKED").await;
    let shown = played.output(&["order", "show", order]).await;
    for expected in [
        order,
        "BLOCKED, confirmed by Sinch at ",
        NUMBER,
        "With --reasons",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    assert!(!shown.contains("Dear"), "{shown}");
    let json = played.json(&["order", "show", order, "--json"]).await;
    assert_eq!(json["order"]["state"], "BLOCKED");
    assert_eq!(json.get("logs"), None);

    let shown = played
        .output(&["order", "show", order, "--project", PROJECT, "--reasons"])
        .await;
    for expected in [
        "\n  Dear customer,\n  Something in this registration",
        "lists no document",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let json = played
        .json(&["order", "show", order, "--reasons", "--json"])
        .await;
    let message = json["logs"][0]["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("Dear customer,\n"), "{json}");
    assert_eq!(json["attachments"], json!([]));

    let log = service.said();
    assert!(!log.contains("Dear"), "{log}");
    let ended = played.run(&["order", "show", "a/b"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
}

/// A user of the simulator sees which of the ways that Sinch leaves open are played.
#[tokio::test]
async fn simulate_says_which_readings_hold() {
    let process = testkit::Process::start(["simulate", "--listen", "127.0.0.1:0", "--orders", "1"]);
    until("the readings", async || {
        let said = process.said();
        let is_said = |words: &str| said.contains(words);
        let all = Readings::by_seed(1).to_string();
        (is_said("leaves open") && all.lines().all(is_said)).then_some(())
    })
    .await;
    process.stop_well().await;
}
