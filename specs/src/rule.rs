//! What a rule is: its code, its name, and the sentences that `matih explain` prints.
//!
//! Each file of checks declares its own rules with the `rules!` macro, next to the code that
//! reports them; the doc comment of the constant is the text for people, so it cannot drift away.

use serde::Serialize;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The spec cannot be used.
    Error,
    /// The spec can be used, and probably does not say what its author meant.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One rule that a spec, a platform file or a blueprint can break.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// `MTH-` and four digits; never given to another rule.
    pub code: &'static str,
    /// Where and what, dotted, such as `tenant.slug.pattern`.
    pub name: &'static str,
    /// How much a breach weighs.
    pub severity: Severity,
    /// The rule and its reason in one or two sentences.
    pub doc: &'static str,
}

/// Declares rules as constants and, in the order of writing, a table of them.
macro_rules! rules {
    (
        $(#[doc = $about:literal])+ $table:ident:
        $($(#[doc = $doc:literal])+ $name:ident = $code:literal $rule:literal $severity:ident;)+
    ) => {
        $(
            $(#[doc = $doc])+
            pub(crate) const $name: &$crate::rule::Rule = &$crate::rule::Rule {
                code: $code,
                name: $rule,
                severity: $crate::rule::Severity::$severity,
                doc: concat!($($doc),+).trim_ascii(),
            };
        )+
        $(#[doc = $about])+
        pub(crate) const $table: &[&$crate::rule::Rule] = &[$($name),+];
    };
}
pub(crate) use rules;
