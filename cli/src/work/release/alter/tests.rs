use matih_model::SecretRef;
use proptest::prelude::*;

use super::*;

fn tree(json: &str) -> Attributes {
    serde_json::from_str(json).unwrap()
}

fn address() -> Address {
    "acme/helm.release/web".parse().unwrap()
}

fn catalog() -> Catalog {
    let schema: KindSchema = serde_json::from_value(serde_json::json!({
        "kind": "helm.release", "doc": "A chart.",
        "attribute": [{ "path": "values", "type": "map", "doc": "Values." },
            { "path": "values.token", "type": "string", "sensitive": true, "doc": "A token." }],
    }))
    .unwrap();
    Catalog::new([schema]).unwrap()
}

fn set(pairs: &[&str]) -> Override {
    Override {
        set: pairs.iter().map(|it| assignment(it).unwrap()).collect(),
        ..Override::default()
    }
}

const RECORDED: &str = r#"{"chart":{"name":"web","version":"1.0.0","repository":"r"},
    "description":"first","values":{"image":{"tag":"1","pull":"Always"},"list":[{"a":1},2],
    "password":{"$secret":{"env":"P"}},"replicas":2}}"#;

#[test]
fn one_place_changes_and_the_rest_stays() {
    let wanted = set(&["image.tag=2.0", "list.0.a=7", "new.deep=true"]);
    let wanted = wanted.on(&address(), &tree(RECORDED), &catalog()).unwrap();
    let expected = RECORDED
        .replace(r#""tag":"1""#, r#""tag":"2.0""#)
        .replace(r#"{"a":1}"#, r#"{"a":7}"#)
        .replace(r#""replicas":2"#, r#""replicas":2,"new":{"deep":true}"#)
        .replace(r#""description":"first","#, "");
    assert_eq!(wanted, tree(&expected));
}

#[test]
fn what_is_there_already_is_no_change_whatever_is_said_of_it() {
    let same = Override {
        version: Some("1.0.0".to_owned()),
        values: tree(r#"{"image":{"pull":"Always"}}"#),
        description: Some("again".to_owned()),
        ..set(&["replicas=2"])
    };
    let recorded = tree(RECORDED);
    assert_eq!(
        same.on(&address(), &recorded, &catalog()).unwrap(),
        recorded
    );
}

#[test]
fn a_secret_is_not_written_out_and_not_quoted() {
    for (line, place) in [
        ("password=hunter2", "values.password"),
        ("token=hunter2", "values.token"),
    ] {
        let refused = set(&[line]).on(&address(), &tree(RECORDED), &catalog());
        let refused = refused.unwrap_err();
        assert_eq!(refused.exit, Exit::Invalid);
        assert!(refused.message.contains(place), "{refused}");
        assert!(!refused.to_string().contains("hunter2"), "{refused}");
    }
    let named = set(&[r#"token={"$secret":{"env":"T"}}"#, "replicas=3"]);
    named.on(&address(), &tree(RECORDED), &catalog()).unwrap();
}

#[test]
fn a_secret_that_is_set_gets_its_digest() {
    let (_, value) = assignment(r#"a={"x":[{"$secret":{"env":"T"}}]}"#).unwrap();
    let digest = Digest::of_bytes("test", b"v");
    let filled = with_digests(&value, &|reference| {
        (*reference == SecretRef::Env("T".to_owned())).then_some(digest)
    });
    let Value::Map(map) = filled else {
        panic!("no table")
    };
    assert_eq!(map.secrets()[0].digest, Some(digest));
}

#[test]
fn a_list_has_no_more_places_than_items() {
    let refused = set(&["list.2=1"]).on(&address(), &tree(RECORDED), &catalog());
    let refused = refused.unwrap_err().message;
    assert!(refused.contains("`list` is a list of 2 items"), "{refused}");
    assert!(assignment("no sign").is_err());
    assert_eq!(assignment("a=").unwrap().1, Value::string(""));
    assert_eq!(assignment("a=null").unwrap().1, Value::Null);
    assert_eq!(assignment("a=1.10").unwrap().1, Value::string("1.10"));
}

#[test]
fn the_places_that_an_upgrade_sets_are_told_once() {
    let change = Override {
        values: tree(r#"{"image":{"tag":"2"},"list":[1]}"#),
        ..set(&["image.tag=3", "[a.b].c=1"])
    };
    let paths: Vec<_> = change.paths().iter().map(ToString::to_string).collect();
    assert_eq!(paths, ["values[a.b].c", "values.image.tag", "values.list"]);
}

fn trees() -> impl Strategy<Value = Attributes> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::Integer),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 24, 4, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..3).prop_map(Value::List);
        prop_oneof![list, map(inner).prop_map(Value::Map)]
    });
    map(value)
}

fn map(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Attributes> {
    prop::collection::vec(("[a-c]", value), 0..4).prop_map(|pairs| {
        pairs
            .into_iter()
            .map(|(key, value)| (key.as_str().into(), value))
            .collect()
    })
}

proptest! {
    #[test]
    fn merging_is_associative_and_the_upper_one_has_the_last_word(
        a in trees(), b in trees(), c in trees(),
    ) {
        let nothing = Attributes::new();
        prop_assert_eq!(&merge(&a, &nothing), &a);
        prop_assert_eq!(&merge(&nothing, &a), &a);
        prop_assert_eq!(&merge(&a, &a), &a);
        let mut places = Vec::new();
        leaves(&b, &AttributePath::root(), false, &mut places);
        let merged = merge(&a, &b);
        for place in places {
            let empty = matches!(place.find(&b), Some(Value::Map(_)));
            prop_assert!(empty || place.find(&merged) == place.find(&b), "{place}");
        }
        let mut kept = Vec::new();
        leaves(&a, &AttributePath::root(), false, &mut kept);
        for place in kept {
            let parts = 1..=place.parts().len();
            let beginnings = parts.map(|it| place.parts()[..it].iter()
                .fold(AttributePath::root(), |path, part| path.join(part)));
            let ends = |it: AttributePath| !matches!(it.find(&b), None | Some(Value::Map(_)));
            let empty = matches!(place.find(&a), Some(Value::Map(_)));
            if !empty && !beginnings.into_iter().any(ends) && place.find(&b).is_none() {
                prop_assert_eq!(place.find(&merged), place.find(&a), "{}", place);
            }
        }
        // A table that takes the place of plain text hides what was below that.
        let plain_between = merge(&merge(&a, &b), &c) != merge(&a, &merge(&b, &c));
        prop_assert!(!plain_between || has_plain_below_table(&b, &a, &c));
    }

    #[test]
    fn what_is_set_is_found_again(tree in trees(), path in "[a-c](\\.[a-c]){0,3}", number in any::<i64>()) {
        let change = set(&[&format!("{path}={number}")]);
        let mut recorded = Attributes::new();
        recorded.insert("values", tree);
        if let Ok(wanted) = change.on(&address(), &recorded, &catalog()) {
            let place: AttributePath = format!("values.{path}").parse().unwrap();
            prop_assert_eq!(place.find(&wanted), Some(&Value::Integer(number)));
        }
    }
}

/// Whether plain text of the middle tree stands where both others have tables.
fn has_plain_below_table(middle: &Attributes, below: &Attributes, above: &Attributes) -> bool {
    middle.iter().any(
        |(key, value)| match (below.get(key), value, above.get(key)) {
            (Some(Value::Map(_)), Value::Map(_), Some(Value::Map(_))) => {
                let inside = |map: &Attributes| map.get(key).and_then(Value::as_map).cloned();
                match (inside(middle), inside(below), inside(above)) {
                    (Some(middle), Some(below), Some(above)) => {
                        has_plain_below_table(&middle, &below, &above)
                    }
                    _ => false,
                }
            }
            (Some(Value::Map(_)), _, Some(Value::Map(_))) => true,
            _ => false,
        },
    )
}
