//! Parameters of a URL's query. The list of an endpoint's parameters reads them, and describes them in the API's document.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use jiff::Timestamp;
use url::form_urlencoded;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, Object, SchemaFormat, Type};
use utoipa::openapi::{Ref, RefOr, Required, Schema};
use utoipa::{IntoParams, PartialSchema};

use super::{PAGE_SIZE, PAGE_SIZE_MAX};
use crate::explain::word;
use crate::http::problem::Problem;
use crate::store::Cursor;
use number_order::{Id, Time};

/// Parameter of a query.
pub(super) struct Param {
    pub name: &'static str,
    pub kind: Kind,
    /// What the parameter means, in a phrase that can follow its name.
    pub about: &'static str,
    pub is_needed: bool,
}

/// Kind of a parameter's value.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    /// Text that the pattern describes; the handler refuses other text.
    Pattern(&'static str),
    /// A whole number from the first to the second.
    Number(u32, u32),
    /// A number of days from the first to the second, which may have a fraction.
    Days(f64, f64),
    /// Some of these words, with commas between them.
    WordList(fn() -> Vec<String>),
    /// One of these words.
    Words(fn() -> Vec<&'static str>),
    Time,
    Id,
    Flag,
}

impl Param {
    pub const fn new(name: &'static str, kind: Kind, about: &'static str) -> Param {
        Param {
            name,
            kind,
            about,
            is_needed: false,
        }
    }

    /// Returns a parameter without which a query is refused.
    pub const fn needed(name: &'static str, kind: Kind, about: &'static str) -> Param {
        Param {
            is_needed: true,
            ..Param::new(name, kind, about)
        }
    }

    /// Returns the parameter that continues a list whose cursors have the pattern.
    pub const fn after(pattern: &'static str) -> Param {
        let about = "continues after a page: its `next`, as it is";
        Param::new("after", Kind::Pattern(pattern), about)
    }

    fn described(&self) -> Parameter {
        let text = || Object::builder().schema_type(Type::String);
        let schema: RefOr<Schema> = match self.kind {
            Kind::Text => text().into(),
            Kind::Pattern(pattern) => text().pattern(Some(pattern)).into(),
            Kind::Number(min, max) => Object::builder()
                .schema_type(Type::Integer)
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
                .minimum(Some(min))
                .maximum(Some(max))
                .into(),
            Kind::Days(min, max) => Object::builder()
                .schema_type(Type::Number)
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::Double)))
                .minimum(Some(min))
                .maximum(Some(max))
                .into(),
            Kind::Words(words) => word(&words()).into(),
            Kind::WordList(words) => text().pattern(Some(list_pattern(&words()))).into(),
            Kind::Time => Time::schema(),
            Kind::Id => Ref::from_schema_name("Id").into(),
            Kind::Flag => Object::builder().schema_type(Type::Boolean).into(),
        };
        ParameterBuilder::new()
            .name(self.name)
            .parameter_in(ParameterIn::Query)
            .required(if self.is_needed {
                Required::True
            } else {
                Required::False
            })
            .description(Some(self.about))
            .schema(Some(schema))
            .build()
    }
}

/// Returns the pattern of some of the words with commas between them.
fn list_pattern(words: &[String]) -> String {
    let words = words.join("|").replace('.', r"\.").replace('*', r"\*");
    format!("^({words})(,({words}))*$")
}

/// Order in which a list stands.
pub(super) const SORT: Param = Param::new(
    "sort",
    Kind::Words(|| vec!["oldest", "newest"]),
    "which items stand first; unless written, the oldest",
);

/// Maximum number of items on a page of a list.
pub(super) const LIMIT: Param = Param::new(
    "limit",
    Kind::Number(1, PAGE_SIZE_MAX),
    "maximum number of items on the page; unless written, 100",
);

/// Returns the parameter with which a period begins.
pub(super) const fn since(about: &'static str) -> Param {
    Param::new("since", Kind::Time, about)
}

/// Returns the parameter with which a period ends.
pub(super) const fn until(about: &'static str) -> Param {
    Param::new("until", Kind::Time, about)
}

/// Parameters that an endpoint takes.
pub(super) trait Params {
    const PARAMS: &'static [Param];

    /// Further parameters: those of a page, or of a request about all that fits.
    const ALSO: &'static [Param] = &[];

    fn all() -> impl Iterator<Item = &'static Param> {
        Self::PARAMS.iter().chain(Self::ALSO)
    }
}

/// Values of the parameters of a query that an endpoint takes. A query with other parameters, or with one twice, is
/// refused.
pub(super) struct Query<P> {
    values: Vec<(String, String)>,
    params: PhantomData<P>,
}

impl<P: Params> IntoParams for Query<P> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        P::all().map(Param::described).collect()
    }
}

impl<P: Params, S: Send + Sync> FromRequestParts<S> for Query<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Query<P>, Problem> {
        Query::read(parts.uri.query().unwrap_or_default())
    }
}

impl<P: Params> Query<P> {
    /// Reads the text of a query.
    pub(super) fn read(query: &str) -> Result<Query<P>, Problem> {
        let mut values: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
            if !P::all().any(|param| param.name == name) {
                let known: Vec<&str> = P::all().map(|param| param.name).collect();
                let known = known.join(", ");
                return Err(bad_parameter(format!(
                    "{name:.40}: no such parameter; write one of {known}"
                )));
            }
            if values.iter().any(|(known, _)| *known == name) {
                return Err(bad_parameter(format!(
                    "{name}: written twice; write it once"
                )));
            }
            values.push((name, value));
        }
        let is_missing =
            |param: &&Param| param.is_needed && !values.iter().any(|(name, _)| name == param.name);
        if let Some(Param { name, about, .. }) = P::all().find(is_missing) {
            return Err(bad_parameter(format!("{name}: missing; {about}")));
        }
        Ok(Query {
            values,
            params: PhantomData,
        })
    }

    /// Returns `true` if the query has any of the list's own parameters, beside the further ones.
    pub(super) fn chooses(&self) -> bool {
        let mut names = self.values.iter().map(|(name, _)| name);
        names.any(|name| P::PARAMS.iter().any(|param| param.name == name))
    }

    /// Returns the value of a parameter, if the query has it.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        debug_assert!(P::all().any(|param| param.name == name), "{name}");
        let found = self.values.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    fn kind(name: &str) -> Option<Kind> {
        let found = P::all().find(|param| param.name == name);
        found.map(|param| param.kind)
    }

    /// Returns the value of a parameter that must be a number.
    pub(super) fn number(&self, name: &str) -> Result<Option<u32>, Problem> {
        let (min, max) = match Self::kind(name) {
            Some(Kind::Number(min, max)) => (min, max),
            _ => (0, u32::MAX),
        };
        let read = |text: &str| {
            let number = text
                .parse()
                .ok()
                .filter(|number| (min..=max).contains(number));
            number.ok_or_else(|| {
                bad_parameter(format!(
                    "{name}: {text:.40?} is no number from {min} to {max}"
                ))
            })
        };
        self.text(name).map(read).transpose()
    }

    /// Returns the value of a parameter that must be a number of days.
    pub(super) fn days(&self, name: &str) -> Result<Option<f64>, Problem> {
        let (min, max) = match Self::kind(name) {
            Some(Kind::Days(min, max)) => (min, max),
            _ => (0.0, f64::MAX),
        };
        let read = |text: &str| {
            let days = text.parse().ok().filter(|days| (min..=max).contains(days));
            days.ok_or_else(|| {
                bad_parameter(format!(
                    "{name}: {text:.40?} is no number of days from {min} to {max}"
                ))
            })
        };
        self.text(name).map(read).transpose()
    }

    /// Returns the value of a parameter that must be one of its words.
    pub(super) fn word(&self, name: &str) -> Result<Option<&'static str>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let words = match Self::kind(name) {
            Some(Kind::Words(words)) => words(),
            _ => Vec::new(),
        };
        let word = words.iter().copied().find(|word| *word == text);
        let fault = || bad_parameter(format!("{name}: write one of {}", words.join(", ")));
        word.map(Some).ok_or_else(fault)
    }

    /// Returns the value of a parameter that must be a point in time.
    pub(super) fn time(&self, name: &str) -> Result<Option<Time>, Problem> {
        let read = |text: &str| {
            let fault = || {
                bad_parameter(format!(
                    "{name}: {text:.40?} is no time up to 9999-12-30T22:00:00Z; write it as 2026-01-31T12:00:00Z"
                ))
            };
            let at: Timestamp = text.parse().map_err(|_| fault())?;
            Ok(Time::from(at))
        };
        self.text(name).map(read).transpose()
    }

    /// Returns the beginning and the end of the period that the query asks for, if it has them.
    pub(super) fn period(&self) -> Result<[Option<Time>; 2], Problem> {
        let (since, until) = (self.time("since")?, self.time("until")?);
        period(since, until).map_err(bad_parameter)
    }

    /// Returns the value of a parameter that must be an id.
    pub(super) fn id(&self, name: &str) -> Result<Option<Id>, Problem> {
        let fault = || bad_parameter(format!("{name}: not the id of one at Sinch"));
        let read = |text: &str| Id::new(text).ok_or_else(fault);
        self.text(name).map(read).transpose()
    }

    /// Returns the value of a parameter that must be `true` or `false`.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.text(name) {
            None => Ok(None),
            Some("false") => Ok(Some(false)),
            Some("true") => Ok(Some(true)),
            Some(other) => Err(bad_parameter(format!(
                "{name}: {other:.40?} is neither true nor false"
            ))),
        }
    }

    /// Returns `true` if the query asks for the newest items first.
    pub(super) fn newest_first(&self) -> Result<bool, Problem> {
        Ok(self.word(SORT.name)? == Some("newest"))
    }

    /// Returns the maximum number of items on the page.
    pub(super) fn limit(&self) -> Result<u32, Problem> {
        Ok(self.number(LIMIT.name)?.unwrap_or(PAGE_SIZE))
    }

    /// Returns the position at which the page begins. The list finds out if it is one of its own.
    pub(super) fn after(&self) -> Option<Cursor> {
        self.text("after").map(Cursor::from_caller)
    }
}

/// Returns the beginning and the end of a period. One in which no time lies is refused, with what would be one.
pub(super) fn period(
    since: Option<Time>,
    until: Option<Time>,
) -> Result<[Option<Time>; 2], String> {
    match (since, until) {
        (Some(since), Some(until)) if until <= since => Err(format!(
            "since: {since} is not before until, {until}; write the earlier time as since"
        )),
        _ => Ok([since, until]),
    }
}

/// Returns the refusal of a parameter's value.
pub(super) fn bad_parameter(detail: String) -> Problem {
    Problem::with_detail(StatusCode::BAD_REQUEST, detail)
}
