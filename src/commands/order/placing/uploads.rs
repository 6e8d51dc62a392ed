//! Rule for the next action on a document, from the status that Sinch shows. It does no input or output.

use std::path::Path;

use sinch_numbers::api::Registration;

/// Next action on a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextAction {
    /// Nothing is left to do: Sinch has the document.
    Nothing,
    /// Nothing but a wait is left: the document was uploaded, and Sinch still checks it.
    Wait,
    /// The document must be uploaded.
    Upload,
}

/// Returns the next action from the document's `uploadStatus`, `None` if Sinch shows none, and from `uploaded`, which
/// is `true` if an upload was answered with success. WAITING alone does not tell if Sinch waits for the upload or still
/// processes it. With `is_old`, the status may be that of the upload before the last one.
pub(super) fn next(shown: Option<&str>, uploaded: bool, is_old: bool) -> NextAction {
    match (shown, uploaded) {
        (Some("COMPLETED"), _) => NextAction::Nothing,
        (Some("FAILED"), true) if is_old => NextAction::Wait,
        (Some("FAILED"), _) | (None | Some(_), false) => NextAction::Upload,
        (Some("WAITING"), true) => NextAction::Wait,
        // A word that is not known, or an upload that Sinch does not list: nothing says that it waits.
        (None | Some(_), true) => NextAction::Nothing,
    }
}

/// Upload as the registration shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ShownUpload {
    /// Sinch's word for the status of the upload: `uploadStatus`.
    pub status: Option<String>,
    /// `updateTime`, in Sinch's words.
    pub updated_at: Option<String>,
}

/// Returns the upload that has the document's id or, failing that, its file's name.
pub(super) fn shown(
    registration: Option<&Registration>,
    id: &str,
    file: &str,
) -> Option<ShownUpload> {
    let attachments = registration?.attachments();
    let name = file_name(Path::new(file));
    let by_id = attachments
        .iter()
        .find(|shown| shown.attachment_id().text() == Some(id));
    let by_name = || {
        attachments
            .iter()
            .find(|shown| shown.file_name().text() == Some(&name))
    };
    let shown = by_id.or_else(by_name)?;
    Some(ShownUpload {
        status: shown.upload_status().text().map(str::to_owned),
        updated_at: shown.update_time().text().map(str::to_owned),
    })
}

/// Returns the name under which a file is uploaded: the last part of its path.
pub(super) fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_uploaded_until_sinch_has_it() {
        for (shown, uploaded, is_old, then) in [
            (None, false, false, NextAction::Upload),
            (Some("WAITING"), false, false, NextAction::Upload),
            (Some("FAILED"), false, false, NextAction::Upload),
            (Some("COMPLETED"), false, false, NextAction::Nothing),
            (None, true, false, NextAction::Nothing),
            (Some("WAITING"), true, false, NextAction::Wait),
            (Some("FAILED"), true, false, NextAction::Upload),
            (Some("COMPLETED"), true, false, NextAction::Nothing),
            (Some("SCANNED"), true, false, NextAction::Nothing),
            // A status that may be older than the upload tells nothing of it.
            (Some("FAILED"), true, true, NextAction::Wait),
            (Some("FAILED"), false, true, NextAction::Upload),
            (Some("COMPLETED"), true, true, NextAction::Nothing),
        ] {
            let next = next(shown, uploaded, is_old);
            assert_eq!(next, then, "{shown:?} {uploaded} {is_old}");
        }
    }

    #[test]
    fn a_file_is_uploaded_under_the_last_part_of_its_path() {
        for (path, name) in [("a/b c.pdf", "b c.pdf"), ("x.pdf", "x.pdf"), ("..", "..")] {
            assert_eq!(file_name(Path::new(path)), name);
        }
    }
}
