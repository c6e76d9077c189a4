//! A bad way to the API server: a proxy between matih and the cluster that does, by seed, what
//! networks and servers in trouble do.
//!
//! It promises to be an honest server: it speaks TLS with a certificate of the cluster's own
//! authority, HTTP/2 or HTTP/1.1 as the client likes, and what it passes on it passes on whole. A
//! fault is drawn for each request by the seed and counted when it is dealt. It refuses to know
//! what matih asks for: all that it tells apart are looks and changes.

mod fault;

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
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

/// A whole answer of the server.
#[derive(Clone, PartialEq)]
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
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

/// An answer of the server in its own form.
fn refusal(code: u16, reason: &str, after: Option<u64>) -> Response<Played> {
    let message = match code {
        409 => "the object has been modified; please apply your changes to the latest version",
        429 => "too many requests, please try again later",
        500 => "Internal error occurred: the storage did not answer",
        _ => "the server is currently unable to handle the request",
    };
    let body = serde_json::json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
        "status": "Failure", "message": message, "reason": reason, "code": code});
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    if let Some(seconds) = after {
        headers.insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
    }
    let reply = Reply {
        status: StatusCode::from_u16(code).unwrap_or_default(),
        headers,
        body: body.to_string().into(),
    };
    reply.whole()
}

impl Reply {
    fn whole(self) -> Response<Played> {
        let length = self.body.len();
        self.played(length, false)
    }

    /// Half of it: under an honest length, so that the text is cut short, or under the length of
    /// the whole, so that the connection breaks in its midst.
    fn cut_short(self, honest: bool) -> Response<Played> {
        let half = self.body.len() / 2;
        self.played(half, !honest)
    }

    fn played(self, length: usize, breaks: bool) -> Response<Played> {
        let promised = if breaks { self.body.len() } else { length };
        let mut answer = Response::new(Played {
            rest: Some(self.body.slice(..length)),
            breaks,
            promised: promised as u64,
        });
        *answer.status_mut() = self.status;
        *answer.headers_mut() = self.headers;
        answer
    }
}

/// The body of an answer: all that there is, then its end or a broken connection.
struct Played {
    rest: Option<Bytes>,
    breaks: bool,
    promised: u64,
}

impl Body for Played {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(rest) = self.rest.take().filter(|rest| !rest.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(rest))));
        }
        let broken = || io::Error::from(io::ErrorKind::ConnectionReset);
        Poll::Ready(self.breaks.then(|| Err(broken())))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.as_ref().is_none_or(Bytes::is_empty) && !self.breaks
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.promised)
    }
}

/// The longest that a delay may last; longer than the patience of the client that is tested.
pub const LONG: Duration = Duration::from_millis(2500);
