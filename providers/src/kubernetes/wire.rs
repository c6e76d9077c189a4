//! One request and its answer: bounded in number and in time.
//!
//! A look is tried again where that may help and nothing was answered; a change never is: whether
//! it may be repeated is for those to say who know what it does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use http::{Method, Request, header};
use kube::Client;
use kube::client::Body;
use matih_model::ErrorKind;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::failure::{Failure, lost};
use super::revisions::Revisions;

/// What a request is, but for whom it goes to.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Option<Vec<u8>>,
    /// The form of the body.
    pub(crate) form: &'static str,
    /// The form of the answer.
    pub(crate) accept: &'static str,
}

impl Ask {
    /// A look.
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            body: None,
            form: JSON,
            accept: JSON,
        }
    }

    fn changes(&self) -> bool {
        self.method != Method::GET && !self.path.contains("dryRun=All")
    }
}

/// The form of ordinary bodies.
pub(super) const JSON: &str = "application/json";
/// The form of lists that hold nothing but metadata.
pub(crate) const METADATA: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
/// The form of a server-side apply; JSON is YAML.
pub(super) const APPLY: &str = "application/apply-patch+yaml";

/// An answer that is a success.
#[derive(Clone, Debug)]
pub(crate) struct Reply<T = Value> {
    pub(super) code: u16,
    pub(super) json: T,
    /// What the server said beside it.
    pub(super) warnings: Vec<String>,
}

/// The same, before it is read.
struct Answer {
    code: u16,
    body: Vec<u8>,
    warnings: Vec<String>,
}

/// The way to one cluster.
pub(crate) struct Wire {
    client: Client,
    /// For one request at first. Requests that found no connection would each make one, with a
    /// handshake that both sides pay for, and all but one be thrown away.
    room: Semaphore,
    /// How many more there is room for when the first is over, however it ended.
    more: usize,
    first: Once,
    timeout: Duration,
    sent: AtomicU64,
    pub(super) revisions: Revisions,
    /// When the way to the server was last found broken.
    broke: Mutex<Option<Instant>>,
}

/// Waits before the second and third try of a look.
const WAITS: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];
/// A server that has just come back does not know its roles for a while, and forbids everything.
const STARTING: Duration = Duration::from_secs(15);
/// A server that asks for more patience than this is not waited for here.
const PATIENCE: Duration = Duration::from_secs(5);

impl Wire {
    pub(super) fn new(client: Client, concurrency: usize, timeout: Duration) -> Self {
        Self {
            client,
            room: Semaphore::new(1),
            more: concurrency.saturating_sub(1),
            first: Once::new(),
            timeout,
            sent: AtomicU64::new(0),
            revisions: Revisions::default(),
            broke: Mutex::default(),
        }
    }

    /// How many requests went out.
    #[cfg(test)]
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// The time by which one request without other limits must be answered.
    pub(crate) fn soon(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// Looks, up to three times.
    pub(crate) async fn look(&self, path: &str) -> Result<Value, Failure> {
        Ok(self.repeat(&Ask::get(path)).await?.json)
    }

    /// The same, for an answer of another form.
    pub(crate) async fn look_as<T: DeserializeOwned>(
        &self,
        path: &str,
        accept: &'static str,
    ) -> Result<T, Failure> {
        let ask = Ask {
            accept,
            ..Ask::get(path)
        };
        Ok(self.repeat(&ask).await?.json)
    }

    /// Asks what changes nothing, up to three times.
    pub(super) async fn repeat<T: DeserializeOwned>(&self, ask: &Ask) -> Result<Reply<T>, Failure> {
        let mut waits = WAITS.into_iter();
        loop {
            let failure = match self.once(ask.clone(), self.soon()).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            let asked = match failure.kind {
                ErrorKind::Throttled(after) => after.unwrap_or_default(),
                ErrorKind::Unavailable => Duration::ZERO,
                _ => return Err(failure),
            };
            match waits.next() {
                Some(wait) if asked <= PATIENCE => tokio::time::sleep(wait.max(asked)).await,
                _ => return Err(failure),
            }
        }
    }

    /// Sends one request, once.
    pub(crate) async fn send(&self, ask: Ask, until: Instant) -> Result<Reply, Failure> {
        let reply: Reply = self.once(ask, until).await?;
        let revision = reply.json["metadata"]["resourceVersion"].as_str();
        self.revisions.is_behind(revision.unwrap_or_default(), 0);
        Ok(reply)
    }

    async fn once<T: DeserializeOwned>(
        &self,
        ask: Ask,
        until: Instant,
    ) -> Result<Reply<T>, Failure> {
        let until = until.min(self.soon());
        let late = |kind| Failure::new(kind, "the server did not answer in time");
        let Ok(permit) = tokio::time::timeout_at(until, self.room.acquire()).await else {
            let message = "other requests to the cluster took all the time";
            return Err(Failure::new(ErrorKind::Unavailable, message));
        };
        let changes = ask.changes();
        let answered = tokio::time::timeout_at(until, self.exchange(ask, changes)).await;
        drop(permit);
        self.first.call_once(|| self.room.add_permits(self.more));
        answered.unwrap_or_else(|_| Err(late(lost(changes))))
    }

    /// Looks at what is no JSON, once.
    pub(super) async fn text(&self, path: &str) -> Result<String, Failure> {
        let asked = self.bytes(Ask::get(path), false);
        let late = || Failure::new(ErrorKind::Unavailable, "the server did not answer in time");
        let asked = tokio::time::timeout(self.timeout, asked).await;
        let answer = asked.map_err(|_| late())??;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        ask: Ask,
        changes: bool,
    ) -> Result<Reply<T>, Failure> {
        let answer = self.bytes(ask, changes).await?;
        let json = serde_json::from_slice(&answer.body).map_err(|error| {
            let message = format!("the answer is cut short or no JSON: {error}");
            Failure::new(lost(changes), message)
        })?;
        Ok(Reply {
            code: answer.code,
            json,
            warnings: answer.warnings,
        })
    }

    /// An answer that is a success.
    async fn bytes(&self, ask: Ask, changes: bool) -> Result<Answer, Failure> {
        let answered = self.answer(ask, changes).await;
        answered.map_err(|failure| self.in_context(failure))
    }

    /// A failure, in the light of those before it.
    fn in_context(&self, mut failure: Failure) -> Failure {
        let mut broke = self.broke.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = broke.is_some_and(|at| at.elapsed() < STARTING);
        match (failure.code, failure.kind) {
            (None, ErrorKind::Unavailable | ErrorKind::Unknown) => *broke = Some(Instant::now()),
            (Some(401 | 403), ErrorKind::Denied) if lately && failure.is_about_rights() => {
                failure.kind = ErrorKind::Unavailable;
                failure.message.push_str("; the server has just come back");
            }
            _ => {}
        }
        failure
    }

    async fn answer(&self, ask: Ask, changes: bool) -> Result<Answer, Failure> {
        let request = Request::builder()
            .method(ask.method)
            .uri(ask.path)
            .header(header::ACCEPT, ask.accept)
            .header(header::CONTENT_TYPE, ask.form)
            .header(
                header::USER_AGENT,
                concat!("matih/", env!("CARGO_PKG_VERSION")),
            )
            .body(Body::from(ask.body.unwrap_or_default()))
            .map_err(|error| Failure::new(ErrorKind::Invalid, error.to_string()))?;
        self.sent.fetch_add(1, Ordering::Relaxed);
        let answer = self.client.send(request).await;
        let answer = answer.map_err(|error| Failure::unanswered(&error, changes))?;
        let code = answer.status().as_u16();
        let after = answer.headers().get(header::RETRY_AFTER);
        let after = after.and_then(|value| value.to_str().ok()?.parse().ok());
        let after = after.map(Duration::from_secs);
        let warnings = answer.headers().get_all(header::WARNING).iter();
        let warnings = warnings.filter_map(|value| warning(value.to_str().ok()?));
        let warnings = warnings.collect();
        let body = answer.into_body().collect_bytes().await;
        let body = body.map_err(|error| Failure::unanswered(&error, changes))?;
        if !(200..300).contains(&code) {
            return Err(Failure::answered(code, after, &body, changes));
        }
        Ok(Answer {
            code,
            body: body.to_vec(),
            warnings,
        })
    }
}

/// The text of a warning, which comes as `299 - "text"`.
fn warning(header: &str) -> Option<String> {
    let text = header.split_once('"')?.1.rsplit_once('"')?.0;
    Some(text.replace("\\\"", "\"").replace("\\\\", "\\"))
}

/// A text as part of a path or of a query.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_plain_is_encoded() {
        assert_eq!(encoded("a-b.c_d~1"), "a-b.c_d~1");
        assert_eq!(encoded("system:node/x=1,y"), "system%3Anode%2Fx%3D1%2Cy");
    }

    #[test]
    fn a_warning_is_its_text() {
        let text = |header| warning(header);
        assert_eq!(text(r#"299 - "it \"is\" old""#).unwrap(), r#"it "is" old"#);
        assert_eq!(text("299 - none"), None);
    }

    #[test]
    fn a_dry_run_changes_nothing() {
        let mut ask = Ask::get("/x");
        assert!(!ask.changes());
        ask.method = Method::PATCH;
        assert!(ask.changes());
        ask.path = "/x?dryRun=All".to_owned();
        assert!(!ask.changes());
    }
}
