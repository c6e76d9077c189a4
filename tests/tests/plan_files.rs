//! Saved plans: one that was edited, is stale, or belongs to another tenant or installation is
//! refused before any effect.
//!
//! `MATIH_FLIP_STRIDE=1` (`tests/run flip-all`) flips every byte of a plan of one resource and of
//! the whole one; `cargo test` flips a stride of both.

use std::sync::atomic::{AtomicUsize, Ordering};

use matih_tests::acme::{self, ACME, APPLY};
use matih_tests::seed::Seed;
use matih_tests::{Output, Sandbox};
use serde_json::Value;

const EDITS: usize = 200;
/// From one flipped byte to the next, in a plan of one resource and in the whole one.
const STRIDES: (usize, usize) = (7, 4001);
const WORKERS: usize = 2;

/// A sandbox with a saved plan in `acme.plan`.
fn planned(more: &[&str]) -> Sandbox {
    let sandbox = acme::written();
    plan(&sandbox, more);
    sandbox
}

#[track_caller]
fn plan(sandbox: &Sandbox, more: &[&str]) {
    let words = [&["plan", "acme.toml", "--out", "acme.plan"], more].concat();
    let _ = sandbox.run(&words).exits(0);
}

fn apply(sandbox: &Sandbox, file: &str) -> Output {
    sandbox.run(&["apply", file, "--auto-approve", "--allow-data-loss", "all"])
}

fn world(sandbox: &Sandbox) -> String {
    sandbox
        .run(&["sandbox", "ls", "-o", "json"])
        .exits(0)
        .stdout
}

/// Fails unless the plan is refused with one of these codes and says why.
#[track_caller]
fn assert_refused(output: &Output, codes: &[i32], what: &str) {
    let refused = output.status.is_some_and(|code| codes.contains(&code));
    assert!(refused && !output.stderr.is_empty(), "{what}: {output}");
}

/// Applies many broken forms of the plan of `sandbox`; none may have an effect. A form is made when
/// its turn comes: all those of a whole plan at once take more memory than there is.
fn refuse_all(sandbox: &Sandbox, many: usize, form: impl Fn(usize) -> (String, Vec<u8>) + Sync) {
    let before = world(sandbox);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (next, form) = (&next, &form);
            scope.spawn(move || {
                let file = format!("broken-{worker}.plan");
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= many {
                        return;
                    }
                    let (what, form) = form(at);
                    std::fs::write(sandbox.path(&file), form).unwrap();
                    assert_refused(&apply(sandbox, &file), &[1, 6, 8], &what);
                }
            });
        }
    });
    assert_eq!(world(sandbox), before, "a refused plan had an effect");
    assert!(many > 0);
}

/// Applies the plan with one byte changed, for each of these places.
fn refuse_flips(sandbox: &Sandbox, stride: usize) {
    let plan = std::fs::read(sandbox.path("acme.plan")).unwrap();
    let many = plan.len().div_ceil(stride);
    println!("{many} flips in a plan of {} bytes", plan.len());
    refuse_all(sandbox, many, |at| {
        let (mut form, at) = (plan.clone(), at * stride);
        form[at] ^= 1 << (at % 8);
        (format!("byte {at} of {} flipped", plan.len()), form)
    });
}

#[test]
fn every_flipped_byte_is_refused() {
    let stride = |usual: usize| {
        std::env::var("MATIH_FLIP_STRIDE").map_or(usual, |text| text.parse().unwrap())
    };
    let small = planned(&["--target", "tenant.record/*"]);
    refuse_flips(&small, stride(STRIDES.0));
    let whole = planned(&[]);
    refuse_flips(&whole, stride(STRIDES.1));
    // Both plans are good but for the flips.
    let _ = apply(&small, "acme.plan").exits(0);
    let _ = apply(&whole, "acme.plan").exits(0);
}

#[test]
fn every_edited_field_is_refused() {
    let sandbox = planned(&[]);
    let good: Value = serde_json::from_str(&sandbox.read("acme.plan")).unwrap();
    let fields = leaves(&good);
    let mut seed = Seed::new(200);
    let forms: Vec<_> = (0..EDITS)
        .map(|_| {
            let field = &fields[seed.below(fields.len())];
            let mut form = good.clone();
            let value = form.pointer_mut(field).unwrap();
            *value = other(value);
            (
                format!("{field} edited"),
                serde_json::to_vec(&form).unwrap(),
            )
        })
        .collect();
    println!("{EDITS} of {} fields edited", fields.len());
    refuse_all(&sandbox, forms.len(), |at| forms[at].clone());
}

/// Pointers to all values that hold no others.
fn leaves(value: &Value) -> Vec<String> {
    let below = |name: &str, value: &Value| {
        let name = name.replace('~', "~0").replace('/', "~1");
        leaves(value)
            .into_iter()
            .map(move |rest| format!("/{name}{rest}"))
            .collect::<Vec<_>>()
    };
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| below(key, value))
            .collect(),
        Value::Array(items) => {
            let items = (0..).zip(items);
            items
                .flat_map(|(at, value): (usize, _)| below(&at.to_string(), value))
                .collect()
        }
        _ => vec![String::new()],
    }
}

/// Another value of the same type: what somebody would write who wants it to pass.
fn other(value: &Value) -> Value {
    match value {
        Value::Null => Value::Bool(true),
        Value::Bool(is) => Value::Bool(!is),
        Value::Number(number) => Value::from(number.as_i64().unwrap_or_default() + 1),
        Value::String(text) if text.ends_with('0') => Value::String(text.replace('0', "1")),
        Value::String(text) => match text.char_indices().last() {
            Some((at, _)) => Value::String(format!("{}0", &text[..at])),
            None => Value::String("0".to_owned()),
        },
        value => value.clone(),
    }
}

#[test]
fn a_plan_of_another_time_is_stale() {
    let sandbox = planned(&[]);
    let _ = sandbox.run(APPLY).exits(0);
    let before = world(&sandbox);
    assert_refused(
        &apply(&sandbox, "acme.plan"),
        &[8],
        "a plan whose base is no longer the head",
    );
    assert_eq!(world(&sandbox), before);

    acme::edit(&sandbox);
    plan(&sandbox, &[]);
    let address = "acme/tenant.record/tenant";
    let _ = sandbox.run(&["sandbox", "rm", address]).exits(0);
    let before = world(&sandbox);
    assert_refused(
        &apply(&sandbox, "acme.plan"),
        &[8],
        "a plan that has read another world",
    );
    assert_eq!(world(&sandbox), before);
}

#[test]
fn two_plans_from_nothing_are_not_both_applied() {
    let sandbox = planned(&["--target", "tenant.record/*"]);
    std::fs::copy(sandbox.path("acme.plan"), sandbox.path("other.plan")).unwrap();
    plan(&sandbox, &[]);
    let _ = apply(&sandbox, "acme.plan").exits(0);
    let before = world(&sandbox);
    assert_refused(
        &apply(&sandbox, "other.plan"),
        &[8],
        "the second of two first plans",
    );
    assert_refused(
        &apply(&sandbox, "acme.plan"),
        &[8],
        "a plan that was applied already",
    );
    assert_eq!(world(&sandbox), before);
}

#[test]
fn a_plan_of_another_installation_or_tenant_is_refused() {
    let sandbox = planned(&[]);
    let other = planned(&[]);
    std::fs::copy(other.path("acme.plan"), sandbox.path("foreign.plan")).unwrap();
    let before = world(&sandbox);
    assert_refused(
        &apply(&sandbox, "foreign.plan"),
        &[1, 8],
        "a plan of another installation",
    );

    let text = sandbox
        .read("acme.plan")
        .replace(&format!("\"{ACME}\""), "\"globex\"");
    sandbox.write("tenant.plan", &text.replace("acme/", "globex/"));
    assert_refused(
        &apply(&sandbox, "tenant.plan"),
        &[1, 6, 8],
        "a plan given to another tenant",
    );
    assert_eq!(world(&sandbox), before);
    // What was refused for its origin is good where it comes from.
    let _ = apply(&other, "acme.plan").exits(0);
}
