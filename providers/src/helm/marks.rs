//! What matih writes on a release: labels of the Secret that Helm keeps each revision in.
//!
//! Helm copies the labels of a revision to the next one, whoever makes it. So a mark of ownership
//! outlives somebody else's upgrade, and what is true of one revision only (what it holds, whose
//! helm made it) names that revision in its value and is void on any other.

use std::collections::BTreeMap;
use std::fmt;

use matih_model::{Address, Name, OwnerMark, RunId, TenantId};

use super::KIND;

/// The label that every revision of a release of ours bears.
pub(crate) const INSTALLATION: &str = "helm.matih.ai/installation";
const TENANT: &str = "helm.matih.ai/tenant";
const NAME: &str = "helm.matih.ai/name";
const GENERATION: &str = "helm.matih.ai/generation";
const RUN: &str = "helm.matih.ai/run";
const CLUSTER: &str = "helm.matih.ai/cluster";
const CONTENT: &str = "helm.matih.ai/content";
const CHART: &str = "helm.matih.ai/chart";
const ATTEMPT: &str = "helm.matih.ai/attempt";

/// The most that a label holds.
const LONGEST: usize = 63;

/// Labels by name.
pub(super) type Labels = BTreeMap<String, String>;

/// The labels that say whose a release is, and which cluster its resource names.
pub(super) fn ownership(owner: &OwnerMark, cluster: &str) -> Labels {
    let mut labels = mark(owner);
    put(&mut labels, CLUSTER, cluster);
    labels
}

/// The labels that say whose a release is.
pub(super) fn mark(owner: &OwnerMark) -> Labels {
    let mut labels = Labels::new();
    put(&mut labels, INSTALLATION, &owner.installation);
    put(&mut labels, TENANT, owner.tenant().as_str());
    put(&mut labels, NAME, owner.address.name.as_str());
    put(&mut labels, GENERATION, &owner.generation.to_string());
    put(&mut labels, RUN, owner.run.as_str());
    labels
}

/// The mark that these labels bear; half a mark is none.
pub(super) fn owner(labels: &Labels) -> Option<OwnerMark> {
    let tenant = TenantId::new(get(labels, TENANT)?).ok()?;
    let name = Name::new(get(labels, NAME)?).ok()?;
    Some(OwnerMark {
        installation: get(labels, INSTALLATION)?,
        address: Address::new(tenant, KIND.parse().ok()?, name),
        generation: get(labels, GENERATION)?.parse().ok()?,
        run: RunId::new(get(labels, RUN)?),
    })
}

/// The cluster as the resource names it.
pub(super) fn cluster(labels: &Labels) -> Option<String> {
    get(labels, CLUSTER)
}

/// What a query must ask for to find the releases of one tenant of one installation.
pub(super) fn selector_of_tenant(installation: &str, tenant: &TenantId) -> String {
    let mut labels = Labels::new();
    put(&mut labels, INSTALLATION, installation);
    put(&mut labels, TENANT, tenant.as_str());
    selector(&labels)
}

/// What a query must ask for to find the releases of one installation.
pub(super) fn selector_of_installation(installation: &str) -> String {
    let mut labels = Labels::new();
    put(&mut labels, INSTALLATION, installation);
    selector(&labels)
}

/// What a query must ask for to find the release of one address, of whichever installation.
pub(super) fn selector_of_address(address: &Address) -> String {
    let mut labels = Labels::new();
    put(&mut labels, TENANT, address.tenant.as_str());
    put(&mut labels, NAME, address.name.as_str());
    selector(&labels)
}

fn selector(labels: &Labels) -> String {
    let terms = labels.iter().map(|(key, value)| format!("{key}={value}"));
    terms.collect::<Vec<_>>().join(",")
}

/// What is true of one revision only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The digest of what was asked for.
    pub(super) content: String,
    /// The digest of the chart's files.
    pub(super) chart: String,
}

impl Stamp {
    /// The labels that say so of a revision.
    pub(super) fn labels(&self, revision: u64) -> Labels {
        let bound = |text: &str| format!("{revision}.{text}");
        Labels::from([
            (CONTENT.to_owned(), bound(&self.content)),
            (CHART.to_owned(), bound(&self.chart)),
        ])
    }

    /// The stamp of a revision, if these labels were written for it.
    pub(super) fn of(labels: &Labels, revision: u64) -> Option<Self> {
        Some(Self {
            content: bound(labels, CONTENT, revision)?.to_owned(),
            chart: bound(labels, CHART, revision)?.to_owned(),
        })
    }
}

/// Whose helm makes a revision, and until when it may be at work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// The machine.
    pub(super) host: String,
    /// In seconds since the Unix epoch.
    pub(super) until: u64,
}

impl Attempt {
    /// The labels that say so of a revision.
    pub(super) fn labels(&self, revision: u64) -> Labels {
        let text = format!("{revision}.{}.{}", self.host, self.until);
        Labels::from([(ATTEMPT.to_owned(), text)])
    }

    /// The attempt of a revision, if these labels were written for it.
    pub(super) fn of(labels: &Labels, revision: u64) -> Option<Self> {
        let (host, until) = bound(labels, ATTEMPT, revision)?.rsplit_once('.')?;
        Some(Self {
            host: host.to_owned(),
            until: until.parse().ok()?,
        })
    }
}

fn bound<'a>(labels: &'a Labels, key: &str, revision: u64) -> Option<&'a str> {
    let (of, text) = labels.get(key)?.split_once('.')?;
    (of.parse() == Ok(revision)).then_some(text)
}

/// Labels as an argument of helm.
pub(super) struct Argument<'a>(pub(super) &'a Labels);

impl fmt::Display for Argument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&selector(self.0))
    }
}

/// Writes a text of any length and alphabet: as it is where one label can hold it, else in
/// hexadecimal over as many labels as it takes.
fn put(labels: &mut Labels, key: &str, text: &str) {
    if fits(text) {
        labels.insert(key.to_owned(), text.to_owned());
        return;
    }
    let pieces = text.as_bytes().chunks(LONGEST / 2);
    for (index, piece) in pieces.enumerate() {
        let hex = piece.iter().map(|byte| format!("{byte:02x}")).collect();
        labels.insert(format!("{key}.{index}"), hex);
    }
}

fn get(labels: &Labels, key: &str) -> Option<String> {
    if let Some(text) = labels.get(key) {
        return Some(text.clone());
    }
    let pieces = (0..).map_while(|index| labels.get(&format!("{key}.{index}")));
    let hex: String = pieces.map(String::as_str).collect();
    let digits = hex.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> = digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    let text = String::from_utf8(bytes?).ok()?;
    (!text.is_empty()).then_some(text)
}

fn fits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    bytes.len() <= LONGEST && edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(installation: &str, name: &str) -> OwnerMark {
        OwnerMark {
            installation: installation.to_owned(),
            address: format!("acme/helm.release/{name}").parse().unwrap(),
            generation: 3,
            run: RunId::new("run-01"),
        }
    }

    const AZURE: &str = "/subscriptions/0000/resourceGroups/rg-matih-acme-westeurope/providers/Microsoft.ContainerService/managedClusters/matih-acme";

    #[test]
    fn a_mark_comes_back_whatever_it_is_made_of() {
        let long = "n".repeat(100);
        for (installation, name, cluster) in [
            ("ins-01", "ai-service", "matih-prod"),
            ("two words, ünlike", &long, AZURE),
        ] {
            let owner = mark(installation, name);
            let labels = ownership(&owner, cluster);
            for value in labels.values() {
                assert!(fits(value), "{value}");
            }
            assert_eq!(super::owner(&labels), Some(owner));
            assert_eq!(super::cluster(&labels).as_deref(), Some(cluster));
        }
    }

    #[test]
    fn half_a_mark_is_none() {
        let whole = ownership(&mark("here", "x"), "c");
        for key in [INSTALLATION, TENANT, NAME, GENERATION, RUN] {
            let mut half = whole.clone();
            half.remove(key);
            assert_eq!(owner(&half), None, "{key}");
        }
        assert_eq!(cluster(&Labels::new()), None);
    }

    #[test]
    fn what_is_said_of_a_revision_is_void_on_the_next() {
        let stamp = Stamp {
            content: "c0ffee".to_owned(),
            chart: "abc".to_owned(),
        };
        let attempt = Attempt {
            host: "h1.example".to_owned(),
            until: 17,
        };
        let mut labels = stamp.labels(12);
        labels.extend(attempt.labels(12));
        assert_eq!(Stamp::of(&labels, 12), Some(stamp));
        assert_eq!(Attempt::of(&labels, 12), Some(attempt));
        for other in [1, 2, 11, 13, 120] {
            assert_eq!(Stamp::of(&labels, other), None);
            assert_eq!(Attempt::of(&labels, other), None);
        }
    }

    #[test]
    fn helm_takes_labels_as_one_argument() {
        let labels = Labels::from([
            ("a".to_owned(), "1".to_owned()),
            ("b".to_owned(), "2".to_owned()),
        ]);
        assert_eq!(Argument(&labels).to_string(), "a=1,b=2");
        let selector = selector_of_address(&"acme/helm.release/x".parse().unwrap());
        assert_eq!(selector, "helm.matih.ai/name=x,helm.matih.ai/tenant=acme");
    }
}
