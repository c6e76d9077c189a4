//! This installation of matih: its state, its keys, its providers.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use matih_model::{Digest, Registry, SecretRef};
use matih_providers::SetupError;
use matih_state::{Holder, NewInstallation, OpenOptions, StateError, Store};

use crate::clock;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::platform::Platform;
use crate::render::time;
use crate::secrets::{Keys, Secrets};

/// Everything that outlives a command.
pub(crate) struct Installation {
    /// The platform.
    pub(crate) platform: Arc<Platform>,
    /// Where secrets come from.
    pub(crate) secrets: Secrets,
    /// The state file.
    pub(crate) path: PathBuf,
    registry: OnceLock<Registry>,
}

impl Installation {
    /// Finds state and keys; opens neither the state nor the world.
    ///
    /// # Errors
    /// The platform file is wrong, or there is a state without its key.
    pub(crate) fn open(context: &Context) -> Result<Self, Failure> {
        Self::of(context, Arc::new(Platform::load(context)?))
    }

    /// The same for a command that changes the world: with `--force-conflicts`, fields that other
    /// managers own are taken over.
    ///
    /// # Errors
    /// As [`Installation::open`].
    pub(crate) fn forced(context: &Context, force_conflicts: bool) -> Result<Self, Failure> {
        let platform = Platform::load(context)?.forced(force_conflicts);
        Self::of(context, Arc::new(platform))
    }

    /// The same, of a platform that is loaded already.
    ///
    /// # Errors
    /// There is a state without its key.
    pub(crate) fn of(context: &Context, platform: Arc<Platform>) -> Result<Self, Failure> {
        let path = context.global.state.clone();
        let path = path.unwrap_or_else(|| platform.path(&platform.file.state.path));
        let key = path.with_file_name("secret.key");
        let keys = Keys::open(&key, !path.exists())?;
        let secrets = Secrets::new(keys, platform.folder.clone());
        Ok(Self {
            platform,
            secrets,
            path,
            registry: OnceLock::new(),
        })
    }

    /// The state; none if there never was one.
    ///
    /// # Errors
    /// The state is there and cannot be used, or was there and is lost.
    pub(crate) fn store(&self) -> Result<Option<Store>, Failure> {
        match Store::open(&self.path, &OpenOptions::default()) {
            Ok(store) => Ok(Some(store)),
            Err(StateError::Absent { .. }) => Ok(None),
            Err(error) => Err(of_state(&error)),
        }
    }

    /// The state, which must be there.
    ///
    /// # Errors
    /// There is none, or it cannot be used.
    pub(crate) fn existing_store(&self) -> Result<Store, Failure> {
        let absent = || {
            let message = format!(
                "{} holds no state: nothing was ever applied.",
                self.path.display()
            );
            Failure::error(message).hint("matih apply SPEC")
        };
        self.store()?.ok_or_else(absent)
    }

    /// The state, made if there never was one.
    ///
    /// # Errors
    /// The state cannot be made, or is there and cannot be used, or was there and is lost.
    pub(crate) fn store_or_new(&self) -> Result<Store, Failure> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| Failure::file("made", folder, &error))?;
        }
        let holder = holder("init");
        let create = NewInstallation {
            id: clock::installation_id(),
            who: holder.who,
            host: holder.host,
            now_ms: clock::now_ms(),
        };
        let options = OpenOptions {
            create: Some(create),
        };
        Store::open(&self.path, &options).map_err(|error| of_state(&error))
    }

    /// The file of the simulated world.
    pub(crate) fn world(&self) -> PathBuf {
        self.platform.settings.world.clone()
    }

    /// Who serves which kind; opened at the first call, since plans of what was never applied
    /// need no world.
    ///
    /// # Errors
    /// A provider cannot be opened.
    pub(crate) fn registry(&self) -> Result<&Registry, Failure> {
        if let Some(registry) = self.registry.get() {
            return Ok(registry);
        }
        let registry = open_registry(&self.platform)?;
        Ok(self.registry.get_or_init(|| registry))
    }

    /// The keyed digest of a secret's value now.
    pub(crate) fn secret_digest(&self) -> impl Fn(&SecretRef) -> Option<Digest> {
        |reference| self.secrets.digest(reference)
    }
}

fn open_registry(platform: &Platform) -> Result<Registry, Failure> {
    let world = &platform.settings.world;
    if let Some(folder) = world.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Failure::file("made", folder, &error))?;
    }
    matih_providers::registry(&platform.settings).map_err(|error| match error {
        SetupError::World(error) => {
            let message = format!(
                "The simulated world {} cannot be used: {error}.",
                world.display()
            );
            Failure::error(message)
                .hint("it is only a simulation: remove the file, and apply makes a new world")
        }
        error => Failure::error(format!("{error}.")).hint("check the providers in matih.toml"),
    })
}

/// This process, as a lock names it.
pub(crate) fn holder(operation: &str) -> Holder {
    let who = ["MATIH_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    let who = who.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    Holder::of_this_process(who, operation)
}

/// What is wrong with state, as people see it.
pub(crate) fn of_state(error: &StateError) -> Failure {
    let (exit, message) = match error {
        StateError::Locked { tenant, lock } => {
            let message = format!(
                "{tenant} is locked by {} for `{}`, since {} (until {}, run {}, lock {}). Nothing was changed.",
                lock.holder,
                lock.holder.operation,
                time::moment(lock.since_ms),
                time::moment(lock.expires_ms),
                lock.run,
                lock.id
            );
            (Exit::Locked, message)
        }
        StateError::LockDamaged { .. }
        | StateError::LockLost { .. }
        | StateError::LeaseOver { .. } => (Exit::Locked, format!("{error}.")),
        StateError::StalePlan { .. } => (Exit::Stale, format!("{error}.")),
        _ => (Exit::Error, format!("{error}.")),
    };
    let failure = Failure::new(exit, message);
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
