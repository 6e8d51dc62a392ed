//! Lists of order ids as people have them: one id per line, the first column of CSV, or NDJSON.

use serde_json::Value;

use number_order::{Id, entered};

/// Names that a column or a property with an order's id may have, the likeliest first. They are compared by their
/// letters alone.
const ID_NAMES: [&str; 6] = [
    "idnumberorder",
    "numberorderid",
    "orderid",
    "order",
    "resourceid",
    "id",
];
/// Maximum number of characters of an unusable line that are shown.
const SHOWN_MAX_CHARS: usize = 60;

/// A list of order ids, as it was understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct List {
    /// Ids of the orders, in the order of the list, without duplicates.
    pub(super) orders: Vec<Id>,
    /// Heading of the list's column of ids, which was skipped.
    pub(super) header: Option<String>,
}

/// Reads a list of order ids, or returns the line that cannot be used and the reason.
pub(super) fn read(list: &[u8]) -> Result<List, String> {
    let text = std::str::from_utf8(list).map_err(|_| "the list is not UTF-8 text".to_owned())?;
    let mut seen = std::collections::HashSet::new();
    let (mut orders, mut header) = (Vec::new(), None);
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let lines = lines.enumerate().filter(|(_, line)| !line.is_empty());
    for (nth, (index, line)) in lines.enumerate() {
        if nth == 0 && is_id_name(first_column(line)) {
            header = Some(first_column(line).to_owned());
            continue;
        }
        let id = id_in_line(line).map_err(|why| format!("line {}: {why}", index + 1))?;
        if seen.insert(id.clone()) {
            orders.push(id);
        }
    }
    if orders.is_empty() {
        return Err("the list is empty".to_owned());
    }
    Ok(List { orders, header })
}

fn id_in_line(line: &str) -> Result<Id, String> {
    if line.starts_with('{') {
        let id = id_property(line).ok_or("no order's id in this object; write it as \"order\"")?;
        return named(&id);
    }
    named(first_column(line))
}

/// Returns the order's id that a person has written, or the reason why the text is none.
pub(super) fn named(text: &str) -> Result<Id, String> {
    let why = |why| {
        let shown: String = text.chars().take(SHOWN_MAX_CHARS).collect();
        format!("{shown:?} is {why}")
    };
    entered(text).map_err(why)
}

fn is_id_name(text: &str) -> bool {
    ID_NAMES.contains(&letters_of_name(text).as_str())
}

/// Returns the letters of a column's name, so that `id_number_order` and `Order ID` are found, too.
fn letters_of_name(name: &str) -> String {
    let letters = name.chars().filter(|c| !matches!(c, '_' | '-' | ' '));
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

/// Returns the first column of a line of CSV. Ids hold neither commas nor quotes.
fn first_column(line: &str) -> &str {
    let cell = line.split([',', ';', '\t']).next().unwrap_or(line).trim();
    let inner = cell
        .strip_prefix('"')
        .and_then(|cell| cell.strip_suffix('"'));
    inner.unwrap_or(cell)
}

fn id_property(line: &str) -> Option<String> {
    let Ok(Value::Object(fields)) = serde_json::from_str(line) else {
        return None;
    };
    let named = |wanted: &&str| {
        let mut fields = fields.iter();
        fields.find_map(|(name, value)| value.as_str().filter(|_| letters_of_name(name) == *wanted))
    };
    ID_NAMES.iter().find_map(named).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_in_every_form() {
        for list in [
            "o1\no2\n",
            "o1\r\n\r\no2\no1",
            "order,created\no1,2026-02-03\n\"o2\",x",
            "idNumberOrder\no1\no2",
            "id_number_order\no1\no2",
            "{\"id\":7,\"resourceId\":\"o1\"}\n{\"order_id\":\"o2\",\"id\":\"7\"}",
            "{\"order\":\"o1\"}\n{\"idNumberOrder\":\"o2\",\"state\":\"CREATED\"}",
            "{\"order\":null,\"idNumberOrder\":\"o1\"}\r\n{\"numberOrderId\":\"o2\"}",
            "\u{feff}o1\no2",
            "\u{feff}Order Id;Made\r\no1;x\r\no2;y",
            "\n\nID\n o1 \n\to2",
        ] {
            let read_list = read(list.as_bytes()).expect("is a list");
            assert_eq!(
                read_list.orders.iter().map(Id::as_str).collect::<Vec<_>>(),
                ["o1", "o2"],
                "{list:?}"
            );
        }
    }

    #[test]
    fn the_heading_that_was_skipped_is_named() {
        let header = |list: &str| read(list.as_bytes()).expect("is a list").header;
        assert_eq!(header("Order Id;Made\no1"), Some("Order Id".to_owned()));
        assert_eq!(header("o1\no2"), None);
        // No program can know the headings of all languages: the first ids in the answer show an operator what was
        // taken for an id.
        assert_eq!(header("Auftrag\no1"), None);
    }

    #[test]
    fn a_long_list_is_read_whole_and_its_one_bad_line_is_found() {
        let mut lines: Vec<String> = (0..100_000).map(|n| format!("order-{n}")).collect();
        let list = read(lines.join("\r\n").as_bytes()).expect("is a list");
        assert_eq!(list.orders.len(), lines.len());
        lines[70_000] = "two words".to_owned();
        let fault = read(lines.join("\n").as_bytes()).expect_err("is no list");
        assert!(
            fault.starts_with("line 70001: \"two words\" is no order's id"),
            "{fault}"
        );
    }

    #[test]
    fn a_line_that_cannot_be_used_is_named() {
        for (list, expected) in [
            ("o1\na/b\n", "line 2: \"a/b\" is no order's id"),
            ("o1\n# o2\n", "line 2: \"# o2\" is a comment"),
            ("+1555", "line 1: \"+1555\" is a telephone number"),
            ("o1\n'o2'", "line 2: \"'o2'\" is in quotes"),
            (
                "{\"resourceId\":\"+15551234567\"}",
                "line 1: \"+15551234567\" is a telephone number",
            ),
            ("{\"x\":1}", "line 1: no order's id in this object"),
            ("o1\n{", "line 2: no order's id in this object"),
            (
                "\n\no1\n\n[\"o2\"]",
                "line 5: \"[\\\"o2\\\"]\" is a JSON list",
            ),
            (
                "[\n  \"o1\",\n  \"o2\"\n]\n",
                "line 1: \"[\" is a JSON list or a part of one; write one id a line",
            ),
            ("o1\n]", "line 2: \"]\" is a JSON list"),
            ("[]", "line 1: \"[]\" is a JSON list"),
            ("o1\nnull\n", "line 2: \"null\" is a JSON list"),
            ("o1\n},", "line 2: \"}\" is a JSON list"),
            ("[{\"order\":\"o1\"}]", "line 1: "),
            ("{\"order\":\"[\"}", "line 1: \"[\" is a JSON list"),
            ("{\"order\":5}", "line 1: no order's id"),
            ("o1\rorder", "line 1: "),
            // In any line but the first, a heading is no heading, and no id either.
            ("o1\norder id", "line 2: "),
        ] {
            let fault = read(list.as_bytes()).expect_err("is no list");
            assert!(fault.contains(expected), "{list:?}: {fault}");
        }
        assert_eq!(read(b"\n\n"), Err("the list is empty".to_owned()));
        assert!(read(b"\xff").is_err());
    }
}
