//! A tenant spec of any bytes: diagnostics or a spec, the same ones twice, and never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use matih_specs::{format, parse_tenant};

fuzz_target!(|text: &str| {
    let told = |text: &str| match parse_tenant("spec.toml", text) {
        Ok(parsed) => format!("{:?}", parsed.spec),
        Err(findings) => format!("{findings:?}"),
    };
    assert_eq!(told(text), told(text));
    if let Ok(once) = format("spec.toml", text) {
        assert_eq!(format("spec.toml", &once).ok().as_deref(), Some(once.as_str()));
    }
});
