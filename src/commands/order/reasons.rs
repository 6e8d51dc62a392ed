//! Sinch's reasons: messages of its review team, and the documents of an order. They can name persons, so they are
//! printed and kept nowhere.

use crate::commands::output::{print_line, print_wrapped};
use crate::commands::shown;
use crate::commands::table::Table;
use crate::commands::words::{UNSAID, said};
use sinch_numbers::api::{Registration, ReviewLog, UploadedAttachment};

/// Prints the messages, the oldest first, and the documents.
pub(super) fn print(registration: &Registration) {
    let logs = registration.logs();
    if logs.is_empty() {
        print_line("Sinch's team has left no message about this order.");
    }
    for log in &logs {
        print_message(log);
    }
    let attachments = registration.attachments();
    if attachments.is_empty() {
        print_line("Sinch lists no document of this order.");
    } else {
        print_line("Documents:");
    }
    let head = ["UPLOAD", "FILE", "DOCUMENT", "FORMAT", "CHANGED"];
    Table::new(head).print(attachments.iter().map(row).collect());
}

fn print_message(log: &ReviewLog) {
    let at = log.create_time();
    let at = at.text().unwrap_or("at an unknown time");
    print_line(shown::line(&format!("Sinch, {at}:")));
    let message = log.message();
    let message = message.text().unwrap_or("(a message that cannot be read)");
    for line in message.lines() {
        print_wrapped("  ", &shown::line(line));
    }
    print_line("");
}

fn row(attachment: &UploadedAttachment) -> [String; 5] {
    let changed = attachment.update_time();
    let created = attachment.create_time();
    let changed = changed.text().or(created.text());
    [
        said(&attachment.upload_status()),
        said(&attachment.file_name()),
        said(&attachment.document_type()),
        said(&attachment.mime_type()),
        changed.unwrap_or(UNSAID).to_owned(),
    ]
}
