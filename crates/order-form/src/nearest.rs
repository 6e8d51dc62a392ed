//! The known name that a misspelt one most likely means.

/// Minimum likeness (0 to 1) at which an unknown name counts as a misspelling of a known one.
const LIKENESS_MIN: f64 = 0.8;

/// Returns the known name that is most like the given one, if any is.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let likeness = |known: &str| strsim::jaro_winkler(&name, &known.to_lowercase());
    known
        .into_iter()
        .map(|known| (likeness(known), known))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_most_like_name_is_meant() {
        let known = ["quality", "quantity", "number"];
        for (name, expected) in [
            ("quantiy", Some("quantity")),
            ("Qualty", Some("quality")),
            ("nmber", Some("number")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
        assert_eq!(nearest("quantity", []), None);
    }
}
