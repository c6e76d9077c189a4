//! Namespaces, pods and policies, and which of them a selector means.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Deserialize;
use serde_json::Value;

use super::reach::Protocol;

/// Labels of a pod or a namespace.
pub type Labels = BTreeMap<String, String>;

/// A pod, as far as policies see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// The namespace that it is in.
    pub namespace: String,
    /// Its name, for people.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
}

/// All that decides who may reach whom.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// The labels of each namespace. The server adds `kubernetes.io/metadata.name` by itself.
    pub namespaces: BTreeMap<String, Labels>,
    /// The pods.
    pub pods: Vec<Pod>,
    /// The policies.
    pub policies: Vec<Policy>,
}

/// A `NetworkPolicy`.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// The namespace whose pods it selects.
    pub namespace: String,
    /// Its name.
    pub name: String,
    pub(super) selector: Selector,
    pub(super) types: Vec<Direction>,
    pub(super) ingress: Vec<Rule>,
    pub(super) egress: Vec<Rule>,
}

/// Which end of a connection a policy is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Direction {
    /// What comes in.
    Ingress,
    /// What goes out.
    Egress,
}

/// A policy that this checker cannot read whole: it would prove something else than what holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(pub String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    pod_selector: Selector,
    policy_types: Option<Vec<Direction>>,
    #[serde(default)]
    ingress: Vec<Rule>,
    egress: Option<Vec<Rule>>,
}

/// One rule: these peers, on these ports. No peers means everybody, no ports means all.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    #[serde(default, alias = "from", alias = "to")]
    pub(super) peers: Vec<Peer>,
    #[serde(default)]
    pub(super) ports: Vec<PortRange>,
}

/// Who is meant: pods by their labels and those of their namespace, or addresses.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Peer {
    pub(super) namespace_selector: Option<Selector>,
    pub(super) pod_selector: Option<Selector>,
    pub(super) ip_block: Option<Block>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct PortRange {
    #[serde(default)]
    pub(super) protocol: Protocol,
    pub(super) port: Option<u16>,
    pub(super) end_port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Block {
    cidr: Cidr,
    #[serde(default)]
    except: Vec<Cidr>,
}

/// An IPv4 network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Cidr {
    base: u32,
    mask: u32,
}

/// A label selector; an empty one selects everything.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Selector {
    match_labels: Labels,
    match_expressions: Vec<Expression>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expression {
    key: String,
    operator: Operator,
    #[serde(default)]
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl Policy {
    /// Reads a manifest.
    ///
    /// # Errors
    /// It has something that this checker does not know, such as a named port.
    pub fn of_manifest(manifest: &Value) -> Result<Self, Malformed> {
        let text = |path: &str| manifest.pointer(path).and_then(Value::as_str);
        let name = text("/metadata/name").unwrap_or_default().to_owned();
        let namespace = text("/metadata/namespace").unwrap_or_default().to_owned();
        let spec = Spec::deserialize(&manifest["spec"])
            .map_err(|error| Malformed(format!("policy {namespace}/{name}: {error}")))?;
        // The API's own rule for policies that do not say their types.
        let types = spec.policy_types.unwrap_or_else(|| {
            let egress = spec.egress.as_ref().map(|_| Direction::Egress);
            [Direction::Ingress].into_iter().chain(egress).collect()
        });
        Ok(Self {
            namespace,
            name,
            selector: spec.pod_selector,
            types,
            ingress: spec.ingress,
            egress: spec.egress.unwrap_or_default(),
        })
    }
}

impl Network {
    /// The labels of a namespace, the server's own included.
    pub(super) fn labels(&self, namespace: &str) -> Labels {
        let mut labels = self.namespaces.get(namespace).cloned().unwrap_or_default();
        labels.insert(
            "kubernetes.io/metadata.name".to_owned(),
            namespace.to_owned(),
        );
        labels
    }
}

impl Selector {
    pub(super) fn selects(&self, labels: &Labels) -> bool {
        let equal = |(key, value): (&String, &String)| labels.get(key) == Some(value);
        self.match_labels.iter().all(equal)
            && self.match_expressions.iter().all(|it| it.holds(labels))
    }
}

impl Expression {
    fn holds(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        let listed = value.is_some_and(|value| self.values.contains(value));
        match self.operator {
            Operator::In => listed,
            Operator::NotIn => !listed,
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

impl Block {
    pub(super) fn covers(&self, address: Ipv4Addr) -> bool {
        let address = u32::from(address);
        let inside = |cidr: &Cidr| address & cidr.mask == cidr.base;
        inside(&self.cidr) && !self.except.iter().any(inside)
    }
}

impl TryFrom<String> for Cidr {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(address, length)| {
            let address: Ipv4Addr = address.parse().ok()?;
            let length: u32 = length.parse().ok().filter(|length| *length <= 32)?;
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            Some(Self {
                base: u32::from(address) & mask,
                mask,
            })
        });
        parsed.ok_or_else(|| format!("{text} is no IPv4 network"))
    }
}
