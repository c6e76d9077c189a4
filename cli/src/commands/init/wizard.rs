//! The wizard's questions in the terminal, form by form; an answer that breaks a rule is asked
//! for again at once, with the rule's own words.

use inquire::validator::{ErrorMessage, Validation};
use inquire::{Confirm, CustomType, InquireError, Select, Text};

use super::answers::{Answers, regions, tiers};
use crate::exit::Exit;
use crate::failure::Failure;

/// Asks everything.
///
/// # Errors
/// The person gave up, or there is no terminal to ask at.
pub(super) fn ask(answers: &mut Answers) -> Result<(), Failure> {
    forms(answers).map_err(|error| match error {
        InquireError::OperationCanceled | InquireError::OperationInterrupted => {
            Failure::new(Exit::Interrupted, "Cancelled. Nothing was written.")
        }
        InquireError::NotTTY => {
            Failure::new(Exit::Approval, "The wizard needs a terminal to ask at.")
                .hint("leave out --interactive: matih init writes a commented spec")
        }
        other => Failure::error(format!("The wizard cannot ask: {other}.")),
    })
}

fn forms(answers: &mut Answers) -> Result<(), InquireError> {
    tenant(answers)?;
    infrastructure(answers)?;
    modules(answers)?;
    security(answers)
}

fn tenant(answers: &mut Answers) -> Result<(), InquireError> {
    let name = answers.name.clone();
    text(answers, "Name", "tenant.name", &name)?;
    let slug = slug_of(&answers.name);
    text(answers, "Slug", "tenant.slug", &slug)?;
    answers.tier = select("Tier", &tiers(), &answers.tier)?;
    answers.follow_tier();
    text(answers, "Administrator's address", "tenant.admin_email", "")
}

fn infrastructure(answers: &mut Answers) -> Result<(), InquireError> {
    answers.provider = select("Cloud", &["azure", "aws", "gcp"], &answers.provider)?;
    answers.follow_provider();
    answers.region = select("Region", regions(&answers.provider), &answers.region)?;
    if answers.tier != "FREE" {
        let sizes = ["small", "medium", "large"];
        answers.resource_tier = select("Size", &sizes, &answers.resource_tier)?;
    }
    if answers.is_dedicated() {
        answers.dedicated_compute = yes_or_no("Nodes of its own?", answers.dedicated_compute)?;
        answers.gpu = yes_or_no("GPU?", answers.gpu)?;
        for (key, example) in answers.credentials.clone() {
            let path = format!("infrastructure.credentials.{key}");
            text(answers, &question(key), &path, &example)?;
        }
    }
    Ok(())
}

fn modules(answers: &mut Answers) -> Result<(), InquireError> {
    answers.bi = yes_or_no("BI platform?", answers.bi)?;
    answers.context_graph = yes_or_no("Context graph?", answers.context_graph)?;
    if answers.tier != "FREE" {
        answers.ml = yes_or_no("ML platform?", answers.ml)?;
        answers.data_platform = yes_or_no("Data platform?", answers.data_platform)?;
    }
    Ok(())
}

fn security(answers: &mut Answers) -> Result<(), InquireError> {
    if answers.is_dedicated() {
        let methods = ["email_password", "oidc", "saml"];
        answers.auth_method = select("Sign-in", &methods, &answers.auth_method)?;
        answers.follow_auth_method();
        for (key, example) in answers.sign_in.clone() {
            let path = format!("security.{}.{key}", answers.auth_method);
            text(answers, &question(key), &path, &example)?;
        }
    }
    if answers.tier != "ENTERPRISE" {
        answers.mfa = select(
            "Second factor",
            &["off", "optional", "required"],
            &answers.mfa,
        )?;
    }
    answers.retention_days = CustomType::new("Days that data is kept")
        .with_default(answers.retention_days)
        .prompt()?;
    answers.region_lock = yes_or_no("Keep all data in the region?", answers.region_lock)?;
    Ok(())
}

fn question(key: &str) -> String {
    match key {
        "client_secret" => "Variable that holds the client secret".to_owned(),
        key => key.replace('_', " "),
    }
}

/// Asks for the text at `path`; what the rules of a spec refuse there is asked for again.
fn text(
    answers: &mut Answers,
    question: &str,
    path: &str,
    default: &str,
) -> Result<(), InquireError> {
    let (so_far, place) = (answers.clone(), path.to_owned());
    let rules = move |value: &str| {
        let mut tried = so_far.clone();
        tried.set(&place, value.to_owned());
        Ok(match tried.fault(&place) {
            None => Validation::Valid,
            Some(fault) => Validation::Invalid(ErrorMessage::Custom(fault)),
        })
    };
    let mut prompt = Text::new(question).with_validator(rules);
    if !default.is_empty() {
        prompt = prompt.with_default(default);
    }
    answers.set(path, prompt.prompt()?);
    Ok(())
}

fn select(question: &str, words: &[&str], default: &str) -> Result<String, InquireError> {
    let start = words.iter().position(|word| *word == default).unwrap_or(0);
    let chosen = Select::new(question, words.to_vec())
        .with_starting_cursor(start)
        .prompt()?;
    Ok(chosen.to_owned())
}

fn yes_or_no(question: &str, default: bool) -> Result<bool, InquireError> {
    Confirm::new(question).with_default(default).prompt()
}

/// A slug that a name suggests.
fn slug_of(name: &str) -> String {
    let words = name.to_ascii_lowercase();
    let words: Vec<_> = words
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let slug = words.join("-");
    let end = slug
        .char_indices()
        .nth(32)
        .map_or(slug.len(), |(end, _)| end);
    slug.get(..end)
        .unwrap_or_default()
        .trim_end_matches('-')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_suggests_a_slug() {
        assert_eq!(slug_of("Acme Corporation, Inc."), "acme-corporation-inc");
        assert_eq!(slug_of("--"), "");
        assert_eq!(slug_of(&"ward ".repeat(20)).len(), 32);
        assert_eq!(slug_of(&"wards ".repeat(20)).len(), 32);
        assert_eq!(slug_of(&"seven77 ".repeat(20)).len(), 31);
    }
}
