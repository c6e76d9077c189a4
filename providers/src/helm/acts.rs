//! Installing, upgrading and taking away: what helm is told, and what its answer comes to.
//!
//! Helm's word counts for less than what the cluster shows afterwards. Where helm began a revision
//! and failed for good, the release is there and does not work: it is told as such, so that it is
//! recorded and a later run finds it.

use std::ffi::OsString;
use std::time::Duration;

use matih_model::{Applied, Call, ErrorKind, Point, ProviderError, Value};
use tokio::time::Instant;

use super::binary::Version;
use super::child::Run;
use super::content::{DEPLOYED, hushed};
use super::deed::{Deed, Wanted, values_of};
use super::marks::{Argument, Attempt};
use super::observed::description;
use super::provider::HelmProvider;
use super::site::{host, now};
use super::view::{self, Revision};
use super::{objects, stuck, vain};

/// What of a try's time is left to helm to say how it ended.
const RESERVE: Duration = Duration::from_secs(5);

/// The first version that lets the server apply.
const SERVER_SIDE: Version = Version(4, 0, 0);

/// Not to read the server's schemas. Helm 4 reads them to learn that the server validates, and
/// leaves it to the server then, which is asked strictly with or without this: half of a helm's
/// processor time (Helm 4.3.1: 0.20 and 0.10 s for a chart of ours). Only for a new release, which
/// the server applies; one that is there may have been applied by the client.
const UNCHECKED: &str = "--disable-openapi-validation";

/// How long helm waits for workloads if nobody says.
const WAIT: i64 = 300;

/// Makes a release, or adopts our own.
pub(super) async fn create(
    provider: &HelmProvider,
    call: &Call<'_>,
) -> Result<Applied, ProviderError> {
    let deed = Deed::begin(provider, call).await?;
    let there = deed.look().await?;
    match &there {
        Some(revision) => deed.may_adopt(revision)?,
        None => deed.is_nowhere_else().await?,
    }
    let adopted = there.is_some();
    let applied = bring(&deed, there).await?;
    Ok(Applied { adopted, ..applied })
}

/// Alters a release.
pub(super) async fn update(
    provider: &HelmProvider,
    call: &Call<'_>,
) -> Result<Applied, ProviderError> {
    let deed = Deed::begin(provider, call).await?;
    let Some(there) = deed.look().await? else {
        let text = format!(
            "{}: release {} is not there",
            call.owner.address, deed.site.place
        );
        return Err(ProviderError::new(ErrorKind::NotFound, text));
    };
    deed.may_touch(&there)?;
    bring(&deed, Some(there)).await
}

/// Takes a release away.
pub(super) async fn delete(provider: &HelmProvider, call: &Call<'_>) -> Result<(), ProviderError> {
    let deed = Deed::begin(provider, call).await?;
    let Some(there) = deed.look().await? else {
        return Ok(());
    };
    deed.may_touch(&there)?;
    deed.is_expected(&there).await?;
    stuck::is_nobodys(&deed, &there)?;
    call.crossing.cross(Point::Sent)?;
    let done = uninstall(&deed).await;
    call.crossing.cross(Point::Acted)?;
    match (done, deed.look().await?) {
        (_, None) => Ok(()),
        (Err(error), Some(_)) => Err(error),
        (Ok(()), Some(there)) => {
            let text = format!("release {} is still {}", deed.site.place, there.status);
            Err(ProviderError::new(ErrorKind::Unknown, text))
        }
    }
}

/// Brings a release that may be touched to what is wanted.
async fn bring(deed: &Deed<'_>, there: Option<Revision>) -> Result<Applied, ProviderError> {
    let wanted = deed.wanted().await?;
    if let Some(revision) = &there {
        if let Some(release) = deed.as_wanted(revision, &wanted).await? {
            deed.mark(revision).await?;
            return deed.applied(revision, &release, None).await;
        }
        deed.is_expected(revision).await?;
        stuck::is_nobodys(deed, revision)?;
    }
    let attributes = deed.call.attributes;
    deed.call.crossing.cross(Point::Sent)?;
    let settled = stuck::settle(deed, there).await;
    let settled = match settled {
        Ok(there) => there,
        Err(error) => {
            deed.call.crossing.cross(Point::Acted)?;
            return Err(error);
        }
    };
    let before = settled.as_ref().map_or(0, |revision| revision.number);
    let done = upgrade(deed, &wanted, settled.as_ref()).await;
    let done = done.map_err(|error| hushed(error, values_of(attributes), deed.call.secrets));
    deed.call.crossing.cross(Point::Acted)?;
    judge(deed, before, done).await
}

/// What there is after helm's last word.
async fn judge(
    deed: &Deed<'_>,
    before: u64,
    done: Result<(), ProviderError>,
) -> Result<Applied, ProviderError> {
    let there = match deed.look().await {
        Ok(there) => there.filter(|revision| revision.number > before),
        // Whether it was done is not known, whatever helm said.
        Err(error) => return Err(doubtful(error)),
    };
    let Some(revision) = there else {
        return Err(match done {
            Ok(()) => {
                let text = format!("helm says that {} is done, and it is not", deed.site.place);
                ProviderError::new(ErrorKind::Unknown, text)
            }
            // Nothing was begun, so nothing is in doubt.
            Err(error) if error.kind == ErrorKind::Unknown => ProviderError {
                kind: ErrorKind::Unavailable,
                ..error
            },
            Err(error) => error,
        });
    };
    let release = view::open(&deed.site.cluster, &revision)
        .await
        .map_err(doubtful)?;
    let Some(release) = release else {
        let text = format!("{} is gone while it was looked at", deed.site.place);
        return Err(ProviderError::new(ErrorKind::Unknown, text));
    };
    match done {
        Ok(()) => {
            // Only spares later looks the opening: what is not noted is opened.
            let objects = objects::note(&release);
            let noted = view::note_objects(&deed.site.cluster, &revision, &objects, deed.until);
            let _spared = noted.await;
            let applied = deed.applied(&revision, &release, None).await;
            applied.map_err(doubtful)
        }
        // Helm has undone it: the world is as before.
        Err(error) if revision.status == DEPLOYED => Err(error),
        Err(error) if revision.is_pending() || may_pass(error.kind) => Err(doubtful(error)),
        Err(error) => {
            let error = vain::explained(deed, error).await;
            let applied = deed.applied(&revision, &release, Some(error)).await;
            applied.map_err(doubtful)
        }
    }
}

/// Whether the same again may well succeed.
fn may_pass(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unknown | ErrorKind::Throttled(_))
}

fn doubtful(error: ProviderError) -> ProviderError {
    ProviderError {
        kind: ErrorKind::Unknown,
        ..error
    }
}

/// Installs, or upgrades what is there.
async fn upgrade(
    deed: &Deed<'_>,
    wanted: &Wanted<'_>,
    there: Option<&Revision>,
) -> Result<(), ProviderError> {
    let number = there.map_or(0, |revision| revision.number) + 1;
    let attributes = deed.call.attributes;
    let flag = |key: &str| {
        attributes
            .get(key)
            .and_then(Value::as_bool)
            .unwrap_or(false)
    };
    let patience = patience(deed);
    let mut labels = deed.ownership(there);
    labels.extend(deed.stamp(wanted).labels(number));
    let attempt = Attempt {
        host: host(&deed.provider.turns()),
        until: now() + (patience + RESERVE).as_secs(),
    };
    labels.extend(attempt.labels(number));
    let mut arguments = words(&["upgrade", "--install", "--values", "-", "--reset-values"]);
    let version = deed.helm.binary.version;
    let force = deed.provider.settings.force_conflicts;
    for (wish, flag) in [
        (flag("wait"), version.wait()),
        (flag("wait_for_jobs"), "--wait-for-jobs"),
        (flag("atomic"), version.undo()),
        (flag("create_namespace"), "--create-namespace"),
        // Helm 3 takes over without being asked.
        (force && version >= SERVER_SIDE, "--force-conflicts"),
        (there.is_none() && version >= SERVER_SIDE, UNCHECKED),
    ] {
        if wish {
            arguments.push(flag.into());
        }
    }
    for (name, value) in [
        ("--namespace", deed.site.place.namespace.clone()),
        ("--labels", Argument(&labels).to_string()),
        ("--description", description(deed.call.owner, attributes)),
        ("--history-max", deed.provider.settings.history.to_string()),
        ("--timeout", format!("{}s", patience.as_secs())),
    ] {
        arguments.extend([OsString::from(name), value.into()]);
    }
    arguments.push("--".into());
    arguments.push(deed.site.place.release.clone().into());
    arguments.push(wanted.chart.path.clone().into_os_string());
    let values = serde_json::to_vec(&wanted.values).unwrap_or_default();
    let what = format!("installing {}", deed.site.place);
    if !flag("wait") {
        return act(
            deed,
            &what,
            &arguments,
            Some(values),
            std::future::pending(),
        )
        .await;
    }
    let before = vain::before(deed).await;
    let in_vain = vain::in_vain(deed, &before);
    act(deed, &what, &arguments, Some(values), in_vain).await
}

/// Takes the release away, with all that it made.
pub(super) async fn uninstall(deed: &Deed<'_>) -> Result<(), ProviderError> {
    let mut arguments = words(&["uninstall", "--cascade", "foreground"]);
    arguments.push(deed.helm.binary.version.wait().into());
    arguments.extend(place(deed));
    arguments.push("--".into());
    arguments.push(deed.site.place.release.clone().into());
    let what = format!("uninstalling {}", deed.site.place);
    match act(deed, &what, &arguments, None, std::future::pending()).await {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Goes back to an earlier revision.
pub(super) async fn roll_back(deed: &Deed<'_>, number: u64) -> Result<(), ProviderError> {
    let mut arguments = words(&["rollback"]);
    arguments.extend(place(deed));
    arguments.push("--".into());
    arguments.push(deed.site.place.release.clone().into());
    arguments.push(number.to_string().into());
    let what = format!("rolling {} back", deed.site.place);
    act(deed, &what, &arguments, None, std::future::pending()).await
}

async fn act(
    deed: &Deed<'_>,
    what: &str,
    arguments: &[OsString],
    input: Option<Vec<u8>>,
    in_vain: impl Future<Output = ProviderError>,
) -> Result<(), ProviderError> {
    let room = deed.provider.room.acquire().await;
    let run = Run {
        what,
        access: &deed.site.access,
        arguments,
        input,
        patience: deed.until.saturating_duration_since(Instant::now()),
    };
    let done = deed.helm.act(run, &deed.turn, in_vain).await;
    drop(room);
    done
}

/// Where the release is, and how long helm may wait.
fn place(deed: &Deed<'_>) -> Vec<OsString> {
    let timeout = format!("{}s", patience(deed).as_secs());
    let namespace = deed.site.place.namespace.as_str();
    words(&["--namespace", namespace, "--timeout", &timeout])
}

/// How long helm may wait for workloads: as the resource says, but not past the end of the try.
fn patience(deed: &Deed<'_>) -> Duration {
    let asked = deed
        .call
        .attributes
        .get("timeout_seconds")
        .and_then(Value::as_integer);
    let asked = u64::try_from(asked.unwrap_or(WAIT)).unwrap_or(1);
    let left = deed
        .until
        .saturating_duration_since(Instant::now() + RESERVE);
    Duration::from_secs(asked)
        .min(left)
        .max(Duration::from_secs(1))
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}
