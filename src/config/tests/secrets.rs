//! Tests of the sources of secrets, and that no secret is revealed.

use super::*;
use crate::config::source::key::{is_secret, secret_in_file};

#[test]
fn operators_on_loopback_need_no_token() {
    for listen in [
        "127.0.0.1:1",
        "127.1.2.3:1",
        "[::1]:1",
        "[::ffff:127.0.0.1]:1",
    ] {
        let config = config(LEAST, &[("OPERATORS__LISTEN", listen)]);
        assert!(config.operators.token.is_none());
    }
    let token = "sixteen-letters!";
    let config = config(
        LEAST,
        &[
            ("OPERATORS__LISTEN", "0.0.0.0:1"),
            ("OPERATORS__TOKEN", token),
        ],
    );
    let read = config.operators.token.as_ref();
    assert_eq!(read.map(|token| token.expose_secret()), Some(token));
}

/// Writes a file with the given permissions, and returns its path.
fn file(folder: &Path, name: &str, text: &str, mode: u32) -> String {
    use std::os::unix::fs::PermissionsExt;

    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
    path.display().to_string()
}

#[test]
fn secrets_are_read_from_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name, text, mode| file(folder.path(), name, text, mode);
    let signing = file(
        "signing",
        "one marker 0123456789-0123456789-01\r\n\n  \ntwo,marker-0123456789-0123456789-01 \n\n",
        0o640,
    );
    let key = file("key", "key-marker-0123456789\r\n", 0o644);
    let loaded = load(
        "[[projects]]\nid = \"p\"\nkey_id = \"k\"",
        &[
            ("PROJECTS__0__SECRETS_FILE", &signing),
            ("PROJECTS__0__KEY_SECRET_FILE", &key),
        ],
    );
    let loaded = loaded.expect("loads");
    let project = &loaded.config.projects[0];
    assert_eq!(
        secrets(project),
        [
            "one marker 0123456789-0123456789-01",
            "two,marker-0123456789-0123456789-01 "
        ]
    );
    assert_eq!(
        credentials(project).key_secret.expose_secret(),
        "key-marker-0123456789"
    );
    assert_eq!(
        loaded.warnings,
        [
            format!(
                "SINCH_CALLBACKS_PROJECTS__0__SECRETS_FILE: projects[0].secrets_file = {signing:?}: line 4 ends with a \
                 blank; env files and secret files keep it: take it out unless it belongs to the value"
            ),
            format!(
                "SINCH_CALLBACKS_PROJECTS__0__KEY_SECRET_FILE: projects[0].key_secret_file = {key:?}: every user of \
                 this machine can read it; take that right away"
            ),
        ]
    );
}

#[test]
fn a_file_that_holds_no_secret_is_a_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let absent = folder.path().join("absent").display().to_string();
    let blank = file(folder.path(), "blank", "\n \n", 0o600);
    let two = file(folder.path(), "two", "marker\nmarker\n", 0o600);
    let large = file(folder.path(), "large", &"marker".repeat(20_000), 0o600);
    for (text, expected) in [
        (
            &absent,
            "cannot be read: No such file or directory (os error 2); check",
        ),
        (
            &folder.path().display().to_string(),
            "cannot be read: Is a directory",
        ),
        (&blank, "empty"),
        (&two, "holds a line break"),
        (&large, "cannot be read: more than 65536 bytes; check"),
    ] {
        let file = [("PROJECTS__0__KEY_SECRET_FILE", text.as_str())];
        let without = LEAST
            .replace("key_secret = ", "key_id = \"k\"#")
            .replace("key_id = \"k\"\n", "");
        let [fault] = &faults(&without, &file)[..] else {
            panic!("one fault for {text}");
        };
        let start = format!(
            "SINCH_CALLBACKS_PROJECTS__0__KEY_SECRET_FILE: projects[0].key_secret_file = {text:?}: {expected}"
        );
        assert!(fault.starts_with(&start), "{fault}");
        assert!(!fault.contains(MARKER), "{fault}");
    }
    for text in [&absent, &blank] {
        let without = LEAST.replace("secrets = ", "#");
        let fault = faults(&without, &[("PROJECTS__0__SECRETS_FILE", text)]);
        assert_eq!(fault.len(), 1, "{fault:#?}");
    }
}

#[test]
fn secrets_without_a_check_are_worth_a_warning() {
    let loaded = load(&format!("{LEAST}signature = \"off\""), &[]).expect("loads");
    assert_eq!(
        loaded.warnings,
        [
            "config.toml line 6: projects[0].signature = \"off\": no signature is checked although there are secrets; \
          say \"required\", or take the secrets out"
        ]
    );
}

/// Tests any other fault, and each way in which a secret itself is misplaced or misspelt.
#[test]
fn no_secret_is_ever_shown() {
    let token = "[operators]\ntoken = \"a-long-token-marker\"\n";
    let loaded = load(&format!("{LEAST}{token}"), &[]).expect("loads");
    assert!(!format!("{loaded:?}").contains(MARKER));
    for more in [
        "key_secrets = \"marker\"",
        "secrets_ = [\"marker\"]",
        "secret = { x = \"marker\" }",
        "path = 1",
        "id = \"marker",
        "[operators]\ntoken = [\"marker\"]",
        "[operators]\ntoken = { a = \"marker\" }",
        "[operators]\ntoken = { token = [\"marker\"] }",
        "[sinch]\napi_url = \"https://marker@host\"",
        "[projects.key_secrets]\nx = \"marker\"",
        "[log]\ntoken = \"marker\"",
    ] {
        let text = format!("{LEAST}{more}");
        let errors = load(&text, &[]).expect_err(more);
        assert!(!format!("{errors} {errors:?}").contains(MARKER), "{errors}");
    }
    for kind in [
        "4815162342",
        "48151623.42",
        "[[4815162342]]",
        "{ x = 4815162342 }",
        "\"\\u00004815162342\"",
    ] {
        let text = LEAST.replace("\"key-marker-0123456789\"", kind);
        let errors = load(&text, &[]).expect_err(kind).to_string();
        assert!(
            errors.contains("(hidden)") && !errors.contains("4815"),
            "{errors}"
        );
    }
}

/// Returns everything that is said about values, each as the only text of a file.
fn said(texts: &[String]) -> String {
    let errors = texts.iter().filter_map(|text| load(text, &[]).err());
    errors.map(|errors| format!("{errors}\n")).collect()
}

/// Tests what stands in place of a section, a list of sections or an entry of one: it may hold any key below.
#[test]
fn what_stands_in_place_of_keys_is_never_shown() {
    let json = r#"[{"id":"p","secrets":["marker"],"token":"marker"}]"#;
    for section in reference() {
        let (name, upper) = (section.name, section.name.to_uppercase());
        let entry = if section.is_list { "__0" } else { "" };
        let texts = [
            format!("{name} = '{json}'"),
            format!("{name} = ['{json}']"),
            format!("{name} = [['{json}']]"),
            format!("{name} = 4815162342"),
            format!("{name} = [4815162342]"),
        ];
        let told = said(&texts);
        assert_eq!(told.matches(&format!(": {name}")).count(), 5, "{told}");
        assert!(!told.contains(MARKER) && !told.contains("4815"), "{told}");
        for variable in [upper.clone(), format!("{upper}{entry}")] {
            let keys = format!("SINCH_CALLBACKS_{upper}{entry}__KEY=…");
            let told = faults("", &[(&variable, json)]).join("\n");
            let cure =
                format!("(hidden): JSON is not read here; write one variable per key, {keys}");
            assert!(told.contains(&cure), "{told}");
            assert!(!told.contains(MARKER), "{told}");
        }
        // A part of a list that is set without its number.
        let told = faults("", &[(&format!("{upper}__0__0"), json)]).join("\n");
        assert!(!told.contains(MARKER), "{told}");
    }
}

#[test]
fn only_a_hidden_key_the_key_of_its_file_and_a_command_hide_values() {
    let mut hidden = 0;
    for section in reference() {
        let name = section.name;
        let table = if section.is_list {
            format!("[[{name}]]")
        } else {
            format!("[{name}]")
        };
        for key in section.keys {
            let key = key.name;
            let set = |value: &str| format!("{table}\n{key} = {value}");
            let values = ["4815162342", "\"4815162342\"", "\"4815162342/+x=\""];
            let told = said(&values.map(set));
            // A command in one text has its arguments in it.
            let is_hidden = is_secret(key) || secret_in_file(key).is_some() || key == "command";
            hidden += usize::from(is_hidden);
            assert_ne!(
                told.contains("4815162342"),
                is_hidden,
                "{name}.{key}: {told}"
            );
            assert!(told.contains(&format!("{key} = ")), "{name}.{key}: {told}");
            // A path is shown even if nothing is there, for a person to see what is misspelt.
            let path = said(&[set("\"/run/4815162342\"")]);
            if secret_in_file(key).is_some() {
                assert!(
                    path.contains("= \"/run/4815162342\": cannot be read"),
                    "{path}"
                );
            }
        }
    }
    assert_eq!(hidden, 14);
}
