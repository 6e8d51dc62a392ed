//! Figures as `/status` shows them, and their schema.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, SchemaType};
use utoipa::{PartialSchema, ToSchema};

use super::{API_FIGURES, FIGURES, Figure, FigureSource, SECRET_FIGURES};
use crate::http::operators::targets::{TARGET_FIGURES, TargetView};
use crate::metrics::{ApiView, SecretView};

/// Source of figures that `/status` shows together.
pub(in crate::http::operators) trait HasFigures:
    Sized + 'static
{
    /// Name of the figures' schema.
    const NAME: &'static str;

    /// Figures that are read from the source.
    const FIGURES: &'static [Figure<Self>];
}

impl HasFigures for FigureSource {
    const NAME: &'static str = "ServiceFigures";
    const FIGURES: &'static [Figure<FigureSource>] = FIGURES;
}

impl HasFigures for ApiView {
    const NAME: &'static str = "ApiFigures";
    const FIGURES: &'static [Figure<ApiView>] = API_FIGURES;
}

impl HasFigures for SecretView {
    const NAME: &'static str = "SecretFigures";
    const FIGURES: &'static [Figure<SecretView>] = SECRET_FIGURES;
}

impl HasFigures for TargetView {
    const NAME: &'static str = "TargetFigures";
    const FIGURES: &'static [Figure<TargetView>] = TARGET_FIGURES;
}

/// Figures of a source, as `/status` shows them.
pub(in crate::http::operators) struct FigureMap<'a, F: HasFigures>(pub &'a F);

impl<F: HasFigures> PartialSchema for FigureMap<'_, F> {
    fn schema() -> RefOr<Schema> {
        let groups = F::FIGURES.chunk_by(stand_together);
        let object = groups.fold(Object::builder(), |object, together| {
            let figures = |object: ObjectBuilder, figure: &Figure<F>| {
                let any = Object::builder().schema_type(SchemaType::AnyValue);
                object.property(figure.name(), any.description(Some(figure.help)))
            };
            match together.first().and_then(Figure::group) {
                None => together.iter().fold(object, figures),
                Some(group) => {
                    let members = together.iter().fold(Object::builder(), figures);
                    object.property(group, members)
                }
            }
        });
        object.into()
    }
}

impl<F: HasFigures> ToSchema for FigureMap<'_, F> {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed(F::NAME)
    }
}

fn stand_together<F>(one: &Figure<F>, other: &Figure<F>) -> bool {
    one.group().is_some() && one.group() == other.group()
}

impl<F: HasFigures> Serialize for FigureMap<'_, F> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        for together in F::FIGURES.chunk_by(stand_together) {
            match together.first().and_then(Figure::group) {
                None => {
                    for figure in together {
                        map.serialize_entry(figure.key, &(figure.read)(self.0))?;
                    }
                }
                Some(group) => map.serialize_entry(group, &Group(together, self.0))?,
            }
        }
        map.end()
    }
}

/// Figures that `/status` shows together in one object.
struct Group<'a, F: 'static>(&'static [Figure<F>], &'a F);

impl<F> Serialize for Group<'_, F> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let figures = self.0.iter();
        to.collect_map(figures.map(|figure| (figure.name(), (figure.read)(self.1))))
    }
}
