//! Mistakes in values that are never shown: each kind of value, each mistake, each way to set the value.

use super::*;
use number_order::Id;

/// Value that is long enough for all kinds.
const GOOD: &str = "marker0123456789-marker0123456789-marker";

/// Part of the fault of dots in place of a value.
const STAND_IN: &str = "dots only stand in place of a value";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Secrets,
    KeySecret,
    Token,
    KeyId,
    ProjectId,
}

const KINDS: [Kind; 5] = [
    Kind::Secrets,
    Kind::KeySecret,
    Kind::Token,
    Kind::KeyId,
    Kind::ProjectId,
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    InPlace,
    File,
    Variable,
}

/// Mistakes, and the doubt that each raises.
fn mistakes() -> Vec<(String, &'static str)> {
    [mistaken_characters(), mistaken_forms()].concat()
}

fn around(before: &str, after: &str) -> String {
    format!("{before}{GOOD}{after}")
}

fn mistaken_characters() -> Vec<(String, &'static str)> {
    vec![
        (around("\"", "\""), "begins and ends with a quotation mark"),
        (around("'", "'"), "begins and ends with a quotation mark"),
        (around("“", "”"), "begins and ends with a quotation mark"),
        (around("\"", ""), "begins with a quotation mark"),
        (around("", "'"), "ends with a quotation mark"),
        (around(" ", ""), "begins with a blank"),
        (around("", " "), "ends with a blank"),
        (
            around("  ", "\t"),
            "begins with a blank and ends with a tab",
        ),
        (around("", "\r"), "ends with a carriage return"),
        (around("", "\n"), "ends with a line break"),
        (around("", "\u{a0}"), "ends with a no-break space"),
        (around("\u{2003}", ""), "begins with an unusual blank"),
        (around("\u{feff}", ""), "begins with a byte order mark"),
        (
            around("", "\u{200b}"),
            "ends with a character that cannot be seen",
        ),
        (
            around("\u{2066}", "\u{2069}"),
            "begins and ends with a character that cannot be seen",
        ),
        (around("", "\u{7}"), "ends with a control character"),
        (
            around("x\u{200d}", ""),
            "holds a character that cannot be seen",
        ),
        (
            around("x\u{ad}", ""),
            "holds a character that cannot be seen",
        ),
        (around("x\u{a0}", ""), "holds a no-break space"),
        (
            around("x\u{fffd}", ""),
            "holds the sign for a character that could not be read",
        ),
        (around("x\t", ""), "holds a tab"),
    ]
}

fn mistaken_forms() -> Vec<(String, &'static str)> {
    vec![
        (around("", " # the old one"), "holds a blank and #"),
        (around("", "\t#"), "holds a tab"),
        (around("# ", ""), "begins with #"),
        (around("#", ""), "begins with #"),
        (around("\"", "\" # one"), "holds a blank and #"),
        (around("SECRET=", ""), "looks like NAME=value"),
        (around("export KEY_1=", ""), "looks like NAME=value"),
        (around("secret = \"", "\""), "looks like NAME=value"),
        (around("\"secret\": \"", "\""), "looks like NAME=value"),
        (around("[\"", "\"]"), "stands in brackets"),
        (around("{\"secret\":\"", "\"}"), "stands in brackets"),
        ("replace-me".to_owned(), "still the example's"),
        ("\"replace-me\"".to_owned(), "still the example's"),
        (
            "Replace-me-with-the-secret-of-the-project".to_owned(),
            "still the example's",
        ),
        ("…".to_owned(), STAND_IN),
        ("................".to_owned(), STAND_IN),
        ("\"..\"".to_owned(), STAND_IN),
        ("\"\"".to_owned(), "empty"),
        (" \u{feff}\u{200b}".to_owned(), "empty"),
    ]
}

/// Returns the fault that replaces the doubt, where a value of the given kind is refused for such characters.
fn refused(kind: Kind, value: &str) -> Option<&'static str> {
    let visible = value.bytes().all(|byte| byte.is_ascii_graphic());
    match kind {
        Kind::KeySecret | Kind::Token if value.chars().any(char::is_control) => {
            Some("holds a line break or another control character")
        }
        Kind::Secrets | Kind::KeySecret => None,
        Kind::Token => (!visible).then_some("no header can carry it"),
        Kind::KeyId => {
            (!visible || value == "\"\"" || value.contains(':')).then_some("not a key's id")
        }
        Kind::ProjectId => Id::new(value).is_none().then_some("not a project's id"),
    }
}

/// Returns everything that is reported about a configuration with the given value.
fn said(kind: Kind, value: &str, way: Way) -> (String, Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret");
    let key = match kind {
        Kind::Secrets => "secrets",
        Kind::KeySecret => "key_secret",
        Kind::Token => "token",
        Kind::KeyId => "key_id",
        Kind::ProjectId => "id",
    };
    let literal = serde_json::to_string(value).expect("a text");
    let (key, literal, text) = match (kind, way) {
        (_, Way::File) => {
            use std::os::unix::fs::PermissionsExt;
            std::fs::write(&path, format!("{value}\n")).expect("written");
            let private = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&path, private).expect("set");
            let path = path.display().to_string();
            (format!("{key}_file"), format!("{path:?}"), path)
        }
        (Kind::Secrets, _) => (key.to_owned(), format!("[{literal}]"), value.to_owned()),
        _ => (key.to_owned(), literal, value.to_owned()),
    };
    let (section, place) = match kind {
        Kind::Token => ("OPERATORS", "operators"),
        _ => ("PROJECTS__0", "projects[0]"),
    };
    let mut project = vec![
        ("id", format!("{GOOD:?}")),
        ("secrets", format!("[{GOOD:?}]")),
        ("key_id", format!("{GOOD:?}")),
        ("key_secret", format!("{GOOD:?}")),
    ];
    project.retain(|(name, _)| *name != key.trim_end_matches("_file"));
    let mut variables = Vec::new();
    let variable = format!("{section}__{}", key.to_uppercase());
    let mut token = String::new();
    match (way, kind) {
        (Way::Variable, _) => variables.push((variable.as_str(), text.as_str())),
        (_, Kind::Token) => token = format!("[operators]\n{key} = {literal}\n"),
        (_, _) => project.push((key.as_str(), literal)),
    }
    let lines = project
        .iter()
        .map(|(name, value)| format!("{name} = {value}\n"));
    let text = format!("{token}[[projects]]\n{}", lines.collect::<String>());
    let told = match load(&text, &variables) {
        Ok(loaded) => loaded.warnings,
        Err(errors) => errors.lines().to_vec(),
    };
    (format!("{place}.{key}"), told)
}

#[test]
fn every_slip_is_reported_and_no_secret_shown() {
    for kind in KINDS {
        for way in [Way::InPlace, Way::File, Way::Variable] {
            let has_file = !matches!(kind, Kind::KeyId | Kind::ProjectId);
            if way == Way::File && !has_file {
                continue;
            }
            for (value, expected) in mistakes() {
                let (place, told) = said(kind, &value, way);
                // Every editor puts a line break at the end of a file.
                if way == Way::File && value.ends_with(['\r', '\n']) {
                    let odd = told.iter().any(|line| line.contains("ends with"));
                    assert!(
                        kind == Kind::Secrets || !odd || told.is_empty(),
                        "{told:#?}"
                    );
                    continue;
                }
                // An empty value and the example's are refused before the form is checked.
                let is_stand_in = ["still the example's", STAND_IN].contains(&expected);
                let first = is_stand_in || expected == "empty" && has_file;
                let refused = refused(kind, &value).filter(|_| !first);
                let expected = refused.unwrap_or(expected);
                let found = told
                    .iter()
                    .any(|line| line.contains(&place) && line.contains(expected));
                assert!(found, "{kind:?} {way:?} {value:?}: {expected}: {told:#?}");
                if has_file {
                    let shown = told.iter().any(|line| line.contains("marker"));
                    assert!(!shown, "{told:#?}");
                }
            }
            let (_, told) = said(kind, GOOD, way);
            assert_eq!(told, Vec::<String>::new(), "{kind:?} {way:?}");
        }
    }
}

#[test]
fn what_a_secret_may_well_contain_is_not_unwise() {
    for value in [
        "c2VjcmV0LW1hcmtlci0wMTIzNDU2Nzg5MDEyMw==",
        "c2VjcmV0c2VjcmV0bWFya2VyMDEyMzQ1Njc4OTA=",
        "marker with plain blanks, a comma and more of it",
        "marker#0123456789-0123456789-0123456789",
        "marker:0123456789-0123456789=0123456789",
        "märker-0123456789-0123456789-0123456789",
        "(marker)[0123456789]{0123456789}\"01234567'x",
    ] {
        for way in [Way::InPlace, Way::File, Way::Variable] {
            for kind in [Kind::Secrets, Kind::KeySecret] {
                let (_, told) = said(kind, value, way);
                assert_eq!(told, Vec::<String>::new(), "{kind:?} {way:?} {value}");
            }
        }
    }
}

#[test]
fn a_secret_that_is_hardly_whole_is_unwise() {
    for (kind, length, expected) in [
        (
            Kind::Secrets,
            1,
            "shorter than the 32 characters that Sinch documents",
        ),
        (
            Kind::Secrets,
            31,
            "shorter than the 32 characters that Sinch documents",
        ),
        (Kind::Secrets, 32, ""),
        (Kind::Secrets, 64, ""),
        (
            Kind::Secrets,
            65,
            "longer than the 64 characters that Sinch documents",
        ),
        (Kind::KeySecret, 15, "shorter than 16 characters"),
        (Kind::KeySecret, 16, ""),
        (Kind::Token, 15, "too short to keep people out"),
        (Kind::Token, 16, ""),
    ] {
        for way in [Way::InPlace, Way::File, Way::Variable] {
            let (_, told) = said(kind, &"1x9a".repeat(20)[..length], way);
            match (&told[..], expected) {
                ([], "") => {}
                ([line], expected) if !expected.is_empty() => {
                    assert!(line.contains(expected), "{kind:?} {length}: {line}");
                }
                _ => panic!("{kind:?} {length} {way:?}: {told:#?}"),
            }
        }
    }
}

/// Tests that a comment in a file of secrets is reported with its line, because it counts as a secret that can be
/// guessed.
#[test]
fn a_comment_in_a_file_of_secrets_is_reported_with_its_line() {
    let file = format!("# old\n{GOOD}\n\n# new\n\"\"\n{GOOD}x");
    let (_, told) = said(Kind::Secrets, &file, Way::File);
    let about = |line: &str, what: &str| {
        let told = told
            .iter()
            .any(|told| told.contains(&format!(": {line} {what}")));
        assert!(told, "{line} {what}");
    };
    assert!(!told.is_empty());
    about("line 5", "empty");
    // Other doubts count only where nothing is refused.
    let (_, told) = said(Kind::Secrets, &file.replace("\"\"\n", ""), Way::File);
    let lines = told
        .iter()
        .filter(|line| line.contains("begins with #"))
        .count();
    assert_eq!(lines, 2, "{told:#?}");
    assert!(
        told.iter()
            .any(|line| line.contains(": line 4 begins with #")),
        "{told:#?}"
    );
}
