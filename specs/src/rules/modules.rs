//! Step 4 of the wizard: which parts of the product the tenant has.
//!
//! Sources: domain.md sections 10 and 12 (C21, the nine services of FREE).

use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::rule::rules;
use crate::schema::TenantSpec;
use crate::words::{DataSourceType, Tier};

rules! {
    /// The rules of `[modules]`.
    MODULES:
    /// The core, AI and agents, is always on.
    CORE_LOCKED = "MTH-1301" "modules.core.locked" Error;
    /// The quota of FREE holds nine services; those of the ML and data platforms are not among
    /// them.
    FREE_PROFILE = "MTH-1302" "modules.free-profile" Error;
    /// Iceberg tables can be queried, and are only catalogued and kept in shape by the data
    /// platform.
    ICEBERG_UNMANAGED = "MTH-1303" "modules.iceberg-unmanaged" Warning;
}

/// Judges `[modules]`.
pub(crate) fn check(spec: &TenantSpec, f: &mut Findings) {
    let modules = &spec.modules;
    if !modules.core {
        let diagnostic = Diagnostic::new(CORE_LOCKED, "the core cannot be switched off");
        f.report("modules.core", diagnostic.hint("leave `core` out"));
    }
    for (path, on) in [
        ("modules.ml", modules.ml),
        ("modules.data_platform", modules.data_platform),
    ] {
        if on && spec.tenant.tier == Tier::Free && f.is_sound("tenant.tier") {
            let message = format!("`{path}` does not fit in the quota of tier FREE");
            let hint = "leave it out, or take tier STARTER or above";
            f.report(path, Diagnostic::new(FREE_PROFILE, message).hint(hint));
        }
    }
    let iceberg = spec
        .data_sources
        .iter()
        .position(|s| s.source_type == DataSourceType::Iceberg);
    if let Some(index) = iceberg.filter(|_| !modules.data_platform) {
        let message = "an Iceberg data source without the data platform is queried but not managed";
        let diagnostic = Diagnostic::new(ICEBERG_UNMANAGED, message);
        let hint = "set `data_platform = true` in `[modules]`";
        f.report(
            &format!("data_sources[{index}].type"),
            diagnostic.hint(hint),
        );
    }
}
