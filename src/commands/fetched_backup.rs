//! `backup --from-service`: the running service makes the copy, and sends it.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;

use super::long_answer::request_long;
use super::operators::ServiceError;
use super::output::{print_error, print_line};
use super::{FAILURE, HELD, file, misconfigured, stop_or_report};
use crate::config::Operators;
use crate::store::sqlite::{Checksum, CopyError, OpenError, ReceivedCopy, in_hex};

/// Maximum time for which nothing of the copy comes once it has begun.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Has the running service copy its database, and stores the copy.
pub(super) async fn run(config: Option<&Path>, target: &Path, may_overwrite: bool) -> ExitCode {
    let operators = match Operators::load(file(config).as_deref(), std::env::vars_os()) {
        Ok(operators) => operators,
        Err(errors) => return misconfigured(&errors),
    };
    let stop = match stop_or_report() {
        Ok(stop) => stop,
        Err(code) => return code,
    };
    let fetching = fetch(&operators, target, may_overwrite);
    let stopped = Err(Failure::Copy(CopyError::Stopped));
    let fetched = stop.run_until_cancelled(fetching).await.unwrap_or(stopped);
    match fetched {
        Ok((bytes, checksum)) => {
            let (target, checksum) = (target.display(), in_hex(&checksum));
            print_line(format_args!(
                "copied the service's database to {target}: {bytes} bytes, SHA-256 {checksum}"
            ));
            ExitCode::SUCCESS
        }
        Err(Failure::Copy(error)) => {
            print_error(&error);
            match error {
                CopyError::Unusable(OpenError::Held(_)) => ExitCode::from(HELD),
                _ => ExitCode::from(FAILURE),
            }
        }
        Err(Failure::Service(reason)) => {
            print_error(reason);
            ExitCode::from(FAILURE)
        }
    }
}

/// Reason why there is no backup.
enum Failure {
    Copy(CopyError),
    Service(String),
}

impl From<CopyError> for Failure {
    fn from(error: CopyError) -> Failure {
        Failure::Copy(error)
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Failure {
        Failure::Service(error.into())
    }
}

async fn fetch(
    operators: &Operators,
    target: &Path,
    may_overwrite: bool,
) -> Result<(usize, Checksum), Failure> {
    // What would keep the copy from its place is found out before the service begins.
    let mut received = ReceivedCopy::begin(target, may_overwrite)?;
    let path = "/api/v1/backup";
    let mut answer = request_long(operators, Method::POST, path, SILENCE_MAX).await?;
    let sent = answer.header("repr-digest").and_then(read_digest);
    let sent = sent.ok_or_else(|| {
        Failure::Service("the service sends no checksum; is it of another version?".to_owned())
    })?;
    let mut bytes = 0;
    while let Some(part) = answer.part().await? {
        bytes += part.len();
        received.write(&part)?;
    }
    received.finish(&sent)?;
    Ok((bytes, sent))
}

/// Reads a SHA-256 as RFC 9530 has it: `sha-256=:…:`.
fn read_digest(text: &str) -> Option<Checksum> {
    let digest = text.strip_prefix("sha-256=:")?.strip_suffix(':')?;
    STANDARD.decode(digest).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_whole_or_not() {
        let text = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
        let read = read_digest(text).map(|digest| in_hex(&digest));
        let of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(read.as_deref(), Some(of_nothing));
        for text in ["", "sha-256=::", "md5=:AAAA:", "sha-256=:AAAA:"] {
            assert_eq!(read_digest(text), None, "{text}");
        }
    }
}
