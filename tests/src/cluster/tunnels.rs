//! A proxy as companies have them: it opens tunnels to the API server and to nobody else, and only
//! for those who log in. The server has a name that nobody but the proxy can resolve, so who
//! reaches it by that name came through here.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use super::Cluster;
use crate::fail;

/// Where the API server is, for the proxy alone: a name of its certificate.
pub const SERVER: &str = "https://kubernetes.default.svc:443";

/// What a client asks for, first of all.
const CONNECT: &str = "CONNECT kubernetes.default.svc:443 HTTP/1.1\r\n";
/// `me:pass@word`, as a client says it.
const LOGIN: &str = "Proxy-Authorization: Basic bWU6cGFzc0B3b3Jk\r\n";

/// A proxy that runs until it is dropped.
pub struct Tunnels {
    _runtime: Runtime,
    port: u16,
    opened: Arc<AtomicUsize>,
}

impl Tunnels {
    /// Starts a proxy to the cluster.
    #[must_use]
    #[track_caller]
    pub fn start(cluster: &Cluster) -> Self {
        match Self::try_start(cluster.authority()) {
            Ok(tunnels) => tunnels,
            Err(error) => fail(&format!("the proxy: {error}")),
        }
    }

    fn try_start(server: String) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let port = listener.local_addr()?.port();
        let opened = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&opened);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (server, count) = (server.clone(), Arc::clone(&count));
                // Who breaks it off, and why, both ends see for themselves.
                tokio::spawn(async move { open(stream, &server, &count).await });
            }
        });
        Ok(Self {
            _runtime: runtime,
            port,
            opened,
        })
    }

    /// Its address, with a login that it knows.
    #[must_use]
    pub fn address(&self) -> String {
        format!("http://me:pass%40word@127.0.0.1:{}", self.port)
    }

    /// Its address, with a login that it does not know.
    #[must_use]
    pub fn address_of_a_stranger(&self) -> String {
        format!("http://me:mistaken@127.0.0.1:{}", self.port)
    }

    /// How many tunnels it has opened.
    #[must_use]
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }
}

/// One connection: a tunnel, or a refusal.
async fn open(stream: TcpStream, server: &str, count: &AtomicUsize) -> io::Result<()> {
    let mut client = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if client.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if line == "\r\n" {
            break;
        }
        head.push(line);
    }
    let refusal = match head.first() {
        Some(asked) if asked == CONNECT => {
            (!head.iter().any(|line| line == LOGIN)).then_some("407 Proxy Authentication Required")
        }
        _ => Some("403 Forbidden"),
    };
    if let Some(refusal) = refusal {
        let answer = format!("HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n");
        return client.write_all(answer.as_bytes()).await;
    }
    let mut server = TcpStream::connect(server).await?;
    count.fetch_add(1, Ordering::SeqCst);
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
