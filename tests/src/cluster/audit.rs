//! What was asked of the API server by matih, by the server's own books.

use std::fmt;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::fail;

/// The audit log from a moment on. The server writes a line before it answers, so what has been
/// answered is in it.
#[derive(Debug, Clone)]
pub struct Audit {
    path: PathBuf,
    from: u64,
}

/// One request of matih.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The server's word for what is asked: `get`, `list`, `patch`, …
    pub verb: String,
    /// The path with its query.
    pub uri: String,
    /// The code of the answer.
    pub code: u16,
    /// Which program asks: matih, or one of its helms.
    pub agent: String,
    /// What it is about, where it is about objects.
    pub object: Option<ObjectRef>,
}

/// What a request is about, as a rule of a role names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// The group of the kind; empty for the core.
    #[serde(default)]
    pub api_group: String,
    /// The kind's name in paths.
    pub resource: String,
    /// A part of the object, such as `log`, or nothing.
    #[serde(default)]
    pub subresource: String,
}

impl Request {
    /// Whether it could change an object: no look, no dry run, no question about rights.
    #[must_use]
    pub fn is_write(&self) -> bool {
        let changes = ["create", "update", "patch", "delete", "deletecollection"];
        changes.contains(&&*self.verb)
            && !self.uri.contains("dryRun=All")
            && !self.uri.starts_with("/apis/authorization.k8s.io/")
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.code, self.verb, self.uri)
    }
}

impl Audit {
    #[track_caller]
    pub(super) fn from_here(path: &Path) -> Self {
        match std::fs::metadata(path) {
            Ok(data) => Self {
                path: path.to_owned(),
                from: data.len(),
            },
            // The server makes it with the first line.
            Err(_) => Self {
                path: path.to_owned(),
                from: 0,
            },
        }
    }

    /// Fails if matih wrote anything since then.
    #[track_caller]
    pub fn assert_no_write(&self) {
        let writes = self.writes();
        assert!(writes.is_empty(), "{writes:?}");
    }

    /// All requests of matih since then.
    #[must_use]
    #[track_caller]
    pub fn requests(&self) -> Vec<Request> {
        let read = || -> std::io::Result<Vec<String>> {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(self.from))?;
            BufReader::new(file).lines().collect()
        };
        match read() {
            Ok(lines) => lines.iter().filter_map(|line| of_matih(line)).collect(),
            Err(error) => fail(&format!("{}: {error}", self.path.display())),
        }
    }

    /// Those that could change something.
    #[must_use]
    #[track_caller]
    pub fn writes(&self) -> Vec<Request> {
        let mut all = self.requests();
        all.retain(Request::is_write);
        all
    }
}

/// A line of the log, if it is a request of matih.
#[track_caller]
fn of_matih(line: &str) -> Option<Request> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Line {
        verb: String,
        #[serde(rename = "requestURI")]
        request_uri: String,
        user: User,
        #[serde(default)]
        user_agent: String,
        #[serde(default)]
        response_status: Code,
        object_ref: Option<ObjectRef>,
    }
    #[derive(Deserialize)]
    struct User {
        username: String,
    }
    #[derive(Deserialize, Default)]
    struct Code {
        #[serde(default)]
        code: u16,
    }
    match serde_json::from_str::<Line>(line) {
        Ok(line) => (line.user.username == "matih").then_some(Request {
            verb: line.verb,
            uri: line.request_uri,
            code: line.response_status.code,
            agent: line.user_agent,
            object: line.object_ref,
        }),
        Err(error) => fail(&format!("a line of the audit log: {error}\n{line}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(user: &str, verb: &str, uri: &str) -> String {
        format!(
            r#"{{"kind":"Event","verb":"{verb}","requestURI":"{uri}","user":{{"username":"{user}"}},"responseStatus":{{"code":200}}}}"#
        )
    }

    #[test]
    fn only_what_could_change_something_is_a_write() {
        for (verb, uri, expected) in [
            (
                "patch",
                "/api/v1/namespaces/a/configmaps/b?force=false",
                true,
            ),
            ("create", "/api/v1/namespaces", true),
            ("delete", "/api/v1/namespaces/a", true),
            ("patch", "/api/v1/namespaces/a?dryRun=All", false),
            ("list", "/api/v1/secrets", false),
            (
                "create",
                "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
                false,
            ),
        ] {
            let request = of_matih(&line("matih", verb, uri)).unwrap();
            assert_eq!(request.is_write(), expected, "{request}");
        }
        assert_eq!(of_matih(&line("admin", "delete", "/x")), None);
    }

    #[test]
    fn it_begins_where_it_was_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let early = Audit::from_here(&path);
        std::fs::write(&path, line("matih", "patch", "/a") + "\n").unwrap();
        let late = Audit::from_here(&path);
        assert_eq!((early.writes().len(), late.writes().len()), (1, 0));
    }
}
