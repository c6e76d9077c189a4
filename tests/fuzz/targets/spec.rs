//! A tenant spec of any bytes: diagnostics or a spec, and never a panic; what has been formatted
//! once stays as it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use matih_specs::{format, parse_tenant};

fuzz_target!(|text: &str| {
    let _ = parse_tenant("spec.toml", text);
    if let Ok(once) = format("spec.toml", text) {
        assert_eq!(format("spec.toml", &once).ok().as_deref(), Some(once.as_str()));
    }
});
