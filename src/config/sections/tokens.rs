//! Section `[[tokens]]`: people and programs that ask the service, each by a token of its own.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

use super::operators::check_token;
use crate::config::keys::doc::ShownValue;
use crate::config::keys::hidden::Kind;
use crate::config::keys::reader::Reader;
use crate::config::source::key::Key;

/// Name under which actions with the token of the section `[operators]` are recorded.
pub const OPERATORS: &str = "operators";

/// Table of `[[tokens]]`: a caller of the operators' listener.
#[derive(Clone, Debug)]
pub struct Token {
    /// Name of the caller, under which the caller's actions are recorded; of letters, digits, `-` and `_`.
    pub name: String,
    /// What the caller may do.
    pub scope: Scope,
    /// Token that the caller's requests carry.
    pub token: SecretString,
}

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The caller may read everything, and change nothing.
    Read,
    /// The caller may read everything, and act.
    Operate,
}

impl Token {
    /// Reads the section `[[tokens]]`. There need be none; names and tokens are distinct, also from `operators`, the token
    /// of the section `[operators]`.
    pub(crate) fn read_all(
        reader: &mut Reader<'_>,
        operators: Option<&SecretString>,
    ) -> Vec<Token> {
        let text = "A token for one person or program that asks the operators' listener, so that each has a scope and what is \
                    done is recorded with a name. Repeat the whole table for each further one.";
        let read = reader.optional_list("tokens", text, read_token);
        let (mut names, mut tokens) = (BTreeMap::new(), BTreeMap::new());
        let section = Key::new("tokens");
        if let Some(token) = operators {
            tokens.insert(token.expose_secret(), OPERATORS.to_owned());
        }
        for (index, token) in read.iter().enumerate() {
            let Some(token) = token else { continue };
            let at = section.index(index);
            if token.name == OPERATORS {
                let what =
                    "what is done with operators.token is recorded under this name; take another";
                reader.fault(&at.name("name"), what);
            }
            if let Some(first) = names.insert(&token.name, index) {
                let what = format!("tokens[{first}] has the same name; give each its own");
                reader.fault(&at.name("name"), &what);
            }
            let this = format!("tokens[{index}]");
            if let Some(first) = tokens.insert(token.token.expose_secret(), this) {
                let what = format!("{first} has the same token; give each its own");
                reader.fault(&at.name("token"), &what);
            }
        }
        read.into_iter().flatten().collect()
    }
}

/// Reads a token of the configuration; `None` if it has no name, or nothing to carry.
fn read_token(reader: &mut Reader<'_>) -> Option<Token> {
    let name = reader
        .doc("Name of the caller, of letters, digits, - and _, but not operators. Actions are recorded under it.")
        .name("name", "\"grafana\"");
    let scope = reader
        .doc("\"read\" may read everything and change nothing; \"operate\" may act as well.")
        .word(
            "scope",
            &[("read", Scope::Read), ("operate", Scope::Operate)],
        );
    let given = reader
        .doc("Token that the caller's requests carry, at least 16 characters.")
        .optional_secret("token", ShownValue::Example("\"...\""));
    let file = reader
        .doc("File that holds the token, instead of token.")
        .optional_path(
            "token_file",
            ShownValue::Example("\"/run/secrets/grafana-token\""),
        );
    let is_given = given.is_some() || file.is_some();
    let at = reader.at("token");
    let token = reader.secret(
        Kind::Other,
        (at.clone(), given),
        (reader.at("token_file"), file),
    );
    if !is_given {
        reader.fault(&at, "needed; write the token, or token_file");
    }
    let (key, token) = token?;
    check_token(reader, &key, &token);
    Some(Token {
        name: name?,
        scope,
        token,
    })
}
