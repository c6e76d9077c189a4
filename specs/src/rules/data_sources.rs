//! Step 3 of the wizard: the systems that data comes from.
//!
//! Numbers: domain.md section 10.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::forms;
use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::rule::rules;
use crate::schema::DataSource;
use crate::words::DataSourceType;

rules! {
    /// The rules of `[[data_sources]]`.
    DATA_SOURCES:
    /// A tenant starts with at most 10 data sources.
    COUNT = "MTH-1201" "data-sources.count" Error;
    /// A name is 1 to 63 lower-case letters, digits, `_` and `-`, first a letter: it becomes a
    /// catalog of the query engine.
    NAME_FORM = "MTH-1202" "data-sources.name.form" Error;
    /// Each data source has a name of its own.
    NAME_DUPLICATE = "MTH-1203" "data-sources.name.duplicate" Error;
    /// A host is a domain name or an IP address, with neither scheme nor port.
    HOST_FORM = "MTH-1204" "data-sources.host.form" Error;
    /// All systems but S3 are found by their host.
    HOST_MISSING = "MTH-1205" "data-sources.host.missing" Error;
    /// A loopback or link-local address means another machine in the cluster than it does here.
    HOST_LOCAL = "MTH-1206" "data-sources.host.local" Error;
    /// A connection needs to know its database, bucket or warehouse.
    DATABASE_MISSING = "MTH-1207" "data-sources.database.missing" Error;
    /// Systems that ask for a password need a user and a password.
    LOGIN_MISSING = "MTH-1208" "data-sources.login.missing" Error;
    /// A user without a password, or a password without a user, opens nothing.
    LOGIN_HALF = "MTH-1209" "data-sources.login.half" Error;
    /// Without TLS the password and the data cross the network in the clear.
    SSL_OFF = "MTH-1210" "data-sources.ssl.off" Warning;
    /// Snowflake speaks TLS only.
    SNOWFLAKE_SSL = "MTH-1211" "data-sources.snowflake.ssl" Error;
    /// The host of a Snowflake account ends in `.snowflakecomputing.com`.
    SNOWFLAKE_HOST = "MTH-1212" "data-sources.snowflake.host" Error;
    /// A bucket is 3 to 63 lower-case letters, digits, dots and hyphens, a letter or digit at both
    /// ends.
    S3_BUCKET = "MTH-1213" "data-sources.s3.bucket" Error;
    /// Two data sources that lead to the same database are probably a slip.
    SAME_TARGET = "MTH-1214" "data-sources.same-target" Warning;
}

/// Judges `[[data_sources]]`.
pub(crate) fn check(sources: &[DataSource], f: &mut Findings) {
    if sources.len() > 10 {
        let message = format!(
            "there are {} data sources, and there may be 10",
            sources.len()
        );
        f.report(
            "data_sources",
            Diagnostic::new(COUNT, message).hint("add the others later, in the product"),
        );
    }
    let mut names = BTreeMap::new();
    let mut targets = BTreeMap::new();
    for (index, source) in sources.iter().enumerate() {
        let path = format!("data_sources[{index}]");
        name(&path, &source.name, f);
        if let Some(first) = names.insert(&source.name, format!("{path}.name")) {
            let message = format!("`{}` is the name of two data sources", source.name);
            let label = f.place(&first);
            let diagnostic = Diagnostic::new(NAME_DUPLICATE, message)
                .label(label, "the other one")
                .hint("give one of them another name");
            f.report(&format!("{path}.name"), diagnostic);
        }
        let target = (
            source.source_type,
            &source.host,
            source.port,
            &source.database,
        );
        if let Some(first) = targets.insert(target, path.clone()) {
            let label = f.place(&first);
            let message = "two data sources lead to the same database";
            let diagnostic = Diagnostic::new(SAME_TARGET, message)
                .label(label, "the other one")
                .hint("one of them is enough");
            f.report(&path, diagnostic);
        }
        if f.is_sound(&format!("{path}.type")) {
            host(&path, source, f);
            database(&path, source, f);
            login(&path, source, f);
            tls(&path, source, f);
        }
    }
}

fn name(path: &str, name: &str, f: &mut Findings) {
    let good = forms::is_plain(name, "_-", 1, 63)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.contains(|c: char| c.is_ascii_uppercase());
    if !good {
        let message = format!("`{name}` cannot be the name of a catalog");
        let hint = "use 1 to 63 lower-case letters, digits, `_` and `-`, first a letter";
        f.report(
            &format!("{path}.name"),
            Diagnostic::new(NAME_FORM, message).hint(hint),
        );
    }
}

fn host(path: &str, source: &DataSource, f: &mut Findings) {
    let at = format!("{path}.host");
    let Some(host) = &source.host else {
        if source.source_type != DataSourceType::S3 {
            let message = format!("a data source of type {} needs a host", source.source_type);
            f.report(
                &at,
                Diagnostic::new(HOST_MISSING, message).hint("add `host = \"…\"`"),
            );
        }
        return;
    };
    let bare = host.to_ascii_lowercase();
    let local = match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_link_local() || ip.is_unspecified(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unspecified(),
        Err(_) => bare == "localhost" || bare.ends_with(".localhost"),
    };
    if !forms::is_host(&bare) {
        let message = format!("`{host}` is not a host");
        let hint = "write a domain name or an IP address; the port has a key of its own, `port`";
        f.report(&at, Diagnostic::new(HOST_FORM, message).hint(hint));
    } else if local {
        let message = format!("`{host}` is not reachable from the tenant's cluster");
        let hint = "write the name that the database has in the network";
        f.report(&at, Diagnostic::new(HOST_LOCAL, message).hint(hint));
    } else if source.source_type == DataSourceType::Snowflake
        && !bare.ends_with(".snowflakecomputing.com")
    {
        let message = format!("`{host}` is not the host of a Snowflake account");
        let hint = "write `ACCOUNT.snowflakecomputing.com`";
        f.report(&at, Diagnostic::new(SNOWFLAKE_HOST, message).hint(hint));
    }
}

fn database(path: &str, source: &DataSource, f: &mut Findings) {
    let at = format!("{path}.database");
    let what = match source.source_type {
        DataSourceType::S3 => "bucket",
        DataSourceType::Iceberg => "warehouse",
        _ => "database",
    };
    match source
        .database
        .as_deref()
        .filter(|name| !name.trim().is_empty())
    {
        None => {
            let message = format!("data source `{}` does not say its {what}", source.name);
            let diagnostic = Diagnostic::new(DATABASE_MISSING, message);
            f.report(
                &at,
                diagnostic.hint(format!(
                    "write the name of the {what} as `database = \"…\"`"
                )),
            );
        }
        Some(bucket) if source.source_type == DataSourceType::S3 => {
            let parts_good = bucket.split('.').all(forms::is_label);
            if !parts_good || !(3..=63).contains(&bucket.len()) {
                let message = format!("`{bucket}` cannot be the name of a bucket");
                let hint = "use 3 to 63 lower-case letters, digits, dots and hyphens";
                f.report(&at, Diagnostic::new(S3_BUCKET, message).hint(hint));
            }
        }
        Some(_) => {}
    }
}

fn login(path: &str, source: &DataSource, f: &mut Findings) {
    use DataSourceType::{Clickhouse, Mysql, Postgresql, Snowflake};
    let needed = matches!(
        source.source_type,
        Postgresql | Mysql | Snowflake | Clickhouse
    );
    let written = |key: &str| f.is_written(&format!("{path}.{key}"));
    match (written("username"), written("password")) {
        (false, false) if needed => {
            let message = format!("a data source of type {} needs a login", source.source_type);
            let hint = "add `username = \"…\"` and `password = { secret = \"STORE/NAME\" }`";
            f.report(path, Diagnostic::new(LOGIN_MISSING, message).hint(hint));
        }
        (true, false) | (false, true) => {
            let message = format!(
                "data source `{}` has one of `username` and `password`, and needs both or neither",
                source.name
            );
            let hint = "add the other one";
            f.report(path, Diagnostic::new(LOGIN_HALF, message).hint(hint));
        }
        _ => {}
    }
}

fn tls(path: &str, source: &DataSource, f: &mut Findings) {
    let at = format!("{path}.ssl");
    if source.ssl {
        return;
    }
    if source.source_type == DataSourceType::Snowflake {
        let diagnostic = Diagnostic::new(SNOWFLAKE_SSL, "Snowflake cannot be reached without TLS");
        f.report(&at, diagnostic.hint("leave `ssl` out: it is on by default"));
    } else {
        let message = format!(
            "data source `{}` sends password and data in the clear",
            source.name
        );
        f.report(
            &at,
            Diagnostic::new(SSL_OFF, message).hint("leave `ssl` out: it is on by default"),
        );
    }
}
