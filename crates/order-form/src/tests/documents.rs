//! Findings about documents and their files.

use std::borrow::Cow;
use std::io::ErrorKind;

use super::{form, rules_of};
use crate::{Files, Finding, Rules, check, media_type};

const PDF: &[u8] = b"%PDF-1.7\n1 0 obj\n<< /EncryptMetadata false >>\ntrailer\n<< /Size 1 >>\n";
const ENCRYPTED: &[u8] = b"%PDF-1.7\ntrailer\n<< /Size 1 /Encrypt 5 0 R >>\n";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
const RTF: &[u8] = b"{\\rtf1\\ansi hello}";
const ZIP: &[u8] = b"PK\x03\x04rest of it";

struct Disk;

impl Files for Disk {
    fn content(&self, file: &str) -> Result<Cow<'_, [u8]>, ErrorKind> {
        let content = match file {
            "pdf" => PDF,
            "encrypted" => ENCRYPTED,
            "png" => PNG,
            "rtf" => RTF,
            "zip" => ZIP,
            "text" => b"/Encrypt is a word",
            "empty" => b"",
            "locked" => return Err(ErrorKind::PermissionDenied),
            "large" => return Err(ErrorKind::FileTooLarge),
            "pipe" => return Err(ErrorKind::InvalidInput),
            "folder" => return Err(ErrorKind::IsADirectory),
            _ => return Err(ErrorKind::NotFound),
        };
        Ok(content.into())
    }
}

/// Returns the rules of one document.
fn rules(rule: &str) -> Rules {
    rules_of(&format!(
        r#"{{"attachments":[{{"id":"letter-1","title":"Letter",{rule}}}]}}"#
    ))
}

/// Returns what is found about a form with these documents, as key and code.
fn found(rules: &Rules, documents: &str) -> Vec<String> {
    let found = check(&form(documents), rules, &Disk);
    let short = |finding: &Finding| format!("{} {}", finding.key, finding.kind.code());
    found.iter().map(short).collect()
}

#[test]
fn only_an_optional_document_may_be_removed() {
    for (mandatory, may_be_removed) in [(true, false), (false, true)] {
        let rules = rules(&format!(r#""mandatory":{mandatory}"#));
        let read = form("[[documents]]\nid = \"letter-1\"\nfile = \"\"\n");
        let said = check(&read, &rules, &Disk)[0].to_string();
        assert!(said.contains("no file is named"), "{said}");
        assert_eq!(
            said.contains("remove the document"),
            may_be_removed,
            "{said}"
        );
    }
}

#[test]
fn a_document_is_compared_with_its_rule() {
    let pdf = r#""allowedMimeTypes":["Application/PDF; version=1"]"#;
    let types = r#""allowedDocumentTypes":["Passport"]"#;
    let document = |rest: &str| format!("[[documents]]\nid = \"letter-1\"\n{rest}\n");
    for (rule, documents, expected) in [
        (
            r#""mandatory":true"#,
            String::new(),
            &["documents document-missing"][..],
        ),
        (r#""mandatory":false"#, String::new(), &[]),
        (r#""mandatory":true"#, document("file = \"pdf\""), &[]),
        (
            r#""mandatory":true"#,
            document("file = \"\""),
            &["documents[0].file file-not-named"],
        ),
        (
            r#""mandatory":true"#,
            document(""),
            &["documents[0].file file-not-named"],
        ),
        (pdf, document("file = \"pdf\""), &[]),
        (
            pdf,
            document("file = \"png\""),
            &["documents[0].file media-type-not-allowed"],
        ),
        (
            pdf,
            document("file = \"text\""),
            &["documents[0].file media-type-unsure"],
        ),
        (
            pdf,
            document("file = \"zip\""),
            &["documents[0].file media-type-unsure"],
        ),
        (
            pdf,
            document("file = \"encrypted\""),
            &["documents[0].file pdf-encrypted"],
        ),
        (r#""allowedMimeTypes":[]"#, document("file = \"png\""), &[]),
        (
            r#""allowedMimeTypes":["image/*"]"#,
            document("file = \"png\""),
            &[],
        ),
        (
            r#""allowedMimeTypes":["image/*"]"#,
            document("file = \"pdf\""),
            &["documents[0].file media-type-not-allowed"],
        ),
        (
            r#""allowedMimeTypes":["text/rtf"]"#,
            document("file = \"rtf\""),
            &[],
        ),
        (
            pdf,
            document("file = \"gone\""),
            &["documents[0].file file-missing"],
        ),
        (
            pdf,
            document("file = \"locked\""),
            &["documents[0].file file-unreadable"],
        ),
        (
            pdf,
            document("file = \"empty\""),
            &["documents[0].file file-empty"],
        ),
        (
            types,
            document("file = \"pdf\""),
            &["documents[0].type document-type-missing"],
        ),
        (
            types,
            document("file = \"pdf\"\ntype = \"passport\""),
            &["documents[0].type document-type-not-allowed"],
        ),
        (types, document("file = \"pdf\"\ntype = \"Passport\""), &[]),
        (pdf, document("file = \"pdf\"\ntype = \"Any\""), &[]),
        (
            pdf,
            document("file = \"pdf\"").repeat(2),
            &["documents[1].id document-repeated"],
        ),
        (
            r#""mandatory":true"#,
            "[[documents]]\nid = \"letter-2\"\nfile = \"pdf\"\n".to_owned(),
            &[
                "documents document-missing",
                "documents[0].id document-unknown",
            ],
        ),
    ] {
        assert_eq!(
            found(&rules(rule), &documents),
            expected,
            "{rule}\n{documents}"
        );
    }
}

#[test]
fn a_document_of_no_rule_is_named_with_its_line() {
    let documents = "[[documents]]\nid = \"leter-1\"\nfile = \"pdf\"\n";
    let found = check(&form(documents), &rules(r#""mandatory":true"#), &Disk);
    let found: Vec<String> = found.iter().map(Finding::to_string).collect();
    let missing =
        "line 1: documents: \"Letter\" is mandatory; add it with id = \"letter-1\" and its file";
    let unknown = "line 7: documents[0].id: the rules have no document with this id; did you mean \"letter-1\"?";
    assert_eq!(found, [missing, unknown]);
}

#[test]
fn a_file_is_sent_as_the_type_that_sinch_names() {
    for (allowed, content, expected) in [
        (r#"["text/rtf"]"#, RTF, "text/rtf"),
        (r#"["image/*"]"#, PNG, "image/png"),
        ("[]", PDF, "application/pdf"),
        (r#"["application/pdf"]"#, PNG, "image/png"),
        ("[]", b"plain", "application/octet-stream"),
    ] {
        let rules = rules(&format!(r#""allowedMimeTypes":{allowed}"#));
        assert_eq!(rules.documents[0].media_type(content), expected);
    }
    assert_eq!(media_type(b""), None);
}

#[test]
fn a_file_that_cannot_be_read_is_told_with_its_cure() {
    for (file, said) in [
        ("locked", "check the path and its permissions"),
        ("large", "name a smaller one"),
        ("pipe", "into a file, and name that"),
        ("folder", "name a file in it"),
    ] {
        let document = format!("[[documents]]\nid = \"letter-1\"\nfile = \"{file}\"\n");
        let found = check(&form(&document), &rules(r#""mandatory":true"#), &Disk);
        assert!(found[0].to_string().ends_with(said), "{found:?}");
    }
}
