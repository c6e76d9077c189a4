//! Where an object is: its kind, its name, the target that serves it, and which life of it.
//!
//! A remote id says all of it: `TARGET/GROUP/KIND/NAMESPACE/NAME/UID`, with `core` for the group
//! without a name and `-` for no namespace. People may leave out the uid when they import.

use std::fmt;

use matih_model::{Attributes, ErrorKind, ProviderError, RemoteId};

use super::json::text;
use super::wire::encoded;

/// Group, version and kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Gvk {
    /// Empty for the core.
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
}

impl Gvk {
    /// From `apiVersion` and `kind`.
    pub(super) fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
        }
    }

    /// As a manifest names it; `None` if it does not.
    pub(super) fn of(manifest: &Attributes) -> Option<Self> {
        let (version, kind) = (text(manifest, &["apiVersion"]), text(manifest, &["kind"]));
        (!version.is_empty() && !kind.is_empty()).then(|| Self::new(version, kind))
    }

    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// The root of its paths.
    fn root(&self) -> String {
        let root = if self.group.is_empty() { "api" } else { "apis" };
        format!("/{root}/{}", self.api_version())
    }

    /// Whether it is this kind of this group, in any version.
    pub(super) fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }
}

impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.api_version(), self.kind)
    }
}

/// The path of all objects of a kind, in one namespace or, where that is empty, in all.
pub(super) fn collection(gvk: &Gvk, plural: &str, namespace: &str) -> String {
    if namespace.is_empty() {
        format!("{}/{plural}", gvk.root())
    } else {
        format!("{}/namespaces/{}/{plural}", gvk.root(), encoded(namespace))
    }
}

/// An object's name, and the life of it that is meant, if one is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) target: String,
    pub(super) group: String,
    pub(super) kind: String,
    /// Empty for what is cluster-wide.
    pub(super) namespace: String,
    pub(super) name: String,
    /// Empty if any life is meant.
    pub(super) uid: String,
}

impl Place {
    /// Reads a remote id.
    ///
    /// # Errors
    /// It is none of ours.
    pub(super) fn parse(id: &RemoteId) -> Result<Self, ProviderError> {
        let parts: Vec<&str> = id.as_str().split('/').collect();
        let (place, uid) = match parts[..] {
            [target, group, kind, namespace, name] => ([target, group, kind, namespace, name], ""),
            [target, group, kind, namespace, name, uid] => {
                ([target, group, kind, namespace, name], uid)
            }
            _ => return Err(Self::unreadable(id)),
        };
        if place.iter().any(|part| part.is_empty()) {
            return Err(Self::unreadable(id));
        }
        let [target, group, kind, namespace, name] = place;
        let or_empty = |text: &str, none: &str| {
            if text == none {
                String::new()
            } else {
                text.to_owned()
            }
        };
        Ok(Self {
            target: target.to_owned(),
            group: or_empty(group, "core"),
            kind: kind.to_owned(),
            namespace: or_empty(namespace, "-"),
            name: name.to_owned(),
            uid: uid.to_owned(),
        })
    }

    fn unreadable(id: &RemoteId) -> ProviderError {
        let message = format!("`{id}` names no object of a cluster");
        ProviderError::new(ErrorKind::Invalid, message)
            .with_hint("write TARGET/GROUP/KIND/NAMESPACE/NAME, such as main/apps/Deployment/tenant-acme/web; `core` is the group of a Service, `-` stands for no namespace")
    }

    /// As a remote id.
    pub(super) fn id(&self) -> RemoteId {
        let or = |text: &'_ str, none: &'_ str| {
            if text.is_empty() {
                none.to_owned()
            } else {
                text.to_owned()
            }
        };
        let mut id = format!(
            "{}/{}/{}/{}/{}",
            self.target,
            or(&self.group, "core"),
            self.kind,
            or(&self.namespace, "-"),
            self.name
        );
        if !self.uid.is_empty() {
            id.push('/');
            id.push_str(&self.uid);
        }
        RemoteId::new(id)
    }
}

/// For people: `Deployment tenant-acme/web`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_id_prints_and_parses_back() {
        for id in [
            "main/core/Namespace/-/tenant-acme/2625e0e0",
            "main/apps/Deployment/tenant-acme/web",
            "main/rbac.authorization.k8s.io/ClusterRole/-/system:x/1",
        ] {
            let id = RemoteId::new(id);
            assert_eq!(Place::parse(&id).unwrap().id(), id);
        }
        for id in ["", "a/b", "main/core/Namespace//x", "a/b/c/d/e/f/g"] {
            assert!(Place::parse(&RemoteId::new(id)).is_err(), "{id}");
        }
    }

    #[test]
    fn paths_are_the_servers() {
        let core = Gvk::new("v1", "ConfigMap");
        assert_eq!(collection(&core, "configmaps", ""), "/api/v1/configmaps");
        let apps = Gvk::new("apps/v1", "Deployment");
        assert_eq!(
            collection(&apps, "deployments", "x"),
            "/apis/apps/v1/namespaces/x/deployments"
        );
        assert_eq!(
            (apps.api_version().as_str(), apps.to_string().as_str()),
            ("apps/v1", "apps/v1 Deployment")
        );
    }
}
