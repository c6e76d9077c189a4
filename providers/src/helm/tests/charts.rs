//! Charts from every place that needs no registry: the program, a folder, a packed file, a
//! repository over HTTP. Needs helm and no cluster.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use matih_model::{Attributes, ErrorKind};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::binary::Binary;
use super::super::chart::{Chart, Charts, Wish};
use super::super::child::Helm;
use super::ground::CHART;

struct Place {
    folder: tempfile::TempDir,
    helm: Helm,
    charts: Charts,
}

impl Place {
    /// `None`: there is no helm, which has been said.
    async fn new(name: &str) -> Option<Self> {
        let named = std::env::var_os("MATIH_HELM").map(PathBuf::from);
        let Ok(binary) = Binary::find(named.as_deref()).await else {
            let required = std::env::var("MATIH_TEST_CLUSTER_REQUIRED").is_ok_and(|it| it == "1");
            assert!(!required, "{name} needs helm");
            eprintln!("SKIPPED {name}: it needs helm");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in CHART {
            let path = folder.path().join("charts/sample").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let own = CHART.iter().map(|(path, text)| ((*path).to_owned(), *text));
        let charts = Charts {
            embedded: BTreeMap::from([("sample".to_owned(), own.collect())]),
            base: folder.path().to_owned(),
            cache: folder.path().join("cache"),
        };
        let helm = Helm {
            binary,
            folder: folder.path().join("helm"),
            environment: Vec::new(),
            registries: None,
        };
        Some(Self {
            folder,
            helm,
            charts,
        })
    }

    async fn get(&self, repository: &str, version: &str) -> Result<Chart, (ErrorKind, String)> {
        let chart =
            json!({ "chart": { "repository": repository, "name": "sample", "version": version } });
        let attributes: Attributes = serde_json::from_value(chart).unwrap();
        let wish = Wish::of(&attributes).unwrap();
        let ready = self.charts.ready(&self.helm, wish).await;
        ready.map_err(|error| (error.kind, error.message))
    }

    async fn run(&self, arguments: &[&str]) {
        let arguments: Vec<_> = arguments.iter().map(Into::into).collect();
        let patience = std::time::Duration::from_secs(30);
        self.helm
            .ask("a test", &arguments, None, patience)
            .await
            .unwrap();
    }

    /// Packs the sample into a folder of its own.
    async fn packed(&self) -> PathBuf {
        let to = self.folder.path().join("packed");
        let from = self.folder.path().join("charts/sample");
        let (from, shown) = (from.to_str().unwrap(), to.to_str().unwrap());
        self.run(&["package", from, "--destination", shown]).await;
        to
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_of_the_program_is_written_once_and_whole() {
    let Some(place) = Place::new("a_chart_of_the_program").await else {
        return;
    };
    let chart = place.get("embedded", "1.0.0").await.unwrap();
    for (path, text) in CHART {
        assert_eq!(
            std::fs::read_to_string(chart.path.join(path)).unwrap(),
            *text
        );
    }
    assert_eq!(place.get("embedded", "1.0.0").await.unwrap(), chart);
    let (kind, told) = place.get("embedded", "9.0.0").await.unwrap_err();
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(
        told.contains("has version 1.0.0, and 9.0.0 is wanted"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_charts_a_chart_and_a_packed_one_are_found() {
    let Some(place) = Place::new("a_folder_of_charts").await else {
        return;
    };
    let among = place.get("charts", "1.0.0").await.unwrap();
    let itself = place.get("charts/sample", "1.0.0").await.unwrap();
    assert_eq!(among, itself);
    let packed = place.packed().await.join("sample-1.0.0.tgz");
    let packed = place.get(packed.to_str().unwrap(), "1.0.0").await.unwrap();
    assert_eq!(
        (packed.name.as_str(), packed.version.as_str()),
        ("sample", "1.0.0")
    );
    // Other files, another digest.
    let file = place.folder.path().join("charts/sample/values.yaml");
    std::fs::write(file, "number: 1\n").unwrap();
    let other = place.get("charts", "1.0.0").await.unwrap();
    assert_ne!(other.digest, among.digest);
    let (kind, told) = place.get("nowhere", "1.0.0").await.unwrap_err();
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(told.contains("there is no chart at"), "{told}");
}

/// Serves the files of a folder; ends with the test.
async fn serve(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let path = request
                .split(' ')
                .nth(1)
                .unwrap_or("/")
                .trim_start_matches('/');
            let file = std::fs::read(folder.join(path));
            let (code, body) = file.map_or((404, Vec::new()), |body| (200, body));
            let head = format!(
                "HTTP/1.1 {code} x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&body).await.unwrap();
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_of_a_repository_is_downloaded_once() {
    let Some(place) = Place::new("a_chart_of_a_repository").await else {
        return;
    };
    let served = place.packed().await;
    place
        .run(&["repo", "index", served.to_str().unwrap()])
        .await;
    let address = serve(served.clone()).await;
    let chart = place.get(&address, "1.0.0").await.unwrap();
    assert_eq!(
        (chart.name.as_str(), chart.version.as_str()),
        ("sample", "1.0.0")
    );
    // It is kept: the repository may go away.
    std::fs::remove_file(Path::new(&served).join("sample-1.0.0.tgz")).unwrap();
    assert_eq!(place.get(&address, "1.0.0").await.unwrap(), chart);
    let (_, told) = place.get(&address, "2.0.0").await.unwrap_err();
    assert!(told.starts_with("downloading the chart failed"), "{told}");
    let (kind, told) = place.get(&address, "").await.unwrap_err();
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(told.contains("needs a version"), "{told}");
}
