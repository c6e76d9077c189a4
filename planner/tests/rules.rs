//! The rules of the planner, one test each.

use matih_model::Reading;

use crate::world::{Case, res};

#[test]
fn a_state_compared_with_itself_gives_an_empty_plan() {
    let case = Case::same([
        res("box/a").set("size", 1),
        res("box/b").refers("place", "box/a", "id"),
        res("gate/g").needs("box/b"),
    ]);
    assert!(case.plan().is_empty());
}

#[test]
fn what_is_missing_is_created_again_with_the_next_generation() {
    let case = Case::same([res("box/a").set("size", 1)]).read("box/a", Reading::Missing);
    assert_eq!(
        case.shows(),
        ["create box/a again (2) because deleted outside of matih"]
    );
}
