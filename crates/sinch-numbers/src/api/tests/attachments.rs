//! Upload of a document.

use super::*;

/// Content that is no text.
const CONTENT: &[u8] = b"%PDF-1.7\r\n\xff\x00\r\n--x";

fn upload() -> Upload {
    Upload::new("letter \"1\".pdf", "application/pdf", CONTENT).expect("an upload")
}

/// Parts of a form: the headers of each, and its content.
fn parts(sent: &sent::Sent) -> Vec<(String, Vec<u8>)> {
    let boundary = sent
        .headers
        .iter()
        .find_map(|line| line.strip_prefix("content-type: multipart/form-data; boundary="));
    let boundary = boundary.expect("a form");
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    let whole = [b"\r\n", sent.body.as_slice()].concat();
    let mut rest = whole
        .strip_prefix(delimiter.as_slice())
        .expect("a first part");
    let mut parts = Vec::new();
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let end = find(part, &delimiter).expect("a next part, or the end");
        let head = find(part, b"\r\n\r\n").expect("headers");
        let headers = String::from_utf8(part[..head].to_vec()).expect("text");
        parts.push((headers.to_lowercase(), part[head + 4..end].to_vec()));
        rest = &part[end + delimiter.len()..];
    }
    assert_eq!(rest, b"--\r\n");
    parts
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

#[tokio::test]
async fn a_file_is_sent_byte_for_byte_with_its_name_and_type() {
    let server = Server::start(|_, _| Reply::new(200, "", "")).await;
    let client = server.basic();
    let answer = client
        .upload_attachment(&id("o1"), &id("a1"), &upload())
        .await;
    assert!(answer.expect("an answer").body.is_empty());
    let sent = server.sent();
    assert_eq!(
        sent.line,
        "POST /v1/projects/p1/numberOrders/o1/attachments/a1"
    );
    assert_eq!(sent.raw_query, "");
    let file = "content-disposition: form-data; name=\"file\"; filename=\"letter \\\"1\\\".pdf\"\r\n\
                content-type: application/pdf";
    assert_eq!(parts(&sent), [(file.to_owned(), CONTENT.to_vec())]);
    let typed = upload().with_document_type("Driver's License");
    client
        .upload_attachment(&id("o1"), &id("a1"), &typed)
        .await
        .expect("an answer");
    let parts = parts(&server.sent());
    assert_eq!(parts.len(), 2);
    let (headers, content) = &parts[1];
    assert_eq!(
        headers,
        "content-disposition: form-data; name=\"documenttype\""
    );
    assert_eq!(content, b"Driver's License");
}

/// The file is sent whole the second time as well.
#[tokio::test]
async fn an_upload_outlives_a_revoked_token() {
    let server = Server::start(|request, nth| {
        if request.starts_with("POST /oauth2") {
            token(nth)
        } else if request.contains("Bearer token-0") {
            Reply::new(401, "", "")
        } else {
            Reply::new(201, "", r#"{"any":"thing"}"#)
        }
    })
    .await;
    let answer = server
        .client()
        .upload_attachment(&id("o1"), &id("a1"), &upload())
        .await;
    assert_eq!(answer.expect("an answer").body, br#"{"any":"thing"}"#);
    assert_eq!(server.counts().0, 4);
    assert_eq!(parts(&server.sent())[0].1, CONTENT);
}

#[test]
fn what_is_no_media_type_is_refused() {
    for bad in ["", "pdf", "a/b\r\nX: y", "application pdf"] {
        let error = Upload::new("a", bad, CONTENT).expect_err(bad);
        assert!(error.to_string().contains("application/pdf"), "{bad}");
    }
}

#[test]
fn debug_shows_the_size_alone() {
    let said = format!("{:?}", upload().with_document_type("Passport"));
    assert_eq!(said, "Upload { content_bytes: 17, .. }");
}
