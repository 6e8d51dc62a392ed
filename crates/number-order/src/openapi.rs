//! Schemas of the values that an HTTP API shows as text.

use std::borrow::Cow;

use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::{CallbackKey, Id, State, StepOutcome, Time};
use strum::VariantNames;

/// Characters that stay in their segment of a path, and neither `.` nor `..`.
const ID_PATTERN: &str =
    r"^(\.{0,2}[!$&--0-;=@-Z\[\]_a-z~][!$&-.0-;=@-Z\[\]_a-z~]*|\.{3}[!$&-.0-;=@-Z\[\]_a-z~]*)$";

fn text() -> ObjectBuilder {
    Object::builder().schema_type(Type::String)
}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        text()
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .into()
    }
}

impl PartialSchema for Id {
    fn schema() -> RefOr<Schema> {
        text()
            .pattern(Some(ID_PATTERN))
            .min_length(Some(1))
            .max_length(Some(128))
            .into()
    }
}

impl PartialSchema for CallbackKey {
    fn schema() -> RefOr<Schema> {
        text().pattern(Some("^[a-z0-9]{26}$")).into()
    }
}

impl PartialSchema for State {
    fn schema() -> RefOr<Schema> {
        text()
            .enum_values(Some(State::ALL.map(State::as_str)))
            .into()
    }
}

impl PartialSchema for StepOutcome {
    fn schema() -> RefOr<Schema> {
        text()
            .enum_values(Some(StepOutcome::VARIANTS.iter().copied()))
            .into()
    }
}

macro_rules! named {
    ($($kind:ident),+) => {
        $(impl ToSchema for $kind {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($kind))
            }
        })+
    };
}

named!(Time, Id, CallbackKey, State, StepOutcome);
