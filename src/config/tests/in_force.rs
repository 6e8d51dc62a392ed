//! Tests of the configuration as it is shown.

use super::*;

fn shown(text: &str, variables: &[(&str, &str)], key: &str) -> (Option<String>, Source, String) {
    let settings = config(text, variables).in_force;
    let mut found = settings.into_iter().filter(|setting| setting.key == key);
    let setting = found.next().expect(key);
    assert_eq!(found.next(), None, "{key} is shown once");
    let place = setting.place.unwrap_or_default();
    (setting.value, setting.source, place)
}

#[test]
fn each_value_is_shown_with_where_it_came_from() {
    let text = format!("{LEAST}path = \"/own\"\n[worker]\nattempts_max = 7\n");
    let variables = [
        ("CALLBACKS__ALLOW", "192.0.2.1,2001:db8::/32"),
        ("RETENTION__ORDERS_DAYS", "777"),
        ("LOG__FILTER", "warn"),
    ];
    let (line, _) = text.split_once("attempts_max").expect("the key");
    let line = format!("line {}", line.lines().count() + 1);
    for (key, value, source, place) in [
        (
            "worker.attempts_max",
            Some("7"),
            Source::File,
            line.as_str(),
        ),
        ("projects[0].path", Some("\"/own\""), Source::File, ""),
        (
            "callbacks.allow",
            Some("[\"192.0.2.1\", \"2001:db8::/32\"]"),
            Source::Environment,
            "SINCH_CALLBACKS_CALLBACKS__ALLOW",
        ),
        (
            "retention.orders_days",
            Some("777"),
            Source::Environment,
            "DAYS",
        ),
        (
            "log.filter",
            Some("\"warn\""),
            Source::Environment,
            "FILTER",
        ),
        (
            "operators.listen",
            Some("\"127.0.0.1:9090\""),
            Source::Default,
            "",
        ),
        ("operators.token", None, Source::Default, ""),
    ] {
        let (found, from, at) = shown(&text, &variables, key);
        assert_eq!((found.as_deref(), from), (value, source), "{key}");
        assert!(at.contains(place), "{key}: {at}");
    }
}

#[test]
fn a_list_of_a_variable_is_shown_as_the_file_has_it() {
    let variables = [
        ("DEADLINES__EXPIRING_SECS", "900, 7200"),
        ("CALLBACKS__ALLOW", "192.0.2.1,192.0.2.2"),
    ];
    for (key, expected) in [
        ("deadlines.expiring_secs", "[900, 7200]"),
        ("callbacks.allow", r#"["192.0.2.1", "192.0.2.2"]"#),
    ] {
        let (value, ..) = shown(LEAST, &variables, key);
        assert_eq!(value.as_deref(), Some(expected), "{key}");
    }
}

#[test]
fn no_secret_is_shown() {
    let target = "[[targets]]\nname = \"crm\"\nurl = \"https://crm.example.com/hooks/marker\"\n";
    let command = "[[targets]]\nname = \"mail\"\ncommand = [\"/bin/mail\", \"marker\"]\n";
    let text = format!("{LEAST}{target}secrets = [\"{TARGET_SECRET}\"]\n{command}");
    let variables = [("OPERATORS__TOKEN", "token-marker-0123456789")];
    let hidden = Some("(hidden)".to_owned());
    for key in [
        "operators.token",
        "projects[0].secrets",
        "targets[0].url",
        "targets[0].secrets",
    ] {
        assert_eq!(shown(&text, &variables, key).0, hidden, "{key}");
    }
    let (command, ..) = shown(&text, &variables, "targets[1].command");
    assert_eq!(command.as_deref(), Some("[\"/bin/mail\", (hidden)]"));
    let in_one = "/bin/mail --key marker";
    let variables = [variables[0], ("TARGETS__1__COMMAND", in_one)];
    let (command, ..) = shown(&text, &variables, "targets[1].command");
    assert_eq!(command.as_deref(), Some("[(hidden)]"));
    let all = format!("{:?}", config(&text, &variables).in_force);
    assert!(
        !all.contains("marker") && !all.contains(TARGET_SECRET),
        "{all}"
    );
}

#[test]
fn every_key_of_the_reference_is_shown() {
    let token = "[[tokens]]\nname = \"lee\"\ntoken = \"lee-marker-01234567\"\n";
    let text = format!("{LEAST}{TARGET}{token}");
    let settings = config(&text, &[]).in_force;
    let shown: Vec<&str> = settings
        .iter()
        .map(|setting| setting.key.as_str())
        .collect();
    let mut expected = Vec::new();
    for section in reference() {
        let index = if section.is_list { "[0]" } else { "" };
        let keys = section.keys.iter();
        expected.extend(keys.map(|key| format!("{}{index}.{}", section.name, key.name)));
    }
    assert_eq!(shown, expected);
}
