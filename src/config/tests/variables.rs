//! Tests of variables that are empty or not text.

use std::os::unix::ffi::OsStringExt;

use notifications::RetrySchedule;

use super::*;

fn bytes(text: &[u8]) -> OsString {
    OsString::from_vec(text.to_vec())
}

/// Tests that an empty variable counts as not set, whatever it would set.
#[test]
fn an_empty_variable_changes_nothing() {
    let file = format!("{LEAST}[callbacks]\nallow = [\"192.0.2.1\"]\n[log]\nfilter = \"warn\"\n");
    let without = format!("{:?}", config(&file, &[]));
    let empty = [
        "CONFIG",
        "CALLBACKS__ALLOW",
        "CALLBACKS__TRUSTED_PROXIES",
        "CALLBACKS__LISTEN",
        "OPERATORS__TOKEN",
        "OPERATORS__TOKEN_FILE",
        "SINCH__MAX_IN_FLIGHT",
        "LOG__FILTER",
        "SINCH__API_URL",
        "PROJECTS__0__ID",
        "PROJECTS__0__SECRETS",
        "PROJECTS__0__SECRETS__1",
        "PROJECTS__0__SECRETS_FILE",
        "PROJECTS__0__KEY_SECRET",
        "PROJECTS__1__ID",
    ];
    for name in empty {
        assert_eq!(
            format!("{:?}", config(&file, &[(name, "")])),
            without,
            "{name}"
        );
    }
    let all = empty.map(|name| (name, ""));
    assert_eq!(format!("{:?}", config(&file, &all)), without);
    // Therefore an empty variable sets no empty secret, with which anybody could sign.
    let without = LEAST.replace("secrets = ", "#");
    let [fault] = &faults(&without, &[("PROJECTS__0__SECRETS", "")])[..] else {
        panic!("one fault");
    };
    assert!(fault.contains("projects[0].secrets: needed"), "{fault}");
}

#[test]
fn a_list_of_numbers_is_written_with_commas_or_entry_by_entry() {
    let spans = |secs: &[u64]| {
        let spans = secs.iter().map(|secs| Duration::from_secs(*secs));
        spans.collect::<Vec<_>>()
    };
    for (variables, expected) in [
        (
            &[("DEADLINES__EXPIRING_SECS", "900, 7200")][..],
            &[900, 7200][..],
        ),
        (&[("DEADLINES__EXPIRING_SECS", "[900,7200]")], &[900, 7200]),
        (&[("DEADLINES__EXPIRING_SECS", "900")], &[900]),
        (&[("DEADLINES__EXPIRING_SECS", "[]")], &[]),
        (
            &[
                ("DEADLINES__EXPIRING_SECS__0", "900"),
                ("DEADLINES__EXPIRING_SECS__1", "7200"),
            ],
            &[900, 7200],
        ),
    ] {
        let deadlines = config(LEAST, variables).deadlines;
        assert_eq!(deadlines.orders.expiring, spans(expected), "{variables:?}");
    }
    let file = format!("{LEAST}{TARGET}");
    let waits = ("TARGETS__0__RETRY_WAITS_SECS", "5,300");
    let target = config(&file, &[waits]).targets.remove(0);
    assert_eq!(target.retries, RetrySchedule::new(spans(&[5, 300])));
}

#[test]
fn a_variable_of_ours_that_is_no_text_is_a_fault() {
    for (name, value, place) in [
        (
            &b"SINCH_CALLBACKS_CALLBACKS__LISTEN"[..],
            &b"\xff"[..],
            "SINCH_CALLBACKS_CALLBACKS__LISTEN: callbacks.listen: ",
        ),
        (
            b"SINCH_CALLBACKS_PROJECTS__0__SECRETS",
            b"marker\xe4",
            "SINCH_CALLBACKS_PROJECTS__0__SECRETS: projects[0].secrets: ",
        ),
        (
            b"SINCH_CALLBACKS_NO__SUCH",
            b"\xe4marker",
            "SINCH_CALLBACKS_NO__SUCH: no.such: ",
        ),
        (
            b"SINCH_CALLBACKS_LOG__FILTER\xff",
            b"marker",
            "\"SINCH_CALLBACKS_LOG__FILTER\u{fffd}\": ",
        ),
        (
            b"SINCH_CALLBACKS_\xffPORT",
            b"tcp://marker\xff",
            "\"SINCH_CALLBACKS_\u{fffd}PORT\": ",
        ),
    ] {
        let errors = load_with(LEAST, vec![(bytes(name), bytes(value))]).expect_err(place);
        let [fault] = errors.lines() else {
            panic!("{errors}");
        };
        assert!(fault.starts_with(place), "{fault}");
        assert!(
            fault.contains("is not UTF-8 text") && !fault.contains(MARKER),
            "{fault}"
        );
    }
    // Variables of other programs do not matter, nor does the place of the file, which may lie at any path.
    for (name, value) in [
        (&b"OTHER\xff"[..], &b"\xff"[..]),
        (b"LANG", b"\xff"),
        (b"SINCH_CALLBACKS_CONFIG", b"/etc/\xff"),
    ] {
        load_with(LEAST, vec![(bytes(name), bytes(value))]).expect("loads");
    }
}

/// Tests that a command that calls the running service needs neither projects nor secrets, nor access to them.
#[test]
fn commands_need_the_operators_section_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.toml");
    let operators = |text: &str, variables: &[(&str, &str)]| {
        std::fs::write(&path, text).expect("written");
        let operators = Operators::load(Some(&path), env(variables));
        (operators, Operators::address(Some(&path), env(variables)))
    };
    let elsewhere = "[operators]\nlisten = \"0.0.0.0:1234\"\n";
    let broken = "[[projects]]\nid = \"a/b\"\nsecrets_file = \"/nowhere\"\nkey_secret = \"\"\n[nonsense]\nx = 1\n[log]\nfilter = \"loud\"\n";
    for (text, variables) in [
        (elsewhere.to_owned(), &[][..]),
        (format!("{elsewhere}{broken}"), &[]),
        (broken.to_owned(), &[("OPERATORS__LISTEN", "0.0.0.0:1234")]),
        (
            String::new(),
            &[
                ("OPERATORS__LISTEN", "0.0.0.0:1234"),
                ("PROJECTS__0__SECRETS_FILE", "/nowhere"),
                ("PROJECTS__7__ID", "x"),
                ("NO__SUCH", "x"),
            ],
        ),
    ] {
        let (operators, address) = operators(&text, variables);
        let operators = operators.expect(&text);
        assert_eq!(operators.listen.to_string(), "0.0.0.0:1234", "{text}");
        assert!(operators.token.is_none());
        assert_eq!(address.expect(&text), operators.listen);
    }
    let token = [("OPERATORS__TOKEN", "a-token-with-a-marker")];
    let (with_token, _) = operators(elsewhere, &token);
    let token = with_token.expect("loads").token;
    assert_eq!(
        token.as_ref().map(|token| token.expose_secret()),
        Some(token_text())
    );

    // The keys that a command needs are checked all the same; the address needs no token.
    for (variable, text, address_too) in [
        ("OPERATORS__TOKEN", "short", false),
        ("OPERATORS__TOKEN_FILE", "/nowhere", false),
        ("OPERATORS__LISTEN", "nowhere", true),
        ("OPERATORS__LISTENS", "0.0.0.0:1", true),
    ] {
        let (operators, address) = operators("", &[(variable, text)]);
        let fault = operators.expect_err(text).to_string();
        assert!(
            fault.starts_with(&format!("SINCH_CALLBACKS_{variable}: operators.")),
            "{fault}"
        );
        assert_eq!(address.is_err(), address_too, "{variable}");
    }
}

fn token_text() -> &'static str {
    "a-token-with-a-marker"
}

/// Tests that a file that contains a secret is reported if everybody can read it.
#[test]
fn a_file_that_holds_secrets_and_that_all_can_read_is_unwise() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.toml");
    let bare = "[[projects]]\nid = \"p\"\nsignature = \"off\"\napi = \"off\"\n";
    let token = format!("{bare}[operators]\ntoken = \"a-token-with-a-marker\"\n");
    for (text, mode, warned) in [
        (LEAST, 0o644, true),
        (LEAST, 0o640, false),
        (LEAST, 0o600, false),
        (&token, 0o644, true),
        (bare, 0o644, false),
    ] {
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
        // A secret that a variable sets does not make the file secret.
        let from_elsewhere = env(&[(
            "PROJECTS__0__SECRETS__0",
            "a-marker-0123456789-0123456789-0123456789",
        )]);
        let from_elsewhere = if text == bare {
            Vec::new()
        } else {
            from_elsewhere
        };
        let warnings = Config::load(Some(&path), from_elsewhere)
            .expect("loads")
            .warnings;
        let name = path.display();
        let expected = format!(
            "{name}: holds secrets, and every user of this machine can read it; take that right away"
        );
        assert_eq!(
            warnings.contains(&expected),
            warned,
            "{mode:o} {text}: {warnings:#?}"
        );
    }
}
