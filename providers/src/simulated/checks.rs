//! The four checks, answered from what is in the world.

use matih_model::{
    Attributes, Call, Catalog, CheckFinding, CheckReport, ErrorKind, ProviderError, Value,
};
use rusqlite::params;

use super::session::{Object, Session};
use super::world::Done;

/// Looks. The outer error: the world cannot be used; the inner one: no such check.
pub(super) fn check(
    session: &Session<'_>,
    catalog: &Catalog,
    call: &Call<'_>,
) -> Done<Result<CheckReport, ProviderError>> {
    let kind = &call.owner.address.kind;
    let failures = match kind.as_str() {
        "check.input" => input(session, call)?,
        "check.capacity" => capacity(session, call)?,
        "check.credentials" => credentials(call),
        "check.connectivity" => connectivity(session, catalog, call)?,
        _ => {
            let text = format!("{kind} is not a check of the simulated cloud");
            return Ok(Err(ProviderError::new(ErrorKind::Invalid, text)));
        }
    };
    Ok(Ok(CheckReport { failures }))
}

fn finding(message: String, hint: &str) -> CheckFinding {
    let hint = Some(hint.to_owned());
    CheckFinding { message, hint }
}

/// Slug and name are not another tenant's. What bears no mark is nobody's: a record whose mark
/// somebody took off may well be ours, and the step that makes it can tell.
fn input(session: &Session<'_>, call: &Call<'_>) -> Done<Vec<CheckFinding>> {
    let mut failures = Vec::new();
    let theirs = |there: &Object| {
        there.owner.as_ref().is_some_and(|owner| {
            owner.installation != call.owner.installation || owner.tenant() != call.owner.tenant()
        })
    };
    let slug = call.attributes.text("slug").unwrap_or_default();
    let taken = session.objects("kind = 'tenant.record' AND name = ?1", [slug])?;
    if taken.iter().any(theirs) {
        let text = format!("the slug `{slug}` is taken by another tenant");
        failures.push(finding(
            text,
            "choose another slug; it is the tenant's identity for good",
        ));
    }
    if let Some(name) = call.attributes.text("name") {
        let condition = "kind = 'tenant.record' AND json_extract(asked, '$.name') = ?1";
        let taken = session.objects(condition, [name])?;
        if taken.iter().any(theirs) {
            let text = format!("another tenant is called `{name}` already");
            failures.push(finding(text, "choose another name"));
        }
    }
    Ok(failures)
}

/// What is counted, and the objects that take of it.
const COUNTED: &[(&str, &str)] = &[
    (
        "namespaces",
        "kind = 'kubernetes.manifest' AND name >= 'Namespace/' AND name < 'Namespace0'",
    ),
    ("dns_zones", "kind = 'dns.zone'"),
    (
        "load_balancers",
        "kind = 'helm.release' AND json_extract(outputs, '$.load_balancer_ip') <> ''",
    ),
];

/// There is room for what the tenant will take beside all others.
fn capacity(session: &Session<'_>, call: &Call<'_>) -> Done<Vec<CheckFinding>> {
    let limits = session.all("SELECT resource, total FROM capacity", [], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
    })?;
    let mut failures = Vec::new();
    for (resource, total) in limits {
        let asked = call
            .attributes
            .get(&resource)
            .and_then(Value::as_integer)
            .unwrap_or(0);
        let used = match COUNTED.iter().find(|(counted, _)| *counted == resource) {
            None => 0,
            Some((_, condition)) => {
                let sql = format!(
                    "SELECT count(*) FROM object WHERE {condition} \
                     AND NOT (ifnull(tenant, '') = ?1 AND ifnull(installation, '') = ?2)"
                );
                let owner = call.owner;
                let values = params![owner.tenant().as_str(), owner.installation];
                session.first(&sql, values, |row| row.get(0))?.unwrap_or(0)
            }
        };
        if used + asked > total {
            let text = format!("no room: {asked} {resource} wanted, {used} of {total} taken");
            failures.push(finding(
                text,
                "free some, or ask the platform team for more",
            ));
        }
    }
    Ok(failures)
}

/// Every secret can be read and holds something.
fn credentials(call: &Call<'_>) -> Vec<CheckFinding> {
    let mut failures = Vec::new();
    for secret in call.attributes.secrets() {
        let hint = "check where the spec says that the credential is kept";
        match call.secrets.reveal(&secret.reference) {
            Ok(value) if value.expose().is_empty() => {
                failures.push(finding(
                    format!("secret {} is empty", secret.reference),
                    hint,
                ));
            }
            Ok(_) => {}
            Err(error) => failures.push(finding(error.to_string(), hint)),
        }
    }
    failures
}

/// Workloads are ready, names resolve, the certificate is valid: as far as they are of this world.
/// A name resolves and a workload runs whether or not somebody took our mark off it.
fn connectivity(
    session: &Session<'_>,
    catalog: &Catalog,
    call: &Call<'_>,
) -> Done<Vec<CheckFinding>> {
    const KINDS: &str = "kind IN ('helm.release', 'kubernetes.manifest', 'dns.record')";
    let owner = call.owner;
    let mut objects = session.objects(
        &format!("tenant = ?1 AND installation = ?2 AND {KINDS}"),
        params![owner.tenant().as_str(), owner.installation],
    )?;
    objects.extend(session.objects(&format!("tenant IS NULL AND {KINDS}"), [])?);
    let home = call.attributes.text("namespace");
    let is_at_home = |release: &Attributes| release.text("namespace") == home;
    let mut tenant = Tenant::default();
    for object in objects {
        let now = object.now();
        match (object.kind.as_str(), object.outputs.text("fqdn")) {
            // One that bears no mark and is in another namespace is anybody's.
            ("helm.release", _) if object.owner.is_none() && !is_at_home(&now) => {}
            ("helm.release", _) => tenant.releases.push(now),
            ("dns.record", Some(name)) => tenant.names.push((name.to_owned(), now)),
            _ => tenant.manifests.push(now),
        }
    }
    let mut failures = Vec::new();
    let is_here = |kind: &str| catalog.iter().any(|schema| schema.kind.as_str() == kind);
    if is_here("helm.release") {
        tenant.workloads(call.attributes, &mut failures);
    }
    if is_here("kubernetes.manifest") {
        tenant.entrance(call.attributes, &mut failures);
    }
    if is_here("dns.record") {
        tenant.resolution(call.attributes, &mut failures);
    }
    let hint = "look at it with `matih drift`";
    Ok(failures
        .into_iter()
        .map(|text| finding(text, hint))
        .collect())
}

/// What the gate looks at, as it is now.
#[derive(Default)]
struct Tenant {
    releases: Vec<Attributes>,
    manifests: Vec<Attributes>,
    names: Vec<(String, Attributes)>,
}

impl Tenant {
    /// All releases are deployed, and those that are named are there.
    fn workloads(&self, asked: &Attributes, failures: &mut Vec<String>) {
        let name = |release: &'_ Attributes| release.text("release").unwrap_or_default().to_owned();
        for release in &self.releases {
            let status = release.text("status").unwrap_or("unknown");
            if status != "deployed" {
                failures.push(format!(
                    "release `{}` is {status}, not deployed",
                    name(release)
                ));
            }
        }
        let names: Vec<String> = self.releases.iter().map(name).collect();
        for wanted in texts(asked.get("releases")) {
            if !names.iter().any(|name| name == wanted) {
                failures.push(format!("release `{wanted}` is not there"));
            }
        }
        for wanted in texts(asked.get("services")) {
            let serves = |name: &String| {
                name.strip_suffix(wanted)
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('-'))
            };
            if !names.iter().any(serves) {
                failures.push(format!("service `{wanted}` has no release"));
            }
        }
    }

    /// Ingress and certificate are there, the certificate is ready.
    fn entrance(&self, asked: &Attributes, failures: &mut Vec<String>) {
        let manifest =
            |kind: &str, name: &str| self.manifests.iter().find(|it| is_manifest(it, kind, name));
        if let Some(name) = asked.text("ingress")
            && manifest("Ingress", name).is_none()
        {
            failures.push(format!("ingress `{name}` is not there"));
        }
        if let Some(name) = asked.text("certificate") {
            match manifest("Certificate", name) {
                None => failures.push(format!("certificate `{name}` is not there")),
                Some(it) if !is_ready(it) => {
                    failures.push(format!("certificate `{name}` is not ready"));
                }
                Some(_) => {}
            }
        }
    }

    /// All names that are asked for resolve, the host to the address of the ingress.
    fn resolution(&self, asked: &Attributes, failures: &mut Vec<String>) {
        for wanted in texts(asked.get("dns_records")) {
            if !self.names.iter().any(|(name, _)| answers(name, wanted)) {
                failures.push(format!("`{wanted}` does not resolve"));
            }
        }
        let (Some(host), Some(ip)) = (asked.text("host"), asked.text("load_balancer_ip")) else {
            return;
        };
        let elsewhere = |(name, record): &(String, Attributes)| {
            let here = name == host && record.text("type") == Some("A");
            here && !texts(record.get("values")).contains(&ip)
        };
        if self.names.iter().any(elsewhere) {
            failures.push(format!("`{host}` does not resolve to {ip}"));
        }
    }
}

/// A text, or all texts of a list.
fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::List(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is_manifest(object: &Attributes, kind: &str, name: &str) -> bool {
    let manifest = object.get("manifest").and_then(Value::as_map);
    let metadata = manifest
        .and_then(|it| it.get("metadata"))
        .and_then(Value::as_map);
    manifest.and_then(|it| it.text("kind")) == Some(kind)
        && metadata.and_then(|it| it.text("name")) == Some(name)
}

fn is_ready(object: &Attributes) -> bool {
    let status = object.get("manifest").and_then(|it| {
        it.as_map()?
            .get("status")?
            .as_map()?
            .get("conditions")?
            .as_list()
    });
    status
        .unwrap_or_default()
        .iter()
        .filter_map(Value::as_map)
        .any(|condition| {
            condition.text("type") == Some("Ready") && condition.text("status") == Some("True")
        })
}

/// Whether a record of this name answers for a host: `*` stands for one label, as in the DNS.
fn answers(name: &str, host: &str) -> bool {
    name == host
        || matches!(
            (name.strip_prefix("*."), host.split_once('.')),
            (Some(zone), Some((_, rest))) if zone == rest
        )
}
