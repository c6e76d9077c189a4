//! A plan in a few lines of Markdown, for a pull request.

use std::fmt::Write;

use matih_planner::Verdict;

use super::{PlanView, counts, has_news, rows};

/// The summary.
pub(crate) fn markdown(view: &PlanView<'_>) -> String {
    let plan = view.plan;
    let mut text = format!("### `{}`: {}\n\n", plan.tenant(), plan.verb());
    if !has_news(plan) {
        return text + "No changes.\n";
    }
    let _ = writeln!(text, "{}\n", counts(plan).line());
    let _ = writeln!(
        text,
        "| phase | add | change | replace | destroy |\n|---|---|---|---|---|"
    );
    for (phase, rows) in rows(plan) {
        let count = |symbol: &str| rows.iter().filter(|row| row.symbol() == symbol).count();
        let [add, change, replace, destroy] = ["+", "~", "-/+", "-"].map(count);
        if add + change + replace + destroy == 0 {
            continue;
        }
        let _ = writeln!(
            text,
            "| {phase} | {add} | {change} | {replace} | {destroy} |"
        );
    }
    let heading = match view.verdict {
        Verdict::Allowed => return text,
        Verdict::NeedsApproval(_) => "**Needs an approval of its own:**",
        Verdict::Refused(_) => "**Refused:**",
    };
    let _ = writeln!(text, "\n{heading}\n");
    for finding in view.verdict.findings() {
        let _ = writeln!(text, "- {}", finding.message);
    }
    text
}
