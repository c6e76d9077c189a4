//! A blueprint file of any bytes, laid over the built-in one: diagnostics or steps, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use matih_specs::{BlueprintFiles, Source};

fuzz_target!(|text: &str| {
    let _ = BlueprintFiles::overlaid(vec![Source::new("overlay.toml", text)]).read();
});
