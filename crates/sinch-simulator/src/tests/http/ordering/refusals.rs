//! Requests that are refused for what they ask.

use super::*;
use crate::ordering::{Readings, SearchWithoutType, TooLarge};

/// Checks a request with this body, described in a line: method, path, status, pointer into the answer, and the text
/// that is there.
async fn check(caller: &Caller, line: &str, body: &Value) {
    let mut words = line.splitn(5, ' ');
    let mut next = || words.next().expect("five words");
    let (method, path, status, pointer, said) = (next(), next(), next(), next(), next());
    let pointer = match pointer {
        "field" => "/error/details/0/fieldViolations/0/field",
        "kind" => "/error/details/0/resourceType",
        other => other,
    };
    let (answered, answer) = caller.call(method, path, body).await;
    assert_eq!(answered.to_string(), status, "{line}: {answer}");
    let found = answer.pointer(pointer).and_then(Value::as_str);
    assert_eq!(found, Some(said), "{line}: {answer}");
}

#[tokio::test]
async fn refusals_have_the_documented_bodies() {
    let caller = caller(|_| {}).await;
    for line in [
        "GET availableNumbers/+1 404 kind AvailableNumber",
        "GET availableNumbers?type=LOCAL 400 field regionCode",
        "GET availableNumbers?regionCode=AU 400 field type",
        "GET availableNumbers?regionCode=AU&type=LOCAL&size=0 400 /error/status INVALID_ARGUMENT",
        "GET availableRegions?types=FIXED 400 /error/status INVALID_ARGUMENT",
        "GET numberOrders/none 404 kind NumberOrder",
        "POST numberOrders/none/submit 404 kind NumberOrder",
        "GET numberOrders/none/registration 404 kind NumberOrder",
        "GET activeNumbers/+1 404 kind ActiveNumber",
        "POST activeNumbers/+1:release 404 kind ActiveNumber",
        "GET activeNumbers?pageToken=x 400 /error/status INVALID_ARGUMENT",
        "GET activeNumbers?orderBy=price 400 /error/status INVALID_ARGUMENT",
    ] {
        check(&caller, line, &Value::Null).await;
    }
    let order = caller.create(&au(NUMBER)).await;
    let mut bad_form = form("codes");
    bad_form["requestDetails"]["data"][1]["city"] = Value::Null;
    let us = object!({"regionCode": "US", "numberType": "LOCAL"});
    let put = format!("PUT numberOrders/{order}/registration 400 field");
    let create = "POST numberOrders:createNumberOrder 400";
    let lookup = "POST numberOrders:lookupNumberRequirements";
    for (line, body) in [
        (
            format!("{create} /error/status INVALID_ARGUMENT"),
            au(NUMBER),
        ),
        (format!("{create} field regionCode"), object!({})),
        (
            format!("{create} /error request body cannot be read"),
            "text".into(),
        ),
        (
            format!("{lookup} 404 /error/details/0/resourceName numberRequirements"),
            us,
        ),
        (format!("{put} requestDetails.data[1].city"), bad_form),
        (format!("{put} requestDetails"), object!({})),
        (
            "PATCH activeNumbers/+1 404 kind ActiveNumber".to_owned(),
            object!({}),
        ),
        (
            "PATCH callbackConfiguration 400 field hmacSecret".to_owned(),
            object!({"hmacSecret": "short"}),
        ),
    ] {
        check(&caller, &line, &body).await;
    }
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_in_two_ways() {
    let caller = caller(|script| script.upload_max_bytes = 10).await;
    let order = caller.create(&au(NUMBER)).await;
    let (status, body) = caller.upload(&order, 11).await;
    assert_eq!(
        (status, body.contains("CONTENT_TOO_LARGE")),
        (413, true),
        "{body}"
    );
    let mut readings = caller.simulator.ordering().readings();
    readings.too_large = TooLarge::Html;
    caller.simulator.ordering().set_readings(readings);
    let (status, body) = caller.upload(&order, 11).await;
    assert_eq!((status, body.starts_with("<html>")), (413, true), "{body}");
}

#[tokio::test]
async fn a_search_takes_a_plus_for_a_space() {
    let caller = caller(|script| {
        script.readings.search_without_type = SearchWithoutType::Mobile;
    })
    .await;
    for (pattern, n) in [("%2B61", 10), ("+61", 0)] {
        let search = format!("availableNumbers?regionCode=AU&numberPattern.pattern={pattern}");
        let found = caller.ok("GET", &search, &Value::Null).await;
        let found = found["availableNumbers"].as_array().map(Vec::len);
        assert_eq!(found, Some(n), "{pattern}");
    }
}

#[tokio::test]
async fn another_project_is_not_found() {
    let caller = caller(|_| {}).await;
    let base = caller.simulator.api_url();
    let other = format!("{base}/v1/projects/other/callbackConfiguration");
    let request = caller.client.get(other).bearer_auth(&caller.token);
    let answer = json(request.send().await.expect("an answer")).await;
    let message = "Could not find project with ID: other";
    assert_eq!(answer["error"]["message"], message);
}

#[tokio::test]
async fn the_world_chooses_the_readings_and_keeps_its_numbers() {
    let seeded = World::new(5, &script(1, secs(1), Faults::none()));
    let simulator = Simulator::start(options(seeded)).await.expect("starts");
    assert_eq!(simulator.ordering().readings(), Readings::by_seed(5));
    let world = one_order();
    let taken = world.orders().flat_map(|order| order.numbers.clone());
    let taken = taken.last().expect("a number");
    for (world, status) in [(World::from_orders(project(), []), 200), (world, 404)] {
        let caller = Caller::new(world).await;
        let path = format!("availableNumbers/{taken}");
        assert_eq!(caller.call("GET", &path, &Value::Null).await.0, status);
    }
}
