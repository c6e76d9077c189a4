//! Where a chart comes from: out of this program, a folder, a packed file, a registry or a
//! repository. Whatever it is, it ends up as a path that helm installs from, with the digest of
//! what is there.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use matih_model::{Attributes, Digest, ErrorKind, ProviderError, Value};

use super::child::Helm;

/// The repository of the charts that are part of the program.
const EMBEDDED: &str = "embedded";

/// How the address of a registry begins.
const OCI: &str = "oci://";

/// How long the download of a chart may take.
const DOWNLOAD: Duration = Duration::from_secs(120);

/// How many characters of a digest are kept.
const DIGEST: usize = 40;

/// A chart that is part of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedChart {
    /// Its name.
    pub name: String,
    /// Each file's path inside of the chart, with `/`, and its text.
    pub files: Vec<(String, &'static str)>,
}

/// A chart, ready to be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chart {
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) version: String,
    /// The digest of its files.
    pub(super) digest: String,
}

/// Which chart a resource asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish<'a> {
    repository: &'a str,
    name: &'a str,
    version: Option<&'a str>,
    /// By which a registry must know this version.
    digest: Option<&'a str>,
}

impl<'a> Wish<'a> {
    /// The wish in the attributes of a release.
    ///
    /// # Errors
    /// There is no name in it, or a digest that nothing can have.
    pub(super) fn of(attributes: &'a Attributes) -> Result<Self, ProviderError> {
        let chart = attributes.get("chart").and_then(Value::as_map);
        let text = |key: &str| {
            chart
                .and_then(|chart| chart.text(key))
                .filter(|it| !it.is_empty())
        };
        let name = text("name").ok_or_else(|| invalid("`chart.name` is missing".to_owned()))?;
        if !is_plain(name) {
            return Err(invalid(format!("`{name}` is not the name of a chart")));
        }
        let wish = Self {
            repository: text("repository").unwrap_or(EMBEDDED),
            name,
            version: text("version"),
            digest: text("digest"),
        };
        match wish.digest {
            Some(digest) if !is_digest(digest) || !wish.repository.starts_with(OCI) => {
                let text = format!("the chart {name} cannot have the digest `{digest}`");
                let hint = "write `sha256:` and 64 hexadecimal digits, for a chart of a registry (`oci://…`)";
                Err(invalid(text).with_hint(hint))
            }
            _ => Ok(wish),
        }
    }
}

/// Whether this is a digest as registries have it.
fn is_digest(text: &str) -> bool {
    let digits = text.strip_prefix("sha256:").unwrap_or_default();
    digits.len() == 64 && digits.bytes().all(|it| it.is_ascii_hexdigit())
}

/// Whether a name can stand for a file of its own.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.chars().all(plain) && !name.starts_with(['.', '-'])
}

/// All places that charts come from.
#[derive(Clone, Debug)]
pub(super) struct Charts {
    /// What is part of the program.
    pub(super) embedded: BTreeMap<String, Vec<(String, &'static str)>>,
    /// The folder that relative paths start from.
    pub(super) base: PathBuf,
    /// The folder that charts are written and downloaded to.
    pub(super) cache: PathBuf,
}

impl Charts {
    /// Gets a chart ready.
    ///
    /// # Errors
    /// It is not there, is another version, or cannot be downloaded.
    pub(super) async fn ready(&self, helm: &Helm, wish: Wish<'_>) -> Result<Chart, ProviderError> {
        let chart = self.find(helm, wish).await?;
        if let Some(version) = wish.version
            && version != chart.version
        {
            let text = format!(
                "{} in `{}` has version {}, and {version} is wanted",
                wish.name, wish.repository, chart.version
            );
            return Err(invalid(text));
        }
        if chart.name != wish.name {
            let text = format!(
                "the chart in `{}` is called {}, and {} is wanted",
                wish.repository, chart.name, wish.name
            );
            return Err(invalid(text));
        }
        Ok(chart)
    }

    async fn find(&self, helm: &Helm, wish: Wish<'_>) -> Result<Chart, ProviderError> {
        let remote = [OCI, "https://", "http://"];
        if wish.repository == EMBEDDED {
            return self.own(wish);
        }
        let path = if remote
            .iter()
            .any(|scheme| wish.repository.starts_with(scheme))
        {
            self.download(helm, wish).await?
        } else {
            let path = self.base.join(wish.repository);
            if path.is_dir() && !path.join("Chart.yaml").is_file() {
                path.join(wish.name)
            } else {
                path
            }
        };
        if !path.exists() {
            let text = format!("there is no chart at {}", path.display());
            return Err(invalid(text).with_hint("check `chart.repository` of the release"));
        }
        let digest = digest_of(&path).map_err(|error| unreadable(&path, &error))?;
        let arguments = ["show".into(), "chart".into(), path.clone().into_os_string()];
        let told = helm
            .ask("reading the chart", &arguments, None, DOWNLOAD)
            .await?;
        let (name, version) = described(&told);
        Ok(Chart {
            path,
            name,
            version,
            digest,
        })
    }

    /// Writes a chart of the program where helm can read it, once.
    fn own(&self, wish: Wish<'_>) -> Result<Chart, ProviderError> {
        let files = self.embedded.get(wish.name).ok_or_else(|| {
            let known: Vec<&str> = self.embedded.keys().map(String::as_str).collect();
            let hint = format!("these are: {}", known.join(", "));
            invalid(format!("matih has no chart `{}` of its own", wish.name)).with_hint(hint)
        })?;
        let digest = shortened(Digest::of("matih chart v1", files));
        let description = files.iter().find(|(path, _)| path == "Chart.yaml");
        let (name, version) = described(description.map_or("", |(_, text)| *text));
        let path = self.cache.join(&digest).join(wish.name);
        if !path.is_dir() {
            write_whole(&path, files).map_err(|error| unreadable(&path, &error))?;
        }
        Ok(Chart {
            path,
            name,
            version,
            digest,
        })
    }

    /// Downloads a chart, unless this version of it is here already.
    async fn download(&self, helm: &Helm, wish: Wish<'_>) -> Result<PathBuf, ProviderError> {
        let Some(version) = wish
            .version
            .filter(|version| is_plain(&version.replace('+', "-")))
        else {
            let text = format!("{} in `{}` needs a version", wish.name, wish.repository);
            return Err(
                invalid(text).with_hint("set `chart.version`, so that it is always the same")
            );
        };
        let place = shortened(Digest::of_bytes(
            "matih chart place v1",
            wish.repository.as_bytes(),
        ));
        let folder = self.cache.join("downloads").join(place);
        let pinned = wish.digest.map(|digest| format!("@{digest}"));
        let pinned = pinned.unwrap_or_default();
        let path = folder.join(format!("{}-{version}{pinned}.tgz", wish.name));
        if path.is_file() {
            return Ok(path);
        }
        let failed = |error: std::io::Error| unreadable(&path, &error);
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let part = tempfile::tempdir_in(&folder).map_err(failed)?;
        let mut arguments: Vec<OsString> = vec!["pull".into()];
        if wish.repository.starts_with(OCI) {
            let repository = wish.repository.trim_end_matches('/');
            arguments.push(format!("{repository}/{}{pinned}", wish.name).into());
        } else {
            arguments.extend([wish.name.into(), "--repo".into(), wish.repository.into()]);
        }
        arguments.extend(["--version".into(), version.into(), "--destination".into()]);
        arguments.push(part.path().into());
        helm.ask("downloading the chart", &arguments, None, DOWNLOAD)
            .await?;
        // Helm writes `+` of a version as it is or as `_`: whichever it is, there is one file.
        let pulled = part.path().read_dir().map_err(failed)?.next();
        let pulled = pulled.ok_or_else(|| invalid("helm downloaded nothing".to_owned()))?;
        std::fs::rename(pulled.map_err(failed)?.path(), &path).map_err(failed)?;
        Ok(path)
    }
}

/// Writes files so that the folder is there whole or not at all.
fn write_whole(path: &Path, files: &[(String, &'static str)]) -> std::io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent)?;
    let part = tempfile::tempdir_in(parent)?;
    for (name, text) in files {
        let file = part.path().join(name);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, text)?;
    }
    match std::fs::rename(part.keep(), path) {
        // Another process was faster, with the same files.
        Err(_) if path.is_dir() => Ok(()),
        renamed => renamed,
    }
}

/// Name and version in a `Chart.yaml`, which has both at its outermost level.
fn described(text: &str) -> (String, String) {
    let find = |key: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let value = line
            .unwrap_or_default()
            .split(" #")
            .next()
            .unwrap_or_default();
        value.trim().trim_matches(['"', '\'']).to_owned()
    };
    (find("name"), find("version"))
}

/// The digest of a packed chart, or of all files of a folder.
fn digest_of(path: &Path) -> std::io::Result<String> {
    let mut files = Vec::new();
    gather(path, path, &mut files)?;
    files.sort();
    Ok(shortened(Digest::of("matih chart v1", &files)))
}

fn gather(root: &Path, path: &Path, files: &mut Vec<(String, Digest)>) -> std::io::Result<()> {
    if path.is_dir() {
        for entry in path.read_dir()? {
            gather(root, &entry?.path(), files)?;
        }
        return Ok(());
    }
    let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy();
    let digest = Digest::of_bytes("matih chart file v1", &std::fs::read(path)?);
    files.push((name.into_owned(), digest));
    Ok(())
}

fn shortened(digest: Digest) -> String {
    let mut text = digest.to_string();
    text.truncate(DIGEST);
    text
}

fn invalid(text: String) -> ProviderError {
    ProviderError::new(ErrorKind::Invalid, text)
}

fn unreadable(path: &Path, error: &std::io::Error) -> ProviderError {
    invalid(format!(
        "the chart at {} cannot be used: {error}",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_described_by_its_outermost_lines() {
        let text = "apiVersion: v2\nname: web # ours\ndependencies:\n  - name: lib\n    version: 9.9.9\nversion: \"1.2.3\"\n";
        assert_eq!(described(text), ("web".to_owned(), "1.2.3".to_owned()));
        assert_eq!(described(""), (String::new(), String::new()));
    }

    #[test]
    fn no_name_leads_out_of_its_folder() {
        for (name, plain) in [
            ("matih-ai-service", true),
            ("a.b_c", true),
            ("../x", false),
            ("a/b", false),
            ("--repo", false),
            (".x", false),
        ] {
            assert_eq!(is_plain(name), plain, "{name}");
            let chart = format!(r#"{{"chart":{{"name":"{name}"}}}}"#);
            let attributes: Attributes = serde_json::from_str(&chart).unwrap();
            assert_eq!(Wish::of(&attributes).is_ok(), plain, "{name}");
        }
    }
}
