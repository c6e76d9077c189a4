//! What each reader of files promises about any bytes: what the fuzz targets try, and the kept
//! inputs of `corpus/` try again in every run of the tests.
//!
//! A promise that is broken is a panic.

use matih_model::Plan;
use matih_specs::{BlueprintFiles, Source, format, parse_platform, parse_tenant};
use serde_json::Value;

/// A tenant spec: diagnostics or a spec; and what has been formatted once stays as it is.
pub fn spec(text: &str) {
    let _ = parse_tenant("spec.toml", text);
    if let Ok(once) = format("spec.toml", text) {
        assert_eq!(
            format("spec.toml", &once).ok().as_deref(),
            Some(once.as_str())
        );
    }
}

/// A platform file: diagnostics or settings.
pub fn platform(text: &str) {
    let _ = parse_platform("matih.toml", text);
}

/// A blueprint file laid over the built-in ones: diagnostics or steps.
pub fn blueprint(text: &str) {
    let _ = BlueprintFiles::overlaid(vec![Source::new("overlay.toml", text)]).read();
}

/// A plan file: refused, or a plan that encodes to itself.
pub fn plan(text: &str) {
    // A plan lies in an envelope; the bare one is read too, so that short inputs reach it.
    let Ok(file) = serde_json::from_str::<Value>(text) else {
        return;
    };
    let inner = file.pointer("/plans/0/plan").unwrap_or(&file);
    let Ok(plan) = serde_json::from_value::<Plan>(inner.clone()) else {
        return;
    };
    let again = serde_json::to_value(&plan).and_then(serde_json::from_value::<Plan>);
    assert_eq!(again.ok(), Some(plan));
}
