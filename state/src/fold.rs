//! How edits and outcomes change the record of a tenant. Pure: the same head, edits and outcomes
//! give the same record, before a crash and after it.

use std::collections::BTreeMap;
use std::sync::Arc;

use matih_model::{
    Address, Attributes, Digest, Edit, OutputRef, Recorded, Resource, SecretUse, Snapshot,
    SnapshotId, Value,
};

use crate::codec::{self, Sealed};
use crate::error::StateError;
use crate::journal::{JournalEntry, JournalState};
use crate::table::runs::RecordEdit;
use crate::table::tenants::TokenRow;

/// One recorded resource with its digest.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    recorded: Arc<Recorded>,
    digest: Digest,
}

/// What is recorded at an address after an outcome, if anything.
#[derive(Debug)]
pub(crate) struct Settled {
    address: Address,
    entry: Option<Entry>,
}

/// What is recorded of a tenant, by address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record(BTreeMap<Address, Entry>);

impl Record {
    /// The record of a snapshot.
    pub(crate) fn of(snapshot: &Snapshot, digests: &BTreeMap<Address, Digest>) -> Self {
        let entry = |(address, digest): (&Address, &Digest)| {
            let recorded = snapshot.get(address)?.clone();
            let digest = *digest;
            Some((address.clone(), Entry { recorded, digest }))
        };
        Self(digests.iter().filter_map(entry).collect())
    }

    /// Whether it is what a snapshot holds.
    pub(crate) fn is_of(&self, snapshot: &Snapshot) -> bool {
        let held = snapshot.resources().iter();
        held.eq(self.iter())
    }

    /// The digest of what is recorded at an address.
    pub(crate) fn digest(&self, address: &Address) -> Option<Digest> {
        self.0.get(address).map(|entry| entry.digest)
    }

    /// The same, once some outcomes are taken over.
    pub(crate) fn digest_after(&self, settled: &[Settled], address: &Address) -> Option<Digest> {
        match settled.iter().rfind(|it| it.address == *address) {
            Some(it) => it.entry.as_ref().map(|entry| entry.digest),
            None => self.digest(address),
        }
    }

    /// Puts a record in its place and returns its body, to be stored.
    fn put(&mut self, recorded: Arc<Recorded>) -> Result<Sealed, StateError> {
        let sealed = codec::seal_record(&recorded)?;
        let address = recorded.resource.address.clone();
        let digest = sealed.seal;
        self.0.insert(address, Entry { recorded, digest });
        Ok(sealed)
    }

    /// What an outcome changes here, and the body to be stored. `applied` is the record of an
    /// outcome that made one, with its body.
    pub(crate) fn settled(
        &self,
        row: &JournalEntry,
        applied: Option<(Arc<Recorded>, Sealed)>,
    ) -> Result<(Option<Settled>, Option<Sealed>), StateError> {
        let address = row.address.clone();
        let (recorded, body) = match (&row.state, applied) {
            (JournalState::Applied { .. }, Some(made)) => made,
            (JournalState::Unsettled, _) => {
                let mut recorded = Recorded::clone(self.find(&address)?);
                recorded.unsettled = true;
                let body = codec::seal_record(&recorded)?;
                (Arc::new(recorded), body)
            }
            (JournalState::Deleted, _) => {
                let entry = None;
                return Ok((Some(Settled { address, entry }), None));
            }
            _ => return Ok((None, None)),
        };
        let digest = body.seal;
        let entry = Some(Entry { recorded, digest });
        Ok((Some(Settled { address, entry }), Some(body)))
    }

    /// Takes over what an outcome changes.
    pub(crate) fn settle(&mut self, settled: Settled) {
        match settled.entry {
            Some(entry) => _ = self.0.insert(settled.address, entry),
            None => _ = self.0.remove(&settled.address),
        }
    }

    fn find(&self, address: &Address) -> Result<&Arc<Recorded>, StateError> {
        self.0
            .get(address)
            .map(|entry| &entry.recorded)
            .ok_or_else(|| StateError::Edit {
                address: address.clone(),
                why: "is not recorded",
            })
    }

    /// Carries out one change to the record alone; returns the bodies that it made.
    pub(crate) fn edit(&mut self, edit: &RecordEdit) -> Result<Vec<Sealed>, StateError> {
        match edit {
            RecordEdit::Import(recorded) => self.import(recorded),
            RecordEdit::Edit(Edit::Rewrite { resource }) => {
                let before = self.find(&resource.address)?.clone();
                let after = self.rewritten(&before, resource);
                Ok(vec![self.put(Arc::new(after))?])
            }
            RecordEdit::Edit(Edit::Forget { address }) => {
                self.find(address)?;
                self.0.remove(address);
                Ok(Vec::new())
            }
            RecordEdit::Edit(Edit::Refresh {
                address,
                outputs,
                version,
            }) => {
                let mut recorded = Recorded::clone(self.find(address)?);
                recorded.outputs = outputs.clone();
                recorded.version = Some(version.clone());
                Ok(vec![self.put(Arc::new(recorded))?])
            }
            RecordEdit::Edit(Edit::Move { from, to }) => self.rename(from, to),
        }
    }

    fn import(&mut self, recorded: &Recorded) -> Result<Vec<Sealed>, StateError> {
        let address = recorded.resource.address.clone();
        if self.0.contains_key(&address) {
            let why = "is recorded already";
            return Err(StateError::Edit { address, why });
        }
        Ok(vec![self.put(Arc::new(recorded.clone()))?])
    }

    /// The record under another desired form, which is what is there already: so a reference
    /// stands for what its output is now, or else for what it stood for before.
    fn rewritten(&self, before: &Recorded, resource: &Resource) -> Recorded {
        let resolved = resource
            .attributes
            .refs()
            .into_iter()
            .filter_map(|reference| {
                let entry = self.0.get(&reference.address);
                let now = entry.and_then(|it| it.recorded.outputs.get(&reference.output));
                let value = now.or_else(|| before.resolved.get(reference))?;
                Some((reference.clone(), value.clone()))
            })
            .collect();
        Recorded {
            resource: resource.clone(),
            resolved,
            ..before.clone()
        }
    }

    /// Calls a resource something else, also wherever another one speaks of it.
    fn rename(&mut self, from: &Address, to: &Address) -> Result<Vec<Sealed>, StateError> {
        self.find(from)?;
        if self.0.contains_key(to) {
            return Err(StateError::Edit {
                address: to.clone(),
                why: "is recorded already",
            });
        }
        let mut made = Vec::new();
        for (address, entry) in std::mem::take(&mut self.0) {
            let mut recorded = renamed(&entry.recorded, from, to);
            if address == *from {
                recorded.resource.address = to.clone();
            }
            if recorded == *entry.recorded {
                self.0.insert(address, entry);
            } else {
                made.push(self.put(Arc::new(recorded))?);
            }
        }
        Ok(made)
    }

    /// The digests by address: what a snapshot's identity is made of.
    pub(crate) fn digests(&self) -> BTreeMap<Address, Digest> {
        let pair = |(address, entry): (&Address, &Entry)| (address.clone(), entry.digest);
        self.0.iter().map(pair).collect()
    }

    /// Addresses and records, by address.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Address, &Arc<Recorded>)> {
        self.0
            .iter()
            .map(|(address, entry)| (address, &entry.recorded))
    }

    /// The records by address.
    pub(crate) fn resources(&self) -> BTreeMap<Address, Arc<Recorded>> {
        let pair =
            |(address, recorded): (&Address, &Arc<Recorded>)| (address.clone(), recorded.clone());
        self.iter().map(pair).collect()
    }

    /// Every secret in use, in order, without repeats.
    pub(crate) fn secrets(&self) -> Vec<SecretUse> {
        let mut found: Vec<SecretUse> = self
            .0
            .values()
            .flat_map(|entry| entry.recorded.resource.attributes.secrets())
            .cloned()
            .collect();
        found.sort();
        found.dedup();
        found
    }

    /// What a look at the world needs. What must be sent again has no token: it never counts as
    /// unchanged.
    pub(crate) fn tokens(&self, head: SnapshotId) -> TokenRow {
        let entries = self.0.iter().map(|(address, entry)| {
            let recorded = &entry.recorded;
            let version = recorded.version.clone().filter(|_| !recorded.unsettled);
            let remote_id = recorded.remote_id.clone();
            (address.resource_name(), remote_id, version, entry.digest)
        });
        TokenRow {
            head,
            entries: entries.collect(),
        }
    }
}

fn renamed(recorded: &Recorded, from: &Address, to: &Address) -> Recorded {
    let name = |address: &Address| if address == from { to } else { address }.clone();
    let point = |reference: &OutputRef| OutputRef {
        address: name(&reference.address),
        output: reference.output.clone(),
    };
    let attributes: Attributes = recorded
        .resource
        .attributes
        .map_refs(&mut |reference| Value::Ref(point(reference)));
    let resolved = recorded.resolved.iter();
    Recorded {
        resource: Resource {
            attributes,
            depends_on: recorded.resource.depends_on.iter().map(name).collect(),
            ..recorded.resource.clone()
        },
        resolved: resolved
            .map(|(reference, value)| (point(reference), value.clone()))
            .collect(),
        ..recorded.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use matih_model::{Lifecycle, Phase, RemoteId, RetryPolicy, Version};

    fn address(name: &str) -> Address {
        format!("acme/helm.release/{name}").parse().unwrap()
    }

    /// A resource whose `ip` is another one's output.
    fn resource(name: &str, points_at: Option<&str>) -> Resource {
        let mut attributes = Attributes::new();
        attributes.insert("chart", "1");
        if let Some(other) = points_at {
            attributes.insert("ip", Value::Ref(reference(other)));
        }
        Resource {
            address: address(name),
            phase: Phase::new(5).unwrap(),
            steps: Vec::new(),
            depends_on: points_at.map(address).into_iter().collect(),
            attributes,
            lifecycle: Lifecycle::default(),
            retry: RetryPolicy::default(),
        }
    }

    fn reference(name: &str) -> OutputRef {
        OutputRef {
            address: address(name),
            output: "ip".into(),
        }
    }

    fn recorded(resource: Resource, resolved: &[(&str, &str)]) -> Recorded {
        let mut outputs = Attributes::new();
        outputs.insert("ip", format!("ip of {}", resource.address.name));
        let pair = |(name, value): &(&str, &str)| (reference(name), Value::string(value));
        Recorded {
            resource,
            remote_id: RemoteId::new("uid"),
            outputs,
            generation: 1,
            resolved: resolved.iter().map(pair).collect(),
            version: Some(Version::new("1")),
            unsettled: false,
        }
    }

    /// `b` points at `a`.
    fn two() -> Record {
        let mut record = Record::default();
        for it in [
            recorded(resource("a", None), &[]),
            recorded(resource("b", Some("a")), &[("a", "10.0.0.1")]),
        ] {
            record.edit(&RecordEdit::Import(Box::new(it))).unwrap();
        }
        record
    }

    fn edit(record: &mut Record, edit: Edit) -> Result<Vec<Sealed>, StateError> {
        record.edit(&RecordEdit::Edit(edit))
    }

    fn get<'a>(record: &'a Record, name: &str) -> &'a Recorded {
        record.find(&address(name)).unwrap()
    }

    #[test]
    fn a_move_renames_it_wherever_it_is_spoken_of() {
        let mut record = two();
        let before = get(&record, "b").applied();
        let made = edit(
            &mut record,
            Edit::Move {
                from: address("a"),
                to: address("z"),
            },
        );
        assert_eq!(made.unwrap().len(), 2, "both records have new bodies");
        assert!(record.find(&address("a")).is_err());
        assert_eq!(get(&record, "z").resource.address, address("z"));
        let b = get(&record, "b");
        assert!(b.resource.depends_on.contains(&address("z")));
        assert_eq!(
            b.resource.attributes.get("ip"),
            Some(&Value::Ref(reference("z")))
        );
        assert_eq!(b.applied(), before, "what is applied has not changed");
    }

    #[test]
    fn a_rewrite_stands_for_what_outputs_are_now() {
        let mut record = two();
        let mut attributes = resource("b", Some("a"));
        attributes
            .attributes
            .insert("more", Value::Ref(reference("b")));
        let rewrite = Edit::Rewrite {
            resource: Arc::new(attributes),
        };
        let forget = Edit::Forget {
            address: address("a"),
        };
        for edited in [rewrite.clone(), forget, rewrite] {
            edit(&mut record, edited).unwrap();
            let applied = get(&record, "b").applied();
            assert_eq!(applied.text("ip"), Some("ip of a"), "as known last");
            assert_eq!(applied.text("more"), Some("ip of b"));
            assert!(!applied.values().any(Value::has_unknown));
        }
    }

    #[test]
    fn forget_and_refresh_touch_one_record() {
        let mut record = two();
        let refresh = Edit::Refresh {
            address: address("a"),
            outputs: Attributes::new(),
            version: Version::new("2"),
        };
        edit(&mut record, refresh).unwrap();
        assert_eq!(get(&record, "a").version, Some(Version::new("2")));
        let forget = Edit::Forget {
            address: address("a"),
        };
        edit(&mut record, forget.clone()).unwrap();
        assert_eq!(record.digests().len(), 1);
        let again = edit(&mut record, forget);
        assert!(matches!(again, Err(StateError::Edit { .. })));
    }

    #[test]
    fn what_is_recorded_is_neither_imported_nor_moved_over() {
        let mut record = two();
        let a = RecordEdit::Import(Box::new(recorded(resource("a", None), &[])));
        assert!(record.edit(&a).is_err());
        let onto = Edit::Move {
            from: address("a"),
            to: address("b"),
        };
        assert!(edit(&mut record, onto).is_err());
    }

    #[test]
    fn what_must_be_sent_again_has_no_token() {
        let mut record = two();
        let row = JournalEntry {
            index: matih_model::ActionIndex(0),
            address: address("a"),
            op: "update".into(),
            phase: Phase::new(5).unwrap(),
            fence: 1,
            attempt: 1,
            started_ms: 0,
            finished_ms: None,
            state: JournalState::Unsettled,
            ordinal: 1,
        };
        let (settled, body) = record.settled(&row, None).unwrap();
        record.settle(settled.unwrap());
        assert!(body.is_some() && get(&record, "a").unsettled);
        let head = SnapshotId(Digest::of_bytes("test", b""));
        let tokens = record.tokens(head).of(&address("a").tenant);
        let with_token: Vec<bool> = tokens.iter().map(|token| token.version.is_some()).collect();
        assert_eq!(with_token, [false, true]);
    }
}
