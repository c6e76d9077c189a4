//! The platform file.

use std::time::Duration;

use super::{forms, infrastructure};
use crate::diagnostic::Diagnostic;
use crate::duration;
use crate::findings::Findings;
use crate::platform::{Platform, PlatformFile};
use crate::rule::rules;

rules! {
    /// The rules of `matih.toml`.
    PLATFORM:
    /// The name of the platform is a lower-case label: it becomes part of names in the cloud.
    PLATFORM_NAME = "MTH-1701" "platform.name.form" Error;
    /// The root domain is a full domain name in lower case.
    ROOT_DOMAIN = "MTH-1702" "platform.root-domain.form" Error;
    /// The host of the image registry is a host, perhaps with a port.
    REGISTRY_HOST = "MTH-1703" "platform.registry.host" Error;
    /// A duration is a whole number and `ms`, `s`, `m` or `h`.
    DURATION = "MTH-1704" "platform.duration" Error;
    /// A lease under a second would be lost to a slow disk, one above an hour would outlive a
    /// crash for too long.
    LEASE = "MTH-1705" "platform.apply.lease" Error;
    /// A path names a file or a folder; an empty one names nothing.
    PATH = "MTH-1706" "platform.path" Error;
    /// DNS records lead to the ingress, so DNS needs it.
    DNS_WITHOUT_INGRESS = "MTH-1707" "platform.features.dns" Error;
    /// The name of a target is a lower-case label.
    TARGET_NAME = "MTH-1708" "platform.target.name" Error;
    /// The provider of a target is named in lower-case letters, digits and `_`.
    TARGET_PROVIDER = "MTH-1709" "platform.target.provider" Error;
    /// The keys of a provider and of its targets are the provider's: it refuses what it does not
    /// know or cannot use.
    PROVIDER_SETTING = "MTH-1710" "platform.provider.setting" Error;
}

/// Reads a duration.
pub(crate) fn duration(text: &str) -> Result<Duration, Diagnostic> {
    duration::parse(text).ok_or_else(|| {
        Diagnostic::new(DURATION, format!("`{text}` is not a duration"))
            .hint("write a whole number and a unit: `500ms`, `30s`, `5m`, `2h`")
    })
}

/// Judges a platform file.
pub(crate) fn check(file: &PlatformFile, f: &mut Findings) {
    names(file, f);
    let lease = &file.apply.lease;
    if !(1..=3600).contains(&lease.as_secs()) {
        let message = format!(
            "a lease of {} is not between 1s and 1h",
            duration::format(lease)
        );
        f.report(
            "apply.lease",
            Diagnostic::new(LEASE, message).hint("30s is the default"),
        );
    }
    let paths = [
        ("platform.blueprint", file.platform.blueprint.as_deref()),
        ("state.path", Some(file.state.path.as_str())),
        (
            "providers.simulated.world",
            Some(file.providers.simulated.world.as_str()),
        ),
    ];
    for (path, text) in paths {
        if text.is_some_and(|text| text.trim().is_empty() || text.contains('\0')) {
            let diagnostic = Diagnostic::new(PATH, format!("`{path}` is empty"));
            f.report(path, diagnostic.hint("leave it out for the default"));
        }
    }
    let features = &file.platform.features;
    if features.dns && !features.ingress {
        let message = "`dns` is on, and `ingress`, which its records lead to, is off";
        let diagnostic = Diagnostic::new(DNS_WITHOUT_INGRESS, message);
        f.report(
            "platform.features",
            diagnostic.hint("write `dns = false` too"),
        );
    }
    targets(file, f);
    if let Some(region) = &file.defaults.region
        && f.is_sound("defaults.provider")
    {
        infrastructure::region("defaults.region", file.defaults.provider, region, f);
    }
}

fn names(file: &PlatformFile, f: &mut Findings) {
    let Platform {
        name,
        root_domain,
        registry,
        ..
    } = &file.platform;
    if !forms::is_label(name) {
        let message = format!("`{name}` cannot be the name of a platform");
        let hint = "use 1 to 63 lower-case letters, digits and hyphens";
        f.report(
            "platform.name",
            Diagnostic::new(PLATFORM_NAME, message).hint(hint),
        );
    }
    if !forms::is_domain(root_domain) {
        let message = format!("`{root_domain}` is not a full domain name");
        let hint = "write it in lower case without a final dot: `matih.ai`";
        f.report(
            "platform.root_domain",
            Diagnostic::new(ROOT_DOMAIN, message).hint(hint),
        );
    }
    let (host, port) = registry
        .host
        .split_once(':')
        .unwrap_or((&registry.host, "443"));
    if !forms::is_host(host) || port.parse::<u16>().is_err() {
        let message = format!("`{}` is not the host of a registry", registry.host);
        let diagnostic = Diagnostic::new(REGISTRY_HOST, message);
        f.report(
            "platform.registry.host",
            diagnostic.hint("write `HOST` or `HOST:PORT`"),
        );
    }
}

fn targets(file: &PlatformFile, f: &mut Findings) {
    for (name, target) in &file.targets {
        let path = format!("targets.{name}");
        if !forms::is_label(name) {
            let diagnostic = Diagnostic::new(
                TARGET_NAME,
                format!("`{name}` cannot be the name of a target"),
            );
            f.report(
                &path,
                diagnostic.hint("use lower-case letters, digits and hyphens"),
            );
        }
        let provider = &target.provider;
        let good = forms::is_plain(provider, "_", 1, 40)
            && provider.starts_with(|c: char| c.is_ascii_lowercase())
            && !provider.contains(|c: char| c.is_ascii_uppercase());
        if !good {
            let message = format!("`{provider}` cannot be the name of a provider");
            let hint = "use lower-case letters, digits and `_`, first a letter";
            f.report(
                &format!("{path}.provider"),
                Diagnostic::new(TARGET_PROVIDER, message).hint(hint),
            );
        }
    }
}
