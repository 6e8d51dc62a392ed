//! Tests of every fault, to the letter.

use super::*;

/// Returns the faults of a file with the given lines after the least configuration.
fn faults_after(more: &str) -> Vec<String> {
    faults(&format!("{LEAST}{more}"), &[])
}

/// Faults of the listeners and of the database: each with lines after the least configuration, and the text of the
/// fault.
const LISTENERS: &[(&str, &str)] = &[
    (
        "[callbacks]\nallow = [\"192.0.2.1\",\n  \"10.0.0.1/8\"]",
        "config.toml line 8: callbacks.allow[1] = \"10.0.0.1/8\": host bits are set; write 10.0.0.0/8",
    ),
    (
        "[callbacks]\nallow = []",
        "config.toml line 7: callbacks.allow = []: no address could call; list Sinch's addresses, or leave the key out",
    ),
    (
        "[callbacks]\nallow = \"192.0.2.1\"",
        "config.toml line 7: callbacks.allow = \"192.0.2.1\": write a list, in square brackets",
    ),
    (
        "[callbacks]\ntrusted_proxies = [\"0.0.0.0/0\"]",
        "config.toml line 7: callbacks.trusted_proxies[0] = \"0.0.0.0/0\": this is every address; list the networks that are meant",
    ),
    (
        "[callbacks]\nlisten = \":8080\"",
        "config.toml line 7: callbacks.listen = \":8080\": write an IP address and a port, such as 0.0.0.0:8080",
    ),
    (
        "[callbacks]\nbody_max_bytes = 0x1000001",
        "config.toml line 7: callbacks.body_max_bytes = 16777217: write a whole number from 1 to 16777216",
    ),
    (
        "[callbacks]\nallowed = [\"192.0.2.1\"]",
        "config.toml line 7: callbacks.allowed: there is no such key; write one of listen, public_url, allow, trusted_proxies, \
             body_max_bytes, header_timeout_secs, body_timeout_secs, idle_timeout_secs, connections_max",
    ),
    (
        "[calbacks]\nlisten = \"0.0.0.0:1\"",
        "config.toml line 6: calbacks: there is no such key; write one of callbacks, operators, database, worker, \
             deadlines, retention, sinch, log, projects, targets, tokens",
    ),
    (
        "[operators]\nlisten = \"0.0.0.0:9090\"",
        "not set: operators.token: needed, as other machines can reach 0.0.0.0:9090; set one, or listen on 127.0.0.1",
    ),
    (
        "[operators]\ntoken = \"short-marker\"",
        "config.toml line 7: operators.token = (hidden): too short to keep people out; take at least 16 characters",
    ),
    (
        "[operators]\ntoken = \"a long token with a marker\"",
        "config.toml line 7: operators.token = (hidden): no header can carry it; use visible ASCII characters only",
    ),
    (
        "[operators]\ntoken = \" \"",
        "config.toml line 7: operators.token = (hidden): empty; write the secret, or leave the key out",
    ),
    (
        "[database]\npath = \"\"",
        "config.toml line 7: database.path = \"\": empty; write the path of a file",
    ),
    (
        "[database]\nurl = \"mysql://u:marker@db/s\"",
        if cfg!(feature = "postgres") {
            "config.toml line 7: database.url = (hidden): not an address; write one such as postgres://user:password@db.example.com/sinch"
        } else {
            "config.toml line 7: database.url = (hidden): this program was built without PostgreSQL; leave the key out, or build it with the feature postgres"
        },
    ),
];

/// Faults of limits and of retention: each with lines after the least configuration, and the text of the fault.
const WORK: &[(&str, &str)] = &[
    (
        "[sinch]\nmax_in_flight = \"4\"",
        "config.toml line 7: sinch.max_in_flight = \"4\": write a whole number, not below 0, without quotes",
    ),
    (
        "[sinch]\nmax_in_flight = -4",
        "config.toml line 7: sinch.max_in_flight = -4: write a whole number, not below 0, without quotes",
    ),
    (
        "[worker]\nattempts_max = 5000000000",
        "config.toml line 7: worker.attempts_max = 5000000000: write a whole number from 1 to 1000",
    ),
    (
        "[sinch]\nrequests_per_second = 0",
        "config.toml line 7: sinch.requests_per_second = 0: write a number from 0.001 to 100000",
    ),
    (
        "[worker]\nstaleness_secs = nan",
        "config.toml line 7: worker.staleness_secs = nan: write a number from 0 to 3600",
    ),
    (
        "[worker]\nbackoff_base_secs = 400",
        "not set: worker.backoff_cap_secs: below backoff_base_secs; write 400 or more",
    ),
    (
        "[worker]\nstaleness_secs = 400",
        "not set: worker.staleness_max_secs: below staleness_secs; write 400 or more",
    ),
    (
        "[retention]\nbodies_days = 0",
        "config.toml line 7: retention.bodies_days = 0: write a number from 0.00001 to 36500",
    ),
    (
        "[retention]\nbodies_days = 90.5",
        "not set: retention.deliveries_days: below bodies_days; write 90.5 or more",
    ),
    (
        "[retention]\nparked_days = 89",
        "config.toml line 7: retention.parked_days = 89: below deliveries_days; write 90 or more",
    ),
    (
        "[retention]\nparked_days = 401",
        "not set: retention.orders_days: below parked_days; write 401 or more",
    ),
];

/// Faults of other sections and of projects: each with lines after the least configuration, and the text of the fault.
const OTHERS: &[(&str, &str)] = &[
    (
        "worker = 3",
        "config.toml line 6: projects[0].worker: there is no such key; write one of id, path, signature, secrets, \
             secrets_file, api, auth, key_id, key_secret, key_secret_file",
    ),
    (
        "[[worker]]\nattempts_max = 1",
        "config.toml line 6: worker = (a list): write a table of keys, not a single value or a list",
    ),
    (
        "[callbacks]\npublic_url = \"http://callbacks.example.com\"",
        "config.toml line 7: callbacks.public_url = \"http://callbacks.example.com\": write https://, since callbacks name \
         telephone numbers; http:// is for this machine only",
    ),
    (
        "[sinch]\napi_url = \"http://numbers.api.sinch.com\"",
        "config.toml line 7: sinch.api_url = \"http://numbers.api.sinch.com\": write https://, since the key goes \
             there; http:// is for this machine only",
    ),
    (
        "[sinch]\ntoken_url = \"https://name:marker@auth.sinch.com\"",
        "config.toml line 7: sinch.token_url = (hidden): leave out the name and password; the key belongs to the project",
    ),
    (
        "[sinch]\ntoken_url = \"https://auth.sinch.com/?a=b\"",
        "config.toml line 7: sinch.token_url = \"https://auth.sinch.com/?a=b\": leave out what follows the path: \
             neither ? nor # belongs here",
    ),
    (
        "[sinch]\napi_url = \"numbers.api.sinch.com\"",
        "config.toml line 7: sinch.api_url = \"numbers.api.sinch.com\": not a URL; write one such as \
             https://numbers.api.sinch.com",
    ),
    (
        "[sinch]\nproxy_from_environment = \"yes\"",
        "config.toml line 7: sinch.proxy_from_environment = \"yes\": write true or false, without quotes",
    ),
    (
        "[log]\nformat = \"xml\"",
        "config.toml line 7: log.format = \"xml\": write \"auto\" or \"json\" or \"text\"",
    ),
    (
        "[log]\nfilter = \"a=b=c\"",
        "config.toml line 7: log.filter = \"a=b=c\": error parsing level filter: expected one of \"off\", \"error\", \
             \"warn\", \"info\", \"debug\", \"trace\", or a number 0-5; write such as \"info\" or \
             \"sinch_callbacks=debug,warn\"",
    ),
    (
        "[log]\nformat = 2026-11-23",
        "config.toml line 7: log.format = 2026-11-23: write a text, in quotes",
    ),
    (
        "signature = true",
        "config.toml line 6: projects[0].signature = true: write a text, in quotes",
    ),
    (
        "signature = \"on\"",
        "config.toml line 6: projects[0].signature = \"on\": write \"required\" or \"off\"",
    ),
    (
        "path = \"callbacks\"",
        "config.toml line 6: projects[0].path = \"callbacks\": write a path that starts with a slash",
    ),
    (
        "path = \"/{id}\"",
        "config.toml line 6: projects[0].path = \"/{id}\": write a path of letters, digits and / _ . - only",
    ),
    (
        "path = \"/a/../b\"",
        "config.toml line 6: projects[0].path = \"/a/../b\": leave out empty segments, . and ..: proxies rewrite them",
    ),
    (
        "secrets_file = \"x\"",
        "config.toml line 6: projects[0].secrets_file = (hidden): projects[0].secrets is set too; leave one of them out",
    ),
    (
        "key_secret_file = \"x\"",
        "config.toml line 6: projects[0].key_secret_file = (hidden): projects[0].key_secret is set too; leave one of them out",
    ),
];

#[test]
fn faults_have_one_form() {
    for (more, expected) in [LISTENERS, WORK, OTHERS].concat() {
        assert_eq!(faults_after(more), [expected], "{more}");
    }
}

#[test]
fn faults_of_a_project() {
    for (project, expected) in [
        (
            "",
            vec!["not set: projects: there must be one at least; write it under [[projects]]"],
        ),
        (
            "projects = []",
            vec![
                "config.toml line 1: projects = []: there must be one at least; write it under [[projects]]",
            ],
        ),
        (
            "[projects]\nid = \"p\"",
            vec![
                "config.toml line 1: projects = (a table): write a list of tables, each under [[double brackets]]",
            ],
        ),
        (
            "[[projects]]",
            vec![
                "not set: projects[0].id: needed; copy the project's id from Sinch's dashboard",
                "not set: projects[0].secrets: needed to tell Sinch from anybody else; set Sinch's secret, or secrets_file, or say signature = \"off\"",
                "not set: projects[0].key_id: needed to fetch from Sinch; set it, or say api = \"off\"",
                "not set: projects[0].key_secret: needed to fetch from Sinch; set it, or key_secret_file, or say api = \"off\"",
            ],
        ),
        (
            "[[projects]]\nid = \"a/b\"\napi = \"off\"\nsecrets = []",
            vec![
                "config.toml line 2: projects[0].id = \"a/b\": not a project's id; copy it from Sinch's dashboard, without spaces or slashes",
                "config.toml line 4: projects[0].secrets = (hidden): empty, and with an empty key anybody could sign; write the secret that Sinch has",
            ],
        ),
        (
            "[[projects]]\nid = \"p\"\nkey_id = \"a:b\"\nkey_secret = \"\"\nsecrets = [\"marker\", \"\\t \"]",
            vec![
                "config.toml line 5: projects[0].secrets[1] = (hidden): empty, and with an empty key anybody could sign; write the secret that Sinch has",
                "config.toml line 3: projects[0].key_id = \"a:b\": not a key's id; copy it from Sinch's dashboard, without spaces or colons",
                "config.toml line 4: projects[0].key_secret = (hidden): empty; write the secret, or leave the key out",
            ],
        ),
        (
            "[[projects]]\nid = \"p\"\nsignature = \"off\"\napi = \"off\"\n[[projects]]\nid = \"p\"\nsignature = \"off\"\napi = \"off\"\npath = \"/callbacks\"",
            vec![
                "config.toml line 6: projects[1].id = \"p\": projects[0] has the same id; list a project once",
                "config.toml line 9: projects[1].path = \"/callbacks\": projects[0] has the path /callbacks too; give each its own",
            ],
        ),
    ] {
        assert_eq!(faults(project, &[]), expected, "{project}");
    }
}

#[test]
fn all_faults_are_reported_at_once() {
    let kinds =
        faults_after("x = 1\n[sinch]\nmax_in_flight = \"a\"\nrequest_timeout_secs = \"b\"\n[y]");
    assert_eq!(kinds.len(), 4, "{kinds:#?}");
    let meanings = faults_after("path = \"x\"\n[sinch]\nmax_in_flight = 0\n[log]\nformat = \"x\"");
    assert_eq!(meanings.len(), 3, "{meanings:#?}");
}

#[test]
fn a_syntax_error_is_reported_without_the_line() {
    for (text, expected) in [
        (
            "key_secret = marker",
            "config.toml line 1, column 14: not TOML: ",
        ),
        (
            "[log]\nx = \"ä\" marker",
            "config.toml line 2, column 9: not TOML: ",
        ),
        (
            "a = 1\na = \"marker\"",
            "config.toml line 2, column 1: not TOML: duplicate key",
        ),
    ] {
        let [fault] = &faults(text, &[])[..] else {
            panic!("one fault");
        };
        assert!(fault.starts_with(expected), "{fault}");
        assert!(!fault.contains(MARKER), "{fault}");
    }
}

#[test]
fn faults_of_variables_name_the_variable() {
    for (variable, text, expected) in [
        (
            "SINCH__MAX_IN_FLIGHT",
            "many",
            "SINCH_CALLBACKS_SINCH__MAX_IN_FLIGHT: sinch.max_in_flight = \"many\": write a whole number, not below 0, without quotes",
        ),
        (
            "DEADLINES__EXPIRING_SECS",
            "900,soon",
            "SINCH_CALLBACKS_DEADLINES__EXPIRING_SECS: deadlines.expiring_secs[1] = \"soon\": write a number, without quotes",
        ),
        (
            "CALLBACKS__ALLOW",
            "192.0.2.1,x",
            "SINCH_CALLBACKS_CALLBACKS__ALLOW: callbacks.allow[1] = \"x\": write an address such as 192.0.2.1 or a \
             network such as 192.0.2.0/24",
        ),
        (
            "PROJECTS__0__SECRETS",
            " ",
            "SINCH_CALLBACKS_PROJECTS__0__SECRETS: projects[0].secrets[0] = (hidden): empty, and with an empty key \
             anybody could sign; write the secret that Sinch has",
        ),
        (
            "PROJECTS__0__SECRET",
            "marker",
            "SINCH_CALLBACKS_PROJECTS__0__SECRET: projects[0].secret: there is no such key; write one of id, path, \
             signature, secrets, secrets_file, api, auth, key_id, key_secret, key_secret_file",
        ),
        (
            "PROJECTS__KEY_SECRET",
            "marker",
            "SINCH_CALLBACKS_PROJECTS__KEY_SECRET: projects.key_secret: put the number of the entry before it, \
             counting from 0",
        ),
        (
            "PROJECTS__7__KEY_SECRET",
            "marker",
            "SINCH_CALLBACKS_PROJECTS__7__KEY_SECRET: projects[7].key_secret: the entries before it are missing; \
             count from 0",
        ),
        (
            "PROJECTS__0__ID__0",
            "x",
            "SINCH_CALLBACKS_PROJECTS__0__ID__0: projects[0].id[0]: this is not a list; leave out the number",
        ),
        (
            "PROJECTS__0__ID__X",
            "x",
            "SINCH_CALLBACKS_PROJECTS__0__ID__X: projects[0].id.x: what should hold it is set to a single value",
        ),
        (
            "CONFIG_FILE",
            "x",
            "SINCH_CALLBACKS_CONFIG_FILE: config_file: there is no such key; write one of callbacks, operators, \
             database, worker, deadlines, retention, sinch, log, projects, targets, tokens",
        ),
    ] {
        assert_eq!(faults(LEAST, &[(variable, text)]), [expected]);
    }
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let error = Config::load(Some(Path::new("absent.toml")), []).expect_err("no file");
    assert_eq!(
        error.to_string(),
        "absent.toml: cannot be read: No such file or directory (os error 2); check the path"
    );
}

#[test]
fn a_file_that_never_ends_is_not_read() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "#".repeat(5_000_000)).expect("written");
    for (path, expected) in [
        (file.path(), "cannot be read: more than 4194304 bytes"),
        (Path::new("/dev/null"), "cannot be read: not a regular file"),
    ] {
        let error = Config::load(Some(path), []).expect_err("no file");
        assert!(error.to_string().contains(expected), "{error}");
    }
}
