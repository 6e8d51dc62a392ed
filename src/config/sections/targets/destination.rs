//! Receiver of what a target is told: a URL, with what protects the way there, or a command.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use notifications::{AddressClass, Format, SigningKey, check_address};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use crate::config::keys::doc::ShownValue;
use crate::config::keys::hidden::Kind;
use crate::config::keys::reader::Reader;
use crate::config::keys::secrets::PlacedSecret;

/// Receiver of what a target is told.
#[derive(Clone, Debug)]
pub enum Destination {
    /// Each event is sent to a URL.
    Url {
        /// The URL, which may hold a secret. It is a whole one, of http or https, without a name or password.
        url: SecretString,
        /// Keys that sign what is sent. Without any, nothing is signed.
        keys: Vec<SigningKey>,
        /// Networks that are not public and are meant.
        allow: Vec<IpNet>,
    },
    /// Each event is given to a command, which is run: its program, by an absolute path, and its arguments.
    Command(Vec<String>),
}

/// Keys of a destination, before they are checked.
pub(super) struct Given {
    url: Option<String>,
    command: Option<Vec<String>>,
    is_signed: bool,
    secrets: Option<Vec<SecretString>>,
    secrets_file: Option<PathBuf>,
    allow: Vec<IpNet>,
    plain_http: bool,
}

/// Checks where a target is told in the given form; `None` if that is not clear.
pub(super) fn check(reader: &mut Reader<'_>, given: Given, format: Format) -> Option<Destination> {
    let placed = reader.placed_secrets(
        Kind::Other,
        (reader.at("secrets"), given.secrets),
        (reader.at("secrets_file"), given.secrets_file),
    );
    let keys = placed.map(|placed| signing_keys(reader, &placed));
    match (given.url, given.command) {
        (Some(_), Some(_)) => {
            let at = reader.at("command");
            reader.fault(&at, "url is set too; leave one of them out");
            None
        }
        (None, None) => {
            let what = "needed; write the URL that is told of each change, or a command";
            reader.fault(&reader.at("url"), what);
            None
        }
        (Some(url), None) => {
            // What shows messages to people checks no signature.
            let is_for_people = matches!(format, Format::Slack | Format::Text);
            check_signed(reader, given.is_signed && !is_for_people, keys.is_some());
            if let Err(what) = check_url(&url, &given.allow, given.plain_http) {
                reader.fault(&reader.at("url"), &what);
            }
            Some(Destination::Url {
                url: url.into(),
                keys: keys.unwrap_or_default(),
                allow: given.allow,
            })
        }
        (None, Some(command)) => {
            check_command(reader, &command);
            if keys.is_some() {
                let what = "a command needs no signature; leave the secrets out";
                reader.fault(&reader.at("secrets"), what);
            }
            Some(Destination::Command(command))
        }
    }
}

/// Reads the keys of a destination.
pub(super) fn read_keys(reader: &mut Reader<'_>) -> Given {
    Given {
        url: reader
            .doc("URL to which each event is sent by POST.")
            .optional_text("url", ShownValue::Example("\"https://crm.example.com/hooks\"")),
        command: reader
            .doc(
                "Instead of url: a command that is run for each event, its program by an absolute path, and its arguments. \
                 It gets the event on standard input, and exits with 0 when it has taken it.",
            )
            .texts(
                "command",
                ShownValue::Example("[\"/usr/local/bin/notify\", \"argument\"]"),
                |text| Ok(text.to_owned()),
            ),
        is_signed: reader
            .doc("\"off\" signs nothing unless there are secrets: the receiver cannot tell the service from others.")
            .word("signature", &[("required", true), ("off", false)]),
        secrets: reader
            .doc(
                "Secrets with which each request is signed, as Standard Webhooks has it: whsec_ and base64, or whsk_ for \
                 ed25519. While one is being changed, the old one and the new one.",
            )
            .optional_secrets("secrets", ShownValue::Example("[\"whsec_...\"]")),
        secrets_file: reader
            .doc("File with one secret a line, instead of secrets.")
            .optional_path(
                "secrets_file",
                ShownValue::Example("\"/run/secrets/crm-secrets\""),
            ),
        allow: reader
            .doc(
                "Addresses or networks that are not public, and to which the name of the url may lead all the same. Nothing \
                 is sent to others of this machine, a private network, or a cloud's metadata.",
            )
            .networks("allow", Vec::new()),
        plain_http: reader
            .doc("true: http:// may go to a public address, where others can read what is sent.")
            .flag("plain_http", false),
    }
}

fn signing_keys(reader: &mut Reader<'_>, placed: &[PlacedSecret]) -> Vec<SigningKey> {
    let mut keys = Vec::new();
    for PlacedSecret { at, line, secret } in placed {
        match SigningKey::new(secret.expose_secret()) {
            Ok(key) => keys.push(key),
            Err(error) => reader.fault(at, &format!("{line}{error}")),
        }
    }
    keys
}

fn check_signed(reader: &mut Reader<'_>, is_signed: bool, has_secrets: bool) {
    if is_signed && !has_secrets {
        let what = "needed for the target to tell the service from anybody else; `sinch-callbacks events key new` makes one; or \
                    set secrets_file, or say signature = \"off\"";
        reader.fault(&reader.at("secrets"), what);
    }
}

fn check_command(reader: &mut Reader<'_>, command: &[String]) {
    let what = match command.first() {
        None => "empty; write the program's absolute path",
        Some(program) if !Path::new(program).is_absolute() => {
            "write the program's absolute path first: it is not searched for"
        }
        Some(_) if command.iter().any(|word| word.contains('\0')) => {
            "leave out the character 0: no argument can have it"
        }
        Some(_) => return,
    };
    reader.fault(&reader.at("command"), what);
}

/// Checks the URL of a target. The address of a name is checked again whenever a connection is made.
fn check_url(text: &str, allow: &[IpNet], plain_http: bool) -> Result<(), String> {
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some((url, host)) = url.as_ref().and_then(|url| Some((url, url.host()?))) else {
        return Err("not a URL of https; write one such as https://crm.example.com/hooks".into());
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "leave out the name and password; the signature shows who sends, and a token can stand in the path".into(),
        );
    }
    if url.fragment().is_some() {
        return Err("leave out # and what follows it: it is never sent".into());
    }
    let addresses = known_addresses(&host);
    if !addresses.is_empty() {
        let judged = addresses
            .iter()
            .map(|address| check_address(*address, allow));
        if let Some(Err(class)) = judged.clone().find(Result::is_err)
            && !judged.clone().any(|judged| judged.is_ok())
        {
            return Err(format!("{class}; if it is meant, name it in allow"));
        }
    }
    let is_inside = addresses
        .iter()
        .any(|address| AddressClass::of(*address).is_some());
    if url.scheme() == "http" && !is_inside && !plain_http {
        return Err(
            "write https://, since others can read what http:// sends; plain_http = true allows it"
                .into(),
        );
    }
    Ok(())
}

/// Returns the addresses to which a host leads, where they are known without asking.
fn known_addresses(host: &Host<&str>) -> Vec<IpAddr> {
    match host {
        Host::Ipv4(address) => vec![(*address).into()],
        Host::Ipv6(address) => vec![(*address).into()],
        Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            if name == "localhost" || name.ends_with(".localhost") {
                vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
            } else {
                Vec::new()
            }
        }
    }
}
