//! The closed sets of words that a spec chooses from.
//!
//! They are those of domain.md sections 2 (tiers and sizes), 7.5 (regions), 9.6 (policy packs) and
//! 10 (the rest).

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// A type that is written as one of a few fixed words.
pub trait Word: Copy + fmt::Display + 'static {
    /// What the words name, for messages: `tier`, `provider`.
    const WHAT: &'static str;
    /// Every value, in the order that help shows.
    const ALL: &'static [Self];
    /// The word as it is written in TOML.
    fn as_str(self) -> &'static str;
}

macro_rules! words {
    (
        $(#[$meta:meta])* $type:ident is a $what:literal:
        $($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)+
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema,
        )]
        pub enum $type {
            $($(#[doc = $doc])+ #[serde(rename = $word)] $variant,)+
        }

        impl Word for $type {
            const WHAT: &'static str = $what;
            const ALL: &'static [Self] = &[$(Self::$variant),+];
            fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words! {
    /// The billing tier; it decides tenancy and limits.
    Tier is a "tier":
    /// The shared cluster, the nine-service profile, no ingress of its own.
    Free = "FREE",
    /// The shared cluster with an ingress of its own.
    Starter = "STARTER",
    /// A dedicated cluster.
    Professional = "PROFESSIONAL",
    /// A dedicated cluster, an editable quota and every compliance pack.
    Enterprise = "ENTERPRISE",
}

words! {
    /// The cloud that the tenant lives in.
    Provider is a "provider":
    /// Microsoft Azure.
    Azure = "azure",
    /// Amazon Web Services.
    Aws = "aws",
    /// Google Cloud.
    Gcp = "gcp",
}

words! {
    /// The size within a tier: a factor on quota and replicas.
    ResourceTier is a "resource tier":
    /// Half.
    Small = "small",
    /// As the tier's table says.
    Medium = "medium",
    /// Double.
    Large = "large",
}

words! {
    /// What kind of system a data source is.
    DataSourceType is a "type of data source":
    /// PostgreSQL.
    Postgresql = "postgresql",
    /// MySQL.
    Mysql = "mysql",
    /// Snowflake; `host` is the account's host.
    Snowflake = "snowflake",
    /// An S3 bucket, named by `database`; `username` and `password` are the access key.
    S3 = "s3",
    /// An Iceberg REST catalog; `database` is the warehouse.
    Iceberg = "iceberg",
    /// ClickHouse over HTTP.
    Clickhouse = "clickhouse",
}

words! {
    /// How the tenant's users sign in.
    AuthMethod is a "sign-in method":
    /// Address and password, kept by the platform.
    EmailPassword = "email_password",
    /// Single sign-on by OpenID Connect.
    Oidc = "oidc",
    /// Single sign-on by SAML 2.0.
    Saml = "saml",
}

words! {
    /// Whether users need a second factor.
    MfaPolicy is a "second-factor policy":
    /// Nobody is asked for one.
    Off = "off",
    /// Users may set one up.
    Optional = "optional",
    /// Users must set one up.
    Required = "required",
}

words! {
    /// A policy pack.
    Compliance is a "compliance pack":
    /// SOC 2.
    Soc2 = "SOC2",
    /// HIPAA.
    Hipaa = "HIPAA",
    /// The General Data Protection Regulation.
    Gdpr = "GDPR",
}

words! {
    /// What the platform is for.
    Environment is a "kind of environment":
    /// Real tenants, real certificates.
    Prod = "prod",
    /// Certificates of the staging issuer, no dedicated ingress, no DNS.
    Dev = "dev",
}

words! {
    /// What a failed action leads to.
    OnFailure is a "choice":
    /// Start nothing more and keep what was built.
    Stop = "stop",
    /// Go on with all that does not depend on it.
    Continue = "continue",
    /// Take back what this run has done.
    Rollback = "rollback",
}

words! {
    /// Where named secrets come from.
    SecretStore is a "secret store":
    /// The built-in stand-in: each value derives from the installation's key and the name.
    Derived = "derived",
}

words! {
    /// How long the calls of the simulated world take.
    Latency is a "latency":
    /// No time.
    None = "none",
    /// About as long as the real thing, by kind.
    Real = "real",
}

impl Provider {
    /// The regions that matih knows, the default one first (the default is
    /// the region that its pages use, or the first of the list).
    pub fn regions(self) -> &'static [&'static str] {
        match self {
            Self::Azure => &[
                "eastus",
                "westus2",
                "westeurope",
                "northeurope",
                "southeastasia",
            ],
            Self::Aws => &[
                "us-east-1",
                "us-west-2",
                "eu-west-1",
                "eu-central-1",
                "ap-southeast-1",
            ],
            Self::Gcp => &["us-central1", "us-east1", "europe-west1", "asia-southeast1"],
        }
    }

    /// The regions that lie in the European Union.
    pub fn eu_regions(self) -> &'static [&'static str] {
        match self {
            Self::Azure => &["westeurope", "northeurope"],
            Self::Aws => &["eu-west-1", "eu-central-1"],
            Self::Gcp => &["europe-west1"],
        }
    }
}

impl DataSourceType {
    /// The port that the system listens on unless told otherwise, with or without TLS.
    pub fn default_port(self, ssl: bool) -> u16 {
        match self {
            Self::Postgresql => 5432,
            Self::Mysql => 3306,
            Self::Snowflake | Self::S3 => 443,
            Self::Iceberg => 8181,
            Self::Clickhouse if ssl => 8443,
            Self::Clickhouse => 8123,
        }
    }
}

impl Tier {
    /// The packs that the tier may choose from.
    pub fn compliance(self) -> &'static [Compliance] {
        match self {
            Self::Free | Self::Starter => &[],
            Self::Professional => &[Compliance::Soc2],
            Self::Enterprise => Compliance::ALL,
        }
    }
}
