//! A platform file of any bytes: diagnostics or settings, and never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = matih_specs::parse_platform("matih.toml", text);
});
