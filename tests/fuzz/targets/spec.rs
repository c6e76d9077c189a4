//! A tenant spec of any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| readers::spec(text));
