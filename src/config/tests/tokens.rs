//! Tests of the tokens of callers: what loads, and every fault to the letter.

use super::*;

const ONE: &str = "[[tokens]]\nname = \"grafana\"\ntoken = \"grafana-marker-0123\"\n";

/// Returns the faults of tokens, without the place before the key.
fn token_faults(text: &str) -> Vec<String> {
    let faults = faults(&format!("{LEAST}{text}"), &[]);
    let without_place = |fault: String| {
        let (_, rest) = fault.split_once("tokens").expect("a token's key");
        format!("tokens{rest}")
    };
    faults.into_iter().map(without_place).collect()
}

#[test]
fn a_token_may_read_unless_it_may_operate() {
    let two = "[[tokens]]\nname = \"lee\"\nscope = \"operate\"\ntoken = \"lee-marker-01234567\"\n";
    let config = config(&format!("{LEAST}{ONE}{two}"), &[]);
    let read: Vec<_> = config
        .tokens
        .iter()
        .map(|token| (token.name.as_str(), token.scope))
        .collect();
    assert_eq!(read, [("grafana", Scope::Read), ("lee", Scope::Operate)]);
    assert!(!format!("{config:?}").contains(MARKER), "{config:?}");
}

#[test]
fn a_token_of_a_caller_opens_the_listener_to_other_machines() {
    let config = config(
        &format!("{LEAST}{ONE}"),
        &[("OPERATORS__LISTEN", "0.0.0.0:1")],
    );
    assert!(config.operators.token.is_none());
}

#[test]
fn faults_of_tokens_name_the_cure() {
    for (text, expected) in [
        (
            "[[tokens]]\ntoken = \"grafana-marker-0123\"\n".to_owned(),
            "tokens[0].name: needed; give it a name, such as \"grafana\"",
        ),
        (
            "[[tokens]]\nname = \"a b\"\ntoken = \"grafana-marker-0123\"\n".to_owned(),
            "tokens[0].name = \"a b\": write 1 to 64 letters, digits, - and _",
        ),
        (
            ONE.replace("\"grafana\"", "\"operators\""),
            "tokens[0].name = \"operators\": what is done with operators.token is recorded under this name; take another",
        ),
        (
            "[[tokens]]\nname = \"a\"\n".to_owned(),
            "tokens[0].token: needed; write the token, or token_file",
        ),
        (
            "[[tokens]]\nname = \"a\"\ntoken = \"short\"\n".to_owned(),
            "tokens[0].token = (hidden): too short to keep people out; take at least 16 characters",
        ),
        (
            format!("{ONE}scope = \"write\"\n"),
            "tokens[0].scope = \"write\": write \"read\" or \"operate\"",
        ),
        (
            format!("{ONE}{}", ONE.replace("marker", "other")),
            "tokens[1].name = \"grafana\": tokens[0] has the same name; give each its own",
        ),
        (
            format!(
                "{ONE}{}",
                ONE.replace("name = \"grafana\"", "name = \"lee\"")
            ),
            "tokens[1].token = (hidden): tokens[0] has the same token; give each its own",
        ),
        (
            format!("{ONE}[operators]\ntoken = \"grafana-marker-0123\"\n"),
            "tokens[0].token = (hidden): operators has the same token; give each its own",
        ),
    ] {
        assert_eq!(token_faults(&text), [expected], "{text}");
    }
}
