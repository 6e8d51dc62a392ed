//! Section `[[projects]]`: Sinch projects, each with its path, its secrets and its access key.

use std::collections::BTreeMap;
use std::path::PathBuf;

use number_order::Id;
use secrecy::SecretString;

use crate::config::keys::doc::ShownValue;
use crate::config::keys::hidden::{self, Kind};
use crate::config::keys::reader::Reader;
use crate::config::keys::secrets::{CallbackSecret, is_visible};
use crate::config::source::key::Key;

/// Placeholder that documents show for a value that every project needs.
const REPLACE_ME: ShownValue = ShownValue::Placeholder("\"replace-me\"");

/// Table of `[[projects]]`: a Sinch project, whose callbacks arrive at a path of its own.
#[derive(Clone, Debug)]
pub struct Project {
    /// Id of the project, as Sinch has it.
    pub id: Id,
    /// Path of the project's callbacks, of plain characters only, so that a route can contain it unchanged.
    pub path: String,
    /// Signature that the project's callbacks need, with the secrets that are in force.
    pub signature: Signature,
    /// Fetching of the project's orders from the API, with the access key.
    pub api: Api,
}

/// Settings of a project that a command needs to call its API.
#[derive(Clone, Debug)]
pub struct ProjectAccess {
    /// Id of the project, as Sinch has it.
    pub id: Id,
    /// Path at which the service takes the project's callbacks.
    pub path: String,
    /// Calls of the project's API, with the access key.
    pub api: Api,
    /// Place of the secrets of callbacks, which are not read.
    pub secrets: SecretsPlace,
}

/// Place where the secrets stand with which a project's callbacks may be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretsPlace {
    /// A file with a secret a line.
    File(PathBuf),
    /// The configuration itself, or the environment: the value of this key.
    Inline(String),
    /// Nowhere: callbacks need no signature.
    Unsigned,
}

/// Signature that a project's callbacks must have.
#[derive(Clone, Debug)]
pub enum Signature {
    /// Callbacks need a signature with one of the given secrets. There is at least one, and none is empty.
    Required(Vec<CallbackSecret>),
    /// Callbacks need no signature: any allowed caller is believed.
    Off,
}

/// Fetching of a project's orders from Sinch.
#[derive(Clone, Debug)]
pub enum Api {
    /// Orders are fetched with the given access key.
    On(Credentials),
    /// Orders are never fetched: states stay provisional.
    Off,
}

/// Access key to a project's API.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Method of authentication with the access key.
    pub auth: Auth,
    /// Id of the access key.
    pub key_id: String,
    /// Secret of the access key.
    pub key_secret: SecretString,
}

/// Method by which a client authenticates itself with the access key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// The access key is exchanged for a token, as Sinch recommends.
    OAuth2,
    /// The access key is sent with every request. Sinch provides this for tests, with a strict rate limit.
    Basic,
}

impl Project {
    /// Reads the section `[[projects]]`. There is at least one project; ids and paths are distinct.
    pub(crate) fn read_all(reader: &mut Reader<'_>) -> Vec<Project> {
        read_list(reader, read_project, |project| (&project.id, &project.path))
    }
}

impl ProjectAccess {
    /// Reads the section `[[projects]]` for a command that calls Sinch. The secrets of callbacks are neither needed nor
    /// read.
    pub(crate) fn read_all(reader: &mut Reader<'_>) -> Vec<ProjectAccess> {
        read_list(reader, read_access, |project| (&project.id, &project.path))
    }
}

/// Reads the section `[[projects]]`, each table with `read`. Ids and paths must be distinct.
fn read_list<T>(
    reader: &mut Reader<'_>,
    read: impl FnMut(&mut Reader<'_>) -> Option<T>,
    id_and_path: impl Fn(&T) -> (&Id, &String),
) -> Vec<T> {
    let text = "A Sinch project. Repeat the whole table for each further one.";
    let read = reader.list("projects", text, read);
    let section = Key::new("projects");
    if read.is_empty() {
        let what = "there must be one at least; write it under [[projects]]";
        reader.fault(&section, what);
    }
    let mut ids = BTreeMap::new();
    let mut paths = BTreeMap::new();
    for (index, project) in read.iter().enumerate() {
        let Some(project) = project else { continue };
        let (id, path) = id_and_path(project);
        let at = section.index(index);
        if let Some(first) = ids.insert(id, index) {
            let what = format!("projects[{first}] has the same id; list a project once");
            reader.fault(&at.name("id"), &what);
        }
        if let Some(first) = paths.insert(path, index) {
            let what = format!("projects[{first}] has the path {path} too; give each its own");
            reader.fault(&at.name("path"), &what);
        }
    }
    read.into_iter().flatten().collect()
}

/// Reads the settings of a project that a command needs; `None` if the project has no id.
fn read_access(reader: &mut Reader<'_>) -> Option<ProjectAccess> {
    let id = read_id(reader);
    let path = read_path(reader);
    let keys = read_signature_keys(reader);
    let secrets = match keys.secrets_file {
        _ if !keys.is_signed => SecretsPlace::Unsigned,
        Some(path) => SecretsPlace::File(path),
        None => SecretsPlace::Inline(reader.at("secrets").to_string()),
    };
    let api = read_api(reader);
    Some(ProjectAccess {
        id: id?,
        path,
        api,
        secrets,
    })
}

/// Reads a project of the configuration; `None` if it has no id.
fn read_project(reader: &mut Reader<'_>) -> Option<Project> {
    let id = read_id(reader);
    let path = read_path(reader);
    let signature = read_signature(reader);
    let api = read_api(reader);
    Some(Project {
        id: id?,
        path,
        signature,
        api,
    })
}

fn read_id(reader: &mut Reader<'_>) -> Option<Id> {
    let given = reader
        .doc("Id of the project, from Sinch's dashboard.")
        .optional_text("id", REPLACE_ME);
    let at = reader.at("id");
    let Some(text) = given else {
        let what = "needed; copy the project's id from Sinch's dashboard";
        reader.fault(&at, what);
        return None;
    };
    if reader.is_placeholder(&at, "", &text) {
        return None;
    }
    let id = Id::new(text).filter(|id| !hidden::is_empty(id.as_str()));
    if let Some(id) = &id {
        reader.doubt(&at, "", id.as_str(), Kind::Other);
    } else {
        let what = "not a project's id; copy it from Sinch's dashboard, without spaces or slashes";
        reader.fault(&at, what);
    }
    id
}

fn read_path(reader: &mut Reader<'_>) -> String {
    let path = reader
        .doc("Path of the callback URL that orders are created with. Each project needs its own.")
        .text("path", "/callbacks");
    if let Err(what) = path_is_plain(&path) {
        reader.fault(&reader.at("path"), what);
    }
    path
}

/// Keys of a project's signature, before they are checked.
struct SignatureKeys {
    is_signed: bool,
    secrets: Option<Vec<SecretString>>,
    secrets_file: Option<PathBuf>,
}

fn read_signature_keys(reader: &mut Reader<'_>) -> SignatureKeys {
    let is_signed = reader
        .doc("\"off\" believes every caller that callbacks.allow permits, signed or not.")
        .word("signature", &[("required", true), ("off", false)]);
    let secrets = reader
        .doc(
            "The project's HMAC secret as Sinch has it; while it is being changed, the old one \
             and the new one.",
        )
        .optional_secrets("secrets", ShownValue::Placeholder("[\"replace-me\"]"));
    let file = ShownValue::Example("\"/run/secrets/callback-secrets\"");
    let secrets_file = reader
        .doc("File with one secret a line, instead of secrets.")
        .optional_path("secrets_file", file);
    SignatureKeys {
        is_signed,
        secrets,
        secrets_file,
    }
}

fn read_signature(reader: &mut Reader<'_>) -> Signature {
    let keys = read_signature_keys(reader);
    let secrets = reader.secrets(
        (reader.at("secrets"), keys.secrets),
        (reader.at("secrets_file"), keys.secrets_file),
    );
    if keys.is_signed {
        if secrets.is_none() {
            let what = "needed to tell Sinch from anybody else; set Sinch's secret, or secrets_file, \
                        or say signature = \"off\"";
            reader.fault(&reader.at("secrets"), what);
        }
        Signature::Required(secrets.unwrap_or_default())
    } else {
        if secrets.is_some() {
            let what = "no signature is checked although there are secrets; say \"required\", \
                        or take the secrets out";
            reader.warn(&reader.at("signature"), what);
        }
        Signature::Off
    }
}

fn read_api(reader: &mut Reader<'_>) -> Api {
    let is_fetched = reader
        .doc("\"off\" never calls Sinch: no state is ever confirmed, and no key is needed.")
        .word("api", &[("on", true), ("off", false)]);
    let auth = reader
        .doc("\"basic\" sends the key with every fetch; Sinch limits that heavily.")
        .word("auth", &[("oauth2", Auth::OAuth2), ("basic", Auth::Basic)]);
    let key_id = reader
        .doc("Id of the project's access key.")
        .optional_text("key_id", REPLACE_ME);
    if is_fetched {
        check_key_id(reader, key_id.as_deref());
    }
    let key_secret = read_key_secret(reader, is_fetched);
    if !is_fetched {
        return Api::Off;
    }
    // A missing value has been reported, so its stand-in never leaves this module.
    Api::On(Credentials {
        auth,
        key_id: key_id.unwrap_or_default(),
        key_secret: key_secret.unwrap_or_default(),
    })
}

fn check_key_id(reader: &mut Reader<'_>, given: Option<&str>) {
    let at = reader.at("key_id");
    match given {
        None => {
            let what = "needed to fetch from Sinch; set it, or say api = \"off\"";
            reader.fault(&at, what);
        }
        Some(id) if reader.is_placeholder(&at, "", id) => {}
        // Basic authentication appends a colon to the id, so the id may have none, and a header must be able to carry
        // the id.
        Some(id) if hidden::is_empty(id) || id.contains(':') || !is_visible(id) => {
            let what = "not a key's id; copy it from Sinch's dashboard, without spaces or colons";
            reader.fault(&at, what);
        }
        Some(id) => reader.doubt(&at, "", id, Kind::Other),
    }
}

fn read_key_secret(reader: &mut Reader<'_>, is_needed: bool) -> Option<SecretString> {
    let secret = reader
        .doc("Secret of the project's access key.")
        .optional_secret("key_secret", REPLACE_ME);
    let file = reader
        .doc("File that holds the secret of the key, instead of key_secret.")
        .optional_path(
            "key_secret_file",
            ShownValue::Example("\"/run/secrets/key-secret\""),
        );
    if is_needed && secret.is_none() && file.is_none() {
        let what = "needed to fetch from Sinch; set it, or key_secret_file, or say api = \"off\"";
        reader.fault(&reader.at("key_secret"), what);
    }
    let secret = reader.secret(
        Kind::Key,
        (reader.at("key_secret"), secret),
        (reader.at("key_secret_file"), file),
    );
    secret.map(|(_, secret)| secret)
}

/// Checks that a callback path means the same to every router and proxy on the way.
fn path_is_plain(path: &str) -> Result<(), &'static str> {
    let Some(segments) = path.strip_prefix('/') else {
        return Err("write a path that starts with a slash");
    };
    if !path
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"/_.-".contains(&b))
    {
        return Err("write a path of letters, digits and / _ . - only");
    }
    if path.contains("//") || segments.split('/').any(|s| s == "." || s == "..") {
        return Err("leave out empty segments, . and ..: proxies rewrite them");
    }
    Ok(())
}
