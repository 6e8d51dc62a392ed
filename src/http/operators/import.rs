//! Lists of order ids as people have them: one a line, the first column of CSV, or NDJSON.

use serde_json::Value;

use crate::order::Id;

/// What a CSV's first line calls the column, and an object the property.
const NAMES: [&str; 3] = ["order", "idNumberOrder", "numberOrderId"];

/// The ids in a list, in its order, without repetitions; or which line cannot be used, and why.
pub(super) fn orders(list: &[u8]) -> Result<Vec<Id>, String> {
    let text = std::str::from_utf8(list).map_err(|_| "the list is not UTF-8 text".to_owned())?;
    let mut seen = std::collections::HashSet::new();
    let mut orders = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim().trim_start_matches('\u{feff}');
        if line.is_empty() || (index == 0 && NAMES.contains(&cell(line))) {
            continue;
        }
        let id = if line.starts_with('{') {
            property(line)
        } else {
            Id::new(cell(line))
        };
        let fault = || {
            let line = index + 1;
            format!(
                "line {line} has no order id: write one id a line, CSV with the id first, or NDJSON with \"order\""
            )
        };
        let id = id.ok_or_else(fault)?;
        if seen.insert(id.clone()) {
            orders.push(id);
        }
    }
    match orders.is_empty() {
        true => Err("the list is empty".to_owned()),
        false => Ok(orders),
    }
}

/// The first cell of a line of CSV. Ids hold neither commas nor quotes.
fn cell(line: &str) -> &str {
    let cell = line.split([',', ';', '\t']).next().unwrap_or(line);
    cell.trim().trim_matches('"')
}

fn property(line: &str) -> Option<Id> {
    let fields: Value = serde_json::from_str(line).ok()?;
    let id = NAMES.iter().find_map(|name| fields.get(name))?;
    Id::new(id.as_str()?)
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
            "{\"order\":\"o1\"}\n{\"idNumberOrder\":\"o2\",\"state\":\"CREATED\"}",
            "\u{feff}o1\no2",
        ] {
            let orders = orders(list.as_bytes()).expect("is a list");
            assert_eq!(
                orders.iter().map(Id::as_str).collect::<Vec<_>>(),
                ["o1", "o2"],
                "{list:?}"
            );
        }
    }

    #[test]
    fn a_line_that_cannot_be_used_is_named() {
        for (list, line) in [
            ("o1\na/b\n", "line 2"),
            ("{\"x\":1}", "line 1"),
            ("o1\n{", "line 2"),
        ] {
            let fault = orders(list.as_bytes()).expect_err("is no list");
            assert!(fault.contains(line), "{list:?}: {fault}");
        }
        assert_eq!(orders(b"\n\n"), Err("the list is empty".to_owned()));
        assert!(orders(b"\xff").is_err());
    }
}
