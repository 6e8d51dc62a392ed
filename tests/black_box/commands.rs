//! What the commands need, and what they print.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use testkit::{Ended, Process, Service, Settings, folder, run, until};

const TOKEN: &str = "operators-token-j3kq08";

/// Runs a command in an environment of its own.
async fn with(environment: &[(&'static str, String)], arguments: &[&str]) -> Ended {
    Process::start_in(environment, arguments).ended().await
}

/// A user who may call the service need not be able to read its secrets: under systemd only the service can.
#[tokio::test]
async fn commands_need_the_services_address_and_token_alone() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set("operators.token", TOKEN);
    let service = Service::start(&settings).await;
    let listen = service.operators.to_string();

    let token = folder.path().join("token");
    std::fs::write(&token, format!("{TOKEN}\n")).expect("written");
    let token = token.display().to_string();
    let file = folder.path().join("shared.toml");
    let text = format!(
        "[operators]\nlisten = \"{listen}\"\n[[projects]]\nid = \"a/b\"\nsecrets_file = \"/nowhere/secrets\"\n\
         [log]\nfilter = \"loud\"\n"
    );
    std::fs::write(&file, text).expect("written");
    let file = file.display().to_string();

    let address = ("SINCH_CALLBACKS_OPERATORS__LISTEN", listen.clone());
    let bearer = ("SINCH_CALLBACKS_OPERATORS__TOKEN_FILE", token);
    let named = ("SINCH_CALLBACKS_CONFIG", file);
    let empty = ("SINCH_CALLBACKS_CONFIG", String::new());
    let secret = (
        "SINCH_CALLBACKS_PROJECTS__0__SECRETS_FILE",
        "/nowhere/secrets".to_owned(),
    );
    // The health check needs no token.
    for environment in [
        vec![address.clone()],
        vec![named.clone()],
        vec![named.clone(), secret.clone()],
        vec![address.clone(), empty],
        vec![
            address.clone(),
            (
                "SINCH_CALLBACKS_OPERATORS__TOKEN_FILE",
                "/nowhere".to_owned(),
            ),
        ],
    ] {
        // On a busy machine the answer of the health check can come too late.
        until(&format!("health, by {environment:?}"), async || {
            let ended = with(&environment, &["healthcheck"]).await;
            (ended.code == Some(0)).then_some(())
        })
        .await;
    }
    for environment in [
        vec![address.clone(), bearer.clone()],
        vec![named.clone(), bearer.clone()],
        vec![named.clone(), bearer.clone(), secret],
    ] {
        let ended = with(&environment, &["watch", "o1", "o2"]).await;
        assert_eq!(ended.code, Some(0), "{environment:?}: {ended:?}");
        let output: Value = serde_json::from_str(&ended.out).expect("JSON");
        assert_eq!(output["orders"], 2, "{output}");
        assert_eq!(output["first"], json!(["o1", "o2"]), "{output}");
    }
    let ended = with(&[address], &["watch", "o1"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("wants a token"), "{ended:?}");
}

#[tokio::test]
async fn watch_names_the_argument_that_is_no_order() {
    let folder = folder();
    let settings = Settings::new(folder.path()).add_project("second", "/second", "second-secret");
    let service = Service::start(&settings).await;
    let address = [(
        "SINCH_CALLBACKS_OPERATORS__LISTEN",
        service.operators.to_string(),
    )];
    for (order, words) in [
        ("a/b", "\"a/b\" is no order's id"),
        ("+46700000000", "\"+46700000000\" is a telephone number"),
        ("'o1'", "\"'o1'\" is in quotes"),
        ("#o1", "\"#o1\" is a comment"),
        ("", "\"\" is no order's id"),
    ] {
        let ended = with(&address, &["watch", "o1", order]).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        let error = &ended.err;
        assert!(
            error.contains(words) && !error.contains("line 1"),
            "{error}"
        );
    }
    let ended = with(&address, &["watch", "--project", "a/b", "o1"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("--project: \"a/b\""), "{ended:?}");
    let ended = with(&address, &["watch", "o1"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let named = "several projects are configured; say which by --project: ";
    assert!(ended.err.contains(named), "{ended:?}");
    for project in [testkit::PROJECT, "second"] {
        assert!(ended.err.contains(project), "{ended:?}");
    }
    let config = settings.write().display().to_string();
    let ended = with(&address, &["--config", &config, "rotate-secret"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("say which by PROJECT: "), "{ended:?}");

    // The list comes from a file, so the messages name its lines, and the output names its header.
    let list = folder.path().join("orders.csv");
    let path = list.display().to_string();
    let watch = ["watch", "--project", testkit::PROJECT, "--file", &path];
    std::fs::write(&list, "id_number_order;made\no1;x\no2;y\n").expect("written");
    let ended = with(&address, &watch).await;
    let output: Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(output["header"], "id_number_order", "{output}");
    assert_eq!(output["first"], json!(["o1", "o2"]), "{output}");
    std::fs::write(&list, "o1\n# o2\n").expect("written");
    let ended = with(&address, &watch).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.err.contains("line 2: \"# o2\" is a comment"),
        "{ended:?}"
    );
}

/// `check` and the log report the same doubt, and neither shows the value.
/// Programs read standard output, whoever finds the fault: the command line itself, or the command.
#[tokio::test]
async fn a_fault_of_the_command_line_is_told_in_json_too() {
    for (arguments, words) in [
        (&["orders", "--state", "NOPE", "--json"][..], "'NOPE'"),
        (&["order", "show", "--json"], "ORDER"),
        (&["actions", "--since", "1e9d", "--json"], "'1e9d'"),
        (&["orders", "--json", "--jsn"], "'--jsn'"),
        (&["prune", "--json"], "--dry-run"),
    ] {
        let ended = run(arguments).await;
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        let told: Value = serde_json::from_str(&ended.out).expect("JSON");
        let text = told["error"]["text"].as_str().unwrap_or_default();
        assert!(text.contains(words), "{arguments:?}: {told}");
        assert_eq!(told["error"]["code"], "usage", "{told}");
        assert_eq!(told["error"]["exit_code"], 2, "{told}");
        assert!(ended.err.contains(words), "{arguments:?}: {ended:?}");
    }
    let help = run(["orders", "--json", "--help"]).await;
    assert!(
        help.code == Some(0) && help.out.contains("Usage:"),
        "{help:?}"
    );
}

#[tokio::test]
async fn what_is_unwise_is_reported_by_check_and_in_the_log() {
    let folder = folder();
    let slip = "\"hmac-marker-0123456789-0123456789\" # one";
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "key-marker-0123456789").expect("written");
    let everybody = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(&secret, everybody).expect("set");
    let settings = Settings::new(folder.path())
        .set_project("secrets", json!([slip]))
        .unset_project("key_secret")
        .set_project("key_secret_file", secret.display().to_string())
        .set("sinch.api_url", "http://127.0.0.1:9/v1");
    let config = settings.write();
    let expected = [
        "projects[0].secrets[0] = (hidden): begins with a quotation mark",
        "projects[0].secrets[0] = (hidden): holds a blank and #",
        "every user of this machine can read it",
        "sinch.api_url = \"http://127.0.0.1:9/v1\": has a path",
    ];
    let ended = run(["--config".as_ref(), config.as_os_str(), "check".as_ref()]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let service = Service::start(&settings).await;
    let warnings = |line: &&str| line.contains("the configuration is unwise");
    let log = until("the warnings", async || {
        let said = service.said();
        let lines: Vec<String> = said.lines().filter(warnings).map(str::to_owned).collect();
        (lines.len() >= expected.len()).then_some(lines)
    })
    .await;
    for warning in expected {
        let line = ended.out.lines().find(|line| line.contains(warning));
        assert!(
            line.is_some_and(|line| line.starts_with("unwise")),
            "{warning}: {}",
            ended.out
        );
        let escaped = warning.replace('"', "\\\"");
        assert!(
            log.iter().any(|line| line.contains(&escaped)),
            "{warning}: {log:#?}"
        );
    }
    assert!(!ended.out.contains("marker") && !log.concat().contains("marker"));
}
