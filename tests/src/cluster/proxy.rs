//! A bad way to the API server: a proxy between matih and the cluster that does, by seed, what
//! networks and servers in trouble do.
//!
//! It promises to be an honest server: it speaks TLS with a certificate of the cluster's own
//! authority, HTTP/2 or HTTP/1.1 as the client likes, and what it passes on it passes on whole. A
//! fault is drawn for each request by the seed and counted when it is dealt. It refuses to know
//! what matih asks for: all that it tells apart are looks and changes.
//!
//! No fault ends a watch: matih reads by lists and polls (`cluster_role` counts its watches: none),
//! and the tenants of these tests have no releases, whose helms would watch.

mod answer;
mod fault;

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

pub use fault::{Fault, Tally};

use super::Cluster;
use crate::fail;
use answer::{Played, Reply, refusal};
use fault::Dice;

/// A proxy that runs until it is dropped.
pub struct Proxy {
    // Before the folder, so that nobody reads what is gone.
    _runtime: Runtime,
    way: Arc<Way>,
    folder: TempDir,
}

/// What all connections of a proxy share.
struct Way {
    server: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    authority: String,
    calm: AtomicBool,
    dice: Mutex<Dice>,
    seen: Mutex<BTreeMap<String, VecDeque<Reply>>>,
}

/// How many earlier answers to one question are kept for a stale read.
const KEPT: usize = 6;

impl Proxy {
    /// Starts a proxy to the cluster; of a thousand requests, about so many meet a fault.
    #[must_use]
    #[track_caller]
    pub fn start(cluster: &Cluster, seed: u64, per_thousand: usize) -> Self {
        match Self::try_start(cluster, seed, per_thousand) {
            Ok(proxy) => proxy,
            Err(error) => fail(&format!("the proxy: {error}")),
        }
    }

    fn try_start(cluster: &Cluster, seed: u64, per_thousand: usize) -> io::Result<Self> {
        let kubeconfig = std::fs::read_to_string(cluster.kubeconfig())?;
        let (before, rest) = split(&kubeconfig, "https://")?;
        let (authority, after) = split(rest, "\"")?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let port = listener.local_addr()?.port();
        let folder = tempfile::Builder::new().prefix("matih-proxy-").tempdir()?;
        std::fs::write(
            folder.path().join("kubeconfig"),
            format!("{before}https://127.0.0.1:{port}\"{after}"),
        )?;
        let way = Arc::new(Way {
            server: client(&cluster.pki())?,
            authority: authority.to_owned(),
            calm: AtomicBool::new(false),
            dice: Mutex::new(Dice::new(seed, per_thousand)),
            seen: Mutex::default(),
        });
        let acceptor = acceptor(&cluster.pki())?;
        runtime.spawn(accept(listener, acceptor, Arc::clone(&way)));
        Ok(Self {
            _runtime: runtime,
            way,
            folder,
        })
    }

    /// The kubeconfig of matih's account that leads through the proxy.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// From now on everything is passed on as it is, or not.
    pub fn calm(&self, calm: bool) {
        self.way.calm.store(calm, Ordering::SeqCst);
    }

    /// What was dealt so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        lock(&self.way.dice).tally.clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn split<'a>(text: &'a str, at: &str) -> io::Result<(&'a str, &'a str)> {
    let missing = || io::Error::other(format!("no `{at}` in the kubeconfig"));
    text.split_once(at).ok_or_else(missing)
}

/// A client of the real server, which trusts the cluster's authority and nobody else.
fn client(pki: &Path) -> io::Result<Client<HttpsConnector<HttpConnector>, Full<Bytes>>> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(pki.join("ca.crt")).map_err(io::Error::other)?;
    roots.add(authority).map_err(io::Error::other)?;
    let tls = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_only()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// The server's side, with the certificate that the cluster's authority has signed for this host.
fn acceptor(pki: &Path) -> io::Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(pki.join("server.crt"))
        .and_then(Iterator::collect)
        .map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(pki.join("server.key")).map_err(io::Error::other)?;
    let mut tls = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(io::Error::other)?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(tls)))
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, way: Arc<Way>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::spawn(serve(stream, acceptor.clone(), Arc::clone(&way)));
    }
}

/// One connection, until its end or until a fault cuts it with all that is under way on it.
async fn serve(stream: TcpStream, acceptor: TlsAcceptor, way: Arc<Way>) {
    // A client that gives up in the handshake is its own matter.
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let cut = Arc::new(Notify::new());
    let service = service_fn(|request| {
        let (way, cut) = (Arc::clone(&way), Arc::clone(&cut));
        async move { way.pass(request, &cut).await }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // Whoever broke it off, the client sees it.
        _ = connection => {}
        () = cut.notified() => {}
    }
}

impl Way {
    /// One request, with what the dice say of it.
    async fn pass(
        &self,
        request: Request<Incoming>,
        cut: &Notify,
    ) -> Result<Response<Played>, io::Error> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let path = parts.uri.path_and_query().map_or("/", |it| it.as_str());
        let is_look = parts.method == http::Method::GET;
        let earlier = is_look.then(|| self.earlier(path)).flatten();
        let dealt = if self.calm.load(Ordering::SeqCst) {
            None
        } else {
            lock(&self.dice).draw(is_look, earlier.is_some())
        };
        let Some(dealt) = dealt else {
            return Ok(self.ask(&parts, path, body).await?.whole());
        };
        match dealt.fault {
            Fault::Delay if dealt.coin => tokio::time::sleep(dealt.delay).await,
            Fault::ResetBefore => return broken(cut, dealt.coin).await,
            Fault::Conflict => return Ok(refusal(409, "Conflict", None)),
            Fault::Throttled => return Ok(refusal(429, "TooManyRequests", None)),
            Fault::ThrottledAfter => return Ok(refusal(429, "TooManyRequests", Some(1))),
            Fault::Broken => return Ok(refusal(500, "InternalError", None)),
            Fault::Unavailable => return Ok(refusal(503, "ServiceUnavailable", None)),
            Fault::Stale => {
                if let Some(reply) = earlier {
                    return Ok(reply.whole());
                }
            }
            _ => {}
        }
        let reply = self.ask(&parts, path, body).await?;
        match dealt.fault {
            Fault::Delay if !dealt.coin => tokio::time::sleep(dealt.delay).await,
            Fault::ResetAfter => return broken(cut, dealt.coin).await,
            Fault::BrokenAfter => return Ok(refusal(500, "InternalError", None)),
            Fault::Truncated => return Ok(reply.cut_short(dealt.coin)),
            _ => {}
        }
        Ok(reply.whole())
    }

    /// Passes a request on, and takes the whole answer.
    async fn ask(
        &self,
        parts: &http::request::Parts,
        path: &str,
        body: Bytes,
    ) -> io::Result<Reply> {
        let uri: Uri = format!("https://{}{path}", self.authority)
            .parse()
            .map_err(io::Error::other)?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = parts.headers.clone();
        for name in [header::HOST, header::CONNECTION, header::CONTENT_LENGTH] {
            request.headers_mut().remove(name);
        }
        let answer = self.server.request(request).await;
        let (head, body) = answer.map_err(io::Error::other)?.into_parts();
        let mut headers = head.headers;
        for name in [
            header::CONNECTION,
            header::TRANSFER_ENCODING,
            header::CONTENT_LENGTH,
        ] {
            headers.remove(name);
        }
        let reply = Reply {
            status: head.status,
            headers,
            body: body.collect().await.map_err(io::Error::other)?.to_bytes(),
        };
        if parts.method == http::Method::GET {
            self.remember(path, &reply);
        }
        Ok(reply)
    }

    fn remember(&self, path: &str, reply: &Reply) {
        let mut seen = lock(&self.seen);
        let replies = seen.entry(path.to_owned()).or_default();
        if replies.back().is_none_or(|last| last.body != reply.body) {
            replies.push_back(reply.clone());
        }
        if replies.len() > KEPT {
            replies.pop_front();
        }
    }

    /// An answer that this question had before its newest one.
    fn earlier(&self, path: &str) -> Option<Reply> {
        let seen = lock(&self.seen);
        let replies = seen.get(path).filter(|it| it.len() > 1)?;
        let at = lock(&self.dice).below(replies.len() - 1);
        replies.get(at).cloned()
    }
}

/// Breaks the connection, or only the exchange on it.
async fn broken(cut: &Notify, all: bool) -> Result<Response<Played>, io::Error> {
    if all {
        cut.notify_one();
        // The connection goes, and this with it.
        pending::<()>().await;
    }
    Err(io::Error::from(io::ErrorKind::ConnectionReset))
}

/// The longest that a delay may last; longer than the patience of the client that is tested.
pub const LONG: Duration = Duration::from_millis(2500);
