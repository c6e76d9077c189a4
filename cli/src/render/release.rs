//! Releases as Helm shows them: lists, histories, and what an upgrade came to.

use matih_model::{Address, Attributes, TenantId, Value};
use serde_json::{Value as Json, json};

use super::style::{ADD, BAD, FAINT, paint};
use super::table::Table;

/// One release of a list.
pub(crate) struct Row {
    pub(crate) address: Address,
    /// Helm's name for it.
    pub(crate) release: String,
    pub(crate) chart: String,
    pub(crate) version: String,
    pub(crate) app_version: String,
    pub(crate) revision: Option<u64>,
    pub(crate) status: String,
    /// When its revision was made, in RFC 3339, where that is known.
    pub(crate) since: Option<String>,
}

fn number(number: Option<u64>) -> String {
    number.map_or("-".to_owned(), |number| number.to_string())
}

/// A time in RFC 3339 without the part of its second.
fn seconds(time: Option<&str>) -> String {
    match time {
        None => "-".to_owned(),
        Some(time) => match time.split_once('.') {
            Some((whole, part)) => {
                let zone = part.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{whole}{zone}")
            }
            None => time.to_owned(),
        },
    }
}

/// A list for people.
pub(crate) fn list_text(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "No release is recorded.\n".to_owned();
    }
    let heading = [
        "TENANT", "RELEASE", "CHART", "VERSION", "APP", "REVISION", "STATUS", "SINCE",
    ];
    let mut table = Table::new(&heading);
    for row in rows {
        let status = match row.status.as_str() {
            "deployed" => row.status.clone(),
            status => paint(BAD, status).to_string(),
        };
        table.row([
            row.address.tenant.to_string(),
            row.address.name.to_string(),
            row.chart.clone(),
            row.version.clone(),
            row.app_version.clone(),
            number(row.revision),
            status,
            seconds(row.since.as_deref()),
        ]);
    }
    table.render()
}

/// A list for programs: `{v, releases: [{tenant, address, release, chart, version, app_version,
/// revision, status, since}]}`.
pub(crate) fn list_json(rows: &[Row]) -> Json {
    let rows = rows.iter().map(|row| {
        json!({
            "tenant": row.address.tenant,
            "address": row.address,
            "release": row.release,
            "chart": row.chart,
            "version": row.version,
            "app_version": row.app_version,
            "revision": row.revision,
            "status": row.status,
            "since": row.since,
        })
    });
    json!({ "v": 1, "releases": rows.collect::<Vec<_>>() })
}

/// One revision of a history.
pub(crate) struct Past {
    pub(crate) number: u64,
    /// In RFC 3339.
    pub(crate) updated: Option<String>,
    pub(crate) status: String,
    /// The chart and its version.
    pub(crate) chart: String,
    pub(crate) app_version: String,
    /// The run of ours that made it; none: somebody else did.
    pub(crate) by: Option<String>,
    /// The first and the last snapshot that recorded it.
    pub(crate) snapshots: Option<(u64, u64)>,
    pub(crate) description: String,
}

/// A history for people, oldest first.
pub(crate) fn history_text(rows: &[Past]) -> String {
    let heading = [
        "REVISION",
        "UPDATED",
        "STATUS",
        "CHART",
        "APP",
        "BY",
        "SNAPSHOTS",
        "DESCRIPTION",
    ];
    let mut table = Table::new(&heading);
    for row in rows {
        let snapshots = match row.snapshots {
            None => "-".to_owned(),
            Some((first, last)) if first == last => format!("#{first}"),
            Some((first, last)) => format!("#{first}-#{last}"),
        };
        table.row([
            row.number.to_string(),
            seconds(row.updated.as_deref()),
            row.status.clone(),
            row.chart.clone(),
            row.app_version.clone(),
            row.by
                .as_ref()
                .map_or("somebody else", |_| "matih")
                .to_owned(),
            snapshots,
            row.description.clone(),
        ]);
    }
    table.render()
}

/// A history for programs: `{v, address, revisions: [{revision, updated, status, chart,
/// app_version, ours, run, snapshots, description}]}`.
pub(crate) fn history_json(address: &Address, rows: &[Past]) -> Json {
    let rows = rows.iter().map(|row| {
        json!({
            "revision": row.number,
            "updated": row.updated,
            "status": row.status,
            "chart": row.chart,
            "app_version": row.app_version,
            "ours": row.by.is_some(),
            "run": row.by,
            "snapshots": row.snapshots.map(|(first, last)| [first, last]),
            "description": row.description,
        })
    });
    json!({ "v": 1, "address": address, "revisions": rows.collect::<Vec<_>>() })
}

/// What became of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is as wanted.
    Upgraded,
    /// It was so already.
    Left,
    /// Why it is not.
    Failed(String),
    /// It was not its turn yet when it was stopped.
    NotTried,
}

impl Fate {
    fn word(&self) -> &'static str {
        match self {
            Self::Upgraded => "upgraded",
            Self::Left => "left alone",
            Self::Failed(_) => "failed",
            Self::NotTried => "not tried",
        }
    }
}

/// One release of an upgrade.
pub(crate) struct Upgraded {
    pub(crate) address: Address,
    /// Chart version and revision, before and after.
    pub(crate) before: (String, Option<u64>),
    pub(crate) after: (String, Option<u64>),
    pub(crate) fate: Fate,
}

/// The table at the end of an upgrade.
pub(crate) fn upgrade_text(rows: &[Upgraded]) -> String {
    let state = |(version, revision): &(String, Option<u64>)| {
        format!("{version}, revision {}", number(*revision))
    };
    let mut table = Table::new(&["TENANT", "RELEASE", "BEFORE", "AFTER", "OUTCOME"]);
    for row in rows {
        let outcome = match &row.fate {
            Fate::Upgraded => paint(ADD, "upgraded").to_string(),
            Fate::Left => paint(FAINT, "left alone: it is so already").to_string(),
            Fate::Failed(why) => format!("{} {}", paint(BAD, "failed:"), shortened(why)),
            Fate::NotTried => paint(FAINT, "not tried").to_string(),
        };
        table.row([
            row.address.tenant.to_string(),
            row.address.name.to_string(),
            state(&row.before),
            state(&row.after),
            outcome,
        ]);
    }
    table.render()
}

/// The beginning of a long text: all of it was told before.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 100;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The same for programs: `{releases: [{tenant, address, before, after, outcome, why}]}`.
pub(crate) fn upgrade_json(rows: &[Upgraded]) -> Json {
    let state = |(version, revision): &(String, Option<u64>)| json!({ "version": version, "revision": revision });
    let rows = rows.iter().map(|row| {
        let why = match &row.fate {
            Fate::Failed(why) => Some(why),
            _ => None,
        };
        json!({
            "tenant": row.address.tenant,
            "address": row.address,
            "before": state(&row.before),
            "after": state(&row.after),
            "outcome": row.fate.word(),
            "why": why,
        })
    });
    json!({ "releases": rows.collect::<Vec<_>>() })
}

/// What to write down so that the next apply of a spec keeps an upgrade.
pub(crate) struct Keep<'a> {
    /// A release that was upgraded.
    pub(crate) address: &'a Address,
    /// It comes from a block in the spec, and not from the blueprint.
    pub(crate) of_spec: bool,
    /// Its chart, if the version was changed.
    pub(crate) chart: Option<&'a Attributes>,
    /// The values that were set.
    pub(crate) paths: Vec<String>,
    /// Whose specs.
    pub(crate) tenants: &'a [TenantId],
}

impl Keep<'_> {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let whose = match self.tenants {
            [tenant] => format!("of {tenant}"),
            tenants => format!("of these {} tenants", tenants.len()),
        };
        let mut text = format!(
            "\nThe next `matih apply SPEC` {whose} goes back to what the spec and the blueprint say. To keep this,\n"
        );
        if self.of_spec {
            let address = self.address.resource_name();
            return text
                + &format!("write it into the `[[resource]]` block of {address} in the spec.\n");
        }
        if let Some(chart) = self.chart {
            text += "write into tables.toml of the platform's blueprint folder\n\n";
            text += &self.table(chart);
        }
        if !self.paths.is_empty() {
            text += if self.chart.is_some() { "\nand " } else { "" };
            let paths: Vec<_> = self
                .paths
                .iter()
                .map(|it| Json::from(it.as_str()).to_string())
                .collect();
            text += &format!(
                "write into the spec, which then leaves these values alone\n\n    [[lifecycle]]\n    address = \"{}\"\n    ignore_changes = [{}]\n",
                self.address.resource_name(),
                paths.join(", ")
            );
        }
        text
    }

    fn table(&self, chart: &Attributes) -> String {
        let text = |key| Json::from(chart.text(key).unwrap_or_default()).to_string();
        // The ingress controller (step 40) has a row of its own among the tables.
        if self.address.name.as_str() == "ingress" {
            return format!("    [charts]\n    ingress_version = {}\n", text("version"));
        }
        format!(
            "    [charts.own]\n    {} = {{ repository = {}, name = {}, version = {} }}\n",
            self.address.name,
            text("repository"),
            text("name"),
            text("version")
        )
    }
}

/// The chart of a release.
pub(crate) fn chart_of(attributes: &Attributes) -> Option<&Attributes> {
    attributes.get("chart").and_then(Value::as_map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_seconds_and_long_reasons_an_end() {
        for (time, shown) in [
            (
                Some("2026-11-27T04:43:18.275155828Z"),
                "2026-11-27T04:43:18Z",
            ),
            (
                Some("2026-11-27T04:43:18.5+01:00"),
                "2026-11-27T04:43:18+01:00",
            ),
            (Some("2026-11-27T04:43:18Z"), "2026-11-27T04:43:18Z"),
            (None, "-"),
        ] {
            assert_eq!(seconds(time), shown);
        }
        assert_eq!(shortened(&"é".repeat(101)), format!("{}…", "é".repeat(100)));
        assert_eq!(shortened("short"), "short");
    }

    #[test]
    fn what_is_to_be_kept_is_said_as_it_is_to_be_written() {
        let address: Address = "acme/helm.release/ai-service".parse().unwrap();
        let chart = r#"{"name":"our-ai","repository":"oci://r.example/c","version":"1.1.0"}"#;
        let chart: Attributes = serde_json::from_str(chart).unwrap();
        let tenants = [address.tenant.clone()];
        let keep = Keep {
            address: &address,
            of_spec: false,
            chart: Some(&chart),
            paths: vec!["values.image.tag".to_owned()],
            tenants: &tenants,
        };
        let text = keep.text();
        for line in [
            "    [charts.own]\n    ai-service = { repository = \"oci://r.example/c\", name = \"our-ai\", version = \"1.1.0\" }\n",
            "    ignore_changes = [\"values.image.tag\"]\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        let ingress: Address = "acme/helm.release/ingress".parse().unwrap();
        let keep = Keep {
            address: &ingress,
            paths: Vec::new(),
            ..keep
        };
        assert!(keep.text().contains("    ingress_version = \"1.1.0\"\n"));
    }
}
