//! Media types of files, by content.

/// Names of one media type, the first of which is the one under which a content is recognised.
const ALIASES: [[&str; 2]; 6] = [
    ["application/rtf", "text/rtf"],
    ["image/jpeg", "image/jpg"],
    ["image/tiff", "image/tif"],
    ["image/heif", "image/heic"],
    ["image/bmp", "image/x-ms-bmp"],
    ["application/zip", "application/x-zip-compressed"],
];

/// Media types of containers. What is in a container can have a type of its own, which is not looked for.
const CONTAINERS: [&str; 3] = ["application/zip", "application/x-ole-storage", "text/xml"];

/// Returns the media type of a file's content, as far as its first bytes tell it.
pub fn media_type(content: &[u8]) -> Option<&'static str> {
    infer::get(content).map(|found| found.mime_type())
}

/// Returns `true` if a media type of Sinch's list of allowed ones allows the one found in a file. Letter case,
/// parameters and aliases do not count; `image/*` allows every image.
pub(crate) fn media_type_allows(allowed: &str, found: &str) -> bool {
    let allowed = allowed.split(';').next().unwrap_or_default().trim();
    if let Some(family) = allowed.strip_suffix("/*") {
        let found = found.split('/').next().unwrap_or_default();
        return family == "*" || family.eq_ignore_ascii_case(found);
    }
    let is = |name: &str| allowed.eq_ignore_ascii_case(name);
    is(found)
        || ALIASES
            .iter()
            .any(|names| names.contains(&found) && names.iter().any(|n| is(n)))
}

/// Returns `true` if a content of this media type is a container, and may have another type as well.
pub(crate) fn is_container(found: &str) -> bool {
    CONTAINERS.contains(&found)
}

/// Returns `true` if the content seems to be an encrypted PDF: its trailer names `/Encrypt`. The name could also stand
/// in the text of a page, so it is no proof.
pub(crate) fn seems_encrypted(content: &[u8]) -> bool {
    const ENCRYPT: &[u8] = b"/Encrypt";
    let is_end = |byte: Option<&u8>| !byte.is_some_and(u8::is_ascii_alphanumeric);
    media_type(content) == Some("application/pdf")
        && content
            .windows(ENCRYPT.len())
            .enumerate()
            .any(|(at, bytes)| bytes == ENCRYPT && is_end(content.get(at + ENCRYPT.len())))
}
