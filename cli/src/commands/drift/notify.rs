//! `--notify URL`: a report of drift as JSON, to whoever wants to know.

use std::time::Duration;

use serde_json::Value;

use crate::failure::Failure;

/// Posts the report.
///
/// # Errors
/// Nobody took it.
pub(super) async fn post(address: &str, report: &Value) -> Result<(), Failure> {
    let failed = |cause: String| {
        Failure::error(format!(
            "The report could not be posted to {address}: {cause}."
        ))
        .hint("check the address and that its server answers")
    };
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(30))
        .user_agent(concat!("matih/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| failed(chain(&error)))?;
    let answer = client.post(address).json(report).send().await;
    let answer = answer.map_err(|error| failed(chain(&error.without_url())))?;
    match answer.error_for_status_ref() {
        Ok(_) => Ok(()),
        Err(_) => Err(failed(format!("it answered {}", answer.status()))),
    }
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text += &format!(": {inner}");
        cause = inner.source();
    }
    text
}
