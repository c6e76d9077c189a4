//! Trees of attributes: what the owner asked for, and what the world says beyond that.
//!
//! An object is kept as two trees. `asked` is what its owner set, word for word. `overlay` is all
//! that is otherwise: what the server filled in, and what somebody changed by hand; there,
//! [`Value::Unknown`] (which can stand in no resource) says that a value was taken away. Pure.

use matih_model::{AttributePath, Attributes, Value};

/// The object as it is now.
pub(super) fn merged(asked: &Attributes, overlay: &Attributes) -> Attributes {
    let mut now = asked.clone();
    for (key, over) in overlay.iter() {
        let value = match (over, now.get(key)) {
            (Value::Unknown, _) => {
                now.remove(key);
                continue;
            }
            (Value::Map(over), Some(Value::Map(under))) => merged(under, over).into(),
            (Value::Map(over), _) => merged(&Attributes::new(), over).into(),
            (over, _) => over.clone(),
        };
        now.insert(key, value);
    }
    now
}

/// The overlay that makes `now` out of `asked`.
pub(super) fn difference(asked: &Attributes, now: &Attributes) -> Attributes {
    let mut overlay = Attributes::new();
    for (key, value) in now.iter() {
        match (asked.get(key), value) {
            (Some(before), value) if before == value => {}
            (Some(Value::Map(before)), Value::Map(after)) => {
                overlay.insert(key, difference(before, after));
            }
            (_, value) => {
                overlay.insert(key, value.clone());
            }
        }
    }
    for (key, _) in asked.iter() {
        if now.get(key).is_none() {
            overlay.insert(key, Value::Unknown);
        }
    }
    overlay
}

/// What `now` says at the places that `asked` speaks of: the part that is the owner's.
pub(super) fn owned(asked: &Attributes, now: &Attributes) -> Attributes {
    asked
        .iter()
        .filter_map(|(key, wanted)| {
            let value = match (wanted, now.get(key)?) {
                (Value::Map(wanted), Value::Map(there)) => owned(wanted, there).into(),
                (_, there) => there.clone(),
            };
            Some((key.clone(), value))
        })
        .collect()
}

/// What of `offered` has no place in `taken` yet: defaults that nobody set.
pub(super) fn absent(offered: &Attributes, taken: &Attributes) -> Attributes {
    offered
        .iter()
        .filter_map(|(key, value)| match (value, taken.get(key)) {
            (value, None) => Some((key.clone(), value.clone())),
            (Value::Map(offered), Some(Value::Map(taken))) => {
                let rest = absent(offered, taken);
                (!rest.is_empty()).then(|| (key.clone(), rest.into()))
            }
            _ => None,
        })
        .collect()
}

/// The tree with one value set, or taken away; tables on the way are made. `None` where the path
/// leads through something that is no table and no list.
pub(super) fn put(
    tree: &Attributes,
    path: &AttributePath,
    value: Option<Value>,
) -> Option<Attributes> {
    let parts: Vec<&str> = path.parts().iter().map(|part| &**part).collect();
    match put_in(&Value::Map(tree.clone()), &parts, value)? {
        Some(Value::Map(tree)) => Some(tree),
        _ => None,
    }
}

/// The outer `None`: cannot be. The inner one: nothing is left there.
fn put_in(here: &Value, parts: &[&str], value: Option<Value>) -> Option<Option<Value>> {
    let Some((first, rest)) = parts.split_first() else {
        return Some(value);
    };
    match here {
        Value::Map(map) => {
            let mut map = map.clone();
            let inner = map.get(first).cloned();
            if inner.is_none() && value.is_none() {
                return None;
            }
            let inner = inner.unwrap_or_else(|| Attributes::new().into());
            match put_in(&inner, rest, value)? {
                Some(inner) => map.insert(first, inner),
                None => map.remove(first),
            };
            Some(Some(map.into()))
        }
        Value::List(list) => {
            let mut list = list.clone();
            let index: usize = first.parse().ok()?;
            match put_in(list.get(index)?, rest, value)? {
                Some(inner) => *list.get_mut(index)? = inner,
                None => {
                    list.remove(index);
                }
            }
            Some(Some(list.into()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(json: &str) -> Attributes {
        serde_json::from_str(json).unwrap()
    }

    fn edited(asked: &str, path: &str, value: Option<Value>) -> (Attributes, Attributes) {
        let asked = tree(asked);
        let now = put(&asked, &path.parse().unwrap(), value).unwrap();
        let overlay = difference(&asked, &now);
        assert_eq!(merged(&asked, &overlay), now);
        (owned(&asked, &now), overlay)
    }

    #[test]
    fn an_edit_of_ours_shows_in_the_owned_part_and_one_beside_it_does_not() {
        let asked = r#"{"a":{"b":1,"c":[1,2]},"d":{}}"#;
        let (owned, overlay) = edited(asked, "a.b", Some(2.into()));
        assert_eq!(owned, tree(r#"{"a":{"b":2,"c":[1,2]},"d":{}}"#));
        assert_eq!(overlay, tree(r#"{"a":{"b":2}}"#));
        let (owned, _) = edited(asked, "a.c.1", Some(3.into()));
        assert_eq!(owned, tree(r#"{"a":{"b":1,"c":[1,3]},"d":{}}"#));
        let (owned, _) = edited(asked, "a.b", None);
        assert_eq!(owned, tree(r#"{"a":{"c":[1,2]},"d":{}}"#));
        let (owned, overlay) = edited(asked, "d.new.deep", Some(true.into()));
        assert_eq!(owned, tree(asked));
        assert_eq!(overlay, tree(r#"{"d":{"new":{"deep":true}}}"#));
    }

    #[test]
    fn defaults_fill_only_what_nobody_set() {
        let taken = tree(r#"{"a":{"b":1},"c":null}"#);
        let offered = tree(r#"{"a":{"b":2,"x":3},"c":4,"e":5}"#);
        assert_eq!(absent(&offered, &taken), tree(r#"{"a":{"x":3},"e":5}"#));
    }

    #[test]
    fn a_path_through_a_text_or_past_the_end_is_refused() {
        let asked = tree(r#"{"a":"text","l":[1]}"#);
        for path in ["a.b", "l.7", "l.x"] {
            assert_eq!(put(&asked, &path.parse().unwrap(), Some(1.into())), None);
        }
        assert_eq!(put(&asked, &"missing".parse().unwrap(), None), None);
    }
}
