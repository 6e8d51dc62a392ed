//! Tests of the reference of all keys: `config.example.toml` and the tables in `docs/configure.md` are generated
//! from the sections. With `UPDATE_REFERENCE=1` in the environment, the test writes them.

use std::fmt::Write;
use std::fs;

use super::*;

const HEADER: &str = "\
# Every key of sinch-callbacks. The values here are the defaults, except under [[projects]], where the
# id, the secrets and the key are yours to fill in (\"replace-me\" is refused). A key left out has its
# default; an unknown one stops the start.
#
# Each key can also come from the environment, which overrides the file:
#   SINCH_CALLBACKS_SINCH__MAX_IN_FLIGHT=8                      sinch.max_in_flight
#   SINCH_CALLBACKS_PROJECTS__0__KEY_ID=...                     key_id of the first project
#   SINCH_CALLBACKS_CALLBACKS__ALLOW=192.0.2.1,2001:db8::/32    networks: a comma between them
#   SINCH_CALLBACKS_PROJECTS__0__SECRETS=...                    one secret, taken as it is, commas and all
#   SINCH_CALLBACKS_PROJECTS__0__SECRETS__1=...                 the second secret
# Paths are relative to the working directory. Seconds may have a fraction.
";

/// Lines around the tables in the document.
const TABLES: [&str; 2] = [
    "<!-- The tables are generated from src/config/sections: `just reference` writes them. -->\n",
    "<!-- The end of the tables. -->\n",
];

fn heading(section: &SectionDoc) -> String {
    let name = section.name;
    if section.is_list {
        format!("[[{name}]]")
    } else {
        format!("[{name}]")
    }
}

/// Returns what the lines of a section begin with in the example: a table that need not be there is a comment.
fn mark(section: &SectionDoc) -> &'static str {
    if section.is_needed { "" } else { "# " }
}

/// Formats a text as a TOML comment, in as many lines as it needs.
fn comment(text: &str) -> String {
    let options = textwrap::Options::new(110)
        .initial_indent("# ")
        .subsequent_indent("# ");
    textwrap::fill(text, options) + "\n"
}

/// Generates the example, with every section and key.
fn generated_example() -> String {
    let mut made = HEADER.to_owned();
    for section in reference() {
        let heading = heading(&section);
        let mark = mark(&section);
        let _ = write!(made, "\n{}{mark}{heading}\n", comment(section.text));
        for key in &section.keys {
            made += &comment(key.text);
            let name = key.name;
            let _ = match &key.value {
                ShownValue::Default(value) => write!(made, "{mark}{name} = {value}"),
                ShownValue::Placeholder(value) => write!(made, "{mark}{name} = {value}"),
                ShownValue::Example(value) => write!(made, "# {name} = {value}"),
            };
            let values = key.values.as_ref().map(|values| format!("  # {values}"));
            let _ = writeln!(made, "{}", values.unwrap_or_default());
        }
    }
    made
}

/// Generates the tables of the document, one for each section.
fn generated_tables() -> String {
    let mut made = String::new();
    for section in reference() {
        let heading = heading(&section);
        let _ = write!(made, "\n### `{heading}`\n\n{}\n", section.text);
        made += "\n| key | default | values | |\n|---|---|---|---|\n";
        for key in &section.keys {
            let value = match &key.value {
                ShownValue::Default(value) => format!("`{value}`"),
                ShownValue::Placeholder(_) => "yours to fill in".to_owned(),
                ShownValue::Example(_) => "not set".to_owned(),
            };
            let values = key.values.as_deref().unwrap_or_default();
            let _ = writeln!(
                made,
                "| `{}` | {value} | {values} | {} |",
                key.name, key.text
            );
        }
    }
    made + "\n"
}

/// Generates the document with its tables as the sections have them.
fn generated_document(document: &str) -> String {
    let [begin, end] = TABLES;
    let (before, rest) = document.split_once(begin).expect("the begin of the tables");
    let (_, after) = rest.split_once(end).expect("the end of the tables");
    format!("{before}{begin}{}{end}{after}", generated_tables())
}

#[test]
fn the_documents_are_those_of_the_sections() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/configure.md")).expect("the document");
    for (name, made) in [
        ("config.example.toml", generated_example()),
        ("docs/configure.md", generated_document(&document)),
    ] {
        let path = root.join(name);
        if std::env::var_os("UPDATE_REFERENCE").is_some() {
            fs::write(&path, &made).expect("written");
        }
        let written = fs::read_to_string(&path).expect("the file");
        assert!(
            written == made,
            "{name} is not what the sections say: run `just reference`"
        );
    }
}

/// Tests that no key lacks a text, and that none breaks its table.
#[test]
fn every_key_has_a_text() {
    for section in reference() {
        for key in &section.keys {
            let text = key.text;
            let fits = text.ends_with('.') && !text.contains(['|', '\n']);
            assert!(fits, "{}.{}: {text:?}", section.name, key.name);
        }
    }
}

/// Tests that the keys that are documented are those that exist: the refusal of an unknown key lists them.
#[test]
fn every_key_that_is_read_is_in_the_example() {
    for section in reference() {
        let heading = heading(&section);
        let unknown = if section.is_list {
            format!("{LEAST}x = 1")
        } else {
            format!("{LEAST}{heading}\nx = 1")
        };
        let unknown = if section.is_needed {
            unknown
        } else {
            format!("{LEAST}{heading}\nx = 1")
        };
        let fault = faults(&unknown, &[]).remove(0);
        let (_, known) = fault.split_once("write one of ").expect("a list of keys");
        let (_, after) = EXAMPLE
            .split_once(&format!("\n{}{heading}\n", mark(&section)))
            .expect("the section");
        let part = after.split("\n\n").next().unwrap_or_default();
        let written = part.lines().filter_map(|line| {
            let (name, _) = line.trim_start_matches("# ").split_once(" = ")?;
            (!name.contains(' ')).then_some(name)
        });
        assert_eq!(known, written.collect::<Vec<_>>().join(", "), "{heading}");
    }
}

/// Tests that a variable sets a whole list of texts.
#[test]
fn every_list_of_texts_can_be_a_variable() {
    let mut tried = 0;
    for section in reference() {
        for key in section.keys {
            let is_list_of_texts = match &key.value {
                ShownValue::Default(value) => value == "[]" || value.starts_with("[\""),
                ShownValue::Placeholder(value) | ShownValue::Example(value) => {
                    value.starts_with('[')
                }
            };
            if !is_list_of_texts {
                continue;
            }
            tried += 1;
            let index = if section.is_list { "__0" } else { "" };
            let name = format!("{}{index}__{}", section.name, key.name).to_uppercase();
            let (more, text) = match key.name {
                "command" => (NAMED, "/bin/true"),
                "types" => (TARGET, "order.*, alert.fired"),
                "projects" => (TARGET, "p"),
                "regions" => (TARGET, "SE, US"),
                "states" => (TARGET, "BLOCKED"),
                "secrets" if section.name == "targets" => (TARGET, TARGET_SECRET),
                _ if section.name == "targets" => (TARGET, "192.0.2.1"),
                _ => ("", "192.0.2.1"),
            };
            config(&format!("{LEAST}{more}"), &[(&name, text)]);
        }
    }
    assert_eq!(tried, 10);
}
