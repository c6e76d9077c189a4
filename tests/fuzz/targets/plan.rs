//! A plan file of any bytes: refused, or a plan that encodes to itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use matih_model::Plan;

fuzz_target!(|bytes: &[u8]| {
    let Ok(plan) = serde_json::from_slice::<Plan>(bytes) else { return };
    let Ok(text) = serde_json::to_vec(&plan) else { panic!("a plan does not encode") };
    assert_eq!(serde_json::from_slice::<Plan>(&text).ok(), Some(plan));
});
