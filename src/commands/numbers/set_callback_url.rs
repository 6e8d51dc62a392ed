//! `numbers set-callback-url`: the URL at which callbacks about a number arrive.

use std::path::Path;

use serde_json::json;
use url::Url;

use crate::commands::command_error::CommandError;
use crate::commands::output::print_line;
use crate::commands::project_client::{self, Options};
use crate::commands::selection;
use crate::commands::shown;
use sinch_numbers::api::{Client, NumberUpdate, PhoneNumber, Repeat};

/// Arguments of `numbers set-callback-url`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The number, with its plus: +61400000000.
    #[arg(value_name = "NUMBER", value_parser = selection::number)]
    number: PhoneNumber,
    /// The URL; without it, `callbacks.public_url` of the configuration with the project's path.
    #[arg(value_name = "URL", value_parser = url)]
    url: Option<Url>,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Changes the callback URL of the number, and nothing else.
pub(super) async fn run(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    let Options { project, json } = &arguments.options;
    let project = project_client::open(config, project.as_deref())?;
    let url = match &arguments.url {
        Some(url) => url.to_string(),
        None => project_client::callback_url(config, &project.path)?.ok_or_else(|| {
            CommandError::configuration(
                "callbacks.public_url is not set, so the service's URL is not known: set it, or name the URL",
            )
        })?,
    };
    set(&project.client, &arguments.number, &url).await?;
    let number = arguments.number.as_str();
    if *json {
        print_line(shown::json(
            &json!({ "number": number, "callback_url": url }).to_string(),
        ));
    } else {
        print_line(shown::line(&format!(
            "Callbacks about {number} go to {url} from now on."
        )));
    }
    Ok(())
}

/// Sets the URL, and makes sure that Sinch shows it.
async fn set(client: &Client, number: &PhoneNumber, url: &str) -> Result<(), CommandError> {
    let update = NumberUpdate {
        callback_url: Some(url.to_owned()),
        ..NumberUpdate::default()
    };
    let after = match client.update_active_number(number, &update).await {
        Ok(answer) => answer.content,
        Err(error) if error.repeat() == Repeat::FindOutFirst => {
            client.get_active_number(number).await?.content
        }
        Err(error) => return Err(error.into()),
    };
    let shown = after.callback_url();
    if shown.text() == Some(url) {
        return Ok(());
    }
    Err(CommandError::failure(format!(
        "Sinch does not show the new URL: its answer has {}; see `numbers show`, and try again",
        shown.text().unwrap_or("none")
    )))
}

/// Reads a URL to which Sinch can send a callback.
fn url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).ok();
    url.filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host())
        .ok_or("write a whole URL, such as https://callbacks.example.com/callbacks")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_url_is_taken() {
        assert!(url("https://callbacks.example.com/callbacks").is_ok());
        for bad in [
            "",
            "callbacks.example.com",
            "/callbacks",
            "ftp://a.example/",
            "https://",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
