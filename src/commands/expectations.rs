//! What the service expects of Sinch, of proxies and of health checks: a first installation often goes wrong there, where
//! no check of the service's own can look.

use crate::config::Config;

/// Returns a sentence for each expectation.
pub(super) fn expectations(config: &Config) -> Vec<String> {
    let callbacks = &config.callbacks;
    let mut sentences: Vec<String> = config
        .projects
        .iter()
        .map(|project| {
            let (id, path) = (&project.id, &project.path);
            let url = callbacks.public_url.as_deref();
            let url = url.map_or_else(String::new, |url| {
                format!(", Sinch's URL being {url}{path}")
            });
            format!("callbacks of project {id} as POST to {path}, to the letter{url}")
        })
        .collect();
    sentences.push(format!(
        "plain HTTP/1.1 at {}: a proxy ends TLS, and sends no PROXY protocol",
        callbacks.listen
    ));
    let allowed = listed(&callbacks.allow);
    sentences.push(if callbacks.trusted_proxies.is_empty() {
        format!(
            "the callers {allowed} to connect by themselves: behind a proxy, name it in callbacks.trusted_proxies"
        )
    } else {
        let proxies = listed(&callbacks.trusted_proxies);
        format!("the callers {allowed}, each named in X-Forwarded-For by a proxy in {proxies}")
    });
    sentences.push(format!(
        "health checks at {}, GET /readyz, and none at callbacks.listen",
        config.operators.listen
    ));
    sentences
}

fn listed(networks: &[impl ToString]) -> String {
    let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
    networks.join(", ")
}
