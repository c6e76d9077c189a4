//! Whether one end may open a connection to another, and which policies say so.

use std::fmt;
use std::net::Ipv4Addr;

use serde::Deserialize;

use super::network::{Direction, Network, Peer, Pod, Policy, PortRange, Rule};

/// The transport of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// What a connection is opened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port(pub Protocol, pub u16);

/// An end of a connection.
#[derive(Debug, Clone, Copy)]
pub enum End<'a> {
    /// A pod of the cluster.
    Pod(&'a Pod),
    /// An address outside of it.
    Outside(Ipv4Addr),
}

/// The answer, with the policies that decide it: for a refusal, those of the end that refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the connection may be opened.
    pub open: bool,
    /// Why.
    pub why: String,
}

impl Network {
    /// Whether `from` may open a connection to `to`.
    #[must_use]
    pub fn reach(&self, from: End<'_>, to: End<'_>, port: Port) -> Verdict {
        let out = self.side(from, to, port, Direction::Egress);
        let into = self.side(to, from, port, Direction::Ingress);
        match (out, into) {
            (Ok(out), Ok(into)) => Verdict {
                open: true,
                why: format!("{from} lets it out by {out}, {to} lets it in by {into}"),
            },
            (Err(refused), _) | (_, Err(refused)) => Verdict {
                open: false,
                why: refused,
            },
        }
    }

    /// What one end says: the policy that allows, or who refuses.
    fn side(
        &self,
        own: End<'_>,
        other: End<'_>,
        port: Port,
        direction: Direction,
    ) -> Result<String, String> {
        let End::Pod(pod) = own else {
            return Ok("no policy of ours".to_owned());
        };
        let mut selecting = Vec::new();
        for policy in self.policies.iter().filter(|it| it.selects(pod, direction)) {
            let rules = match direction {
                Direction::Ingress => &policy.ingress,
                Direction::Egress => &policy.egress,
            };
            if rules
                .iter()
                .any(|rule| self.allows(rule, policy, other, port))
            {
                return Ok(policy.name.clone());
            }
            selecting.push(&*policy.name);
        }
        if selecting.is_empty() {
            return Ok("no policy at all".to_owned());
        }
        let selecting = selecting.join(", ");
        Err(format!(
            "{pod} refuses {direction:?} {port} of {other}: none of {selecting}"
        ))
    }

    fn allows(&self, rule: &Rule, policy: &Policy, other: End<'_>, port: Port) -> bool {
        let peers = &rule.peers;
        let port_fits = rule.ports.is_empty() || rule.ports.iter().any(|it| it.covers(port));
        port_fits && (peers.is_empty() || peers.iter().any(|it| self.means(it, policy, other)))
    }

    fn means(&self, peer: &Peer, policy: &Policy, other: End<'_>) -> bool {
        match (other, &peer.ip_block) {
            (End::Outside(address), Some(block)) => block.covers(address),
            // Pods have addresses too. Plugins differ, so any address that a pod may have counts.
            (End::Pod(_), Some(block)) => POD_ADDRESSES.iter().any(|it| block.covers(*it)),
            (End::Outside(_), None) => false,
            (End::Pod(pod), None) => {
                let namespace = match &peer.namespace_selector {
                    Some(selector) => selector.selects(&self.labels(&pod.namespace)),
                    None => pod.namespace == policy.namespace,
                };
                let selector = peer.pod_selector.as_ref();
                namespace && selector.is_none_or(|selector| selector.selects(&pod.labels))
            }
        }
    }
}

/// An address of each private network that clusters take pods from.
const POD_ADDRESSES: [Ipv4Addr; 4] = [
    Ipv4Addr::new(10, 244, 1, 7),
    Ipv4Addr::new(172, 20, 1, 7),
    Ipv4Addr::new(192, 168, 1, 7),
    Ipv4Addr::new(100, 64, 1, 7),
];

impl Policy {
    fn selects(&self, pod: &Pod, direction: Direction) -> bool {
        self.namespace == pod.namespace
            && self.types.contains(&direction)
            && self.selector.selects(&pod.labels)
    }
}

impl PortRange {
    fn covers(&self, Port(protocol, number): Port) -> bool {
        let within = match (self.port, self.end_port) {
            (Some(first), Some(last)) => (first..=last).contains(&number),
            (Some(only), None) => only == number,
            (None, _) => true,
        };
        self.protocol == protocol && within
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.0, self.1)
    }
}

impl fmt::Display for Pod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Display for End<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pod(pod) => pod.fmt(f),
            Self::Outside(address) => address.fmt(f),
        }
    }
}
