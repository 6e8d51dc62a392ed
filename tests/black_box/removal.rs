//! Removal by operators: of orders that were named by mistake, and of projects that are no longer configured.

use std::ffi::OsStr;

use number_order::State;
use serde_json::Value;
use sinch_callbacks::clock;
use sinch_simulator::World;

use testkit::{
    Ended, PROJECT, Request, Service, Settings, event, folder, id, order_history, play, run, until,
};

/// Runs a command against the running service.
async fn command(settings: &Settings, service: &Service, arguments: &[&str]) -> Ended {
    let listen = service.operators.to_string();
    let config = settings.clone().set("operators.listen", listen).write();
    let mut all: Vec<&OsStr> = vec!["--config".as_ref(), config.as_os_str()];
    all.extend(arguments.iter().map(|argument| OsStr::new(*argument)));
    run(all).await
}

#[tokio::test]
async fn an_order_that_was_named_by_mistake_is_removed() {
    let folder = folder();
    let world = World::from_orders(id(PROJECT), [order_history("o1", &[(0, State::InReview)])]);
    let (_simulator, settings) = play(world, Settings::new(folder.path())).await;
    let service = Service::start(&settings).await;
    let command = async |arguments: &[&str]| command(&settings, &service, arguments).await;
    assert_eq!(command(&["watch", "o1", "mistyped"]).await.code, Some(0));
    service.settles("o1", "IN_REVIEW").await;
    // Where an argument makes no sense, nothing is removed.
    for odd in ["a/b", "", "a b"] {
        let ended = command(&["unwatch", "mistyped", odd]).await;
        assert_eq!(ended.code, Some(2), "{odd:?}: {ended:?}");
        let said = format!("ORDER: {odd:?} is neither an id nor a whole number");
        assert!(ended.err.contains(&said), "{ended:?}");
        assert_eq!(ended.out, "", "{odd:?}");
    }
    let ended = command(&["unwatch", "mistyped", "--project", "a b"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let ended = command(&["unwatch", "mistyped", "o1", "nobody"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.out, "mistyped: removed");
    for said in [
        "o1: not removed",
        "Sinch has shown it",
        "nobody: not removed: the service does not know this order",
    ] {
        assert!(ended.err.contains(said), "{said}: {ended:?}");
    }
    assert_eq!(service.order("mistyped").await, Value::Null);
    assert_eq!(service.order("o1").await["confirmed"], "IN_REVIEW");

    let ended = command(&["drop-project", PROJECT]).await;
    assert!(
        ended
            .out
            .contains("1 order, 0 deliveries, 0 quarantined callbacks and 0 placements; the project is configured"),
        "{ended:?}"
    );
    let ended = command(&["drop-project", PROJECT, "--yes"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("is configured"), "{ended:?}");
    assert_eq!(command(&["drop-project", "another"]).await.code, Some(1));
}

#[tokio::test]
async fn a_project_that_is_no_longer_configured_is_reported_and_dropped() {
    let folder = folder();
    let settings = Settings::new(folder.path())
        .set_project("api", "off")
        .add_project("second", "/second", "second-secret");
    let service = Service::start(&settings).await;
    for n in 0..300 {
        let body = event(
            &format!("e{n}"),
            &format!("o{}", n % 30),
            "IN_REVIEW",
            clock::now(),
        );
        let body = body.replace(PROJECT, "second");
        let answer = service
            .send(&Request::signed("/second", "second-secret", body))
            .await;
        assert_eq!(answer.status, 200);
    }
    service
        .deliver(event("e1", "o1", "IN_REVIEW", clock::now()))
        .await;
    assert_eq!(service.stop().await.code, Some(0));

    let settings = Settings::new(folder.path()).set_project("api", "off");
    let service = Service::start(&settings).await;
    let said = |line: &String| line.contains("orders of second, which is not configured");
    assert_eq!(service.lines().iter().filter(|line| said(line)).count(), 1);
    until("all to be counted apart", async || {
        let status = service.status().await;
        (status["orders_not_fetched"]["second"] == 30).then_some(())
    })
    .await;
    let its_orders = "/api/v1/orders?project=second";
    assert_eq!(service.list(its_orders).await.len(), 30);
    let command = async |arguments: &[&str]| command(&settings, &service, arguments).await;
    let ended = command(&["drop-project", "second"]).await;
    assert!(
        ended
            .out
            .contains("second has 30 orders, 300 deliveries, 0 quarantined callbacks and 0 placements; nothing is removed"),
        "{ended:?}"
    );
    let ended = command(&["drop-project", "second", "--yes"]).await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    let status = service.status().await;
    assert_eq!(
        status["orders_not_fetched"]["second"],
        Value::Null,
        "{status}"
    );
    let nobodys = service.get(its_orders).await;
    nobodys.assert_refusal(404, "a project of which nothing is left");
    assert_eq!(service.list("/api/v1/orders").await.len(), 1);
}
