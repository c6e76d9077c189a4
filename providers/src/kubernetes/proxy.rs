//! The proxy on the way to a cluster, where there is one: that of its kubeconfig, else the one of
//! the environment.
//!
//! It promises the rules of helm, which goes the same way by itself: `proxy-url` of a cluster
//! stands above the environment and its exceptions; `HTTPS_PROXY` counts for what `NO_PROXY` does
//! not name, and never for this machine itself. A proxy that cannot be used is told and never
//! passed by, and no message says what its address holds.

use std::net::IpAddr;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use kube::config::Kubeconfig;

/// How each failure of a tunnel begins; its type cannot be named.
pub(super) const TUNNEL: &str = "tunnel error";

/// What was said of a proxy.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Its address; empty where there is none.
    address: String,
    /// What is reached without it, separated by commas.
    except: String,
    /// By the environment, for no cluster in particular.
    general: bool,
}

impl Said {
    /// By a kubeconfig, for the cluster of this context or of the current one.
    pub(super) fn by_kubeconfig(file: &Kubeconfig, context: Option<&str>) -> Option<Self> {
        let name = context.or(file.current_context.as_deref())?;
        let context = file.contexts.iter().find(|it| it.name == name)?;
        let name = &context.context.as_ref()?.cluster;
        let cluster = file.clusters.iter().find(|it| it.name == *name)?;
        let address = cluster.cluster.as_ref()?.proxy_url.clone()?;
        (!address.is_empty()).then(|| Self {
            address,
            ..Self::default()
        })
    }

    /// By the environment.
    pub(super) fn by_environment() -> Self {
        let first = |names: [&str; 2]| {
            let mut values = names
                .into_iter()
                .filter_map(|name| std::env::var(name).ok());
            values.find(|value| !value.is_empty()).unwrap_or_default()
        };
        Self {
            address: first(["HTTPS_PROXY", "https_proxy"]),
            except: first(["NO_PROXY", "no_proxy"]),
            general: true,
        }
    }

    /// The proxy on the way to a server.
    ///
    /// # Errors
    /// There is one that cannot be used.
    pub(super) fn on_the_way_to(&self, server: &Uri) -> Result<Option<Intercept>, String> {
        if self.address.is_empty() || (self.general && is_here(server)) {
            return Ok(None);
        }
        let proxy = |except: &str| {
            let matcher = Matcher::builder().all(&*self.address).no(except);
            matcher.build().intercept(server)
        };
        let Some(found) = proxy("") else {
            return Err("its proxy has an address that cannot be read".to_owned());
        };
        if proxy(&exceptions(&self.except, server)).is_none() {
            return Ok(None);
        }
        match found.uri().scheme_str() {
            Some("http") => Ok(Some(found)),
            scheme => Err(format!(
                "its proxy is one of {}, and matih goes through those of http:// alone",
                scheme.unwrap_or("no kind")
            )),
        }
    }
}

/// The exceptions that count for a server: one with a port counts for that port alone, and `*.x` is
/// `.x`, as in Go.
fn exceptions(all: &str, server: &Uri) -> String {
    let port = server.port_u16().unwrap_or(443);
    let counts = |one: &str| {
        let one = one.trim();
        let (host, its) = match one.rsplit_once(':') {
            Some((host, its)) if !host.contains(':') || host.ends_with(']') => (host, Some(its)),
            _ => (one, None),
        };
        let below = host.strip_prefix('*').filter(|it| it.starts_with('.'));
        let host = below.unwrap_or(host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        its.is_none_or(|its| its.parse() == Ok(port))
            .then(|| host.to_owned())
    };
    all.split(',')
        .filter_map(counts)
        .collect::<Vec<_>>()
        .join(",")
}

/// A connector whose connections go through the proxy.
pub(super) fn through(proxy: &Intercept, tcp: HttpConnector) -> Tunnel<HttpConnector> {
    let tunnel = Tunnel::new(proxy.uri().clone(), tcp);
    match proxy.basic_auth() {
        Some(login) => tunnel.with_auth(login.clone()),
        None => tunnel,
    }
}

/// Whether a server is on this machine.
fn is_here(server: &Uri) -> bool {
    let host = server.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = address.parse().is_ok_and(|it: IpAddr| it.is_loopback());
    loopback || host.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn general(address: &str, except: &str) -> Said {
        Said {
            address: address.to_owned(),
            except: except.to_owned(),
            general: true,
        }
    }

    fn way(said: &Said, server: &'static str) -> Result<Option<String>, String> {
        let proxy = said.on_the_way_to(&Uri::from_static(server))?;
        Ok(proxy.map(|it| it.uri().to_string()))
    }

    #[test]
    fn what_the_environment_excepts_is_reached_without_a_proxy() {
        let server = "https://api.example.org:6443";
        for (address, except, server, proxied) in [
            ("", "", server, false),
            ("http://proxy:3128", "", server, true),
            ("proxy:3128", "", server, true),
            ("http://proxy:3128", "example.org", server, false),
            ("http://proxy:3128", " a.b , .example.org", server, false),
            ("http://proxy:3128", "ample.org", server, true),
            ("http://proxy:3128", "*", server, false),
            ("http://proxy:3128", "*.example.org", server, false),
            ("http://proxy:3128", "*example.org", server, true),
            ("http://proxy:3128", "example.org:6443", server, false),
            ("http://proxy:3128", "example.org:443", server, true),
            (
                "http://proxy:3128",
                "10.1.2.3:443",
                "https://10.1.2.3",
                false,
            ),
            (
                "http://proxy:3128",
                "[fd00::1]:443",
                "https://[fd00::1]",
                false,
            ),
            (
                "http://proxy:3128",
                "[fd00::1]:80",
                "https://[fd00::1]",
                true,
            ),
            ("http://proxy:3128", "fd00::1", "https://[fd00::1]", false),
            ("http://proxy:3128", "10.0.0.0/8", "https://10.1.2.3", false),
            ("http://proxy:3128", "10.0.0.0/8", "https://11.1.2.3", true),
            ("http://proxy:3128", "", "https://127.0.0.1:6443", false),
            ("http://proxy:3128", "", "https://[::1]:6443", false),
            ("http://proxy:3128", "", "https://localhost", false),
            ("socks5://proxy:1080", "*", server, false),
        ] {
            let found = way(&general(address, except), server).unwrap();
            let proxy = proxied.then(|| "http://proxy:3128/".to_owned());
            assert_eq!(found, proxy, "{address}, not for {except}: {server}");
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_told_without_its_login() {
        for address in [
            "https://me:canary@proxy:3128",
            "socks5://me:canary@proxy:1080",
            "ftp://me:canary@proxy",
            "http://me:canary@",
            "/canary",
        ] {
            let told = way(&general(address, ""), "https://api.example.org").unwrap_err();
            assert!(told.starts_with("its proxy "), "{address}: {told}");
            assert!(!told.contains("canary"), "{address}: {told}");
        }
    }

    #[test]
    fn the_proxy_of_a_kubeconfig_is_that_of_the_cluster_and_knows_no_exceptions() {
        let file: Kubeconfig = serde_saphyr::from_str(
            "current-context: a\n\
             contexts:\n\
             - { name: a, context: { cluster: a, user: u } }\n\
             - { name: b, context: { cluster: b, user: u } }\n\
             clusters:\n\
             - { name: a, cluster: { server: 'https://localhost', proxy-url: 'http://me:%40@proxy' } }\n\
             - { name: b, cluster: { server: 'https://localhost', proxy-url: '' } }\n",
        )
        .unwrap();
        let said = Said::by_kubeconfig(&file, None).unwrap();
        let server = Uri::from_static("https://localhost");
        let proxy = said.on_the_way_to(&server).unwrap().unwrap();
        assert_eq!(proxy.uri().to_string(), "http://proxy/");
        assert_eq!(proxy.basic_auth().unwrap(), "Basic bWU6QA==");
        for context in ["b", "c"] {
            assert_eq!(Said::by_kubeconfig(&file, Some(context)), None);
        }
    }
}
