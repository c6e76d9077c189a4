//! A plan file of any bytes: refused, or a plan that encodes to itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use matih_model::Plan;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    // A plan lies in an envelope; the bare one is read too, so that short inputs reach it.
    let Ok(file) = serde_json::from_slice::<Value>(bytes) else { return };
    let inner = file.pointer("/plans/0/plan").unwrap_or(&file);
    let Ok(plan) = serde_json::from_value::<Plan>(inner.clone()) else { return };
    let Ok(text) = serde_json::to_vec(&plan) else { panic!("a plan does not encode") };
    assert_eq!(serde_json::from_slice::<Plan>(&text).ok(), Some(plan));
});
