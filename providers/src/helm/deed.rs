//! One changing call under way: which release, whether it may be touched, and what it comes to.

use std::sync::Arc;
use std::time::Duration;

use matih_model::{Applied, Attributes, Call, ErrorKind, OwnerMark, Point, ProviderError, Value};
use serde_json::{Map, Value as Json};
use tokio::time::Instant;

use super::chart::{Chart, Wish};
use super::child::Helm;
use super::content::{Asked, DEPLOYED, revealed, same, version};
use super::marks::{self, Labels, Stamp};
use super::objects::{self, Drift};
use super::observed::{Seen, is_exposed};
use super::outputs::{address, services};
use super::provider::HelmProvider;
use super::release::Release;
use super::site::{Site, required, whose};
use super::turn::Turn;
use super::view::{self, Revision};

/// How often a Service is asked for its address.
const ADDRESS_PAUSE: Duration = Duration::from_secs(2);

/// What is wanted of a release, ready to be sent.
pub(super) struct Wanted<'a> {
    pub(super) chart: Chart,
    /// The values, secrets by reference.
    tree: &'a Attributes,
    /// The values, secrets revealed.
    pub(super) values: Map<String, Json>,
}

/// A call to one release.
pub(super) struct Deed<'a> {
    pub(super) provider: &'a HelmProvider,
    pub(super) call: &'a Call<'a>,
    pub(super) helm: Arc<Helm>,
    pub(super) site: Site,
    /// The cluster as the resource names it.
    pub(super) cluster: &'a str,
    pub(super) turn: Turn,
    /// When the answer is due.
    pub(super) until: Instant,
}

static NO_VALUES: std::sync::LazyLock<Attributes> = std::sync::LazyLock::new(Attributes::new);

impl<'a> Deed<'a> {
    /// Finds out whom the call goes to, and waits for the turn.
    pub(super) async fn begin(
        provider: &'a HelmProvider,
        call: &'a Call<'a>,
    ) -> Result<Self, ProviderError> {
        provider.serves(&call.owner.address.kind)?;
        let until = crate::kubernetes::due(call.timeout);
        let cluster = required(call.attributes, "cluster")?;
        let namespace = required(call.attributes, "namespace")?;
        let release = required(call.attributes, "release")?;
        let site = provider.site(cluster, namespace, release).await?;
        let helm = provider.helm().await?;
        let turn = Turn::take(&provider.turns(), &site.place.to_string(), until).await?;
        Ok(Self {
            provider,
            call,
            helm,
            site,
            cluster,
            turn,
            until,
        })
    }

    /// The release's newest revision.
    pub(super) async fn look(&self) -> Result<Option<Revision>, ProviderError> {
        let place = &self.site.place;
        let found = view::newest_of(&self.site.cluster, &place.namespace, &place.release).await;
        Ok(found?)
    }

    /// Whether a release that is there may be taken over by a create: it bears our mark.
    pub(super) fn may_adopt(&self, revision: &Revision) -> Result<(), ProviderError> {
        let mark = marks::owner(&revision.labels);
        let ours = |mark: &OwnerMark| same_object(mark, self.call.owner);
        if mark.as_ref().is_some_and(ours) {
            return self.is_of_our_time(mark.as_ref());
        }
        let text = format!(
            "{} cannot be created: release {} is there already and belongs to {}",
            self.call.owner.address,
            self.site.place,
            whose(mark.as_ref())
        );
        Err(conflict(text).with_hint("`matih import` takes over what belongs to nobody"))
    }

    /// Whether the address has no release under another name.
    pub(super) async fn is_nowhere_else(&self) -> Result<(), ProviderError> {
        let selector = marks::selector_of_address(&self.call.owner.address);
        let found = view::newest(&self.site.cluster, None, &selector).await?;
        let other = found.into_values().find(|revision| {
            let mark = marks::owner(&revision.labels);
            mark.is_some_and(|mark| same_object(&mark, self.call.owner))
        });
        match other {
            None => Ok(()),
            Some(other) => Err(conflict(format!(
                "{} cannot be created: it is there already under another name, as {}/{}",
                self.call.owner.address, other.namespace, other.release
            ))),
        }
    }

    /// Whether a release may be touched by who knows its remote id: it bears a mark of the same
    /// installation and tenant, or none.
    pub(super) fn may_touch(&self, revision: &Revision) -> Result<(), ProviderError> {
        let owner = self.call.owner;
        let mark = marks::owner(&revision.labels);
        let foreign = |mark: &OwnerMark| {
            mark.installation != owner.installation || mark.tenant() != owner.tenant()
        };
        if mark.as_ref().is_some_and(foreign) {
            return Err(conflict(format!(
                "{} may not be touched: release {} belongs to {}",
                owner.address,
                self.site.place,
                whose(mark.as_ref())
            )));
        }
        self.is_of_our_time(mark.as_ref())
    }

    fn is_of_our_time(&self, mark: Option<&OwnerMark>) -> Result<(), ProviderError> {
        match mark {
            Some(mark) if mark.generation > self.call.owner.generation => Err(conflict(format!(
                "{} is there in a later life than this plan knows: as {}",
                self.call.owner.address,
                whose(Some(mark))
            ))),
            _ => Ok(()),
        }
    }

    /// Whether the release is as the call expects it.
    pub(super) async fn is_expected(&self, revision: &Revision) -> Result<(), ProviderError> {
        let Some(expects) = self.call.expects else {
            return Ok(());
        };
        let Some(release) = view::open(&self.site.cluster, revision).await? else {
            return Err(self.changed());
        };
        let drift = if release.info.status == DEPLOYED {
            self.drift(&release).await?
        } else {
            Drift::default()
        };
        let address = self.address(&release, false).await?.unwrap_or_default();
        let seen = Seen {
            place: &self.site.place,
            revision,
            release: &release,
            address: &address,
            drift: &drift,
        };
        // What is asked says which values are secrets; a look since may have been for either.
        let before = self.call.before.unwrap_or(self.call.attributes);
        let mut tokens = [before, self.call.attributes]
            .into_iter()
            .map(|asked| version(&seen.token(Some(asked))));
        let expected = tokens.any(|token| token == *expects);
        if expected {
            Ok(())
        } else {
            Err(self.changed())
        }
    }

    fn changed(&self) -> ProviderError {
        conflict(format!(
            "{} was changed by somebody else since it was last read; nothing was done",
            self.call.owner.address
        ))
        .with_hint("plan again: the new plan will show what changed")
    }

    /// Gathers what is to be sent.
    pub(super) async fn wanted(&self) -> Result<Wanted<'a>, ProviderError> {
        let wish = Wish::of(self.call.attributes)?;
        let chart = self.provider.charts.ready(&self.helm, wish).await?;
        let tree = values_of(self.call.attributes);
        let values = revealed(tree, self.call.secrets)?;
        Ok(Wanted {
            chart,
            tree,
            values,
        })
    }

    /// What a revision that holds just what is wanted bears.
    pub(super) fn stamp(&self, wanted: &Wanted<'_>) -> Stamp {
        let asked = Asked {
            namespace: &self.site.place.namespace,
            release: &self.site.place.release,
            chart: &wanted.chart.name,
            version: &wanted.chart.version,
            values: wanted.tree,
        };
        Stamp {
            content: asked.token(),
            chart: wanted.chart.digest.clone(),
        }
    }

    /// The revision opened, if it works and holds just what is wanted.
    pub(super) async fn as_wanted(
        &self,
        revision: &Revision,
        wanted: &Wanted<'_>,
    ) -> Result<Option<Release>, ProviderError> {
        let stamp = Stamp::of(&revision.labels, revision.number);
        let other_chart = stamp.is_some_and(|stamp| stamp.chart != wanted.chart.digest);
        if revision.status != DEPLOYED || other_chart {
            return Ok(None);
        }
        let release = view::open(&self.site.cluster, revision).await?;
        let release = release.filter(|release| {
            let metadata = &release.chart.metadata;
            metadata.name == wanted.chart.name
                && metadata.version == wanted.chart.version
                && release.info.status == DEPLOYED
                && same(&release.config, &wanted.values)
        });
        let Some(release) = release else {
            return Ok(None);
        };
        let drift = self.drift(&release).await?;
        Ok(drift.texts.is_empty().then_some(release))
    }

    async fn drift(&self, release: &Release) -> Result<Drift, ProviderError> {
        objects::drift(&self.site.cluster, &self.site.place.namespace, release).await
    }

    /// Puts our mark on a release that bears another one of ours, an older one, or none.
    pub(super) async fn mark(&self, revision: &Revision) -> Result<(), ProviderError> {
        let owner = self.call.owner;
        let marked =
            marks::owner(&revision.labels).is_some_and(|mark| mark.is_of_one_life_with(owner));
        if marked {
            return Ok(());
        }
        self.call.crossing.cross(Point::Sent)?;
        let labels = self.ownership(Some(revision));
        let done = view::relabel(&self.site.cluster, revision, &labels, self.until).await;
        self.call.crossing.cross(Point::Acted)?;
        Ok(done?)
    }

    /// The labels that say whose it is, for a release that is there or is not.
    pub(super) fn ownership(&self, there: Option<&Revision>) -> Labels {
        let there = there.and_then(|revision| marks::owner(&revision.labels));
        marks::ownership(&self.call.owner.onto(there.as_ref()), self.cluster)
    }

    /// What the call came to: the release with its address outside, if it is to have one.
    pub(super) async fn applied(
        &self,
        revision: &Revision,
        release: &Release,
        unready: Option<ProviderError>,
    ) -> Result<Applied, ProviderError> {
        let exposed = is_exposed(self.call.attributes);
        let wait = exposed && unready.is_none();
        let found = self.address(release, wait).await?;
        let unready = unready.or_else(|| {
            (exposed && found.is_none()).then(|| {
                let text = format!(
                    "{} has no address outside of the cluster yet",
                    self.site.place
                );
                ProviderError::new(ErrorKind::Unavailable, text)
                    .with_hint("when the cloud has given it one, apply again")
            })
        });
        let seen = Seen {
            place: &self.site.place,
            revision,
            release,
            address: found.as_deref().unwrap_or_default(),
            drift: &Drift::default(),
        };
        Ok(Applied {
            remote_id: self.site.place.id(),
            outputs: seen.outputs(),
            version: version(&seen.token(Some(self.call.attributes))),
            adopted: false,
            unready,
        })
    }

    async fn address(
        &self,
        release: &Release,
        wait: bool,
    ) -> Result<Option<String>, ProviderError> {
        let services = services(&release.manifest);
        let Some(first) = services.first().filter(|service| service.balanced) else {
            return Ok(None);
        };
        loop {
            let namespace = &self.site.place.namespace;
            let service = view::service(&self.site.cluster, namespace, &first.name).await?;
            let found = service.as_ref().and_then(address);
            if found.is_some() || !wait || Instant::now() + ADDRESS_PAUSE >= self.until {
                return Ok(found);
            }
            tokio::time::sleep(ADDRESS_PAUSE).await;
        }
    }
}

/// The values in the attributes of a release.
pub(super) fn values_of(attributes: &Attributes) -> &Attributes {
    let values = attributes.get("values").and_then(Value::as_map);
    values.unwrap_or(&NO_VALUES)
}

fn same_object(one: &OwnerMark, other: &OwnerMark) -> bool {
    one.installation == other.installation && one.address == other.address
}

pub(super) fn conflict(text: String) -> ProviderError {
    ProviderError::new(ErrorKind::Conflict, text)
}
