//! TOML in, resources out: what a person writes about a tenant, checked and expanded.
//!
//! Promises that a [`TenantSpec`] in hand is complete and obeys every rule, that all findings are
//! told in one go with their places, and that nothing here touches the network, a clock or the
//! state. The only I/O is in [`load`].

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod blueprint;
pub mod charts;
pub mod compile;
mod context;
pub mod diagnostic;
mod duration;
mod expand;
mod fields;
mod findings;
mod format;
mod json_schema;
mod language;
pub mod load;
mod nearest;
mod parse;
pub mod platform;
mod quantity;
mod read;
mod render;
pub mod rule;
pub mod rules;
pub mod schema;
mod sizing;
pub mod steps;
mod template;
pub mod words;

pub use blueprint::{Blueprint, BlueprintFiles};
pub use compile::{Compiled, Directives, SharedInputs, compile};
pub use diagnostic::{Diagnostic, Diagnostics, Label, Place, Source};
pub use findings::Places;
pub use format::format;
pub use json_schema::{platform_schema, tenant_schema};
pub use parse::{Parsed, parse_tenant, parse_tenant_with};
pub use platform::{
    ParsedPlatform, PlatformFile, RefusedSetting, SpecDefaults, Target, parse_platform,
};
pub use quantity::Quantity;
pub use rule::{Rule, Severity};
pub use schema::TenantSpec;
pub use steps::{StepRow, StepStatus};
pub use words::Word;
