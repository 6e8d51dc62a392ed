//! Tests of configurations that load, and that no input causes a panic.

mod documents;
mod faults;
mod hidden;
mod in_force;
mod reference;
mod secrets;
mod targets;
mod tokens;
mod variables;

use std::time::Duration;

use ipnet::IpNet;
use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;

const EXAMPLE: &str = include_str!("../../../config.example.toml");

/// Least configuration that loads, in five lines.
const LEAST: &str = r#"[[projects]]
id = "p"
secrets = ["hmac-marker-0123456789-0123456789"]
key_id = "k"
key_secret = "key-marker-0123456789"
"#;

/// Secret of a target.
const TARGET_SECRET: &str = "whsec_dGFyZ2V0LW1hcmtlci1vZi1hLXRlc3QtMDEyMzQ1";

/// Beginning of a target that has a name and nothing else.
const NAMED: &str = "[[targets]]\nname = \"crm\"\n";

/// Least target that loads.
const TARGET: &str =
    "[[targets]]\nname = \"crm\"\nurl = \"https://crm.example.com/marker\"\nsignature = \"off\"\n";

/// Marker of every secret in these tests.
const MARKER: &str = "marker";

fn env(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    variables
        .iter()
        .map(|(name, text)| (format!("SINCH_CALLBACKS_{name}").into(), text.into()))
        .collect()
}

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, ConfigErrors> {
    load_with(text, env(variables))
}

fn load_with(text: &str, env: Vec<(OsString, OsString)>) -> Result<Loaded, ConfigErrors> {
    let tree = Tree::parse("config.toml", text).map_err(|fault| ConfigErrors(vec![fault]))?;
    Loaded::of(tree, &env::ours(env))
}

fn config(text: &str, variables: &[(&str, &str)]) -> Config {
    load(text, variables).expect("loads").config
}

fn faults(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let errors = load(text, variables).expect_err(text);
    errors.lines().to_vec()
}

fn credentials(project: &Project) -> &Credentials {
    match &project.api {
        Api::On(credentials) => credentials,
        Api::Off => panic!("the API is off"),
    }
}

fn secrets(project: &Project) -> Vec<&str> {
    match &project.signature {
        Signature::Required(secrets) => secrets.iter().map(|s| s.secret.expose_secret()).collect(),
        Signature::Off => panic!("the signature is off"),
    }
}

#[test]
fn the_smallest_file_has_every_default() {
    let config = config(LEAST, &[]);
    assert_eq!(config.callbacks, Callbacks::default());
    assert_eq!(
        format!("{:?}", config.operators),
        format!("{:?}", Operators::default())
    );
    assert_eq!(config.database, Database::default());
    assert_eq!(config.worker, Worker::default());
    assert_eq!(config.retention, Retention::default());
    assert_eq!(config.sinch, Sinch::default());
    assert_eq!(config.log, Log::default());
    let [project] = &config.projects[..] else {
        panic!("one project");
    };
    assert_eq!(project.id.as_str(), "p");
    assert_eq!(project.path, "/callbacks");
    assert_eq!(secrets(project), ["hmac-marker-0123456789-0123456789"]);
    let key = credentials(project);
    assert_eq!((key.auth, key.key_id.as_str()), (Auth::OAuth2, "k"));
    assert_eq!(key.key_secret.expose_secret(), "key-marker-0123456789");
}

#[test]
fn the_example_wants_nothing_but_its_secrets_replaced() {
    let faults = faults(EXAMPLE, &[]);
    let keys = faults.iter().map(|fault| {
        assert!(fault.contains("still the example's"), "{fault}");
        fault.split(' ').nth(3).unwrap_or_default()
    });
    assert_eq!(
        keys.collect::<Vec<_>>(),
        [
            "projects[0].id",
            "projects[0].secrets[0]",
            "projects[0].key_id",
            "projects[0].key_secret"
        ]
    );
    assert!(load(&example(), &[]).expect("loads").warnings.is_empty());
}

/// Example as an operator completes it.
fn example() -> String {
    EXAMPLE
        .replace("id = \"replace-me\"", "id = \"p\"")
        .replace("= \"replace-me\"", "= \"key-marker-0123456789\"")
        .replace(
            "[\"replace-me\"]",
            "[\"hmac-marker-0123456789-0123456789\"]",
        )
}

/// Tests that removing a line that states a default changes nothing, and that only required keys cannot be removed.
#[test]
fn every_value_in_the_example_is_the_default() {
    let example = example();
    // Where a value came from is another matter.
    let meant = |config: Config| {
        let in_force = Vec::new();
        format!("{:?}", Config { in_force, ..config })
    };
    let whole = meant(config(&example, &[]));
    for (number, line) in example.lines().enumerate() {
        let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let rest = example
            .lines()
            .enumerate()
            .filter(|(other, _)| *other != number);
        let rest = rest.map(|(_, line)| line).collect::<Vec<_>>().join("\n");
        match load(&rest, &[]) {
            Ok(loaded) => assert_eq!(meant(loaded.config), whole, "{line}"),
            Err(_) => assert!(
                ["id", "secrets", "key_id", "key_secret"].contains(&key),
                "{line}"
            ),
        }
    }
}

#[test]
fn variables_of_every_kind_override_the_file() {
    let config = config(
        &format!("{LEAST}[callbacks]\nallow = [\"192.0.2.1\"]\n[sinch]\nmax_in_flight = 2"),
        &[
            ("CONFIG", "elsewhere.toml"),
            ("SINCH__MAX_IN_FLIGHT", "8"),
            ("WORKER__STALENESS_SECS", "0.5"),
            ("SINCH__PROXY_FROM_ENVIRONMENT", "true"),
            ("LOG__FORMAT", "json"),
            ("CALLBACKS__ALLOW__1", "198.51.100.0/24"),
            ("CALLBACKS__TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
            ("PROJECTS__0__KEY_SECRET", "007"),
            ("PROJECTS__0__KEY_ID", "12345"),
            ("PROJECTS__0__SECRETS__0", "true"),
            ("PROJECTS__0__SECRETS__1", " 1.50 "),
            ("PROJECTS__1__ID", "99"),
            ("PROJECTS__1__PATH", "/two"),
            ("PROJECTS__1__SECRETS", "a,b"),
            ("PROJECTS__1__API", "off"),
        ],
    );
    assert_eq!(config.sinch.max_in_flight, 8);
    assert_eq!(config.worker.staleness, Duration::from_millis(500));
    assert!(config.sinch.proxy_from_environment);
    assert_eq!(config.log.format, LogFormat::Json);
    let texts = |nets: &[IpNet]| nets.iter().map(IpNet::to_string).collect::<Vec<_>>();
    assert_eq!(
        texts(&config.callbacks.allow),
        ["192.0.2.1/32", "198.51.100.0/24"]
    );
    assert_eq!(
        texts(&config.callbacks.trusted_proxies),
        ["10.0.0.0/8", "::1/128"]
    );
    let [first, second] = &config.projects[..] else {
        panic!("two projects");
    };
    assert_eq!(secrets(first), ["true", " 1.50 "]);
    let key = credentials(first);
    assert_eq!(
        (key.key_id.as_str(), key.key_secret.expose_secret()),
        ("12345", "007")
    );
    assert_eq!(second.id.as_str(), "99");
    assert_eq!(secrets(second), ["a,b"]);
}

#[test]
fn the_file_may_come_from_any_editor() {
    let windows = format!("\u{feff}{}", LEAST.replace('\n', "\r\n"));
    assert_eq!(
        secrets(&config(&windows, &[]).projects[0]),
        ["hmac-marker-0123456789-0123456789"]
    );
}

#[test]
fn the_environment_alone_is_enough() {
    let loaded = Config::load(
        None,
        env(&[
            ("PROJECTS__0__ID", "p"),
            ("PROJECTS__0__SIGNATURE", "off"),
            ("PROJECTS__0__API", "off"),
            ("CALLBACKS__TRUSTED_PROXIES", ""),
        ]),
    );
    let projects = loaded.expect("loads").config.projects;
    assert!(matches!(projects[0].signature, Signature::Off));
    assert!(matches!(projects[0].api, Api::Off));
}

#[test]
fn variables_that_kubernetes_sets_for_a_service_are_ignored() {
    config(
        LEAST,
        &[
            ("SERVICE_HOST", "10.0.0.1"),
            ("SERVICE_PORT", "8080"),
            ("SERVICE_PORT_HTTP", "8080"),
            ("PORT", "tcp://10.0.0.1:8080"),
            ("PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("PORT_8080_TCP_PROTO", "tcp"),
            ("PORT_8080_TCP_PORT", "8080"),
            ("PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("OPERATORS_SERVICE_HOST", "10.0.0.1"),
            ("OPERATORS_PORT", "tcp://10.0.0.1:9090"),
        ],
    );
    assert_eq!(faults(LEAST, &[("PORT", "8080")]).len(), 1);
}

#[test]
fn http_is_for_this_machine_only() {
    for url in [
        "http://127.0.0.1:1",
        "http://127.9.9.9/x/",
        "http://[::1]:1",
        "http://localhost:1/",
    ] {
        let config = config(LEAST, &[("SINCH__API_URL", url)]);
        assert_eq!(config.sinch.api_url, url.trim_end_matches('/'));
    }
    for url in [
        "http://localhost.example.com",
        "http://10.0.0.1",
        "http://[::2]",
        "ftp://127.0.0.1",
        "https:name:marker@host",
    ] {
        let fault = faults(LEAST, &[("SINCH__API_URL", url)]).remove(0);
        assert!(!fault.contains(MARKER), "{fault}");
    }
}

/// Lines that are mostly right, so that many mixtures of them are valid. Only secrets have the marker.
fn lines() -> impl Strategy<Value = String> {
    let example = example().replace("key_id = \"key-marker-0123456789\"", "key_id = \"k\"");
    let right = example.lines().chain(LEAST.lines()).map(str::to_owned);
    let line = prop_oneof![
        proptest::sample::select(right.collect::<Vec<_>>()),
        (
            "[a-z_]{1,6}|token|secrets|key_secret|allow|max_in_flight",
            "[0-9.:/]{0,6}|\"\\PC{0,8}\"|\\[\\]|\\{\\}"
        )
            .prop_map(|(key, value)| format!("{key} = {value}")),
    ];
    proptest::collection::vec(line, 0..30).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(?s).{0,200}") {
        let _ = load(&text, &[]);
    }

    #[test]
    fn no_lines_make_it_panic_or_show_a_secret(text in lines()) {
        match load(&text, &[]) {
            Ok(loaded) => {
                let shown = format!("{loaded:?}");
                prop_assert!(!shown.contains(MARKER), "{}", shown);
            }
            Err(errors) => {
                let errors = errors.to_string();
                prop_assert!(!errors.is_empty() && !errors.contains(MARKER), "{}", errors);
            }
        }
    }

    #[test]
    fn no_variable_makes_it_panic(name in "([A-Z]{0,9}|PROJECTS|CALLBACKS|ALLOW|SECRETS|[0-9]{1,20}|__){0,6}", text in "\\PC{0,20}") {
        let _ = load(LEAST, &[(&name, &text)]);
    }

    #[test]
    fn a_secret_from_a_variable_is_kept_to_the_letter(secret in "[^\\pC]{0,20}[a-z]") {
        let config = config(LEAST, &[("PROJECTS__0__KEY_SECRET", &secret), ("PROJECTS__0__SECRETS", &secret)]);
        prop_assert_eq!(credentials(&config.projects[0]).key_secret.expose_secret(), &secret);
        prop_assert_eq!(secrets(&config.projects[0]), [&secret]);
    }
}
