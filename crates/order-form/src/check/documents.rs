//! Check of a form's documents and of their files.

use std::io::ErrorKind;

use super::{Files, Report};
use crate::finding::FindingKind;
use crate::form::FormDocument;
use crate::media;
use crate::nearest::nearest;
use crate::place::Place;
use crate::rules::{Document, Rules};

pub(super) fn check_documents(report: &mut Report<'_>, rules: &Rules, files: &dyn Files) {
    let form = report.form;
    let list = Place::default().key("documents");
    for (n, document) in form.documents.iter().enumerate() {
        let place = list.entry(n);
        let rule = rules.documents.iter().find(|rule| rule.id == document.id);
        if rule.is_none() {
            let known = rules.documents.iter().map(|rule| rule.id.as_str());
            let nearest = nearest(&document.id, known).map(str::to_owned);
            report.add(
                &place.key("id"),
                &place,
                FindingKind::DocumentUnknown { nearest },
            );
        }
        let before = form.documents.iter().take(n);
        if before.into_iter().any(|other| other.id == document.id) {
            report.add(&place.key("id"), &place, FindingKind::DocumentRepeated);
        }
        if let Some(kind) = rule.and_then(|rule| type_fault(rule, document)) {
            report.add(&place.key("type"), &place, kind);
        }
        for kind in file_faults(rule, document, files) {
            report.add(&place.key("file"), &place, kind);
        }
    }
    let is_given = |rule: &&Document| form.documents.iter().any(|given| given.id == rule.id);
    let mandatory = rules.documents.iter().filter(|rule| rule.is_mandatory);
    for rule in mandatory.filter(|rule| !is_given(rule)) {
        let kind = FindingKind::DocumentMissing {
            id: rule.id.clone(),
            title: rule.title.clone(),
        };
        report.add(&list, &list, kind);
    }
}

fn type_fault(rule: &Document, document: &FormDocument) -> Option<FindingKind> {
    let allowed = rule.document_types.clone();
    match &document.document_type {
        _ if allowed.is_empty() => None,
        None => Some(FindingKind::DocumentTypeMissing { allowed }),
        Some(given) if allowed.contains(given) => None,
        Some(_) => Some(FindingKind::DocumentTypeNotAllowed { allowed }),
    }
}

fn file_faults(
    rule: Option<&Document>,
    document: &FormDocument,
    files: &dyn Files,
) -> Vec<FindingKind> {
    if document.file.is_empty() {
        let is_mandatory = rule.is_some_and(|rule| rule.is_mandatory);
        return vec![FindingKind::FileNotNamed { is_mandatory }];
    }
    let content = match files.content(&document.file) {
        Ok(content) if content.is_empty() => return vec![FindingKind::FileEmpty],
        Ok(content) => content,
        Err(ErrorKind::NotFound) => return vec![FindingKind::FileMissing],
        Err(reason) => return vec![FindingKind::FileUnreadable { reason }],
    };
    let media_type = rule.and_then(|rule| media_type_fault(rule, &content));
    let encrypted = media::seems_encrypted(&content).then_some(FindingKind::PdfEncrypted);
    [media_type, encrypted].into_iter().flatten().collect()
}

fn media_type_fault(rule: &Document, content: &[u8]) -> Option<FindingKind> {
    let allowed = rule.media_types.clone();
    let found = media::media_type(content);
    let is_allowed = |found| {
        allowed
            .iter()
            .any(|allowed| media::media_type_allows(allowed, found))
    };
    match found {
        _ if allowed.is_empty() => None,
        Some(found) if is_allowed(found) => None,
        Some(found) if !media::is_container(found) => Some(FindingKind::MediaTypeNotAllowed {
            found: found.to_owned(),
            allowed,
        }),
        _ => Some(FindingKind::MediaTypeUnsure { allowed }),
    }
}
