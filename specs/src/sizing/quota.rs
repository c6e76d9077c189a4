//! Quotas, and what pods take out of them: exact, in thousandths.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::Resources;
use crate::quantity::Quantity;
use crate::schema::Quota;

/// One whole thing, in thousandths.
pub(super) const ONE: u128 = 1000;

/// Amounts by the name that a Kubernetes quota has for them, in thousandths.
pub(crate) type Usage = BTreeMap<&'static str, u128>;

/// What one pod takes out of each part of a quota.
pub(super) struct Pod([(&'static str, u128); 5]);

impl Pod {
    pub(super) fn of(resources: &Resources) -> Result<Self, String> {
        let amount = |text: &str| {
            let amount = Quantity::new(text).ok_or(format!("`{text}` is not a quantity"));
            amount.map(|amount| amount.millis())
        };
        Ok(Self([
            ("requests.cpu", amount(&resources.requests.cpu)?),
            ("requests.memory", amount(&resources.requests.memory)?),
            ("limits.cpu", amount(&resources.limits.cpu)?),
            ("limits.memory", amount(&resources.limits.memory)?),
            ("pods", ONE),
        ]))
    }

    pub(super) fn add_to(&self, used: &mut Usage, count: u32) {
        for (name, amount) in self.0 {
            *used.entry(name).or_default() += amount * u128::from(count);
        }
    }

    /// How many more fit.
    pub(super) fn room(&self, quota: &Map<String, Json>, used: &Usage) -> u32 {
        let fitting = self.0.iter().filter_map(|(name, amount)| {
            let free = limit(quota, name)?.saturating_sub(used.get(name).copied().unwrap_or(0));
            free.checked_div(*amount)
        });
        fitting
            .min()
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(u32::MAX)
    }
}

/// What a quota allows of one thing, in thousandths.
pub(super) fn limit(quota: &Map<String, Json>, name: &str) -> Option<u128> {
    let text = quota.get(name)?.as_str()?;
    // Zero is a limit too, and no quantity of a spec.
    if text == "0" {
        Some(0)
    } else {
        Quantity::new(text).map(|amount| amount.millis())
    }
}

/// A share of a count, never less than one.
pub(super) fn scaled(count: u32, percent: u32) -> u32 {
    (count * percent / 100).max(1)
}

/// The quota of a tier at a size, under the values that a spec puts in its place.
pub(super) fn quota(
    row: &BTreeMap<String, Json>,
    percent: u32,
    own: Option<&Quota>,
) -> Result<Map<String, Json>, String> {
    let own = serde_json::to_value(own).unwrap_or_default();
    let mut found = Map::new();
    for (name, base) in row {
        let key = name.replace('.', "_");
        let text = match own.get(&key) {
            Some(Json::String(text)) => text.clone(),
            Some(Json::Number(number)) => number.to_string(),
            _ => share(name, base, percent)?,
        };
        found.insert(name.clone(), text.into());
    }
    Ok(found)
}

/// A share of an amount, in the unit of the amount; counts are rounded up.
fn share(name: &str, base: &Json, percent: u32) -> Result<String, String> {
    let percent = u128::from(percent);
    if let Some(count) = base.as_u64() {
        return Ok((u128::from(count) * percent).div_ceil(100).to_string());
    }
    let text = base.as_str().unwrap_or_default();
    let amount = Quantity::new(text).ok_or(format!("`{name} = {base}` is not a quantity"))?;
    let millis = amount.millis() * percent / 100;
    Ok(match text.ends_with('i') {
        true if (millis / ONE).is_multiple_of(1 << 30) => format!("{}Gi", (millis / ONE) >> 30),
        true => format!("{}Mi", (millis / ONE) >> 20),
        false if millis.is_multiple_of(ONE) => (millis / ONE).to_string(),
        false => format!("{millis}m"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_keeps_its_unit_and_counts_are_rounded_up() {
        for (base, percent, expected) in [
            (Json::from("2"), 50, "1"),
            (Json::from("1"), 50, "500m"),
            (Json::from("4Gi"), 200, "8Gi"),
            (Json::from("1Gi"), 50, "512Mi"),
            (Json::from(5), 50, "3"),
            (Json::from(0), 200, "0"),
        ] {
            assert_eq!(
                share("x", &base, percent).as_deref(),
                Ok(expected),
                "{base}"
            );
        }
        assert!(share("x", &Json::from("much"), 100).is_err());
    }

    #[test]
    fn replicas_are_rounded_down_but_never_to_nothing() {
        assert_eq!(
            [(1, 50), (3, 50), (0, 100), (2, 200)].map(|(n, p)| scaled(n, p)),
            [1, 1, 1, 4]
        );
    }

    #[test]
    fn the_scarcest_part_of_a_quota_says_how_many_pods_fit() {
        let quota: Map<String, Json> =
            serde_json::from_str(r#"{"limits.cpu": "4", "pods": "10"}"#).unwrap();
        let amounts = |cpu: &str| super::super::Amounts {
            cpu: cpu.into(),
            memory: "1Gi".into(),
        };
        let resources = Resources {
            requests: amounts("100m"),
            limits: amounts("1"),
        };
        let pod = Pod::of(&resources).unwrap();
        let mut used = Usage::new();
        assert_eq!(pod.room(&quota, &used), 4);
        pod.add_to(&mut used, 3);
        assert_eq!(pod.room(&quota, &used), 1);
    }
}
