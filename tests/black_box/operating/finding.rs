//! Where is my number, and what is stuck: `orders`, `order show`, `parked`, `alerts` and `fetch`.

use number_order::State::{Blocked, Created, InReview};
use serde_json::Value;
use testkit::until;

use super::{ATTENTION, Place};

fn names(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("a list");
    let names = items.iter().map(|order| order["order"].as_str());
    names.map(|name| name.expect("an id")).collect()
}

#[tokio::test]
async fn orders_are_listed_by_filters_page_by_page() {
    let all = ["o1", "o2", "o3"];
    let place = Place::new(&all, |settings| settings).await;
    for order in ["o1", "o2"] {
        place.complete(order).await;
    }
    place.park("o3").await;
    let table = place.run(0, &["orders"]).await;
    let heads: Vec<&str> = table
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    assert_eq!(heads[..3], ["ORDER", "STATE", "STANDS"]);
    assert!(
        table
            .lines()
            .any(|line| line.starts_with("o3") && line.contains("parked")),
        "{table}"
    );

    for (options, expected) in [
        (&[][..], &all[..]),
        (&["--newest"], &["o3", "o2", "o1"]),
        (&["--parked"], &["o3"]),
        (&["--parked=false"], &["o1", "o2"]),
        (&["--state", "completed", "--settled"], &["o1", "o2"]),
        (&["--park-reason", "attempts-used-up"], &["o3"]),
        (&["--readiness", "ready"], &["o1", "o2"]),
        (
            &["--region", "SE", "--changed-since", "2100-01-01T00:00:00Z"],
            &[],
        ),
        (&["--alert", "overdue"], &[]),
        (&["--all"], &all),
        (&["--all", "--newest", "--parked=false"], &["o2", "o1"]),
    ] {
        let page = place.json(0, &[&["orders"], options].concat()).await;
        assert_eq!(names(&page), expected, "{options:?}");
        assert_eq!(page["next"], Value::Null, "{options:?}");
    }
    let page = place.json(0, &["orders", "--limit", "2"]).await;
    let next = page["next"].as_str().expect("more");
    let page = place
        .json(0, &["orders", "--limit", "2", "--after", next])
        .await;
    assert_eq!(names(&page), ["o3"]);

    let none = place.run(0, &["orders", "--state", "BLOCKED"]).await;
    assert_eq!(none, "There is no order that fits.");
    for (options, code, words) in [
        (&["--project", "nobodys"][..], 1, "no such project"),
        (&["--number", "x"], 1, "write digits"),
        (&["--state", "DONE"], 2, "IN_REVIEW"),
        (&["--all", "--limit", "3"], 2, "--limit"),
    ] {
        let ended = place.ended(&[&["orders"], options].concat()).await;
        assert_eq!(ended.code, Some(code), "{options:?}: {ended:?}");
        assert!(ended.err.contains(words), "{options:?}: {ended:?}");
    }
}

#[tokio::test]
async fn an_order_is_found_by_a_part_of_its_number_and_tells_its_story() {
    let place = Place::new(&["o1", "o2"], |settings| settings).await;
    place.complete("o1").await;
    let known = place.service.order("o1").await;
    let number = known["numbers"][0]["phone_number"]
        .as_str()
        .expect("a number");
    let spaced = format!("{} {}", &number[..4], &number[4..]);
    let part = &number[number.len() - 6..];
    // As it is dialled within its country, which is +44 here.
    let dialled = format!("0{} {}", &number[3..7], &number[7..]);
    for named in ["o1", number, &spaced, part, &dialled] {
        let story = place.run(0, &["order", "show", named]).await;
        for words in [
            "order          o1 of project",
            "COMPLETED, confirmed by Sinch",
            "because        Sinch shows COMPLETED",
            "next           nothing: its numbers are ready",
            "callback  COMPLETED: first event",
            "fetch     Sinch shows COMPLETED: confirmed",
            "state     unknown → COMPLETED, confirmed",
        ] {
            assert!(story.contains(words), "{named}: {words}: {story}");
        }
        let shown = place.json(0, &["order", "show", named]).await;
        assert_eq!(shown["order"]["order"], "o1");
    }
    place.complete("o2").await;
    let both = place.service.order("o2").await;
    let other = both["numbers"][0]["phone_number"]
        .as_str()
        .expect("a number");
    let shared = number
        .bytes()
        .zip(other.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let ended = place.ended(&["order", "show", &number[..shared]]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.err.contains("o1 (COMPLETED)") && ended.err.contains("o2 (COMPLETED)"),
        "{ended:?}"
    );
    for (named, code, words) in [
        ("999999999", 1, "no order has such a number"),
        ("o9", 1, "watch o9"),
        ("a/b", 2, "neither an id nor a part of a number"),
    ] {
        let ended = place.ended(&["order", "show", named]).await;
        assert_eq!(ended.code, Some(code), "{named}: {ended:?}");
        assert!(ended.err.contains(words), "{named}: {ended:?}");
    }
    let said = place.service.said();
    assert!(
        !said.contains(number) && !said.contains(part),
        "no number in the log"
    );
}

#[tokio::test]
async fn what_is_parked_is_listed_and_fetched_again() {
    let place = Place::new(&["o1", "o2", "o3"], |settings| settings).await;
    let nothing = place.run(0, &["parked"]).await;
    assert_eq!(nothing, "Nothing is parked.");
    for order in ["o1", "o2"] {
        place.park(order).await;
    }
    place.complete("o3").await;
    place.service.deliver_to_be_parked("no JSON").await;
    let parked = place.run(0, &["parked"]).await;
    for words in ["o1", "o2", "gave up after", "fetch --parked", "not JSON"] {
        assert!(parked.contains(words), "{words}: {parked}");
    }
    let parked = place.json(0, &["parked"]).await;
    assert_eq!(
        parked["orders"].as_array().map(Vec::len),
        Some(2),
        "{parked}"
    );
    let delivery = parked["deliveries"][0]["id"].to_string();
    let told = place.run(0, &["parked", &delivery]).await;
    for words in [
        &format!("delivery       {delivery} of project"),
        "parked         the body is not JSON",
        &format!("dismiss deliveries {delivery}"),
        "\n\nno JSON",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let told = place.json(0, &["parked", &delivery]).await;
    assert_eq!(told["body"], "no JSON");
    assert_eq!(told["delivery"]["decision"]["code"], "body-not-json");
    let ended = place.ended(&["parked", "999"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("no such delivery"), "{ended:?}");

    let counted = place.json(0, &["fetch", "--parked", "--dry-run"]).await;
    assert_eq!(counted["orders"], 2, "{counted}");
    let said = place.run(0, &["fetch", "--parked", "--dry-run"]).await;
    assert!(
        said.starts_with("2 orders fit; none is fetched yet"),
        "{said}"
    );
    assert_eq!(place.json(0, &["parked"]).await["orders"], parked["orders"]);

    place.run(0, &["fetch", "o1"]).await;
    place.service.settles("o1", "COMPLETED").await;
    let said = place.run(0, &["fetch", "--parked"]).await;
    assert!(said.starts_with("1 order is fetched"), "{said}");
    place.service.settles("o2", "COMPLETED").await;
    let fetched = place.json(0, &["fetch", "--all"]).await;
    assert_eq!(fetched["orders"], 3, "{fetched}");
    for (arguments, code, words) in [
        (&["fetch"][..], 2, "<ORDER"),
        (&["fetch", "o1", "--parked"], 2, "not both"),
        (&["fetch", "o9"], 1, "does not know this order"),
        (&["fetch", "--all", "--parked"], 2, "cannot be used with"),
    ] {
        let ended = place.ended(arguments).await;
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        assert!(ended.err.contains(words), "{arguments:?}: {ended:?}");
    }
}

#[tokio::test]
async fn alerts_are_listed_with_what_to_do() {
    let soon = |settings: testkit::Settings| settings.set("deadlines.blocked_secs", 1);
    let history = [(0, Created), (1, InReview), (2, Blocked)];
    let place = Place::with_history(&["o1"], &history, soon).await;
    let none = place.run(0, &["alerts"]).await;
    assert_eq!(none, "No order needs attention.");
    place.say("o1", "BLOCKED").await;
    place.service.settles("o1", "BLOCKED").await;
    let alerts = until("the alert", async || {
        let alerts = place.json(0, &["alerts"]).await;
        (alerts["items"][0]["order"] == "o1").then_some(alerts)
    })
    .await;
    assert_eq!(alerts["items"][0]["alert"]["code"], "long-blocked");
    assert_eq!(alerts["counts"]["long-blocked"], 1, "{alerts}");
    let table = place.run(0, &["alerts"]).await;
    let line = table.lines().find(|line| line.starts_with("o1"));
    assert!(
        line.is_some_and(|line| line.ends_with("order show o1 --reasons")),
        "{table}"
    );
    let listed = place.json(0, &["orders", "--alert", "long-blocked"]).await;
    assert_eq!(names(&listed), ["o1"]);
    let screen = place.run(ATTENTION, &["status"]).await;
    assert!(screen.contains("1 long-blocked"), "{screen}");
    let story = place.run(0, &["order", "show", "o1"]).await;
    // Where a line ends depends on the path of the program.
    let words: Vec<&str> = story.split_whitespace().collect();
    assert!(
        words.join(" ").contains("order fix o1 --form FORM"),
        "{story}"
    );
}
