//! The Helm charts of the blueprint: what a `helm.release` whose chart has the repository
//! [`EMBEDDED`] is installed from.
//!
//! In the folder `blueprint/charts` a service's chart says only what is its own; the rest is in the
//! library chart. Promises charts that stand alone, as Helm wants them: with the library inside and
//! with the schema of their values.

/// The repository of the charts that are part of the program.
pub const EMBEDDED: &str = "embedded";

/// A chart that is part of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    /// Its name.
    pub name: &'static str,
    /// Each file's path inside of the chart, with `/`, and its text.
    pub files: Vec<(String, &'static str)>,
}

/// The library, which every service's chart takes along.
const LIBRARY: &str = "matih-service-lib";

/// The schema of a service's values, a file of the library. Helm looks for it in the chart itself.
const SCHEMA: &str = include_str!("../blueprint/charts/matih-service-lib/service.schema.json");

macro_rules! files {
    ($chart:literal: $($path:literal)*) => {
        &[$(($path, include_str!(concat!("../blueprint/charts/", $chart, "/", $path)))),*]
    };
}

macro_rules! services {
    ($($chart:literal)*) => {
        &[$(($chart, files!($chart: "Chart.yaml" "values.yaml" "templates/service.yaml"))),*]
    };
}

type Files = &'static [(&'static str, &'static str)];

const LIBRARY_FILES: Files = files!("matih-service-lib":
    "Chart.yaml"
    "values.yaml"
    "templates/_config.tpl"
    "templates/_names.tpl"
    "templates/_network.tpl"
    "templates/_service.tpl"
    "templates/_workload.tpl"
);

const SERVICES: &[(&str, Files)] = services!(
    "matih-ai-service"
    "matih-bi-service"
    "matih-catalog-service"
    "matih-data-plane-agent"
    "matih-data-quality-service"
    "matih-governance-service"
    "matih-ml-service"
    "matih-ontology-service"
    "matih-ops-agent-service"
    "matih-pipeline-service"
    "matih-query-engine"
    "matih-render-service"
    "matih-semantic-layer"
);

const INGRESS: Files = files!("ingress-nginx":
    "Chart.yaml"
    "values.yaml"
    "values.schema.json"
    "templates/_names.tpl"
    "templates/access.yaml"
    "templates/class.yaml"
    "templates/controller.yaml"
    "templates/service.yaml"
);

/// Every chart of the blueprint, whole.
pub fn all() -> Vec<Chart> {
    let own = |files: Files| {
        let file = |(path, text): &(&str, &'static str)| ((*path).to_owned(), *text);
        files.iter().map(file).collect::<Vec<_>>()
    };
    let service = |(name, files): &(&'static str, Files)| {
        let mut files = own(files);
        files.push(("values.schema.json".to_owned(), SCHEMA));
        let library = LIBRARY_FILES.iter();
        files.extend(library.map(|(path, text)| (format!("charts/{LIBRARY}/{path}"), *text)));
        Chart { name, files }
    };
    let ingress = Chart {
        name: "ingress-nginx",
        files: own(INGRESS),
    };
    SERVICES.iter().map(service).chain([ingress]).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn below(folder: &Path, paths: &mut BTreeSet<String>, root: &Path) {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(&path, paths, root);
            } else {
                let path = path.strip_prefix(root).unwrap();
                paths.insert(path.to_string_lossy().into_owned());
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_part_of_the_program() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("blueprint/charts");
        let mut there = BTreeSet::new();
        below(&root, &mut there, &root);
        let own = |name: &str, files: Files| {
            let name = name.to_owned();
            files.iter().map(move |(path, _)| format!("{name}/{path}"))
        };
        let mut known: BTreeSet<String> = SERVICES
            .iter()
            .flat_map(|(name, files)| own(name, files).collect::<Vec<_>>())
            .collect();
        known.extend(own(LIBRARY, LIBRARY_FILES));
        known.extend(own("ingress-nginx", INGRESS));
        known.insert(format!("{LIBRARY}/service.schema.json"));
        assert_eq!(there, known);
    }

    #[test]
    fn a_service_stands_alone_and_bears_its_own_name() {
        let charts = all();
        assert_eq!(charts.len(), 14);
        for chart in charts {
            let text = |path: &str| {
                let mut files = chart.files.iter();
                files.find(|(it, _)| it == path).map(|(_, text)| *text)
            };
            let description = text("Chart.yaml").unwrap();
            assert!(description.contains(&format!("\nname: {}\n", chart.name)));
            assert!(text("values.schema.json").is_some(), "{}", chart.name);
            let alone = text("charts/matih-service-lib/Chart.yaml").is_some();
            assert_eq!(
                alone,
                description.contains("dependencies:"),
                "{}",
                chart.name
            );
        }
    }
}
