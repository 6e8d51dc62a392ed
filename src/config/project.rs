//! Checks of projects.

use std::collections::BTreeMap;

use super::check::is_visible;
use super::hidden::{self, Kind};
use super::key::Key;
use super::values::Check;
use super::{Api, Auth, Credentials, Project, Signature, raw};
use number_order::Id;

impl Check<'_> {
    /// Checks what is set under `[[projects]]`.
    pub fn projects(&mut self, raw: Vec<raw::Project>) -> Vec<Project> {
        let at = |index| Key::new("projects").index(index);
        if raw.is_empty() {
            let what = "there must be one at least; write it under [[projects]]";
            self.fault(&Key::new("projects"), what);
        }
        let read = raw
            .into_iter()
            .enumerate()
            .map(|(index, raw)| self.project(&at(index), raw))
            .collect::<Vec<_>>();
        let mut ids = BTreeMap::new();
        let mut paths = BTreeMap::new();
        for (index, project) in read.iter().enumerate() {
            let Some(project) = project else { continue };
            if let Some(first) = ids.insert(&project.id, index) {
                let what = format!("projects[{first}] has the same id; list a project once");
                self.fault(&at(index).name("id"), &what);
            }
            if let Some(first) = paths.insert(&project.path, index) {
                let path = &project.path;
                let what = format!("projects[{first}] has the path {path} too; give each its own");
                self.fault(&at(index).name("path"), &what);
            }
        }
        read.into_iter().flatten().collect()
    }

    fn project(&mut self, at: &Key, raw: raw::Project) -> Option<Project> {
        let path = raw.path.unwrap_or_else(|| "/callbacks".to_owned());
        if let Err(what) = path_is_plain(&path) {
            self.fault(&at.name("path"), what);
        }
        let secrets = self.secrets(
            (at.name("secrets"), raw.secrets),
            (at.name("secrets_file"), raw.secrets_file),
        );
        let is_signed = self.word(
            &at.name("signature"),
            raw.signature,
            &[("required", true), ("off", false)],
        );
        let signature = if is_signed {
            if secrets.is_none() {
                let what = "needed to tell Sinch from anybody else; set Sinch's secret, or secrets_file, \
                            or say signature = \"off\"";
                self.fault(&at.name("secrets"), what);
            }
            Signature::Required(secrets.unwrap_or_default())
        } else {
            if secrets.is_some() {
                let what = "no signature is checked although there are secrets; say \"required\", \
                            or take the secrets out";
                self.warn(&at.name("signature"), what);
            }
            Signature::Off
        };
        let auth = self.word(
            &at.name("auth"),
            raw.auth,
            &[("oauth2", Auth::OAuth2), ("basic", Auth::Basic)],
        );
        let wanted = raw.key_secret.is_some() || raw.key_secret_file.is_some();
        let key_secret = self.secret(
            Kind::Key,
            (at.name("key_secret"), raw.key_secret),
            (at.name("key_secret_file"), raw.key_secret_file),
        );
        let is_fetched = self.word(&at.name("api"), raw.api, &[("on", true), ("off", false)]);
        let api = if is_fetched {
            let what = "needed to fetch from Sinch; set it, or say api = \"off\"";
            match &raw.key_id {
                None => self.fault(&at.name("key_id"), what),
                Some(id) if self.is_placeholder(&at.name("key_id"), "", id) => {}
                // Basic authentication appends a colon to the id, and a header must be able to carry it.
                Some(id) if hidden::is_empty(id) || id.contains(':') || !is_visible(id) => {
                    let what =
                        "not a key's id; copy it from Sinch's dashboard, without spaces or colons";
                    self.fault(&at.name("key_id"), what);
                }
                Some(id) => self.doubt(&at.name("key_id"), "", id, Kind::Other),
            }
            if !wanted {
                let what =
                    "needed to fetch from Sinch; set it, or key_secret_file, or say api = \"off\"";
                self.fault(&at.name("key_secret"), what);
            }
            // A missing value has been reported, so its stand-in never leaves this module.
            Api::On(Credentials {
                auth,
                key_id: raw.key_id.unwrap_or_default(),
                key_secret: key_secret.map(|(_, secret)| secret).unwrap_or_default(),
            })
        } else {
            Api::Off
        };
        Some(Project {
            id: self.project_id(&at.name("id"), raw.id)?,
            path,
            signature,
            api,
        })
    }

    fn project_id(&mut self, at: &Key, given: Option<String>) -> Option<Id> {
        let Some(text) = given else {
            self.fault(at, "needed; copy the project's id from Sinch's dashboard");
            return None;
        };
        if self.is_placeholder(at, "", &text) {
            return None;
        }
        let id = Id::new(text).filter(|id| !hidden::is_empty(id.as_str()));
        if let Some(id) = &id {
            self.doubt(at, "", id.as_str(), Kind::Other);
        } else {
            let what =
                "not a project's id; copy it from Sinch's dashboard, without spaces or slashes";
            self.fault(at, what);
        }
        id
    }
}

/// Checks that a path means the same to every router and proxy on the way.
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
