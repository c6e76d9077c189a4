//! A server that answers as a test says: in trouble, too late, or cut short.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::provider::Kubernetes;
use super::super::settings::{ClusterSettings, KubernetesSettings};

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Answers with a code and a body.
    Say(u16, Json),
    /// The same, and asks for so many seconds of patience.
    Later(u16, u64),
    /// Answers with half of a body, and closes.
    Half,
    /// Closes without a word.
    Close,
}

/// A request, as a script sees it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: String,
}

type Script = Arc<dyn Fn(&Seen, usize) -> Act + Send + Sync>;

/// The server, and what it was asked.
pub(super) struct Fake {
    pub(super) provider: Arc<Kubernetes>,
    pub(super) seen: Arc<Mutex<Vec<Seen>>>,
    pub(super) most: Arc<AtomicUsize>,
    pub(super) folder: tempfile::TempDir,
}

/// A kubeconfig of a server without TLS.
pub(super) fn kubeconfig(folder: &Path, port: u16, user: &Json) -> std::path::PathBuf {
    let path = folder.join("kubeconfig");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": user}],
    });
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

/// A provider of one cluster.
pub(super) fn provider(kubeconfig: std::path::PathBuf, insecure: bool) -> Arc<Kubernetes> {
    let cluster = ClusterSettings {
        kubeconfig: Some(kubeconfig),
        default: true,
        insecure,
        ..ClusterSettings::default()
    };
    let settings = KubernetesSettings {
        concurrency: 4,
        force_conflicts: false,
        timeout: Duration::from_secs(5),
        clusters: BTreeMap::from([("fake".to_owned(), cluster)]),
    };
    Kubernetes::new(settings).unwrap()
}

impl Fake {
    /// Starts one. The script is asked for all but which kinds there are, with the number of the
    /// request among those of its method.
    pub(super) async fn new(script: impl Fn(&Seen, usize) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let config = kubeconfig(folder.path(), port, &json!({"token": "canary-token"}));
        let fake = Self {
            provider: provider(config, true),
            seen: Arc::default(),
            most: Arc::default(),
            folder,
        };
        let (seen, most) = (fake.seen.clone(), fake.most.clone());
        let (script, now): (Script, _) = (Arc::new(script), Arc::new(AtomicUsize::new(0)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, script) = (seen.clone(), script.clone());
                let (now, most) = (now.clone(), most.clone());
                tokio::spawn(async move { serve(stream, &seen, &script, &now, &most).await });
            }
        });
        fake
    }

    /// The requests of one method.
    pub(super) fn of(&self, method: &str) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|it| it.method == method)
            .cloned()
            .collect()
    }
}

/// Serves one connection until it is closed. `None`: it was.
async fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Seen>>,
    script: &Script,
    now: &AtomicUsize,
    most: &AtomicUsize,
) -> Option<()> {
    loop {
        let request = request(&mut stream).await?;
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        // So that requests that are let through together meet here.
        tokio::time::sleep(Duration::from_millis(2)).await;
        let act = if request.path == "/api/v1" {
            Act::Say(200, kinds())
        } else {
            let number = {
                let mut seen = seen.lock().unwrap();
                seen.push(request.clone());
                seen.iter().filter(|it| it.method == request.method).count() - 1
            };
            script(&request, number)
        };
        now.fetch_sub(1, Ordering::SeqCst);
        let (code, after, body, length) = match act {
            Act::Close => return None,
            Act::Half => (200, 0, "{\"kind\":".to_owned(), 100),
            Act::Say(code, body) => (code, 0, body.to_string(), body.to_string().len()),
            Act::Later(code, after) => (code, after, "{}".to_owned(), 2),
        };
        let after = if after > 0 {
            format!("Retry-After: {after}\r\n")
        } else {
            String::new()
        };
        let head = format!("HTTP/1.1 {code} X\r\nContent-Length: {length}\r\n{after}\r\n{body}");
        stream.write_all(head.as_bytes()).await.ok()?;
        if length > body.len() {
            return None;
        }
    }
}

async fn request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let length = text
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length:")?
                .trim()
                .parse()
                .ok()
        })
        .unwrap_or(0);
    while bytes.len() < head + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let mut words = text.split_whitespace().map(str::to_owned);
    Some(Seen {
        method: words.next()?,
        path: words.next()?,
        body: String::from_utf8_lossy(&bytes[head..]).into_owned(),
    })
}

fn kinds() -> Json {
    json!({"resources": [{"name": "configmaps", "kind": "ConfigMap", "namespaced": true,
        "verbs": ["create", "delete", "get", "list", "patch"]}]})
}
