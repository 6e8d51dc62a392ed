//! Orders on their way, and the callbacks about them.

use std::collections::BTreeSet;

use super::*;
use crate::ordering::CreatedStatus;

/// Returns an Australian number that can be had.
async fn find_number(caller: &Caller) -> String {
    let search = "availableNumbers?regionCode=AU&type=MOBILE&size=2&capabilities=SMS\
                  &numberPattern.pattern=%2B614915710&numberPattern.searchPattern=START";
    let found = caller.ok("GET", search, &Value::Null).await;
    let found = found["availableNumbers"].as_array().expect("a list");
    assert_eq!(found.len(), 2);
    let number = found[0]["phoneNumber"].as_str().expect("a number");
    assert!(number.starts_with("+614915710"), "{number}");
    let one = format!("availableNumbers/{number}");
    assert_eq!(caller.ok("GET", &one, &Value::Null).await, found[0]);
    number.to_owned()
}

#[tokio::test]
async fn regions_and_requirements_are_looked_up() {
    let caller = caller(|_| {}).await;
    for (types, expected) in [
        ("types=LOCAL&types=MOBILE", vec!["AU", "GB", "SE", "US"]),
        ("types=TOLL_FREE", vec!["US"]),
        ("", vec!["AU", "GB", "SE", "US"]),
    ] {
        let path = format!("availableRegions?{types}");
        let regions = caller.ok("GET", &path, &Value::Null).await;
        let regions = regions["availableRegions"].as_array().expect("a list");
        let codes: Vec<&Value> = regions.iter().map(|region| &region["regionCode"]).collect();
        assert_eq!(codes, expected, "{types}");
    }
    let lookup = object!({"regionCode": "AU", "numberType": "MOBILE"});
    let path = "numberOrders:lookupNumberRequirements";
    let lookup = caller.ok("POST", path, &lookup).await;
    assert_eq!(lookup["attachments"][0]["id"], LETTER);
}

#[tokio::test]
async fn an_order_is_placed_from_search_to_ready() {
    let (came, url) = any_path().await;
    let caller = caller(|_| {}).await;
    let number = &find_number(&caller).await;
    let mut body = au(number);
    body["callbackUrl"] = format!("{url}/attempt-1").into();
    let order = caller.create(&body).await;
    let probe = format!("availableNumbers/{number}");
    assert_eq!(caller.call("GET", &probe, &Value::Null).await.0, 404);
    caller.register(&order, "BLOCK-ONCE").await;
    assert_eq!(caller.upload(&order, 9).await.0, 200);
    assert_eq!(caller.submit(&order).await["state"], "IN_REVIEW");
    caller.until_state(&order, "BLOCKED").await;
    let path = format!("numberOrders/{order}/registration");
    let registration = caller.ok("GET", &path, &Value::Null).await;
    let message = registration["logs"][0]["message"]
        .as_str()
        .expect("a reason");
    assert!(message.starts_with("Dear Nora Nameless"), "{message}");
    assert_eq!(registration["attachments"][0]["uploadStatus"], "COMPLETED");
    caller.register(&order, "corrected").await;
    caller.until_state(&order, "COMPLETED").await;

    let path = format!("activeNumbers/{number}");
    let ready = |active: &Value| active["smsConfiguration"]["servicePlanId"] == "plan";
    let active = caller.until(&path, ready).await;
    assert_eq!(active["callbackUrl"], body["callbackUrl"]);
    let came = until_came(&came, 5).await;
    let paths: BTreeSet<&str> = came.iter().map(|(path, ..)| path.as_str()).collect();
    assert_eq!(paths, BTreeSet::from(["/attempt-1"]));
    assert!(came.iter().all(|(.., signed_by)| *signed_by == Some(OLD)));
    let mut said: Vec<String> = came
        .iter()
        .map(|(_, body, _)| format!("{} {}", body["resourceId"], body["status"]).replace('"', ""))
        .collect();
    said.sort_unstable();
    let mut wanted = vec![format!("{number} SUCCEEDED")];
    for state in ["BLOCKED", "COMPLETED", "IN_REVIEW", "IN_REVIEW"] {
        wanted.push(format!("{order} {state}"));
    }
    assert_eq!(said, wanted);
    caller.simulator.shutdown().await;
}

#[tokio::test]
async fn an_order_without_a_url_is_announced_on_the_simulators() {
    let (came, url) = any_path().await;
    let caller = caller(|_| {}).await;
    let mut body = au(NUMBER);
    body["callbackUrl"] = Value::Null;
    let order = caller.create(&body).await;
    caller.register(&order, "codes").await;
    caller.upload(&order, 9).await;
    caller.submit(&order).await;
    caller.until_state(&order, "COMPLETED").await;
    caller
        .simulator
        .set_callback_url(Some(format!("{url}/all")));
    let came = until_came(&came, 2).await;
    assert!(came.iter().all(|(path, ..)| path == "/all"), "{came:?}");
    within(async {
        let acknowledged = || {
            let callbacks = caller.simulator.ordering().callbacks();
            callbacks.iter().map(|one| one.acknowledged).sum::<u32>()
        };
        while acknowledged() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn callbacks_that_are_not_answered_hold_up_no_other() {
    let (came, url) = any_path().await;
    let caller = caller(|_| {}).await;
    let dead = nobody().await;
    // More than there are senders.
    for (n, own) in [&dead, &dead, &dead, &url].into_iter().enumerate() {
        let mut body = au(&format!("+6149157100{n}"));
        body["callbackUrl"] = own.as_str().into();
        let order = caller.create(&body).await;
        caller.register(&order, "codes").await;
        caller.upload(&order, 9).await;
        caller.submit(&order).await;
        caller.until_state(&order, "COMPLETED").await;
    }
    until_came(&came, 3).await;
    let callbacks = caller.simulator.ordering().callbacks();
    let open = callbacks.iter().filter(|one| one.acknowledged == 0);
    assert!(open.count() > 4, "{callbacks:?}");
}

#[tokio::test]
async fn a_new_secret_signs_what_is_sent_from_then_on() {
    let (came, url) = any_path().await;
    let caller = caller(|_| {}).await;
    caller.simulator.set_callback_url(Some(url.clone()));
    let configuration = caller
        .ok("GET", "callbackConfiguration", &Value::Null)
        .await;
    assert_eq!(configuration["hmacSecret"], OLD);
    let update = object!({ "hmacSecret": NEW });
    let updated = caller.ok("PATCH", "callbackConfiguration", &update).await;
    assert_eq!(
        updated,
        object!({"projectId": project().as_str(), "hmacSecret": NEW})
    );
    let mut body = au(NUMBER);
    body["callbackUrl"] = format!("{url}/own").into();
    let order = caller.create(&body).await;
    caller.register(&order, "codes").await;
    caller.upload(&order, 9).await;
    caller.submit(&order).await;
    let came = until_came(&came, 3).await;
    assert!(
        came.iter().all(|(.., signed_by)| *signed_by == Some(NEW)),
        "{came:?}"
    );
}

#[tokio::test]
async fn callbacks_are_lost_and_repeated_as_the_script_says() {
    for (lost, twice, copies) in [(1.0, 0.0, 0), (0.0, 1.0, 2), (0.0, 0.0, 1)] {
        let (came, url) = any_path().await;
        let caller = caller(|script| {
            (script.faults.callback_lost, script.faults.callback_twice) = (lost, twice);
        })
        .await;
        caller.simulator.set_callback_url(Some(url.clone()));
        let mut body = au(NUMBER);
        body["callbackUrl"] = Value::Null;
        let order = caller.create(&body).await;
        caller.register(&order, "codes").await;
        caller.upload(&order, 9).await;
        caller.submit(&order).await;
        caller.until_state(&order, "COMPLETED").await;
        let came = until_came(&came, 2 * copies).await;
        assert_eq!(came.len(), 2 * copies, "{came:?}");
        let bodies: BTreeSet<String> = came.iter().map(|(_, body, _)| body.to_string()).collect();
        assert_eq!(bodies.len(), if copies == 0 { 0 } else { 2 });
    }
}

#[tokio::test]
async fn a_create_answers_200_or_201() {
    for (created_status, status) in [(CreatedStatus::Ok, 200), (CreatedStatus::Created, 201)] {
        let caller = caller(|script| script.readings.created_status = created_status).await;
        let path = "numberOrders:createNumberOrder";
        let (answered, order) = caller.call("POST", path, &au(NUMBER)).await;
        assert_eq!((answered, &order["state"]), (status, &"CREATED".into()));
    }
}
