//! The document of the operators' API against the running service: programs of others read it, and the service must do what
//! it says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use number_order::State::{Completed, Created, InReview};
use serde_json::{Value, json};
use sinch_simulator::{Reply, Simulator, World};
use testkit::postgres::{Server, ServerOptions};
use testkit::{PROJECT, Request, Service, Settings, Target, event, folder, id, order_history};
use testkit::{play, until};

use super::python;

/// Finds what the service answers that the document does not say, and the other way round.
const CHECKER: &str = "schemathesis==4.32.5";

/// Makes a client in Python from the document.
const GENERATOR: &str = "openapi-python-client==0.29.1";

const TOKEN: &str = "a-token-of-the-operators-for-a-test";

/// The document on file.
fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json")
}

/// A service that has something of everything: orders, one of them parked, callbacks that were not understood, and
/// notifications that a target refuses.
struct Played {
    service: Service,
    deliveries: Vec<i64>,
    _simulator: Simulator,
    _target: Target,
}

async fn with_everything(settings: Settings) -> Played {
    let history = [(0, Created), (1, InReview), (2, Completed)];
    let orders = ["o1", "o2", "o3", "o4"].map(|order| order_history(order, &history));
    let target = Target::start(|_, _| testkit::target::Reply::status(422)).await;
    let settings = settings
        .set("operators.token", TOKEN)
        .set("worker.attempts_max", 1)
        .add_target("crm", &target.url())
        .set_target("retry_waits_secs", json!([0.1]));
    let (simulator, settings) = play(World::from_orders(id(PROJECT), orders), settings).await;
    simulator.push_reply(&id("o2"), Reply::ServerError { status: 500 });
    let service = Service::start(&settings).await;
    let said_at = simulator.started_at();
    for (event_id, order) in [("e1", "o1"), ("e2", "o2"), ("e3", "o3"), ("e4", "o4")] {
        service
            .deliver(event(event_id, order, "COMPLETED", said_at))
            .await;
    }
    service.deliver("no JSON").await;
    service.deliver(r#"{"eventId":"e5"}"#).await;
    let parked = until("what is parked", async || {
        let parked = get(&service, "/api/v1/parked").await;
        let orders = get(&service, "/api/v1/orders?parked=true").await;
        let notifications = get(&service, "/api/v1/notifications?phase=parked").await;
        let is_there = [&orders, &notifications].map(|list| list["items"][0].is_object());
        (is_there == [true; 2] && parked["items"][1].is_object()).then_some(parked)
    })
    .await;
    let parked = parked["items"].as_array().into_iter().flatten();
    Played {
        deliveries: parked.filter_map(|one| one["id"].as_i64()).collect(),
        service,
        _simulator: simulator,
        _target: target,
    }
}

async fn get(service: &Service, path: &str) -> Value {
    let request = Request::new("GET", path).header("authorization", &format!("Bearer {TOKEN}"));
    let answer = service.send_to_operators(&request).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

/// Returns the settings of the checker.
///
/// The stream of events has no end, so tests of its own hold it. What several properties or parameters mean together, and
/// the lines of a list, are not in the document: there, what it allows may be refused.
fn checker_settings(played: &Played) -> String {
    let deliveries: Vec<String> = played.deliveries.iter().map(i64::to_string).collect();
    let deliveries = deliveries.join(", ");
    format!(
        r#"
headers = {{ Authorization = "Bearer {TOKEN}" }}
[dictionaries]
projects = {{ values = ["{PROJECT}"] }}
orders = {{ values = ["o1", "o2", "o3", "o4"] }}
deliveries = {{ values = [{deliveries}] }}
targets = {{ values = ["crm"] }}
[parameters]
"path.project" = {{ dictionary = "projects", probability = 0.8 }}
"path.order" = {{ dictionary = "orders", probability = 0.8 }}
"path.delivery" = {{ dictionary = "deliveries", probability = 0.5 }}
"path.target" = {{ dictionary = "targets", probability = 0.8 }}
[[operations]]
include-operation-id = "stream_events"
enabled = false
[[operations]]
include-operation-id = "list_events"
parameters = {{ "query.wait" = 0 }}
[[operations]]
include-operation-id = ["redrive", "begin_placement", "watch_list", "watch_list_of_only_project", "watch_order", "make_backup"]
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 403, 404, 409, 422]
[[operations]]
include-operation-id = ["show_retention", "list_actions", "list_alerts", "list_deliveries", "list_notifications", "list_quarantine", "list_transitions"]
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 401, 403, 404]
[[operations]]
include-tag = "bulk"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 401, 403, 404, 409]
"#
    )
}

fn must_succeed(output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    let faults = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{faults}");
}

/// Returns the settings of a service on PostgreSQL, and the server; `None`: none is installed.
fn settings_on_postgres(folder: &Path) -> Option<(Settings, Server)> {
    let server = Server::start(ServerOptions::default())?;
    let file = folder.join("database.url");
    fs::write(&file, server.url(&server.database())).expect("written");
    let settings = Settings::new(folder)
        .set("database.url_file", file.display().to_string())
        .set("database.lossy_commits", true);
    Some((settings, server))
}

/// Returns the checker for a document of the service, with further arguments.
fn checker(programs: &Path, folder: &Path, played: &Played, document: &Path) -> Command {
    let settings = folder.join("schemathesis.toml");
    fs::write(&settings, checker_settings(played)).expect("written");
    let url = format!("http://{}", played.service.operators);
    let mut checker = Command::new(programs.join("schemathesis"));
    checker
        .current_dir(folder)
        .arg("--config-file")
        .arg(settings);
    checker.arg("run").arg(document);
    checker.args(["--url", &url, "--no-color", "--workers", "2"]);
    checker
}

async fn output_of(mut command: Command) -> Output {
    let output = tokio::task::spawn_blocking(move || command.output().expect("it runs"));
    output.await.expect("it ends")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "installs a package of Python in a folder of its own"]
async fn the_python_package_schemathesis_finds_nothing() {
    let folder = folder();
    schemathesis_finds_nothing(folder.path(), Settings::new(folder.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "installs a package of Python in a folder of its own"]
async fn the_python_package_schemathesis_finds_nothing_on_postgres() {
    let folder = folder();
    let Some((settings, _server)) = settings_on_postgres(folder.path()) else {
        return;
    };
    schemathesis_finds_nothing(folder.path(), settings).await;
}

/// `OPENAPI_CASES=1000` tries a thousand requests of each operation; a usual run tries a few.
async fn schemathesis_finds_nothing(folder: &Path, settings: Settings) {
    let Some(programs) = python::with_package(folder, CHECKER, "the operators' API") else {
        return;
    };
    let played = with_everything(settings).await;

    // The control: an answer that the document does not have is found.
    let mut spoilt: Value =
        serde_json::from_slice(&fs::read(document()).expect("a document")).expect("JSON");
    let answers = &mut spoilt["paths"]["/api/v1/orders/{project}/{order}"]["get"]["responses"];
    assert!(
        answers
            .as_object_mut()
            .is_some_and(|answers| answers.remove("404").is_some())
    );
    let path = folder.join("spoilt.json");
    fs::write(&path, spoilt.to_string()).expect("written");
    let mut control = checker(&programs, folder, &played, &path);
    control.args([
        "--include-operation-id",
        "show_order",
        "--max-examples",
        "5",
    ]);
    let control = output_of(control).await;
    let said = String::from_utf8_lossy(&control.stdout);
    assert!(
        !control.status.success() && said.contains("Undocumented"),
        "{said}"
    );

    let cases = std::env::var("OPENAPI_CASES").unwrap_or_else(|_| "8".to_owned());
    let mut checker = checker(&programs, folder, &played, &document());
    checker.args(["--max-examples", &cases, "--continue-on-failure"]);
    let output = output_of(checker).await;
    println!("{}", String::from_utf8_lossy(&output.stdout));
    must_succeed(&output);
    played.service.stop_well().await;
}

/// Lists the orders with the generated client, and prints the id and the state of each.
const LISTING: &str = "
import sys
from client import AuthenticatedClient
from client.api.orders import list_orders
from client.models import ListOrdersSort, PageOrderRow

url, token = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=token, raise_on_unexpected_status=True)
after = None
while True:
    page = list_orders.sync(client=client, limit=3, sort=ListOrdersSort.NEWEST, **({'after': after} if after else {}))
    assert isinstance(page, PageOrderRow), page
    for order in page.items:
        print(order.order, order.settled, order.first_seen_at.isoformat())
    after = page.next_
    if after is None:
        break
";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "installs a package of Python in a folder of its own"]
async fn a_client_that_a_python_package_generates_lists_orders() {
    let folder = folder();
    let what = "a client that is generated from the document";
    let Some(programs) = python::with_package(folder.path(), GENERATOR, what) else {
        return;
    };
    let mut generator = Command::new(programs.join("openapi-python-client"));
    generator
        .current_dir(folder.path())
        .args(["generate", "--path"]);
    generator
        .arg(document())
        .args(["--output-path", "client", "--meta", "none"]);
    must_succeed(&generator.output().expect("it runs"));
    let played = with_everything(Settings::new(folder.path())).await;
    let url = format!("http://{}", played.service.operators);
    let mut client = Command::new(programs.join("python"));
    client
        .current_dir(folder.path())
        .args(["-c", LISTING, &url, TOKEN]);
    let output = output_of(client).await;
    must_succeed(&output);
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut listed: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    listed.sort_unstable();
    assert_eq!(listed, ["o1", "o2", "o3", "o4"]);
    played.service.stop_well().await;
}
