//! What the commands that place an order say: in JSON also where they fail, about a form that no longer fits, about the
//! steps to come, and about numbers that do not become ready.

use std::time::Duration;

use serde_json::{Value, json};
use sinch_simulator::ordering::{
    Activation, Call, Fault, NumberCallbacks, Provisioning, Quantity, Script, Unblocking, Upload,
};
use testkit::{Ended, PATH, PROJECT, Process, Signal, until};

use crate::placed::{NUMBER, Placed};

/// Returns the only JSON value that a command has printed.
fn json_of(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

/// A script in which an order is completed, and its number works.
fn smooth(seed: u64) -> Script {
    let mut script = Script::by_seed(seed);
    script.readings.provisioning = Provisioning::Succeeds;
    script.readings.number_callbacks = NumberCallbacks::CarriedOver;
    script
}

#[tokio::test]
async fn json_tells_of_every_end_and_of_every_failure() {
    let placed = Placed::new(smooth(31)).await;
    let form = placed.form.to_str().expect("a path").to_owned();
    placed.replace("postalCode = \"2000\"", "postalCode = \"\"");
    let refused = placed.place(&["--json"]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let error = &json_of(&refused)["error"];
    assert_eq!(
        (&error["code"], &error["exit_code"]),
        (&json!("form"), &json!(1))
    );
    let text = error["text"].as_str().unwrap_or_default();
    assert!(text.contains("postalCode"), "{error}");
    // The findings of a check are its JSON, also where it fails.
    let checked = placed.run(&["order", "check", &form, "--json"]).await;
    assert_eq!(checked.code, Some(1), "{checked:?}");
    assert!(json_of(&checked).is_array(), "{checked:?}");

    placed.replace("postalCode = \"\"", "postalCode = \"2000\"");
    let planned = placed.place(&["--json", "--dry-run"]).await;
    assert_eq!(planned.code, Some(0), "{planned:?}");
    let plan = &json_of(&planned)["dry_run"];
    assert_eq!(plan["next"], "create an order for AU MOBILE", "{plan}");
    assert_eq!(plan["available"], true, "{plan}");
    assert!(placed.orders().is_empty());

    let ended = placed.place(&["--json"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ending = json_of(&ended);
    let reference = ending["reference"].as_str().unwrap_or_default();
    assert!(reference.starts_with("au-mobile-"), "{ending}");
    for (key, expected) in [
        ("ending", json!("done")),
        ("exit_code", json!(0)),
        ("order", json!(placed.only_order().id.as_str())),
        ("state", json!("COMPLETED")),
        ("numbers", json!([NUMBER])),
    ] {
        assert_eq!(ending[key], expected, "{ending}");
    }

    let forbid = |call| {
        let ordering = placed.simulator.ordering();
        ordering.push_fault(call, Some(Fault::Forbidden));
    };
    let order = placed.only_order().id.to_string();
    for (call, command) in [
        (Call::ListRegions, &["order", "regions"][..]),
        (Call::ListActiveNumbers, &["numbers", "list"]),
        (Call::GetActiveNumber, &["numbers", "show", NUMBER]),
        (Call::GetOrder, &["order", "wait", &order]),
    ] {
        // The service makes such calls as well, and may get the answer that was meant for the command.
        let refused = until("the command is refused", async || {
            forbid(call);
            let ended = placed.run(&[command, &["--json"]].concat()).await;
            (ended.code == Some(1)).then_some(ended)
        })
        .await;
        let error = &json_of(&refused)["error"];
        assert_eq!(error["code"], "sinch", "{command:?}: {error}");
    }
    placed.service.signal(Signal::KILL);
    let refused = placed.place(&["--json"]).await;
    assert_eq!(json_of(&refused)["error"]["code"], "service", "{refused:?}");
}

#[tokio::test]
async fn fewer_numbers_than_ordered_are_said() {
    let mut script = smooth(32);
    script.readings.quantity = Quantity::Fewer;
    let placed = Placed::new(script).await;
    placed.replace(&format!("number = \"{NUMBER}\""), "quantity = 3");
    let ended = placed.place(&["--no-wait"]).await;
    assert!(matches!(ended.code, Some(0 | 10)), "{ended:?}");
    let said = "Sinch has reserved 2 of the 3 numbers that the form orders";
    assert!(ended.out.contains(said), "{ended:?}");
}

#[tokio::test]
async fn a_form_that_was_changed_after_the_create_is_refused() {
    let placed = Placed::new(smooth(33)).await;
    let form = placed.form.to_str().expect("a path").to_owned();
    placed.replace(
        "#[order.sms]\n#service_plan_id = \"\"",
        "[order.sms]\nservice_plan_id = \"plan\"",
    );
    let created = placed.run(&["order", "create", &form]).await;
    assert_eq!(created.code, Some(0), "{created:?}");
    let order = placed.only_order().id.to_string();
    let calls = placed.simulator.ordering().calls().len();
    for (old, new, said) in [
        (
            format!("number = \"{NUMBER}\""),
            "number = \"+61491571002\"".to_owned(),
            format!("stands for AU MOBILE, number = {NUMBER}"),
        ),
        (
            format!("number = \"{NUMBER}\""),
            "quantity = 1".to_owned(),
            format!("stands for AU MOBILE, number = {NUMBER}"),
        ),
        (
            "service_plan_id = \"plan\"".to_owned(),
            "service_plan_id = \"other\"".to_owned(),
            "sms: the form has servicePlanId other, the order plan".to_owned(),
        ),
    ] {
        placed.replace(&old, &new);
        for command in [
            &["order", "place", &form][..],
            &["order", "place", &form, "--dry-run"],
            &["order", "register", &order, "--form", &form],
            &["order", "fix", &order, "--form", &form],
        ] {
            let refused = placed.run(command).await;
            assert_eq!(refused.code, Some(1), "{command:?}: {refused:?}");
            assert!(refused.err.contains(&said), "{command:?}: {refused:?}");
            assert!(refused.err.contains("another reference"), "{refused:?}");
            assert!(!refused.err.contains("cannot be used"), "{refused:?}");
        }
        placed.replace(&new, &old);
    }
    let calls = placed.simulator.ordering().calls().split_off(calls);
    let changes = [Call::CreateOrder, Call::PutRegistration, Call::SubmitOrder];
    assert!(
        calls.iter().all(|call| !changes.contains(&call.call)),
        "{calls:?}"
    );
    // An order that was placed elsewhere is compared as well: under another reference nothing is known of it.
    placed.replace("reference = \"au-mobile-", "reference = \"another-");
    placed.replace(
        &format!("number = \"{NUMBER}\""),
        "number = \"+61491571002\"",
    );
    let refused = placed
        .run(&["order", "register", &order, "--form", &form])
        .await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let said = format!("number: the form has +61491571002, the order {NUMBER}");
    assert!(refused.err.contains(&said), "{refused:?}");
}

#[tokio::test]
async fn a_dry_run_says_which_step_is_next() {
    let mut script = smooth(34);
    script.readings.unblocking = Unblocking::PutAlone;
    let placed = Placed::new(script).await;
    let form = placed.form.to_str().expect("a path").to_owned();
    let next = async |words: &str| {
        let calls = placed.simulator.ordering().calls().len();
        let said = placed.place(&["--dry-run"]).await;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.out.contains(words), "{words}: {said:?}");
        let calls = placed.simulator.ordering().calls().split_off(calls);
        let reads = [
            Call::LookUpRequirements,
            Call::GetAvailableNumber,
            Call::ListRegions,
            Call::GetOrder,
            Call::GetRegistration,
            // The service asks for the numbers of a completed order.
            Call::GetActiveNumber,
        ];
        assert!(
            calls.iter().all(|call| reads.contains(&call.call)),
            "{calls:?}"
        );
    };
    next("Next it would create an order for AU MOBILE; then").await;
    let created = placed.run(&["order", "create", &form]).await;
    assert_eq!(created.code, Some(0), "{created:?}");
    let order = placed.only_order().id.to_string();
    assert_eq!(created.out, order, "{created:?}");
    next("Next it would register the form's data; then upload").await;
    for (step, words) in [
        ("register", "Next it would upload"),
        ("attach", "Next it would submit it"),
    ] {
        let ended = placed.run(&["order", step, &order, "--form", &form]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        next(words).await;
    }
    let ended = placed.place(&[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    next("Next it would wait until its numbers work").await;
    // The number is taken now, so another form for it would not even be created.
    placed.replace("reference = \"au-mobile-", "reference = \"another-");
    let taken = placed.place(&["--dry-run"]).await;
    assert_eq!(taken.code, Some(1), "{taken:?}");
    assert!(taken.err.contains("cannot be had"), "{taken:?}");
}

#[tokio::test]
async fn a_type_that_sinch_does_not_list_is_a_warning() {
    let placed = Placed::new(smooth(35)).await;
    let form = placed.form.to_str().expect("a path").to_owned();
    let fine = placed.run(&["order", "check", &form]).await;
    assert!(!fine.out.contains("list of regions"), "{fine:?}");
    placed.replace("type = \"MOBILE\"", "type = \"LOCAL\"");
    let warned = placed.run(&["order", "check", &form]).await;
    assert_eq!(warned.code, Some(0), "{warned:?}");
    let said = "order.type: Sinch's list of regions does not have this type here";
    assert!(warned.out.contains(said), "{warned:?}");
    let warned = placed.place(&[]).await;
    assert!(warned.err.contains(said), "{warned:?}");
    placed.replace("region = \"AU\"", "region = \"NZ\"");
    let warned = placed.run(&["order", "check", &form, "--json"]).await;
    let codes = json_of(&warned);
    let codes: Vec<&Value> = codes.as_array().expect("a list").iter().collect();
    assert!(
        codes
            .iter()
            .any(|finding| finding["code"] == "region-not-listed"),
        "{codes:?}"
    );
}

#[tokio::test]
async fn a_number_that_was_released_is_not_waited_for() {
    let mut script = smooth(36);
    script.readings.activation = Activation::AtOnce;
    script.pace.provisioning = Duration::from_secs(3600);
    let placed = Placed::new(script).await;
    placed.replace(
        "#[order.sms]\n#service_plan_id = \"\"",
        "[order.sms]\nservice_plan_id = \"plan\"",
    );
    let form = placed.form.to_str().expect("a path");
    let process = Process::start(placed.arguments(&["order", "place", form]));
    let on_the_way = "is active; text messages: on the way (WAITING): plan";
    until(on_the_way, async || {
        process.said().contains(on_the_way).then_some(())
    })
    .await;
    placed
        .run_patiently(&["numbers", "release", NUMBER, "--yes"])
        .await;
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.err.contains("was released, and stays until"),
        "{ended:?}"
    );
    assert_eq!(ended.out.matches(on_the_way).count(), 1, "{ended:?}");
}

#[tokio::test]
async fn a_callback_url_that_was_not_carried_over_can_be_set() {
    let mut script = smooth(37);
    script.readings.number_callbacks = NumberCallbacks::Dropped;
    let placed = Placed::new(script).await;
    let ended = placed.place(&[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let last = ended.out.lines().last().unwrap_or_default();
    let offered = format!("numbers set-callback-url {NUMBER}");
    assert!(last.ends_with(&offered), "{ended:?}");
    let set = ["numbers", "set-callback-url", NUMBER];
    let done = placed.run(&set).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let public = format!("http://{}{PATH}", placed.settings.addresses()[0]);
    assert!(done.out.contains(&public), "{done:?}");
    let again = placed.place(&[]).await;
    assert!(!again.out.contains("set-callback-url"), "{again:?}");

    let other = "https://other.example/elsewhere";
    let done = placed.run(&[&set[..], &[other, "--json"]].concat()).await;
    assert_eq!(
        json_of(&done),
        json!({"number": NUMBER, "callback_url": other})
    );
    let again = placed.place(&[]).await;
    assert!(again.out.contains("has another callback URL"), "{again:?}");
    for bad in ["other.example", "ftp://other.example/"] {
        let refused = placed.run(&[&set[..], &[bad]].concat()).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
    }
}

#[tokio::test]
async fn a_document_that_sinch_could_not_use_is_uploaded_once_more() {
    let mut script = smooth(38);
    script.readings.upload = Upload::FailsOnce;
    let placed = Placed::new(script).await;
    let ended = placed.place(&["--no-wait"]).await;
    assert!(matches!(ended.code, Some(0 | 10)), "{ended:?}");
    let lines = |words: &str| ended.out.matches(words).count();
    assert_eq!(lines("uploaded: "), 1, "{ended:?}");
    assert_eq!(lines("uploaded again: "), 1, "{ended:?}");
    assert_eq!(lines("as FAILED; it gives no reason"), 1, "{ended:?}");
    let uploads = placed.simulator.ordering().calls();
    let uploads = uploads
        .iter()
        .filter(|call| call.call == Call::UploadAttachment && call.status == Some(200));
    assert_eq!(uploads.count(), 2);
}

#[tokio::test]
async fn a_blocked_order_is_told_with_the_commands_that_follow() {
    let placed = Placed::new(smooth(39)).await;
    placed.replace("Delivery notices", "BLOCK-ONCE");
    let blocked = placed.place(&["--project", PROJECT]).await;
    assert_eq!(blocked.code, Some(11), "{blocked:?}");
    let order = placed.only_order().id.to_string();
    let form = placed.form.to_str().expect("a path");
    for said in [
        format!("order show {order} --reasons --project {PROJECT}"),
        format!("order fix {order} --form {form} --project {PROJECT}"),
    ] {
        assert!(blocked.out.contains(&said), "{said}: {blocked:?}");
    }
    // The review blocks once, so the form passes as it is.
    let fix = ["order", "fix", &order, "--form", form];
    let fixed = placed.run(&fix).await;
    assert_eq!(fixed.code, Some(0), "{fixed:?}");
    assert!(fixed.out.starts_with("Sinch, "), "{fixed:?}");
    let unchanged = "Sinch has the form's data exactly as it is";
    assert!(fixed.err.contains(unchanged), "{fixed:?}");
    let again = placed.run(&fix).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(!again.out.contains("Dear"), "{again:?}");
    assert!(!again.err.contains(unchanged), "{again:?}");
    let said = "the order is COMPLETED, not BLOCKED: no correction is sent";
    assert!(again.out.contains(said), "{again:?}");
}

#[tokio::test]
async fn faults_of_files_are_told_with_their_cure() {
    let placed = Placed::new(smooth(40)).await;
    let form = placed.form.to_str().expect("a path");
    let absent = placed.form.with_file_name("absent.toml");
    let absent = absent.to_str().expect("a path");
    for (command, said) in [
        (
            &["order", "check", absent][..],
            "there is no such file or folder; check the path",
        ),
        (
            &["order", "place", "/dev/zero"],
            "it is not a regular file, but a pipe, a device or the like",
        ),
        (
            &["order", "requirements", "AU", "MOBILE", "--form", form],
            "there is a file of this name already; name another",
        ),
        (
            &["watch", "--file", absent],
            "there is no such file or folder; check the path",
        ),
    ] {
        let refused = placed.run(command).await;
        assert!(matches!(refused.code, Some(1 | 2)), "{refused:?}");
        assert!(refused.err.contains(said), "{command:?}: {refused:?}");
        assert!(!refused.err.contains("os error"), "{refused:?}");
    }
}
