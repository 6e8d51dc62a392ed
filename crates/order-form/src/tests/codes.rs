//! The closed list of findings.

use std::io::ErrorKind;

use serde_json::json;
use strum::VariantNames;

use crate::{Finding, FindingKind};

#[test]
fn the_document_lists_every_code_and_no_other() {
    let document = include_str!("../../../../docs/codes.md");
    let section = document.split("## Findings about forms\n").nth(1);
    let section = section.expect("a section with this heading");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let listed: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    assert_eq!(listed, FindingKind::VARIANTS);
}

#[test]
fn a_finding_is_a_place_a_code_and_fields() {
    for (kind, code, fields) in [
        (FindingKind::FieldMissing, "field-missing", None),
        (
            FindingKind::FileUnreadable {
                reason: ErrorKind::PermissionDenied,
            },
            "file-unreadable",
            Some(json!({"reason": "permission denied"})),
        ),
    ] {
        assert_eq!(kind.code(), code);
        let key = "registration.1.a".to_owned();
        let finding = Finding { line: 7, key, kind };
        let mut expected = json!({"line": 7, "key": "registration.1.a", "code": code});
        if let Some(fields) = fields {
            expected["fields"] = fields;
        }
        assert_eq!(serde_json::to_value(finding).expect("JSON"), expected);
    }
}
