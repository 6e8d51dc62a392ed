//! `config show`: the configuration as it is in force.

use serde_json::Value;

use testkit::{SECRET, run};

use super::Place;

fn setting<'a>(shown: &'a Value, key: &str) -> &'a Value {
    let settings = shown["settings"].as_array().expect("a list");
    let found = settings.iter().find(|setting| setting["key"] == key);
    found.unwrap_or_else(|| panic!("{key}: {shown}"))
}

#[tokio::test]
async fn the_configuration_in_force_is_shown_with_where_it_came_from() {
    let change = |settings: testkit::Settings| {
        settings.set_environment("SINCH_CALLBACKS_RETENTION__ORDERS_DAYS", "777")
    };
    let place = Place::new(&["o1"], change).await;
    let file = place.settings.path().display().to_string();
    // The file changes, and the service does not take that up before a reload.
    place.settings.clone().set("worker.attempts_max", 9).write();
    let shown = place.json(0, &["config", "show"]).await;
    for (key, value, source, from) in [
        ("worker.attempts_max", "1", "file", file.as_str()),
        (
            "retention.orders_days",
            "777",
            "environment",
            "SINCH_CALLBACKS_RETENTION__ORDERS_DAYS",
        ),
        ("projects[0].secrets", "(hidden)", "file", &file),
        ("projects[0].key_secret", "(hidden)", "file", &file),
    ] {
        let setting = setting(&shown, key);
        assert_eq!(
            (&setting["value"], &setting["source"]),
            (&value.into(), &source.into()),
            "{key}"
        );
        assert!(
            setting["place"]
                .as_str()
                .is_some_and(|at| at.starts_with(from)),
            "{setting}"
        );
    }
    assert_eq!(
        setting(&shown, "sinch.connect_timeout_secs")["source"],
        "default"
    );
    let table = place.run(0, &["config", "show"]).await;
    assert!(
        table.contains("sinch.connect_timeout_secs") && !table.contains(SECRET),
        "{table}"
    );
    let set = place.run(0, &["config", "show", "--set"]).await;
    assert!(
        set.contains("worker.attempts_max") && !set.contains("connect_timeout"),
        "{set}"
    );

    let next = run(["--config", &file, "config", "show", "--next", "--json"]).await;
    assert_eq!(next.code, Some(0), "{next:?}");
    let next: Value = serde_json::from_str(&next.out).expect("JSON");
    assert_eq!(setting(&next, "worker.attempts_max")["value"], "9");
    assert_eq!(setting(&next, "retention.orders_days")["source"], "default");
    let ended = run([
        "--config",
        "/nowhere/config.toml",
        "config",
        "show",
        "--next",
    ])
    .await;
    assert_eq!(ended.code, Some(78), "{ended:?}");
}
