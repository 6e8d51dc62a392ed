//! Lists, updates and releases of active numbers.

use super::*;
use crate::ordering::WithoutForm;

/// A project that has just got five American numbers, and the list of them.
async fn five_numbers() -> (Caller, Value) {
    let caller = caller(|script| script.readings.without_form = WithoutForm::AtOnce).await;
    let body = object!({
        "regionCode": "US",
        "numberType": "LOCAL",
        "quantityOrderOption": {"requestedQuantity": 5},
    });
    let order = caller.create(&body).await;
    caller.submit(&order).await;
    let all = caller
        .until("activeNumbers", |list| list["totalSize"] == 5)
        .await;
    assert_eq!(all["nextPageToken"], "");
    (caller, all)
}

#[tokio::test]
async fn active_numbers_are_listed_by_page() {
    let (caller, all) = five_numbers().await;
    let (mut token, mut seen, mut pages) = (String::new(), Vec::new(), 0);
    loop {
        let token_query = token.replace('+', "%2B");
        let path = format!("activeNumbers?pageSize=2&pageToken={token_query}");
        let page = caller.ok("GET", &path, &Value::Null).await;
        assert_eq!(page["totalSize"], 5);
        seen.extend(page["activeNumbers"].as_array().expect("a list").clone());
        pages += 1;
        page["nextPageToken"]
            .as_str()
            .expect("a token")
            .clone_into(&mut token);
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(
        (Value::Array(seen.clone()), pages),
        (all["activeNumbers"].clone(), 3)
    );
    for (query, n) in [
        ("regionCode=AU", 0),
        ("type=LOCAL&capability=VOICE", 5),
        ("type=MOBILE", 0),
    ] {
        let list = caller
            .ok("GET", &format!("activeNumbers?{query}"), &Value::Null)
            .await;
        assert_eq!(list["totalSize"], n, "{query}");
    }
}

#[tokio::test]
async fn an_active_number_is_changed_and_released() {
    let (caller, all) = five_numbers().await;
    let number = all["activeNumbers"][0]["phoneNumber"]
        .as_str()
        .expect("a number");
    let path = format!("activeNumbers/{number}");
    let update = object!({"displayName": "till", "smsConfiguration": {"servicePlanId": "new"}});
    let updated = caller.ok("PATCH", &path, &update).await;
    assert_eq!(updated["displayName"], "till");
    let scheduled = &updated["smsConfiguration"]["scheduledProvisioning"];
    assert_eq!(
        (&scheduled["status"], &scheduled["servicePlanId"]),
        (&"WAITING".into(), &"new".into())
    );
    let ready = |active: &Value| active["smsConfiguration"]["servicePlanId"] == "new";
    let active = caller.until(&path, ready).await;
    assert_eq!(
        active["smsConfiguration"].get("scheduledProvisioning"),
        None
    );
    let released = caller
        .ok("POST", &format!("{path}:release"), &Value::Null)
        .await;
    assert_eq!(released["expireAt"], released["nextChargeDate"]);
    assert_eq!(caller.call("POST", &path, &Value::Null).await.0, 404);
}
