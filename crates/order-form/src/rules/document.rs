//! Documents that an order requires, or allows.

use std::collections::BTreeSet;

use sinch_numbers::api::RequiredAttachment;

use super::json::{NotUnderstood, as_piece, elements, other_keys};
use crate::media;

/// Document that the rules of an order require, or allow.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// Id of the document, by which it is uploaded: `id`.
    pub id: String,
    /// Title of the document, for people: `title`.
    pub title: Option<String>,
    /// Description of the document, for people: `description`.
    pub description: Option<String>,
    /// `true` if the document must be uploaded: `mandatory`.
    pub is_mandatory: bool,
    /// Files to be filled in for the document: `template`.
    pub templates: Vec<Template>,
    /// Media types that the document's file may have: `allowedMimeTypes`, once each; empty: all.
    pub media_types: Vec<String>,
    /// Types that the document may have: `allowedDocumentTypes`, once each. If there are any, the upload's must be one
    /// of them.
    pub document_types: Vec<String>,
    /// Properties of the document that were not recognised.
    pub not_understood: Vec<NotUnderstood>,
}

/// File to be filled in for a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// Name of the file to be filled in: `name`.
    pub name: Option<String>,
    /// Address of the file to be filled in: `url`. Sinch does not say if it can be fetched without a token.
    pub url: Option<String>,
}

/// Names of those properties of a required document that this program understands.
const KNOWN_KEYS: [&str; 7] = [
    "id",
    "title",
    "description",
    "mandatory",
    "template",
    "allowedMimeTypes",
    "allowedDocumentTypes",
];

impl Document {
    /// Returns the media type to send for a document's file with this content: the allowed type that matches it, as
    /// Sinch spells it; else the type detected in the content; else `application/octet-stream`.
    pub fn media_type(&self, content: &[u8]) -> String {
        let found = media::media_type(content);
        let allowed = found.and_then(|found| {
            let mut allowed = self.media_types.iter();
            allowed.find(|allowed| {
                !allowed.ends_with("/*") && media::media_type_allows(allowed, found)
            })
        });
        let allowed = allowed.map(String::as_str);
        let sent = allowed.or(found).unwrap_or("application/octet-stream");
        sent.to_owned()
    }

    /// Reads a document from Sinch's requirements; `None` if it has no id, without which nothing can be uploaded.
    pub(super) fn understand(attachment: &RequiredAttachment) -> Option<Document> {
        let id = attachment.id().text()?.to_owned();
        let place = format!("attachments.{id}");
        let template = |template: &sinch_numbers::api::Template| Template {
            name: template.name().text().map(str::to_owned),
            url: template.url().text().map(str::to_owned),
        };
        Some(Document {
            title: attachment.title().text().map(str::to_owned),
            description: attachment.description().text().map(str::to_owned),
            is_mandatory: attachment.mandatory().unwrap_or(false),
            templates: attachment.templates().iter().map(template).collect(),
            media_types: once_each(attachment.allowed_mime_types()),
            document_types: once_each(attachment.allowed_document_types()),
            not_understood: not_understood(attachment, &place),
            id,
        })
    }
}

/// Returns the properties of a required document that are unknown, or of another kind than expected.
fn not_understood(attachment: &RequiredAttachment, place: &str) -> Vec<NotUnderstood> {
    let mut found = other_keys(attachment.object(), place, &KNOWN_KEYS);
    let object = attachment.object();
    for key in KNOWN_KEYS {
        let value = object.get(key);
        let has = |count: usize| elements(&value).is_some_and(|all| all.len() == count);
        let is_read = match key {
            "mandatory" => attachment.mandatory().is_some(),
            "template" => has(attachment.templates().len()),
            "allowedMimeTypes" => has(attachment.allowed_mime_types().len()),
            "allowedDocumentTypes" => has(attachment.allowed_document_types().len()),
            _ => value.text().is_some(),
        };
        if !is_read {
            found.extend(as_piece(&format!("{place}.{key}"), &value));
        }
    }
    found
}

/// Returns the list without repetitions: Sinch's example names a type twice.
fn once_each(list: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    list.into_iter()
        .filter(|item| seen.insert(item.clone()))
        .collect()
}
