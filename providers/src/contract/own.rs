//! A provider on a system that others use too: installations and addresses of one bench's own.
//!
//! The suite speaks of `here`, `there` and `sample`, and expects to see nobody else's objects.

use std::sync::Arc;

use matih_model::{
    Address, Applied, Call, CheckReport, KindSchema, Marked, Name, Observed, OwnerMark, Provider,
    ProviderError, ProviderFuture, ReadRequest, Reading, Rehearsal, Rehearse, TenantId,
};

/// The provider, with a word added to each installation and name.
pub struct Own {
    provider: Arc<dyn Provider>,
    word: String,
    quiet: fn(&mut Reading),
}

impl Own {
    /// `word` is unlike any other bench's, in lower-case letters, digits and hyphens.
    pub fn new(provider: Arc<dyn Provider>, word: impl Into<String>) -> Self {
        Self {
            provider,
            word: word.into(),
            quiet: |_| (),
        }
    }

    /// `quiet` takes out of a reading what the system itself writes while the suite looks twice.
    #[must_use]
    pub fn with_quiet(mut self, quiet: fn(&mut Reading)) -> Self {
        self.quiet = quiet;
        self
    }

    fn theirs(&self, installation: &str) -> String {
        format!("{installation}-{}", self.word)
    }

    fn address(&self, address: &Address) -> Address {
        let name = Name::new(format!("{}-{}", address.name, self.word));
        Address {
            name: name.unwrap_or_else(|_| address.name.clone()),
            ..address.clone()
        }
    }

    fn owner(&self, owner: &OwnerMark) -> OwnerMark {
        OwnerMark {
            installation: self.theirs(&owner.installation),
            address: self.address(&owner.address),
            ..owner.clone()
        }
    }

    /// A mark in the words of the suite.
    fn ours(&self, mark: &mut OwnerMark) {
        let suffix = format!("-{}", self.word);
        if let Some(installation) = mark.installation.strip_suffix(&suffix) {
            mark.installation = installation.to_owned();
        }
        let name = mark.address.name.as_str();
        let name = name.strip_suffix(&suffix);
        if let Some(Ok(name)) = name.map(Name::new) {
            mark.address.name = name;
        }
    }

    async fn with<T>(
        &self,
        call: &Call<'_>,
        act: for<'c> fn(&'c dyn Provider, &'c Call<'c>) -> ProviderFuture<'c, T>,
    ) -> Result<T, ProviderError> {
        let owner = self.owner(call.owner);
        let call = Call {
            owner: &owner,
            ..*call
        };
        act(self.provider.as_ref(), &call).await
    }
}

impl Provider for Own {
    fn name(&self) -> &str {
        self.provider.name()
    }

    fn kinds(&self) -> Vec<KindSchema> {
        self.provider.kinds()
    }

    fn read<'a>(&'a self, requests: &'a [ReadRequest<'a>]) -> ProviderFuture<'a, Vec<Reading>> {
        Box::pin(async move {
            let addresses: Vec<Address> =
                requests.iter().map(|it| self.address(it.address)).collect();
            let requests = requests.iter().zip(&addresses);
            let requests = requests.map(|(it, address)| ReadRequest { address, ..*it });
            let mut readings = self.provider.read(&requests.collect::<Vec<_>>()).await?;
            for reading in &mut readings {
                (self.quiet)(reading);
                if let Reading::Present(observed) = reading {
                    observed.owner.iter_mut().for_each(|it| self.ours(it));
                }
            }
            Ok(readings)
        })
    }

    fn list<'a>(
        &'a self,
        installation: &'a str,
        tenant: &'a TenantId,
    ) -> ProviderFuture<'a, Vec<Observed>> {
        Box::pin(async move {
            let theirs = self.theirs(installation);
            let mut found = self.provider.list(&theirs, tenant).await?;
            let owners = found.iter_mut().flat_map(|found| &mut found.owner);
            owners.for_each(|owner| self.ours(owner));
            Ok(found)
        })
    }

    fn marks<'a>(
        &'a self,
        installation: &'a str,
        tenants: &'a [TenantId],
    ) -> ProviderFuture<'a, Vec<Marked>> {
        Box::pin(async move {
            let theirs = self.theirs(installation);
            let mut marked = self.provider.marks(&theirs, tenants).await?;
            for marked in &mut marked {
                self.ours(&mut marked.owner);
            }
            Ok(marked)
        })
    }

    fn rehearse<'a>(&'a self, requests: &'a [Rehearse<'a>]) -> ProviderFuture<'a, Vec<Rehearsal>> {
        Box::pin(async move {
            let owners = requests.iter().map(|it| self.owner(it.owner));
            let owners: Vec<OwnerMark> = owners.collect();
            let requests = requests.iter().zip(&owners);
            let requests = requests.map(|(it, owner)| Rehearse { owner, ..*it });
            self.provider.rehearse(&requests.collect::<Vec<_>>()).await
        })
    }

    fn create<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, Applied> {
        Box::pin(self.with(call, |it, call| it.create(call)))
    }

    fn update<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, Applied> {
        Box::pin(self.with(call, |it, call| it.update(call)))
    }

    fn delete<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, ()> {
        Box::pin(self.with(call, |it, call| it.delete(call)))
    }

    fn check<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, CheckReport> {
        self.provider.check(call)
    }
}
