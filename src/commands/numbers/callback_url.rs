//! Callback URL of a number, as far as it can be compared with the configuration.

/// Returns `true` if the URL leads to the path of a project in the configuration, or below it: an order that was placed
/// from here has a path of its own there. Only the path can be compared, since the configuration need not say by which
/// host Sinch reaches the service.
pub(in crate::commands) fn is_of_project(url: &str, path: &str) -> bool {
    let parsed = url::Url::parse(url).ok();
    parsed.is_some_and(|parsed| {
        let below = parsed.path().strip_prefix(path);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_of_the_project_at_its_path_and_below() {
        for (url, expected) in [
            ("https://a.example/callbacks", true),
            ("https://b.example/callbacks/abc", true),
            ("https://a.example/callbacks2", false),
            ("https://a.example/", false),
            ("callbacks", false),
        ] {
            assert_eq!(is_of_project(url, "/callbacks"), expected, "{url}");
        }
    }
}
