//! The closed lists: the document says what each code means.

use strum::VariantNames;

use crate::{AddressClass, Attempt, DeliveryFailure, ServiceAlert};

#[test]
fn the_document_lists_every_code_and_no_other() {
    let document = include_str!("../../../../docs/codes.md");
    let others = [Attempt::Delivered, Attempt::Gone].map(|attempt| attempt.code());
    let attempts = [&others[..], DeliveryFailure::VARIANTS].concat();
    for (heading, codes) in [
        ("Attempts to tell a target", attempts.as_slice()),
        ("Classes of addresses", AddressClass::VARIANTS),
        ("Alerts about the service", ServiceAlert::VARIANTS),
    ] {
        let section = document.split(&format!("## {heading}\n")).nth(1);
        let section = section.unwrap_or_else(|| panic!("docs/codes.md has no section {heading:?}"));
        let section = section.split("\n## ").next().unwrap_or_default();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
        let listed: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
        assert_eq!(listed, codes, "docs/codes.md, {heading}");
    }
}
