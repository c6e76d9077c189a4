//! Logs for whoever looks for a defect: to standard error, never a value of a secret.
//!
//! `MATIH_LOG` is a filter such as `debug` or `matih=trace`, `-vv` is `debug`;
//! `MATIH_LOG_FORMAT=json` makes each line an object.

use tracing_subscriber::EnvFilter;

/// Starts logging, if anybody asked for it.
pub(crate) fn start(verbose: u8) {
    let wanted = match (std::env::var("MATIH_LOG"), verbose) {
        (Ok(filter), _) => filter,
        (Err(_), 0 | 1) => return,
        (Err(_), _) => "debug".to_owned(),
    };
    let filter = EnvFilter::try_new(wanted).unwrap_or_else(|_| EnvFilter::new("debug"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false);
    let json = std::env::var("MATIH_LOG_FORMAT").is_ok_and(|format| format == "json");
    // A second subscriber cannot be: nobody else sets one.
    let _ = if json {
        logs.json().try_init()
    } else {
        logs.try_init()
    };
}
