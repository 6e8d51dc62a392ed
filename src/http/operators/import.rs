//! Lists of order ids as people have them: one a line, the first column of CSV, or NDJSON.

use serde_json::Value;

use crate::order::Id;

/// What an object calls the property.
const NAMES: [&str; 3] = ["order", "idNumberOrder", "numberOrderId"];

/// What else a CSV's first line calls the column; in lower case, as all are compared.
const HEADERS: [&str; 5] = ["id", "orderid", "order_id", "order id", "resourceid"];

/// The ids in a list, in its order, without repetitions; or which line cannot be used, and why.
pub(super) fn orders(list: &[u8]) -> Result<Vec<Id>, String> {
    let text = std::str::from_utf8(list).map_err(|_| "the list is not UTF-8 text".to_owned())?;
    let mut seen = std::collections::HashSet::new();
    let mut orders = Vec::new();
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let lines = lines.enumerate().filter(|(_, line)| !line.is_empty());
    for (nth, (index, line)) in lines.enumerate() {
        if nth == 0 && is_header(cell(line)) {
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

fn is_header(cell: &str) -> bool {
    let names = NAMES.iter().chain(&HEADERS);
    names.clone().any(|name| cell.eq_ignore_ascii_case(name))
}

/// The first cell of a line of CSV. Ids hold neither commas nor quotes.
fn cell(line: &str) -> &str {
    let cell = line.split([',', ';', '\t']).next().unwrap_or(line);
    cell.trim().trim_matches('"')
}

fn property(line: &str) -> Option<Id> {
    let fields: Value = serde_json::from_str(line).ok()?;
    let id = NAMES.iter().find_map(|name| fields.get(name)?.as_str())?;
    Id::new(id)
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
            "{\"order\":null,\"idNumberOrder\":\"o1\"}\r\n{\"numberOrderId\":\"o2\"}",
            "\u{feff}o1\no2",
            "\u{feff}Order Id;Made\r\no1;x\r\no2;y",
            "\n\nID\n o1 \n\to2",
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
    fn a_long_list_is_read_whole_and_its_one_bad_line_is_found() {
        let mut lines: Vec<String> = (0..100_000).map(|n| format!("order-{n}")).collect();
        let list = orders(lines.join("\r\n").as_bytes()).expect("is a list");
        assert_eq!(list.len(), lines.len());
        lines[70_000] = "two words".to_owned();
        let fault = orders(lines.join("\n").as_bytes()).expect_err("is no list");
        assert!(fault.starts_with("line 70001 "), "{fault}");
    }

    #[test]
    fn a_line_that_cannot_be_used_is_named() {
        for (list, line) in [
            ("o1\na/b\n", "line 2"),
            ("{\"x\":1}", "line 1"),
            ("o1\n{", "line 2"),
            ("\n\no1\n\n[\"o2\"]", "line 5"),
            ("{\"order\":5}", "line 1"),
            ("o1\rorder", "line 1"),
            // A header is no header further down, and no id either way.
            ("o1\norder id", "line 2"),
        ] {
            let fault = orders(list.as_bytes()).expect_err("is no list");
            assert!(fault.contains(line), "{list:?}: {fault}");
        }
        assert_eq!(orders(b"\n\n"), Err("the list is empty".to_owned()));
        assert!(orders(b"\xff").is_err());
    }
}
