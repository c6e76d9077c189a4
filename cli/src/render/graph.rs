//! The resources of a tenant and what they wait for, as Graphviz, Mermaid, SVG or JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use matih_model::{Address, Phase, ResourceGraph};
use serde_json::json;

mod svg;

pub(crate) use svg::svg;

/// What is drawn: nodes by phase in the order that the tenancy runs them, and edges from what is
/// needed to what waits for it.
pub(crate) struct Picture<'a> {
    title: String,
    columns: Vec<(Phase, Vec<&'a Address>)>,
    edges: Vec<(&'a Address, &'a Address)>,
}

impl<'a> Picture<'a> {
    /// The whole graph, or one phase of it.
    pub(crate) fn new(graph: &'a ResourceGraph, only: Option<Phase>) -> Self {
        let wanted = |phase: Phase| only.is_none_or(|only| only == phase);
        let mut by_phase: BTreeMap<u8, (Phase, Vec<&Address>)> = BTreeMap::new();
        let mut edges = Vec::new();
        for (address, resource) in graph.resources() {
            if !wanted(resource.phase) {
                continue;
            }
            by_phase
                .entry(graph.tenancy().rank(resource.phase))
                .or_insert((resource.phase, Vec::new()))
                .1
                .push(address);
            for needed in resource.dependencies() {
                if let Some((needed, it)) = graph.resources().get_key_value(needed)
                    && wanted(it.phase)
                {
                    edges.push((needed, address));
                }
            }
        }
        Self {
            title: format!("{} ({})", graph.tenant(), graph.tenancy()),
            columns: by_phase.into_values().collect(),
            edges,
        }
    }
}

fn label(address: &Address) -> String {
    format!("{}/{}", address.kind, address.name)
}

/// For Graphviz.
pub(crate) fn dot(picture: &Picture<'_>) -> String {
    let mut text = format!(
        "digraph \"{}\" {{\n  rankdir = LR;\n  node [shape = box, fontname = \"sans-serif\"];\n",
        picture.title
    );
    for (phase, addresses) in &picture.columns {
        let number = phase.number();
        let _ = writeln!(
            text,
            "  subgraph cluster_{number} {{\n    label = \"{phase}\";"
        );
        for address in addresses {
            let _ = writeln!(text, "    \"{}\";", label(address));
        }
        text.push_str("  }\n");
    }
    for (needed, waiting) in &picture.edges {
        let _ = writeln!(text, "  \"{}\" -> \"{}\";", label(needed), label(waiting));
    }
    text + "}\n"
}

/// For Mermaid.
pub(crate) fn mermaid(picture: &Picture<'_>) -> String {
    let mut ids = BTreeMap::new();
    let mut text = "flowchart LR\n".to_owned();
    for (phase, addresses) in &picture.columns {
        let _ = writeln!(text, "  subgraph p{}[\"{phase}\"]", phase.number());
        for address in addresses {
            let id = ids.len();
            ids.insert(*address, id);
            let _ = writeln!(text, "    n{id}[\"{}\"]", label(address));
        }
        text.push_str("  end\n");
    }
    for (needed, waiting) in &picture.edges {
        if let (Some(from), Some(to)) = (ids.get(needed), ids.get(waiting)) {
            let _ = writeln!(text, "  n{from} --> n{to}");
        }
    }
    text
}

/// For programs: `{nodes: [{address, phase}], edges: [{from, to}]}`, an edge from what is needed
/// to what waits for it.
pub(crate) fn json(picture: &Picture<'_>) -> serde_json::Value {
    let nodes = picture.columns.iter().flat_map(|(phase, addresses)| {
        let node = move |address| json!({ "address": address, "phase": phase });
        addresses.iter().map(node)
    });
    let edge = |(from, to): &(&Address, &Address)| json!({ "from": from, "to": to });
    json!({
        "title": picture.title,
        "nodes": nodes.collect::<Vec<_>>(),
        "edges": picture.edges.iter().map(edge).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use matih_model::{
        Attributes, Lifecycle, Resource, RetryPolicy, StepNumber, Tenancy, TenantId,
    };

    pub(super) fn graph() -> ResourceGraph {
        let resource = |address: &str, phase, needs: &[&str]| Resource {
            address: address.parse().unwrap(),
            phase: Phase::new(phase).unwrap(),
            steps: vec![StepNumber::new(7).unwrap()],
            depends_on: needs.iter().map(|it| it.parse().unwrap()).collect(),
            attributes: Attributes::new(),
            lifecycle: Lifecycle::default(),
            retry: RetryPolicy::default(),
        };
        let list = vec![
            resource(
                "acme/kubernetes.manifest/namespace",
                2,
                &["acme/terraform.workspace/main"],
            ),
            resource(
                "acme/kubernetes.manifest/quota",
                2,
                &["acme/kubernetes.manifest/namespace"],
            ),
            resource("acme/terraform.workspace/main", 7, &[]),
        ];
        ResourceGraph::new(TenantId::new("acme").unwrap(), Tenancy::Dedicated, list).unwrap()
    }

    #[test]
    fn phases_stand_in_the_order_of_the_tenancy() {
        let graph = graph();
        let picture = Picture::new(&graph, None);
        let phases: Vec<u8> = picture
            .columns
            .iter()
            .map(|(phase, _)| phase.number())
            .collect();
        assert_eq!(phases, [7, 2]);
        assert_eq!(
            dot(&picture)
                .lines()
                .filter(|line| line.contains("->"))
                .collect::<Vec<_>>(),
            [
                r#"  "terraform.workspace/main" -> "kubernetes.manifest/namespace";"#,
                r#"  "kubernetes.manifest/namespace" -> "kubernetes.manifest/quota";"#,
            ]
        );
        assert!(mermaid(&picture).contains("n0 --> n1\n  n1 --> n2\n"));
    }

    #[test]
    fn one_phase_shows_its_own_edges_only() {
        let graph = graph();
        let picture = Picture::new(&graph, Some(Phase::new(2).unwrap()));
        let json = json(&picture);
        assert_eq!(json["nodes"].as_array().unwrap().len(), 2);
        assert_eq!(json["edges"].as_array().unwrap().len(), 1);
    }
}
