//! A platform file of any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| readers::platform(text));
