//! Tests of the configurations in the documents, exactly as they stand there.

use super::*;

const DOCUMENTS: [&str; 4] = [
    include_str!("../../../README.md"),
    include_str!("../../../docs/configure.md"),
    include_str!("../../../docs/deploy.md"),
    include_str!("../../../docs/notifications.md"),
];

/// Returns the blocks of the documents in the given language.
fn blocks(language: &str) -> Vec<&'static str> {
    let parts = DOCUMENTS.iter().flat_map(|text| text.split("\n```"));
    let blocks = parts.filter_map(|part| part.strip_prefix(language)?.strip_prefix('\n'));
    blocks.collect()
}

/// Parses a block of variables as container engines do: everything after the equals sign belongs to the value.
fn variables(block: &str) -> Vec<(OsString, OsString)> {
    let lines = block.lines();
    let lines = lines
        .map(|line| line.strip_prefix("export ").unwrap_or(line))
        .filter(|line| line.starts_with("SINCH_CALLBACKS_"));
    let lines = lines.map(|line| line.trim_end_matches(" \\"));
    lines
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

/// Returns the keys that faults name. Each fault must be that a placeholder is still there.
fn placeholders(errors: &ConfigErrors) -> Vec<&str> {
    let keys = errors.lines().iter().map(|fault| {
        let said = ["still the example's", "dots only stand in place of a value"];
        assert!(said.iter().any(|words| fault.contains(words)), "{fault}");
        let (place, _) = fault.split_once(" = ").expect("a value");
        place.rsplit(' ').next().unwrap_or_default()
    });
    keys.collect()
}

const FILLED_IN: &str = "0123456789abcdefghijklmnopqrstuvwxyz";

#[test]
fn the_smallest_configuration_passes_but_for_its_placeholders() {
    let least = blocks("toml")
        .into_iter()
        .find(|block| block.contains("# config.toml"));
    let least = least.expect("the least configuration");
    let errors = load(least, &[]).expect_err("placeholders");
    let project = ["id", "secrets[0]", "key_id", "key_secret"];
    let keys = project.map(|key| format!("projects[0].{key}"));
    assert_eq!(placeholders(&errors), keys);
    let filled_in = least.replace("replace-me", FILLED_IN);
    let loaded = load(&filled_in, &[]).expect("loads");
    assert_eq!(loaded.warnings, Vec::<String>::new());
}

#[test]
fn every_other_table_passes() {
    let mut tried = 0;
    for block in blocks("toml") {
        if !block.contains("# config.toml") {
            load(&format!("{LEAST}\n{block}"), &[]).expect(block);
            tried += 1;
        }
    }
    assert!(tried > 0);
}

/// Tests the blocks as env files, in which a comment after a value would belong to the value.
#[test]
fn every_block_of_variables_passes_but_for_its_placeholders() {
    let mut tried = 0;
    for block in blocks("sh") {
        let given = variables(block);
        if given.is_empty() {
            continue;
        }
        tried += 1;
        // A block that begins a project must be complete.
        let whole = block.contains("__ID=");
        let file = if whole { "" } else { LEAST };
        let filled_in = given.iter().map(|(name, value)| {
            let value = value.to_str().expect("a text");
            (name.clone(), value.replace('…', FILLED_IN).into())
        });
        let loaded = load_with(file, filled_in.collect()).expect(block);
        let told = loaded.warnings.iter().filter(|line| {
            // The simulator's callback secret is shorter than a new one of Sinch's.
            !(block.contains("simulated-secret") && line.contains("shorter than the 32 characters"))
        });
        assert_eq!(told.collect::<Vec<_>>(), Vec::<&String>::new(), "{block}");
        if block.contains('…') {
            let errors = load_with(file, given).expect_err(block);
            assert!(!placeholders(&errors).is_empty());
        }
    }
    assert!(tried >= 3, "{tried}");
}

#[test]
fn the_units_variables_are_keys() {
    let unit = include_str!("../../../deploy/systemd/sinch-callbacks.service");
    let given = unit
        .lines()
        .filter_map(|line| line.strip_prefix("Environment=")?.split_once('='));
    let mut tried = 0;
    for (name, value) in given {
        tried += 1;
        let known = format!("{name}: ");
        let Err(errors) = load_with(LEAST, vec![(name.into(), value.into())]) else {
            continue;
        };
        for fault in errors.lines() {
            // The file of the example does not exist, and LEAST sets the secret too: both faults prove that the key
            // exists.
            let fits = fault.starts_with(&known) && !fault.contains("no such key");
            assert!(fits, "{fault}");
        }
    }
    assert!(tried >= 3, "{tried}");
}
