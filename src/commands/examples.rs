//! Examples of every command: its help and its manual page show them.

use clap::Command;

/// Commands, each with its examples: what follows the program's name. An empty example is the command alone.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("serve", &["", "--config /etc/sinch-callbacks/config.toml"]),
    ("demo", &["", "--exit --seed 7"]),
    (
        "simulate",
        &[
            "",
            "--callback-url http://127.0.0.1:8080/callbacks",
            "--orders 200 --orders-per-minute 20 --outage-after 1min --outage-lasts 2min",
        ],
    ),
    ("listen", &["--secret-file /run/secrets/crm-secrets"]),
    ("status", &["", "--json"]),
    (
        "orders",
        &[
            "--state BLOCKED --newest",
            "--number 491570156",
            "--settled=false --all --json",
        ],
    ),
    ("alerts", &["", "--json"]),
    ("actions", &["", "--caller lee --since 2h"]),
    ("parked", &["", "83"]),
    (
        "tail",
        &[
            "",
            "01kdvdnd42472bfxv9sfamm3kt",
            "--since 2h --json",
            "--since 3d --until 2d",
            "01kdvdnd42472bfxv9sfamm3kt --until 2026-01-31T12:00:00Z",
        ],
    ),
    (
        "fetch",
        &[
            "01kdvdnd42472bfxv9sfamm3kt",
            "+61491570156",
            "--parked --dry-run",
            "--state IN_REVIEW",
        ],
    ),
    ("quarantine", &["", "--reason unknown-source --json"]),
    ("reverify", &["", "--dry-run"]),
    (
        "replay",
        &["83", "--decision api-off --dry-run", "--decision api-off"],
    ),
    (
        "dismiss orders",
        &["01kdvdnd42472bfxv9sfamm3kt", "--parked --dry-run"],
    ),
    ("dismiss deliveries", &["83", "--decision body-not-json"]),
    ("dismiss quarantined", &["12", "--reason unknown-source"]),
    (
        "forget",
        &[
            "01kdvdnd42472bfxv9sfamm3kt",
            "01kdvdnd42472bfxv9sfamm3kt --yes",
        ],
    ),
    ("resume", &["a1b2c3d4-0000-0000-0000-000000000000"]),
    ("rotate-secret", &["", "--dry-run", "--quiet-for 2h"]),
    (
        "watch",
        &["01kdvdnd42472bfxv9sfamm3kt", "--file orders.csv"],
    ),
    ("unwatch", &["01kdvdnd42472bfxv9sfamm3kt"]),
    (
        "drop-project",
        &[
            "a1b2c3d4-0000-0000-0000-000000000000",
            "a1b2c3d4-0000-0000-0000-000000000000 --yes",
        ],
    ),
    ("order regions", &["", "--json"]),
    ("order search", &["AU MOBILE --capability SMS"]),
    (
        "order requirements",
        &["AU MOBILE --form mine.toml --number +61491570156"],
    ),
    ("order check", &["mine.toml"]),
    ("order place", &["mine.toml", "mine.toml --dry-run"]),
    ("order create", &["mine.toml"]),
    (
        "order register",
        &["01kdvdnd42472bfxv9sfamm3kt --form mine.toml"],
    ),
    (
        "order attach",
        &["01kdvdnd42472bfxv9sfamm3kt --form mine.toml"],
    ),
    (
        "order submit",
        &["01kdvdnd42472bfxv9sfamm3kt --form mine.toml"],
    ),
    (
        "order fix",
        &["01kdvdnd42472bfxv9sfamm3kt --form mine.toml"],
    ),
    ("order wait", &["01kdvdnd42472bfxv9sfamm3kt"]),
    (
        "order show",
        &[
            "01kdvdnd42472bfxv9sfamm3kt",
            "0491570156",
            "01kdvdnd42472bfxv9sfamm3kt --reasons",
        ],
    ),
    ("numbers list", &["", "--json"]),
    ("numbers show", &["+61491570156"]),
    ("numbers set-callback-url", &["+61491570156"]),
    ("numbers release", &["+61491570156"]),
    ("events list", &["--types order.*", "--follow"]),
    ("events targets", &["", "--json"]),
    ("events notifications", &["--target crm --phase parked"]),
    (
        "events redrive",
        &["--target crm --dry-run", "--target crm"],
    ),
    ("events resume", &["crm"]),
    ("events schema", &["", "order.completed"]),
    ("events key new", &[""]),
    ("events key public", &["crm"]),
    ("events send-test", &["crm order.completed"]),
    (
        "prune",
        &[
            "--dry-run",
            "--dry-run --bodies 7d --deliveries 30d",
            "--dry-run --json",
        ],
    ),
    ("check", &["", "--online"]),
    ("config show", &["--set", "--next"]),
    (
        "backup",
        &[
            "/var/backups/sinch-callbacks.db",
            "--from-service sinch-callbacks.db",
        ],
    ),
    ("restore", &["/var/backups/sinch-callbacks.db --replace"]),
    ("copy-store", &["service.db"]),
    ("healthcheck", &[""]),
    ("openapi", &["> openapi.json"]),
    (
        "completions",
        &["bash > /etc/bash_completion.d/sinch-callbacks"],
    ),
    ("man-pages", &["/usr/local/share/man/man1"]),
];

/// Returns the command line of the program with the examples of each command in its help.
pub fn with_examples(program: Command) -> Command {
    let name = program.get_name().to_owned();
    EXAMPLES.iter().fold(program, |program, (path, examples)| {
        let lines = examples
            .iter()
            .map(|example| format!("  {name} {path} {example}"));
        let lines: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
        let words: Vec<&str> = path.split(' ').collect();
        add(program, &words, &format!("Examples:\n{}", lines.join("\n")))
    })
}

/// Adds a text to the end of a command's help. A command that this program was built without is left out.
fn add(command: Command, path: &[&str], text: &str) -> Command {
    match path.split_first() {
        None => command.after_help(text.to_owned()),
        Some((first, _)) if command.find_subcommand(first).is_none() => command,
        Some((first, rest)) => command.mut_subcommand(first, |sub| add(sub, rest, text)),
    }
}
