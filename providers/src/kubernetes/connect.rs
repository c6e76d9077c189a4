//! From a target of the platform file to a client: whom to speak to, and how they know us.
//!
//! Promises that the server is verified unless the target itself says otherwise, and that no
//! message quotes a credential: what a kubeconfig or the output of a plugin holds is never passed
//! on. All requests of a target share one HTTP/2 connection, which is given up when it goes
//! silent.

use std::sync::Once;
use std::time::Duration;

use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{AuthError, Body, ConfigExt};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use matih_model::{ErrorKind, ProviderError};
use tower::{BoxError, ServiceBuilder};

use super::proxy::{Said, through};
use super::settings::ClusterSettings;

const CONNECT: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(20);

/// A client of one cluster. Speaks to nobody yet, but for a plugin that the kubeconfig names.
///
/// # Errors
/// The kubeconfig cannot be used, or the plugin gives no credentials.
pub(super) async fn connect(
    name: &str,
    cluster: &ClusterSettings,
) -> Result<Client, ProviderError> {
    static TLS: Once = Once::new();
    // Another part of the process may have installed one: it is the same.
    TLS.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    let (config, said) = config(name, cluster).await?;
    check(name, cluster, &config)?;
    let proxy = said.on_the_way_to(&config.cluster_url);
    let proxy = proxy.map_err(|cause| unusable(name, &cause))?;
    // A plugin is a process that is waited for.
    let built = tokio::task::spawn_blocking(move || client(config, proxy.as_ref())).await;
    match built {
        Ok(Ok(client)) => Ok(client),
        Ok(Err(error)) => Err(unusable(name, &told(&error))),
        Err(_) => Err(unusable(name, "the client could not be built")),
    }
}

/// Whom to speak to and how, and what was said of a proxy on the way there.
async fn config(name: &str, cluster: &ClusterSettings) -> Result<(Config, Said), ProviderError> {
    if cluster.in_cluster {
        let config = Config::incluster().map_err(|error| unusable(name, &error.to_string()))?;
        return Ok((config, Said::by_environment()));
    }
    let options = KubeConfigOptions {
        context: cluster.context.clone(),
        ..KubeConfigOptions::default()
    };
    let refused = |error: KubeconfigError| unusable(name, &of_kubeconfig(&error));
    let file = match &cluster.kubeconfig {
        None => Kubeconfig::read(),
        Some(path) => Kubeconfig::read_from(path),
    };
    let file = file.map_err(refused)?;
    let said = Said::by_kubeconfig(&file, cluster.context.as_deref());
    let config = Config::from_custom_kubeconfig(file, &options).await;
    Ok((
        config.map_err(refused)?,
        said.unwrap_or_else(Said::by_environment),
    ))
}

/// What of a kubeconfig is refused although it can be used.
fn check(name: &str, cluster: &ClusterSettings, config: &Config) -> Result<(), ProviderError> {
    let plain = config.cluster_url.scheme_str() != Some("https");
    if !cluster.insecure && (config.accept_invalid_certs || plain) {
        let what = if plain {
            "it speaks to the server without TLS"
        } else {
            "it does not verify the server"
        };
        let hint = format!(
            "give it a certificate authority, or write `insecure = true` into targets.{name}"
        );
        return Err(unusable(name, what).with_hint(hint));
    }
    Ok(())
}

fn client(config: Config, proxy: Option<&Intercept>) -> Result<Client, kube::Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECT));
    tcp.set_nodelay(true);
    match proxy {
        None => client_over(config, tcp),
        Some(proxy) => client_over(config, through(proxy, tcp)),
    }
}

/// A client whose connections this connector makes.
fn client_over<C>(config: Config, way: C) -> Result<Client, kube::Error>
where
    HttpsConnector<C>: Connect + Clone + Send + Sync + 'static,
{
    let mut tls = HttpsConnectorBuilder::new()
        .with_tls_config(config.rustls_client_config()?)
        .https_or_http();
    if let Some(server) = &config.tls_server_name
        && let Ok(server) = server.clone().try_into()
    {
        tls = tls.with_server_name_resolver(FixedServerNameResolver::new(server));
    }
    let http: Http<_, Body> = Http::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_keep_alive_interval(IDLE)
        .http2_keep_alive_timeout(IDLE)
        .build(tls.enable_all_versions().wrap_connector(way));
    let service = ServiceBuilder::new()
        .map_err(BoxError::from)
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace))
}

fn unusable(name: &str, cause: &str) -> ProviderError {
    ProviderError::new(
        ErrorKind::Denied,
        format!("cluster `{name}` cannot be spoken to: {cause}"),
    )
    .with_hint(format!(
        "look at targets.{} in matih.toml and at its kubeconfig",
        name.split('@').next().unwrap_or(name)
    ))
}

/// What is wrong with a kubeconfig, without a word of what is in it.
fn of_kubeconfig(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(_) | KubeconfigError::ParseCertificates(_) => {
            "its kubeconfig is not well formed".to_owned()
        }
        KubeconfigError::ReadConfig(cause, path) => {
            format!("its kubeconfig {} cannot be read: {cause}", path.display())
        }
        KubeconfigError::LoadContext(name) => {
            format!("its kubeconfig has no context `{name}`")
        }
        KubeconfigError::LoadClusterOfContext(name) => {
            format!("its kubeconfig has no cluster `{name}`")
        }
        KubeconfigError::LoadCertificateAuthority(_) => {
            "the certificate authority of its kubeconfig cannot be read".to_owned()
        }
        KubeconfigError::LoadClientCertificate(_) => {
            "the client certificate of its kubeconfig cannot be read".to_owned()
        }
        KubeconfigError::LoadClientKey(_) => {
            "the client key of its kubeconfig cannot be read".to_owned()
        }
        KubeconfigError::ParseProxyUrl(_) => {
            "its proxy has an address that cannot be read".to_owned()
        }
        KubeconfigError::CurrentContextNotSet => "its kubeconfig names no context".to_owned(),
        _ => "its kubeconfig cannot be used".to_owned(),
    }
}

/// What is wrong with credentials, without a word of what a plugin printed.
pub(super) fn told(error: &kube::Error) -> String {
    match error {
        kube::Error::Auth(AuthError::AuthExecStart(cause)) => {
            format!("the credential plugin of its kubeconfig does not start: {cause}")
        }
        kube::Error::Auth(AuthError::AuthExecRun { out, .. }) => {
            format!(
                "the credential plugin of its kubeconfig failed with {}",
                out.status
            )
        }
        kube::Error::Auth(AuthError::ReadTokenFile(cause, path)) => {
            format!("the token file {} cannot be read: {cause}", path.display())
        }
        kube::Error::Auth(_) => "its credentials cannot be used".to_owned(),
        kube::Error::InferKubeconfig(error) => of_kubeconfig(error),
        kube::Error::RustlsTls(_) => "its certificates cannot be used".to_owned(),
        _ => "the client cannot be set up".to_owned(),
    }
}
