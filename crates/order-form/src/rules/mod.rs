//! Rules of an order: the parts of its registration and its documents, as a lookup's answer gives them.

mod document;
mod field;
mod json;

use std::collections::BTreeSet;

use sinch_numbers::Property;
use sinch_numbers::api::{Object, Requirements};

pub use document::{Document, Template};
pub use field::{Choices, Field, FieldKind};
pub use json::NotUnderstood;

use json::{as_piece, elements, object, other_elements, other_keys};

/// Requirements of an order before it can be submitted. The default requires nothing, as a lookup's 404 says.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Parts of the registration, one for each rule, in their order.
    pub parts: Vec<Part>,
    /// Documents that the order requires or allows.
    pub documents: Vec<Document>,
    /// Pieces of the lookup's answer that were not understood and belong to no part.
    pub not_understood: Vec<NotUnderstood>,
}

/// Part of the registration, which answers one rule. That `data[i]` answers the rule `i` is inferred from Sinch's only
/// sample.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Fields of the part that were recognised.
    pub fields: Vec<Field>,
    /// Pieces of the part's rule that were not understood.
    pub not_understood: Vec<NotUnderstood>,
}

impl Rules {
    /// Reads the rules of a lookup's answer. It never fails: what is not recognised is kept as JSON.
    pub fn understand(requirements: &Requirements) -> Rules {
        let answer = requirements.object();
        let mut rules = Rules {
            not_understood: other_keys(answer, "", &["fields", "attachments"]),
            ..Rules::default()
        };
        let beside = answer.get("attachments");
        rules
            .not_understood
            .extend(other_elements("attachments", &beside));
        for (n, attachment) in requirements.attachments().iter().enumerate() {
            match Document::understand(attachment) {
                Some(document) => rules.documents.push(document),
                None => rules.not_understood.push(NotUnderstood {
                    place: format!("attachments[{n}]"),
                    json: attachment.object().json().to_owned(),
                }),
            }
        }
        if let Some(fields) = requirements.fields() {
            rules.understand_fields(&fields);
        } else {
            let fields = answer.get("fields");
            rules.not_understood.extend(as_piece("fields", &fields));
        }
        rules
    }

    fn understand_fields(&mut self, fields: &Object) {
        // The schema is a path inside Sinch's systems that nobody outside can follow.
        let known = ["schema", "rules", "attachments"];
        self.not_understood
            .extend(other_keys(fields, "fields", &known));
        let inside = fields.get("attachments");
        self.not_understood
            .extend(other_elements("fields.attachments", &inside));
        let rules = fields.get("rules");
        match elements(&rules) {
            Some(rules) => {
                let place = |n| format!("fields.rules[{n}]");
                let parts = rules.iter().enumerate();
                self.parts
                    .extend(parts.map(|(n, rule)| Part::understand(&place(n), rule)));
            }
            None => self.not_understood.extend(as_piece("fields.rules", &rules)),
        }
    }
}

impl Part {
    /// Returns `true` if a field of the part must be given.
    pub fn is_required(&self) -> bool {
        self.fields.iter().any(|field| field.is_required)
    }

    fn understand(place: &str, rule: &Property<'_>) -> Part {
        let mut part = Part::default();
        let Some(rule) = object(rule) else {
            part.not_understood.extend(as_piece(place, rule));
            return part;
        };
        part.not_understood
            .extend(other_keys(&rule, place, &["template"]));
        let place = format!("{place}.template");
        let property = rule.get("template");
        let Some(template) = object(&property) else {
            part.not_understood.extend(as_piece(&place, &property));
            return part;
        };
        part.not_understood
            .extend(other_keys(&template, &place, &["properties"]));
        let place = format!("{place}.properties");
        let properties = template.get("properties");
        match elements(&properties) {
            Some(properties) => part.understand_properties(&place, &properties),
            None => part.not_understood.extend(as_piece(&place, &properties)),
        }
        part
    }

    fn understand_properties(&mut self, place: &str, properties: &[Property<'_>]) {
        // A name that comes twice has one place in a form, so only its first property is a field.
        let mut names = BTreeSet::new();
        for (n, property) in properties.iter().enumerate() {
            let place = format!("{place}[{n}]");
            let field = object(property).and_then(|object| Field::understand(&place, &object));
            match field {
                Some(field) if names.insert(field.name.clone()) => self.fields.push(field),
                _ => self.not_understood.extend(as_piece(&place, property)),
            }
        }
    }
}
