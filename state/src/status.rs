//! The life of a tenant: its eight statuses, which may follow which, and what a run makes of
//! them. Pure; the tables of domain.md sections 3.1 and 3.2.

use std::fmt;

use matih_model::{Phase, Tenancy, Verb};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Where a tenant is in its life (domain.md section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TenantStatus {
    /// Known, nothing made yet.
    Pending,
    /// Being brought up for the first time.
    Provisioning,
    /// Up.
    Active,
    /// Up, and being changed.
    Upgrading,
    /// Up, and closed to its users.
    Suspended,
    /// To be taken down; may still be restored.
    PendingDeletion,
    /// Bringing it up did not succeed.
    Failed,
    /// Taken down.
    Deleted,
}

/// A status that may not follow another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a tenant that is {from} cannot become {to}")]
pub struct StatusError {
    /// What it is.
    pub from: TenantStatus,
    /// What it was to become.
    pub to: TenantStatus,
}

/// How a run ended, as far as the tenant's status is concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum RunOutcome {
    /// All that was planned is done.
    Succeeded,
    /// Something failed for good.
    Failed {
        /// What, in a sentence.
        error: String,
    },
    /// It was stopped or interrupted; nothing failed.
    Stopped,
}

use TenantStatus::{
    Active, Deleted, Failed, Pending, PendingDeletion, Provisioning, Suspended, Upgrading,
};

impl TenantStatus {
    /// All eight, in the order of domain.md section 3.1.
    pub const ALL: [TenantStatus; 8] = [
        Pending,
        Provisioning,
        Active,
        Upgrading,
        Suspended,
        PendingDeletion,
        Failed,
        Deleted,
    ];

    /// The statuses that may follow this one.
    ///
    /// Beside the rows of domain.md section 3.1: an upgrade that fails goes back to `ACTIVE`
    /// (its recommended choice), a deletion may be taken back to any status that it was asked in,
    /// and a deleted tenant may be created anew.
    pub fn successors(self) -> &'static [TenantStatus] {
        match self {
            Pending => &[Provisioning, Deleted],
            Provisioning => &[Active, Failed],
            Active => &[Upgrading, Suspended, PendingDeletion],
            Upgrading => &[Active],
            Suspended => &[Active, PendingDeletion, Deleted],
            PendingDeletion => &[Active, Suspended, Failed, Deleted],
            Failed => &[Provisioning, PendingDeletion],
            Deleted => &[Pending],
        }
    }

    /// Takes the step to another status. Staying is always legal.
    ///
    /// # Errors
    /// The table has no such step.
    pub fn become_status(self, to: TenantStatus) -> Result<TenantStatus, StatusError> {
        if self == to || self.successors().contains(&to) {
            Ok(to)
        } else {
            Err(StatusError { from: self, to })
        }
    }

    /// The status that the start of a run brings. `before_deletion` is the status in which a
    /// deletion was asked for; an apply takes the deletion back.
    ///
    /// # Errors
    /// Such a run cannot start in this status (a suspended tenant is not changed).
    pub fn at_start(
        self,
        verb: &Verb,
        before_deletion: Option<TenantStatus>,
    ) -> Result<TenantStatus, StatusError> {
        match verb {
            Verb::Apply | Verb::Rollback(_) => match self {
                Pending | Provisioning | Failed => Ok(Provisioning),
                Deleted => Pending.become_status(Provisioning),
                Active | Upgrading => Ok(Upgrading),
                Suspended => self.become_status(Upgrading),
                PendingDeletion => {
                    let before = self.become_status(before_deletion.unwrap_or(Failed))?;
                    before.at_start(verb, None)
                }
            },
            Verb::Destroy => match self {
                Pending | Deleted => Ok(self),
                // What a crash left half-way has failed before it is taken down.
                Provisioning => Failed.become_status(PendingDeletion),
                Upgrading => Active.become_status(PendingDeletion),
                _ => self.become_status(PendingDeletion),
            },
            Verb::Import | Verb::Edit | Verb::Recover => Ok(self),
        }
    }

    /// The status that the end of a run brings. A run that was only stopped leaves it as it is,
    /// so that resuming goes on from there.
    pub fn at_end(self, verb: &Verb, outcome: &RunOutcome) -> TenantStatus {
        match (self, verb, outcome) {
            (Provisioning, Verb::Apply | Verb::Rollback(_), RunOutcome::Succeeded) => Active,
            (Provisioning, _, RunOutcome::Failed { .. }) => Failed,
            (Upgrading, Verb::Apply | Verb::Rollback(_), RunOutcome::Succeeded)
            | (Upgrading, _, RunOutcome::Failed { .. }) => Active,
            (PendingDeletion | Pending, Verb::Destroy, RunOutcome::Succeeded) => Deleted,
            (status, ..) => status,
        }
    }
}

impl fmt::Display for TenantStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Pending => "PENDING",
            Provisioning => "PROVISIONING",
            Active => "ACTIVE",
            Upgrading => "UPGRADING",
            Suspended => "SUSPENDED",
            PendingDeletion => "PENDING_DELETION",
            Failed => "FAILED",
            Deleted => "DELETED",
        })
    }
}

/// What the orchestrator is at, in the words of domain.md section 3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrchestratorState {
    /// Opened, nothing started.
    Initiated,
    /// Dedicated, phases 0 and 1.
    ValidatingServicePrincipal,
    /// Dedicated, phase 7, while the Terraform workspace has not answered yet.
    AcquiringTfLock,
    /// Dedicated, phase 7.
    ProvisioningInfrastructure,
    /// Dedicated, phases 2 to 4.
    #[serde(rename = "CREATING_K8S_RESOURCES")]
    CreatingK8sResources,
    /// Shared, phases 0 and 1.
    AllocatingNamespace,
    /// Shared, phases 2 to 4.
    ConfiguringQuotas,
    /// Phase 5.
    DeployingServices,
    /// Phases 6 and 8.
    VerifyingConnectivity,
    /// Ended well.
    Completed,
    /// Ended badly.
    Failed,
    /// A rollback is under way.
    RollingBack,
    /// A rollback ended well.
    RolledBack,
    /// A rollback ended badly.
    RollbackFailed,
    /// Stopped by a person before its end.
    Cancelled,
    /// Interrupted or unsettled: waits for somebody to resume.
    Paused,
}

impl OrchestratorState {
    /// What a run that is under way is at: `phase` is the last one in which an action started.
    pub fn under_way(verb: &Verb, tenancy: Tenancy, phase: Option<Phase>) -> Self {
        if matches!(verb, Verb::Rollback(_)) {
            return Self::RollingBack;
        }
        let Some(phase) = phase.map(Phase::number) else {
            return Self::Initiated;
        };
        match (tenancy, phase) {
            (Tenancy::Dedicated, 0 | 1) => Self::ValidatingServicePrincipal,
            (Tenancy::Dedicated, 2..=4) => Self::CreatingK8sResources,
            (Tenancy::Shared, 0 | 1) => Self::AllocatingNamespace,
            (Tenancy::Shared, 2..=4) => Self::ConfiguringQuotas,
            (_, 5) => Self::DeployingServices,
            (_, 7) => Self::ProvisioningInfrastructure,
            _ => Self::VerifyingConnectivity,
        }
    }

    /// What a run that has ended came to.
    pub fn ended(verb: &Verb, outcome: &RunOutcome) -> Self {
        match (verb, outcome) {
            (Verb::Rollback(_), RunOutcome::Succeeded) => Self::RolledBack,
            (Verb::Rollback(_), RunOutcome::Failed { .. }) => Self::RollbackFailed,
            (_, RunOutcome::Succeeded) => Self::Completed,
            (_, RunOutcome::Failed { .. }) => Self::Failed,
            (_, RunOutcome::Stopped) => Self::Cancelled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use matih_model::{Digest, SnapshotId};

    fn rollback() -> Verb {
        Verb::Rollback(SnapshotId(Digest::of_bytes("test", b"")))
    }

    fn failed() -> RunOutcome {
        RunOutcome::Failed { error: "no".into() }
    }

    #[test]
    fn only_the_tables_steps_are_legal() {
        let legal: usize = TenantStatus::ALL.iter().map(|s| s.successors().len()).sum();
        assert_eq!(legal, 18);
        assert_eq!(Pending.become_status(Active).unwrap_err().to, Active);
        assert!(Upgrading.become_status(Failed).is_err(), "it still runs");
        assert!(Deleted.become_status(Active).is_err());
        assert_eq!(Active.become_status(Active), Ok(Active));
    }

    #[test]
    fn each_run_leads_along_legal_steps_from_every_status_it_can_start_in() {
        for verb in [Verb::Apply, rollback(), Verb::Destroy, Verb::Recover] {
            for status in TenantStatus::ALL {
                let Ok(started) = status.at_start(&verb, Some(Active)) else {
                    assert_eq!(status, Suspended);
                    continue;
                };
                for outcome in [RunOutcome::Succeeded, failed(), RunOutcome::Stopped] {
                    let ended = started.at_end(&verb, &outcome);
                    assert!(
                        started.become_status(ended).is_ok(),
                        "{started} to {ended} by {verb}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_failing_upgrade_leaves_the_tenant_active_and_a_failing_first_apply_does_not() {
        let upgrading = Active.at_start(&Verb::Apply, None).unwrap();
        assert_eq!(upgrading.at_end(&Verb::Apply, &failed()), Active);
        let first = Pending.at_start(&Verb::Apply, None).unwrap();
        assert_eq!(first.at_end(&Verb::Apply, &failed()), Failed);
        assert_eq!(
            first.at_end(&Verb::Apply, &RunOutcome::Stopped),
            Provisioning
        );
    }

    #[test]
    fn a_deletion_is_taken_back_to_where_it_was_asked() {
        let back = |before| PendingDeletion.at_start(&Verb::Apply, Some(before));
        assert_eq!(back(Active), Ok(Upgrading));
        assert_eq!(back(Failed), Ok(Provisioning));
        assert!(back(Suspended).is_err());
    }

    #[test]
    fn the_orchestrator_follows_phase_and_tenancy() {
        let at = |tenancy, phase| {
            OrchestratorState::under_way(&Verb::Apply, tenancy, Phase::new(phase).ok())
        };
        assert_eq!(
            at(Tenancy::Shared, 1),
            OrchestratorState::AllocatingNamespace
        );
        assert_eq!(
            at(Tenancy::Dedicated, 7),
            OrchestratorState::ProvisioningInfrastructure
        );
        assert_eq!(
            OrchestratorState::under_way(&Verb::Apply, Tenancy::Shared, None),
            OrchestratorState::Initiated
        );
        assert_eq!(
            OrchestratorState::ended(&rollback(), &failed()),
            OrchestratorState::RollbackFailed
        );
        let text = serde_json::to_string(&OrchestratorState::CreatingK8sResources).unwrap();
        assert_eq!(text, "\"CREATING_K8S_RESOURCES\"");
    }
}
