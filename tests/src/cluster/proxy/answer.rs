//! What the client gets: the server's whole answer, half of it, or one of our own.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderMap, Response, StatusCode, header};
use hyper::body::{Body, Bytes, Frame, SizeHint};

/// A whole answer of the server.
#[derive(Clone, PartialEq)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// An answer of the server in its own form.
pub(super) fn refusal(code: u16, reason: &str, after: Option<u64>) -> Response<Played> {
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
    pub(super) fn whole(self) -> Response<Played> {
        let length = self.body.len();
        self.played(length, false)
    }

    /// Half of it: under an honest length, so that the text is cut short, or under the length of
    /// the whole, so that the connection breaks in its midst.
    pub(super) fn cut_short(self, honest: bool) -> Response<Played> {
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
pub(super) struct Played {
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
