//! The inputs that fuzzing found and kept: no reader of files breaks its promise on one of them.

use matih_tests::{readers, workspace_root};

type Reader = fn(&str);

#[test]
fn no_kept_input_breaks_a_reader() {
    let targets: [(&str, Reader); 4] = [
        ("spec", readers::spec),
        ("platform", readers::platform),
        ("blueprint", readers::blueprint),
        ("plan", readers::plan),
    ];
    for (name, read) in targets {
        let folder = workspace_root().join("tests/fuzz/corpus").join(name);
        let inputs: Vec<_> = std::fs::read_dir(&folder).unwrap().collect();
        assert!(!inputs.is_empty(), "no inputs in {}", folder.display());
        for input in inputs {
            let bytes = std::fs::read(input.unwrap().path()).unwrap();
            // The fuzzer hands over what is UTF-8.
            if let Ok(text) = std::str::from_utf8(&bytes) {
                read(text);
            }
        }
    }
}
