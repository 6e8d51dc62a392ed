//! Tests of targets: what loads, and every fault to the letter.

use notifications::{EventType, RetrySchedule, TypePattern};
use number_order::State;

use super::*;

const SIGNED: &str =
    "[[targets]]\nname = \"crm\"\nsecrets = [\"whsec_dGFyZ2V0LW1hcmtlci1vZi1hLXRlc3QtMDEyMzQ1\"]\n";

fn targets(text: &str) -> Vec<Target> {
    config(&format!("{LEAST}{text}"), &[]).targets
}

/// Returns the faults of targets, without the place before the key.
fn target_faults(text: &str) -> Vec<String> {
    let faults = faults(&format!("{LEAST}{text}"), &[]);
    let without_place = |fault: String| {
        let (_, rest) = fault.split_once("targets").expect("a target's key");
        format!("targets{rest}")
    };
    faults.into_iter().map(without_place).collect()
}

#[test]
fn the_smallest_target_has_every_default() {
    let url = "url = \"https://crm.example.com/marker\"\n";
    let [target] = &targets(&format!("{SIGNED}{url}"))[..] else {
        panic!("one target");
    };
    assert_eq!(target.name, "crm");
    let Destination::Url { url, keys, allow } = &target.destination else {
        panic!("a URL");
    };
    assert_eq!(url.expose_secret(), "https://crm.example.com/marker");
    assert_eq!((keys.len(), allow.len()), (1, 0));
    let types: Vec<_> = ["order.*", "number.*"]
        .into_iter()
        .filter_map(TypePattern::new)
        .collect();
    assert_eq!(target.filter.types, types);
    assert!(!target.filter.provisional && target.filter.states.is_empty());
    assert_eq!(target.requests_per_second, None);
    assert_eq!(
        (target.max_in_flight, target.timeout),
        (8, Duration::from_secs(15))
    );
    assert_eq!(target.retries, RetrySchedule::default());
    assert!(!format!("{target:?}").contains(MARKER), "{target:?}");
}

#[test]
fn a_target_is_read_whole() {
    let text = "[[targets]]\nname = \"local\"\ncommand = [\"/usr/bin/env\", \"true\"]\ntypes = [\"order.blocked\"]\n\
                provisional = true\nprojects = [\"p\"]\nregions = [\"SE\"]\nstates = [\"BLOCKED\"]\nrequests_per_second = 2.5\n\
                max_in_flight = 1\ntimeout_secs = 2\nretry_waits_secs = []\n";
    let [target] = &targets(text)[..] else {
        panic!("one target");
    };
    let Destination::Command(command) = &target.destination else {
        panic!("a command");
    };
    assert_eq!(command, &["/usr/bin/env", "true"]);
    assert_eq!(
        target.filter.types,
        [TypePattern::One(EventType::OrderBlocked)]
    );
    assert_eq!(target.filter.states, [State::Blocked]);
    assert_eq!(target.filter.regions, ["SE"]);
    assert_eq!(target.filter.projects[0].as_str(), "p");
    assert_eq!(target.requests_per_second, Some(2.5));
    assert_eq!(target.retries, RetrySchedule::new(Vec::new()));
}

#[test]
fn keys_come_from_a_file_or_the_configuration() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let ed25519 = "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    std::fs::write(file.path(), format!("{TARGET_SECRET}\n\n{ed25519}\n")).expect("written");
    let path = file.path().display();
    let text = format!("{NAMED}url = \"https://crm.example.com\"\nsecrets_file = \"{path}\"\n");
    let Destination::Url { keys, .. } = &targets(&text)[0].destination else {
        panic!("a URL");
    };
    assert_eq!(keys.len(), 2);
    std::fs::write(file.path(), format!("{TARGET_SECRET}\nwhsec_marker\n")).expect("written");
    let [fault] = &target_faults(&text)[..] else {
        panic!("one fault");
    };
    assert!(
        fault.contains(": line 2 what follows whsec_ is not base64"),
        "{fault}"
    );
    assert!(!fault.contains(MARKER), "{fault}");
}

#[test]
fn urls_lead_where_they_may() {
    for (url, more) in [
        ("https://crm.example.com/hooks?token=marker", ""),
        ("https://[2606:4700::1111]:8443/", ""),
        ("http://127.0.0.1:8080/", "allow = [\"127.0.0.1\"]"),
        ("http://localhost/", "allow = [\"::1\"]"),
        ("http://10.1.2.3/", "allow = [\"10.0.0.0/8\"]"),
        ("http://crm.example.com/", "plain_http = true"),
        ("https://crm.example.com/", "format = \"cloudevents\""),
    ] {
        let text = format!("{SIGNED}url = \"{url}\"\n{more}\n");
        assert_eq!(targets(&text).len(), 1, "{url}");
    }
    let inside = "name it in allow";
    for (url, more, expected) in [
        ("crm", "", "not a URL of https; write one such as"),
        ("ftp://crm.example.com", "", "not a URL of https"),
        ("https:///", "", "not a URL of https"),
        (
            "https://u:marker@crm.example.com",
            "",
            "leave out the name and password",
        ),
        (
            "https://crm.example.com/#marker",
            "",
            "leave out # and what follows it",
        ),
        (
            "http://crm.example.com/marker",
            "",
            "write https://, since others can read",
        ),
        (
            "http://1.1.1.1/marker",
            "",
            "write https://, since others can read",
        ),
        ("https://127.0.0.1/marker", "", inside),
        ("https://2130706433/marker", "", inside),
        ("https://0x7f.1/marker", "", inside),
        ("https://[::ffff:10.0.0.1]/marker", "", inside),
        ("https://localhost/marker", "", inside),
        ("https://x.localhost./marker", "", inside),
        (
            "https://169.254.169.254/marker",
            "allow = [\"169.254.0.0/16\"]",
            inside,
        ),
    ] {
        let found = target_faults(&format!("{SIGNED}url = \"{url}\"\n{more}\n"));
        assert_eq!(found.len(), 1, "{url}: {found:?}");
        let fault = &found[0];
        assert!(fault.starts_with("targets[0].url = (hidden): "), "{fault}");
        assert!(
            fault.contains(expected) && !fault.contains(MARKER),
            "{fault}"
        );
    }
}

#[test]
fn what_people_read_needs_no_signature() {
    for format in ["slack", "text"] {
        let text =
            format!("{NAMED}url = \"https://hooks.example.com/marker\"\nformat = \"{format}\"\n");
        let Destination::Url { keys, .. } = &targets(&text)[0].destination else {
            panic!("a URL");
        };
        assert!(keys.is_empty());
    }
}

#[test]
fn faults_of_a_target() {
    let needed = "targets[0].url: needed; write the URL that is told of each change, or a command";
    for (text, expected) in [
        (
            "[[targets]]\n",
            vec![
                "targets[0].name: needed; give it a name, such as \"crm\"",
                needed,
            ],
        ),
        (NAMED, vec![needed]),
        (
            "[[targets]]\nname = \"a b\"\ncommand = [\"true\"]\n",
            vec![
                "targets[0].name = \"a b\": write 1 to 64 letters, digits, - and _",
                "targets[0].command = (a list): write the program's absolute path first: it is not searched for",
            ],
        ),
        (
            "[[targets]]\nname = \"crm\"\ncommand = []\nurl = \"https://crm.example.com\"\n",
            vec!["targets[0].command = []: url is set too; leave one of them out"],
        ),
        (
            "[[targets]]\nname = \"crm\"\nurl = \"https://crm.example.com\"\n",
            vec![
                "targets[0].secrets: needed for the target to tell the service from anybody else; `sinch-callbacks events key \
                 new` makes one; or set secrets_file, or say signature = \"off\"",
            ],
        ),
        (
            "[[targets]]\nname = \"crm\"\nurl = \"https://crm.example.com\"\nsecrets = [\"whpk_marker\", \" \"]\n",
            vec![
                "targets[0].secrets[1] = (hidden): empty, and with an empty key anybody could sign; write the secret that \
                 the target has",
                "targets[0].secrets[0] = (hidden): whpk_ is a public key, which cannot sign: the key that begins with whsk_ \
                 belongs here",
            ],
        ),
        (
            &format!("{SIGNED}command = [\"/bin/true\"]\n"),
            vec![
                "targets[0].secrets = (hidden): a command needs no signature; leave the secrets out",
            ],
        ),
    ] {
        assert_eq!(target_faults(text), expected, "{text}");
    }
}

#[test]
fn the_arguments_of_a_command_are_in_no_fault() {
    let hidden = "targets[0].command = (hidden): write a list, in square brackets";
    for (command, expected) in [
        ("\"/usr/bin/notify --key marker\"", hidden),
        ("\"marker\"", hidden),
        ("1234567890", hidden),
        (
            "[\"/usr/bin/notify\", 1234567890]",
            "targets[0].command[1] = (hidden): write a text, in quotes",
        ),
        (
            "[\"notify --key marker\", \"marker\"]",
            "targets[0].command = (a list): write the program's absolute path first: it is not searched for",
        ),
        (
            "{ program = \"marker\" }",
            "targets[0].command = (a table): write a list, in square brackets",
        ),
    ] {
        let found = target_faults(&format!("{NAMED}command = {command}\n"));
        assert_eq!(found, [expected], "{command}");
    }
}

#[test]
fn faults_of_what_a_target_is_told() {
    for (text, expected) in [
        (
            &format!("{TARGET}{TARGET}"),
            vec!["targets[1].name = \"crm\": targets[0] has the same name; give each its own"],
        ),
        (
            &format!(
                "{TARGET}types = []\nprojects = [\"q\"]\nregions = [\"se\"]\nstates = [\"GONE\"]\n"
            ),
            vec![
                "targets[0].types = []: the target would be told nothing; name types, or leave the key out",
                "targets[0].projects[0] = \"q\": no table of [[projects]] has this id; copy it from there",
                "targets[0].regions[0] = \"se\": write a region's two capital letters, as Sinch does: SE",
                "targets[0].states[0] = \"GONE\": no order has such a state; write one of CREATED, IN_REVIEW, BLOCKED, \
                 COMPLETED, REJECTED, EXPIRED",
            ],
        ),
        (
            &format!("{TARGET}types = [\"order.gone\"]\n"),
            vec![
                "targets[0].types[0] = \"order.gone\": no event has such a type; write one of order.*, number.*, alert.*, \
                 order.created, order.in_review, order.blocked, order.completed, order.rejected, order.expired, \
                 order.expiring, number.ready, number.failed, alert.fired, alert.resolved",
            ],
        ),
        (
            &format!(
                "{TARGET}timeout_secs = 0\nrequests_per_second = 0\nmax_in_flight = 0\nretry_waits_secs = [0]\n"
            ),
            vec![
                "targets[0].requests_per_second = 0: write a number from 0.001 to 100000",
                "targets[0].max_in_flight = 0: write a whole number from 1 to 256",
                "targets[0].timeout_secs = 0: write a number from 0.1 to 300",
                "targets[0].retry_waits_secs[0] = 0: write a number from 0.01 to 604800",
            ],
        ),
    ] {
        assert_eq!(target_faults(text), expected, "{text}");
    }
}
