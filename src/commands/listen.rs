//! `listen`: a small receiver for those who write one. It prints what comes, and if it is genuine, and keeps nothing.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::file_fault::FileFault;
use super::output::{print_error, print_line};
use super::{FAILURE, USAGE, shown, stop_or_report};
use crate::clock;
use crate::files::read_text_limited;
use crate::http::receiver::{self, Received};
use notifications::{
    ID_HEADER, SIGNATURE_HEADER, SignedHeaders, TIMESTAMP_HEADER, VerifyingKey, verify,
};

/// Maximum size of a file with a secret.
const SECRET_MAX_BYTES: u64 = 4096;

/// Difference of the clocks that a receiver should tolerate, as the reference implementations do.
const TOLERANCE: Duration = Duration::from_secs(300);

/// Blanks before each line of a body.
const INDENT: &str = "  ";

/// Arguments of `listen`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Address on which to listen.
    #[arg(long, default_value = "127.0.0.1:8000")]
    address: SocketAddr,
    /// File with a secret (whsec_…) or a public key (whpk_…) of the target; can be repeated.
    #[arg(long = "secret-file", value_name = "FILE")]
    secret_files: Vec<PathBuf>,
    /// Status of each answer; one of 500 shows how events are sent again.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..=599))]
    status: u16,
}

/// Receives until a signal to stop.
pub async fn run(arguments: Arguments) -> ExitCode {
    let keys: Result<Vec<VerifyingKey>, String> = arguments
        .secret_files
        .iter()
        .map(|file| key(file))
        .collect();
    let keys = match keys {
        Ok(keys) => keys,
        Err(reason) => {
            print_error(reason);
            return ExitCode::from(USAGE);
        }
    };
    let stop = match stop_or_report() {
        Ok(stop) => stop,
        Err(code) => return code,
    };
    let status = arguments.status;
    let listened = async {
        let listener = TcpListener::bind(arguments.address)?;
        let address = listener.local_addr()?;
        print_line(format_args!(
            "Listening on http://{address}/, answering {status}. {}Ctrl-C ends.",
            if keys.is_empty() {
                "No secret is named, so nothing is verified. "
            } else {
                ""
            }
        ));
        let show = move |received: &Received| print_received(received, &keys, status);
        receiver::serve(listener, status, show, stop).await
    };
    match listened.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(format_args!(
                "cannot listen on {}: {error}",
                arguments.address
            ));
            ExitCode::from(FAILURE)
        }
    }
}

/// Reads a key from its file. A reason quotes nothing of the file.
fn key(file: &Path) -> Result<VerifyingKey, String> {
    let text = read_text_limited(file, SECRET_MAX_BYTES);
    let text = text.map_err(|error| format!("{}: {}", file.display(), FileFault::from(error)))?;
    VerifyingKey::new(text.trim_end_matches(['\r', '\n']))
        .map_err(|error| format!("{}: {error}", file.display()))
}

fn print_received(received: &Received, keys: &[VerifyingKey], status: u16) {
    let Received {
        method, path, body, ..
    } = received;
    let text = String::from_utf8_lossy(body);
    let event: Value = serde_json::from_slice(body).unwrap_or_default();
    print_line("");
    print_line(shown::line(&format!(
        "{}  {method} {path}  {}",
        clock::now(),
        headline(&event, received.header(ID_HEADER))
    )));
    print_line(format_args!(
        "{INDENT}{}",
        shown::line(&verification(received, keys))
    ));
    let body = if event.is_null() {
        text.into_owned()
    } else {
        indented(&text)
    };
    for line in body.lines() {
        print_line(format_args!("{INDENT}{}", shown::line(line)));
    }
    print_line(format_args!("{INDENT}answered {status}"));
}

/// Returns what the event says of itself.
fn headline(event: &Value, id: Option<&str>) -> String {
    let sequence = event["sequence"].as_i64();
    let parts = [
        event["type"].as_str().map(str::to_owned),
        sequence.map(|number| format!("event {number}")),
        id.map(|id| format!("({id})")),
        (event["test"] == true).then(|| "a test".to_owned()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Returns, in words, if the request is shown to be genuine.
fn verification(received: &Received, keys: &[VerifyingKey]) -> String {
    if keys.is_empty() {
        return "not verified: no --secret-file is named".to_owned();
    }
    let headers = SignedHeaders {
        id: received.header(ID_HEADER),
        timestamp: received.header(TIMESTAMP_HEADER),
        signature: received.header(SIGNATURE_HEADER),
    };
    let now_secs = clock::now().0.div_euclid(1_000_000);
    match verify(keys, &headers, &received.body, now_secs, TOLERANCE) {
        Ok(place) => format!(
            "genuine: signed with the key of --secret-file {}",
            place + 1
        ),
        Err(error) => format!("NOT GENUINE: {error}"),
    }
}

/// Returns a JSON text with one value a line. Unlike a parser, it leaves the order of the names and the form of the
/// numbers.
fn indented(json: &str) -> String {
    let (mut text, mut depth, mut in_string, mut escaped) = (String::new(), 0_usize, false, false);
    let line = |depth: usize| format!("\n{}", INDENT.repeat(depth));
    let mut chars = json.chars().peekable();
    while let Some(char) = chars.next() {
        if in_string {
            text.push(char);
            in_string = escaped || char != '"';
            escaped = !escaped && char == '\\';
            continue;
        }
        match char {
            '{' | '[' => {
                text.push(char);
                while chars.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = chars.next_if(|next| matches!(next, '}' | ']')) {
                    text.push(end);
                } else {
                    depth += 1;
                    text.push_str(&line(depth));
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                text.push_str(&line(depth));
                text.push(char);
            }
            ',' => text.push_str(&format!(",{}", line(depth))),
            ':' => text.push_str(": "),
            _ if char.is_ascii_whitespace() => {}
            _ => {
                in_string = char == '"';
                text.push(char);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_shown_with_one_value_a_line() {
        let body = r#"{"b":1.50,"a":[ ],"c":{"d":"x, \"y\": {","e":[1,true]}}"#;
        let shown = "{\n  \"b\": 1.50,\n  \"a\": [],\n  \"c\": {\n    \"d\": \"x, \\\"y\\\": {\",\n    \"e\": [\n      1,\n      true\n    ]\n  }\n}";
        assert_eq!(indented(body), shown);
    }

    #[test]
    fn a_headline_says_what_the_event_is() {
        let event = json!({"type": "order.completed", "sequence": 7, "test": true});
        let said = headline(&event, Some("evt_1"));
        assert_eq!(said, "order.completed event 7 (evt_1) a test");
        assert_eq!(headline(&Value::Null, None), "");
    }

    #[test]
    fn a_file_is_a_key_or_its_fault_is_said_without_its_text() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let read = |text: &str| {
            std::fs::write(file.path(), text).expect("written");
            key(file.path())
        };
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        assert!(read(&format!("{secret}\n")).is_ok());
        let error = read("a secret").expect_err("is no key");
        assert!(
            error.contains("whsec_") && !error.contains("a secret"),
            "{error}"
        );
        assert!(
            key(Path::new("/nowhere"))
                .expect_err("is not there")
                .contains("no such file")
        );
    }

    proptest! {
        #[test]
        fn what_is_shown_means_the_same(text in any::<String>(), number in any::<i64>()) {
            let value = json!({ "text": text.clone(), text: [number, null, {}, [[]]] });
            let shown: Value = serde_json::from_str(&indented(&value.to_string())).expect("JSON");
            prop_assert_eq!(shown, value);
        }
    }
}
