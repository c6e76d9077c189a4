//! The gate before a tenant is activated, as far as a cluster can answer: are the pods of each
//! service Ready, has the Ingress an address, is the certificate ready, are the named releases
//! deployed, and do the policies leave open what must be open.
//!
//! Promises to ask the cluster alone and to change nothing. What is not ready gets the time that
//! the check allows; what a policy shuts is told at once, since no time opens it. What follows from
//! what was seen is decided in `ways` and by [`Seen`] itself, which ask nobody.

mod seen;
mod ways;

use std::collections::BTreeSet;
use std::time::Duration;

use matih_model::{Call, CheckFinding, ProviderError};
use seen::Seen;
use tokio::time::Instant;

use super::cluster::Cluster;
use super::json::{number, text};
use super::provider::Kubernetes;
use super::workload::coming;

/// Between two looks at what is not ready.
const PAUSE: Duration = Duration::from_secs(1);

/// All that is wrong in the cluster of a check.
///
/// # Errors
/// The cluster cannot be asked.
pub(crate) async fn findings(
    provider: &Kubernetes,
    call: &Call<'_>,
) -> Result<Vec<CheckFinding>, ProviderError> {
    let (asked, tenant) = (call.attributes, call.owner.tenant());
    let target = provider.target(text(asked, &["cluster"]))?;
    let cluster = provider.cluster(&target).await?;
    let budget = number(asked, &["budget_seconds"]).and_then(|it| u64::try_from(it).ok());
    let budget = Duration::from_secs(budget.unwrap_or(0)).min(call.timeout.mul_f32(0.8));
    let until = Instant::now() + budget;
    loop {
        let seen = Seen::look(&cluster, asked).await?;
        let shut = seen.shut(asked, tenant);
        let mut unready = seen.unready(asked, tenant);
        if (unready.is_empty() && shut.is_empty()) || Instant::now() + PAUSE >= until {
            for finding in &mut unready {
                finding.explain(&cluster, text(asked, &["namespace"])).await;
            }
            let unready = unready.into_iter().map(|it| CheckFinding {
                message: it.message,
                hint: Some(it.hint),
            });
            return Ok(unready.chain(shut).collect());
        }
        if unready.is_empty() {
            return Ok(shut);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Something that is not ready.
struct Unready {
    message: String,
    hint: String,
    /// Finds its pods, where it has some.
    selector: Option<String>,
}

impl Unready {
    fn new(message: String, namespace: &str) -> Self {
        Self {
            message,
            hint: format!("look at it with `kubectl get pods,ingress --namespace {namespace}`"),
            selector: None,
        }
    }

    /// Says why, in the words of the pods.
    async fn explain(&mut self, cluster: &Cluster, namespace: &str) {
        let Some(selector) = &self.selector else {
            return;
        };
        let coming = coming(cluster, namespace, selector, &BTreeSet::new()).await;
        if let Some(why) = coming.why {
            self.message = format!("{}: {}", self.message, why.text);
            self.hint = why.hint.to_owned();
        }
    }
}
