//! Schemas of codes, as the description of the operators' API has them.

use strum::VariantNames;
use utoipa::openapi::schema::{Object, OneOf, Schema, Type};
use utoipa::openapi::{Ref, RefOr};

use notifications::{DeliveryFailure, SecretComparison, ServiceAlert};
use number_order::{
    AlertKind, Cause, Decision, DeliveryDecision, FetchOutcome, Kept, NoAnswer, NotUnderstood,
    Outcome, ParkReason, Readiness, Standing, StepKind,
};

/// A value of a closed list of codes, which the operators' API sends with its sentence.
pub trait Coded {
    /// Name of the list's schema.
    const NAME: &'static str;

    /// Returns every code of the list.
    fn codes() -> Vec<&'static str>;
}

/// Names each list of codes once: its type, and the types whose codes it has.
macro_rules! lists {
    ($($list:ident: $($part:ident),+;)+) => {
        $(impl Coded for $list {
            const NAME: &'static str = stringify!($list);

            fn codes() -> Vec<&'static str> {
                [$($part::VARIANTS),+].concat()
            }
        })+

        /// Returns the schema of every list of codes, under its name.
        pub fn schemas() -> Vec<(&'static str, Schema)> {
            vec![$(($list::NAME, code_schema::<$list>())),+]
        }
    };
}

lists! {
    AlertKind: AlertKind;
    Cause: Cause;
    DeliveryDecision: Decision, Kept, NotUnderstood;
    DeliveryFailure: DeliveryFailure;
    FetchOutcome: Outcome, NoAnswer;
    NoAnswer: NoAnswer;
    ParkReason: ParkReason;
    Readiness: Readiness;
    SecretComparison: SecretComparison;
    ServiceAlert: ServiceAlert;
    Standing: Standing;
    StepKind: StepKind;
}

/// Returns the schema of the codes of a list.
pub fn code_schema<T: Coded>() -> Schema {
    let text = || Object::builder().schema_type(Type::String);
    Object::builder()
        .schema_type(Type::Object)
        .description(Some(
            "A code with its fields, for programs, and its sentence, for people.",
        ))
        .property("code", text().enum_values(Some(T::codes())))
        .required("code")
        .property(
            "fields",
            Object::builder()
                .schema_type(Type::Object)
                .description(Some("What the code is about; absent where it has none.")),
        )
        .property("text", text())
        .required("text")
        .into()
}

/// Returns the schema of a code of a list.
pub fn coded<T: Coded>() -> RefOr<Schema> {
    Ref::from_schema_name(T::NAME).into()
}

/// Returns the schema of a code of a list that may be absent.
pub fn coded_if_any<T: Coded>() -> RefOr<Schema> {
    let null = Object::builder().schema_type(Type::Null);
    OneOf::builder().item(null).item(coded::<T>()).into()
}

/// Returns the schema of a text that is one of the words.
pub fn word(words: &[&'static str]) -> Object {
    Object::builder()
        .schema_type(Type::String)
        .enum_values(Some(words.iter().copied()))
        .build()
}
