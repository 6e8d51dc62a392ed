//! Requested paths that miss a project's path by little, with the mistake that a person or a proxy made.

use std::borrow::Cow;
use std::cmp::Ordering;

use percent_encoding::percent_decode_str;

/// Returns the project's path that was probably meant, and how the requested path differs from it: in slashes, case or
/// percent-encoding alone.
pub(super) fn near_miss<'a>(
    requested: &str,
    paths: impl IntoIterator<Item = &'a String>,
) -> Option<String> {
    let decoded = percent_decoded(requested);
    let alike = |path: &&String| {
        let pairs = path_parts(&decoded).zip(path_parts(path));
        path_parts(&decoded).count() == path_parts(path).count()
            && pairs
                .into_iter()
                .all(|(one, other)| one.to_lowercase() == other.to_lowercase())
    };
    let meant = paths.into_iter().find(alike)?;
    let slashes = |path: &str| path.bytes().filter(|byte| *byte == b'/').count();
    let mut how = Vec::new();
    match slashes(&decoded).cmp(&slashes(meant)) {
        Ordering::Greater => how.push("a slash too many"),
        Ordering::Less => how.push("a slash is missing"),
        Ordering::Equal => {}
    }
    if !path_parts(&decoded).eq(path_parts(meant)) {
        how.push("differs by case");
    }
    if decoded != requested {
        how.push("percent-encoded");
    }
    Some(format!("{meant}: {}", how.join(", ")))
}

fn percent_decoded(path: &str) -> Cow<'_, str> {
    percent_decode_str(path).decode_utf8_lossy()
}

fn path_parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named() {
        let paths = ["/callbacks", "/b/Two", "/"].map(str::to_owned);
        for (requested, said) in [
            ("/callbacks/", Some("/callbacks: a slash too many")),
            ("//callbacks", Some("/callbacks: a slash too many")),
            ("/CALLBACKS", Some("/callbacks: differs by case")),
            ("/%63allbacks", Some("/callbacks: percent-encoded")),
            (
                "/%43ALLBACKS/",
                Some("/callbacks: a slash too many, differs by case, percent-encoded"),
            ),
            ("/b/two", Some("/b/Two: differs by case")),
            ("/b//Two", Some("/b/Two: a slash too many")),
            ("callbacks", Some("/callbacks: a slash is missing")),
            ("//", Some("/: a slash too many")),
            ("/callback", None),
            ("/callbacks/more", None),
            ("/%ff%fe", None),
            ("*", None),
        ] {
            assert_eq!(near_miss(requested, &paths).as_deref(), said, "{requested}");
        }
    }
}
